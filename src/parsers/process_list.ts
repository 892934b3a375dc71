// sos_commands/process/process_list: of /proc/PID/stat of each process its number, name, state, parent and number of threads.
//
//   17301 (bash) S 17300 1
//   20883 (fd (leak) x) S 1 4
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One process. */
export interface ListedProcess {
  readonly pid: number;
  readonly comm: string;
  /** `Z` has ended and waits for its parent to take notice: it has no memory any more. */
  readonly state: string;
  readonly ppid: number;
  readonly threads: number;
  readonly line: number;
}

// The name may hold parentheses and blanks: it ends at the last one.
const PROCESS = /^(\d{1,10}) \((.{0,64})\) ([A-Za-z]) (\d{1,10}) (\d{1,10})$/;

/**
 * Parses the list.
 *
 * @throws {ParseError} if no line is a process.
 *
 * @example
 * ```ts
 * import { parseProcessList } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseProcessList("17301 (bash) S 17300 1\n", { facts: {}, warn() {} })[0]?.ppid, 17_300);
 * ```
 */
export function parseProcessList(text: string, context: ParseContext): readonly ListedProcess[] {
  const processes: ListedProcess[] = [];
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const [, pid, comm, state, ppid, threads] = PROCESS.exec(line) ?? [];
    const [id, parent, count] = [parseCount(pid), parseCount(ppid), parseCount(threads)];
    if (id === undefined || parent === undefined || count === undefined || comm === undefined || state === undefined) {
      context.warn(number, `not a process: ${quote(line)}`);
    } else processes.push({ pid: id, comm, state, ppid: parent, threads: count, line: number });
  });
  if (processes.length === 0) throw new ParseError("Cannot parse process_list: no line is a process", { text });
  return processes;
}

/** A snapshot's file, as {@linkcode parseProcessList} reads it. */
export const processList: Source<Parsed<readonly ListedProcess[]>> = defineArtifact({
  name: "process_list",
  paths: ["sos_commands/process/process_list"],
  howToCapture: "ps -eo pid,comm,state,ppid,nlwp",
  parse: parseProcessList,
});
