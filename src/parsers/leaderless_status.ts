// sos_commands/process/leaderless_status: of each process whose first thread has ended /proc/PID/status,
// and below it /proc/PID/task/TID/status of another thread.
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html. Format: process_status.ts
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { parseProcessStatus, type ProcessStatus } from "./process_status.ts";

/**
 * Parses the list. `lines` of each are those of the whole file.
 *
 * @example
 * ```ts
 * import { parseLeaderlessStatus } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "Name:\tworker\nTgid:\t5\nPid:\t6\nName:\tworker\nTgid:\t7\nPid:\t8\n";
 * const [, second] = parseLeaderlessStatus(text, { facts: {}, warn() {} });
 * strictEqual(second?.tgid, 7);
 * strictEqual(second?.lines.get("Pid"), 6);
 * ```
 */
export function parseLeaderlessStatus(text: string, context: ParseContext): readonly ProcessStatus[] {
  let before = 0;
  return text.split(/^(?=Name:)/m).filter((part) => part !== "").map((part) => {
    const first = before;
    before += part.split("\n").length - 1;
    const status = parseProcessStatus(part, {
      ...context,
      warn: (line, message) => context.warn(first + line, message),
    });
    return { ...status, lines: new Map([...status.lines].map(([key, line]) => [key, first + line] as const)) };
  });
}

/** Empty where there is no such process, which is nearly always. */
export const leaderlessStatus: Source<Parsed<readonly ProcessStatus[]>> = defineArtifact({
  name: "leaderless_status",
  paths: ["sos_commands/process/leaderless_status"],
  howToCapture: "grep -l ') Z ' /proc/[0-9]*/stat; cat /proc/PID/task/*/status",
  parse: parseLeaderlessStatus,
});
