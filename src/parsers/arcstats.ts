// proc/spl/kstat/zfs/arcstats: the cache of ZFS, which is no page cache: its pages are in slab, vmalloc or no account at all.
// https://openzfs.github.io/openzfs-docs/man/master/4/zfs.4.html
//
//   9 1 0x01 147 39984 4161562930 1102345678901
//   name                            type data
//   c_min                           4    788793344
//   size                            4    8123456789
//
// Of what arc_summary and arcstat make of it the size alone is read, which is rounded:
//
//   ARC size (current):                                    99.9 %   31.4 GiB
//
//       time  read  ddread  ddh%  dmread  dmh%  pread  ph%   size      c  avail
//   08:13:42     0       0     0       0     0      0    0   7.8G   7.8G    10G
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { BINARY_UNITS, parseAmount, parseCount } from "./_numbers.ts";
import type { NumberAtLine } from "./_values.ts";

/** The counters by name; `size`, `c`, `c_min`, `c_max` are bytes. Those of 2^53 and more are left out. */
export type Arcstats = ReadonlyMap<string, NumberAtLine>;

const SUMMARY = /^\s*ARC [Ss]ize(?: \(current\))?:\s+[\d.]{1,6} ?%\s+(\d{1,6}(?:\.\d{1,3})?) ([KMGT])iB\b/;
const TABLE_SIZE = /^(\d{1,6}(?:\.\d{1,3})?)([KMGT])$/;

/** Of arcstat's table: the column that has the size, until 2.0 called arcsz. */
function sizeColumn(line: string): number {
  const titles = columns(line);
  return titles[0] === "time" && titles[1] === "read"
    ? titles.findIndex((title) => title === "size" || title === "arcsz")
    : -1;
}

/**
 * Parses arcstats.
 *
 * @throws {ParseError} if no line is a counter.
 *
 * @example
 * ```ts
 * import { parseArcstats } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseArcstats("size 4 8192\n", { facts: {}, warn() {} }).get("size")?.value, 8192);
 * ```
 */
export function parseArcstats(text: string, _context: ParseContext): Arcstats {
  const counters = new Map<string, NumberAtLine>();
  let sizeAt = -1;
  forEachLine(text, (line, number) => {
    const found = sizeColumn(line);
    if (found !== -1) {
      sizeAt = found;
      return;
    }
    const [, amount, letter] = SUMMARY.exec(line) ?? TABLE_SIZE.exec(columns(line)[sizeAt] ?? "") ?? [];
    const rounded = parseAmount(amount, BINARY_UNITS.get((letter ?? "").toLowerCase()));
    if (rounded !== undefined) {
      counters.set("size", { value: rounded, line: number });
      return;
    }
    const [name, type, data, ...rest] = columns(line);
    const value = parseCount(data);
    if (name === undefined || parseCount(type) === undefined || value === undefined || rest.length > 0) return;
    counters.set(name, { value, line: number });
  });
  if (counters.size === 0) throw new ParseError('Cannot parse arcstats: no line like "size 4 8192"', { text });
  return counters;
}

/** A snapshot's file, as {@linkcode parseArcstats} reads it. */
export const arcstats: Source<Parsed<Arcstats>> = defineArtifact({
  name: "arcstats",
  paths: ["proc/spl/kstat/zfs/arcstats"],
  howToCapture: "cat /proc/spl/kstat/zfs/arcstats",
  parse: parseArcstats,
});
