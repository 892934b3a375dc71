import { existsSync, readFileSync, statSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import builds from "../.ci/tsup.config.ts";
import { version } from "../src/core/version.ts";
import { scan } from "./_scan.ts";

const root = new URL("..", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

interface Target {
  readonly types: string;
  /** Where it is another one on Node, Deno and Bun. */
  readonly node?: string;
  readonly default: string;
}

const npm = JSON.parse(read("package.json")) as {
  name: string;
  version: string;
  license: string;
  bin: { [name: string]: string };
  exports: { [entry: string]: Target | string };
  dependencies: { [name: string]: string };
};
const modules = Object.entries(npm.exports).filter((entry): entry is [string, Target] => typeof entry[1] !== "string");
const jsr = JSON.parse(read("deno.json")) as {
  name: string;
  version: string;
  license: string;
  exports: { [entry: string]: string };
};

describe("package.json and deno.json", () => {
  it("name one version and one license", () => {
    expect(jsr.name).toBe(`@${npm.name}/${npm.name}`);
    expect([jsr.version, version]).toEqual([npm.version, npm.version]);
    expect(jsr.license).toBe(npm.license);
    expect(read("CHANGELOG.md")).toContain(`\n## ${npm.version}`);
  });

  it("export the same, from sources that exist", () => {
    const entries: { [name: string]: string } = Object.assign({}, ...builds.map(({ entry }) => entry));
    const built = modules.map(([entry, target]) => {
      const name = (path: string) => (/^\.\/dist\/(\w+)\.js$/.exec(path) as unknown as [string, string])[1];
      // The types are those of the portable one everywhere: it is not for a compiler to tell where a program will run.
      expect(target.types).toBe(`./dist/${name(target.default)}.d.ts`);
      return [entry, `./${entries[name(target.node ?? target.default)]}`];
    });
    expect(Object.fromEntries(built)).toEqual(jsr.exports);
    expect(Object.values(jsr.exports).filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });
});

describe("dist (npm run build)", () => {
  it("has every file that package.json names", () => {
    const named = [
      ...Object.values(npm.exports).flatMap((target) => typeof target === "string" ? target : Object.values(target)),
      ...Object.values(npm.bin),
    ];
    expect(named.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });

  it("has in the browser-safe entry no import but of dependencies", () => {
    expect(foreignImports("dist/mod.js")).toEqual([]);
  });

  it("has a program that a shell can start", () => {
    const program = npm.bin["nailhouse"] as string;
    expect(read(program).split("\n", 1)).toEqual(["#!/usr/bin/env node"]);
    expect(statSync(new URL(program, root)).mode & 0o777).toBe(0o755);
  });
});

/** Imports of a built file, and of the shared parts it is built from, that are no dependency of the package. */
function foreignImports(path: string): string[] {
  return scan(path, read(path)).imports.flatMap(({ what }) => {
    if (what.startsWith(".")) return foreignImports(posix.join(posix.dirname(path), what));
    const [name = what] = what.split("/");
    return name in npm.dependencies ? [] : [`${path} imports ${what}`];
  });
}
