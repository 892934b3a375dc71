// proc/PID/status: one process. Kernel threads have no memory fields.
// https://docs.kernel.org/filesystems/proc.html, fs/proc/array.c, fs/proc/task_mmu.c task_mem()
//
//   Name:   friend_push
//   State:  S (sleeping)
//   Pid:    6816
//   Uid:    0       0       0       0
//   VmRSS:      1728 kB
//   RssAnon:     120 kB
import { ParseError } from "../core/errors.ts";
import type { HostFacts, ParseContext, Source } from "../core/source.ts";
import { defineProcessArtifacts, type ProcessFile } from "./_groups.ts";
import { parseKb, splitKey } from "./_key_kb.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One process. What its kernel does not print is undefined. */
export interface ProcessStatus {
  /** Up to 15 bytes, as the program set it: it may hold anything, control characters included. */
  readonly name: string | undefined;
  readonly pid: number | undefined;
  readonly tgid: number | undefined;
  readonly ppid: number | undefined;
  /** `R`, `S`, `D`, `Z`, `T`, ... */
  readonly state: string | undefined;
  readonly threads: number | undefined;
  /** The real uid. */
  readonly uid: number | undefined;
  /** Slots in the table of descriptors: a power of two above the highest one in use. */
  readonly fdSize: number | undefined;
  readonly vmSizeBytes: number | undefined;
  readonly vmLckBytes: number | undefined;
  readonly vmPinBytes: number | undefined;
  readonly vmRssBytes: number | undefined;
  /** RssAnon, RssFile, RssShmem: from 4.5 on. */
  readonly rssAnonBytes: number | undefined;
  readonly rssFileBytes: number | undefined;
  readonly rssShmemBytes: number | undefined;
  readonly vmPteBytes: number | undefined;
  readonly vmSwapBytes: number | undefined;
  readonly hugetlbBytes: number | undefined;
  /** Signals and POSIX timers of the real user, all of its processes together. */
  readonly sigQueued: number | undefined;
  /** Line of each field by the kernel's name: `VmRSS`. */
  readonly lines: ReadonlyMap<string, number>;
}

/** Fields that are read. */
const READ: ReadonlySet<string> = new Set([
  "Name",
  "Pid",
  "Tgid",
  "PPid",
  "State",
  "Threads",
  "Uid",
  "FDSize",
  "VmSize",
  "VmLck",
  "VmPin",
  "VmRSS",
  "RssAnon",
  "RssFile",
  "RssShmem",
  "VmPTE",
  "VmSwap",
  "HugetlbPages",
  "SigQ",
]);

/** What stands in a file. */
interface Scanned {
  readonly values: ReadonlyMap<string, string>;
  readonly lines: ReadonlyMap<string, number>;
}

/** The lines of a file: one kernel prints the same for each of its processes, and fewer for its own threads. */
interface Layout {
  /** Matches a file of these lines, and captures what follows the names in `keys`. */
  readonly pattern: RegExp;
  readonly keys: readonly string[];
  /** A hundred thousand files share one map. */
  readonly lines: ReadonlyMap<string, number>;
}

/** The first few of a host. */
const layouts = new WeakMap<HostFacts, readonly Layout[]>();
const MAX_LAYOUTS = 4;

/** The kernel prints some sixty lines. */
const MAX_LAYOUT_LINES = 200;

/** Undefined for what no kernel prints. */
function layoutOf(lines: ReadonlyMap<string, number>): Layout | undefined {
  const all = [...lines.keys()];
  if (all.length > MAX_LAYOUT_LINES || !all.every((key) => /^\w{1,40}$/.test(key))) return undefined;
  const pattern = all.map((key) => READ.has(key) ? `${key}:([^\\n]*)\\n` : `${key}:[^\\n]*\\n`).join("");
  return { pattern: new RegExp(`^${pattern}$`), keys: all.filter((key) => READ.has(key)), lines };
}

/** Reads a file that has the lines of one before; undefined when it has others. */
function again(text: string, known: readonly Layout[]): Scanned | undefined {
  for (const { pattern, keys, lines } of known) {
    const match = pattern.exec(text);
    if (match === null) continue;
    return { values: new Map(keys.map((key, i) => [key, valueOf(key, match[i + 1] as string)])), lines };
  }
  return undefined;
}

/** @param rest What follows the colon. */
function valueOf(key: string, rest: string): string {
  return key === "Name" ? rest.slice("\t".length) : rest.trim();
}

function scan(text: string, context: ParseContext): Scanned {
  const values = new Map<string, string>();
  const lines = new Map<string, number>();
  let rows = 0;
  forEachLine(text, (line, number) => {
    rows = number;
    if (line === "") return;
    const field = splitKey(line);
    if (field === undefined) context.warn(number, `not a name and a value: ${quote(line)}`);
    else if (!lines.has(field.key)) {
      values.set(field.key, valueOf(field.key, line.slice(field.key.length + 1)));
      lines.set(field.key, number);
    }
  });
  if (values.size === 0) throw new ParseError('Cannot parse status: no line like "Name: cat"', { text });
  const known = layouts.get(context.facts) ?? [];
  const isPlain = known.length < MAX_LAYOUTS && lines.size === rows && text.endsWith("\n") && !text.includes("\r");
  const layout = isPlain ? layoutOf(lines) : undefined;
  if (layout !== undefined) layouts.set(context.facts, [...known, layout]);
  return { values, lines };
}

/**
 * Parses /proc/PID/status.
 *
 * @throws {ParseError} if no line has the form `Name: value`.
 *
 * @example
 * ```ts
 * import { parseProcessStatus } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const status = parseProcessStatus("Name:\tcat\nRssAnon:\t 120 kB\n", { facts: {}, warn() {} });
 * strictEqual(status.rssAnonBytes, 122_880);
 * ```
 */
export function parseProcessStatus(text: string, context: ParseContext): ProcessStatus {
  const { values, lines } = again(text, layouts.get(context.facts) ?? []) ?? scan(text, context);
  const read = (key: string, parse: (value: string) => number | undefined): number | undefined => {
    const value = values.get(key);
    const number = value === undefined ? undefined : parse(value);
    if (value !== undefined && number === undefined) {
      context.warn(lines.get(key) as number, `not a number: ${quote(`${key}: ${value}`)}`);
    }
    return number;
  };
  const count = (key: string): number | undefined => read(key, parseCount);
  const kb = (key: string): number | undefined => read(key, parseKb);
  const name = values.get("Name");
  return {
    name: name === undefined ? undefined : unescapeName(name),
    pid: count("Pid"),
    tgid: count("Tgid"),
    ppid: count("PPid"),
    state: values.get("State")?.slice(0, 1) || undefined,
    threads: count("Threads"),
    uid: read("Uid", (value) => parseCount(columns(value)[0])),
    fdSize: count("FDSize"),
    vmSizeBytes: kb("VmSize"),
    vmLckBytes: kb("VmLck"),
    vmPinBytes: kb("VmPin"),
    vmRssBytes: kb("VmRSS"),
    rssAnonBytes: kb("RssAnon"),
    rssFileBytes: kb("RssFile"),
    rssShmemBytes: kb("RssShmem"),
    vmPteBytes: kb("VmPTE"),
    vmSwapBytes: kb("VmSwap"),
    hugetlbBytes: kb("HugetlbPages"),
    // SigQ: 90046/96364
    sigQueued: read("SigQ", (value) => parseCount(value.split("/", 1)[0])),
    lines,
  };
}

/** The kernel writes a newline as `\n` and a backslash as `\\` (fs/proc/array.c, proc_task_name); older ones also use octal. */
function unescapeName(name: string): string {
  // A part of a text of 13 characters or more keeps the whole text in memory (V8): this is a part of a text of its own.
  return ` ${name}`.slice(1).replace(
    /\\(?:([0-7]{3})|(.))/g,
    (_, octal: string | undefined, other: string | undefined) => {
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
      return other === "n" ? "\n" : (other as string);
    },
  );
}

/** One entry a process that was captured. */
export const processStatus: Source<readonly ProcessFile<ProcessStatus>[]> = defineProcessArtifacts({
  name: "process status",
  files: ["status"],
  howToCapture: "cat /proc/[0-9]*/status",
  parse: parseProcessStatus,
});
