/** Buffers of the kernel that no account of /proc/meminfo has, but of which something else tells the size. */
import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Parsed, type Source } from "../core/source.ts";
import type { BytesAtLine, NumberAtLine } from "../parsers/_values.ts";
import { mdRaidDisks, mdStripeCacheSize } from "../parsers/md_stripe_cache.ts";
import { type ProcessStatus, processStatus } from "../parsers/process_status.ts";
import { traceBuffers } from "../parsers/trace_buffers.ts";
import { descriptors } from "./descriptors.ts";

/** The ring buffers of ftrace. */
export interface TraceBuffer extends SourceLine {
  readonly kind: "trace";
  readonly bytes: number;
  /** Undefined for that of the whole host. */
  readonly instance: string | undefined;
}

/** The ring buffers of a process's perf events. */
export interface PerfBuffer extends SourceLine {
  readonly kind: "perf";
  readonly bytes: number;
  readonly pid: number;
  readonly comm: string;
}

/** The stripe cache of a software RAID. */
export interface StripeCache extends SourceLine {
  readonly kind: "stripes";
  readonly bytes: number;
  /** `md0` */
  readonly array: string;
  readonly stripes: number;
  readonly disks: number;
}

export type KernelBuffer = TraceBuffer | PerfBuffer | StripeCache;

const INSTANCE = /\/tracing\/instances\/([^/]+)\//;

/** tracefs may be mounted twice. */
function traces(files: readonly Parsed<BytesAtLine>[]): TraceBuffer[] {
  const byInstance = new Map<string | undefined, TraceBuffer>();
  for (const { path, value: { bytes, line } } of files) {
    const instance = INSTANCE.exec(path)?.[1];
    if (!byInstance.has(instance)) byInstance.set(instance, { kind: "trace", instance, bytes, path, line });
  }
  return [...byInstance.values()];
}

/**
 * Of what a process keeps pinned (kernel/events/core.c, perf_mmap()): all of it where it is known to have perf events. Others pin, too, but user pages
 * (RDMA, IOMMU), which are in its RSS or in huge pages of hugetlbfs, unless it is io_uring and they are mapped no more. The kernel's own pages are in
 * RssFile at most, up to Linux 6.13.
 *
 * @param kinds The process's descriptors, as far as they were looked at; undefined where none was.
 */
function perfBytes(
  { rssAnonBytes, vmRssBytes, rssShmemBytes = 0, hugetlbBytes = 0 }: ProcessStatus,
  pinnedBytes: number,
  kinds: ReadonlyMap<string, number> | undefined,
): number {
  if (kinds?.has("perf_event") === true) return pinnedBytes;
  const own = rssAnonBytes === undefined ? vmRssBytes : rssAnonBytes + rssShmemBytes;
  return own === undefined || kinds?.has("io_uring") === true ? 0 : Math.max(0, pinnedBytes - own - hugetlbBytes);
}

const MD = /\/(md[^/]*)\/md\/\w+$/;

function stripeCaches(
  sizes: readonly Parsed<NumberAtLine>[],
  disks: readonly Parsed<NumberAtLine>[],
  pageSizeBytes: number,
): StripeCache[] {
  const disksOf = new Map(disks.map(({ path, value }) => [MD.exec(path)?.[1], value.value]));
  // The array's folder may be captured by both of its names.
  const byArray = new Map<string, StripeCache>();
  for (const { path, value: { value: stripes, line } } of sizes) {
    const array = MD.exec(path)?.[1];
    const count = disksOf.get(array);
    if (array === undefined || count === undefined) continue;
    const bytes = stripes * count * pageSizeBytes;
    byArray.set(array, { kind: "stripes", array, stripes, disks: count, bytes, path, line });
  }
  return [...byArray.values()];
}

/** The largest first. Empty where none is known: most of it only root may read. */
export const kernelBuffers: Source<readonly KernelBuffer[]> = defineComputed({
  name: "buffers of the kernel",
  needs: {},
  uses: { traceBuffers, processStatus, descriptors, mdStripeCacheSize, mdRaidDisks },
  compute(files, { pageSizeBytes }): readonly KernelBuffer[] {
    const kindsOf = new Map(files.descriptors?.processes.map(({ pid, kinds }) => [pid, kinds]));
    const perf: PerfBuffer[] = [];
    for (const { pid, path, value } of files.processStatus ?? []) {
      const line = value.lines.get("VmPin");
      // Nearly all processes pin nothing.
      if (line === undefined || value.vmPinBytes === undefined || value.vmPinBytes === 0) continue;
      const bytes = perfBytes(value, value.vmPinBytes, kindsOf.get(pid));
      if (bytes > 0) perf.push({ kind: "perf", pid, comm: value.name ?? "(no name)", bytes, path, line });
    }
    const stripes = pageSizeBytes === undefined
      ? []
      : stripeCaches(files.mdStripeCacheSize ?? [], files.mdRaidDisks ?? [], pageSizeBytes);
    return [...traces(files.traceBuffers ?? []), ...perf, ...stripes].sort((a, b) =>
      b.bytes - a.bytes || (a.path < b.path ? -1 : 1)
    );
  },
});
