// Sources of files of which there is one in every network namespace or for every process.
import type { ArtifactDeclaration, Captured, Parsed, Reader, Source } from "../core/source.ts";

const NAMESPACES = "sos_commands/networking/namespaces/";
/** As sosreport had it up to 4.0: the namespace is in the file's name. */
const IN_NAME = "sos_commands/networking/ip_netns_exec_";

interface GroupDeclaration<T> extends Omit<ArtifactDeclaration<T>, "paths"> {
  /** File names below /proc/net, or below /proc/PID. */
  readonly files: readonly string[];
}

/** A file of one process: the pid is the folder's, which is that of the bundle's pid namespace. */
export interface ProcessFile<T> extends Parsed<T> {
  readonly pid: number;
}

/**
 * The network namespace that a path belongs to, as sosreport names it; undefined for the initial one.
 *
 * @example
 * ```ts
 * import { netnsOf } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 *
 * equal(netnsOf("sos_commands/networking/namespaces/blue/proc/net/udp"), "blue");
 * equal(netnsOf("sos_commands/networking/ip_netns_exec_blue_ss_-peaonmi"), "blue");
 * equal(netnsOf("proc/net/udp"), undefined);
 * ```
 */
export function netnsOf(path: string): string | undefined {
  const at = path.indexOf(NAMESPACES);
  if (at !== -1) return path.slice(at + NAMESPACES.length).split("/", 1)[0];
  const named = path.indexOf(IN_NAME);
  return named === -1 ? undefined : /^(.+)_\w+_-/.exec(path.slice(named + IN_NAME.length))?.[1];
}

/** What a network namespace is called in a sentence. */
export function netnsName(namespace: string | undefined): string {
  return namespace === undefined ? "the initial network namespace" : `network namespace ${namespace}`;
}

/**
 * The process that a path below `proc/` belongs to; undefined for `proc/self` and the like.
 *
 * @example
 * ```ts
 * import { pidOf } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 *
 * equal(pidOf("proc/1234/status"), 1234);
 * equal(pidOf("proc/self/status"), undefined);
 * ```
 */
export function pidOf(path: string): number | undefined {
  const pid = (path.startsWith("proc/") ? BELOW_PROC : ANYWHERE).exec(path)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

// A hundred thousand paths begin so: what may only stand at the beginning is not looked for.
const BELOW_PROC = /^proc\/(\d{1,10})\//;
const ANYWHERE = /\/proc\/(\d{1,10})\//;

/** What came of several files: those that could be read, or why none could be. */
function outcome<T>(
  found: readonly T[],
  failed: Captured<never> | undefined,
  missing: { path: string; howToCapture: string },
): Captured<readonly T[]> {
  if (found.length > 0) return { status: "ok", value: found };
  return failed ?? { status: "missing", missing: [missing] };
}

function parseAll<T>(
  reader: Reader,
  paths: Iterable<string>,
  parse: ArtifactDeclaration<T>["parse"],
  missing: { path: string; howToCapture: string },
): Captured<readonly Parsed<T>[]> {
  const parsed: Parsed<T>[] = [];
  let failed: Captured<never> | undefined;
  for (const path of new Set(paths)) {
    const captured = reader.parse(path, parse);
    if (captured.status === "ok") parsed.push(captured.value);
    else if (captured.status === "failed") failed ??= captured;
  }
  return outcome(parsed, failed, missing);
}

/**
 * Files of /proc/net in all network namespaces. Where a bundle holds the initial namespace's file twice (as `proc/net/X` and
 * `proc/self/net/X`) it is read once: otherwise every socket would count double.
 */
export function defineNetnsArtifacts<T>(declaration: GroupDeclaration<T>): Source<readonly Parsed<T>[]> {
  const { name, files, howToCapture, parse } = declaration;
  const patterns = files.map((file) => ({
    initial: [`proc/net/${file}`, `proc/self/net/${file}`],
    others: `${NAMESPACES}*/proc/net/${file}`,
  }));
  return {
    name,
    patterns: patterns.flatMap(({ initial, others }) => [...initial, others]),
    read(reader) {
      const paths = patterns.flatMap(({ initial, others }) => [
        ...(initial.map((path) => reader.paths(path)).find((found) => found.length > 0) ?? []),
        ...reader.paths(others),
      ]);
      return parseAll(reader, paths, parse, { path: `proc/net/${files[0]}`, howToCapture });
    },
  };
}

/** A file below /proc/PID of all processes that were captured; `proc/self`, which is one of them, is left out. */
export function defineProcessArtifacts<T>(declaration: GroupDeclaration<T>): Source<readonly ProcessFile<T>[]> {
  const { name, files, howToCapture, parse } = declaration;
  const patterns = files.map((file) => `proc/*/${file}`);
  return {
    name,
    patterns,
    read(reader) {
      const found: ProcessFile<T>[] = [];
      let failed: Captured<never> | undefined;
      for (const path of patterns.flatMap((pattern) => reader.paths(pattern))) {
        const pid = pidOf(path);
        if (pid === undefined) continue;
        const captured = reader.parse(path, parse);
        // Not spread: a hundred thousand objects would have a shape each (V8).
        if (captured.status === "ok") found.push({ path: captured.value.path, value: captured.value.value, pid });
        else if (captured.status === "failed") failed ??= captured;
      }
      return outcome(found, failed, { path: `proc/PID/${files[0]}`, howToCapture });
    },
  };
}
