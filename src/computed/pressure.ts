/** Is the host short of memory? A question apart from who holds what. */
import type { EvidenceLine } from "../core/analyzer.ts";
import { duration, instant } from "../core/duration.ts";
import { formatBytes, formatRate, formatShare } from "../core/format.ts";
import { accountBytes, type Ledger } from "../core/ledger.ts";
import type { Exhaustion, PressureLevel } from "../core/report.ts";
import { defineComputed, lately, overTime, type Parsed, type Source, type TimePoint } from "../core/source.ts";
import { sum, sumOf } from "../core/sums.ts";
import { free } from "../parsers/free.ts";
import { kernelLog, type KernelLogEvent } from "../parsers/kernel_log.ts";
import { type Meminfo, meminfo } from "../parsers/meminfo.ts";
import { oomDaemon, type OomDaemonKill } from "../parsers/oom_daemon.ts";
import { type OomReport, oomReports } from "../parsers/oom_report.ts";
import { memoryPressure, type Pressure } from "../parsers/pressure.ts";
import { type Vmstat, vmstat } from "../parsers/vmstat.ts";
import { type Zone, zoneinfo } from "../parsers/zoneinfo.ts";
import { type ImportedHistory, importedHistory } from "./imported_history.ts";
import { daemonKill, killed } from "./kernel_events.ts";
import { ledger } from "./ledger.ts";
import { hostOoms, isOfSomeNodes, mayBeOfGroup, unclearOoms } from "./oom_dump.ts";
import { exhaustion, type Measurement, recentTrend, type Trend } from "./trend.ts";

/** How short of memory the host is, with what tells. */
export interface MemoryPressure {
  readonly level: PressureLevel;
  readonly because: string;
  readonly evidence: readonly EvidenceLine[];
  /** So long at least, after the last look; undefined where what is available does not fall. */
  readonly lastsSeconds?: number;
}

/**
 * Below this share of MemTotal a host is one large allocation away from reclaim in earnest: the kernel's own watermarks with the default
 * watermark_scale_factor lie at 0.1 to 0.3 %, and MemAvailable is an estimate that is some per cent off.
 */
const SHORT_AVAILABLE_SHARE = 0.05;
/** All tasks stood still for this share of a minute, waiting for memory: systemd-oomd acts at 60 %, and 5 % is a second in every twenty. */
const SHORT_FULL_AVG60 = 5;
/** With this much available whoever waits is at the limit of a control group, whose waiting the host's figures contain. */
const AMPLE_AVAILABLE_SHARE = 0.2;
/** A forecast further than this beyond what was watched is none: ten seconds say nothing about tomorrow. */
const MAX_FORECAST_SPANS = 30;
/** Shorter history adds nothing to the snapshots. */
const MIN_HISTORY_SECONDS = 600;
/** What rose all morning falls in the evening: over hours and days a forecast reaches less far, or a busy day would be a shortage to come. */
const MAX_HISTORY_FORECAST_SPANS = 3;

interface Inputs {
  /** Both undefined where there is nothing but a kernel log. */
  readonly ledger: Ledger | undefined;
  readonly meminfo: Parsed<Meminfo> | undefined;
  readonly free: Parsed<Meminfo> | undefined;
  readonly zoneinfo: Parsed<readonly Zone[]> | undefined;
  readonly memoryPressure: Parsed<Pressure> | undefined;
  readonly kernelLog: Parsed<readonly KernelLogEvent[]> | undefined;
  readonly oomReports: Parsed<readonly OomReport[]> | undefined;
  readonly oomDaemon: Parsed<readonly OomDaemonKill[]> | undefined;
  readonly ledgers: readonly TimePoint<Ledger>[] | undefined;
  readonly history: ImportedHistory | undefined;
  readonly vmstats: readonly TimePoint<Parsed<Vmstat>>[] | undefined;
}

type Sign = MemoryPressure | undefined;

/** The kernel's last resort has run. */
function oomKills({ kernelLog: log, oomReports: reports, meminfo: now }: Inputs): Sign {
  if (log === undefined) return undefined;
  // What was before the last start is over, where the bundle tells what has been since.
  const isOver = (event: KernelLogEvent): boolean => event.isEarlierBoot && now !== undefined;
  const kills = hostOoms(log.value).filter((event) =>
    !isOver(event) && !isOfSomeNodes(event) && !mayBeOfGroup(event, log, reports)
  );
  const last = kills.at(-1);
  if (last === undefined) return undefined;
  return {
    level: "exhausted",
    because: `the kernel log has ${
      kills.length === 1 ? "an OOM of the whole host" : `${kills.length} OOMs of the whole host`
    }`,
    evidence: [{
      path: log.path,
      line: last.line,
      because: "memory was used up: the kernel looked for a process to kill",
    }],
  };
}

/** What could be had, if the kernel got all of it: where nothing tells how much that is, no more can be (before 3.14, as in RHEL 6). */
const GIVEN_BACK = ["free", "page-cache", "buffers", "slab-reclaimable"] as const;

function atMostAvailable({ ledger: memory, meminfo: file }: Inputs): Sign {
  const line = file?.value.bytes.get("MemFree")?.line;
  if (memory === undefined || memory.availableBytes !== undefined || file === undefined || line === undefined) {
    return undefined;
  }
  const parts = GIVEN_BACK.flatMap((account) => accountBytes(memory, account) ?? []);
  const most = sum(parts);
  if (parts.length < GIVEN_BACK.length || most >= SHORT_AVAILABLE_SHARE * memory.totalBytes) return undefined;
  const because = `at most ${formatBytes(most)} (${
    formatShare(most, memory.totalBytes)
  }) is available: what is free, and all caches`;
  return { level: "short", because, evidence: [{ path: file.path, line, because }] };
}

/** Another program's judgement, where there is no look at memory of our own. Of kills for a group that waited the host may have had memory. */
function daemonKills({ oomDaemon: log, ledger: memory }: Inputs): Sign {
  const last = log?.value.findLast(({ isHostShort }) => isHostShort) ?? log?.value.at(-1);
  if (log === undefined || last === undefined || memory !== undefined) return undefined;
  const because = `${daemonKill(last)}${last.isHostShort ? "" : "; whether the host was short its log does not tell"}`;
  return {
    level: last.isHostShort ? "short" : "none",
    because,
    evidence: [{ path: log.path, line: last.line, because }],
  };
}

function available({ ledger: memory, meminfo: whole, free: summary, zoneinfo: zones }: Inputs): Sign {
  // The ledger takes it from the first that has it, too.
  const file = [whole, summary].find((each) => each?.value.bytes.has("MemAvailable"));
  const line = file?.value.bytes.get("MemAvailable")?.line;
  if (memory?.availableBytes === undefined || file === undefined || line === undefined) return undefined;
  const { availableBytes, totalBytes } = memory;
  const { path } = file;
  const low = zones && sumOf(zones.value, (zone) => zone.low?.bytes ?? 0);
  const text = `${formatBytes(availableBytes)} (${formatShare(availableBytes, totalBytes)}) is available`;
  const sign = (level: PressureLevel, why: string): Sign => ({
    level,
    because: `${text}${why}`,
    evidence: [{ path, line, because: text }],
  });
  // MemAvailable is what could be had without swapping; kswapd works below the low watermarks.
  if (low !== undefined && availableBytes <= low) return sign("exhausted", ", less than the kernel's low watermarks");
  if (availableBytes < SHORT_AVAILABLE_SHARE * totalBytes) return sign("short", "");
  return sign("none", "");
}

function stalls({ memoryPressure: file, ledger: memory }: Inputs): Sign {
  const full = file?.value.full;
  if (file === undefined || full === undefined || full.avg60 < SHORT_FULL_AVG60) return undefined;
  if (
    memory?.availableBytes !== undefined && memory.availableBytes > AMPLE_AVAILABLE_SHARE * memory.totalBytes
  ) return undefined;
  return {
    level: "short",
    because: `all tasks waited for memory ${full.avg60} % of the last minute`,
    evidence: [{
      path: file.path,
      line: full.line,
      because: "pressure stall information: time in which nobody could work for want of memory",
    }],
  };
}

/** Tasks that had to free memory themselves, while it was watched. */
function directReclaim({ vmstats }: Inputs): Sign {
  const first = vmstats?.[0]?.value;
  const last = vmstats?.at(-1)?.value;
  if (first === undefined || last === undefined || vmstats === undefined || vmstats.length < 2) return undefined;
  let stalled = 0;
  let line: number | undefined;
  for (const [name, { value, line: at }] of last.value) {
    const before = name.startsWith("allocstall") ? first.value.get(name) : undefined;
    if (before === undefined || value <= before.value) continue;
    stalled += value - before.value;
    line ??= at;
  }
  if (line === undefined) return undefined;
  return {
    level: "short",
    because: `tasks had to free memory themselves ${stalled} times while it was watched (direct reclaim)`,
    evidence: [{
      path: last.path,
      line,
      because: `allocstall rose by ${stalled} between the first and the last snapshot`,
    }],
  };
}

function forecastSpans({ spanSeconds }: Trend): number {
  return spanSeconds < MIN_HISTORY_SECONDS ? MAX_FORECAST_SPANS : MAX_HISTORY_FORECAST_SPANS;
}

/** @param from When it was last looked at, in milliseconds since 1970. */
function leastSeconds({ atLow }: Exhaustion, from: number): number {
  return (Date.parse(atLow) - from) / 1000;
}

function lasting(end: Exhaustion, from: number): string {
  return `would last at least ${duration(leastSeconds(end, from))}, until ${instant(end.atLow)}`;
}

/** Whether what is available falls in a straight enough line to an end that is not far beyond what was watched. */
function falling({ ledgers, ledger: memory, meminfo: file }: Inputs): Sign {
  if (file === undefined || memory === undefined) return undefined;
  const { path, value } = file;
  const used: Measurement[] = (ledgers ?? []).flatMap(({ time, value: { totalBytes, availableBytes } }) =>
    availableBytes === undefined ? [] : [{ time, bytes: totalBytes - availableBytes }]
  );
  const trend = recentTrend(used);
  const last = ledgers?.at(-1);
  const line = value.bytes.get("MemAvailable")?.line;
  if (trend === undefined || last?.value.availableBytes === undefined || line === undefined) {
    return undefined;
  }
  const end = exhaustion(trend, last.value.availableBytes, last.time);
  if (end === null || leastSeconds(end, last.time) > forecastSpans(trend) * trend.spanSeconds) {
    return undefined;
  }
  return {
    level: "rising",
    because: `available memory falls by ${formatRate(trend.bytesPerSecond)} and ${lasting(end, last.time)}`,
    lastsSeconds: leastSeconds(end, last.time),
    evidence: [{
      path,
      line,
      because: `MemAvailable fell by ${formatBytes(trend.changeBytes)} in ${duration(trend.spanSeconds)}`,
    }],
  };
}

/** The same over what other programs recorded since the host was started, up to the snapshots. */
function fallingForLong({ history, ledgers, ledger: memory }: Inputs): Sign {
  // An unknown total shifts all of the line alike.
  const totalBytes = memory?.totalBytes ?? 0;
  const recorded = (history?.sinceBoot ?? []).flatMap((point) => {
    const availableBytes = point.bytes.get("MemAvailable");
    return availableBytes === undefined ? [] : [{ ...point, availableBytes }];
  });
  const snapshots = (ledgers ?? []).flatMap(({ time, value: { availableBytes } }) =>
    availableBytes === undefined ? [] : [{ time, availableBytes }]
  );
  const series = [...recorded, ...snapshots].sort((a, b) => a.time - b.time);
  const trend = recentTrend(series.map(({ time, availableBytes }) => ({ time, bytes: totalBytes - availableBytes })));
  const [last, lastRecorded] = [series.at(-1), recorded.at(-1)];
  if (trend === undefined || last === undefined || lastRecorded === undefined) return undefined;
  if (trend.spanSeconds < MIN_HISTORY_SECONDS) return undefined;
  const end = exhaustion(trend, last.availableBytes, last.time);
  if (end === null || leastSeconds(end, last.time) > MAX_HISTORY_FORECAST_SPANS * trend.spanSeconds) {
    return undefined;
  }
  const hours = (trend.spanSeconds / 3600).toFixed(1);
  return {
    level: "rising",
    because: `available memory has been falling for ${hours} hours, by ${formatRate(trend.bytesPerSecond)}, and ${
      lasting(end, last.time)
    }`,
    evidence: [{
      path: lastRecorded.path,
      line: lastRecorded.line,
      because: `MemAvailable fell by ${
        formatBytes(trend.changeBytes)
      } in ${hours} hours, as was recorded before the capture`,
    }],
  };
}

/** A log that ends below an OOM's first line tells that memory was used up, but not whose, and so does a page fault that failed. */
function unclearOom({ kernelLog: log }: Inputs): Sign {
  const isLast = (event: KernelLogEvent): boolean => !event.isEarlierBoot;
  const ofNodes = hostOoms(log?.value ?? []).findLast((event) => isLast(event) && isOfSomeNodes(event));
  if (log !== undefined && ofNodes !== undefined) {
    const because =
      "the nodes that a cpuset or NUMA policy allows were used up; of the whole host the log does not tell";
    return { level: "none", because, evidence: [{ path: log.path, line: ofNodes.line, because }] };
  }
  const last = unclearOoms(log?.value ?? []).findLast(isLast);
  if (log === undefined || last === undefined) return undefined;
  return {
    level: "none",
    because: `${
      last.victims.length === 0 ? "the kernel looked for a process to kill" : killed(last.victims)
    }; whether the host or a control group was short the log does not tell`,
    evidence: [{
      path: log.path,
      line: last.line,
      because: last.isPageFault
        ? "gfp_mask=0x0: a page fault found no memory, of the host or of a control group"
        : "an OOM, of which the rest is not in the log",
    }],
  };
}

/** Fields that are no sums of others, without what is given back under pressure. */
const HELD = ["SUnreclaim", "AnonPages", "Shmem", "PageTables", "KernelStack", "Percpu"];

/** Of rows that grep picked out of meminfo there is no whole that they are a part of: they stand for themselves. */
function pickedRows({ bytes }: Meminfo): string {
  if (bytes.has("MemTotal")) return "";
  const rows = HELD.flatMap((field) => {
    const row = bytes.get(field);
    return row === undefined ? [] : [`${field} of ${formatBytes(row.bytes)}`];
  });
  return rows.length === 0 ? "" : `, which tells ${rows.join(", ")}, but not the size of the host`;
}

/** Where nothing tells how much is available: kernels before 3.14, free of before 3.3.10 and an OOM's dump. Most of the caches is. */
function untold({ ledger: memory, meminfo: file, free: summary, history }: Inputs): string {
  if (memory === undefined) {
    const last = history?.points.findLast(({ bytes }) => bytes.has("MemAvailable"));
    const recorded = last === undefined
      ? ""
      : `; ${formatBytes(last.bytes.get("MemAvailable") as number)} was available when it was recorded last, ${
        instant(new Date(last.time).toISOString())
      }`;
    return file === undefined
      ? `the bundle has no /proc/meminfo${recorded}`
      : `no ledger could be made of its /proc/meminfo${pickedRows(file.value)}`;
  }
  const caches = accountBytes(memory, "page-cache");
  const amounts = `${formatBytes(accountBytes(memory, "free") ?? 0)} free${
    caches === undefined ? "" : `, ${formatBytes(caches)} in caches`
  }`;
  if (file === undefined && summary === undefined) {
    return `the kernel wrote what its memory is used for (Mem-Info), as it does when an allocation fails (${amounts})`;
  }
  // It may be full and quiet, and what is in caches may be shared memory, which needs swap as well.
  const swap = (field: string): number | undefined => (file ?? summary)?.value.bytes.get(field)?.bytes;
  const [total, left] = [swap("SwapTotal"), swap("SwapFree")];
  return total !== undefined && total > 0 && left === 0
    ? `swap is used up, and nothing tells what is available (${amounts})`
    : `no sign of shortage in the bundle (${amounts})`;
}

const SEVERITY: readonly PressureLevel[] = ["none", "rising", "short", "exhausted"];

/** The worst sign decides; all that are not `none` are given as evidence. */
export const pressure: Source<MemoryPressure> = defineComputed({
  name: "pressure",
  // A kernel log alone tells of an OOM, too.
  needs: {},
  uses: {
    ledger,
    meminfo,
    free,
    zoneinfo,
    memoryPressure,
    kernelLog,
    oomReports,
    oomDaemon,
    ledgers: overTime(ledger),
    history: importedHistory,
    vmstats: lately(vmstat),
  },
  compute(inputs): MemoryPressure {
    const signs = [
      available(inputs),
      atMostAvailable(inputs),
      oomKills(inputs),
      daemonKills(inputs),
      stalls(inputs),
      directReclaim(inputs),
      falling(inputs),
      fallingForLong(inputs),
    ]
      .filter((sign) => sign !== undefined)
      .sort((a, b) => SEVERITY.indexOf(b.level) - SEVERITY.indexOf(a.level));
    const [worst] = signs;
    if (worst === undefined) {
      return unclearOom(inputs) ?? { level: "none", because: untold(inputs), evidence: [] };
    }
    const telling = signs.filter(({ level }) => level !== "none");
    return {
      level: worst.level,
      because: worst.because,
      ...(worst.lastsSeconds === undefined ? {} : { lastsSeconds: worst.lastsSeconds }),
      evidence: (telling.length === 0 ? [worst] : telling).flatMap(({ evidence }) => evidence),
    };
  },
});
