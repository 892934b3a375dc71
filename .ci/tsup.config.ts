import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import type { Options } from "tsup";
import { cliFile } from "./cli_file.ts";
import { pageHtml } from "./page_html.ts";

// The builds run at the same time, and the first to end may be one that writes here by itself.
mkdirSync("dist", { recursive: true });

const shared: Options = { format: ["esm"], target: "node20", outDir: "dist", silent: true };

const library = {
  mod: "src/mod.ts",
  node: "src/host/node_sdk.ts",
  host: "src/host/mod.ts",
  parsers: "src/parsers/mod.ts",
  wudp: "src/host/node_wudp.ts",
};
/** A file each, so that a program that uses one of them is not bundled with all. */
const parsers = readdirSync("src/parsers").filter((name) => /^[^_].*\.ts$/.test(name) && name !== "mod.ts").map((
  name,
) => [`parsers/${name.slice(0, -".ts".length)}`, `src/parsers/${name}`] as const);

const builds: Options[] = [
  {
    ...shared,
    entry: { ...library, ...Object.fromEntries(parsers) },
    platform: "neutral",
    esbuildOptions: (options) => void (options.chunkNames = "chunks/[name]-[hash]"),
    // What both entries use is there once: an error class must be the same in both.
    splitting: true,
    external: [/^node:/],
    clean: ["!cli*", "!collect.sh", "!nailhouse.html"],
    // For programs in other languages that read reports.
    onSuccess: () => {
      const program =
        'import { reportJsonSchema } from "nailhouse"; console.log(JSON.stringify(reportJsonSchema(), undefined, 2))';
      const schema = execFileSync(process.execPath, ["--input-type=module", "--eval", program]);
      writeFileSync("dist/report.schema.json", schema);
      return Promise.resolve();
    },
    // TypeScript 6 deprecates an option that tsup's declaration build still sets.
    dts: { entry: library, compilerOptions: { ignoreDeprecations: "6.0" } },
  },
  {
    ...shared,
    entry: { cli: "src/cli/main.ts" },
    platform: "node",
    outDir: "out/cli",
    // What is compiled by itself cannot import: see cli_start.js.
    format: ["cjs"],
    // One file, that can be copied to a host. What a command does not use is not compiled: it starts as fast as from many files.
    splitting: false,
    minify: true,
    noExternal: [/^(?!jiti$)/],
    // What reads TypeScript, only for plug-ins.
    external: ["jiti"],
    esbuildOptions: (options) => {
      // As ASCII, because one other character would do to make the runtime keep all of it with two bytes a character.
      options.charset = "ascii";
      options.define = { ...options.define, "import.meta.url": "programUrl" };
    },
    onSuccess: () => {
      for (const name of readdirSync("dist")) if (/^cli-.*\.cache$/.test(name)) rmSync(`dist/${name}`);
      writeFileSync("dist/cli.js", cliFile(readFileSync("out/cli/cli.cjs", "latin1")), { mode: 0o755 });
      // The first run is the slow one.
      execFileSync(process.execPath, ["dist/cli.js", "analyze", "samples/friend-push.tgz"]);
      // The collector for hosts without a runtime.
      const script = execFileSync(process.execPath, ["dist/cli.js", "collect", "--emit-script"]);
      writeFileSync("dist/collect.sh", script, { mode: 0o755 });
      return Promise.resolve();
    },
  },
  {
    ...shared,
    entry: { page: "src/page/page.ts", worker: "src/page/worker.ts" },
    outDir: "out/page",
    format: ["iife"],
    platform: "browser",
    target: "es2023",
    minify: true,
    // As ASCII, because a hash is of the bytes.
    esbuildOptions: (options) => void (options.charset = "ascii"),
    noExternal: [/.*/],
    onSuccess: () => {
      const [page, worker] = ["page", "worker"].map((name) => readFileSync(`out/page/${name}.global.js`, "utf8"));
      writeFileSync("dist/nailhouse.html", pageHtml(page as string, worker as string));
      return Promise.resolve();
    },
  },
];

export default builds;
