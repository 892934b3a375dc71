/**
 * Where all of MemTotal is.
 *
 * The identity (measured to close within 1 MiB in every fault tried, see the lab):
 *
 *     MemTotal = MemFree + per-CPU free lists + Buffers + Cached + SwapCached + AnonPages + pinned LRU pages + Slab + kernel misc
 *              + PageTables + SecPageTables + VmallocUsed (kernel stacks inside, or in Slab) + Percpu + Hugetlb + zspages + Bounce + WritebackTmp
 *              + Balloon + GPU + HardwareCorrupted + unaccounted
 *
 * Sources: fs/proc/meminfo.c, mm/show_mem.c, Documentation/filesystems/proc.rst.
 */
import { ParseError } from "../core/errors.ts";
import { accountOf } from "../core/ledger.ts";
import type { Account, AccountId, Ledger, SourceLine } from "../core/ledger.ts";
import { defineComputed, type HostFacts, type Parsed, type Source } from "../core/source.ts";
import { sumBytes, sumOf } from "../core/sums.ts";
import { BUFF_CACHE, free } from "../parsers/free.ts";
import { type Meminfo, meminfo } from "../parsers/meminfo.ts";
import { type Mount, mounts } from "../parsers/mounts.ts";
import { type SlabCache, slabinfo } from "../parsers/slabinfo.ts";
import { type VmallocArea, vmallocinfo } from "../parsers/vmallocinfo.ts";
import { pagesBytes, type Vmstat, vmstat } from "../parsers/vmstat.ts";
import { type Zone, zoneinfo } from "../parsers/zoneinfo.ts";
import { dumpLedger, hostAtOom } from "./oom_dump.ts";
import { isStackCache } from "./slab_caches.ts";

/** The counters are read a moment apart and lag: they may say this much more than there is. */
const MAX_LAG_SHARE = 0.01;

interface Inputs {
  readonly meminfo: Parsed<Meminfo>;
  /** What `free` prints of it: for want of the file, or of what grep did not pick out of it. */
  readonly free: Parsed<Meminfo> | undefined;
  readonly zoneinfo: Parsed<readonly Zone[]> | undefined;
  readonly vmstat: Parsed<Vmstat> | undefined;
  readonly vmallocinfo: Parsed<readonly VmallocArea[]> | undefined;
  readonly slabinfo: Parsed<readonly SlabCache[]> | undefined;
  readonly mounts: Parsed<readonly Mount[]> | undefined;
}

/** An amount and the lines it was read from. */
interface Amount {
  readonly bytes: number;
  readonly sources: readonly SourceLine[];
}

function sum(...amounts: readonly (Amount | undefined)[]): Amount | undefined {
  const known = amounts.filter((amount) => amount !== undefined);
  if (known.length === 0) return undefined;
  return {
    bytes: sumBytes(known),
    sources: known.flatMap(({ sources }) => sources),
  };
}

/** `part` taken out of `whole`, never below zero: the counters are read a moment apart. */
function minus(whole: Amount | undefined, part: Amount | undefined): Amount | undefined {
  if (whole === undefined || part === undefined) return whole;
  return { bytes: Math.max(0, whole.bytes - part.bytes), sources: [...whole.sources, ...part.sources] };
}

/** Reads a field. */
type Fields = (field: string) => Amount | undefined;

function meminfoReader({ path, value }: Parsed<Meminfo>): Fields {
  return (field) => {
    const found = value.bytes.get(field);
    return found === undefined ? undefined : { bytes: found.bytes, sources: [{ path, line: found.line }] };
  };
}

/** The fields of meminfo. Those that grep did not pick out of it, or that are cut off, `free` may tell. */
function fieldsOf({ meminfo: file, free: summary }: Inputs): Fields {
  const own = meminfoReader(file);
  if (summary === undefined) return own;
  const other = meminfoReader(summary);
  return (field) => own(field) ?? other(field);
}

/** Slab is printed as the sum of both kinds: where grep left this one out, the other two tell it. */
function unreclaimable(kB: Fields): Amount | undefined {
  const reclaimable = kB("SReclaimable");
  return kB("SUnreclaim") ?? (reclaimable && minus(kB("Slab"), reclaimable));
}

/** Before 2.6.19 (RHEL 5), and where a paste has no more. What `free` calls cached may have some of it. */
function slabOfBothKinds(own: Fields, kB: Fields): Amount | undefined {
  return own("Cached") === undefined || kB("SReclaimable") !== undefined || kB("SUnreclaim") !== undefined
    ? undefined
    : own("Slab");
}

/** Page cache, as far as it is told: free and top have one number for it, buffers and reclaimable slab. */
function pageCache(kB: Fields): readonly [string, Amount | undefined] {
  const cached = kB("Cached");
  const together = cached === undefined ? kB(BUFF_CACHE) : undefined;
  if (together === undefined) return ["page cache", minus(cached, kB("Shmem"))];
  const slab = kB("SReclaimable");
  return [
    slab === undefined ? "page cache, buffers, reclaimable slab" : "page cache, buffers",
    minus(minus(together, kB("Shmem")), slab),
  ];
}

function vmstatPages(file: Parsed<Vmstat> | undefined, field: string, facts: HostFacts): Amount | undefined {
  const found = file && pagesBytes(file.value, field, facts);
  return found && { bytes: found.bytes, sources: [{ path: file.path, line: found.line }] };
}

/** Free pages parked on per-CPU lists: not in MemFree, and hundreds of MiB on a busy host. */
function perCpuFreeLists(file: Parsed<readonly Zone[]> | undefined): Amount | undefined {
  if (file === undefined) return undefined;
  const zones = file.value.filter((zone) => zone.pcpBytes !== undefined);
  if (zones.length === 0) return undefined;
  return {
    bytes: sumOf(zones, (zone) => zone.pcpBytes as number),
    sources: zones.flatMap(({ pcpLine }) => pcpLine === undefined ? [] : [{ path: file.path, line: pcpLine }]),
  };
}

/** Callers under which thread stacks stand in vmallocinfo: which one depends on what the compiler inlined into what. */
const STACK_CALLERS: readonly string[] = [
  "dup_task_struct",
  "alloc_thread_stack_node",
  "copy_process",
  "kernel_clone",
  // 4.2 to 5.9: RHEL 8 has it.
  "_do_fork",
];

/**
 * Whether KernelStack is also in VmallocUsed, as it is with CONFIG_VMAP_STACK (x86-64 since 4.9, arm64 since 4.14). vmallocinfo tells;
 * without it, the counters do as far as they can.
 */
function stacksAreVmalloced(
  stacks: Amount | undefined,
  used: Amount | undefined,
  file: Parsed<readonly VmallocArea[]> | undefined,
): boolean {
  if (file !== undefined) {
    return file.value.some(({ caller }) => STACK_CALLERS.some((name) => caller?.startsWith(name)));
  }
  return stacks !== undefined && used !== undefined && used.bytes >= stacks.bytes;
}

/** THREAD_SIZE of most machines with 64 bits. */
const STACK_BYTES = 16_384;

/**
 * Whether KernelStack is also in SUnreclaim: stacks that are smaller than a page are objects of a cache, unless they are vmalloc'ed (kernel/fork.c): POWER, with
 * pages of 64 KiB. Without slabinfo the size of a page tells.
 */
function stacksAreInSlab(
  areVmalloced: boolean,
  file: Parsed<readonly SlabCache[]> | undefined,
  { pageSizeBytes }: HostFacts,
): boolean {
  if (file !== undefined) return file.value.some(isStackCache);
  return !areVmalloced && pageSizeBytes !== undefined && pageSizeBytes > STACK_BYTES;
}

/**
 * VmallocUsed was a constant 0 from 4.4 until 5.3: then the areas themselves are added up. So they are before that (VmallocChunk is above 0 only there), when it
 * was address space, with device memory in it, and may be more than MemTotal: without the areas neither tells anything.
 */
function vmallocUsed(
  reported: Amount | undefined,
  chunk: Amount | undefined,
  file: Parsed<readonly VmallocArea[]> | undefined,
): Amount | undefined {
  const isOfAddresses = chunk !== undefined && chunk.bytes > 0;
  if (!isOfAddresses && reported !== undefined && reported.bytes > 0) return reported;
  if (file === undefined) return undefined;
  const areas = file.value.filter((area) => area.pagesBytes !== undefined && area.flags.includes("vmalloc"));
  const largest = areas.toSorted((a, b) => (b.pagesBytes as number) - (a.pagesBytes as number))[0];
  if (largest === undefined) return undefined;
  return {
    bytes: sumOf(areas, ({ pagesBytes }) => pagesBytes as number),
    sources: [{ path: file.path, line: largest.line }],
  };
}

/** Every kernel prints VmallocUsed, below all that is said of processes, caches and slab, and above huge pages. */
function isCutOff({ meminfo: { value } }: Inputs): boolean {
  return !value.bytes.has("VmallocUsed");
}

/** The terms that can be missing from a bundle, in words. */
function missingTerms(inputs: Inputs, { pageSizeBytes }: HostFacts): string[] {
  const missing: string[] = [];
  const { path, value: { bytes } } = inputs.meminfo;
  if (path === inputs.free?.path) {
    // smem does.
    const ofProcesses = bytes.has("AnonPages") ? "" : "processes' own memory, and ";
    return [`${ofProcesses}all of the kernel's (free and top do not tell them; cat /proc/meminfo)`];
  }
  // Every kernel since 2.6.19 tells both.
  if (!bytes.has("AnonPages")) missing.push("processes' own memory (proc/meminfo is cut off before AnonPages)");
  if (unreclaimable(meminfoReader(inputs.meminfo)) === undefined) {
    // RHEL 5 has one number for both kinds, and other lines below it.
    const isOld = bytes.has("Slab") && bytes.has("PageTables");
    if (!bytes.has("Slab") || !bytes.has("Cached")) {
      missing.push(
        isOld
          ? "slab (proc/meminfo of before 2.6.19 does not tell which of it can be reclaimed)"
          : "slab (proc/meminfo is cut off before SUnreclaim)",
      );
    }
  }
  if (isCutOff(inputs)) {
    missing.push("vmalloc, per-CPU data, huge pages (proc/meminfo is cut off before VmallocUsed)");
  }
  if (inputs.vmallocinfo === undefined && bytes.has("VmallocUsed")) {
    if ((bytes.get("VmallocChunk")?.bytes ?? 0) > 0) {
      missing.push("vmalloc (proc/vmallocinfo; VmallocUsed of up to 4.3 counts addresses)");
    } else if (bytes.get("VmallocUsed")?.bytes === 0) {
      missing.push("vmalloc (proc/vmallocinfo; VmallocUsed of 4.4 to 5.2 is always 0)");
    }
  }
  if (inputs.zoneinfo === undefined) missing.push("per-CPU free lists (proc/zoneinfo)");
  if (inputs.vmstat === undefined) missing.push("zspages of zram and zswap (proc/vmstat)");
  if (pageSizeBytes === undefined) missing.push("all that is counted in pages (the page size is not known)");
  return missing;
}

/** Numbers that are not those of one host. */
function checkMeminfo({ mounts: mounted }: Inputs, kB: Fields, total: Amount): void {
  // On a small host the numbers may fit.
  const mount = mounted?.value.find(({ path, type }) => path === "/proc/meminfo" && type === "fuse.lxcfs");
  if (mount !== undefined) {
    throw new ParseError(
      `proc/meminfo is a container's, not its host's: lxcfs is mounted over it (${mounted?.path}:${mount.line}); capture on the host`,
    );
  }
  // Pages of five kinds: no page is of two. A container's meminfo has its own limit and usage beside the host's AnonPages and slab (lxcfs, src/proc_fuse.c).
  const kinds = sum(...["MemFree", "AnonPages", "Cached", "SReclaimable"].map(kB), unreclaimable(kB));
  if (kinds !== undefined && kinds.bytes > (1 + MAX_LAG_SHARE) * total.bytes) {
    throw new ParseError(
      "MemFree, AnonPages, Cached and slab of meminfo are more than its MemTotal: a container's meminfo, not its host's?",
    );
  }
}

/** How many more pages are on the LRU lists than there are by type. */
interface Listed extends Amount {
  /** In the swap cache, and mapped. */
  readonly swapOverlapBytes: number;
}

/**
 * The same pages counted by list and by type. More on the lists: pages whose owner unmapped them while something else (io_uring, RDMA) keeps them pinned.
 * Fewer: pages in the swap cache that are still mapped, and so are in AnonPages, too. Undefined where either is not told.
 */
function listedBeyond(kB: Fields, pages: Fields): Listed | undefined {
  const lists = [kB("Active"), kB("Inactive"), kB("Unevictable"), pages("nr_isolated_anon"), pages("nr_isolated_file")];
  const lru = sum(...lists);
  const types = [kB("AnonPages"), kB("Cached"), kB("Buffers"), kB("SwapCached")];
  const typed = sum(...types);
  if (lru === undefined || typed === undefined || types[0] === undefined || types[1] === undefined) return undefined;
  const beyond = lru.bytes - typed.bytes;
  return {
    bytes: Math.max(0, beyond),
    sources: lru.sources,
    swapOverlapBytes: Math.min(kB("SwapCached")?.bytes ?? 0, Math.max(0, -beyond)),
  };
}

/** All that is counted, in the order of the report. */
function countedAccounts(inputs: Inputs, facts: HostFacts, kB: Fields, total: Amount): Account[] {
  const pages: Fields = (field) => vmstatPages(inputs.vmstat, field, facts);
  const slab = unreclaimable(kB);
  const stacks = kB("KernelStack");
  const used = vmallocUsed(kB("VmallocUsed"), kB("VmallocChunk"), inputs.vmallocinfo);
  const areVmalloced = stacksAreVmalloced(stacks, used, inputs.vmallocinfo);
  const areInSlab = stacksAreInSlab(areVmalloced, inputs.slabinfo, facts);
  const listed = listedBeyond(kB, pages);
  const swapCached = kB("SwapCached");
  const accounts: Account[] = [];
  const add = (id: AccountId, title: string, amount: Amount | undefined): void => {
    if (amount !== undefined) accounts.push({ id, title, bytes: amount.bytes, sources: amount.sources });
  };
  add("free", "free", kB("MemFree"));
  add("per-cpu-free-lists", "free, on per-CPU lists", perCpuFreeLists(inputs.zoneinfo));
  add("page-cache", ...pageCache(kB));
  add("buffers", "buffers", kB("Buffers"));
  add(
    "swap-cache",
    "swap cache",
    swapCached && { ...swapCached, bytes: swapCached.bytes - (listed?.swapOverlapBytes ?? 0) },
  );
  add("shmem", "shared memory, tmpfs", kB("Shmem"));
  add("anon", "anonymous (processes)", kB("AnonPages"));
  add("pinned-lru", "pinned, in no process", listed);
  add("slab-reclaimable", "slab, reclaimable", kB("SReclaimable"));
  add("slab-unreclaimable", "slab, unreclaimable", areInSlab ? minus(slab, stacks) : slab);
  add("slab", "slab, of both kinds", slabOfBothKinds(meminfoReader(inputs.meminfo), kB));
  add("kernel-misc-reclaimable", "kernel, other reclaimable", minus(kB("KReclaimable"), kB("SReclaimable")));
  add("kernel-stacks", "kernel stacks", stacks);
  add("page-tables", "page tables", sum(kB("PageTables"), kB("SecPageTables")));
  add("vmalloc", "vmalloc", areVmalloced && !areInSlab ? minus(used, stacks) : used);
  add("percpu", "per-CPU data", kB("Percpu"));
  add("hugetlb", "huge pages (hugetlbfs)", kB("Hugetlb") ?? hugetlbBefore416(inputs.meminfo));
  add("zspages", "compressed (zram, zswap)", pages("nr_zspages"));
  add("bounce", "bounce buffers", kB("Bounce"));
  add("writeback-tmp", "FUSE writeback", kB("WritebackTmp"));
  add("gpu", "GPU", sum(kB("GPUActive"), kB("GPUReclaim")));
  add("hardware-corrupted", "hardware-corrupted", kB("HardwareCorrupted"));
  add("balloon", "balloon", balloonInside(kB("Balloon"), total, accounts));
  return accounts;
}

/** Counters of lists that say more than there is are wrong (oracle/oracle-linux#218: NR_INACTIVE_FILE of UEK 6.12, MemAvailable with it). */
function areListsWrong(accounts: readonly Account[], total: Amount): boolean {
  const pinned = accountOf({ accounts }, "pinned-lru");
  if (pinned === undefined) return false;
  const room = total.bytes - (sumBytes(accounts) - pinned.bytes);
  return pinned.bytes > Math.max(0, room) + MAX_LAG_SHARE * total.bytes;
}

const WRONG_LISTS =
  "pages pinned in no process (more are on the kernel's lists, Active and Inactive, than there are: its counter is wrong)";

function computeLedger(inputs: Inputs, facts: HostFacts): Ledger {
  const kB = fieldsOf(inputs);
  const total = kB("MemTotal");
  if (total === undefined) throw new ParseError("MemTotal is not in meminfo: there is nothing to account for");
  // As some sandboxes print it.
  if (total.bytes === 0) throw new ParseError("MemTotal of meminfo is 0: there is nothing to account for");
  checkMeminfo(inputs, kB, total);
  const counted = countedAccounts(inputs, facts, kB, total);
  const areWrong = areListsWrong(counted, total);
  const accounts = areWrong ? counted.filter(({ id }) => id !== "pinned-lru") : counted;
  const available = kB("MemAvailable");
  return {
    totalBytes: total.bytes,
    availableBytes: available !== undefined && available.bytes <= total.bytes ? available.bytes : undefined,
    accounts: [...accounts, {
      id: "unaccounted",
      title: "unaccounted",
      bytes: total.bytes - sumBytes(accounts),
      sources: total.sources,
    }],
    missing: [...(areWrong ? [WRONG_LISTS] : []), ...missingTerms(inputs, facts)],
    isCutOff: isCutOff(inputs),
  };
}

/** Before 4.16 meminfo has no Hugetlb line: the default size's pool is all it tells. */
function hugetlbBefore416({ path, value }: Parsed<Meminfo>): Amount | undefined {
  const count = value.counts.get("HugePages_Total");
  const size = value.bytes.get("Hugepagesize");
  if (count === undefined || size === undefined) return undefined;
  return { bytes: count.value * size.bytes, sources: [{ path, line: count.line }, { path, line: size.line }] };
}

/** virtio's balloon lowers MemTotal itself: only a balloon that the other accounts leave room for is inside MemTotal. */
function balloonInside(balloon: Amount | undefined, total: Amount, accounts: readonly Account[]): Amount | undefined {
  if (balloon === undefined) return undefined;
  const room = total.bytes - sumBytes(accounts);
  return room >= balloon.bytes ? balloon : { ...balloon, bytes: 0 };
}

const fromMeminfo: Source<Ledger> = defineComputed({
  name: "ledger of meminfo",
  needs: { meminfo },
  uses: { free, zoneinfo, vmstat, vmallocinfo, slabinfo, mounts },
  compute: computeLedger,
});

const fromFree: Source<Ledger> = defineComputed({
  name: "ledger of free",
  needs: { free },
  uses: { zoneinfo, vmstat, vmallocinfo, slabinfo, mounts },
  compute: (inputs, facts) => computeLedger({ ...inputs, meminfo: inputs.free }, facts),
});

/**
 * The ledger of one snapshot; where nothing but a kernel log was kept, that of the last OOM's dump, which tells more than `free`. What that prints is the last
 * resort.
 */
export const ledger: Source<Ledger> = {
  name: "ledger",
  patterns: [...fromMeminfo.patterns, ...hostAtOom.patterns, ...fromFree.patterns],
  read(reader) {
    const captured = reader.read(fromMeminfo);
    if (captured.status !== "missing") return captured;
    const dump = reader.read(hostAtOom);
    const value = dump.status === "ok" && dump.value.report !== undefined
      ? dumpLedger(dump.value.path, dump.value.report)
      : undefined;
    if (value !== undefined) return { status: "ok", value };
    const last = reader.read(fromFree);
    return last.status === "missing" ? captured : last;
  },
};
