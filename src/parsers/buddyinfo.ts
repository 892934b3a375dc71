// proc/buddyinfo: free blocks of each zone by size: the first column counts single pages, each next one blocks twice as large.
// https://docs.kernel.org/filesystems/proc.html
//
//   Node 0, zone    DMA32      2      3      0      2      3      2      1      4      4      2    752
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** One zone of one node. */
export interface BuddyZone {
  readonly node: number;
  readonly name: string;
  /** Free blocks by order. */
  readonly blocks: readonly number[];
  /** Free bytes by order; undefined when the page size is not known. */
  readonly bytes: readonly number[] | undefined;
  readonly line: number;
}

/**
 * Parses /proc/buddyinfo.
 *
 * @throws {ParseError} if no line is a zone's.
 *
 * @example
 * ```ts
 * import { parseBuddyinfo } from "nailhouse/parsers";
 * import { deepStrictEqual } from "node:assert";
 *
 * const [zone] = parseBuddyinfo("Node 0, zone Normal 2 3\n", { facts: { pageSizeBytes: 4096 }, warn() {} });
 * deepStrictEqual(zone?.bytes, [8192, 24_576]);
 * ```
 */
export function parseBuddyinfo(text: string, context: ParseContext): readonly BuddyZone[] {
  const zones: BuddyZone[] = [];
  const { pageSizeBytes } = context.facts;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const [word, nodeText, zoneWord, name, ...digits] = columns(line);
    const node = parseCount(nodeText?.replace(",", ""));
    const blocks = digits.map(parseCount).filter((count) => count !== undefined);
    const bytes = blocks.map((count, order) => multiply(count * 2 ** order, pageSizeBytes)).filter((n) =>
      n !== undefined
    );
    if (
      word !== "Node" || zoneWord !== "zone" || node === undefined || name === undefined || blocks.length === 0 ||
      blocks.length !== digits.length || (pageSizeBytes !== undefined && bytes.length !== digits.length)
    ) context.warn(number, `not a zone: ${quote(line)}`);
    else zones.push({ node, name, blocks, bytes: pageSizeBytes === undefined ? undefined : bytes, line: number });
  });
  if (zones.length === 0) {
    throw new ParseError('Cannot parse buddyinfo: no line like "Node 0, zone Normal 1 2 3"', { text });
  }
  return zones;
}

/** A snapshot's file, as {@linkcode parseBuddyinfo} reads it. */
export const buddyinfo: Source<Parsed<readonly BuddyZone[]>> = defineArtifact({
  name: "buddyinfo",
  paths: ["proc/buddyinfo"],
  howToCapture: "cat /proc/buddyinfo",
  parse: parseBuddyinfo,
});
