// What programs that end others before the kernel must wrote to the system's log: systemd-oomd (247 on), earlyoom.
//
//   Apr 16 21:08:50 pc systemd-oomd[932]: Killed /user.slice/a.scope due to memory pressure for /user.slice being 62.15% > 50.00% for > 20s with reclaim activity
//   ... Marked /system.slice/a.service for killing due to memory used (63 ) / total (64) and swap used (9) / total (10) being more than 90.00%
//   Jul 18 08:23:17 web earlyoom[260]: mem avail: 55499 of 760640 MiB ( 7.30%), swap free:    0 of 2047 MiB ( 0.00%)
//   ... sending SIGTERM to process 2595764 uid 0 "cellxgene": badness 711, VmRSS 52562 MiB        (1.7; up to 1.3: killing process 27541 "bash" with signal 15: ...)
import type { Captured, ParseContext, Parsed, Source } from "../core/source.ts";
import { forEachLogLine, isNewestFirst, KERNEL_LOG_PATHS } from "./_kernel_messages.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** What such a program did. */
export interface OomDaemonKill {
  readonly daemon: "systemd-oomd" | "earlyoom";
  /** The control group that was killed as a whole, or the program's name. */
  readonly victim: string;
  /** Undefined where a group was killed. */
  readonly pid: number | undefined;
  /** Of the process, in bytes; undefined where a group was killed. */
  readonly rssBytes: number | undefined;
  /** The program's own words; undefined where the log begins below them. */
  readonly because: string | undefined;
  readonly line: number;
}

/** Every kill has one of these. */
const MARKS = ["oomd", "VmRSS "];
const BY_OOMD =
  /\bsystemd-oomd(?:\[\d{1,10}\])?: (?:Killed|Marked) (\S{1,4096}) (?:for killing )?due to (\S.{0,4096})$/;
const AVAILABLE = /\b(mem avail: .{1,200})$/;
const BY_EARLYOOM =
  /\b(?:sending SIG(?:TERM|KILL) to|killing) process (\d{1,10}) (?:uid \d{1,10} )?"([^"]{0,64})"(?: with signal \d{1,2})?: (?:badness|oom_score) -?\d{1,5}, VmRSS (\d{1,9}) MiB\b/;

/**
 * Finds processes and groups that systemd-oomd or earlyoom killed. One that had to be told several times is one.
 *
 * @returns Kills, the oldest first; none when all is well.
 *
 * @example
 * ```ts
 * import { parseOomDaemon } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = 'earlyoom[260]: sending SIGTERM to process 116 uid 0 "hog": badness 711, VmRSS 512 MiB\n';
 * const [kill] = parseOomDaemon(text, { facts: {}, warn() {} });
 * strictEqual(kill?.victim, "hog");
 * ```
 */
export function parseOomDaemon(text: string, _context: ParseContext): readonly OomDaemonKill[] {
  const kills: OomDaemonKill[] = [];
  // Most logs tell of none: they are not taken apart.
  if (!MARKS.some((mark) => text.includes(mark))) return kills;
  let available: string | undefined;
  forEachLogLine(text, isNewestFirst(text), (line, number) => {
    const [, group, because] = BY_OOMD.exec(line) ?? [];
    if (group !== undefined) {
      kills.push({ daemon: "systemd-oomd", victim: group, pid: undefined, rssBytes: undefined, because, line: number });
      return;
    }
    available = AVAILABLE.exec(line)?.[1]?.replace(/ {2,}/g, " ") ?? available;
    const [, pid, victim, mib] = BY_EARLYOOM.exec(line) ?? [];
    if (victim === undefined || kills.at(-1)?.pid === parseCount(pid)) return;
    const rssBytes = multiply(parseCount(mib), 2 ** 20);
    kills.push({ daemon: "earlyoom", victim, pid: parseCount(pid), rssBytes, because: available, line: number });
  });
  return kills;
}

/** Of a snapshot's logs the first that tells of a kill, as {@linkcode parseOomDaemon} reads it; the first one where none does. */
export const oomDaemon: Source<Parsed<readonly OomDaemonKill[]>> = {
  name: "oom_daemon",
  patterns: KERNEL_LOG_PATHS,
  read(reader) {
    let first: Captured<Parsed<readonly OomDaemonKill[]>> | undefined;
    // They may be long: none is looked through behind the one that tells.
    for (const path of KERNEL_LOG_PATHS.flatMap((pattern) => reader.paths(pattern))) {
      const log = reader.parse(path, parseOomDaemon);
      if (log.status === "ok" && log.value.value.length > 0) return log;
      first ??= log;
    }
    const missing = [{ path: "var/log/syslog", howToCapture: "journalctl -u systemd-oomd -u earlyoom" }];
    return first ?? { status: "missing", missing };
  },
};
