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
  /** The most that VmRSS ever was. */
  readonly vmHwmBytes: number | undefined;
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

/** How a field is read. */
interface Form {
  /** What all kernels print, up to numbers that are exact, with the value as its group. */
  readonly pattern: string;
  /** The number that stands in whatever follows the colon, without the blanks around it; undefined when there is none. */
  readonly parse: (value: string) => number | undefined;
  /** Of the number that the pattern captures. */
  readonly unit: number;
}

const count: Form = { pattern: "[\\t ]*(\\d{1,15})", parse: parseCount, unit: 1 };
const kb: Form = { pattern: "[\\t ]*(\\d{1,12}) kB", parse: parseKb, unit: 1024 };

const NUMBERS: ReadonlyMap<string, Form> = new Map([
  ["Pid", count],
  ["Tgid", count],
  ["PPid", count],
  ["Threads", count],
  ["Uid", { pattern: "[\\t ]*(\\d{1,15})\\t[^\\n]*", parse: (value) => parseCount(columns(value)[0]), unit: 1 }],
  ["FDSize", count],
  ["VmSize", kb],
  ["VmLck", kb],
  ["VmPin", kb],
  ["VmHWM", kb],
  ["VmRSS", kb],
  ["RssAnon", kb],
  ["RssFile", kb],
  ["RssShmem", kb],
  ["VmPTE", kb],
  ["VmSwap", kb],
  ["HugetlbPages", kb],
  // SigQ: 90046/96364
  ["SigQ", { pattern: "[\\t ]*(\\d{1,15})/[^\\n]*", parse: (value) => parseCount(value.split("/", 1)[0]), unit: 1 }],
]);
const TEXTS: ReadonlyMap<string, string> = new Map([["Name", "\\t([^\\n]*)"], ["State", "[\\t ]*(\\w)[^\\n]*"]]);

/** What stands in a file. */
interface Fields {
  text(key: string): string | undefined;
  number(key: string): number | undefined;
  readonly lines: ReadonlyMap<string, number>;
}

/** The lines of a file: one kernel prints the same for each of its processes, and fewer for its own threads. */
interface Layout {
  /** Matches a file of these lines, and captures what is read. */
  readonly pattern: RegExp;
  /** By key: the number of its group. */
  readonly groups: ReadonlyMap<string, number>;
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
  const read = all.filter((key) => NUMBERS.has(key) || TEXTS.has(key));
  const pattern = all.map((key) => `${key}:${NUMBERS.get(key)?.pattern ?? TEXTS.get(key) ?? "[^\\n]*"}\\n`).join("");
  return { pattern: new RegExp(`^${pattern}$`), groups: new Map(read.map((key, i) => [key, i + 1])), lines };
}

/** A file that has the lines of one before, each as every kernel prints it: sooner read than line by line. */
class KnownFields implements Fields {
  readonly #match: RegExpExecArray;
  readonly #layout: Layout;

  constructor(match: RegExpExecArray, layout: Layout) {
    this.#match = match;
    this.#layout = layout;
  }

  get lines(): ReadonlyMap<string, number> {
    return this.#layout.lines;
  }

  text(key: string): string | undefined {
    const group = this.#layout.groups.get(key);
    return group === undefined ? undefined : this.#match[group];
  }

  number(key: string): number | undefined {
    const text = this.text(key);
    return text === undefined ? undefined : Number(text) * (NUMBERS.get(key) as Form).unit;
  }
}

/** Undefined when the file has other lines than those that are known. */
function knownFields(text: string, known: readonly Layout[]): Fields | undefined {
  for (const layout of known) {
    const match = layout.pattern.exec(text);
    if (match !== null) return new KnownFields(match, layout);
  }
  return undefined;
}

/** @param rest What follows the colon. */
function valueOf(key: string, rest: string): string {
  return key === "Name" ? rest.slice("\t".length) : rest.trim();
}

function scan(text: string, context: ParseContext): Fields {
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
  // Of a file that has the lines of one before, and another form of value in one of them, nothing new is learned.
  if (layout?.pattern.test(text) === true) layouts.set(context.facts, [...known, layout]);
  return {
    lines,
    text: (key) => values.get(key),
    number(key) {
      const value = values.get(key);
      const number = value === undefined ? undefined : (NUMBERS.get(key) as Form).parse(value);
      if (value !== undefined && number === undefined) {
        context.warn(lines.get(key) as number, `not a number: ${quote(`${key}: ${value}`)}`);
      }
      return number;
    },
  };
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
  const fields = knownFields(text, layouts.get(context.facts) ?? []) ?? scan(text, context);
  const name = fields.text("Name");
  return {
    name: name === undefined ? undefined : unescapeName(name),
    pid: fields.number("Pid"),
    tgid: fields.number("Tgid"),
    ppid: fields.number("PPid"),
    state: fields.text("State")?.slice(0, 1) || undefined,
    threads: fields.number("Threads"),
    uid: fields.number("Uid"),
    fdSize: fields.number("FDSize"),
    vmSizeBytes: fields.number("VmSize"),
    vmLckBytes: fields.number("VmLck"),
    vmPinBytes: fields.number("VmPin"),
    vmRssBytes: fields.number("VmRSS"),
    vmHwmBytes: fields.number("VmHWM"),
    rssAnonBytes: fields.number("RssAnon"),
    rssFileBytes: fields.number("RssFile"),
    rssShmemBytes: fields.number("RssShmem"),
    vmPteBytes: fields.number("VmPTE"),
    vmSwapBytes: fields.number("VmSwap"),
    hugetlbBytes: fields.number("HugetlbPages"),
    sigQueued: fields.number("SigQ"),
    lines: fields.lines,
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
