import { accountBytes, type Ledger, type SourceLine } from "../core/ledger.ts";
import type { Claim } from "../core/report.ts";
import { defineComputed, type Parsed, type Source } from "../core/source.ts";
import { sumOf } from "../core/sums.ts";
import { unaccountedBytes } from "../core/whole_ledger.ts";
import { type PageFlags, pageFlags } from "../parsers/page_flags.ts";
import { type SlabCache, slabinfo } from "../parsers/slabinfo.ts";
import { ledger } from "./ledger.ts";
import { type SizedCache, type SlabCaches, usedSlabBytes } from "./slab_caches.ts";

/** Caches of packet heads: one object a packet, or two (clones). */
const HEAD_CACHES: ReadonlySet<string> = new Set(["skbuff_head_cache", "skbuff_fclone_cache", "skbuff_small_head"]);
/** Caches of packet data: those of up to two pages come from kmalloc (8 KiB with pages of 4 KiB, 128 KiB with those of 64 KiB), larger ones from whole pages. */
const DATA_CACHES = /^kmalloc-(?:rnd-\d+-|cg-)?(?:512|\d+k|\d{4,})$/;

/** Whether a cache may hold packets: their heads or their data. */
export function isPacketCache({ name }: { readonly name: string }): boolean {
  // Of 20,000 caches few begin so.
  if (name.startsWith("skbuff_")) return HEAD_CACHES.has(name);
  return name.startsWith("kmalloc-") && DATA_CACHES.test(name);
}

/**
 * Of what control groups are charged for (kmalloc-cg-*, Linux 5.14 on) only unix sockets make packets (unix_create1() sets GFP_KERNEL_ACCOUNT): those of
 * other families are never there.
 */
const CHARGED_CACHES = /^kmalloc-cg-/;

/** What the slab allocator holds that may be packets, but for those of unix sockets. */
export interface SkbSlab {
  /** At most this much of SUnreclaim is packets: their caches, and large kmalloc, which is in no cache. */
  readonly mostBytes: number;
  /** The largest of the caches. */
  readonly largest: SourceLine & { readonly name: string; readonly bytes: number };
  /** Packet heads in use: at most this many packets exist. */
  readonly heads: (SourceLine & { readonly count: number }) | undefined;
  /** Of the largest object that a packet's data can be in: what is larger is in whole pages. Every cache of kmalloc's is listed, also an empty one. */
  readonly largestObjectBytes: number;
}

/** sk_buff (232 bytes in two cache lines' steps: 256) and skb_shared_info (320) on x86-64: what a packet is charged before its first byte of data. */
export const PACKET_OVERHEAD_BYTES = 576;
/** The least that a queued packet is charged: the overhead and one cache line of data. */
export const MIN_TRUESIZE_BYTES: number = PACKET_OVERHEAD_BYTES + 64;

/** From slabinfo and the ledger's slab accounts. Undefined where no cache is known to have packets. */
export const skbSlab: Source<SkbSlab | undefined> = defineComputed({
  name: "packets in slab",
  needs: { slabinfo },
  uses: { ledger },
  compute: ({ slabinfo: file, ledger: whole }) => packetsIn(file, whole),
});

function packetsIn(
  { path, value }: Parsed<readonly SlabCache[]>,
  ledger: Ledger | undefined,
): SkbSlab | undefined {
  const all = sumOf(value, ({ totalBytes }) => totalBytes ?? 0);
  const ofPackets = value.filter((cache) => isPacketCache(cache) && !CHARGED_CACHES.test(cache.name));
  const caches = ofPackets.filter(({ totalBytes }) => totalBytes !== undefined);
  const largest = caches.toSorted((a, b) => (b.totalBytes as number) - (a.totalBytes as number))[0];
  if (largest === undefined) return undefined;
  const head = ofPackets.find(({ name }) => name === "skbuff_head_cache");
  const slab = ledger === undefined
    ? Infinity
    : (accountBytes(ledger, "slab-reclaimable") ?? 0) + (accountBytes(ledger, "slab-unreclaimable") ?? 0);
  return {
    mostBytes: sumOf(caches, ({ totalBytes }) => totalBytes as number) + Math.max(0, slab - all),
    largest: { path, line: largest.line, name: largest.name, bytes: largest.totalBytes as number },
    heads: head && { path, line: head.line, count: head.activeObjects },
    largestObjectBytes: Math.max(...ofPackets.map(({ objectBytes }) => objectBytes)),
  };
}

/** Of packets that sockets are charged for, how much may lie in slab: each has one head, and at most one object of data. Undefined where slab is not known. */
export function skbBytesInSlab(bytes: number, slab: SkbSlab | undefined): number | undefined {
  if (slab === undefined) return undefined;
  const ofHeads = (slab.heads?.count ?? Infinity) * (PACKET_OVERHEAD_BYTES + slab.largestObjectBytes);
  return Math.min(bytes, slab.mostBytes, ofHeads);
}

/** Where nothing tells the accounts, it lies in none that is known. */
function inNone(bytes: number): Claim[] {
  return [{ account: "unaccounted", bytes: { low: bytes, high: bytes } }];
}

/**
 * In which accounts queued packets lie. The sockets say how much, but not where: small packets are slab objects on some paths and whole
 * pages or page fragments, which no account has, on others (large ones, most network cards).
 */
export function placeSkbBytes(bytes: number, ledger: Ledger | undefined, slab: SkbSlab | undefined): Claim[] {
  if (ledger === undefined) return inNone(bytes);
  const unreclaimable = accountBytes(ledger, "slab-unreclaimable") ?? 0;
  const inSlab = Math.min(bytes, unreclaimable, slab?.mostBytes ?? Infinity);
  const outside = Math.min(bytes - inSlab, unaccountedBytes(ledger));
  const claims: Claim[] = [
    { account: "slab-unreclaimable", bytes: { low: inSlab, high: inSlab } },
    { account: "unaccounted", bytes: { low: outside, high: outside } },
  ];
  return claims.filter((claim) => claim.bytes.high > 0);
}

/** A packet's head: struct sk_buff, in steps of cache lines. */
export const HEAD_BYTES = 256;

/**
 * Of what unix sockets are charged, how much may lie in slab: their data in the caches that control groups are charged for, with a head each. Larger writes are in
 * pages. Up to Linux 5.13 there are no such caches: then it may be all.
 */
export function unixBytesInSlab(bytes: number, caches: readonly SizedCache[]): number {
  const charged = caches.filter(({ name }) => CHARGED_CACHES.test(name));
  if (charged.length === 0) return bytes;
  const most = charged.filter(isPacketCache).reduce(
    (sum, cache) => sum + usedSlabBytes(cache) + cache.activeObjects * HEAD_BYTES,
    0,
  );
  return Math.min(bytes, most);
}

/** struct skb_shared_info, behind a packet's data. */
export const SHARED_INFO_BYTES = 320;

/** Caches that data of unix sockets may be in. */
export function unixDataCaches(caches: readonly SizedCache[]): SizedCache[] {
  const ofPackets = caches.filter(({ name }) => name.startsWith("kmalloc-") && DATA_CACHES.test(name));
  const charged = ofPackets.filter(({ name }) => CHARGED_CACHES.test(name));
  return charged.length === 0 ? ofPackets : charged;
}

/**
 * What so much data of unix sockets takes in slab at the most, as far as there are packets: each has a head, and its data lie in the smallest object that they fit
 * into (caches of kmalloc's double from one to the next).
 */
export function mostUnixSlabBytes(dataBytes: number, { caches, find }: SlabCaches): number {
  let data = dataBytes;
  let heads = find("skbuff_head_cache")?.activeObjects ?? Infinity;
  let bytes = 0;
  for (const { objectBytes, activeObjects } of unixDataCaches(caches).sort((a, b) => a.objectBytes - b.objectBytes)) {
    const leastData = Math.max(1, objectBytes / 2 - SHARED_INFO_BYTES);
    const count = Math.min(activeObjects, heads, data / leastData);
    data -= count * leastData;
    heads -= count;
    bytes += count * (objectBytes + HEAD_BYTES);
  }
  return bytes;
}

/** With less than this of what is queued an account does not explain it: what is there is somebody else's. */
const MOST_OF_QUEUED = 0.5;

/**
 * How much of what is queued are pages that their process or file gave away (MSG_ZEROCOPY, sendfile(), splice(), vmsplice()) and does not have any more, because
 * the mapping is gone or the file is cut.
 * What is copied, as most is, lies in no account.
 */
export function givenPages(queued: number, ledger: Ledger): number {
  const copied = accountBytes(ledger, "unaccounted") ?? 0;
  const pinned = accountBytes(ledger, "pinned-lru") ?? 0;
  return copied < MOST_OF_QUEUED * queued && pinned >= MOST_OF_QUEUED * queued ? Math.min(queued, pinned) : 0;
}

/**
 * The same for a byte stream, whose data the kernel copies into pages of its own and whose packet heads are slab objects. What does not fit
 * into the one account is looked for in the other: small writes, and drivers that copy, put data into slab, too.
 */
export function placeStreamBytes(data: number, heads: number, ledger: Ledger | undefined): Claim[] {
  if (ledger === undefined) return inNone(data + heads);
  const unaccounted = unaccountedBytes(ledger);
  const unreclaimable = accountBytes(ledger, "slab-unreclaimable") ?? 0;
  const given = givenPages(data, ledger);
  const outside = Math.min(data - given, unaccounted);
  const inSlab = Math.min(heads + data - outside - given, unreclaimable);
  const rest = Math.min(data + heads - outside - given - inSlab, unaccounted - outside);
  const claims: Claim[] = [
    { account: "unaccounted", bytes: { low: outside + rest, high: outside + rest } },
    { account: "pinned-lru", bytes: { low: given, high: given } },
    { account: "slab-unreclaimable", bytes: { low: inSlab, high: inSlab } },
  ];
  return claims.filter((claim) => claim.bytes.high > 0);
}

/** SKB_FRAG_PAGE_ORDER and PAGE_FRAG_CACHE_MAX_SIZE: page fragments are carved out of blocks of this size, or of one page if that is larger (include/linux/skbuff.h). */
const FRAGMENT_BLOCK_BYTES = 32_768;

/** @param pageSizeBytes Where it is not known, that of nearly all hosts. */
export function fragmentBlockBytes(pageSizeBytes: number | undefined): number {
  return Math.max(FRAGMENT_BLOCK_BYTES, pageSizeBytes ?? 0);
}

/** Blocks that packets are carved out of, counted page by page. */
export interface FragmentBlocks extends SourceLine {
  readonly bytes: number;
}

/**
 * Compound pages of exactly a fragment block's size that are no slab, no page cache and no process's. Undefined without a census, and where the
 * page size is so large that a block is no compound page.
 */
export const fragmentBlocks: Source<FragmentBlocks | undefined> = defineComputed({
  name: "page fragment blocks",
  needs: { pageFlags },
  uses: {},
  compute: ({ pageFlags: { path, value } }, { pageSizeBytes }) => countBlocks(path, value, pageSizeBytes),
});

function countBlocks(
  path: string,
  { rows, sampledFraction }: PageFlags,
  pageSizeBytes: number | undefined,
): FragmentBlocks | undefined {
  if (pageSizeBytes === undefined || pageSizeBytes >= FRAGMENT_BLOCK_BYTES || sampledFraction === undefined) {
    return undefined;
  }
  const order = Math.log2(FRAGMENT_BLOCK_BYTES / pageSizeBytes);
  const blocks = rows.filter((row) =>
    row.order === order && row.bytes !== undefined && row.flags.size === 1 && row.flags.has("HEAD")
  );
  // Without a single block the census as a whole is the evidence for that: its first line.
  return {
    path,
    line: blocks[0]?.line ?? 1,
    bytes: sumOf(blocks, (row) => row.bytes as number) / sampledFraction,
  };
}
