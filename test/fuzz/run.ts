/** `npm run fuzz -- [SECONDS] [--seed N]`: test/fuzz for as long as one likes, ten minutes unless told. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";

const { values, positionals: [seconds = "600"] } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) } },
});
if (!(Number(seconds) > 0) || !/^\d+$/.test(values.seed)) {
  console.error("usage: npm run fuzz -- [SECONDS] [--seed NUMBER]");
  process.exit(2);
}
const env = { ...process.env, FUZZ_SECONDS: seconds, FUZZ_SEED: values.seed };
const args = ["vitest", "run", "--config", ".ci/vitest.config.ts", "--project", "host", "test/fuzz"];
process.exitCode = spawnSync("npx", args, { stdio: "inherit", env }).status ?? 1;
