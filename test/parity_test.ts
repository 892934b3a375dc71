/** Same bundle in, same bytes out: on Node and on Deno, in any locale and time zone. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const samples = readdirSync(join(root, "samples")).filter((name) => name.endsWith(".tgz")).sort();

function json(program: string, args: readonly string[], environment: { [name: string]: string } = {}): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...environment },
    maxBuffer: 2 ** 28,
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

describe("analyze -f json", () => {
  it("has samples to compare (npm run samples)", () => expect(samples).not.toEqual([]));

  it.each(samples)("prints the same bytes on Node and Deno for %s", (sample) => {
    const args = [`samples/${sample}`, "-f", "json"];
    const elsewhere = { TZ: "Asia/Kathmandu", LANG: "de_DE.UTF-8", LC_ALL: "de_DE.UTF-8" };
    const deno = join(root, "node_modules/.bin/deno");
    const onNode = json("node", ["dist/cli.js", "analyze", ...args]);
    expect(JSON.parse(onNode)).toHaveProperty("schemaVersion", 1);
    expect(json(deno, ["task", "--quiet", "analyze", ...args])).toBe(onNode);
    expect(json("node", ["dist/cli.js", "analyze", ...args], elsewhere)).toBe(onNode);
    expect(json(deno, ["task", "--quiet", "analyze", ...args], elsewhere)).toBe(onNode);
  });
});
