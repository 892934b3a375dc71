import {
  type Analyzer,
  defineAnalyzer,
  type EvidenceLine,
  type FindingDraft,
  type Outcome,
} from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatShare } from "../src/core/format.ts";
import { shellWord } from "../src/core/shell.ts";
import { accountBytes, type Ledger } from "../src/core/ledger.ts";
import type { Confidence, Remedy } from "../src/core/report.ts";
import { type MaybeValues, overTime, type TimePoint, type Values } from "../src/core/source.ts";
import { forecast, inBytes } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialHeldBytes } from "../src/computed/material.ts";
import { nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { ALL_PROCESSES, areAllProcesses, hiddenProcesses } from "../src/computed/process_statuses.ts";
import { processLives, START_UP_SECONDS } from "../src/computed/process_lives.ts";
import { hiddenAnonBytes, type Process, processes } from "../src/computed/processes.ts";
import { type Program, programs } from "../src/computed/programs.ts";
import { type ProgramSeries, programSeries } from "../src/computed/program_series.ts";
import { MIN_TREND_POINTS, type Trend } from "../src/computed/trend.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { sumOf } from "../src/core/sums.ts";

/** Apache's prefork, the server with the most processes by default, has at most 256 (MaxRequestWorkers). */
const MANY_PROCESSES = 256;
/** Fewer than those are a pool that is filled by a load, or pile up: then they make the host's memory go, at least a quarter of what all grows by. */
const MIN_SHARE_OF_GROWTH = 0.25;
/** As in user-leak: heaps grow in steps. */
const MIN_GROWTH_BYTES = 16 * 2 ** 20;
/** Many processes that are there as a pool are somebody's decision; from a tenth of memory on they are worth naming even so. */
const DOMINATES_SHARE = 0.1;

/** Workers that end and are replaced are a pool at work; of those that pile up, hardly any ends while it is watched. */
const MAX_ENDED_SHARE = 0.1;
/** Watched for this long, growth is no start-up and no burst of requests. */
const LONG_WATCH_SECONDS = 600;

/** Counters of single processes lag behind AnonPages, and looks at them are not of one moment. */
const SAME_MEMORY = 0.9;

interface Crowd extends Program {
  readonly anonBytes: number;
  /** What is theirs alone at the least: what the others have not. Pages that were shared at fork() are in each one's RssAnon, and once in memory. */
  readonly leastAnonBytes: number;
  readonly largest: Process;
}

/** @param anon All anonymous memory of the host. What is shared (RSS, or pages of a parent's) is in many processes, but once in there. */
function crowds(
  all: readonly Program[],
  known: readonly Process[],
  anon: number,
  isCrowd: (crowd: Crowd) => boolean,
): Crowd[] {
  const own = new Map<string, { largest: Process; anonBytes: number }>();
  // The largest first.
  for (const process of known) {
    const others = own.get(process.comm);
    if (others === undefined) own.set(process.comm, { largest: process, anonBytes: process.anonBytes });
    else others.anonBytes += process.anonBytes;
  }
  const allBytes = sumOf(known, (process) => process.anonBytes);
  return all.flatMap((program) => {
    const sizes = own.get(program.comm);
    if (sizes === undefined) return [];
    const { largest, anonBytes } = sizes;
    const notOthers = Math.max(largest.anonBytes, anon - (allBytes - anonBytes));
    // Of RSS it is not known how much is anonymous at all.
    const isShared = !largest.isRss && notOthers < SAME_MEMORY * anonBytes;
    const leastAnonBytes = Math.min(anon, isShared ? notOthers : anonBytes);
    return [{ ...program, largest, anonBytes: Math.min(anonBytes, anon), leastAnonBytes }];
  }).filter(isCrowd).sort((a, b) => b.anonBytes - a.anonBytes || (a.comm < b.comm ? -1 : 1));
}

/** The trend of their number, if there are ever more of them and they do not end. */
function growthOf(series: ProgramSeries | undefined): Trend | undefined {
  if (series === undefined || series.ended > MAX_ENDED_SHARE * series.started) return undefined;
  return growth(series.processes);
}

function sizeOf({ leastAnonBytes, pageTableBytes }: Crowd): number {
  return leastAnonBytes + pageTableBytes;
}

/** How much all anonymous memory grew since then. */
function anonGrowth(ledgers: readonly TimePoint<Ledger>[], since: number): number {
  const last = ledgers.at(-1);
  const first = ledgers.find(({ time }) => time >= since);
  const anon = (point: TimePoint<Ledger> | undefined): number => (point && accountBytes(point.value, "anon")) ?? 0;
  return anon(last) - anon(first);
}

/** How much of that did other programs that start up: what lasts they do not tell (as in user-leak). */
function startUpGrowth(comm: string, since: number, { history = [], lives }: Seen): number {
  const before = new Map(
    history.find(({ time }) => time >= since)?.value.map(({ pid, anonBytes }) => [pid, anonBytes]),
  );
  const starting = (history.at(-1)?.value ?? []).filter((process) =>
    process.comm !== comm && (lives?.get(process.pid)?.ageSeconds ?? Infinity) < START_UP_SECONDS
  );
  return starting.reduce((sum, { pid, anonBytes }) => sum + Math.max(0, anonBytes - (before.get(pid) ?? 0)), 0);
}

/** Whether processes of one program, however few, do much of what makes memory go. */
function pilesUp(crowd: Crowd, trend: Trend | undefined, seen: Seen): boolean {
  if (trend === undefined) return false;
  const { ledgers = [] } = seen;
  const grown = trend.changeBytes * sizeOf(crowd) / crowd.pids.length;
  const since = (ledgers.at(-1)?.time ?? 0) - trend.spanSeconds * 1000;
  return grown >= MIN_GROWTH_BYTES &&
    grown >= MIN_SHARE_OF_GROWTH * (anonGrowth(ledgers, since) - startUpGrowth(crowd.comm, since, seen));
}

/** How many there were at the end: what piles up passes any pool's size while it is watched. */
function countOf({ comm, pids }: Crowd, { programSeries: series }: Seen): number {
  return Math.max(pids.length, series?.get(comm)?.processes.at(-1)?.bytes ?? 0);
}

const needs = { ledger, processes, programs };
const uses = {
  programSeries,
  ledgers: overTime(ledger),
  history: overTime(processes),
  lives: processLives,
  areAllProcesses,
};

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

function processCount({ programs: all }: Seen): number {
  return sumOf(all, ({ pids }) => pids.length);
}

/** Nobody has many like it, or piles up; unless those that do are not in the bundle. */
function none(seen: Seen): Outcome {
  if (seen.areAllProcesses === false) return { notAssessed: [ALL_PROCESSES] };
  const hiddenBytes = hiddenAnonBytes(accountBytes(seen.ledger, "anon") ?? 0, seen.processes);
  if (hiddenBytes >= DOMINATES_SHARE * seen.ledger.totalBytes) return { notAssessed: [hiddenProcesses(hiddenBytes)] };
  const piles = (seen.ledgers?.length ?? 0) < MIN_TREND_POINTS ? "" : ", and none piles up";
  return {
    ruledOut: `none of ${
      formatQuantity(processCount(seen), "process", "processes")
    } has ${MANY_PROCESSES} like it${piles}`,
  };
}

function evidence(crowd: Crowd, trend: Trend | undefined, seen: Seen): EvidenceLine[] {
  const { largest, pids, comm, anonBytes, leastAnonBytes, pageTableBytes } = crowd;
  const lines: EvidenceLine[] = [{
    path: largest.path,
    line: largest.line,
    because: `the largest of ${formatQuantity(pids.length, "process", "processes")} named ${comm}, ${
      formatShare(pids.length, processCount(seen))
    } of all; together ${largest.isRss || leastAnonBytes < anonBytes ? "at most " : ""}${
      formatBytes(anonBytes)
    } of their own${leastAnonBytes < anonBytes ? ", in part the same pages (fork)," : ""} and ${
      formatBytes(pageTableBytes)
    } of page tables`,
  }];
  const watched = seen.programSeries?.get(comm);
  if (trend === undefined || watched === undefined) return lines;
  return [...lines, {
    ...watched.newest,
    because: `the newest of them; ${formatCount(watched.started)} were started and ${
      formatCount(watched.ended)
    } ended within ${Math.round(trend.spanSeconds)} s`,
  }];
}

/** Many that were seen once, and do not fill the host, are a pool as a rule. */
function lookAgain(): Remedy {
  return {
    when: "now",
    text: `Look again in a few minutes: a pool is as large as it was, and what piles up is more. ${
      remedyMark("process-proliferation", "look again")
    }`,
    commands: ["nailhouse collect --snapshots 6 --interval 30"],
    verify: "whether there are ever more of them",
  };
}

function remedies(crowd: Crowd, first: "end" | "look" | "none", known: readonly Process[]): Remedy[] {
  const end: Remedy = {
    when: "now",
    text: `End them in an orderly way, after whoever starts them: otherwise there are new ones at once. ${
      remedyMark("process-proliferation", "end them")
    }`,
    commands: stopCommands(crowd, known),
    verify: "the number after the slash in /proc/loadavg falls, and AnonPages with it",
  };
  return [
    ...(first === "end" ? [end] : first === "look" ? [lookAgain()] : []),
    {
      when: "fix",
      text:
        `See what they wait for, and give each an end: a lock with a time limit (flock -n), a time limit for the whole (timeout), a pool of a fixed size. ${
          remedyMark("process-proliferation", "see what they wait for")
        }`,
      commands: [
        `cat /proc/${crowd.largest.pid}/wchan`,
        `ps -o pid,ppid,etime,stat,wchan:20,cmd -p ${crowd.largest.pid}`,
      ],
      verify: "their number stays level under the same load",
    },
    {
      when: "prevent",
      text: `Limit the tasks of the service. ${remedyMark("process-proliferation", "limit of tasks")}`,
      commands: ["systemctl set-property UNIT TasksMax=512"],
      verify: "pids.events of its cgroup counts what hits the limit",
    },
  ];
}

function confidenceOf(isMany: boolean, isLong: boolean, trend: Trend | undefined): Confidence {
  if (isMany && isLong) return "confirmed";
  return trend !== undefined && (isMany || isLong) ? "likely" : "possible";
}

function finding(crowd: Crowd, trend: Trend | undefined, seen: Seen): FindingDraft {
  const bytes = sizeOf(crowd);
  const each = bytes / crowd.pids.length;
  const isMany = countOf(crowd, seen) >= MANY_PROCESSES;
  const isLong = trend !== undefined && trend.spanSeconds >= LONG_WATCH_SECONDS;
  // A server is given so few by its load.
  const isMaterial = isMany ? trend !== undefined || bytes >= DOMINATES_SHARE * seen.ledger.totalBytes : isLong;
  const parent = seen.programSeries?.get(crowd.comm)?.parent;
  const starter = parent === undefined
    ? `who starts them: ps -o ppid= -C ${shellWord(crowd.comm)} | sort | uniq -c`
    : `started by ${parent.comm} (pid ${parent.pid})`;
  return {
    title: `${nameOfGroup(crowd)} have ${crowd.leastAnonBytes < crowd.anonBytes ? "at least " : ""}${
      formatBytes(bytes)
    } together${trend === undefined ? "" : ", and there are ever more of them"}`,
    confidence: confidenceOf(isMany, isLong, trend),
    material: isMaterial,
    claims: [
      { account: "anon", bytes: { low: crowd.largest.isRss ? 0 : crowd.leastAnonBytes, high: crowd.anonBytes } },
      { account: "page-tables", bytes: { low: crowd.pageTableBytes, high: crowd.pageTableBytes } },
    ],
    ...forecast(trend && inBytes(trend, each), seen.ledgers),
    owners: [{
      pid: crowd.largest.pid,
      comm: crowd.comm,
      bytes,
      count: crowd.pids.length,
      detail: `about ${formatBytes(each)} each; ${starter}`,
    }],
    evidence: evidence(crowd, trend, seen),
    // Workers that a load brought are needed.
    remedies: remedies(crowd, isMaterial ? "end" : isMany ? "look" : "none", seen.processes),
  };
}

export const processProliferation: Analyzer = defineAnalyzer({
  id: "process-proliferation",
  title: "Ever more processes of one program",
  mechanism:
    "A program starts processes and does not wait for them to end, or they never do: each is small and none looks guilty, but each has its own heap, stack, " +
    "page tables and kernel objects. cron jobs that hang on a lock, workers that are started again and again, a fork bomb.",
  lookAlikes:
    "A pool of workers of a fixed size: many, but not more and more. user-leak: the same processes grow. kernel-stack-leak: threads of one process. " +
    "Zombies hold no memory but a task_struct.",
  references: ["https://docs.kernel.org/admin-guide/cgroup-v2.html#pid"],
  needs,
  uses,
  analyze(seen) {
    const { ledger: host, programSeries: series } = seen;
    const found = crowds(
      seen.programs,
      seen.processes,
      accountBytes(host, "anon") ?? Infinity,
      (crowd) => crowd.pids.length >= MANY_PROCESSES || pilesUp(crowd, growthOf(series?.get(crowd.comm)), seen),
    );
    // One that grows goes before one that is only larger.
    const crowd = found.find(({ comm }) => growthOf(series?.get(comm)) !== undefined) ?? found[0];
    if (crowd === undefined) return none(seen);
    const watched = series?.get(crowd.comm);
    const trend = growthOf(watched);
    const isSteady = trend === undefined && (watched?.processes.length ?? 0) >= MIN_TREND_POINTS;
    if (!isSteady && sizeOf(crowd) >= materialHeldBytes(host.totalBytes)) {
      return { findings: [finding(crowd, trend, seen)] };
    }
    const steady = isSteady
      ? `, and do not become ever more (${watched?.started} started and ${watched?.ended} ended while it was watched)`
      : "";
    return {
      ruledOut: `${formatQuantity(crowd.pids.length, "process", "processes")} of ${crowd.comm} have ${
        formatBytes(sizeOf(crowd))
      }${steady}`,
    };
  },
});
