// proc/swaps: swap areas. One on a zram device is no disk: it lies in RAM.
//
//   Filename                                Type            Size            Used            Priority
//   /dev/zram0                              partition       8388604         1024            100
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { multiply, parseCount, parseInteger } from "./_numbers.ts";
import { parseTable } from "./_table.ts";

/** One area. */
export interface Swap {
  /** Blanks are written as `\040`. */
  readonly filename: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly priority: number | undefined;
  readonly line: number;
}

/**
 * Parses /proc/swaps.
 *
 * @throws {ParseError} if there is no header.
 *
 * @example
 * ```ts
 * import { parseSwaps } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "Filename Type Size Used Priority\n/dev/zram0 partition 8 4 100\n";
 * strictEqual(parseSwaps(text, { facts: {}, warn() {} })[0]?.usedBytes, 4096);
 * ```
 */
export function parseSwaps(text: string, context: ParseContext): readonly Swap[] {
  return parseTable(text, context, "Filename", ({ cell }, line) => {
    const filename = cell("Filename");
    const type = cell("Type");
    const sizeBytes = multiply(parseCount(cell("Size")), 1024);
    const usedBytes = multiply(parseCount(cell("Used")), 1024);
    if (filename === undefined || type === undefined || sizeBytes === undefined || usedBytes === undefined) {
      return undefined;
    }
    return { filename, type, sizeBytes, usedBytes, priority: parseInteger(cell("Priority")), line };
  });
}

/** A snapshot's file, as {@linkcode parseSwaps} reads it. */
export const swaps: Source<Parsed<readonly Swap[]>> = defineArtifact({
  name: "swaps",
  paths: ["proc/swaps"],
  howToCapture: "cat /proc/swaps",
  parse: parseSwaps,
});
