// proc/net/stat/nf_conntrack: connection tracking of one network namespace, a line a CPU; every line tells the entries of the whole
// namespace. Hexadecimal.
// net/netfilter/nf_conntrack_standalone.c, ct_cpu_seq_show()
//
//   entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
//   000c3500  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000
import { ParseError } from "../core/errors.ts";
import type { Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { columns } from "./_lines.ts";
import { parseHex } from "./_numbers.ts";

/** One namespace. */
export interface ConntrackStat {
  readonly entries: number;
  /** The first CPU's. */
  readonly line: number;
}

/**
 * Parses /proc/net/stat/nf_conntrack.
 *
 * @throws {ParseError} if the second line does not begin with a number.
 *
 * @example
 * ```ts
 * import { parseConntrackStat } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseConntrackStat("entries  clashres\n000c3500  00000000\n").entries, 800_000);
 * ```
 */
export function parseConntrackStat(text: string): ConntrackStat {
  const row = text.split("\n", 2)[1] ?? "";
  const entries = parseHex(columns(row)[0]);
  if (entries === undefined) throw new ParseError("Cannot parse nf_conntrack", { line: 2, text: row });
  return { entries, line: 2 };
}

/** One entry a namespace that was captured. */
export const conntrackStat: Source<readonly Parsed<ConntrackStat>[]> = defineNetnsArtifacts({
  name: "nf_conntrack",
  files: ["stat/nf_conntrack"],
  howToCapture: "cat /proc/net/stat/nf_conntrack",
  parse: parseConntrackStat,
});
