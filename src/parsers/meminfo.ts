// proc/meminfo: the kernel's own account of memory.
// https://docs.kernel.org/filesystems/proc.html#meminfo, fs/proc/meminfo.c
//
//   MemTotal:       24683656 kB
//   Active(anon):       1536 kB
//   HugePages_Total:       0
//   Hugepagesize:       2048 kB
//
//   node_memory_Active_anon_bytes 1.572864e+06        (node_exporter's /metrics; without the unit up to 0.15)
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { parseKb, splitKey } from "./_key_kb.ts";
import { forEachLine, quote, withoutMarks } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";
import type { BytesAtLine, NumberAtLine } from "./_values.ts";

/** The fields by the kernel's name. Which ones there are depends on the kernel: none is ever added as 0. */
export interface Meminfo {
  readonly bytes: ReadonlyMap<string, BytesAtLine>;
  /** HugePages_Total, _Free, _Rsvd and _Surp: numbers of huge pages of the default size. */
  readonly counts: ReadonlyMap<string, NumberAtLine>;
}

/** With labels it may be of several hosts. */
const EXPORTED = /^node_memory_(\w+?)(?:_bytes)? (\d[\d.e+]{0,24})$/;
/** People tell behind a row what it is. */
const EXPLAINED = /^(\d{1,15} kB)\s/;
/** The same in bytes, above the rest: of Linux 2.4, and of routers' firmware to this day. */
const OLD_TABLE = /^ {8}total: +used: |^(?:Mem|Swap): +\d+ +\d+ +\d+/;

/**
 * Parses /proc/meminfo.
 *
 * @throws {ParseError} if no line has the form `Name: 123 kB`.
 *
 * @example
 * ```ts
 * import { parseMeminfo } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const meminfo = parseMeminfo("MemTotal: 1024 kB\n", { facts: {}, warn() {} });
 * strictEqual(meminfo.bytes.get("MemTotal")?.bytes, 1_048_576);
 * ```
 */
export function parseMeminfo(text: string, context: ParseContext): Meminfo {
  const bytes = new Map<string, BytesAtLine>();
  const counts = new Map<string, NumberAtLine>();
  let isExported = false;
  forEachLine(text, (line, number) => {
    if (line === "" || OLD_TABLE.test(line)) return;
    const [, name, digits] = EXPORTED.exec(line) ?? [];
    isExported ||= name !== undefined || line.startsWith("# HELP node_");
    const value = Number(digits);
    if (name !== undefined && Number.isSafeInteger(value)) {
      if (name.startsWith("HugePages_")) counts.set(name, { value, line: number });
      else bytes.set(name.replace(/_(anon|file)$/, "($1)"), { bytes: value, line: number });
    }
    // Of such a file the other lines are of other things.
    if (isExported) return;
    const field = splitKey(withoutMarks(line));
    const amount = field && parseKb(EXPLAINED.exec(field.value)?.[1] ?? field.value);
    const count = field?.key.startsWith("HugePages_") ? parseCount(field.value) : undefined;
    if (field && amount !== undefined) bytes.set(field.key, { bytes: amount, line: number });
    else if (field && count !== undefined) counts.set(field.key, { value: count, line: number });
    // Address space, not memory: with five-level page tables (4.14) it is above 2^53 bytes. How memory is mapped: without a unit in 2.6.27 and 2.6.28.
    else if (field?.key === "VmallocTotal" || field?.key.startsWith("DirectMap")) return;
    else context.warn(number, `not an amount in kB: ${quote(line)}`);
  });
  if (bytes.size === 0) throw new ParseError('Cannot parse meminfo: no line like "MemTotal: 1024 kB"', { text });
  return { bytes, counts };
}

/** A snapshot's file, as {@linkcode parseMeminfo} reads it. */
export const meminfo: Source<Parsed<Meminfo>> = defineArtifact({
  name: "meminfo",
  paths: ["proc/meminfo"],
  howToCapture: "cat /proc/meminfo",
  parse: parseMeminfo,
});
