/**
 * The census of all pages by flags and compound order, from /proc/kpageflags: 8 bytes a page frame
 * (https://docs.kernel.org/admin-guide/mm/pagemap.html). It names memory that no counter does: pages that drivers and
 * network buffers hold are compound and have no other flag.
 */
import type { PageFlagsCapture } from "../core/collector.ts";
import type { RangeReader } from "../core/host.ts";
import { type Run, Stopped } from "./_run.ts";

const PATH = "/proc/kpageflags";
const ENTRY = 8;
/** Read at once: 2 ** 15 page frames, so that no compound page below 128 MiB crosses a border. */
const BLOCK_PAGES = 2 ** 15;
/** A smaller host is counted at once: 2 GiB take some 50 ms. */
const UNSAMPLED_PAGES = 2 ** 19;
/** A block of the sample, 256 KiB: a page fragment block is a fraction of it, and what is larger is looked up. */
const SAMPLE_PAGES = 64;
/** One such block of each 8 MiB: 32 MiB that lie anywhere are some four blocks. */
const SAMPLE_SHARE = 1 / 32;
/** 32 MiB without an owner are worth an exact count: half of what matters (`MATERIAL_QUEUE_BYTES`), as a sample can be wrong by that. */
const WORTH_COUNTING_PAGES = 2 ** 13;
/** Compound pages are 2 ** 18 pages (1 GiB) at the most. */
const MAX_ORDER = 18;

/** Bits of the lower half (include/uapi/linux/kernel-page-flags.h). */
const HEAD = 1 << 15;
const TAIL = 1 << 16;
const NOPAGE = 1 << 20;

const SYMBOLS: readonly string[] = [
  ..."LOCKED ERROR REFERENCED UPTODATE DIRTY LRU ACTIVE SLAB WRITEBACK RECLAIM BUDDY MMAP ANON SWAPCACHE SWAPBACKED HEAD"
    .split(" "),
  ..."TAIL HUGE UNEVICTABLE HWPOISON NOPAGE KSM THP OFFLINE ZERO_PAGE IDLE PGTABLE".split(" "),
];
/** From bit 32: internal to the kernel, shown by kernels that are built so (tools/mm/page-types.c). */
const INTERNAL_SYMBOLS: readonly string[] =
  "RESERVED MLOCKED OWNER_2 PRIVATE PRIVATE_2 OWNER_PRIVATE ARCH UNCACHED SOFTDIRTY ARCH_2 ARCH_3".split(" ");

/** Counts pages; fed with page frames in ascending order. */
export class PageCensus {
  /** By flags and order in one number: flags end at bit 42, so that five bits of order fit into an exact integer. */
  readonly #pages = new Map<number, number>();
  #high = 0;
  #low = NOPAGE;
  #run = 0;
  #headHigh = 0;
  #headLow = 0;
  #compound = 0;

  /** @param halves Entries as pairs of 32-bit halves, in this machine's byte order, as the kernel writes them. */
  add(halves: Uint32Array): void {
    const [low, high] = LITTLE_ENDIAN ? [0, 1] : [1, 0];
    for (let at = 0; at < halves.length;) {
      const from = at;
      const lower = halves[at + low] as number;
      const upper = halves[at + high] as number;
      if (this.#compound > 0) {
        while (at < halves.length && ((halves[at + low] as number) & TAIL) !== 0) at += 2;
        this.#compound += (at - from) / 2;
        if (at < halves.length) this.endCompound();
      } else if ((lower & HEAD) !== 0) {
        this.#headHigh = upper;
        this.#headLow = lower;
        this.#compound = 1;
        at += 2;
      } else {
        // Millions of pages are free, or of programs: nearly all have the flags of the one before.
        while (at < halves.length && halves[at + low] === lower && halves[at + high] === upper) at += 2;
        if (lower !== this.#low || upper !== this.#high) this.#endRun();
        this.#high = upper;
        this.#low = lower;
        this.#run += (at - from) / 2;
      }
    }
  }

  /** Counts pages of one compound page. */
  addPart(high: number, low: number, order: number, pages: number): void {
    this.#count(high, low, order, pages);
  }

  /** Pages of compound pages that have no other flag: no slab, no page cache, no process's. */
  get unownedPages(): number {
    let pages = 0;
    for (const [key, each] of this.#pages) if (Math.floor(key / 32) === HEAD) pages += each;
    return pages;
  }

  /** Tells that the next page frame does not follow the last one. */
  endCompound(): void {
    if (this.#compound === 0) return;
    this.#count(this.#headHigh, this.#headLow, Math.floor(Math.log2(this.#compound)), this.#compound);
    this.#compound = 0;
  }

  #endRun(): void {
    if (this.#run > 0 && (this.#low & NOPAGE) === 0) this.#count(this.#high, this.#low, 0, this.#run);
    this.#run = 0;
  }

  #count(high: number, low: number, order: number, pages: number): void {
    const key = ((high & 0xffff) * 2 ** 32 + low) * 32 + order;
    this.#pages.set(key, (this.#pages.get(key) ?? 0) + pages);
  }

  /** The rows, most pages first. */
  rows(): { order: number; flags: string; pages: number; symbols: string[] }[] {
    this.endCompound();
    this.#endRun();
    const rows = [...this.#pages].map(([key, pages]) => {
      const flags = Math.floor(key / 32);
      return { order: key % 32, flags: `0x${flags.toString(16).padStart(16, "0")}`, pages, symbols: symbols(flags) };
    });
    return rows.sort((a, b) =>
      b.pages - a.pages || (a.flags < b.flags ? -1 : a.flags > b.flags ? 1 : a.order - b.order)
    );
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function symbols(flags: number): string[] {
  const bit = (at: number) => Math.floor(flags / 2 ** at) % 2 === 1;
  const name = (at: number) => (at < 32 ? SYMBOLS[at] : INTERNAL_SYMBOLS[at - 32]) ?? `BIT${at}`;
  return Array.from({ length: 48 }, (_, at) => at).filter(bit).map(name);
}

/** How many page frames there are: the file has no size, and reading behind its end gives nothing. */
function pageFrames(file: RangeReader): number {
  const entry = new Uint8Array(ENTRY);
  const exists = (frame: number) => file.read(entry, frame * ENTRY) === ENTRY;
  if (!exists(0)) return 0;
  let above = 1;
  while (exists(above)) above *= 2;
  let below = above / 2;
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (exists(middle)) below = middle;
    else above = middle;
  }
  return above;
}

/** The page frames at which blocks are read: all of them, or evenly spread ones. */
function* blockStarts(total: number, maxPages: number): Generator<number> {
  const all = Math.ceil(total / BLOCK_PAGES);
  const read = Math.min(all, Math.max(1, Math.floor(maxPages / BLOCK_PAGES)));
  for (let i = 0; i < read; i++) yield Math.floor((i * all) / read) * BLOCK_PAGES;
}

interface Taken {
  readonly census: PageCensus;
  readonly total: number;
  readonly pagesRead: number;
}

/** Where memory without an owner is next to nothing, a sample is enough to say so; otherwise it is worth its time to count it. */
function take(run: Run, file: RangeReader, maxPages: number): Taken {
  const total = pageFrames(file);
  if (total > UNSAMPLED_PAGES) {
    const sample = takeSample(run, file, total, maxPages);
    if (sample.census.unownedPages * (total / sample.pagesRead) < WORTH_COUNTING_PAGES) return sample;
  }
  return takeBlocks(run, file, total, maxPages);
}

function takeBlocks(run: Run, file: RangeReader, total: number, maxPages: number): Taken {
  const census = new PageCensus();
  const halves = new Uint32Array(BLOCK_PAGES * 2);
  let pagesRead = 0;
  let expected = 0;
  for (const start of blockStarts(total, maxPages)) {
    run.checkpoint();
    if (start !== expected) census.endCompound();
    const pages = Math.floor(file.read(new Uint8Array(halves.buffer), start * ENTRY) / ENTRY);
    census.add(halves.subarray(0, pages * 2));
    pagesRead += pages;
    expected = start + pages;
  }
  return { census, total, pagesRead };
}

/** Small blocks, one at some place in each stretch: the places differ, because the kernel fills its own blocks from their start. */
function takeSample(run: Run, file: RangeReader, total: number, maxPages: number): Taken {
  const census = new PageCensus();
  const halves = new Uint32Array(SAMPLE_PAGES * 2);
  const bytes = new Uint8Array(halves.buffer);
  const places = Math.ceil(Math.max(1, total / maxPages) / SAMPLE_SHARE);
  const stretches = Math.floor(total / (places * SAMPLE_PAGES));
  let pagesRead = 0;
  for (let stretch = 0; stretch < stretches; stretch++) {
    if (stretch % 512 === 0) run.checkpoint();
    const place = Math.floor(((stretch * GOLDEN_RATIO) % 1) * places);
    const start = (stretch * places + place) * SAMPLE_PAGES;
    const pages = Math.floor(file.read(bytes, start * ENTRY) / ENTRY);
    const whole = pages === SAMPLE_PAGES ? compoundAround(file, halves, start) : undefined;
    if (whole === undefined) census.add(halves.subarray(0, pages * 2));
    else census.addPart(whole.high, whole.low, whole.order, pages);
    census.endCompound();
    pagesRead += pages;
  }
  return { census, total, pagesRead };
}

/** Its multiples, without what is before the point, are spread evenly (https://en.wikipedia.org/wiki/Low-discrepancy_sequence). */
const GOLDEN_RATIO = (1 + Math.sqrt(5)) / 2;

/**
 * The compound page that all of a block belongs to. Compound pages begin at a multiple of their size, so that the block's middle tells whether
 * there is one.
 */
function compoundAround(
  file: RangeReader,
  block: Uint32Array,
  start: number,
): { high: number; low: number; order: number } | undefined {
  const [low, high] = LITTLE_ENDIAN ? [0, 1] : [1, 0];
  if (((block[SAMPLE_PAGES + low] as number) & TAIL) === 0) return undefined;
  const entry = new Uint32Array(2);
  const bytes = new Uint8Array(entry.buffer);
  const has = (flag: number, frame: number) =>
    file.read(bytes, frame * ENTRY) === ENTRY && ((entry[low] as number) & flag) !== 0;
  let order = Math.log2(SAMPLE_PAGES);
  let head = start;
  while (!has(HEAD, head)) {
    // Freed meanwhile.
    if (order === MAX_ORDER) return undefined;
    head = start - (start % 2 ** ++order);
  }
  const found = { low: entry[low] as number, high: entry[high] as number };
  while (order < MAX_ORDER && has(TAIL, head + 2 ** order)) order++;
  return { ...found, order };
}

/** Takes the census and stores it as text. */
export async function capturePageFlags(run: Run, capture: PageFlagsCapture): Promise<void> {
  const file = run.host.openRange(PATH);
  if ("status" in file) return run.fail(PATH.slice(1), file);
  let taken: Taken;
  try {
    taken = take(run, file, capture.maxPages);
  } catch (error) {
    if (error instanceof Stopped || !(error instanceof Error)) throw error;
    return run.problem(PATH.slice(1), error.message);
  } finally {
    file.close();
  }
  const rows = taken.census.rows().map((row) =>
    `${row.order} ${row.flags} ${row.pages} ${row.symbols.join(",")}`.trimEnd()
  );
  const head = [
    "# nailhouse page-flags census",
    `# pages_total ${taken.total}`,
    `# pages_read ${taken.pagesRead}`,
    "# order flags pages symbols",
  ];
  await run.store(capture.as, new TextEncoder().encode([...head, ...rows, ""].join("\n")));
}
