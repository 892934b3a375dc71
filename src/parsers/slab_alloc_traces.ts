// sys/kernel/debug/slab/CACHE/alloc_traces (sys/kernel/slab/CACHE/alloc_calls up to 5.12): who allocated the objects of a cache, the most
// frequent caller first. Only with slub_debug=U on the kernel's command line.
// mm/slub.c, slab_debugfs_show()
//
//   85248 neigh_alloc+0x11a/0x9f0 waste=20459520/240 age=1204/5302/9400 pid=812-901 cpus=0-1
//           __kmalloc_noprof+0x1d2/0x4a0
import { ParseError } from "../core/errors.ts";
import { defineArtifacts, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One place in the kernel that allocates. */
export interface SlabCaller {
  readonly count: number;
  /** Function and module, without the offset. */
  readonly caller: string;
  readonly line: number;
}

/**
 * Parses alloc_traces.
 *
 * @throws {ParseError} if no line is a count and a caller.
 *
 * @example
 * ```ts
 * import { parseSlabAllocTraces } from "nailhouse/parsers";
 * import { deepStrictEqual } from "node:assert";
 *
 * const text = "  12 neigh_alloc+0x11a/0x9f0 age=1/2/3 pid=812\n        __kmalloc+0x1d2/0x4a0\n";
 * deepStrictEqual(parseSlabAllocTraces(text, { facts: {}, warn() {} }), [{ count: 12, caller: "neigh_alloc", line: 1 }]);
 * ```
 */
export function parseSlabAllocTraces(text: string, _context: ParseContext): readonly SlabCaller[] {
  const callers: SlabCaller[] = [];
  forEachLine(text, (line, number) => {
    // Lines of the stack that follows begin with a function.
    const [digits, caller] = columns(line);
    const count = parseCount(digits);
    if (count === undefined || caller === undefined) return;
    callers.push({ count, caller: caller.replace(/\+0x[0-9a-f]+\/0x[0-9a-f]+/, ""), line: number });
  });
  if (callers.length === 0 && text.trim() !== "No data") {
    throw new ParseError("Cannot parse alloc_traces: no line is a count and a caller", { text });
  }
  return callers;
}

/** The caches that were captured; the path tells which. */
export const slabAllocTraces: Source<readonly Parsed<readonly SlabCaller[]>[]> = defineArtifacts({
  name: "slab_alloc_traces",
  paths: ["sys/kernel/debug/slab/*/alloc_traces", "sys/kernel/slab/*/alloc_calls"],
  howToCapture: "cat /sys/kernel/debug/slab/CACHE/alloc_traces",
  parse: parseSlabAllocTraces,
});
