/** Both collectors on this machine: the TypeScript one and the shell script, with the shipped or other captures. */
import { type ChildProcess, execFileSync, spawn, spawnSync, type SpawnSyncReturns } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tarSink } from "../../src/bundle/tar_write.ts";
import { parseStatus } from "../../src/bundle/manifest.ts";
import { openArchive } from "../../src/bundle/open.ts";
import type { Bundle } from "../../src/core/bundle.ts";
import type { Collector } from "../../src/core/collector.ts";
import type { CollectorStatus, Status } from "../../src/core/manifest.ts";
import type { Report } from "../../src/core/report.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { collect, type CollectOptions } from "../../src/engine/collect.ts";
import { emitScript } from "../../src/engine/emit_script.ts";
import { nodeHost } from "../../src/host/node.ts";
import { gzipOutput } from "../../src/host/node_output.ts";
import { collectors as shipped, preset } from "../../src/preset.ts";
import { openSync } from "node:fs";

/** The command line, as it was built last. */
export const cli: string = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** The words that start a shell. */
export const shells: readonly (readonly [string, ...string[]])[] = [["dash"], ["bash"], ["busybox", "sh"]];

/** Whether this program is installed here. */
export function has(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** A case for each of the shells that are. */
export const installedShells: readonly (readonly [string, readonly [string, ...string[]]])[] = shells
  .filter(([program]) => has(program)).map((shell) => [shell.join(" "), shell]);

/** Writes the script of these collectors into a folder; returns its path. */
export function writeScript(folder: string, collectors: readonly Collector[] = shipped): string {
  const path = join(folder, "collect.sh");
  writeFileSync(path, emitScript(collectors), { mode: 0o755 });
  return path;
}

/** Runs a program to its end in a folder. */
export function run(
  folder: string,
  [program, ...args]: readonly [string, ...string[]],
  options: { readonly uid?: number; readonly env?: Readonly<Record<string, string>> } = {},
): SpawnSyncReturns<string> {
  const { env, ...rest } = options;
  return spawnSync(program, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
    // A script ends its bundle on any other signal, if it can.
    killSignal: "SIGKILL",
    ...rest,
    env: { PATH: process.env.PATH, ...env },
  });
}

/** What is in a bundle. */
export interface Content {
  readonly paths: readonly string[];
  /** Of a file, which must be there. */
  text(path: string): string;
  readonly status: Status;
}

/** Unpacks a complete bundle with the system's tar. */
export function contentOf(path: string): Content {
  const options = { encoding: "utf8", maxBuffer: 2 ** 28 } as const;
  const names = execFileSync("tar", ["-tzf", path], options).trim().split("\n");
  const root = names[0]?.split("/")[0];
  const text = (name: string) => execFileSync("tar", ["-xzOf", path, `${root}/${name}`], options);
  return {
    paths: names.map((name) => name.slice(`${root}/`.length)),
    text,
    status: parseStatus(text("nailhouse-status.json")),
  };
}

export function problemsOf({ status }: Pick<Content, "status">): CollectorStatus["problems"][number][] {
  return status.collectors.flatMap((each) => each.problems);
}

async function* oneChunk(path: string): AsyncGenerator<Uint8Array> {
  yield readFileSync(path);
}

/** Opens a bundle as `analyze` does. */
export async function open(path: string): Promise<{ readonly bundle: Bundle; readonly report: Report }> {
  const bundle = await openArchive(oneChunk(path), { sources: presetSources(preset) });
  return { bundle, report: analyze(bundle, preset) };
}

/** Words on the command line of both collectors. */
export function words(options: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** One of the two collectors. */
export interface Tool {
  readonly name: string;
  /** The command line that collects with the shipped captures. */
  readonly command: (folder: string) => [string, ...string[]];
  /** Collects with other captures. */
  readonly collect: (folder: string, collectors: readonly Collector[], options: CollectOptions) => Promise<Content>;
}

export const tools: readonly Tool[] = [
  {
    name: "the TypeScript collector",
    command: () => ["node", cli, "collect"],
    async collect(folder, collectors, options) {
      const path = join(folder, "typescript.tgz");
      const gzip = gzipOutput(openSync(path, "w"));
      const tar = tarSink("bundle", gzip);
      await collect(await nodeHost(), collectors, tar, options);
      await tar.end();
      await gzip.close();
      return contentOf(path);
    },
  },
  {
    name: "the script",
    command: (folder) => ["sh", writeScript(folder)],
    async collect(folder, collectors, { snapshots, intervalSeconds, timeoutSeconds, maxBytes }) {
      const path = join(folder, "script.tgz");
      const given = { snapshots, interval: intervalSeconds, timeout: timeoutSeconds, "max-size": maxBytes };
      const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      const child = start(folder, [
        "sh",
        writeScript(folder, collectors),
        "-o",
        path,
        ...words(options as Record<string, number>),
      ]);
      await ended(child);
      return contentOf(path);
    },
  },
];

/** Starts a program in a process group of its own. */
export function start(folder: string, [program, ...args]: readonly [string, ...string[]]): ChildProcess {
  return spawn(program, args, { cwd: folder, detached: true, stdio: ["ignore", "ignore", "pipe"] });
}

export function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", resolve));
}
