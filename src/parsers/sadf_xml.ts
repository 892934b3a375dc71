// sadf -x: what sysstat recorded, as XML, as sosreport has it in sos_commands/sar/sa23.xml. Gone through piece by piece, because a
// bundle may be cut off anywhere; nothing of XML but elements and attributes is interpreted.
// https://github.com/sysstat/sysstat, xml_stats.c xml_print_memory_stats()
//
//   <host nodename="vm">
//   <timestamp date="2026-11-23" time="09:43:06" utc="1" interval="1">
//   <memory unit="kB"> <memfree>22015900</memfree> <avail>24162184</avail> ... </memory>
//   <boot date="2026-11-23" time="02:00:00" utc="1" cpu_count="2"/>
import type { ParseContext } from "../core/source.ts";
import { quote } from "./_lines.ts";
import { parseKib } from "./_numbers.ts";
import {
  dateTime,
  lineCounter,
  type RecordedMemory,
  type RecordedPoint,
  someRecorded,
  SYSSTAT_FIELDS,
} from "./_recorded_memory.ts";

const PIECE = new RegExp(
  `<(host|timestamp|boot)\\s([^<>]*)>|<(/?)memory[\\s>]|<(${[...SYSSTAT_FIELDS.keys()].join("|")})>([^<>]*)</`,
  "g",
);

/**
 * Parses what `sadf -x` prints, of one day or of several one after the other.
 *
 * @throws {ParseError} if there is no memory in it.
 *
 * @example
 * ```ts
 * import { parseSadfXml } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = '<timestamp date="2026-11-23" time="09:43:06" utc="1" interval="1">\n' +
 *   '<memory unit="kB">\n<memfree>4</memfree>\n<slab>2</slab>\n</memory>';
 * const [point] = parseSadfXml(text, { facts: {}, warn() {} }).points;
 * strictEqual(point?.bytes.get("Slab"), 2048);
 * ```
 */
export function parseSadfXml(text: string, context: ParseContext): RecordedMemory {
  const points: RecordedPoint[] = [];
  const restarts: { time: number; line: number }[] = [];
  const lineAt = lineCounter(text);
  let hostname: string | undefined;
  let clock: RecordedMemory["clock"] = "utc";
  let time: number | undefined;
  // The line of its first amount; a file that is cut off inside still gives those before the cut.
  let open: { line: number | undefined; readonly bytes: Map<string, number> } | undefined;
  const close = (): void => {
    if (open?.line !== undefined && time === undefined) context.warn(open.line, "memory without a time before it");
    else if (open?.line !== undefined && time !== undefined) points.push({ time, line: open.line, bytes: open.bytes });
    open = undefined;
  };
  for (const match of text.matchAll(PIECE)) {
    const [, element, attributeText, closing, field, amount] = match;
    const line = lineAt(match.index);
    if (closing !== undefined) {
      close();
      if (closing === "") open = { line: undefined, bytes: new Map() };
    } else if (field !== undefined) {
      const bytes = parseKib(amount);
      if (bytes === undefined) context.warn(line, `not an amount in kB: ${quote(match[0])}`);
      else if (open !== undefined) {
        open.line ??= line;
        open.bytes.set(SYSSTAT_FIELDS.get(field) as string, bytes);
      }
    } else {
      const attributes = attributesOf(attributeText as string);
      if (element === "host") {
        hostname ??= attributes.get("nodename");
        continue;
      }
      const at = dateTime(attributes.get("date"), attributes.get("time"));
      if (at === undefined) context.warn(line, `not a date and a time: ${quote(match[0])}`);
      else if (attributes.get("utc") !== "1" && attributes.get("tz") !== "UTC") clock = "local";
      if (element === "timestamp") time = at;
      else if (at !== undefined) restarts.push({ time: at, line });
    }
  }
  close();
  return someRecorded(
    { recorder: "sysstat", hostname, clock, points, restarts },
    "Cannot parse sadf -x: no memory in it (sadf -x FILE -- -r ALL)",
    text,
  );
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name as string, value as string]),
  );
}
