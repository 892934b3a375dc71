/** Since when processes have been there, and what they did meanwhile. */
import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, overTime, type Parsed, type Source, type TimePoint } from "../core/source.ts";
import { loadavg } from "../parsers/loadavg.ts";
import { type ListedProcess, processList } from "../parsers/process_list.ts";

/** What takes longer than this is no start-up: the time that systemd gives a service (DefaultTimeoutStartSec). */
export const START_UP_SECONDS = 90;

/** One process of the last snapshot. */
export interface ProcessLife extends SourceLine {
  /** When the last snapshot was taken. */
  readonly ageSeconds: number;
  /** CPU time while it was watched; undefined when it was seen once only. */
  readonly cpuSeconds: number | undefined;
  /** Since it was started; undefined where the list does not tell. */
  readonly allCpuSeconds: number | undefined;
  /** While it was watched, for each second. */
  readonly cpuShare: number | undefined;
  /** What of a CPU each of those that want one could get; 1 where there are enough, or it is not known. */
  readonly fairShare: number;
  /** Whether it worked most of the time that it could get, or ran or waited for a CPU in each of several snapshots. */
  readonly isComputing: boolean;
}

type List = Parsed<readonly ListedProcess[]>;

/** The first snapshot in which it was seen. */
function firstSight(
  history: readonly TimePoint<ReadonlyMap<number, ListedProcess>>[],
  { pid, startSeconds }: ListedProcess,
): { time: number; cpuSeconds: number | undefined } | undefined {
  for (const { time, value } of history) {
    const process = value.get(pid);
    if (process !== undefined && process.startSeconds === startSeconds) {
      return { time, cpuSeconds: process.cpuSeconds };
    }
  }
  return undefined;
}

/** Who works for more than half of the time that it can get waits for little else. */
const COMPUTING_SHARE = 0.5;

/** Whether it was in one state of /proc/PID/stat whenever it was looked at: R on a CPU, or waiting for one; D waiting for a disk or a file server. */
function isAlways(
  state: "R" | "D",
  history: readonly TimePoint<ReadonlyMap<number, ListedProcess>>[],
  { pid, startSeconds }: ListedProcess,
): boolean {
  const seen = history.map(({ value }) => value.get(pid)).filter((process) => process?.startSeconds === startSeconds);
  return seen.length > 1 && seen.every((process) => process?.state === state);
}

/** The load counts who runs, who waits for a CPU and, though that takes none from anybody, who is stuck. */
function fairShareOf(load: number | undefined, stuck: number, cpus: number | undefined): number {
  return cpus === undefined || load === undefined || load - stuck <= cpus ? 1 : cpus / (load - stuck);
}

function livesOf(
  history: readonly TimePoint<List>[],
  load: number | undefined,
  cpus: number | undefined,
): Map<number, ProcessLife> {
  const lives = new Map<number, ProcessLife>();
  const last = history.at(-1);
  if (last === undefined) return lives;
  const starts = last.value.value.flatMap(({ startSeconds }) => startSeconds ?? []);
  // The newest process is the one that writes the list.
  const now = starts.reduce((latest, start) => Math.max(latest, start), 0);
  const byPid = history.map(({ time, value: { value } }) => ({
    time,
    value: new Map(value.map((process) => [process.pid, process])),
  }));
  const stuck = last.value.value.filter((process) => process.state === "D" && isAlways("D", byPid, process)).length;
  const fairShare = fairShareOf(load, stuck, cpus);
  for (const process of last.value.value) {
    const { pid, startSeconds, cpuSeconds, line } = process;
    if (startSeconds === undefined) continue;
    const first = firstSight(byPid, process);
    const spent = first?.cpuSeconds !== undefined && cpuSeconds !== undefined && last.time > first.time
      ? cpuSeconds - first.cpuSeconds
      : undefined;
    const cpuShare = spent === undefined || first === undefined ? undefined : spent * 1000 / (last.time - first.time);
    lives.set(pid, {
      ageSeconds: now - startSeconds,
      cpuSeconds: spent,
      allCpuSeconds: cpuSeconds,
      cpuShare,
      fairShare,
      isComputing: cpuShare !== undefined && cpuShare >= COMPUTING_SHARE * fairShare ||
        isAlways("R", byPid, process),
      path: last.value.path,
      line,
    });
  }
  return lives;
}

/** By pid; those whose start is not known are left out. */
export const processLives: Source<ReadonlyMap<number, ProcessLife>> = defineComputed({
  name: "processes' lives",
  needs: {},
  uses: { history: overTime(processList), loads: overTime(loadavg) },
  compute: ({ history, loads }, { cpus }) => livesOf(history ?? [], loads?.at(-1)?.value.value.load1, cpus),
});
