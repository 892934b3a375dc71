/** The API reference is made of the code (`npm run api`): nothing that is exported is left without purpose, and no function without an example. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const deno = join(root, "node_modules/.bin/deno");
const { exports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8")) as { exports: Record<string, string> };
const entries = Object.values(exports);

/** As `deno doc --json` prints it (version 2), of which only this is read. */
interface Doc {
  readonly nodes: {
    readonly [module: string]: {
      readonly module_doc?: { readonly doc?: string };
      readonly symbols: readonly DocSymbol[];
    };
  };
}
interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly {
    readonly kind: string;
    readonly location: { readonly filename: string; readonly line: number };
    readonly jsDoc?: { readonly doc?: string; readonly tags?: readonly { readonly kind: string }[] };
  }[];
}

describe("what the entries export", () => {
  const json = execFileSync(deno, ["doc", "--quiet", "--json", ...entries], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  const modules = Object.values((JSON.parse(json) as Doc).nodes);
  // A name that is passed on from another entry is documented there.
  const declarations = modules.flatMap(({ symbols }) => symbols)
    .flatMap(({ name, declarations }) => declarations.map((each) => ({ name, ...each })))
    .filter(({ kind }) => kind !== "reference");
  const names = (found: typeof declarations): string[] =>
    found.map(({ name, location }) => `${name} (${basename(location.filename)}:${location.line})`);

  it("is found", () => {
    expect(modules).toHaveLength(entries.length);
    expect(names(declarations).join()).toMatch(/openBundle .*createWriteOnlySocket /);
  });

  it("tells of each entry what it is for", () =>
    expect(modules.filter(({ module_doc }) => module_doc?.doc === undefined)).toEqual([]));

  it("tells of each symbol what it is for", () =>
    expect(names(declarations.filter(({ jsDoc }) => jsDoc?.doc === undefined))).toEqual([]));

  it("shows each function in an example, which npm run docs runs", () => {
    const functions = declarations.filter(({ kind }) => kind === "function");
    expect(functions.length).toBeGreaterThan(100);
    expect(names(functions.filter(({ jsDoc }) => !jsDoc?.tags?.some(({ kind }) => kind === "example")))).toEqual([]);
  });

  it("refers to no type that it does not export (deno doc --lint)", () => {
    const { stderr } = spawnSync(deno, ["doc", "--quiet", "--lint", ...entries], {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
      env: { ...process.env, NO_COLOR: "1" },
    });
    // It wants each field explained, too: those are whose name does not tell it.
    expect(new Set(stderr.match(/^error\[[\w-]+/gm))).toEqual(new Set(["error[missing-jsdoc"]));
  });
});

it("npm run api builds the reference", () => {
  execFileSync("npm", ["run", "--silent", "api"], { cwd: root });
  for (const page of ["index.html", "host/index.html", "parsers/index.html", "~/openBundle.html"]) {
    expect(existsSync(join(root, "out/api", page)), page).toBe(true);
  }
});
