// proc/net/stat/arp_cache, ndisc_cache: the neighbour tables of IPv4 and IPv6, a line a CPU; every line tells the entries of all
// network namespaces. Hexadecimal.
// net/core/neighbour.c, neigh_stat_seq_show()
//
//   entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast periodic_gc_runs forced_gc_runs unresolved_discards table_fulls
//   0007a6fd 002105ef 000f7512 00000010   00210628 00000000 00000000   00000000         00000000         0000018e         00000000       00000000            00000000
import { ParseError } from "../core/errors.ts";
import { defineArtifacts, type Parsed, type Source } from "../core/source.ts";
import { columns } from "./_lines.ts";
import { parseHex } from "./_numbers.ts";

/** One table. */
export interface NeighbourStat {
  readonly entries: number;
  /** The first CPU's. */
  readonly line: number;
}

/**
 * Parses /proc/net/stat/arp_cache.
 *
 * @throws {ParseError} if the second line does not begin with a number.
 *
 * @example
 * ```ts
 * import { parseNeighbourStat } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseNeighbourStat("entries  allocs\n0007a6fd 002105ef\n").entries, 501_501);
 * ```
 */
export function parseNeighbourStat(text: string): NeighbourStat {
  const row = text.split("\n", 2)[1] ?? "";
  const entries = parseHex(columns(row)[0]);
  if (entries === undefined) throw new ParseError("Cannot parse arp_cache", { line: 2, text: row });
  return { entries, line: 2 };
}

/** The tables of IPv4 and IPv6, as {@linkcode parseNeighbourStat} reads them. */
export const neighbourStat: Source<readonly Parsed<NeighbourStat>[]> = defineArtifacts({
  name: "arp_cache",
  paths: ["proc/net/stat/arp_cache", "proc/net/stat/ndisc_cache"],
  howToCapture: "cat /proc/net/stat/arp_cache",
  parse: parseNeighbourStat,
});
