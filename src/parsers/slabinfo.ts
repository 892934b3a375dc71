// proc/slabinfo (root only): the kernel's object caches. Caches of one object size are merged under one name, and kmalloc of
// more than two pages is in no cache at all.
// mm/slab_common.c; https://man7.org/linux/man-pages/man5/slabinfo.5.html
//
//   slabinfo - version: 2.1
//   # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables ... : slabdata <active_slabs> <num_slabs> <sharedavail>
//   kmalloc-2k           544    544   2048   16    8 : tunables    0    0    0 : slabdata     34     34      0
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** One object cache. */
export interface SlabCache {
  readonly name: string;
  readonly activeObjects: number;
  readonly objects: number;
  /** One object with its padding. */
  readonly objectBytes: number;
  readonly objectsPerSlab: number;
  readonly activeSlabs: number;
  readonly slabs: number;
  /** One slab; undefined when the page size is not known, as is `totalBytes`. */
  readonly slabBytes: number | undefined;
  /** All pages that the cache holds, whether their objects are in use or not. */
  readonly totalBytes: number | undefined;
  readonly line: number;
}

/**
 * Parses /proc/slabinfo.
 *
 * @throws {ParseError} if there is neither a cache nor the version line.
 *
 * @example
 * ```ts
 * import { parseSlabinfo } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "kmalloc-2k 544 544 2048 16 8 : tunables 0 0 0 : slabdata 34 34 0\n";
 * const [cache] = parseSlabinfo(text, { facts: { pageSizeBytes: 4096 }, warn() {} });
 * strictEqual(cache?.totalBytes, 34 * 8 * 4096);
 * ```
 */
export function parseSlabinfo(text: string, context: ParseContext): readonly SlabCache[] {
  const caches: SlabCache[] = [];
  let header = false;
  forEachLine(text, (line, number) => {
    if (line.startsWith("slabinfo - version") || line.startsWith("# name")) header = true;
    else if (line !== "") {
      const cache = parseRow(line, number, context.facts.pageSizeBytes);
      if (cache === undefined) context.warn(number, `not a row of slabinfo: ${quote(line)}`);
      else caches.push(cache);
    }
  });
  if (caches.length === 0 && !header) throw new ParseError("Cannot parse slabinfo: no line is a cache", { text });
  return caches;
}

function parseRow(line: string, number: number, pageSizeBytes: number | undefined): SlabCache | undefined {
  const tunables = line.indexOf(" : tunables ");
  const slabdata = line.indexOf(" : slabdata ", tunables + 1);
  if (tunables === -1 || slabdata === -1) return undefined;
  const words = columns(line.slice(0, tunables));
  // Taken from the right: a cache's name may hold blanks.
  const [activeObjects, objects, objectBytes, objectsPerSlab, pagesPerSlab] = words.slice(-5).map(parseCount);
  const [activeSlabs, slabs, shared] = columns(line.slice(slabdata + " : slabdata ".length)).map(parseCount);
  if (
    words.length < 6 || activeObjects === undefined || objects === undefined || objectBytes === undefined ||
    objectsPerSlab === undefined || pagesPerSlab === undefined || activeSlabs === undefined || slabs === undefined ||
    shared === undefined
  ) return undefined;
  const slabBytes = multiply(pagesPerSlab, pageSizeBytes);
  return {
    name: words.slice(0, -5).join(" "),
    activeObjects,
    objects,
    objectBytes,
    objectsPerSlab,
    activeSlabs,
    slabs,
    slabBytes,
    totalBytes: multiply(slabs, slabBytes),
    line: number,
  };
}

/** A snapshot's file, as {@linkcode parseSlabinfo} reads it. */
export const slabinfo: Source<Parsed<readonly SlabCache[]>> = defineArtifact({
  name: "slabinfo",
  paths: ["proc/slabinfo"],
  howToCapture: "cat /proc/slabinfo",
  parse: parseSlabinfo,
});
