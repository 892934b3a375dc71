// What `free` and the head of `top` (procps, busybox) print of /proc/meminfo. People paste these where they were asked for the file itself, which tells more
// and is preferred wherever it is there. https://gitlab.com/procps-ng/procps src/free.c, src/top/top.c
//
//                  total        used        free      shared  buff/cache   available
//   Mem:         3862616     1817412     1306520      148232      964400     2045204
//   Swap:              0           0           0
//
//                  total       used       free     shared    buffers     cached              (up to 3.3.9)
//   Mem:           30G        27G       3.6G        13G       228M        15G
//   -/+ buffers/cache:        11G        19G
//
//   KiB Mem :  1005740 total,    93400 free,   699632 used,   212708 buff/cache              (top; up to 3.2.8 `Mem:  48168M total, 48015M used,`)
//   KiB Swap:  2097148 total,  1540604 free,   556544 used.   157672 avail Mem
//   KiB Mem : 13188148+total, 13976644 free, 10354286+used, 14361972 buff/cache              (where a number does not fit its column)
//
//   MiB Spch:  15884,4 gesamt,    512,3 frei,  14012,2 belegt,   1359,9 Puff/Cache                              (in other languages)
//         4020152 K total memory                                                                          (vmstat -s)
//
//   MEM | tot   125.4G  | free    2.4G |  cache   7.8G | buff    9.2M |  slab    1.4G | slrec 573.7M |      (atop)
//
//   RAM: 1021544K total, 24316K free, 1140K buffers, 103988K cached, 1100K shmem, 59280K slab             (procrank)
//
//                    PAGES        TOTAL      PERCENTAGE                                             (crash> kmem -i; its SHARED is another sum)
//       TOTAL MEM  8151424      31.1 GB         ----
//            FREE    74133     289.6 MB    0% of TOTAL MEM
//
//   Area                           Used      Cache   Noncache                                               (smem -w; its first two areas are no part of MemTotal)
//   kernel dynamic memory      10681456    2290100    8391356
//   userspace memory            1216324     212340    1003984
//   free memory                 4200948    4200948          0
//
//   Node 0 MemTotal:       131072000 kB                                                                    (/sys/devices/system/node/node*/meminfo)
//   Per-node system memory usage (in MBs):                                                                 (numastat -m; its HugePages are MB, too)
//                             Node 0          Node 1           Total
//   FilePages                9061.59         9231.61        18293.20
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { BINARY_UNITS } from "./_numbers.ts";
import type { Meminfo } from "./meminfo.ts";
import type { BytesAtLine } from "./_values.ts";

/**
 * The one number that both have for Buffers, Cached and SReclaimable together since procps 3.3.10. No field of meminfo's: it is never taken for one of these.
 */
export const BUFF_CACHE = "buff/cache";

/** What a column is in /proc/meminfo. `used` is another sum in each version, and follows from the others. */
const FIELDS: ReadonlyMap<string, string> = new Map([
  ["total", "MemTotal"],
  ["free", "MemFree"],
  ["shared", "Shmem"],
  ["shmem", "Shmem"],
  ["buffers", "Buffers"],
  ["buff", "Buffers"],
  ["cached", "Cached"],
  ["cache", BUFF_CACHE],
  [BUFF_CACHE, BUFF_CACHE],
  ["available", "MemAvailable"],
  ["avail", "MemAvailable"],
]);
const SWAP_FIELDS: ReadonlyMap<string, string> = new Map([["total", "SwapTotal"], ["free", "SwapFree"]]);
/** Of a row of swap in top these are memory's. */
const MEMORY_IN_SWAP_ROW: ReadonlySet<string> = new Set(["cached", "avail"]);

const AMOUNT = /^(\d{1,16}(?:[.,]\d{1,3})?)([BKMGTPkmgt]?)i?B?$/;
/** The command line above what it printed, as a paste may have it. */
const COMMAND_LINE = /^[$#] free((?: -\S{1,12}){0,5})/;
const HEADER = /^total +used +free +/;
/** In other languages there are as many columns. */
const FOREIGN_HEADER = /^[^\d\s:|][^\s:|]*(?:[ \t]+[^\d\s:|][^\s:|]*){5}$/;
const COLUMNS = columns("total used free shared buff/cache available");
const OLD_COLUMNS = columns("total used free shared buffers cached");
const ROW = /^([^\d\s:\uff1a][^:\uff1a]{0,40})[:\uff1a] *(\d.*)$/;
const TOP_ROW = /^(?:([KMGTP])iB )?(Mem|RAM|Swap) *: *(\d.*)$/;
const CRASH_ROW =
  /^(TOTAL MEM|FREE|BUFFERS|CACHED|SLAB|TOTAL SWAP|SWAP FREE) +(\d{1,15}) +(\d{1,6}(?:\.\d)?) ?([KMGT]?)B?\b/;
const CRASH_FIELDS: ReadonlyMap<string, string> = new Map([
  ["TOTAL MEM", "MemTotal"],
  ["FREE", "MemFree"],
  ["BUFFERS", "Buffers"],
  ["CACHED", "Cached"],
  ["SLAB", "Slab"],
  ["TOTAL SWAP", "SwapTotal"],
  ["SWAP FREE", "SwapFree"],
]);
const TOP_AMOUNT =
  /(?<![\d.,])(\d{1,16}(?:[.,]\d{1,3})?)(?:([kKMGT]?) +|(\.?\+) *)(total|free|used|shrd|shmem|buff\/cache|buffers|buff|cached|avail)\b/g;

/** In other languages: total, free, used, and the caches or what is available. */
const FOREIGN_TOP_ROW = new RegExp(
  `^([KMGTP])iB +[^\\d\\s:]{1,12} *: *${
    Array(3).fill(String.raw`(\d{1,12}(?:[.,]\d)?) [^\d\s,.]{1,20}[,.] +`).join("")
  }` +
    String.raw`(\d{1,12}(?:[.,]\d)?) [^\d\s]{1,20}(?: [^\d\s]{1,20})?$`,
);
const NUMASTAT_HEADER = /^Node \d.* Total$/;
const NUMASTAT_ROW = /^([A-Z]\w{2,24}) .*?(\d{1,12}(?:\.\d{1,2})?)$/;
/** /sys/devices/system/node/nodeN/meminfo, one below the other. */
const NODE_ROW = /^Node \d{1,4} ([A-Z]\w{2,24}): +(\d{1,12}) kB$/;
/** All file pages: Cached, Buffers and SwapCached are not told apart. */
const NUMASTAT_FIELDS: ReadonlyMap<string, string> = new Map([
  ...[
    "MemTotal",
    "MemFree",
    "AnonPages",
    "Mapped",
    "Shmem",
    "KernelStack",
    "PageTables",
    "Slab",
    "SReclaimable",
    "SUnreclaim",
  ]
    .map((field) => [field, field] as const),
  ["FilePages", "Cached"],
  ["HugePages_Total", "Hugetlb"],
]);

/** vmstat's "swap cache" is the page cache. */
const VMSTAT_ROW = /^(\d{1,16}) ([KM]) (?:(total|free|buff)(?:er)? memory|swap (cache)|(total|free) swap)$/;
/** atop's; SWP has other words that are alike. */
const ATOP_ROW = /^(MEM|SWP) \|/;
const ATOP_AMOUNT = /\| +([a-z]{3,5}) +(\d{1,6}(?:\.\d)?[KMGT]) *(?=\|)/g;
const ATOP_FIELDS: ReadonlyMap<string, string> = new Map([
  ["MEM tot", "MemTotal"],
  ["MEM free", "MemFree"],
  ["MEM cache", "Cached"],
  ["MEM buff", "Buffers"],
  ["MEM slab", "Slab"],
  ["MEM slrec", "SReclaimable"],
  ["MEM shmem", "Shmem"],
  ["MEM pgtab", "PageTables"],
  ["SWP tot", "SwapTotal"],
  ["SWP free", "SwapFree"],
]);
/** In KiB, or with a unit each (-k). */
const SMEM_ROW = /^(kernel dynamic|userspace|free) memory +(\d\S*) +(\d\S*) +(\d\S*)$/;
/** What top prints `13188148+` of has 9 digits, or 10. */
const TEN_DIGITS_BYTES = 1e9 * 2 ** 10;
/** What four numbers lost in all. */
const MAX_LOST_BYTES = 4 * 99 * 2 ** 10;

/** In which unit the numbers are that have none of their own; undefined where the options leave it to these. */
function unitOf(options: string): number | undefined {
  const word = /--([kmg])(?:ibi|ebi|ilo|ega|iga)\b/.exec(options)?.[1] ?? / -[a-z]*?([bkmg])/.exec(options)?.[1];
  const base = /--(?:kilo|mega|giga|si)\b/.test(options) ? 1000 : 1024;
  return word === undefined ? (options === "" ? base : undefined) : base ** "bkmg".indexOf(word);
}

/** Fewer numbers than this may all be multiples of 4 by chance. */
const MIN_NUMBERS = 4;
/** A host of less than 1 GiB would be told in MiB by the same number as one of 1 TiB in GiB, and one of 1 TiB as one of 1 GB in kB (free --kilo). */
const [MIN_MIB, MAX_MIB] = [1024, 2 ** 20] as const;

/**
 * The unit of numbers of which nothing tells it. All are of whole pages in meminfo, so that in KiB each is a multiple of 4 (and in bytes of 4096), as numbers
 * of MiB hardly are.
 */
function guessUnit(numbers: readonly number[]): number | undefined {
  const some = numbers.filter((number) => number > 0);
  const areAll = (multiple: number): boolean => some.every((number) => number % multiple === 0);
  if (some.length < MIN_NUMBERS) return undefined;
  if (areAll(4096)) return 1;
  if (areAll(4)) return 2 ** 10;
  const [total = 0] = numbers;
  return total >= MIN_MIB && total < MAX_MIB ? 2 ** 20 : undefined;
}

interface Amount {
  readonly number: number;
  /** Its own; undefined where it has none. */
  readonly unit: number | undefined;
}

function amountOf(word: string): Amount | undefined {
  const [, digits, letter] = AMOUNT.exec(word) ?? [];
  if (digits === undefined) return undefined;
  return {
    number: Number(digits.replace(",", ".")),
    unit: letter === "" ? undefined : BINARY_UNITS.get((letter as string).toLowerCase()),
  };
}

function bytesOf({ number, unit }: Amount, other: number | undefined): number | undefined {
  const factor = unit ?? (number === 0 ? 1 : other);
  const bytes = factor === undefined ? undefined : Math.round(number * factor);
  return bytes !== undefined && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** total is what the others add up to. */
const ADDENDS = ["total", "free", "used", BUFF_CACHE];

/**
 * Numbers of a row with the digits that did not fit as zeros. Whether it was one or two the sum tells; where not one of them fitted it was one: else each would be
 * more than 953 GiB.
 */
function widened(told: ReadonlyMap<string, number>, cut: ReadonlySet<string>): ReadonlyMap<string, number> {
  const summed = ADDENDS.filter((name) => cut.has(name));
  const whole = new Map([...told].map(([name, bytes]) => [name, cut.has(name) ? 10 * bytes : bytes]));
  const of = (name: string): number => whole.get(name) ?? 0;
  for (let choice = 0; choice < 2 ** summed.length; choice++) {
    summed.forEach((name, i) => whole.set(name, (told.get(name) ?? 0) * ((choice >> i) % 2 === 0 ? 10 : 100)));
    if (Math.abs(of("total") - of("free") - of("used") - of(BUFF_CACHE)) <= MAX_LOST_BYTES) return whole;
  }
  return new Map();
}

/** The amounts of top's row by their names, and those whose last digits are cut off. */
interface TopAmounts {
  readonly told: Map<string, number>;
  readonly cut: ReadonlySet<string>;
}

function topAmounts(row: string, prefix: string | undefined, totalBytes: number | undefined): TopAmounts {
  const told = new Map<string, number>();
  const cut = new Set<string>();
  for (const [, digits, letter, plus, name] of row.matchAll(TOP_AMOUNT)) {
    // No sum tells of what is available, which is less than all.
    if (plus === "+" && name === "avail" && !((totalBytes ?? Infinity) < TEN_DIGITS_BYTES)) continue;
    if (plus === "+") cut.add(name as string);
    const unit = BINARY_UNITS.get((prefix ?? letter ?? "").toLowerCase());
    const bytes = bytesOf({ number: Number(digits?.replace(",", ".")), unit }, undefined);
    if (bytes !== undefined) told.set(name as string, bytes);
  }
  return { told, cut };
}

/** What the lines of one text told so far: each form has its own rows. */
class Rows {
  readonly bytes: Map<string, BytesAtLine> = new Map();
  /** Of free's numbers that have none of their own. */
  #unit: number | undefined;
  #header: readonly string[] | undefined;
  #hasRow = false;
  #isNumastat = false;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  read(line: string, number: number): void {
    const options = COMMAND_LINE.exec(line)?.[1];
    if (options !== undefined) this.#unit = unitOf(options);
    else if (NUMASTAT_HEADER.test(line)) this.#isNumastat = true;
    else if (this.#isNumastat) this.#readNumastat(line, number);
    else if (NODE_ROW.test(line)) this.#readNode(line, number);
    else if (HEADER.test(line)) this.#header ??= columns(line);
    else if (this.#header === undefined && FOREIGN_HEADER.test(line)) {
      this.#header = /^\s*-\/\+ /m.test(this.#text) ? OLD_COLUMNS : COLUMNS;
    } else if (this.#header !== undefined) this.#readFree(line, number, this.#header);
    else if (ATOP_ROW.test(line)) this.#readAtop(line, number);
    else if (!this.#readCrash(line, number) && !this.#readVmstat(line, number) && !this.#readSmem(line, number)) {
      this.#readTop(line, number);
    }
  }

  /** @throws {ParseError} if none is of memory. */
  check(): void {
    if (this.bytes.has("MemTotal")) return;
    throw new ParseError(
      this.#hasRow
        ? "Cannot parse free: nothing tells the unit of its numbers; put the command line above it ($ free -m)"
        : 'Cannot parse free: no row that begins with "Mem:"',
      { text: this.#text },
    );
  }

  #add(field: string | undefined, amount: number | undefined, line: number): void {
    if (field === undefined || amount === undefined) return;
    // free -w tells buffers and cache apart, but the latter with slab.
    const known = field === BUFF_CACHE ? this.bytes.get("Buffers") : undefined;
    if (known !== undefined) this.bytes.delete("Buffers");
    this.bytes.set(field, { bytes: amount + (known?.bytes ?? 0), line });
  }

  #readFree(line: string, number: number, names: readonly string[]): void {
    const [, label, rest] = ROW.exec(line) ?? [];
    if (rest === undefined || label?.startsWith("-/+") || label === "Total") return;
    this.#hasRow = true;
    // The first row is memory's.
    const kind = this.bytes.has("MemTotal") ? "Swap" : "Mem";
    if (kind === "Swap" && (this.bytes.has("SwapTotal") || label === "Mem")) return;
    const amounts = columns(rest).map(amountOf);
    if (kind === "Mem") this.#unit ??= guessUnit(amounts.flatMap((amount) => amount?.number ?? []));
    names.forEach((name, i) => {
      const amount = amounts[i];
      // Up to 3.3.2 and before Linux 2.6.32 the old table's column is a constant 0.
      const isUntold = name === "shared" && amount?.number === 0 && names.includes("cached");
      if (amount === undefined || isUntold) return;
      this.#add((kind === "Mem" ? FIELDS : SWAP_FIELDS).get(name), bytesOf(amount, this.#unit), number);
    });
  }

  #readAtop(line: string, number: number): void {
    for (const [, name, word] of line.matchAll(ATOP_AMOUNT)) {
      const amount = amountOf(word as string);
      this.#add(ATOP_FIELDS.get(`${line.slice(0, 3)} ${name}`), amount && bytesOf(amount, undefined), number);
    }
  }

  /** The sizes are rounded, the pages are not: what the first row tells of both is the size of one. */
  #readCrash(line: string, number: number): boolean {
    const [, name, pages, amount, letter] = CRASH_ROW.exec(line) ?? [];
    if (name === undefined) return false;
    const size = bytesOf({ number: Number(amount), unit: BINARY_UNITS.get((letter || "b").toLowerCase()) }, undefined);
    if (name === "TOTAL MEM") this.#unit = 2 ** Math.round(Math.log2((size ?? NaN) / Number(pages)));
    this.#add(CRASH_FIELDS.get(name), bytesOf({ number: Number(pages), unit: undefined }, this.#unit), number);
    return true;
  }

  #readVmstat(line: string, number: number): boolean {
    const [, digits, letter = "", memory, cache, swap] = VMSTAT_ROW.exec(line) ?? [];
    if (digits === undefined) return false;
    const field = swap === undefined ? FIELDS.get((memory ?? cache) as string) : SWAP_FIELDS.get(swap);
    const unit = BINARY_UNITS.get(letter.toLowerCase());
    this.#add(field, bytesOf({ number: Number(digits), unit }, undefined), number);
    return true;
  }

  /** Of mapped files, which are of the page cache, and of anonymous memory consists what smem calls userspace's (smem's showsystem). */
  #readSmem(line: string, number: number): boolean {
    const [, area, ...words] = SMEM_ROW.exec(line) ?? [];
    const [used, cache, noncache] = words.map((word) => {
      const amount = amountOf(word);
      return amount && bytesOf(amount, 2 ** 10);
    });
    if (used === undefined || cache === undefined || noncache === undefined) return false;
    this.#addTo("MemTotal", used, number);
    if (area === "free") this.#add("MemFree", used, number);
    else this.#addTo(BUFF_CACHE, cache, number);
    if (area === "userspace") {
      this.#add("AnonPages", noncache, number);
      this.#add("Mapped", cache, number);
    }
    return true;
  }

  #addTo(field: string, amount: number, line: number): void {
    this.#add(field, amount + (this.bytes.get(field)?.bytes ?? 0), line);
  }

  #readNumastat(line: string, number: number): void {
    const [, name = "", digits] = NUMASTAT_ROW.exec(line) ?? [];
    this.#add(NUMASTAT_FIELDS.get(name), bytesOf({ number: Number(digits), unit: 2 ** 20 }, undefined), number);
  }

  #readNode(line: string, number: number): void {
    const [, name = "", digits] = NODE_ROW.exec(line) ?? [];
    const field = NUMASTAT_FIELDS.get(name);
    const bytes = bytesOf({ number: Number(digits), unit: 2 ** 10 }, undefined);
    if (field !== undefined && bytes !== undefined) this.#addTo(field, bytes, number);
  }

  #readForeignTop(line: string, number: number): void {
    const [, letter = "", ...words] = FOREIGN_TOP_ROW.exec(line) ?? [];
    const unit = BINARY_UNITS.get(letter.toLowerCase());
    const [total, free, used, last] = words.map((word) =>
      bytesOf({ number: Number(word.replace(",", ".")), unit }, undefined)
    );
    if (total === undefined || free === undefined || used === undefined) return;
    const isSwap = this.bytes.has("MemTotal");
    // Up to 3.3.9 what is free comes third, and both are all there is.
    if (!isSwap && Math.abs(total - free - used) <= MAX_LOST_BYTES) return;
    this.#add(isSwap ? "SwapTotal" : "MemTotal", total, number);
    this.#add(isSwap ? "SwapFree" : "MemFree", free, number);
    this.#add(isSwap ? "MemAvailable" : BUFF_CACHE, last, number);
  }

  #readTop(line: string, number: number): void {
    if (!/ free[,.]/.test(line) && FOREIGN_TOP_ROW.test(line)) return this.#readForeignTop(line, number);
    const [, prefix, kind, rest] = TOP_ROW.exec(line) ?? [];
    if (kind === undefined || rest === undefined) return;
    const { told, cut } = topAmounts(rest, prefix, this.bytes.get("MemTotal")?.bytes);
    const [used, free] = [told.get("used"), told.get("free")];
    // busybox leaves out the sum of these two.
    if (kind === "Mem" && used !== undefined && free !== undefined && !told.has("total")) {
      told.set("total", used + free);
    }
    for (const [name, bytes] of cut.size === 0 ? told : widened(told, cut)) {
      const isMemory = kind !== "Swap" || MEMORY_IN_SWAP_ROW.has(name);
      this.#add((isMemory ? FIELDS : SWAP_FIELDS).get(name), bytes, number);
    }
  }
}

/**
 * Parses the output of free, or the head of top, into those of meminfo's fields that they tell.
 *
 * @throws {ParseError} if there is no row of memory, or nothing tells the unit of its numbers.
 *
 * @example
 * ```ts
 * import { parseFree } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "KiB Mem :  1005740 total,    93400 free,   699632 used,   212708 buff/cache\n";
 * strictEqual(parseFree(text, { facts: {}, warn() {} }).bytes.get("MemFree")?.bytes, 93_400 * 1024);
 * ```
 */
export function parseFree(text: string, _context: ParseContext): Meminfo {
  const rows = new Rows(text);
  forEachLine(text, (line, number) => rows.read(line.trim(), number));
  rows.check();
  return { bytes: rows.bytes, counts: new Map() };
}

/** A snapshot's file, as {@linkcode parseFree} reads it. */
export const free: Source<Parsed<Meminfo>> = defineArtifact({
  name: "free",
  paths: ["sos_commands/memory/free"],
  howToCapture: "cat /proc/meminfo",
  parse: parseFree,
});
