// proc/allocinfo: what each line of the kernel's source allocated and did not free. CONFIG_MEM_ALLOC_PROFILING, from 6.10, while
// vm.mem_profiling is 1. Later kernels append fields to a row.
// https://docs.kernel.org/mm/allocation-profiling.html, lib/alloc_tag.c
//
//   allocinfo - version: 1.0
//   #     <size>  <calls> <tag info>
//       127664128    31168 mm/page_ext.c:270 func:alloc_page_ext
//        14797824     3612 drivers/net/foo/rx.c:114 [foo] func:foo_alloc_rx
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount, parseInteger } from "./_numbers.ts";

/** One line of source that allocates. */
export interface AllocationSite {
  readonly bytes: number;
  readonly calls: number;
  /** `mm/page_ext.c:270` */
  readonly place: string;
  readonly module: string | undefined;
  readonly func: string;
  readonly line: number;
}

/**
 * Parses /proc/allocinfo. Sites that hold nothing are left out; counters of several CPUs that were read a moment apart may be negative, then
 * they hold nothing, too.
 *
 * @throws {ParseError} if there is neither a row nor the version line.
 *
 * @example
 * ```ts
 * import { parseAllocinfo } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [site] = parseAllocinfo("  8192 2 drivers/net/foo/rx.c:114 [foo] func:foo_alloc_rx\n", { facts: {}, warn() {} });
 * strictEqual(site?.func, "foo_alloc_rx");
 * strictEqual(site?.module, "foo");
 * ```
 */
export function parseAllocinfo(text: string, context: ParseContext): readonly AllocationSite[] {
  const sites: AllocationSite[] = [];
  let rows = 0;
  forEachLine(text, (line, number) => {
    if (line === "" || line.startsWith("#") || line.startsWith("allocinfo - version")) {
      rows++;
      return;
    }
    const [size, count, place, ...rest] = columns(line);
    const bytes = parseInteger(size);
    const calls = parseCount(count);
    const func = rest.find((word) => word.startsWith("func:"))?.slice("func:".length);
    if (bytes === undefined || calls === undefined || place === undefined || func === undefined) {
      context.warn(number, `not a row of allocinfo: ${quote(line)}`);
      return;
    }
    rows++;
    const module = rest[0]?.startsWith("[") ? rest[0].slice(1, -1) : undefined;
    if (bytes > 0) sites.push({ bytes, calls, place, module, func, line: number });
  });
  if (rows === 0) throw new ParseError("Cannot parse allocinfo: no line is a row", { text });
  return sites;
}

/** A snapshot's file, as {@linkcode parseAllocinfo} reads it. */
export const allocinfo: Source<Parsed<readonly AllocationSite[]>> = defineArtifact({
  name: "allocinfo",
  paths: ["proc/allocinfo"],
  howToCapture: "sysctl vm.mem_profiling=1; cat /proc/allocinfo",
  parse: parseAllocinfo,
});
