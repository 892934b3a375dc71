// proc/zoneinfo: each memory zone's size, watermarks and per-CPU free lists. The pages on those lists are free, but are not
// in MemFree.
// mm/vmstat.c, zoneinfo_show_print()
//
//   Node 0, zone   Normal
//     pages free     772808
//           min      11483
//           managed  772808
//     pagesets
//       cpu: 0
//                 count:    141
//                 high_min: 7176
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";
import type { BytesAtLine } from "./_values.ts";

/** One zone of one node. All amounts are undefined when the page size is not known. */
export interface Zone {
  readonly node: number;
  readonly name: string;
  readonly line: number;
  readonly free: BytesAtLine | undefined;
  readonly min: BytesAtLine | undefined;
  readonly low: BytesAtLine | undefined;
  readonly high: BytesAtLine | undefined;
  readonly spanned: BytesAtLine | undefined;
  readonly present: BytesAtLine | undefined;
  readonly managed: BytesAtLine | undefined;
  /** Free pages on per-CPU lists, all CPUs; undefined for a zone without pages, for which the kernel prints no lists. */
  readonly pcpBytes: number | undefined;
  /** The first of the `count:` lines. */
  readonly pcpLine: number | undefined;
}

const AMOUNTS = ["free", "min", "low", "high", "spanned", "present", "managed"] as const;
type Amount = (typeof AMOUNTS)[number];

const isAmount = (key: string): key is Amount => (AMOUNTS as readonly string[]).includes(key);

/**
 * Parses /proc/zoneinfo.
 *
 * @throws {ParseError} if there is no `Node 0, zone DMA` line.
 *
 * @example
 * ```ts
 * import { parseZoneinfo } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "Node 0, zone Normal\n  pagesets\n    cpu: 0\n      count: 3\n    cpu: 1\n      count: 4\n";
 * const [zone] = parseZoneinfo(text, { facts: { pageSizeBytes: 4096 }, warn() {} });
 * strictEqual(zone?.pcpBytes, 28_672);
 * ```
 */
export function parseZoneinfo(text: string, context: ParseContext): readonly Zone[] {
  const { pageSizeBytes } = context.facts;
  const zones: { -readonly [K in keyof Zone]: Zone[K] }[] = [];
  let inPagesets = false;
  forEachLine(text, (line, number) => {
    const words = columns(line);
    if (words[0] === "Node") {
      const node = parseCount(words[1]?.replace(",", ""));
      const name = words[3];
      inPagesets = false;
      if (node === undefined || words[2] !== "zone" || name === undefined) {
        context.warn(number, `not a zone's first line: ${quote(line)}`);
        return;
      }
      const amounts = Object.fromEntries(AMOUNTS.map((key) => [key, undefined])) as Record<Amount, undefined>;
      zones.push({ ...amounts, node, name, line: number, pcpBytes: undefined, pcpLine: undefined });
      return;
    }
    const zone = zones.at(-1);
    if (zone === undefined) return;
    if (words[0] === "pagesets") inPagesets = true;
    // The colons come and go: none before "pages free" up to 6.18, everywhere in 7.2.
    const [key = "", digits] = (words[0] === "pages" ? words.slice(1) : words).map((word) => word.replace(":", ""));
    const wanted = inPagesets ? key === "count" : isAmount(key) && zone[key] === undefined;
    if (!wanted) return;
    const bytes = multiply(parseCount(digits), pageSizeBytes);
    if (bytes === undefined) {
      if (pageSizeBytes !== undefined) context.warn(number, `not a number of pages: ${quote(line)}`);
    } else if (inPagesets) {
      zone.pcpBytes = (zone.pcpBytes ?? 0) + bytes;
      zone.pcpLine ??= number;
    } else if (isAmount(key)) zone[key] = { bytes, line: number };
  });
  if (zones.length === 0) throw new ParseError('Cannot parse zoneinfo: no line like "Node 0, zone Normal"', { text });
  return zones;
}

/** A snapshot's file, as {@linkcode parseZoneinfo} reads it. */
export const zoneinfo: Source<Parsed<readonly Zone[]>> = defineArtifact({
  name: "zoneinfo",
  paths: ["proc/zoneinfo"],
  howToCapture: "cat /proc/zoneinfo",
  parse: parseZoneinfo,
});
