/** How many processes and threads each program has, over the snapshots. */
import type { SourceLine } from "../core/ledger.ts";
import { type Captured, overTime, type Source } from "../core/source.ts";
import { processList } from "../parsers/process_list.ts";
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
  /** The newest of them in the last snapshot: the one with the highest number. */
  readonly newest: SourceLine & { readonly pid: number };
}

function read(reader: Parameters<Source<unknown>["read"]>[0]): Captured<ReadonlyMap<string, ProgramSeries>> {
  const here = reader.read(processList);
  if (here.status !== "ok") return here;
  const captured = reader.read(overTime(processList));
  const snapshots = captured.status === "ok" ? captured.value : [];
  const first = snapshots[0]?.value.value ?? here.value.value;
  const last = snapshots.at(-1)?.value ?? here.value;
  const comms = new Map(last.value.map(({ pid, comm }) => [pid, comm]));
  const before = new Set(first.map(({ pid, comm }) => `${pid} ${comm}`));
  const series = new Map<string, ProgramSeries>();
  const counts = snapshots.map(({ time, value: { value } }) => {
    const byComm = new Map<string, { processes: number; threads: number }>();
    // What has ended and is only not taken notice of has no memory.
    for (const { comm, state, threads } of value) {
      if (state === "Z") continue;
      const known = byComm.get(comm) ?? { processes: 0, threads: 0 };
      byComm.set(comm, { processes: known.processes + 1, threads: known.threads + threads });
    }
    return { time, byComm };
  });
  const byComm = Map.groupBy(last.value.filter(({ state }) => state !== "Z"), ({ comm }) => comm);
  for (const [comm, processes] of byComm) {
    const parents = new Map<number, number>();
    for (const { ppid } of processes) parents.set(ppid, (parents.get(ppid) ?? 0) + 1);
    const [most] = [...parents].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    const parentComm = most && comms.get(most[0]);
    const newest = processes.reduce((a, b) => (b.pid > a.pid ? b : a));
    const kept = processes.filter(({ pid }) => before.has(`${pid} ${comm}`)).length;
    series.set(comm, {
      comm,
      processes: counts.map(({ time, byComm }) => ({ time, bytes: byComm.get(comm)?.processes ?? 0 })),
      threads: counts.map(({ time, byComm }) => ({ time, bytes: byComm.get(comm)?.threads ?? 0 })),
      started: processes.length - kept,
      ended: first.filter((each) => each.comm === comm && each.state !== "Z").length - kept,
      parent: most === undefined || parentComm === undefined
        ? undefined
        : { pid: most[0], comm: parentComm, children: most[1] },
      newest: { path: last.path, line: newest.line, pid: newest.pid },
    });
  }
  return { status: "ok", value: series };
}

/** By name. */
export const programSeries: Source<ReadonlyMap<string, ProgramSeries>> = {
  name: "programs over time",
  patterns: processList.patterns,
  read,
};
