// memory.stat: what a control group is charged for, in bytes and in counts. That of cgroup v2 is with the groups below, as in v1 what begins with
// `total_`.
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
//
//   anon 209715200
//   inactive_file 4096
import type { ParseContext } from "../core/source.ts";
import { parseNamedNumbers } from "./_named_numbers.ts";
import type { NumberAtLine } from "./_values.ts";

/** The numbers by name. */
export type MemoryStat = ReadonlyMap<string, NumberAtLine>;

/** v1's limits are among them; without one it is the most that can be counted. */
const LIMIT = /^hierarchical_\w+ \d+$/gm;

/**
 * Parses memory.stat, without its limits.
 *
 * @throws {ParseError} if no line is a name and a number.
 *
 * @example
 * ```ts
 * import { parseMemoryStat } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "total_rss 4096\nhierarchical_memory_limit 9223372036854771712\n";
 * strictEqual(parseMemoryStat(text, { facts: {}, warn() {} }).get("total_rss")?.value, 4096);
 * ```
 */
export function parseMemoryStat(text: string, context: ParseContext): MemoryStat {
  return parseNamedNumbers(text.replace(LIMIT, ""), context, "memory.stat", "anon 4096");
}
