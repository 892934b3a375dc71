// proc/PID/smaps_rollup (4.14): the sums over a process's mappings. Pss shares each page among those who map it, so that sums over
// processes count no page twice.
// https://docs.kernel.org/filesystems/proc.html, fs/proc/task_mmu.c
//
//   55666d3ec000-7fffc5e45000 ---p 00000000 00:00 0                          [rollup]
//   Rss:                1664 kB
//   Pss:                 375 kB
//   Pss_Anon:            116 kB
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Source } from "../core/source.ts";
import { defineProcessArtifacts, type ProcessFile } from "./_groups.ts";
import { parseKb, splitKey } from "./_key_kb.ts";
import { forEachLine, quote } from "./_lines.ts";

/** One process. What its kernel does not print is undefined. */
export interface SmapsRollup {
  readonly rssBytes: number | undefined;
  readonly pssBytes: number | undefined;
  /** The parts of `pssBytes`: from 5.4 on. */
  readonly pssAnonBytes: number | undefined;
  readonly pssFileBytes: number | undefined;
  readonly pssShmemBytes: number | undefined;
  readonly privateHugetlbBytes: number | undefined;
  readonly swapPssBytes: number | undefined;
  readonly anonHugePagesBytes: number | undefined;
  /** Line of each field by the kernel's name: `Pss_Anon`. */
  readonly lines: ReadonlyMap<string, number>;
}

/**
 * Parses /proc/PID/smaps_rollup.
 *
 * @returns undefined for a kernel thread, whose file is empty.
 * @throws {ParseError} if there is text, but no line has the form `Name: 123 kB`.
 *
 * @example
 * ```ts
 * import { parseSmapsRollup } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseSmapsRollup("Pss: 375 kB\n", { facts: {}, warn() {} })?.pssBytes, 384_000);
 * ```
 */
export function parseSmapsRollup(text: string, context: ParseContext): SmapsRollup | undefined {
  if (text === "") return undefined;
  const bytes = new Map<string, number>();
  const lines = new Map<string, number>();
  forEachLine(text, (line, number) => {
    if (line === "" || line.endsWith("[rollup]")) return;
    const field = splitKey(line);
    const amount = field && parseKb(field.value);
    if (field === undefined || amount === undefined) {
      context.warn(number, `not an amount in kB: ${quote(line)}`);
      return;
    }
    bytes.set(field.key, amount);
    lines.set(field.key, number);
  });
  if (bytes.size === 0) throw new ParseError('Cannot parse smaps_rollup: no line like "Pss: 375 kB"', { text });
  return {
    rssBytes: bytes.get("Rss"),
    pssBytes: bytes.get("Pss"),
    pssAnonBytes: bytes.get("Pss_Anon"),
    pssFileBytes: bytes.get("Pss_File"),
    pssShmemBytes: bytes.get("Pss_Shmem"),
    privateHugetlbBytes: bytes.get("Private_Hugetlb"),
    swapPssBytes: bytes.get("SwapPss"),
    anonHugePagesBytes: bytes.get("AnonHugePages"),
    lines,
  };
}

/** One entry a process that was captured. */
export const smapsRollup: Source<readonly ProcessFile<SmapsRollup | undefined>[]> = defineProcessArtifacts({
  name: "smaps_rollup",
  files: ["smaps_rollup"],
  howToCapture: "cat /proc/[0-9]*/smaps_rollup",
  parse: parseSmapsRollup,
});
