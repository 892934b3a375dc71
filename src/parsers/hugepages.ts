// sys/kernel/mm/hugepages/hugepages-2048kB/{nr,free,resv,surplus}_hugepages: a pool for each size of huge pages. Reserved memory,
// used or not, is in nobody's RSS.
// https://docs.kernel.org/admin-guide/mm/hugetlbpage.html
//
//   512
import { ParseError } from "../core/errors.ts";
import type { Captured, Parsed, Reader, Source } from "../core/source.ts";
import { multiply, parseCount } from "./_numbers.ts";
import { type Meminfo, meminfo } from "./meminfo.ts";

/** One of a pool's files. */
export interface HugePageAmount {
  readonly bytes: number;
  readonly path: string;
  readonly line: number;
}

/** The huge pages of one size. What was not captured is undefined. */
export interface HugePagePool {
  readonly pageBytes: number;
  /** nr_hugepages: taken from the host, used or not, surplus included. */
  readonly total: HugePageAmount | undefined;
  /** free_hugepages: not used now, `reserved` included. */
  readonly free: HugePageAmount | undefined;
  /** resv_hugepages: free, but promised to a mapping. */
  readonly reserved: HugePageAmount | undefined;
  /** surplus_hugepages: above the number that was asked for. */
  readonly surplus: HugePageAmount | undefined;
}

const FOLDER = "sys/kernel/mm/hugepages/";
const FILES = {
  total: "nr_hugepages",
  free: "free_hugepages",
  reserved: "resv_hugepages",
  surplus: "surplus_hugepages",
};

/**
 * Parses one of a pool's files: a number of huge pages.
 *
 * @throws {ParseError} if it is no number.
 *
 * @example
 * ```ts
 * import { parseHugepages } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseHugepages("512\n"), 512);
 * ```
 */
export function parseHugepages(text: string): number {
  const count = parseCount(text.trim());
  if (count === undefined) throw new ParseError("Cannot parse a number of huge pages", { line: 1, text });
  return count;
}

const POOL_FILES = Object.values(FILES).map((file) => `${FOLDER}hugepages-*kB/${file}`);

/** The pools of the whole host, the smallest pages first; for want of their files that of the default size. */
export const hugepages: Source<readonly HugePagePool[]> = {
  name: "hugepages",
  patterns: [...POOL_FILES, ...meminfo.patterns],
  read: readPools,
};

/** Of the default size meminfo tells the same. */
function defaultPool({ path, value: { bytes, counts } }: Parsed<Meminfo>): HugePagePool | undefined {
  const pageBytes = bytes.get("Hugepagesize")?.bytes;
  if (pageBytes === undefined) return undefined;
  const amount = (field: string): HugePageAmount | undefined => {
    const found = counts.get(`HugePages_${field}`);
    const all = multiply(found?.value, pageBytes);
    return found === undefined || all === undefined ? undefined : { bytes: all, path, line: found.line };
  };
  const pool = {
    pageBytes,
    total: amount("Total"),
    free: amount("Free"),
    reserved: amount("Rsvd"),
    surplus: amount("Surp"),
  };
  return pool.total && pool.free && pool;
}

function readPools(reader: Reader): Captured<readonly HugePagePool[]> {
  const sizes = new Set<number>();
  for (const path of POOL_FILES.flatMap((pattern) => reader.paths(pattern))) {
    const kb = parseCount(/hugepages-(\d+)kB\//.exec(path)?.[1]);
    if (kb !== undefined && multiply(kb, 1024) !== undefined) sizes.add(kb);
  }
  const pools: HugePagePool[] = [];
  let failed: Captured<never> | undefined;
  for (const kb of [...sizes].sort((a, b) => a - b)) {
    const amount = (file: string): HugePageAmount | undefined => {
      const path = reader.paths(`${FOLDER}hugepages-${kb}kB/${file}`)[0];
      if (path === undefined) return undefined;
      const captured = reader.parse(path, parseHugepages);
      if (captured.status === "failed") failed ??= captured;
      const bytes = captured.status === "ok" ? multiply(captured.value.value, kb * 1024) : undefined;
      return captured.status === "ok" && bytes !== undefined
        ? { bytes, path: captured.value.path, line: 1 }
        : undefined;
    };
    const pool = {
      pageBytes: kb * 1024,
      total: amount(FILES.total),
      free: amount(FILES.free),
      reserved: amount(FILES.reserved),
      surplus: amount(FILES.surplus),
    };
    if (pool.total ?? pool.free ?? pool.reserved ?? pool.surplus) pools.push(pool);
  }
  if (pools.length > 0) return { status: "ok", value: pools };
  const path = `${FOLDER}hugepages-*kB/${FILES.total}`;
  const file = reader.read(meminfo);
  const pool = failed === undefined && file.status === "ok" ? defaultPool(file.value) : undefined;
  if (pool !== undefined) return { status: "ok", value: [pool] };
  return failed ?? { status: "missing", missing: [{ path, howToCapture: `grep . /${FOLDER}*/*_hugepages` }] };
}
