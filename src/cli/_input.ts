import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import process from "node:process";
import { Budget, type BundleLimits, defaultLimits } from "../bundle/limits.ts";
import { openArchives, type OpenedBundle, type OpenOptions, readBundles, readEntries } from "../bundle/open.ts";
import { readTar } from "../bundle/tar.ts";
import type { Bundle, Entry } from "../core/bundle.ts";
import type { Collector } from "../core/collector.ts";
import { BundleError, LimitError } from "../core/errors.ts";
import type { Source } from "../core/source.ts";
import { ringEntries } from "../engine/ring.ts";
import { clock, directoryEntries, fileChunks, isReadable, nodeGunzip } from "../host/node_input.ts";
import { ringFiles } from "../host/node_ring.ts";
import { UsageError } from "./_command.ts";
import { say } from "./_say.ts";

/** The value of an option that has only some. */
export function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new UsageError(`${option} is one of ${allowed.join(", ")}, not "${value}"`);
  return found;
}

/** @throws {UsageError} If standard input is to be read twice: the second time it would be empty. */
export function checkPaths(paths: readonly string[]): void {
  if (paths.filter((path) => path === "-").length > 1) throw new UsageError("standard input (-) can be read once");
}

/** For completion. */
export const LIMITS: readonly string[] = Object.keys(defaultLimits).map((name) => `${name}=`);

/** `--limit NAME=VALUE`, several times. */
export function parseLimits(given: readonly string[]): Partial<BundleLimits> {
  const names = Object.keys(defaultLimits) as (keyof BundleLimits)[];
  return Object.fromEntries(given.map((each) => {
    const [name, value = ""] = each.split("=", 2) as [string, string?];
    const [, digits, unit = ""] = /^(\d{1,15})([KMG]?)$/.exec(value) ?? [];
    const limit = Number(digits) * 1024 ** " KMG".indexOf(unit || " ");
    if (!Number.isSafeInteger(limit) || limit === 0) {
      throw new UsageError(`--limit is NAME=VALUE with a number above 0, such as maxFileBytes=1G, not "${each}"`);
    }
    return [oneOf("--limit", name as keyof BundleLimits, names), limit];
  }));
}

/** The files of a ring are archives without an end: only what the compression says tells whether one is whole. */
function openRing(
  newestFirst: readonly string[],
  { limits, clock }: OpenOptions,
  warn: (message: string) => void,
): AsyncIterable<Entry> {
  const budget = new Budget(limits, clock);
  const told = new Set<string>();
  // The newest file is read twice.
  const tell = (text: string): void => {
    if (!told.has(text)) warn(text);
    told.add(text);
  };
  const open = (path: string) => () => {
    const broken = (message: string): void => tell(`${basename(path)}: ${message}: what stands before that is used`);
    return readTar(budget.unpacked(nodeGunzip(budget.packed(fileChunks(path)), broken)), () => {});
  };
  return ringEntries(newestFirst.map(open), warn);
}

/** Those of an archive that has at least one file of a host's; a bundle that was cut off behind its manifest tells that itself. */
async function* withFiles(
  bundles: AsyncIterable<OpenedBundle>,
  broken: (message: string) => void,
): AsyncGenerator<OpenedBundle> {
  for await (const opened of bundles) {
    const { files, manifest, warnings } = opened.bundle;
    if (files.size === 0 && manifest === undefined) {
      warnings.forEach(broken);
      throw new BundleError(
        "Cannot read the bundle: the archive has no file that a bundle or sosreport has (such as proc/meminfo); what is of a cluster, of a program or of another system than Linux tells nothing of a node's memory: ask for what `nailhouse collect` or `sos report` writes on the node itself",
      );
    }
    yield opened;
  }
}

/** Reads one PATH of the command line, what `sources` ask for: a bundle, or an archive or directory of several. */
export async function* openBundles(
  path: string,
  { sources, collectors }: { readonly sources: readonly Source<unknown>[]; readonly collectors: readonly Collector[] },
  limits: Partial<BundleLimits>,
): AsyncGenerator<OpenedBundle> {
  const broken = (message: string): void => say(`nailhouse: ${path}: ${message}`);
  const options: OpenOptions = {
    sources,
    limits,
    clock,
    decompress: nodeGunzip,
  };
  if (path === "-") return yield* withFiles(openArchives(process.stdin, options, broken), broken);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new BundleError("Cannot read the bundle: there is no such file or directory");
  if (!stat.isDirectory()) {
    if (!isReadable(stat)) {
      throw new BundleError("Cannot read the bundle: it is neither a file, a pipe nor a directory");
    }
    return yield* withFiles(openArchives(fileChunks(path), options, broken), broken);
  }
  if (resolve(path) === "/") {
    const { collectHere } = await import("./collect.ts");
    return yield { path: "", bundle: await readEntries(await collectHere(collectors), options) };
  }
  const warnings: string[] = [];
  const ring = await ringFiles(path);
  if (ring.length > 0) {
    const opened = await readEntries(
      openRing(ring, options, (message) => void warnings.push(message)),
      options,
      warnings,
    );
    if (opened.files.size === 0) throw new BundleError("Cannot read the ring: it has no whole sample");
    return yield { path: "", bundle: opened };
  }
  const entries = directoryEntries(path, (message) => void warnings.push(message));
  for await (const opened of readBundles(entries, options, broken, warnings)) {
    if (opened.bundle.files.size === 0) {
      throw new BundleError(
        "Cannot read the bundle: the directory has no file that a bundle or sosreport has (such as proc/meminfo)",
      );
    }
    yield opened;
  }
}

/** Reads one PATH that must be a single bundle. */
export async function openPath(
  path: string,
  wanted: { readonly sources: readonly Source<unknown>[]; readonly collectors: readonly Collector[] },
  limits: Partial<BundleLimits>,
): Promise<Bundle> {
  let only: OpenedBundle | undefined;
  for await (const opened of openBundles(path, wanted, limits)) {
    if (only !== undefined) {
      throw new BundleError(`Cannot read the bundle: there are several (${only.path}, ${opened.path})`);
    }
    only = opened;
  }
  if (only === undefined) throw new BundleError("Cannot read the bundle: there is none");
  return only.bundle;
}

/** What is wrong with an input, in one line; anything else is a defect and is thrown on. */
export function inputProblem(error: unknown): string {
  if (error instanceof LimitError) return `${error.message}; --limit ${error.limit}=VALUE raises it`;
  if (error instanceof BundleError) return error.message;
  if (error instanceof Error && ("syscall" in error || error.name === "NotCapable")) {
    return `Cannot read the bundle: ${error.message}`;
  }
  throw error;
}

/** Deno would ask for a permission. */
function isDumb(): boolean {
  return !("deno" in process.versions) && process.env["TERM"] === "dumb";
}

/** NO_COLOR (no-color.org) counts unless it is empty; FORCE_COLOR is the stronger one, and 0 switches it off. A dumb terminal has none. */
export function wantsColor(toFile: boolean): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: without } = process.env;
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  return !toFile && process.stdout.isTTY && !isDumb() && (without === undefined || without === "");
}
