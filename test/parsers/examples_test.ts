/** Every parser's documentation has an example, and the examples do what they say. */
import * as assert from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as parsers from "../../src/parsers/mod.ts";

const folder = new URL("../../src/parsers/", import.meta.url);
const modules = readdirSync(folder).filter((name) => /^[a-z].*\.ts$/.test(name) && name !== "mod.ts");

describe("src/parsers", () => {
  it.each(modules)("%s has examples that hold", (name) => {
    const source = readFileSync(new URL(name, folder), "utf8");
    const examples = [...source.matchAll(/^ \* ```ts\n((?: \*.*\n)*?) \* ```$/gm)];
    expect(examples).not.toEqual([]);
    for (const [, example] of examples) {
      const code = (example as string).replaceAll(/^ \* ?/gm, "")
        .replace(/import (\{.*\}) from "nailhouse\/parsers";/, "const $1 = parsers;")
        .replace(/import (\{.*\}) from "node:assert";/, "const $1 = assert;");
      new Function("parsers", "assert", code)(parsers, assert);
    }
  });

  it.each(modules)("%s is exported by mod.ts", async (name) => {
    const exported = Object.keys(await import(new URL(name, folder).href));
    expect(exported.filter((key) => !(key in parsers))).toEqual([]);
    expect(exported.some((key) => /^parse[A-Z]/.test(key))).toBe(true);
  });
});
