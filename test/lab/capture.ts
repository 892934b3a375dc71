/** Captures this machine while a fault is held, and analyzes what was captured. */
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { openArchive } from "../../src/bundle/open.ts";
import type { Report } from "../../src/core/report.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { fault } from "./faults.ts";
import { type HeldFault, withFault } from "./lab.ts";

const run = promisify(execFile);

/** Does `work` with the path of an empty directory, which is gone afterwards. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "nailhouse-lab-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A bundle by the command line, as it was built last. */
export async function collect(path: string, snapshots: number, intervalSeconds: number): Promise<void> {
  const words = ["--quiet", "--snapshots", String(snapshots), "--interval", String(intervalSeconds), "-o", path];
  await run("node", ["dist/cli.js", "collect", ...words]);
}

/** What has something to do with memory. */
const SOS_PLUGINS = ["cgroups", "ebpf", "filesys", "host", "kernel", "memory", "networking", "process", "sysvipc"];

/**
 * A report by Debian's sos. Changes are allowed, because otherwise sos runs ss only where it sees the modules for it, which are built in here.
 * /proc/kallsyms would be four fifths of the archive and tells nothing of memory; sos 4.0 cannot leave out a file, so it finds that one empty.
 */
export async function sosreport(path: string, ...options: string[]): Promise<void> {
  await withFolder(async (folder) => {
    const empty = join(folder, "empty");
    await writeFile(empty, "");
    await run("unshare", [
      ...["--mount", "sh", "-c", 'mount --bind "$0" /proc/kallsyms && exec sos report "$@"', empty],
      ...["--batch", "--quiet", "--no-report", "--allow-system-changes", "--tmp-dir", folder],
      ...["--compression-type", "gzip", "--only-plugins", SOS_PLUGINS.join()],
      ...["--plugin-option", "process.samples=0"], // iotop, for ten seconds
      ...options,
    ]);
    const archive = (await readdir(folder)).find((name) => name.endsWith(".tar.gz"));
    if (archive === undefined) throw new Error("sos left no archive");
    await copyFile(join(folder, archive), path);
  });
}

/** Holds several faults one within the other. */
export async function withFaults<T>(
  names: readonly string[],
  work: (held: readonly HeldFault[]) => Promise<T>,
): Promise<T> {
  const [name, ...rest] = names;
  if (name === undefined) return await work([]);
  const { program, args } = fault(name);
  return await withFault(program, args, (held) => withFaults(rest, (others) => work([held, ...others])));
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** The shipped analyzers' report on a bundle or a sosreport. */
export async function reportOn(path: string | URL): Promise<Report> {
  const bundle = await openArchive(oneChunk(await readFile(path)), { sources: presetSources(preset) });
  return analyze(bundle, preset);
}

/** Names on the command line, all of which must be known; all that are known if there are none. */
export function chosen<T extends { readonly name: string }>(known: readonly T[]): readonly T[] {
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !known.some((each) => each.name === name));
  if (unknown.length > 0) {
    throw new Error(`no fault ${unknown.join(", ")}; there are ${known.map(({ name }) => name).join(", ")}`);
  }
  return known.filter(({ name }) => names.length === 0 || names.includes(name));
}
