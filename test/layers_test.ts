/** Imports run one way, and only the host and the command line see a machine (DESIGN, section 2). */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { scan } from "./_scan.ts";

interface Layer {
  /** Other folders and files that it may import. */
  readonly imports: readonly string[];
  /** May import the npm packages that the SDK depends on. */
  readonly npm?: true;
  /** May use `node:` modules, the clock and the rest of the machine. */
  readonly machine?: true;
}

/** Every folder of code, and files that are a layer of their own. */
const layers: { readonly [path: string]: Layer } = {
  "src/core": { imports: [] },
  "src/core/duration.ts": { imports: [], npm: true },
  "src/parsers": { imports: ["src/core"], npm: true },
  "src/computed": { imports: ["src/core", "src/core/duration.ts", "src/parsers"], npm: true },
  "src/bundle": { imports: ["src/core"], npm: true },
  "src/engine": { imports: ["src/core"], npm: true },
  "src/render": { imports: ["src/core", "src/core/duration.ts"], npm: true },
  "collectors": { imports: ["src/core"] },
  "analyzers": { imports: ["src/core", "src/parsers", "src/computed"], npm: true },
  "src/preset_collectors.ts": { imports: ["collectors"] },
  "src/preset.ts": {
    imports: ["src/core", "src/parsers", "src/computed", "src/engine", "src/preset_collectors.ts", "analyzers"],
  },
  "src/mod.ts": {
    imports: [
      "src/core",
      "src/parsers",
      "src/computed",
      "src/bundle",
      "src/engine",
      "src/render",
      "src/preset.ts",
      "src/sdk.ts",
    ],
  },
  "src/sdk.ts": { imports: ["src/core", "src/computed", "src/bundle", "src/engine", "src/preset.ts"] },
  "src/page": { imports: ["src/core", "src/bundle", "src/engine", "src/render", "src/preset.ts"] },
  "src/host": { imports: ["src/core"], npm: true, machine: true },
  "src/host/mod.ts": { imports: ["src/core", "src/engine", "src/host"], machine: true },
  "src/host/node_sdk.ts": { imports: ["src/core", "src/mod.ts", "src/sdk.ts", "src/host"], machine: true },
  "src/cli": {
    imports: [
      "src/core",
      "src/parsers",
      "src/computed",
      "src/bundle",
      "src/engine",
      "src/render",
      "src/preset_collectors.ts",
      "src/preset.ts",
      "src/sdk.ts",
      // For plug-ins, which import it by name.
      "src/host/node_sdk.ts",
      "src/host",
    ],
    npm: true,
    machine: true,
  },
};

const NPM = /^(zod(?:\/.+)?|fflate|xz-decompress|fzstd|table|date-fns\/.+|jiti)$/;

/** What a scan calls `import(path)`. */
const COMPUTED = "a computed name";

/** No code names a runtime: `node:` modules are what all of them have. */
const RUNTIMES = /^(Deno|Bun)$/;
const MACHINE_GLOBALS =
  /^(process|Buffer|require|global|fetch|XMLHttpRequest|WebSocket|Intl|performance|crypto|navigator|localStorage)$/;
const CHANGING: readonly (readonly [RegExp, string])[] = [
  [/^(Date\.now|new Date\/0|Date\/\d)$/, "the clock: the time is in the bundle, or comes from the host"],
  [/^new Date\/[2-9]$/, "the local time zone: use Date.UTC"],
  [/^Math\.random$/, "chance"],
  [/\.(toLocale\w*|localeCompare)$/, "the locale: compare with < and format in core/format.ts"],
  [
    /\.([gs]et(FullYear|Month|Date|Day|Hours|Minutes|Seconds)|getTimezoneOffset|to(Date|Time)String)$/,
    "the local time zone: use the UTC methods",
  ],
];

function layerOf(path: string): string | undefined {
  if (path in layers) return path;
  const slash = path.lastIndexOf("/");
  return slash === -1 ? undefined : layerOf(path.slice(0, slash));
}

function importProblem(path: string, layer: string, specifier: string): string | undefined {
  // The files of third parties.
  if (specifier === COMPUTED && path === "src/cli/_plugins.ts") return undefined;
  const { imports, npm, machine } = layers[layer] as Layer;
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(path), specifier);
    const targetLayer = layerOf(target);
    if (targetLayer === layer || (targetLayer !== undefined && imports.includes(targetLayer))) return undefined;
    return `imports ${target}, but ${layer} may import ${
      imports.length === 0 ? "nothing else" : `only ${imports.join(", ")}`
    }`;
  }
  if (specifier.startsWith("node:")) {
    return machine ? undefined : `imports ${specifier}, but only src/host and src/cli may`;
  }
  if (specifier === "date-fns") {
    return "imports the whole of date-fns, which takes seconds to load: import date-fns/NAME";
  }
  if (!NPM.test(specifier)) return `imports ${specifier}, which is no dependency that this layer may have`;
  return npm ? undefined : `imports ${specifier}, but ${layer} may import no package`;
}

/** What a source file does that its layer may not. */
function problems(path: string, text: string): string[] {
  const layer = layerOf(path);
  if (layer === undefined) return [`${path}: is in no layer: add its folder to the table in test/layers_test.ts`];
  const { imports, globals, members } = scan(path, text);
  const found: { line: number; problem: string }[] = [];
  for (const { line, what } of imports) {
    const problem = importProblem(path, layer, what);
    if (problem !== undefined) found.push({ line, problem });
  }
  const named = [
    ...globals,
    ...members.flatMap((m) => m.what.startsWith("globalThis.") ? [{ ...m, what: m.what.slice(11) }] : []),
  ];
  const machine = layers[layer]?.machine === true;
  for (const { line, what } of named) {
    if (RUNTIMES.test(what)) found.push({ line, problem: `uses ${what}: one source runs on all runtimes` });
    else if (!machine && MACHINE_GLOBALS.test(what)) {
      found.push({ line, problem: `uses ${what}, but only src/host and src/cli see a machine` });
    }
  }
  for (const { line, what } of machine ? [] : members) {
    const [, why] = CHANGING.find(([pattern]) => pattern.test(what)) ?? [];
    if (why !== undefined) found.push({ line, problem: `${what.replace(/\/\d$/, "()")} depends on ${why}` });
  }
  return found.map(({ line, problem }) => `${path}:${line}: ${problem}`);
}

const root = new URL("..", import.meta.url);

function sources(folder: string): string[] {
  return readdirSync(new URL(folder, root), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? sources(path) : path.endsWith(".ts") ? [path] : [];
  });
}

describe("layers", () => {
  const files = ["src", "collectors", "analyzers"].flatMap(sources);

  it("are all there", () => {
    expect(Object.keys(layers).filter((layer) => !files.some((path) => layerOf(path) === layer))).toEqual([]);
  });

  it("import one way, and only the host and the command line see a machine", () => {
    expect(files.flatMap((path) => problems(path, readFileSync(new URL(path, root), "utf8")))).toEqual([]);
  });
});

describe("problems()", () => {
  it.each([
    [
      "src/core/a.ts",
      `import { b } from "../parsers/b.ts";`,
      "imports src/parsers/b.ts, but src/core may import nothing else",
    ],
    ["src/core/a.ts", `export type { B } from "../render/b.ts";`, "imports src/render/b.ts"],
    ["src/core/a.ts", `import { z } from "zod";`, "src/core may import no package"],
    ["src/parsers/a.ts", `import type { B } from "../computed/b.ts";`, "imports src/computed/b.ts"],
    ["src/computed/a.ts", `type A = import("../engine/b.ts").B;`, "imports src/engine/b.ts"],
    ["src/engine/a.ts", `const b = await import("../preset.ts");`, "imports src/preset.ts"],
    ["src/engine/a.ts", "const b = await import(name);", "imports a computed name"],
    ["src/host/node.ts", `import { b } from "../../analyzers/b.ts";`, "imports analyzers/b.ts"],
    ["src/cli/a.ts", `import { b } from "../../analyzers/b.ts";`, "imports analyzers/b.ts"],
    ["src/preset_collectors.ts", `import { b } from "../analyzers/mod.ts";`, "imports analyzers/mod.ts"],
    ["src/mod.ts", `export * from "./host/node.ts";`, "imports src/host/node.ts"],
    ["analyzers/a.ts", `import "../src/engine/b.ts";`, "imports src/engine/b.ts"],
    ["collectors/a.ts", `import "../src/parsers/b.ts";`, "imports src/parsers/b.ts"],
    [
      "src/bundle/a.ts",
      `import { gunzipSync } from "node:zlib";`,
      "imports node:zlib, but only src/host and src/cli may",
    ],
    ["src/render/a.ts", `import { format } from "date-fns";`, "import date-fns/NAME"],
    ["src/render/a.ts", `import chalk from "chalk";`, "imports chalk, which is no dependency"],
    ["src/novel/a.ts", "", "is in no layer"],
    ["src/core/a.ts", "const a = Date.now();", "Date.now depends on the clock"],
    ["src/core/a.ts", `const a = Date["now"]();`, "Date.now depends on the clock"],
    ["src/core/a.ts", "const a = new Date();", "new Date() depends on the clock"],
    ["src/core/a.ts", "const a = new Date;", "new Date() depends on the clock"],
    ["src/core/a.ts", "const a = Date();", "Date() depends on the clock"],
    ["src/core/a.ts", "const a = new Date(2026, 1, 2);", "depends on the local time zone"],
    ["src/core/a.ts", "const a = date.getHours();", "depends on the local time zone"],
    ["src/core/a.ts", "const a = Math.random();", "Math.random depends on chance"],
    ["src/core/a.ts", "const a = (1).toLocaleString();", ".toLocaleString depends on the locale"],
    ["src/core/a.ts", "list.sort((a, b) => a.x.localeCompare(b.x));", ".localeCompare depends on the locale"],
    ["src/core/a.ts", "new Intl.NumberFormat();", "uses Intl"],
    ["src/core/a.ts", "if (process.platform) { }", "uses process"],
    ["src/core/a.ts", "const a = { process };", "uses process"],
    ["src/core/a.ts", "function a(b: Buffer): void {}", "uses Buffer"],
    ["src/core/a.ts", "await globalThis.fetch(url);", "uses fetch"],
    ["src/host/node.ts", "Deno.readFileSync(path);", "uses Deno"],
    ["src/cli/a.ts", `const on = globalThis["Deno"];`, "uses Deno"],
  ])("finds in %s: %s", (path, code, message) => {
    expect(problems(path, `// line 1\n${code}`)).toEqual([expect.stringContaining(message)]);
  });

  it("names the line", () => {
    expect(problems("src/core/a.ts", "\n\nMath.random();")).toEqual(["src/core/a.ts:3: Math.random depends on chance"]);
  });

  it.each([
    [
      "src/core/a.ts",
      `// Date.now() and process\nconst a = "process Buffer Date.now() import('node:fs')"; /* new Date() */ const b = \`Intl\`;`,
    ],
    ["src/core/a.ts", "const a = new Date(milliseconds).toISOString(); const b = Date.parse(text);"],
    ["src/computed/a.ts", "for (const process of processes) total += process.rssBytes;"],
    [
      "src/computed/a.ts",
      "const { process: own } = counts; const kind = { process: 1, fetch() {} }; use(own, kind.process, kind);",
    ],
    ["src/engine/a.ts", "interface A { process(): void; readonly Buffer: string }"],
    [
      "src/parsers/a.ts",
      `import { parseISO } from "date-fns/parseISO"; import type { B } from "../core/b.ts"; import { c } from "./c.ts";`,
    ],
    ["src/host/node.ts", `import { readFile } from "node:fs/promises"; const now = Date.now(); process.pid;`],
    ["src/cli/main.ts", `import { nodeHost } from "../host/node.ts"; import { preset } from "../preset.ts";`],
    [
      "src/preset.ts",
      `import { analyzers } from "../analyzers/mod.ts"; export { collectors } from "./preset_collectors.ts";`,
    ],
  ])("has nothing against, in %s: %s", (path, code) => {
    expect(problems(path, code)).toEqual([]);
  });
});
