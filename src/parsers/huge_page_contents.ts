// sos_commands/process/huge_page_contents: how much of the transparent huge pages of a process is in use, from a sample of them. The
// pages of 4 KiB (a 512th of a huge page) that are all zero are counted; huge pages that are all zero as a whole, as a heap is that was
// touched in advance, are counted apart.
//
//   # AnonHugePages 524288000 bytes
//   # pid bytes_in_huge_pages looked_at all_zero pages_of_the_others zero_pages_of_the_others
//   8865 524288000 32 0 16384 16352
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One process. */
export interface HugePageContents {
  readonly pid: number;
  /** In huge pages altogether. */
  readonly hugeBytes: number;
  /** Huge pages that were looked at, and those of them that are all zero. */
  readonly looked: number;
  readonly empty: number;
  /** Small pages of the others, and those of them that are all zero. */
  readonly pages: number;
  readonly zeroPages: number;
  readonly line: number;
}

/**
 * Parses the list.
 *
 * @returns Empty where there are too few huge pages to matter.
 *
 * @example
 * ```ts
 * import { parseHugePageContents } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [process] = parseHugePageContents("8865 524288000 32 0 16384 16352\n", { facts: {}, warn() {} });
 * strictEqual(process?.zeroPages, 16_352);
 * ```
 */
export function parseHugePageContents(text: string, context: ParseContext): readonly HugePageContents[] {
  const found: HugePageContents[] = [];
  forEachLine(text, (line, number) => {
    if (line === "" || line.startsWith("#")) return;
    const numbers = columns(line).map(parseCount);
    const [pid, hugeBytes, looked, empty, pages, zeroPages] = numbers;
    if (
      pid === undefined || hugeBytes === undefined || looked === undefined || empty === undefined || pages === undefined ||
      zeroPages === undefined || numbers.length !== 6 || looked === 0 || empty > looked || zeroPages > pages
    ) return context.warn(number, `not the huge pages of a process: ${quote(line)}`);
    found.push({ pid, hugeBytes, looked, empty, pages, zeroPages, line: number });
  });
  return found;
}

/** A snapshot's file, as {@linkcode parseHugePageContents} reads it. */
export const hugePageContents: Source<Parsed<readonly HugePageContents[]>> = defineArtifact({
  name: "huge_page_contents",
  paths: ["sos_commands/process/huge_page_contents"],
  howToCapture: "nailhouse collect --only huge-pages",
  parse: parseHugePageContents,
});
