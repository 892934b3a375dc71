// The kernel's log of Linux 3.5 and newer: TCP as a whole was above the last number of tcp_mem, and connections that had something to send were reset.
// net/ipv4/tcp.c tcp_check_oom()
//
//   [  179.636034] TCP: out of memory -- consider tuning tcp_mem
import type { Parsed, Source } from "../core/source.ts";
import {
  chosenLog,
  forEachLogLine,
  isFromOtherProgram,
  isNewestFirst,
  KERNEL_LOG_PATHS,
  messageOf,
} from "./_kernel_messages.ts";

/** How often the log says so (the kernel says it ten times in five seconds at the most), and where it did last. */
export interface TcpOutOfMemory {
  readonly count: number;
  /** Undefined where it never did. */
  readonly line: number | undefined;
}

const MESSAGE = "TCP: out of memory";

/**
 * Counts the messages in a kernel log.
 *
 * @example
 * ```ts
 * import { parseTcpOutOfMemory } from "nailhouse/parsers";
 * import { deepStrictEqual } from "node:assert";
 *
 * const text = "[ 1.0] a: b\n[ 179.6] TCP: out of memory -- consider tuning tcp_mem\n";
 * deepStrictEqual(parseTcpOutOfMemory(text), { count: 1, line: 2 });
 * ```
 */
export function parseTcpOutOfMemory(text: string): TcpOutOfMemory {
  let count = 0;
  let last: number | undefined;
  // As in most logs: they are not taken apart.
  if (!text.includes(MESSAGE)) return { count, line: last };
  forEachLogLine(text, isNewestFirst(text), (line, number) => {
    if (!line.includes(MESSAGE) || isFromOtherProgram(line) || !messageOf(line).startsWith(MESSAGE)) return;
    count++;
    last = number;
  });
  return { count, line: last };
}

/** A snapshot's log, as {@linkcode parseTcpOutOfMemory} reads it: the one that `kernelLog` reads. */
export const tcpOutOfMemory: Source<Parsed<TcpOutOfMemory>> = {
  name: "tcp_out_of_memory",
  patterns: KERNEL_LOG_PATHS,
  read(reader) {
    const log = reader.read(chosenLog);
    return log.status === "ok" ? reader.parse(log.value.path, parseTcpOutOfMemory) : log;
  },
};
