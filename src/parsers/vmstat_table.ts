// What vmstat (procps) prints: the first row is of the time since the start, each further one of the interval that was asked for. It has its titles again below
// every screen, and so have several runs of it, one below the other.
// https://gitlab.com/procps-ng/procps src/vmstat.c
//
//   procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----
//    r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st
//    1  2  24580 102340  45288 654320  120  340  1024   880 1234 5678 12  8 70 10  0
//    0  9  91824 101788  44904 653120 9120 8340 10024  8880 1234 5678 12  8  0 80  0
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** One interval. */
export interface VmstatRow {
  /** Read back from swap, and written to it, a second. */
  readonly swapInBytes: number;
  readonly swapOutBytes: number;
  readonly line: number;
}

/** The command line above what it printed, as a paste may have it. */
const COMMAND_LINE = /^[$#] .*\bvmstat\b(.*)$/;
/** Without -S, and of `-S K`, KiB. */
const UNITS: ReadonlyMap<string, number> = new Map([["k", 1000], ["K", 1024], ["m", 1_000_000], ["M", 2 ** 20]]);

/**
 * Parses the output of vmstat.
 *
 * @returns The intervals, without the rows right below titles: of each run that one tells of the time since the start.
 * @throws {ParseError} if there is no title with swap's columns.
 *
 * @example
 * ```ts
 * import { parseVmstatTable } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [row] = parseVmstatTable(" r b swpd free buff cache si so\n 1 0 0 9 9 9 1 1\n 0 9 0 9 9 9 9120 8340\n");
 * strictEqual(row?.swapInBytes, 9120 * 1024);
 * ```
 */
export function parseVmstatTable(text: string): readonly VmstatRow[] {
  const rows: VmstatRow[] = [];
  let unit = 1024;
  let names: readonly string[] | undefined;
  let isFirst = true;
  forEachLine(text, (line, number) => {
    const options = COMMAND_LINE.exec(line)?.[1];
    if (options !== undefined) unit = UNITS.get(/(?:-S|--unit[ =]) *([kKmM])/.exec(options)?.[1] ?? "K") as number;
    const words = columns(line);
    if (words.includes("si") && words.includes("so")) {
      names = words;
      isFirst = true;
      return;
    }
    if (names === undefined || words.length < names.length) return;
    const of = (name: string): number | undefined =>
      multiply(parseCount(words[(names as readonly string[]).indexOf(name)]), unit);
    const [swapInBytes, swapOutBytes] = [of("si"), of("so")];
    if (swapInBytes === undefined || swapOutBytes === undefined) return;
    if (!isFirst) rows.push({ swapInBytes, swapOutBytes, line: number });
    isFirst = false;
  });
  if (names === undefined) throw new ParseError("Cannot parse vmstat: no title with si and so", { text });
  return rows;
}

/** A snapshot's file, as {@linkcode parseVmstatTable} reads it. */
export const vmstatTable: Source<Parsed<readonly VmstatRow[]>> = defineArtifact({
  name: "table of vmstat",
  paths: ["sos_commands/memory/vmstat"],
  howToCapture: "vmstat 1 10",
  parse: parseVmstatTable,
});
