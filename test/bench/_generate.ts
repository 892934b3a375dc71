/** `deno run -A test/bench/_generate.ts KIND SIZE OUT.tgz`: makes one of the bundles that are measured; OUT may end with .tar.xz. */
import process from "node:process";
import { generate, kinds } from "./bundles/mod.ts";

const [kind, size, path] = process.argv.slice(2);
if (kind === undefined || !Object.hasOwn(kinds, kind) || !(Number(size) >= 1) || path === undefined) {
  console.error(
    "deno run -A test/bench/_generate.ts KIND SIZE OUT.tgz|OUT.tar.xz; the kinds, each up to its largest size, are " +
      Object.entries(kinds).map(([name, { largest, unit }]) => `${name} (${largest} ${unit})`).join(", "),
  );
  process.exit(2);
}
await generate(kind, Number(size), path);
