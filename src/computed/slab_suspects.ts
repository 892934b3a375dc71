/** Which slab caches somebody may leak into, without what sockets and known tenants hold of them, and without caches that explain themselves. */
import { append } from "../core/group_by.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Parsed, TimePoint } from "../core/source.ts";
import { sumBytes, sumOf } from "../core/sums.ts";
import type { Meminfo } from "../parsers/meminfo.ts";
import type { SlabCache } from "../parsers/slabinfo.ts";
import { isStream, type ReceiveCharge } from "./receive_charges.ts";
import { isPacketCache, unixBytesInSlab } from "./skb_memory.ts";
import { isSized, largestFirst, type SizedCache, type SlabCaches, type SlabUse, usedSlabBytes } from "./slab_caches.ts";
import { SAME_COUNT } from "./slab_tenants.ts";
import { type Backlog, mostHeld } from "./socket_queues.ts";
import { recentTrend, type Trend } from "./trend.ts";
import { leftoversOf, type UnixQueue } from "./unix_backlog.ts";

/** Objects that are allocated along with the leaked ones are in a cache of a like size; the rest is below the error of the figure. */
export const SHARE_OF_LARGEST = 0.1;
/** A cache grows and shrinks by a few slabs all the time: growth below this share of it is none. */
const MIN_GROWTH_SHARE = 0.001;
/** Objects above two pages come from whole pages: they are in SUnreclaim, but in no cache. */
export const LARGE_KMALLOC = "kmalloc of more than two pages (in no cache)";

/**
 * Caches that follow from something else: ZFS gives its own back under pressure (it does not use SLAB_RECLAIM_ACCOUNT), KSM has an item for each page
 * that it shares, zsmalloc a handle for each that zram holds.
 */
const EXPLAINED = /^(?:zio_|arc_|abd_|dnode_t|dmu_buf|zfs_|sa_cache|ksm_|zs_handle|zspage)/;

/**
 * XFS keeps what it wrote to its log of an inode beside it as long as the inode is in memory, and up to twice where it is to be written again: li_lv and
 * li_lv_shadow of each xfs_ili (fs/xfs/xfs_log_cil.c xlog_cil_alloc_shadow_bufs(), since 4.8; freed by xfs_inode_item_destroy()). They are kmalloc's, so that
 * SUnreclaim has them, but they are given back with the inode.
 */
const LOG_VECTORS_EACH = 2;
/** A vector has the inode's core, forks and headers: an inode is of 512 bytes, if mkfs.xfs was not told otherwise. */
const LOG_VECTORS = /^kmalloc-(?:rnd-\d+-)?(?:512|1k|1024|2k|2048)$/;

/**
 * An object for each inode of XFS that was changed (xfs_ili), in a cache that the kernel may have merged it into and that has another's name; the extents and
 * short links of an inode (if_data); and for each dentry its name, where it is too long to lie in it (before 4.20, which has kmalloc-rcl for them): given back
 * with what they belong to. fs/xfs/xfs_inode_item.c, fs/xfs/libxfs/xfs_inode_fork.c, fs/dcache.c __d_alloc().
 */
const MERGED_ITEM_BYTES = { low: 136, high: 256 };
const INODE_DATA = /^(?:kmalloc|size)-(?:rnd-\d+-)?(?:8|16|32|64|96|128|192|256|512)$/;
const LONG_NAMES = /^(?:kmalloc|size)-(?:64|96|128|192|256)$/;

/** A packet with its overhead. */
const LARGEST_PACKET_BYTES = 66_560;

/** A cache with what it did while it was watched. */
export interface Suspect extends SlabUse {
  readonly trend: Trend | undefined;
  /** Whether all of it may be packets: there are as many heads. */
  readonly isPackets: boolean;
}

/** Caches by name in each snapshot: how their pages grew. */
export function cacheTrends(series: readonly TimePoint<Parsed<readonly SlabCache[]>>[]): ReadonlyMap<string, Trend> {
  const found = new Map<string, Trend>();
  // Seen once, nothing grows: no series are made of 20,000 caches.
  if (series.length < 2) return found;
  const byName = new Map<string, { time: number; bytes: number }[]>();
  for (const { time, value: { value } } of series) {
    for (const cache of value.filter(isSized)) {
      append(byName, cache.name, { time, bytes: usedSlabBytes(cache) });
    }
  }
  for (const [name, points] of byName) {
    const trend = recentTrend(points);
    if (trend !== undefined) found.set(name, trend);
  }
  return found;
}

export function grows({ trend, usedBytes }: Suspect): boolean {
  return trend !== undefined && trend.low > 0 && trend.changeBytes >= MIN_GROWTH_SHARE * usedBytes;
}

/** Whether a cache has what lies beside inodes or dentries that can be given back: there are as many. */
function liesBeside({ caches }: SlabCaches): (cache: SlabUse | SizedCache) => boolean {
  const countOf = (name: string): number => caches.find((cache) => cache.name === name)?.activeObjects ?? 0;
  const inodes = countOf("xfs_inode");
  const mayBeMerged = inodes > 0 && !caches.some(({ name }) => name === "xfs_ili");
  const dentries = caches.some(({ name }) => name.startsWith("kmalloc-rcl-")) ? 0 : countOf("dentry");
  return ({ name, objectBytes, activeObjects }) => {
    const isAsManyAs = (count: number): boolean => count > 0 && Math.abs(count - activeObjects) <= SAME_COUNT * count;
    const isItem = mayBeMerged && objectBytes >= MERGED_ITEM_BYTES.low && objectBytes <= MERGED_ITEM_BYTES.high;
    // Of 20,000 caches few are so large.
    return (isAsManyAs(inodes) && (isItem || INODE_DATA.test(name))) || (isAsManyAs(dentries) && LONG_NAMES.test(name));
  };
}

/** Whether a cache follows from something else. */
export function explainedBy(all: SlabCaches): (cache: SlabUse | SizedCache) => boolean {
  const isBeside = liesBeside(all);
  return (cache) => EXPLAINED.test(cache.name) || isBeside(cache);
}

/**
 * The caches that can matter, the largest first: those that have a trend, those of packets, and those that are not small beside the largest that
 * is none of packets. Of 20,000 caches these are some hundreds.
 */
export function candidates(
  { caches, useOf }: SlabCaches,
  byName: ReadonlyMap<string, Trend>,
  inUse: ReadonlySet<string>,
  isExplained: (cache: SlabUse) => boolean,
): SlabUse[] {
  const mayLeak = (cache: SlabUse): boolean => !cache.reclaimable && !inUse.has(cache.name) && !isExplained(cache);
  let most = 0;
  for (const cache of caches) {
    const bytes = usedSlabBytes(cache);
    if (bytes > most && !isPacketCache(cache) && mayLeak(useOf(cache))) most = bytes;
  }
  const matters = (cache: SizedCache): boolean =>
    usedSlabBytes(cache) >= SHARE_OF_LARGEST * most || byName.has(cache.name) || cache.name.startsWith("skbuff_") ||
    isPacketCache(cache);
  return caches.filter(matters).map(useOf).filter(mayLeak).sort(largestFirst);
}

/** What caches have that follow from something else. */
function explainedBytes({ caches, isReclaimable }: SlabCaches, isExplained: (cache: SizedCache) => boolean): number {
  const explained = caches.filter((cache) => isExplained(cache) && !isReclaimable(cache));
  return sumOf(explained, (each) => each.totalBytes);
}

/** Takes what XFS keeps of changed inodes out of the caches that it may be in, the largest first. */
function withoutLogVectors(
  { caches }: SlabCaches,
  suspects: readonly Suspect[],
): { readonly suspects: Suspect[]; readonly logBytes: number } {
  let vectors = LOG_VECTORS_EACH * (caches.find(({ name }) => name === "xfs_ili")?.activeObjects ?? 0);
  let logBytes = 0;
  const rest = suspects.map((cache) => {
    if (vectors === 0 || cache.activeObjects === 0 || !LOG_VECTORS.test(cache.name)) return cache;
    const taken = Math.min(vectors, cache.activeObjects);
    vectors -= taken;
    const bytes = cache.usedBytes * taken / cache.activeObjects;
    logBytes += bytes;
    return { ...cache, usedBytes: cache.usedBytes - bytes };
  });
  return { suspects: rest, logBytes };
}

/** Unreclaimable slab that is in no cache at all. */
function largeKmalloc(
  { caches, isWhole }: SlabCaches,
  { accounts }: Ledger,
  file: Parsed<Meminfo> | undefined,
): Suspect[] {
  const line = file?.value.bytes.get("SUnreclaim")?.line;
  if (file === undefined || line === undefined || !isWhole) return [];
  const slab = sumOf(accounts, ({ id, bytes }) => id.startsWith("slab-") ? bytes : 0);
  const bytes = Math.max(0, slab - sumOf(caches, (each) => each.totalBytes));
  return [{
    path: file.path,
    line,
    name: LARGE_KMALLOC,
    aliases: [],
    objectBytes: 0,
    objects: 0,
    activeObjects: 0,
    bytes,
    usedBytes: bytes,
    reclaimable: false,
    trend: undefined,
    isPackets: false,
  }];
}

/**
 * What sockets are charged for packets that lie in slab, as a rule: also those that are read, and are no cause. Queues that are read swing, and slabinfo is
 * not of the same moment: the most that was seen. Of TCP and MPTCP the data are in pages.
 */
function packetsInSockets({ caches: all, charges, udp, unix, pageSizeBytes }: Known): number {
  const others = (charges ?? []).filter(({ family }) => family !== "udp" && !isStream(family));
  return sumBytes(others) + (udp === undefined ? 0 : mostHeld(udp)) +
    (unix === undefined
      ? 0
      : unixBytesInSlab(mostHeld(unix) + leftoversOf(unix.queues, all, pageSizeBytes).overheadBytes, all.caches));
}

/** Each packet has a head, and its data in one object of another cache, or in whole pages (64 KiB at the most, large kmalloc). */
function mayBePackets(cache: Suspect, heads: number): boolean {
  if (cache.name === LARGE_KMALLOC) return cache.bytes <= heads * LARGEST_PACKET_BYTES;
  return isPacketCache(cache) && cache.activeObjects <= (1 + SAME_COUNT) * heads;
}

/**
 * Takes what known tenants hold, and what is in sockets, out of the caches that packets are in: there are no more packets than heads. What tenants hold
 * beyond that lies in other caches, and in which is not known.
 */
function withoutPackets(
  caches: readonly Suspect[],
  heldByOthers: number,
  inSockets: number,
): { caches: Suspect[]; heldElsewhere: number } {
  const heads = caches.reduce(
    (most, { name, activeObjects }) => Math.max(most, name.startsWith("skbuff_") ? activeObjects : 0),
    0,
  );
  const packets = usedBytesOf(caches.filter((cache) => mayBePackets(cache, heads)));
  const rest = packets === 0 ? 1 : 1 - Math.min(1, Math.max(heldByOthers, inSockets) / packets);
  return {
    caches: caches.map((cache) =>
      mayBePackets(cache, heads) ? { ...cache, isPackets: true, usedBytes: rest * cache.usedBytes } : cache
    ),
    heldElsewhere: Math.max(0, heldByOthers - packets),
  };
}

/** What debugging (slub_debug) adds to each object of kmalloc's, as a factor: its name tells the size that was asked for. */
function debugFactor(caches: readonly SizedCache[]): number {
  let asked = 0;
  let used = 0;
  for (const cache of caches.filter(isPacketCache)) {
    const [, digits, kilo] = /^kmalloc-(?:\D+-|rnd-\d+-)?(\d+)(k?)$/.exec(cache.name) ?? [];
    if (digits === undefined || cache.objectBytes === 0) continue;
    const bytes = usedSlabBytes(cache);
    used += bytes;
    asked += bytes * Math.min(1, Number(digits) * (kilo === "k" ? 1024 : 1) / cache.objectBytes);
  }
  return asked === 0 ? 1 : used / asked;
}

export function usedBytesOf(suspects: readonly Suspect[]): number {
  return sumOf(suspects, (each) => each.usedBytes);
}

/** What is known of slab. */
interface Known {
  readonly caches: SlabCaches;
  /** Of sockets in use. */
  readonly inUse: ReadonlySet<string>;
  readonly trends: ReadonlyMap<string, Trend>;
  readonly ledger: Ledger;
  readonly meminfo: Parsed<Meminfo> | undefined;
  readonly charges: readonly ReceiveCharge[] | undefined;
  readonly udp: Backlog | undefined;
  readonly unix: Backlog<UnixQueue> | undefined;
  readonly pageSizeBytes: number | undefined;
}

/** Of unreclaimable slab, what may be a leak, and what the rest is. */
export interface SlabSuspects {
  /** The largest first. */
  readonly suspects: readonly Suspect[];
  /** What no cause that is known holds. */
  readonly left: number;
  /** What those hold and is not in caches of packets: in which it is, is not known. */
  readonly heldElsewhere: number;
  /** In caches of sockets in use; in those that explain themselves; what slub_debug adds to packets in sockets. */
  readonly ofSockets: number;
  readonly ofOthers: number;
  readonly ofDebugging: number;
}

/**
 * Finds them.
 *
 * @param account All unreclaimable slab, in bytes.
 * @param notClaimed What of it other causes have not claimed.
 */
export function slabSuspects(known: Known, account: number, notClaimed: number): SlabSuspects {
  const { caches, inUse, trends, ledger, meminfo } = known;
  // What sockets are charged does not tell of it.
  const inPackets = packetsInSockets(known);
  const ofDebugging = (debugFactor(caches.caches) - 1) * inPackets;
  const left = Math.max(0, notClaimed - ofDebugging);
  const isExplained = explainedBy(caches);
  const { suspects: unlogged, logBytes } = withoutLogVectors(
    caches,
    candidates(caches, trends, inUse, isExplained).map((cache) => ({
      ...cache,
      trend: trends.get(cache.name),
      isPackets: false,
    })),
  );
  const { caches: settled, heldElsewhere } = withoutPackets(
    [...unlogged, ...largeKmalloc(caches, ledger, meminfo)],
    account - left,
    inPackets + ofDebugging,
  );
  return {
    suspects: settled.sort((a, b) => b.usedBytes - a.usedBytes),
    left,
    heldElsewhere,
    ofSockets: explainedBytes(caches, ({ name }) => inUse.has(name)),
    ofOthers: explainedBytes(caches, isExplained) + logBytes,
    ofDebugging,
  };
}
