import {
  type Analyzer,
  defineAnalyzer,
  type EvidenceLine,
  type FindingDraft,
  type Outcome,
} from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatRate, formatShare } from "../src/core/format.ts";
import { groupBy } from "../src/core/group_by.ts";
import { accountBytes, type Ledger } from "../src/core/ledger.ts";
import { isEndNear, lookAgainCommand, lookAgainWhen } from "../src/core/look_again.ts";
import type { Remedy } from "../src/core/report.ts";
import { lately, type MaybeValues, overTime, type TimePoint, type Values } from "../src/core/source.ts";
import { shellWord } from "../src/core/shell.ts";
import { importedHistory, type LongGrowth, longGrowth, longGrowthEvidence } from "../src/computed/imported_history.ts";
import { type Languages, languages, type LikelyLanguage } from "../src/computed/languages.ts";
import { forecast } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { stopCommands } from "../src/computed/owners.ts";
import { memoryLimits, roomBytes } from "../src/computed/memory_limits.ts";
import { pressure } from "../src/computed/pressure.ts";
import { type ProcessLife, processLives, START_UP_SECONDS } from "../src/computed/process_lives.ts";
import {
  ALL_PROCESSES,
  areAllProcesses,
  hiddenProcesses,
  seesAllDescriptors,
} from "../src/computed/process_statuses.ts";
import { hiddenAnonBytes, type Process, processes } from "../src/computed/processes.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { MAX_RATE_SPREAD, type Measurement, MIN_TREND_POINTS, recentTrend, type Trend } from "../src/computed/trend.ts";
import { MATERIAL_SHARE } from "../src/computed/material.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { sumOf } from "../src/core/sums.ts";

/** Heaps grow in steps: a few transparent huge pages (2 MiB each) come and go in a process that leaks nothing. Hosts below 512 MiB have none (hugepage_init()). */
const MIN_GROWTH_BYTES = 16 * 2 ** 20;
/** A process below this is not what fills a host, even if it grows: 128 MiB is the working set of an ordinary service. A container with a small limit is filled by less. */
const MIN_LEAK_BYTES = 128 * 2 ** 20;
/** What leaks makes the host's memory go: together they did at least a quarter of the growth of all anonymous memory. */
const MIN_SHARE_OF_GROWTH = 0.25;
/** Of several leaks none is a quarter of the growth, but each is one beside the fastest; what is slower is in its noise. */
const MIN_SHARE_OF_FASTEST = 0.25;
/** Who has half of the growth took most of it. */
const MOST_OF_GROWTH = 0.5;
/** With sizes alone to go by, only a process that dominates the host is abnormal (Oracle's memstate calls 10 % major). On a small host that is less than a service has elsewhere. */
const DOMINATES_SHARE = 0.1;
/** One that has this much of all anonymous memory is still worth a line, as the one to watch; unless most of that is huge pages (see thp-bloat). */
const WORTH_WATCHING_SHARE = 0.25;
const MOSTLY_HUGE_SHARE = 0.5;
/** Watched for this long, growth is no start-up and no burst. */
const LONG_WATCH_SECONDS = 600;
/** An interpreter or virtual machine with its libraries, before it does anything: Node's and Java's compilers and test runners take 100 to 250 MB. */
const START_UP_BYTES = 256 * 2 ** 20;
/** As much again is garbage: collectors let a heap grow to about twice what they found alive (V8's growing factor, G1's 45 %). */
const COLLECTED_START_UP_BYTES = 2 * START_UP_BYTES;
/** Over hours every program grows a little: caches fill, a day's load comes. */
const MIN_LONG_GROWTH_SHARE = 0.01;
/** Who has less than half of what the host's processes grew by over hours or days did not do most of it. */
const MIN_SHARE_OF_LONG_GROWTH = 0.5;

const needs = { ledger, processes };
const uses = {
  ledgers: overTime(ledger),
  history: overTime(processes),
  recently: lately(processes),
  lives: processLives,
  languages,
  pressure,
  meminfo,
  limits: memoryLimits,
  recorded: importedHistory,
  areAllProcesses,
  seesAllDescriptors,
};

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** One process, or the processes of one program that were there all the time. */
interface Tenant {
  readonly comm: string;
  /** As in the last snapshot, the largest first. */
  readonly processes: readonly Process[];
  /** The same as in the first snapshot that has them. */
  readonly firstSeen: readonly Process[];
  readonly series: readonly Measurement[];
}

interface Grown extends Tenant {
  readonly trend: Trend;
}

/** What a tenant may fill: the host's memory, or as much as its control group has. */
function roomOf({ comm, processes: each, firstSeen }: Tenant, { limits, ledger: { totalBytes } }: Seen): number {
  // The groups were looked at once, in the first whole snapshot.
  const bytes = firstSeen.reduce((sum, process) => sum + process.anonBytes, 0);
  const owner = { pid: (each[0] as Process).pid, comm, bytes, count: each.length, detail: "" };
  return roomBytes("anon", bytes, owner, totalBytes, limits);
}

function leastLeakBytes(totalBytes: number): number {
  return Math.min(MIN_LEAK_BYTES, DOMINATES_SHARE * totalBytes);
}

function leastGrowthBytes(totalBytes: number): number {
  return Math.min(MIN_GROWTH_BYTES, MATERIAL_SHARE * totalBytes);
}

function sizeOf({ anonBytes, swapBytes }: Process): number {
  return anonBytes + swapBytes;
}

/** In words: of RSS a part may be shared, and then it is nobody's own. */
function sizeText(bytes: number, { isRss }: Process): string {
  return `${formatBytes(bytes)} ${isRss ? "resident, shared pages included" : "of its own"}`;
}

/** Processes that are still there, each from when it was first seen. A pid that was given to another program meanwhile is another process. */
function lasting(
  history: readonly TimePoint<readonly Process[]>[],
  bytesOf: (process: Process) => number = sizeOf,
): Tenant[] {
  // None has a trend, and there may be a hundred thousand processes.
  if (history.length < MIN_TREND_POINTS) return [];
  const seen = new Map<string, { first: Process; last: Process; series: Measurement[] }>();
  for (const { time, value } of history) {
    for (const process of value) {
      const key = `${process.pid} ${process.comm}`;
      const { first, series } = seen.get(key) ?? { first: process, series: [] as Measurement[] };
      series.push({ time, bytes: bytesOf(process) });
      seen.set(key, { first, last: process, series });
    }
  }
  const end = history.at(-1)?.time;
  return [...seen.values()]
    .filter(({ series }) => series.at(-1)?.time === end)
    .map(({ first, last, series }) => ({ comm: last.comm, processes: [last], firstSeen: [first], series }));
}

/** Programs that run as several processes, each taken together; only those that were there all the time. */
function programs(tenants: readonly Tenant[], snapshots: number): Tenant[] {
  const lasting = tenants.filter(({ series }) => series.length === snapshots);
  return [...groupBy(lasting, ({ comm }) => comm)].filter(([, each]) => each.length > 1).map(([comm, each]) => ({
    comm,
    processes: each.flatMap(({ processes }) => processes).sort((a, b) => sizeOf(b) - sizeOf(a) || a.pid - b.pid),
    firstSeen: each.flatMap(({ firstSeen }) => firstSeen),
    series: (each[0] as Tenant).series.map(({ time }, i) => ({
      time,
      bytes: sumOf(each, ({ series }) => (series[i] as Measurement).bytes),
    })),
  }));
}

/** Those that are large and grew in a straight enough line. */
function growing(tenants: readonly Tenant[], seen: Seen): Grown[] {
  const grown: Grown[] = [];
  for (const tenant of tenants) {
    const trend = growth(tenant.series, leastGrowthBytes(seen.ledger.totalBytes));
    if (trend === undefined) continue;
    if (trend.high > MAX_RATE_SPREAD * trend.low) continue;
    // Few grow: only of these the limits are looked up.
    const room = roomOf(tenant, seen);
    if ((tenant.series.at(-1) as Measurement).bytes < leastLeakBytes(room)) continue;
    if (trend.spanSeconds >= LONG_WATCH_SECONDS && trend.changeBytes < MIN_LONG_GROWTH_SHARE * room) continue;
    grown.push({ ...tenant, trend });
  }
  return grown;
}

function fastestFirst(a: Grown, b: Grown): number {
  return b.trend.bytesPerSecond - a.trend.bytesPerSecond || (a.comm < b.comm ? -1 : 1);
}

/** Of those that grew, the fastest first, the ones that matter, if together they make up enough of the growth that is to be explained. */
function leaking(grown: readonly Grown[], growthBytes: (seconds: number) => number): Grown[] {
  const fastest = grown[0]?.trend.bytesPerSecond ?? 0;
  const found = grown.filter(({ trend }) => trend.bytesPerSecond >= MIN_SHARE_OF_FASTEST * fastest);
  // Of each its own time: one that was started later did not grow before.
  const share = sumOf(found, ({ trend }) => trend.changeBytes / Math.max(1, growthBytes(trend.spanSeconds)));
  return share >= MIN_SHARE_OF_GROWTH ? found : [];
}

function pidsOf(tenants: readonly Tenant[]): Set<number> {
  return new Set(tenants.flatMap(({ processes }) => processes.map(({ pid }) => pid)));
}

/** Processes of one program that leak side by side are one tenant, without the others of the program, which do not. */
function byProgram(alone: readonly Grown[], seen: Seen): Grown[] {
  const spans = new Set(alone.map(({ series }) => series.length));
  const together = growing([...spans].flatMap((snapshots) => programs(alone, snapshots)), seen);
  const taken = pidsOf(together);
  return [...together, ...alone.filter(({ processes: [process] }) => !taken.has((process as Process).pid))];
}

/** Processes that grow, and programs of which many processes grow by a little each. */
function allGrowing(
  tenants: readonly Tenant[],
  recent: readonly Tenant[],
  snapshots: number,
  seen: Seen,
): Grown[] {
  const alone = growing(tenants, seen);
  const taken = pidsOf(alone);
  // Of days, hardly all processes of a program are the same.
  const others = recent.filter(({ processes: [process] }) => !taken.has((process as Process).pid));
  return [...byProgram(alone, seen), ...growing(programs(others, snapshots), seen)].sort(fastestFirst);
}

/** How much some processes grew in the last seconds; one that was not there yet began with nothing. */
function growthOf(tenants: readonly Tenant[], since: number): number {
  return tenants.reduce((sum, { series }) => {
    const [first, last] = [series[0] as Measurement, series.at(-1) as Measurement];
    const from = first.time > since ? 0 : series.find(({ time }) => time >= since)?.bytes ?? last.bytes;
    return sum + Math.max(0, last.bytes - from);
  }, 0);
}

/** How much anonymous memory those who are known took, also of what comes back from swap. */
function anonGrowthOf(history: readonly TimePoint<readonly Process[]>[]): number {
  const first = new Map(history[0]?.value.map(({ pid, anonBytes }) => [pid, anonBytes]));
  const last = history.at(-1)?.value ?? [];
  return sumOf(last, ({ pid, anonBytes }) => Math.max(0, anonBytes - (first.get(pid) ?? 0)));
}

/** How much all anonymous memory grew in the last seconds of what was watched. */
function anonGrowth(ledgers: readonly TimePoint<Ledger>[], seconds: number): number | undefined {
  const since = (ledgers.at(-1)?.time ?? 0) - seconds * 1000;
  const start = ledgers.find(({ time }) => time >= since);
  const first = start && accountBytes(start.value, "anon");
  const last = ledgers.at(-1);
  const end = last && accountBytes(last.value, "anon");
  return first === undefined || end === undefined ? undefined : end - first;
}

/** Why growth that was watched may be no leak. */
type Doubt =
  | { readonly kind: "starting"; readonly life: ProcessLife }
  | { readonly kind: "computing"; readonly life: ProcessLife }
  /** It had as much more before. */
  | { readonly kind: "returning"; readonly bytes: number };

/** Runtimes that let garbage grow for seconds to minutes before they collect it. */
const COLLECTED: ReadonlySet<string | undefined> = new Set<LikelyLanguage>(["javascript", "java"]);

/** What is known of the oldest process of a tenant that may still be starting up. */
function startUp(
  { processes: each }: Tenant,
  lives: ReadonlyMap<number, ProcessLife>,
  written: Languages | undefined,
): ProcessLife | undefined {
  const known = each.map(({ pid }) => lives.get(pid)).filter((life) => life !== undefined);
  const [oldest] = known.toSorted((a, b) => b.ageSeconds - a.ageSeconds);
  if (oldest === undefined || known.length < each.length || oldest.ageSeconds >= START_UP_SECONDS) return undefined;
  const mostBytes = ({ pid }: Process): number =>
    COLLECTED.has(written?.get(pid)) ? COLLECTED_START_UP_BYTES : START_UP_BYTES;
  const isSmall = each.every((process) => sizeOf(process) < mostBytes(process));
  // Who computes most of the time still loads and compiles, whatever its size; who leaks waits for work in between.
  return isSmall || known.every(({ isComputing }) => isComputing) ? oldest : undefined;
}

/**
 * How much more a tenant had before than it has now, where that is much beside what it grew by: a heap that is swept comes back to where it was, and a leak
 * goes beyond all that was there before.
 */
function returning({ processes: each, series }: Tenant, totalBytes: number): number | undefined {
  const bytes = sumOf(each, ({ belowPeakBytes = 0 }) => belowPeakBytes);
  if (bytes < leastGrowthBytes(totalBytes)) return undefined;
  const trend = recentTrend(series);
  return trend === undefined || trend.spanSeconds >= LONG_WATCH_SECONDS || bytes < trend.changeBytes / 2
    ? undefined
    : bytes;
}

/** Garbage of who has worked for ten minutes was collected many times: it had as much before. */
function wasCollected({ ageSeconds, allCpuSeconds = 0 }: ProcessLife): boolean {
  return Math.min(ageSeconds, allCpuSeconds) >= LONG_WATCH_SECONDS;
}

/** Whether most of what it grew by goes beyond all that it had before; false where that is not told. */
function isBeyondPeak({ firstSeen }: Tenant, { changeBytes }: Trend): boolean {
  return sumOf(firstSeen, ({ belowPeakBytes = Infinity }) => belowPeakBytes) < changeBytes / 2;
}

/** Who works all the time in such a runtime: its heap grows between two collections, whether it leaks or not. */
function computing(
  tenant: Tenant,
  lives: ReadonlyMap<number, ProcessLife>,
  written: Languages | undefined,
): ProcessLife | undefined {
  const trend = recentTrend(tenant.series);
  if (trend === undefined || trend.spanSeconds >= LONG_WATCH_SECONDS) return undefined;
  const known = tenant.processes.map(({ pid }) => COLLECTED.has(written?.get(pid)) ? lives.get(pid) : undefined);
  const areComputing = known.every((life) => life?.isComputing === true);
  const [first] = known;
  const isNew = known.some((life) => life === undefined || !wasCollected(life)) || !isBeyondPeak(tenant, trend);
  return areComputing && isNew ? first : undefined;
}

function isShort({ pressure: host }: Seen): boolean {
  return host?.level === "short" || host?.level === "exhausted";
}

/** Undefined where nothing but a leak explains it. */
function doubtOf(tenant: Tenant, seen: Seen): Doubt | undefined {
  const { lives, languages: written } = seen;
  // Of what makes the host short of memory it does not matter why it grows.
  if (isShort(seen)) return undefined;
  const start = lives && startUp(tenant, lives, written);
  if (start !== undefined) return { kind: "starting", life: start };
  const bytes = returning(tenant, seen.ledger.totalBytes);
  if (bytes !== undefined) return { kind: "returning", bytes };
  const work = lives && computing(tenant, lives, written);
  return work === undefined ? undefined : { kind: "computing", life: work };
}

/** Those whose growth may be no leak, and the others. */
interface Sorted {
  readonly settled: readonly Tenant[];
  readonly doubtful: readonly Tenant[];
  readonly doubts: ReadonlyMap<number, Doubt>;
}

function sorted(history: readonly TimePoint<readonly Process[]>[], seen: Seen): Sorted {
  const tenants = lasting(history).map((tenant) => ({ tenant, doubt: doubtOf(tenant, seen) }));
  const only = (isDoubted: boolean): Tenant[] =>
    tenants.filter(({ doubt }) => (doubt !== undefined) === isDoubted).map(({ tenant }) => tenant);
  const doubts = tenants.flatMap(({ tenant, doubt }) =>
    doubt === undefined ? [] : [[(tenant.processes[0] as Process).pid, doubt] as const]
  );
  return { settled: only(false), doubtful: only(true), doubts: new Map(doubts) };
}

/** Who grows, and makes the host's memory go. */
interface Leaks {
  readonly sure: readonly Grown[];
  readonly doubted: readonly (Grown & { readonly doubt: Doubt | undefined })[];
}

function leaksOf(seen: Seen): Leaks {
  const { ledgers = [], recently = [] } = seen;
  const all = sorted(seen.history ?? [], seen);
  const recent = sorted(recently, seen);
  const end = ledgers.at(-1)?.time ?? 0;
  const growth = (seconds: number): number => anonGrowth(ledgers, seconds) ?? 0;
  // Newcomers, and heaps that are swept, are no part of what the others do.
  const growthLeft = (seconds: number): number => growth(seconds) - growthOf(all.doubtful, end - seconds * 1000);
  const doubted = leaking(allGrowing(all.doubtful, recent.doubtful, recently.length, seen), growth);
  // Of one program some may be starting up (small) and others compute (large): none of which is said of all of them.
  const doubtOfLargest = ({ processes: [largest] }: Tenant): Doubt | undefined => {
    const { pid } = largest as Process;
    return all.doubts.get(pid) ?? recent.doubts.get(pid);
  };
  return {
    sure: leaking(allGrowing(all.settled, recent.settled, recently.length, seen), growthLeft),
    doubted: doubted.map((leak) => ({ ...leak, doubt: doubtOf(leak, seen) ?? doubtOfLargest(leak) })),
  };
}

/** Starting up is no leak, nor is a heap that is swept: whether it goes on growing will be seen. */
function lookAgain({ kind }: Pick<Doubt, "kind">, { pressure: host }: Seen): Remedy {
  const isNear = isEndNear(host?.lastsSeconds);
  return {
    when: "now",
    ...(kind === "starting" || isNear
      ? {
        text: `${lookAgainWhen(isNear)}: who starts up has what it needs then, and who leaks has more. ${
          remedyMark("user-leak", "look again")
        }`,
        commands: [lookAgainCommand(isNear)],
      }
      : {
        text:
          `Watch it for more than ten minutes: a heap that is swept comes back to what it was, and a leak goes on. ${
            remedyMark("user-leak", "look again")
          }`,
        commands: ["nailhouse collect --snapshots 12 --interval 60 --timeout 900"],
      }),
    verify: "whether user-leak is named then",
  };
}

function remedies(
  tenant: { readonly comm: string; readonly processes: readonly Process[] },
  known: readonly Process[],
): Remedy[] {
  const { comm, processes: [largest] } = tenant;
  const { pid, unit } = largest as Process;
  return [
    {
      when: "now",
      text: `End or restart ${comm} in an orderly way: its memory comes back at once. ${
        remedyMark("user-leak", "end the owner")
      }`,
      commands: stopCommands({ comm, pids: tenant.processes.map((process) => process.pid) }, known),
      verify: "AnonPages of /proc/meminfo falls, MemAvailable rises by as much",
    },
    {
      when: "fix",
      text:
        "Find what it allocates and never frees: with the runtime's own heap profile (jcmd GC.heap_dump, pprof, tracemalloc, --heap-prof), " +
        `or from outside with bcc's memleak. ${remedyMark("user-leak", "find what it allocates")}`,
      commands: [`memleak-bpfcc -p ${pid} 10`],
      verify: `grep RssAnon /proc/${pid}/status stays level under the same load`,
    },
    {
      when: "prevent",
      text: `Give it a limit, so that it is this program that ends and not the host. ${
        remedyMark("user-leak", "limit of memory")
      }`,
      commands: [
        unit === undefined
          ? `systemd-run --scope -p MemoryMax=... ${shellWord(comm)}`
          : `systemctl set-property ${shellWord(unit)} MemoryMax=...`,
      ],
      verify: "memory.max of its cgroup is set, and memory.events counts what hits it",
    },
  ];
}

/** "leaky (pid 700)", "worker (12 processes)" */
function nameOf({ comm, processes: each }: Tenant): string {
  return each.length === 1 ? `${comm} (pid ${(each[0] as Process).pid})` : `${comm} (${each.length} processes)`;
}

function growthEvidence(
  base: readonly Process[],
  { processes: last, trend }: Grown,
  total: number | undefined,
): EvidenceLine[] {
  const share = total === undefined || total <= 0
    ? ""
    : `, ${formatShare(Math.min(trend.changeBytes, total), total)} of what all anonymous memory grew by`;
  const [first] = base as [Process];
  const [largest] = last as [Process];
  const of = last.length === 1 ? "" : ` (the largest of ${last.length})`;
  return [{
    path: first.path,
    line: first.line,
    because: `${formatBytes(first.anonBytes)} of anonymous memory${of} when the ledger was read`,
  }, {
    path: largest.path,
    line: largest.line,
    because: `${last.length === 1 ? "" : "together they "}grew by ${formatBytes(trend.changeBytes)} in ${
      Math.round(trend.spanSeconds)
    } s, over ${formatQuantity(trend.points, "snapshot")} without a fall${share}`,
  }];
}

function doubtText(doubt: Doubt): string {
  switch (doubt.kind) {
    case "starting":
      return `; started ${Math.round(doubt.life.ageSeconds)} s ago, it may be starting up`;
    case "computing":
      return "; it works all the time, so this may be garbage that its runtime has not collected yet";
    case "returning":
      return `; it had ${formatBytes(doubt.bytes)} more before (VmHWM), so this may be a heap that is swept`;
  }
}

function doubtEvidence(doubt: Doubt, { processes: [largest] }: Grown): EvidenceLine {
  if (doubt.kind === "returning") {
    const { path, line } = largest as Process;
    return {
      path,
      line,
      because: `the most that it ever had (VmHWM of this file) is ${formatBytes(doubt.bytes)} more than it has now`,
    };
  }
  const { ageSeconds, cpuShare, fairShare, path, line } = doubt.life;
  const fair = fairShare === 1 ? "" : `, where each of those that want a CPU could get ${formatShare(fairShare, 1)}`;
  const work = cpuShare === undefined ? "" : `, and computed ${formatShare(cpuShare, 1)} of the time${fair}`;
  return { path, line, because: `it was started ${Math.round(ageSeconds)} s before the last snapshot${work}` };
}

/** All anonymous memory of the host. */
function anonOf({ ledger }: Seen): number {
  return accountBytes(ledger, "anon") ?? Infinity;
}

/** What is shared (RSS, or pages of a parent's) is in several processes, but once in AnonPages. */
function ownBytes(bytes: number, seen: Seen): number {
  return Math.min(bytes, anonOf(seen));
}

/** Its own for certain: of RSS at most Mapped is files and shared memory, which all processes together map. */
function certainBytes({ anonBytes, swapBytes, isRss }: Process, seen: Seen): number {
  const shared = isRss ? seen.meminfo?.value.bytes.get("Mapped")?.bytes ?? 0 : 0;
  return Math.max(0, ownBytes(anonBytes, seen) - shared) + swapBytes;
}

function dominates(process: Process, seen: Seen): boolean {
  return certainBytes(process, seen) >= DOMINATES_SHARE * seen.ledger.totalBytes;
}

/** Whether the host is short, and it has more than is left: it may have grown hours ago. Where an OOM is over, there is enough left. */
function fills(process: Process, seen: Seen): boolean {
  return isShort(seen) && certainBytes(process, seen) >= (seen.ledger.availableBytes ?? Infinity);
}

/** Whether it is large enough to watch; unless most of all is huge pages. */
function isWorthWatching(process: Process, seen: Seen): boolean {
  const bytes = certainBytes(process, seen);
  const anon = anonOf(seen);
  const huge = seen.meminfo?.value.bytes.get("AnonHugePages")?.bytes ?? 0;
  return bytes >= leastLeakBytes(seen.ledger.totalBytes) && bytes >= WORTH_WATCHING_SHARE * anon &&
    huge < MOSTLY_HUGE_SHARE * anon;
}

/** Whether it may have done most of what was recorded over hours or days. */
function mayBeBehind(process: Process, { trend: { changeBytes } }: LongGrowth, seen: Seen): boolean {
  const bytes = certainBytes(process, seen);
  return bytes >= leastLeakBytes(seen.ledger.totalBytes) && bytes >= MIN_SHARE_OF_LONG_GROWTH * changeBytes;
}

function grownForLong({ recorded, ledger }: Seen): LongGrowth | undefined {
  return longGrowth(recorded, "AnonPages", accountBytes(ledger, "anon"));
}

function wasWatched({ history }: Seen): boolean {
  return (history?.length ?? 0) >= MIN_TREND_POINTS;
}

/** How long it was looked at: the ring has hours. */
function lookText({ history = [] }: Seen): string {
  if (history.length < MIN_TREND_POINTS) return "one look does";
  const [first, last] = [history[0], history.at(-1)] as [TimePoint<unknown>, TimePoint<unknown>];
  return `${formatCount(Math.round((last.time - first.time) / 1000))} s of watching do`;
}

/** Whether all anonymous memory grew steadily, and most of that in nobody who is known. */
function growsUnseen({ ledgers = [], history = [], ledger: { totalBytes } }: Seen): boolean {
  const least = leastGrowthBytes(totalBytes);
  const trend = growth(ledgers.map(({ time, value }) => ({ time, bytes: accountBytes(value, "anon") ?? 0 })), least);
  if (trend === undefined) return false;
  const since = (ledgers.at(-1)?.time ?? 0) - trend.spanSeconds * 1000;
  const seen = anonGrowthOf(history.filter(({ time }) => time >= since));
  return trend.changeBytes - seen >= Math.max(least, trend.changeBytes / 2);
}

/** Somebody who is not in the list dominates, or is what grows: both are the same in the end. Undefined where nobody does. */
function hidden(seen: Seen): Outcome | undefined {
  const bytes = hiddenAnonBytes(anonOf(seen), seen.processes);
  if (!Number.isFinite(bytes)) return undefined;
  if (
    bytes < DOMINATES_SHARE * seen.ledger.totalBytes &&
    !(bytes >= leastLeakBytes(seen.ledger.totalBytes) && growsUnseen(seen))
  ) {
    return undefined;
  }
  const missing = { notAssessed: [hiddenProcesses(bytes)] };
  // A foreign bundle's list may lack what its author left out.
  return seen.seesAllDescriptors === false ? { ...missing, unseenBytes: bytes } : missing;
}

function leakFinding(
  leak: Grown,
  doubt: Doubt | undefined,
  long: LongGrowth | undefined,
  seen: Seen,
): FindingDraft {
  const { comm, trend } = leak;
  const { ledgers } = seen;
  // Claims are made on the ledger, which is that of the first whole snapshot.
  const pids = pidsOf([leak]);
  const base = seen.processes.filter(({ pid }) => pids.has(pid));
  const anonBytes = ownBytes(sumOf(base, (process) => process.anonBytes), seen);
  // One that was started later has none of what the ledger tells.
  const shown = base.length > 0 ? base : leak.processes;
  const bytes = sumOf(shown, sizeOf);
  const [first] = shown as readonly [Process];
  return {
    title: `${nameOf(leak)} has ${sizeText(bytes, first)} and grows by ${formatRate(trend.bytesPerSecond)}${
      doubt === undefined ? "" : doubtText(doubt)
    }`,
    confidence: doubt !== undefined ? "possible" : trend.spanSeconds >= LONG_WATCH_SECONDS ? "confirmed" : "likely",
    material: doubt === undefined,
    claims: [{ account: "anon", bytes: { low: anonBytes, high: anonBytes } }],
    ...forecast(trend, ledgers),
    owners: [{ pid: first.pid, comm, bytes, count: shown.length, detail: first.unit ?? "no systemd unit known" }],
    evidence: [
      ...growthEvidence(shown, leak, ledgers && anonGrowth(ledgers, trend.spanSeconds)),
      ...(doubt === undefined ? [] : [doubtEvidence(doubt, leak)]),
      ...longGrowthEvidence(long),
    ],
    remedies: doubt === undefined ? remedies(leak, seen.processes) : [lookAgain(doubt, seen)],
  };
}

/**
 * Who took most of what a host lost that is soon out of memory, however unevenly: no accusation, but the one to look at while there is time.
 */
function grewMost(seen: Seen): FindingDraft | undefined {
  if (!isEndNear(seen.pressure?.lastsSeconds)) return undefined;
  const least = leastGrowthBytes(seen.ledger.totalBytes);
  const grown = lasting(seen.history ?? []).flatMap((tenant) => {
    const trend = recentTrend(tenant.series);
    return trend === undefined || trend.low < 0 || trend.changeBytes < least ? [] : [{ ...tenant, trend }];
  });
  const [most] = grown.sort((a, b) => b.trend.changeBytes - a.trend.changeBytes || (a.comm < b.comm ? -1 : 1));
  if (most === undefined) return undefined;
  const { trend: { changeBytes, spanSeconds } } = most;
  if (changeBytes < MOST_OF_GROWTH * (anonGrowth(seen.ledgers ?? [], spanSeconds) ?? Infinity)) return undefined;
  const doubt = doubtOf(most, seen);
  return {
    ...leakFinding(most, doubt, undefined, seen),
    title: `${nameOf(most)} grew most, by ${formatBytes(changeBytes)} in ${Math.round(spanSeconds)} s to ${
      sizeText(most.series.at(-1)?.bytes ?? 0, most.processes[0] as Process)
    }${doubt === undefined ? ", which is too uneven to tell a leak" : doubtText(doubt)}`,
    confidence: "possible",
    material: false,
    remedies: [lookAgain({ kind: "starting" }, seen)],
  };
}

function hugeBytes({ hugetlb }: Process): number {
  return hugetlb?.bytes ?? 0;
}

/**
 * Who took most of what the host's huge pages grew by. No RSS, and so no VmHWM, has them. Those of a pool that was made before are another's loss
 * (hugetlb-reservation): the host loses what it has to make anew (surplus pages, vm.nr_overcommit_hugepages).
 */
function hugeFinding(seen: Seen): FindingDraft | undefined {
  const { ledgers = [], history = [], ledger: { totalBytes }, processes: known } = seen;
  const series = ledgers.map(({ time, value }) => ({ time, bytes: accountBytes(value, "hugetlb") ?? 0 }));
  const host = growth(series, leastGrowthBytes(totalBytes));
  if (host === undefined) return undefined;
  const [most] = lasting(history, hugeBytes).flatMap((tenant): Grown[] => {
    const trend = growth(tenant.series, MOST_OF_GROWTH * host.changeBytes);
    return trend === undefined ? [] : [{ ...tenant, trend }];
  }).sort(fastestFirst);
  const last = most?.processes[0];
  if (most === undefined || last?.hugetlb === undefined || last.hugetlb.bytes < leastLeakBytes(totalBytes)) {
    return undefined;
  }
  const { pid, comm, path, unit, hugetlb: { bytes, line } } = last;
  const { bytesPerSecond, changeBytes, spanSeconds } = most.trend;
  // As of the snapshot that the ledger is of.
  const base = known.find((process) => process.pid === pid);
  const held = Math.min(base === undefined ? 0 : hugeBytes(base), series[0]?.bytes ?? 0);
  return {
    title: `${nameOf(most)} has ${formatBytes(bytes)} of huge pages (hugetlbfs), which grow by ${
      formatRate(bytesPerSecond)
    }: a leak, or buffers that fill`,
    // Nothing tells its own from a database's buffers.
    confidence: isShort(seen) ? "likely" : "possible",
    material: true,
    claims: [{ account: "hugetlb", bytes: { low: held, high: held } }],
    ...forecast(most.trend, ledgers),
    owners: [{ pid, comm, bytes, count: 1, detail: unit ?? "no systemd unit known" }],
    evidence: [{
      path,
      line,
      because: `it has ${formatBytes(changeBytes)} more than ${Math.round(spanSeconds)} s before, of ${
        formatBytes(host.changeBytes)
      } that all huge pages grew by`,
    }],
    remedies: [{
      when: "now",
      text:
        `See which of its mappings it is, and look again in a few minutes: buffers stop at the size that they are given, and a leak does not. ${
          remedyMark("user-leak", "find what it allocates")
        }`,
      commands: [
        `awk '/^[0-9a-f]+-/ { at = $0 } /_Hugetlb:/ && $2 > 0 { print $2, "kB", at }' /proc/${pid}/smaps`,
        lookAgainCommand(isEndNear(seen.pressure?.lastsSeconds)),
      ],
      verify: `HugetlbPages of /proc/${pid}/status stays level`,
    }],
  };
}

function sizeFinding(process: Process, long: LongGrowth | undefined, seen: Seen): FindingDraft {
  const { pid, comm, anonBytes, unit, isRss, path, line } = process;
  const bytes = sizeOf(process);
  const own = ownBytes(anonBytes, seen);
  const share = `${formatShare(anonBytes, seen.ledger.totalBytes)} of all memory is`;
  const isMuch = dominates(process, seen);
  return {
    title: `${comm} (pid ${pid}) is the largest process with ${sizeText(bytes, process)}; ${
      lookText(seen)
    } not tell whether it grows`,
    confidence: "possible",
    material: isMuch,
    claims: [{ account: "anon", bytes: { low: Math.min(own, certainBytes(process, seen)), high: own } }],
    owners: [{ pid, comm, bytes, count: 1, detail: unit ?? "no systemd unit known" }],
    evidence: [{
      path,
      line,
      because: isRss ? `${share} in this process, files and shared memory included` : `${share} this process's`,
    }, ...longGrowthEvidence(long)],
    // The largest of a host is somebody's, and most often no leak: it is watched before it is ended.
    remedies: isMuch || fills(process, seen)
      ? remedies({ comm, processes: [process] }, seen.processes)
      : [lookAgain({ kind: "starting" }, seen)],
  };
}

function ruledOut(largest: Process, seen: Seen): string {
  const size = `${largest.comm}, has ${formatBytes(sizeOf(largest))}`;
  if (wasWatched(seen)) {
    return `no program that is large enough to fill the host grew steadily; the largest process, ${size}`;
  }
  return `the largest process, ${size}${largest.isRss ? ", shared pages included" : ""}: ${
    formatShare(sizeOf(largest), seen.ledger.totalBytes)
  } of memory`;
}

/** What is to be said where nobody leaks for sure. */
function otherOutcome(doubted: readonly FindingDraft[], long: LongGrowth | undefined, seen: Seen): Outcome {
  const unseen = doubted.length > 0 ? undefined : hidden(seen);
  if (unseen !== undefined) return unseen;
  const [largest] = seen.processes;
  if (largest === undefined) {
    return seen.areAllProcesses === false
      ? { notAssessed: [ALL_PROCESSES] }
      : { ruledOut: "no process has memory of its own" };
  }
  // Seconds do not show a leak of days. Who it is, the host's growth does not tell: the process that is large enough is worth watching.
  if (long !== undefined && mayBeBehind(largest, long, seen)) {
    return { findings: [sizeFinding(largest, long, seen), ...doubted] };
  }
  if (doubted.length > 0) return { findings: doubted };
  const most = grewMost(seen);
  if (most !== undefined) return { findings: [most] };
  if ((!wasWatched(seen) || fills(largest, seen)) && (dominates(largest, seen) || isWorthWatching(largest, seen))) {
    return { findings: [sizeFinding(largest, long, seen)] };
  }
  return seen.areAllProcesses === false ? { notAssessed: [ALL_PROCESSES] } : { ruledOut: ruledOut(largest, seen) };
}

export const userLeak: Analyzer = defineAnalyzer({
  id: "user-leak",
  title: "Anonymous memory of a process that grows, or dominates",
  mechanism:
    "A process allocates (heap, stacks, private mappings) and does not give back. The pages are its own: RssAnon in /proc/PID/status, " +
    "AnonPages in /proc/meminfo. Those of MAP_HUGETLB are in no RSS, but in its HugetlbPages.",
  lookAlikes:
    "A large but steady process (a database's cache), which only growth tells from a leak. A program that starts up: for 90 s it is at " +
    "most possible, unless the host is short of memory. A heap that is swept now and then, and had as much before (VmHWM), or whose runtime (Node, Java) works all the time: until it was watched for ten minutes. thp-bloat: huge pages make a small " +
    "working set large. process-proliferation: many small processes of one program. shmem-leak: shared memory is in no process's RssAnon.",
  references: ["https://docs.kernel.org/filesystems/proc.html"],
  needs,
  uses,
  // What of it is large and steady is usual.
  judgesGrowthOf: "anon",
  analyze(seen) {
    const huge = hugeFinding(seen);
    const outcome = anonOutcome(seen);
    if (huge === undefined || "notAssessed" in outcome) return outcome;
    return { findings: ["findings" in outcome ? outcome.findings : [], huge].flat() };
  },
});

/** Of anonymous memory that AnonPages counts. */
function anonOutcome(seen: Seen): Outcome {
  const { sure, doubted } = leaksOf(seen);
  const long = grownForLong(seen);
  const inDoubt = doubted.map((leak) => leakFinding(leak, leak.doubt, long, seen));
  return sure.length > 0
    ? { findings: [...sure.map((leak) => leakFinding(leak, doubtOf(leak, seen), long, seen)), ...inDoubt] }
    : otherOutcome(inDoubt, long, seen);
}
