// sys/block/zram*/mm_stat: what a zram device holds, in bytes: orig_data_size compr_data_size mem_used_total mem_limit mem_used_max same_pages
// pages_compacted huge_pages huge_pages_since. Kernels before 4.2 have a file for each instead.
// https://docs.kernel.org/admin-guide/blockdev/zram.html
//
//   314572800 314572800 315031552        0 315031552        0        0    76800    76800
import { ParseError } from "../core/errors.ts";
import { defineArtifacts, type Parsed, type Source } from "../core/source.ts";
import { columns } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One device. */
export interface ZramMmStat {
  /** What was written to it, uncompressed. */
  readonly originalBytes: number;
  readonly compressedBytes: number;
  /** What it costs, the allocator's own waste included. */
  readonly usedBytes: number;
  /** 0 is no limit. */
  readonly limitBytes: number;
  readonly line: number;
}

/**
 * Parses mm_stat.
 *
 * @throws {ParseError} if its first four columns are no numbers.
 *
 * @example
 * ```ts
 * import { parseZramMmStat } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseZramMmStat("8192 4096 12288 0 12288 0 0 0 0\n").usedBytes, 12_288);
 * ```
 */
export function parseZramMmStat(text: string): ZramMmStat {
  const [originalBytes, compressedBytes, usedBytes, limitBytes] = columns(text.split("\n", 1)[0] ?? "").map(parseCount);
  if (
    originalBytes === undefined || compressedBytes === undefined || usedBytes === undefined || limitBytes === undefined
  ) throw new ParseError("Cannot parse mm_stat", { line: 1, text });
  return { originalBytes, compressedBytes, usedBytes, limitBytes, line: 1 };
}

/** One entry a device that was captured; the path tells which. */
export const zramMmStat: Source<readonly Parsed<ZramMmStat>[]> = defineArtifacts({
  name: "mm_stat",
  paths: ["sys/block/zram*/mm_stat", "sys/devices/virtual/block/zram*/mm_stat"],
  howToCapture: "cat /sys/block/zram*/mm_stat",
  parse: parseZramMmStat,
});
