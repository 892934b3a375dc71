import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import type { MaybeValues, Values } from "../src/core/source.ts";
import { cutOffLog, reportOf } from "../src/computed/oom_dump.ts";
import { buddyinfo, type BuddyZone } from "../src/parsers/buddyinfo.ts";
import { kernelLog, type KernelLogEvent } from "../src/parsers/kernel_log.ts";
import { type OomReport, oomReports } from "../src/parsers/oom_report.ts";
import { vmstat } from "../src/parsers/vmstat.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** Oracle's check: more than 95 % of free memory in smaller blocks than are needed is fragmentation. */
const SMALL_BLOCKS_SHARE = 0.95;
/** With less than this many times the request free, memory is short rather than in pieces. */
const MIN_TIMES_REQUEST = 8;

/** The zones' free memory against one request. */
interface Pieces {
  readonly line: number;
  readonly freeBytes: number;
  /** In blocks that are large enough. */
  readonly usableBytes: number;
}

function pieces(
  zones: readonly { readonly blocks: readonly number[]; readonly line: number }[],
  order: number,
  pageSizeBytes: number,
): Pieces | undefined {
  // The zone with the most free memory: DMA zones are small, and kept for devices.
  const sized = zones.map(({ blocks, line }) => ({
    line,
    freeBytes: blocks.reduce((sum, count, i) => sum + count * 2 ** i * pageSizeBytes, 0),
    usableBytes: blocks.reduce((sum, count, i) => sum + (i >= order ? count * 2 ** i * pageSizeBytes : 0), 0),
  }));
  return sized.sort((a, b) => b.freeBytes - a.freeBytes)[0];
}

function isFragmented({ freeBytes, usableBytes }: Pieces, requestBytes: number): boolean {
  return freeBytes >= MIN_TIMES_REQUEST * requestBytes &&
    freeBytes - usableBytes >= SMALL_BLOCKS_SHARE * freeBytes;
}

/** Movable and device memory is not for the kernel's own requests. */
function isUsable({ name }: BuddyZone): boolean {
  return name !== "Movable" && name !== "Device";
}

function at(report: OomReport | undefined, order: number, pageSizeBytes: number): Pieces | undefined {
  return report === undefined
    ? undefined
    : pieces(report.zones.filter(({ zone }) => !/ (?:Movable|Device)$/.test(zone)), order, pageSizeBytes);
}

const REMEDIES: readonly Remedy[] = [
  {
    when: "now",
    text: `Let the kernel move pages together (it costs CPU time; what the kernel itself holds cannot be moved). ${
      remedyMark("buddy-fragmentation", "compact")
    }`,
    commands: ["echo 1 > /proc/sys/vm/compact_memory", "cat /proc/buddyinfo"],
    verify: "the right-hand columns of /proc/buddyinfo rise",
  },
  {
    when: "fix",
    text:
      "Keep more free in reserve, so that the kernel compacts earlier. If it is a driver that asks, look for a setting with smaller " +
      `buffers (jumbo frames, ring sizes) or a newer version. ${
        remedyMark("buddy-fragmentation", "keep more in reserve")
      }`,
    commands: ["sysctl -w vm.watermark_boost_factor=15000 vm.compaction_proactiveness=40", "sysctl vm.min_free_kbytes"],
    verify: "no more `page allocation failure` in the kernel log under the same load",
  },
  {
    when: "prevent",
    text: `Reserve large blocks at boot, when memory is still whole (huge pages, CMA), for what needs them. ${
      remedyMark("buddy-fragmentation", "reserve at boot")
    }`,
    commands: ["cat /proc/pagetypeinfo", "grep -E 'compact_(stall|fail)' /proc/vmstat"],
    verify: "compact_fail stays level",
  },
];

const needs = { kernelLog };
const uses = { oomReports, buddyinfo, vmstat };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** The last of the requests for several pages in one piece that failed: of who cannot do without, if there is one. */
interface Failed {
  readonly event: KernelLogEvent;
  readonly requests: number;
  readonly order: number;
}

/** What was free when it failed, where the log has the dump, and what is free now. */
interface Free {
  readonly then: Pieces | undefined;
  readonly today: Pieces | undefined;
}

function freeOf({ event, order }: Failed, seen: Seen, pageSizeBytes: number): Free {
  const zones = seen.buddyinfo?.value.filter(isUsable);
  return {
    then: at(reportOf(event, seen.kernelLog.value, seen.oomReports?.value), order, pageSizeBytes),
    today: zones && pieces(zones, order, pageSizeBytes),
  };
}

function evidence({ event, order }: Failed, { then, today }: Free, seen: Seen): EvidenceLine[] {
  const { kernelLog: log, buddyinfo: now, vmstat: counters } = seen;
  const amount = ({ freeBytes, usableBytes }: Pieces): string =>
    `${formatBytes(freeBytes)}, ${formatBytes(usableBytes)} of it in blocks that large`;
  const lines: EvidenceLine[] = [{
    path: log.path,
    line: event.line,
    because: `a request for 2^${order} pages in one piece failed`,
  }];
  if (then !== undefined) lines.push({ path: log.path, line: then.line, because: `free then: ${amount(then)}` });
  if (now !== undefined && today !== undefined) {
    lines.push({ path: now.path, line: today.line, because: `free now: ${amount(today)}` });
  }
  const failed = counters?.value.get("compact_fail");
  if (counters !== undefined && failed !== undefined && failed.value > 0) {
    const because = `${failed.value} times since boot the kernel moved pages together without success`;
    lines.push({ path: counters.path, line: failed.line, because });
  }
  return lines;
}

function finding(
  failed: Failed,
  { freeBytes, usableBytes }: Pieces,
  free: Free,
  seen: Seen,
  size: number,
): FindingDraft {
  const comm = failed.event.comm;
  return {
    title: `${comm ?? "a process"}: a request for ${formatBytes(size)} in one piece failed with ${
      formatBytes(freeBytes)
    } free, ${formatShare(freeBytes - usableBytes, freeBytes)} of it in smaller pieces${
      failed.event.mayFail ? "; who asked can do without (__GFP_NORETRY)" : ""
    }`,
    confidence: free.then === undefined ? "likely" : "confirmed",
    material: !failed.event.mayFail,
    claims: [],
    owners: [{
      pid: null,
      comm: comm ?? "unknown",
      bytes: 0,
      count: failed.requests,
      detail: `${
        formatQuantity(failed.requests, "failed request")
      } for several pages in one piece; the call trace below the line in the log tells the driver`,
    }],
    evidence: evidence(failed, free, seen),
    remedies: REMEDIES,
  };
}

export const buddyFragmentation: Analyzer = defineAnalyzer({
  id: "buddy-fragmentation",
  title: "Free memory, but not in one piece",
  mechanism:
    "The kernel hands out blocks of 2^n pages that lie side by side. After long use free memory is in single pages among pages that cannot be moved, and a request for " +
    "a larger block (a driver's buffer, jumbo frames, a kernel stack without vmalloc) fails although megabytes are free.",
  lookAlikes:
    "Exhaustion: a failed request for a single page, or hardly anything free at all. GFP_ATOMIC requests at the reserve: they fail while large blocks exist. Few large " +
    "blocks without any failure are normal on a host that has run for days, since the kernel falls back on smaller ones.",
  references: [
    "https://docs.kernel.org/admin-guide/sysctl/vm.html#compact-memory",
    "mm/page_alloc.c warn_alloc()",
    "https://github.com/oracle-samples/oled-tools",
  ],
  needs,
  uses,
  analyze(seen, facts) {
    const { kernelLog: log } = seen;
    const failures = log.value.filter(({ kind, order }) => kind === "allocation-failure" && (order ?? 0) > 0);
    const event = failures.findLast(({ mayFail }) => !mayFail) ?? failures.at(-1);
    if (event === undefined) {
      const missing = log.value.some(({ kind, order, vmallocBytes }) =>
          kind === "allocation-failure" && order === undefined && vmallocBytes === undefined
        )
        ? [{ path: log.path, howToCapture: "dmesg" }]
        : cutOffLog(log, seen.oomReports);
      return missing.length > 0
        ? { notAssessed: missing }
        : { ruledOut: "the kernel log has no failed request for several pages in one piece" };
    }
    const dump = reportOf(event, log.value, seen.oomReports?.value);
    const pageSizeBytes = facts.pageSizeBytes ?? dump?.zones[0]?.pageBytes;
    if (pageSizeBytes === undefined) {
      return dump === undefined && seen.buddyinfo === undefined
        ? { notAssessed: [{ path: log.path, howToCapture: "dmesg" }] }
        : { notAssessed: [{ path: "the page size", howToCapture: "getconf PAGESIZE" }] };
    }
    const failed = { event, requests: failures.length, order: event.order as number };
    const free = freeOf(failed, seen, pageSizeBytes);
    const judged = free.then ?? free.today;
    // A log that ends above the dump does not tell what was free.
    if (judged === undefined) return { notAssessed: [{ path: log.path, howToCapture: "dmesg" }] };
    const size = 2 ** failed.order * pageSizeBytes;
    if (isFragmented(judged, size)) return { findings: [finding(failed, judged, free, seen, size)] };
    return {
      ruledOut: `${
        formatQuantity(failures.length, "request")
      } for 2^${failed.order} pages failed, but not for fragmentation: ${formatBytes(judged.freeBytes)} free, ${
        formatBytes(judged.usableBytes)
      } of it in blocks that large`,
    };
  },
});
