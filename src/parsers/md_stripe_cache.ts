// sys/block/md*/md/{stripe_cache_size,raid_disks}: the stripes that a RAID of level 4, 5 or 6 keeps in memory, each with a page for each disk.
// https://docs.kernel.org/admin-guide/md.html: memory_consumed = system_page_size * nr_disks * stripe_cache_size
//
//   32768
//   8
import { ParseError } from "../core/errors.ts";
import { defineArtifacts, type Parsed, type Source } from "../core/source.ts";
import { parseCount } from "./_numbers.ts";
import type { NumberAtLine } from "./_values.ts";

/**
 * Parses either of the files. While an array gets another number of disks, both stand in raid_disks: the new one counts.
 *
 * @throws {ParseError} if it does not begin with a number.
 *
 * @example
 * ```ts
 * import { parseMdCount } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseMdCount("8 (6)\n").value, 8);
 * ```
 */
export function parseMdCount(text: string): NumberAtLine {
  const value = parseCount(/^(\d+)(?: \(\d+\))?\n?$/.exec(text)?.[1]);
  if (value === undefined) throw new ParseError("Cannot parse a number of md", { line: 1, text });
  return { value, line: 1 };
}

function pathsOf(file: string): string[] {
  return ["sys/block", "sys/devices/virtual/block"].map((folder) => `${folder}/md*/md/${file}`);
}

/** Stripes, one entry an array. Arrays of other levels have none. */
export const mdStripeCacheSize: Source<readonly Parsed<NumberAtLine>[]> = defineArtifacts({
  name: "stripe_cache_size",
  paths: pathsOf("stripe_cache_size"),
  howToCapture: "grep . /sys/block/md*/md/stripe_cache_size",
  parse: parseMdCount,
});

/** Disks, one entry an array. */
export const mdRaidDisks: Source<readonly Parsed<NumberAtLine>[]> = defineArtifacts({
  name: "raid_disks",
  paths: pathsOf("raid_disks"),
  howToCapture: "grep . /sys/block/md*/md/raid_disks",
  parse: parseMdCount,
});
