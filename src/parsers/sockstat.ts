// proc/net/sockstat, sockstat6: sockets in use, one pair of files in each network namespace. `inuse` counts the namespace's
// own sockets, `mem` (in pages) those of the whole host. FRAG's memory is in bytes and the namespace's own.
// net/ipv4/proc.c, sockstat_seq_show()
//
//   sockets: used 12
//   TCP: inuse 1 orphan 0 tw 1 alloc 1 mem 171
//   UDP: inuse 0 mem 0
//   FRAG: inuse 0 memory 0
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { splitKey } from "./_key_kb.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** One protocol's line. */
export interface SockstatProtocol {
  /** All the line's numbers but memory, by the kernel's name: `inuse`, `orphan`, `tw`, `alloc`, `used`. */
  readonly counts: ReadonlyMap<string, number>;
  /**
   * Undefined when the kernel prints none, or prints pages and the page size is not known. Since 6.0 each CPU holds up to 1 MiB
   * back, so this can be that much too low or too high.
   */
  readonly memBytes: number | undefined;
  /** The same as the kernel prints it; undefined for FRAG, which tells bytes. */
  readonly memPages: number | undefined;
  readonly line: number;
}

/** By protocol as the kernel spells it: `sockets`, `TCP`, `UDP`, `FRAG`, `TCP6`. UDPLITE is gone from 7.1 on. */
export type Sockstat = ReadonlyMap<string, SockstatProtocol>;

/**
 * Parses /proc/net/sockstat and sockstat6.
 *
 * @throws {ParseError} if no line is a protocol's.
 *
 * @example
 * ```ts
 * import { parseSockstat } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const context = { facts: { pageSizeBytes: 4096 }, warn() {} };
 * const udp = parseSockstat("UDP: inuse 2 mem 3\n", context).get("UDP");
 * strictEqual(udp?.memBytes, 12_288);
 * strictEqual(udp?.counts.get("inuse"), 2);
 * ```
 */
export function parseSockstat(text: string, context: ParseContext): Sockstat {
  const protocols = new Map<string, SockstatProtocol>();
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const field = splitKey(line);
    if (field === undefined || field.value === "") {
      context.warn(number, `not a protocol of sockstat: ${quote(line)}`);
      return;
    }
    const counts = new Map<string, number>();
    let memBytes: number | undefined;
    let memPages: number | undefined;
    const words = columns(field.value);
    for (let i = 0; i < words.length; i += 2) {
      const name = words[i] as string;
      const value = parseCount(words[i + 1]);
      if (value === undefined) {
        context.warn(number, `not a name and a number: ${quote(words.slice(i, i + 2).join(" "))}`);
      } else if (name === "memory") memBytes = value;
      else if (name === "mem") {
        memPages = value;
        memBytes = multiply(value, context.facts.pageSizeBytes);
      } else counts.set(name, value);
    }
    protocols.set(field.key, { counts, memBytes, memPages, line: number });
  });
  if (protocols.size === 0) throw new ParseError('Cannot parse sockstat: no line like "UDP: inuse 0 mem 0"', { text });
  return protocols;
}

/** One entry a file: sockstat and sockstat6 of every network namespace that was captured. */
export const sockstat: Source<readonly Parsed<Sockstat>[]> = defineNetnsArtifacts({
  name: "sockstat",
  files: ["sockstat", "sockstat6"],
  howToCapture: "cat /proc/net/sockstat /proc/net/sockstat6",
  parse: parseSockstat,
});
