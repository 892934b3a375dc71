// sos_commands/process/process_list: of /proc/PID/stat of each process its number, name, state, parent and number of threads; then, in clock
// ticks, when it was started and the CPU time that it has had in user mode and in the kernel.
//
//   17301 (bash) S 17300 1 1069442 3 1
//   20883 (fd (leak) x) S 1 4 1069500 0 0
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
  /** Since the host's start; undefined in lists of older collectors, as is the next one. */
  readonly startSeconds: number | undefined;
  readonly cpuSeconds: number | undefined;
  readonly line: number;
}

// The name may hold parentheses and blanks: it ends at the last one.
const PROCESS = /^(\d{1,10}) \((.{0,64})\) ([A-Za-z]) (\d{1,10}) (\d{1,10})(?: (\d{1,15}) (\d{1,15}) (\d{1,15}))?$/;

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
    const [, pid, comm, state, ppid, threads, ...times] = PROCESS.exec(line) ?? [];
    const [id, parent, count] = [parseCount(pid), parseCount(ppid), parseCount(threads)];
    if (id === undefined || parent === undefined || count === undefined || comm === undefined || state === undefined) {
      context.warn(number, `not a process: ${quote(line)}`);
    } else {
      const [start, user, system] = times.map((ticks) => parseCount(ticks));
      processes.push({
        pid: id,
        comm,
        state,
        ppid: parent,
        threads: count,
        startSeconds: seconds(start, context),
        cpuSeconds: user === undefined || system === undefined ? undefined : seconds(user + system, context),
        line: number,
      });
    }
  });
  if (processes.length === 0) throw new ParseError("Cannot parse process_list: no line is a process", { text });
  return processes;
}

function seconds(ticks: number | undefined, { facts }: ParseContext): number | undefined {
  return ticks === undefined || facts.userHz === undefined ? undefined : ticks / facts.userHz;
}

/** A snapshot's file, as {@linkcode parseProcessList} reads it. */
export const processList: Source<Parsed<readonly ListedProcess[]>> = defineArtifact({
  name: "process_list",
  paths: ["sos_commands/process/process_list"],
  howToCapture: "ps -eo pid,comm,state,ppid,nlwp",
  parse: parseProcessList,
});
