/** What the kernel wrote of the host when no memory was left: the only account there is where nothing but a kernel log was kept. */
import type { Account, AccountId, Ledger, SourceLine } from "../core/ledger.ts";
import { defineComputed, type Missing, type Parsed, type Source } from "../core/source.ts";
import { sumBytes, sumOf } from "../core/sums.ts";
import { kernelLog, type KernelLogEvent } from "../parsers/kernel_log.ts";
import { meminfo } from "../parsers/meminfo.ts";
import { type OomReport, oomReports } from "../parsers/oom_report.ts";

/** A person asked for the kill (sysrq f): nothing was short. */
export const SYSRQ_ORDER = -1;

/** The OOMs that the log tells to be of the whole host and that the kernel itself started, in the log's order. */
export function hostOoms(events: readonly KernelLogEvent[]): readonly KernelLogEvent[] {
  return events.filter(({ kind, order, isCutOff }) => kind === "global-oom" && order !== SYSRQ_ORDER && !isCutOff);
}

/** Whether an OOM is of some of the host's nodes only: of the others, which may have much, the kernel was not to take. */
export function isOfSomeNodes({ constraint }: KernelLogEvent): boolean {
  return constraint === "CONSTRAINT_CPUSET" || constraint === "CONSTRAINT_MEMORY_POLICY";
}

/** The OOMs whose own lines do not tell whether they are of the host or of a control group: of some the log has no more than who asked for memory. */
export function unclearOoms(events: readonly KernelLogEvent[]): readonly KernelLogEvent[] {
  return events.filter(({ order, isCutOff, isPageFault }) => (isCutOff || isPageFault) && order !== SYSRQ_ORDER);
}

/**
 * Which log to capture whole, where this one has the beginning of an OOM alone, or a dump without what it was written for: then it is not known whether the
 * host or a control group was short.
 */
export function cutOffLog(
  log: Parsed<readonly KernelLogEvent[]> | undefined,
  reports: Parsed<readonly OomReport[]> | undefined,
): readonly Missing[] {
  if (log === undefined) return [];
  const [report] = reports?.value ?? [];
  const [event] = log.value;
  // A kill without who asked has its dump above it; a failed allocation has it below.
  const isAbove = (at: KernelLogEvent): boolean =>
    at.kind === "allocation-failure" && (report?.isNewestFirst ? report.line > at.line : (report?.line ?? 0) < at.line);
  const isPiece = report !== undefined && (event === undefined || isAbove(event));
  return isPiece || log.value.some(({ isCutOff }) => isCutOff) ? [{ path: log.path, howToCapture: "dmesg" }] : [];
}

/** The first of these at this place of the log or behind it. They are in its order, and a hostile log has 100,000 of them. */
function firstFrom<T>(items: readonly T[], placeOf: (item: T) => number, place: number): T | undefined {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (placeOf(items[middle] as T) < place) low = middle + 1;
    else high = middle;
  }
  return items[low];
}

/** The dump that belongs to an event: it stands between its line and the next event's; in a log that begins within the dump, at its line or before it. */
export function reportOf(
  event: KernelLogEvent,
  events: readonly KernelLogEvent[],
  reports: readonly OomReport[] = [],
): OomReport | undefined {
  // In a log with its newest line first their numbers fall.
  const placeOf = ({ line }: { readonly line: number }): number => reports[0]?.isNewestFirst ? -line : line;
  const start = event === events[0] && event.comm === undefined ? -Infinity : placeOf(event);
  const next = firstFrom(events, placeOf, placeOf(event) + 1);
  const report = firstFrom(reports, placeOf, start);
  return report !== undefined && (next === undefined || placeOf(report) < placeOf(next)) ? report : undefined;
}

/**
 * The ledger at the moment of the dump, which tells all but vmalloc and per-CPU data. Undefined when the dump was cut off.
 *
 * mm/show_mem.c: the counters of /proc/meminfo by list, so that swap cache is in the anonymous pages and buffers are in the page cache. From 2.6.28 to 2.6.31 it
 * tells the sum of slab alone, and no shared memory; before 2.6.28 the lists have pages of both kinds, and none is made.
 */
export function dumpLedger(path: string, report: OomReport): Ledger | undefined {
  const { bytes } = report;
  const of = (name: string): number => bytes.get(name)?.bytes ?? 0;
  const source = (name: string): SourceLine[] => {
    const found = bytes.get(name);
    return found === undefined ? [] : [{ path, line: found.line }];
  };
  const size = bytes.has("RAM") ? "RAM" : "managed";
  const totalBytes = of(size) - (size === "RAM" ? of("reserved") : 0);
  const isOld = !bytes.has("slab_unreclaimable") && bytes.has("slab");
  if (totalBytes <= 0 || !(isOld || bytes.has("slab_unreclaimable")) || !bytes.has("active_anon")) return undefined;
  const accounts: Account[] = [];
  const add = (id: AccountId, title: string, names: readonly string[], outside = 0): void => {
    const known = names.filter((name) => bytes.has(name));
    if (known.length === 0) return;
    const sum = sumOf(known, of);
    accounts.push({ id, title, bytes: Math.max(0, sum - outside), sources: known.flatMap(source) });
  };
  add("free", "free", ["free"]);
  add("per-cpu-free-lists", "free, on per-CPU lists", ["free_pcp"]);
  add("page-cache", "page cache", ["active_file", "inactive_file", "isolated_file"]);
  add("shmem", "shared memory, tmpfs", ["shmem"]);
  // Shared memory is on the anonymous lists; locked memory, of whatever kind, is on that of the unevictable.
  const lists = ["active_anon", "inactive_anon", "isolated_anon", "unevictable"];
  add("anon", isOld ? "anonymous (processes), shared memory" : "anonymous (processes)", lists, of("shmem"));
  add("slab-reclaimable", "slab, reclaimable", ["slab_reclaimable"]);
  add("slab-unreclaimable", "slab, unreclaimable", ["slab_unreclaimable"]);
  add("kernel-misc-reclaimable", "kernel, other reclaimable", ["kernel_misc_reclaimable"]);
  add("kernel-stacks", "kernel stacks", ["kernel_stack"]);
  add("page-tables", "page tables", ["pagetables", "sec_pagetables"]);
  add("hugetlb", "huge pages (hugetlbfs)", ["hugetlb"]);
  add("zspages", "compressed (zram, zswap)", ["zspages"]);
  add("bounce", "bounce buffers", ["bounce"]);
  add("gpu", "GPU", ["gpu_active", "gpu_reclaim"]);
  add("hardware-corrupted", "hardware-corrupted", ["hwpoisoned"]);
  const accounted = sumBytes(accounts);
  // Zones are told of the nodes that were asked for memory, of which a cpuset or policy leaves out some, and what they are used for of all.
  if (size === "managed" && accounted > totalBytes) return undefined;
  accounts.push({ id: "unaccounted", title: "unaccounted", bytes: totalBytes - accounted, sources: source(size) });
  return {
    totalBytes,
    availableBytes: undefined,
    accounts,
    missing: [
      ...(isOld
        ? ["slab (an OOM's dump of up to 2.6.31 does not tell what of it can be reclaimed), kernel stacks"]
        : []),
      "vmalloc, per-CPU data (an OOM's dump does not tell them; cat /proc/meminfo)",
    ],
  };
}

/** Free, or given back first. */
const LEFT: readonly AccountId[] = ["free", "per-cpu-free-lists", "page-cache", "slab-reclaimable"];
/** With this much left a request of the host's is served: the kernel's own reserve (vm.min_free_kbytes) is below it on all but the smallest hosts. */
const AMPLE_LEFT_SHARE = 0.05;

export function leftBytes({ accounts }: Ledger): number {
  return sumOf(accounts, ({ id, bytes }) => LEFT.includes(id) ? bytes : 0);
}

/**
 * Whether an OOM need not have been for want of the host's memory: up to 5.15 a page fault that fails has the host's OOM killer run, also where it was a charge to
 * a control group at its limit of kernel memory. mm/oom_kill.c pagefault_out_of_memory(), which asks for nothing.
 */
export function mayBeOfGroup(
  event: KernelLogEvent,
  { path, value }: Parsed<readonly KernelLogEvent[]>,
  reports: Parsed<readonly OomReport[]> | undefined,
): boolean {
  if (!event.isPageFault || event.kind !== "global-oom") return false;
  const report = reportOf(event, value, reports?.value);
  const dump = report && dumpLedger(path, report);
  return dump === undefined || leftBytes(dump) >= AMPLE_LEFT_SHARE * dump.totalBytes;
}

/** The host at its last OOM, where the bundle tells nothing newer of it. */
export interface HostAtOom {
  readonly path: string;
  /** Undefined when the dump is not in the log, or was cut off. */
  readonly report: OomReport | undefined;
}

const lastOom: Source<HostAtOom> = defineComputed({
  name: "last OOM",
  needs: { kernelLog, oomReports },
  uses: {},
  compute({ kernelLog: { path, value: events }, oomReports: reports }) {
    const last = hostOoms(events).at(-1);
    if (last !== undefined) return { path, report: reportOf(last, events, reports.value) };
    // An allocation that failed writes the same dump (mm/page_alloc.c warn_alloc()), and of an OOM's people paste what stands below its first lines.
    const areFailures = events.every(({ kind }) => kind === "allocation-failure");
    const dumps = !areFailures ? [] : reports.value.filter(({ limitOf }) => limitOf === undefined);
    return { path, report: dumps[0]?.isNewestFirst ? dumps[0] : dumps.at(-1) };
  },
});

/** Only where there is no /proc/meminfo: an OOM of some day ago says nothing of a host that was looked at later. */
export const hostAtOom: Source<HostAtOom> = {
  name: "host at its last OOM",
  patterns: [...meminfo.patterns, ...lastOom.patterns],
  read(reader) {
    const known = reader.read(meminfo);
    if (known.status !== "missing") return { status: "missing", missing: [] };
    const dump = reader.read(lastOom);
    return dump.status === "ok" && dump.value.report === undefined ? known : dump;
  },
};
