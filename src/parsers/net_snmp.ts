// proc/net/snmp and proc/net/netstat: protocol counters of a network namespace, as pairs of lines: names, then values.
// net/ipv4/proc.c; https://docs.kernel.org/networking/snmp_counter.html
//
//   Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
//   Udp: 154 0 0 154 0 0 0 0 0
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { splitKey } from "./_key_kb.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseInteger } from "./_numbers.ts";
import type { NumberAtLine } from "./_values.ts";

/** By protocol and the kernel's name: `Udp.RcvbufErrors`, `TcpExt.PruneCalled`. `Tcp.MaxConn` is -1 for no limit. */
export type NetSnmp = ReadonlyMap<string, NumberAtLine>;

/**
 * Parses /proc/net/snmp and /proc/net/netstat.
 *
 * @throws {ParseError} if there is no pair of lines.
 *
 * @example
 * ```ts
 * import { parseNetSnmp } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const snmp = parseNetSnmp("Udp: InDatagrams NoPorts\nUdp: 154 0\n", { facts: {}, warn() {} });
 * strictEqual(snmp.get("Udp.InDatagrams")?.value, 154);
 * ```
 */
export function parseNetSnmp(text: string, context: ParseContext): NetSnmp {
  const values = new Map<string, NumberAtLine>();
  let names: { protocol: string; names: readonly string[] } | undefined;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const field = splitKey(line);
    if (field === undefined) context.warn(number, `not a protocol's line: ${quote(line)}`);
    else if (names?.protocol !== field.key) names = { protocol: field.key, names: columns(field.value) };
    else {
      const words = columns(field.value);
      if (words.length !== names.names.length) {
        context.warn(number, `${names.names.length} names but ${words.length} values`);
        // Too few: the line was cut off, and its last value perhaps as well.
        if (words.length < names.names.length) words.pop();
      }
      for (const [i, name] of names.names.entries()) {
        const digits = words[i];
        if (digits === undefined) break;
        const value = parseInteger(digits);
        if (value === undefined) context.warn(number, `${field.key}.${name} is no number: ${quote(digits)}`);
        else values.set(`${field.key}.${name}`, { value, line: number });
      }
      names = undefined;
    }
  });
  if (values.size === 0) throw new ParseError("Cannot parse protocol counters: no pair of names and values", { text });
  return values;
}

/** One entry a file: snmp and netstat of every network namespace that was captured. No name is in both. */
export const netSnmp: Source<readonly Parsed<NetSnmp>[]> = defineNetnsArtifacts({
  name: "net_snmp",
  files: ["snmp", "netstat"],
  howToCapture: "cat /proc/net/snmp /proc/net/netstat",
  parse: parseNetSnmp,
});
