// Tables of ps (procps), as sosreport and supportconfig have them: `ps auxwww`, `ps alxwww`, `ps auxwwwm` (a line with `-` for each thread),
// `ps axo pid,ppid,user,group,lwp,nlwp,start_time,comm,cgroup`. Which columns there are is told by the header.
//
//   USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
//   root        6816  0.0  0.1 728760 42568 ?        Sl   08:12   0:00 ./friend_push -v
//
// And top's table, which has KiB in other columns, and larger sizes rounded (`6.4g`):
//
//     PID USER      PR  NI    VIRT    RES    SHR S  %CPU %MEM     TIME+ COMMAND
//    3679 mysql     20   0 8715212   6.4g   6944 S  83.1 41.3 414:09.42 mysqld
//
// And those of smem, which cuts command lines off and has them between other columns, and of Android's procrank:
//
//     PID User     Command                         Swap      USS      PSS      RSS
//   21992 app      /usr/lib/jvm/java-8/bin/jav        0  6201240  6203312  6212040
//
//     PID       Vss      Rss      Pss      Uss  cmdline
//     890  1844560K  648668K  612850K  601284K  com.example.player
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";
import { BINARY_UNITS, parseAmount, parseCount, parseKib } from "./_numbers.ts";

/** One process; what the table has no column for is undefined. */
export interface PsProcess {
  readonly pid: number;
  readonly ppid: number | undefined;
  /** The first letter of STAT or S. */
  readonly state: string | undefined;
  readonly threads: number | undefined;
  /** File and shared pages included. */
  readonly rssBytes: number | undefined;
  readonly vszBytes: number | undefined;
  /** The kernel's name of the process, at most 15 bytes; of a table with command lines it is undefined. */
  readonly comm: string | undefined;
  /** The command line, of kernel threads and zombies the name in brackets. */
  readonly command: string | undefined;
  readonly line: number;
}

/** Width of ps's column of names: the kernel's TASK_COMM_LEN without the final zero. */
const COMM_WIDTH = 15;

/** What ps draws before a process with another one above it (f, --forest). */
const FOREST = /^[ |]*\\_ /;

interface Header {
  readonly columns: readonly string[];
  /** Blank-separated columns before the one with the command, and of smem's those behind it. */
  readonly command: number;
  readonly behind: number;
}

const TOP_SIZE = /^(\d{1,10}(?:[.,]\d{1,3})?)([kmgtp])$/i;

/** KiB, or what top rounds. */
function sizeOf(text: string | undefined): number | undefined {
  const [, digits, letter] = TOP_SIZE.exec(text ?? "") ?? [];
  const unit = BINARY_UNITS.get(letter?.toLowerCase() ?? "");
  return unit === undefined ? parseKib(text) : parseAmount(digits, unit);
}

/** A header names the process number and, last or last but one, the command. */
function headerOf(line: string): Header | undefined {
  const columns = line.trim().split(/\s+/);
  const named = columns.findIndex((name) => /^(?:COMMAND|CMD|Command|cmdline)$/.test(name));
  // top's in another language.
  const command = named === -1 && columns.includes("VIRT") && columns[0] === "PID" ? columns.length - 1 : named;
  const behind = columns.includes("USS") ? columns.length - 1 - command : 0;
  if (!columns.includes("PID") || command === -1 || columns.length - command - behind > 2) return undefined;
  return { columns, command, behind };
}

/** The first columns, and the rest of the line. */
function split(line: string, count: number): { fields: readonly string[]; rest: string } | undefined {
  const fields: string[] = [];
  let at = 0;
  const isBlank = (i: number): boolean => line[i] === " " || line[i] === "\t";
  for (let i = 0; i < count; i++) {
    while (isBlank(at)) at++;
    const start = at;
    while (at < line.length && !isBlank(at)) at++;
    if (at === start) return undefined;
    fields.push(line.slice(start, at));
  }
  return { fields, rest: line.slice(at).trimStart() };
}

/** The same where columns stand behind the command, too: it takes the place of one, so that each has its own. */
function splitAround(line: string, count: number, behind: number): ReturnType<typeof split> {
  const words = line.trimEnd().split(/\s+/).slice(-behind);
  const first = split(line, count);
  const end = words.reduceRight((at, word) => line.lastIndexOf(word, at - 1), line.length);
  if (first === undefined || words.length < behind) return undefined;
  const start = line.length - first.rest.length;
  const command = line.slice(start, end).trim();
  return end <= start ? undefined : { fields: [...first.fields, command, ...words], rest: command };
}

/**
 * Parses a table of ps.
 *
 * @throws {ParseError} if no line is a header with PID and COMMAND or CMD.
 *
 * @example
 * ```ts
 * import { parsePs } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [first] = parsePs("  PID   RSS STAT COMMAND\n    7  1024 Ss   sshd -D\n", { facts: {}, warn() {} });
 * strictEqual(first?.rssBytes, 1_048_576);
 * ```
 */
export function parsePs(text: string, context: ParseContext): readonly PsProcess[] {
  const processes: (PsProcess & { threads: number | undefined })[] = [];
  let header: Header | undefined;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    if (header === undefined) {
      // Above its table top has the host's own numbers (see free).
      header = headerOf(line);
      return;
    }
    const { columns, command, behind } = header;
    const parts = behind === 0 ? split(line, command) : splitAround(line, command, behind);
    const field = (...names: string[]): string | undefined =>
      parts?.fields[columns.findIndex((name) => names.includes(name))];
    const last = processes.at(-1);
    if (field("PID") === "-" && last !== undefined) {
      last.threads = (last.threads ?? 0) + 1;
      return;
    }
    const pid = parseCount(field("PID"));
    // Below procrank's table its sums stand.
    if (/^[-\s]+$|\bTOTAL$|^ *ZRAM: /.test(line)) return;
    if (parts === undefined || pid === undefined) {
      context.warn(number, `not a process: ${quote(line)}`);
      return;
    }
    const isLast = command === columns.length - 1 - behind;
    const name = parts.rest.replace(FOREST, "");
    processes.push({
      pid,
      ppid: parseCount(field("PPID")),
      state: /^[A-Z]/.exec(field("STAT", "S") ?? "")?.[0],
      threads: parseCount(field("NLWP", "THCNT")),
      rssBytes: sizeOf(field("PSS", "Pss") ?? field("RSS", "RSZ", "RES")),
      vszBytes: sizeOf(field("VSZ", "VIRT", "Vss")),
      comm: isLast ? undefined : name.slice(0, COMM_WIDTH).trimEnd(),
      command: isLast ? name : undefined,
      line: number,
    });
  });
  if (header === undefined) throw new ParseError("Cannot parse ps: no header with PID and COMMAND", { text });
  return processes;
}

/** All tables of ps that a bundle has, in the order of their names. */
export const psTables: Source<readonly Parsed<readonly PsProcess[]>[]> = {
  name: "ps",
  patterns: ["sos_commands/process/ps_a*"],
  read(reader) {
    const found = reader.paths("sos_commands/process/ps_a*").toSorted().map((path) => reader.parse(path, parsePs));
    const tables = found.flatMap((table) => (table.status === "ok" ? [table.value] : []));
    if (tables.length > 0) return { status: "ok", value: tables };
    const failed = found.find((table) => table.status === "failed");
    return failed ??
      { status: "missing", missing: [{ path: "sos_commands/process/ps_auxwww", howToCapture: "ps auxwww" }] };
  },
};
