// proc/vmallocinfo (root only): areas of the kernel's vmalloc address space. Not a sum of held memory: guard pages, I/O
// mappings and areas that wait to be purged are in it, too. Only areas flagged `vmalloc` own the pages that they map.
// mm/vmalloc.c, vmalloc_info_show()
//
//   0x00000000cb6f2b61-0x00000000abd8f0d0   20480 irq_init_percpu_irqstack+0xed/0x120 vmap
//   0x000000002cf0d929-0x00000000556da78b   20480 kernel_clone+0xb8/0x400 pages=4 vmalloc N0=4
//   0xffffc90000209000-0xffffc9000020b000    8192 load_module+0x1c2/0x20 [nf_tables] pages=1 vmalloc N0=1
//   0x000000004e662a0b-0x000000009a444132    8192 unpurged vm_area
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** One area. */
export interface VmallocArea {
  /** Address space, one guard page included. */
  readonly bytes: number;
  /** The pages mapped by it; undefined when the line tells none, or the page size is not known. */
  readonly pagesBytes: number | undefined;
  /** The function that asked for it, without offset; undefined for areas that have none. */
  readonly caller: string | undefined;
  /** Module of the caller; undefined for the kernel itself. */
  readonly module: string | undefined;
  /** `vmalloc`, `vmap`, `ioremap`, `user`, `dma-coherent`, `vpages`, `vm_map_ram`, `vm_area`, `unpurged`. */
  readonly flags: readonly string[];
  readonly line: number;
}

const FLAGS = new Set([
  "vmalloc",
  "vmap",
  "ioremap",
  "sparse",
  "user",
  "dma-coherent",
  "vpages",
  "vm_map_ram",
  "vm_area",
  "unpurged",
]);

/** The addresses, up to the blank after them. */
const RANGE = /[ \t]*0x[^ \t-]*-[^ \t]*/y;

/** What stands after the addresses. */
interface Details extends Omit<VmallocArea, "line"> {
  readonly badPages: readonly string[];
}

/**
 * Parses /proc/vmallocinfo.
 *
 * @throws {ParseError} if no line is an area.
 *
 * @example
 * ```ts
 * import { parseVmallocinfo } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "0x0-0x5000 20480 kernel_clone+0xb8/0x400 pages=4 vmalloc N0=4\n";
 * const [area] = parseVmallocinfo(text, { facts: { pageSizeBytes: 4096 }, warn() {} });
 * strictEqual(area?.caller, "kernel_clone");
 * strictEqual(area?.pagesBytes, 16_384);
 * ```
 */
export function parseVmallocinfo(text: string, context: ParseContext): readonly VmallocArea[] {
  const areas: VmallocArea[] = [];
  // Of 20,000 areas a hundred or so differ in more than their addresses: what stands after them is read once, in 26 ms of CPU instead of 50.
  const known = new Map<string, Details>();
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const details = detailsOf(line);
    if (details === undefined) {
      context.warn(number, `not a vmalloc area: ${quote(line)}`);
      return;
    }
    for (const word of details.badPages) context.warn(number, `not a number of pages: ${quote(word)}`);
    const { bytes, pagesBytes, caller, module, flags } = details;
    areas.push({ bytes, pagesBytes, caller, module, flags, line: number });
  });
  if (areas.length === 0) throw new ParseError("Cannot parse vmallocinfo: no line is a vmalloc area", { text });
  return areas;

  function detailsOf(line: string): Details | undefined {
    RANGE.lastIndex = 0;
    if (!RANGE.test(line)) return undefined;
    const rest = line.slice(RANGE.lastIndex);
    const details = known.get(rest) ?? parseDetails(rest, context.facts.pageSizeBytes);
    if (details !== undefined) known.set(rest, details);
    return details;
  }
}

function parseDetails(text: string, pageSizeBytes: number | undefined): Details | undefined {
  const [size, ...words] = columns(text);
  const bytes = parseCount(size);
  if (bytes === undefined) return undefined;
  let pagesBytes: number | undefined;
  let module: string | undefined;
  const flags: string[] = [];
  const badPages: string[] = [];
  for (const word of words) {
    if (word.startsWith("pages=")) {
      const pages = parseCount(word.slice("pages=".length));
      if (pages === undefined) badPages.push(word);
      pagesBytes = multiply(pages, pageSizeBytes);
    } else if (FLAGS.has(word)) flags.push(word);
    else if (word.startsWith("[") && word.endsWith("]")) module = word.slice(1, -1);
  }
  // The caller stands first. Symbols have an offset; without kallsyms the kernel prints a bare address.
  const first = words[0] ?? "";
  const plus = first.indexOf("+0x");
  const caller = plus > 0 ? first.slice(0, plus) : first.startsWith("0x") ? first : undefined;
  return { bytes, pagesBytes, caller, module, flags, badPages };
}

/** A snapshot's file, as {@linkcode parseVmallocinfo} reads it. */
export const vmallocinfo: Source<Parsed<readonly VmallocArea[]>> = defineArtifact({
  name: "vmallocinfo",
  paths: ["proc/vmallocinfo"],
  howToCapture: "cat /proc/vmallocinfo",
  parse: parseVmallocinfo,
});
