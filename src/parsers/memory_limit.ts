// Limits of control groups, one number in bytes a file: memory.max, memory.high and memory.swap.max of cgroup v2, memory.limit_in_bytes and
// memory.memsw.limit_in_bytes of v1. The charges beside them (memory.current, memory.usage_in_bytes) look the same.
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
//
//   629145600
import { ParseError } from "../core/errors.ts";
import { parseCount } from "./_numbers.ts";

/** The most that v1 can count, in bytes and in pages of any size: that is no limit. */
const NO_LIMIT = /^\d{17,20}$/;

/**
 * Parses a limit, or a charge.
 *
 * @returns Undefined where there is no limit (`max`, or the most that v1 can count).
 * @throws {ParseError} if it is neither `max` nor a number.
 *
 * @example
 * ```ts
 * import { parseMemoryLimit } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 *
 * equal(parseMemoryLimit("629145600\n"), 629_145_600);
 * equal(parseMemoryLimit("max\n"), undefined);
 * equal(parseMemoryLimit("9223372036854771712\n"), undefined);
 * ```
 */
export function parseMemoryLimit(text: string): number | undefined {
  const word = text.trim();
  if (word === "max" || NO_LIMIT.test(word)) return undefined;
  const bytes = parseCount(word);
  if (bytes === undefined) {
    throw new ParseError('Cannot parse a limit of memory: it is neither a number nor "max"', { text });
  }
  return bytes;
}
