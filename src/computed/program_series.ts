/** How many processes and threads each program has, over the snapshots. */
import { groupBy } from "../core/group_by.ts";
import type { SourceLine } from "../core/ledger.ts";
import { type Captured, overTime, type Parsed, type Reader, type Source, type TimePoint } from "../core/source.ts";
import { sumOf } from "../core/sums.ts";
import { type ListedProcess, processList } from "../parsers/process_list.ts";
import type { Measurement } from "./trend.ts";

/** One program, by the name of its processes. */
export interface ProgramSeries {
  readonly comm: string;
  /** Numbers, not bytes: a trend of them is in processes and threads a second. */
  readonly processes: readonly Measurement[];
  readonly threads: readonly Measurement[];
  /** Between the first and the last snapshot. */
  readonly started: number;
  readonly ended: number;
  /** Who started most of those that there are at the end; undefined when that is not in the list. */
  readonly parent: { readonly pid: number; readonly comm: string; readonly children: number } | undefined;
  /** The one with the highest number in the last snapshot. */
  readonly newest: SourceLine & { readonly pid: number };
}

type List = Parsed<readonly ListedProcess[]>;

/** By name; what has ended, and is only not taken notice of, has no memory and is left out. */
function byComm(list: List): Map<string, ListedProcess[]> {
  return groupBy(list.value.filter(({ state }) => state !== "Z"), ({ comm }) => comm);
}

function parentOf(processes: readonly ListedProcess[], list: List): ProgramSeries["parent"] {
  const children = new Map<number, number>();
  for (const { ppid } of processes) children.set(ppid, (children.get(ppid) ?? 0) + 1);
  const [most] = [...children].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const parent = most && list.value.find(({ pid }) => pid === most[0]);
  return most && parent && { pid: parent.pid, comm: parent.comm, children: most[1] };
}

function seriesOf(snapshots: readonly TimePoint<List>[], last: List): Map<string, ProgramSeries> {
  const groups = snapshots.map(({ time, value }) => ({ time, programs: byComm(value) }));
  const count = (comm: string, weight: (process: ListedProcess) => number): Measurement[] =>
    groups.map(({ time, programs }) => ({
      time,
      bytes: sumOf(programs.get(comm) ?? [], weight),
    }));
  const series = new Map<string, ProgramSeries>();
  for (const [comm, processes] of byComm(last)) {
    const before = new Set(groups[0]?.programs.get(comm)?.map(({ pid }) => pid) ?? processes.map(({ pid }) => pid));
    const kept = processes.filter(({ pid }) => before.has(pid)).length;
    const newest = processes.reduce((a, b) => (b.pid > a.pid ? b : a));
    series.set(comm, {
      comm,
      processes: count(comm, () => 1),
      threads: count(comm, ({ threads }) => threads),
      started: processes.length - kept,
      ended: before.size - kept,
      parent: parentOf(processes, last),
      newest: { path: last.path, line: newest.line, pid: newest.pid },
    });
  }
  return series;
}

function read(reader: Reader): Captured<ReadonlyMap<string, ProgramSeries>> {
  const list = reader.read(processList);
  if (list.status !== "ok") return list;
  const captured = reader.read(overTime(processList));
  const snapshots = captured.status === "ok" ? captured.value : [];
  return { status: "ok", value: seriesOf(snapshots, snapshots.at(-1)?.value ?? list.value) };
}

/** By name. */
export const programSeries: Source<ReadonlyMap<string, ProgramSeries>> = {
  name: "programs over time",
  patterns: processList.patterns,
  read,
};
