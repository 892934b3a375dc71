// proc/vmstat: page states (nr_*, in pages) and event counters since boot.
// mm/vmstat.c
//
//   nr_free_pages 6096733
//   nr_zspages 0
//   pgfault 1234567
import { defineArtifact, type HostFacts, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { parseNamedNumbers } from "./_named_numbers.ts";
import { multiply } from "./_numbers.ts";
import type { BytesAtLine, NumberAtLine } from "./_values.ts";

/**
 * The raw numbers by name. They are of several kinds (pages, events, microseconds), which the file does not tell apart:
 * {@linkcode pagesBytes} turns one that counts pages into bytes.
 */
export type Vmstat = ReadonlyMap<string, NumberAtLine>;

/**
 * Parses /proc/vmstat.
 *
 * @throws {ParseError} if no line is a name and a number.
 *
 * @example
 * ```ts
 * import { pagesBytes, parseVmstat } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const facts = { pageSizeBytes: 4096 };
 * const vmstat = parseVmstat("nr_zspages 10\n", { facts, warn() {} });
 * strictEqual(pagesBytes(vmstat, "nr_zspages", facts)?.bytes, 40_960);
 * ```
 */
export function parseVmstat(text: string, context: ParseContext): Vmstat {
  return parseNamedNumbers(text, context, "vmstat", "nr_free_pages 1");
}

/**
 * One of vmstat's page counts in bytes; undefined when the kernel does not print it or the page size is not known.
 *
 * @example
 * ```ts
 * import { pagesBytes, parseVmstat } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 *
 * const vmstat = parseVmstat("nr_zspages 10\n", { facts: {}, warn() {} });
 * equal(pagesBytes(vmstat, "nr_zspages", { pageSizeBytes: 4096 })?.bytes, 40_960);
 * equal(pagesBytes(vmstat, "nr_zspages", {}), undefined); // This machine's page size is never used.
 * ```
 */
export function pagesBytes(vmstat: Vmstat, name: string, facts: HostFacts): BytesAtLine | undefined {
  const pages = vmstat.get(name);
  const bytes = multiply(pages?.value, facts.pageSizeBytes);
  return pages === undefined || bytes === undefined ? undefined : { bytes, line: pages.line };
}

/** A snapshot's file, as {@linkcode parseVmstat} reads it. */
export const vmstat: Source<Parsed<Vmstat>> = defineArtifact({
  name: "vmstat",
  paths: ["proc/vmstat"],
  howToCapture: "cat /proc/vmstat",
  parse: parseVmstat,
});
