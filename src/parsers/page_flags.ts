// sos_commands/memory/page_flags: nailhouse's own count of all pages by the flags in /proc/kpageflags. The one file that names
// pages which no counter counts.
// https://docs.kernel.org/admin-guide/mm/pagemap.html, include/uapi/linux/kernel-page-flags.h
//
//   # nailhouse page-flags census
//   # pages_total 6553600
//   # pages_read 6553600
//   # order flags pages symbols
//   0 0x0000000000000400 5730000 BUDDY
//   3 0x0000000000008000 62664 HEAD
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** All pages with one set of flags. */
export interface PageFlagsRow {
  /** The compound pages' size is 2^order base pages; 0 for single pages. */
  readonly order: number;
  /**
   * Names of the flags (a compound page's are its first page's), without KPF_ and COMPOUND_: `LRU`, `SLAB`, `BUDDY`, `ANON`,
   * `HEAD`. A flag that has no name here is `BIT` and its number.
   */
  readonly flags: ReadonlySet<string>;
  /** Undefined when the page size is not known. Where only a part was read, of that part: see `sampledFraction`. */
  readonly bytes: number | undefined;
  readonly line: number;
}

/** The census. */
export interface PageFlags {
  readonly rows: readonly PageFlagsRow[];
  /** Pages read of all pages there are, up to 1; undefined when the file does not tell. */
  readonly sampledFraction: number | undefined;
}

const NAMES = [
  "LOCKED",
  "ERROR",
  "REFERENCED",
  "UPTODATE",
  "DIRTY",
  "LRU",
  "ACTIVE",
  "SLAB",
  "WRITEBACK",
  "RECLAIM",
  "BUDDY",
  "MMAP",
  "ANON",
  "SWAPCACHE",
  "SWAPBACKED",
  "HEAD",
  "TAIL",
  "HUGE",
  "UNEVICTABLE",
  "HWPOISON",
  "NOPAGE",
  "KSM",
  "THP",
  "OFFLINE",
  "ZERO_PAGE",
  "IDLE",
  "PGTABLE",
];
// From 32 on: internal flags, which the kernel may change.
const INTERNAL_NAMES = [
  "RESERVED",
  "MLOCKED",
  "OWNER_2",
  "PRIVATE",
  "PRIVATE_2",
  "OWNER_PRIVATE",
  "ARCH",
  "UNCACHED",
  "SOFTDIRTY",
  "ARCH_2",
  "ARCH_3",
];

/** A page's order is below this in every kernel: 1 GiB pages are of order 18. */
const MAX_ORDER = 30;

/**
 * Parses the census.
 *
 * @throws {ParseError} if there is neither its first line nor a row.
 *
 * @example
 * ```ts
 * import { parsePageFlags } from "nailhouse/parsers";
 * import { ok, strictEqual } from "node:assert";
 *
 * const text = "# pages_total 16\n# pages_read 8\n3 0x0000000000008000 8 HEAD\n";
 * const census = parsePageFlags(text, { facts: { pageSizeBytes: 4096 }, warn() {} });
 * ok(census.rows[0]?.flags.has("HEAD"));
 * strictEqual(census.sampledFraction, 0.5);
 * ```
 */
export function parsePageFlags(text: string, context: ParseContext): PageFlags {
  const rows: PageFlagsRow[] = [];
  const totals = new Map<string, number | undefined>();
  let header = false;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const words = columns(line);
    if (words[0] === "#") {
      header ||= line.includes("page-flags census");
      if (words[1]?.startsWith("pages_")) totals.set(words[1], parseCount(words[2]));
      return;
    }
    const order = parseCount(words[0]);
    const flags = words[1] === undefined ? undefined : flagNames(words[1]);
    const pages = parseCount(words[2]);
    if (order === undefined || order > MAX_ORDER || flags === undefined || pages === undefined) {
      context.warn(number, `not a row of the census: ${quote(line)}`);
    } else rows.push({ order, flags, bytes: multiply(pages, context.facts.pageSizeBytes), line: number });
  });
  if (rows.length === 0 && !header) throw new ParseError("Cannot parse page_flags: no line is a row", { text });
  const total = totals.get("pages_total");
  const read = totals.get("pages_read");
  const known = total !== undefined && read !== undefined && total > 0;
  return { rows, sampledFraction: known ? Math.min(1, read / total) : undefined };
}

function flagNames(hex: string): ReadonlySet<string> | undefined {
  if (!/^0x[0-9A-Fa-f]{1,16}$/.test(hex)) return undefined;
  const digits = hex.slice(2).padStart(16, "0");
  const names = new Set<string>();
  addNames(Number.parseInt(digits.slice(8), 16), NAMES, 0, names);
  addNames(Number.parseInt(digits.slice(0, 8), 16), INTERNAL_NAMES, 32, names);
  return names;
}

/** The names of the bits of one half. */
function addNames(bits: number, names: readonly string[], first: number, into: Set<string>): void {
  for (let bit = 0; bit < 32; bit++) {
    if ((bits >>> bit) & 1) into.add(names[bit] ?? `BIT${first + bit}`);
  }
}

/** A snapshot's file, as {@linkcode parsePageFlags} reads it. */
export const pageFlags: Source<Parsed<PageFlags>> = defineArtifact({
  name: "page_flags",
  paths: ["sos_commands/memory/page_flags"],
  howToCapture: "nailhouse collect",
  parse: parsePageFlags,
});
