import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Source } from "../core/source.ts";
import type { ProcessFile } from "../parsers/_groups.ts";
import { type ProcessCgroup, processCgroup, systemdUnit } from "../parsers/process_cgroup.ts";
import { type HostAtOom, hostAtOom } from "./oom_dump.ts";
import type { ProcessStatus } from "../parsers/process_status.ts";
import { processStatuses } from "./process_statuses.ts";

/** A user process and the memory that is its own. */
export interface Process extends SourceLine {
  readonly pid: number;
  readonly comm: string;
  /** The process that started it; undefined where the bundle does not tell. */
  readonly ppid: number | undefined;
  /** Anonymous memory in RAM, or all of RSS (`isRss`). */
  readonly anonBytes: number;
  /** Whether only RSS is known, file pages and shared memory included: before 4.5 the kernel tells no more, nor does ps. */
  readonly isRss: boolean;
  readonly swapBytes: number;
  /** By how much its RSS was larger before, what is swapped now left out; undefined where the bundle does not tell. */
  readonly belowPeakBytes: number | undefined;
  /** Huge pages of hugetlbfs that it was the first to touch, its own and shared ones; no RSS has them. Undefined where it has none, or the bundle does not tell. */
  readonly hugetlb?: { readonly bytes: number; readonly line: number } | undefined;
  /** Whether it is stopped (SIGSTOP): it does not even end before it is continued. Undefined where the bundle does not tell. */
  readonly isStopped?: boolean | undefined;
  /** The systemd unit it runs in; undefined where it has none or its cgroup was not captured. */
  readonly unit: string | undefined;
}

/** What stands for a name that is not known, or empty. */
export const NO_NAME = "(no name)";

/** By pid. Thousands of processes have the same cgroups, which are one object then. */
function unitsOf(files: readonly ProcessFile<readonly ProcessCgroup[]>[]): Map<number, string | undefined> {
  const units = new Map<number, string | undefined>();
  let last: { readonly cgroups: readonly ProcessCgroup[]; readonly unit: string | undefined } | undefined;
  for (const { pid, value } of files) {
    if (last?.cgroups !== value) last = { cgroups: value, unit: systemdUnit(value) };
    units.set(pid, last.unit);
  }
  return units;
}

function belowPeak({ vmHwmBytes, vmRssBytes, vmSwapBytes = 0 }: ProcessStatus): number | undefined {
  return vmHwmBytes === undefined || vmRssBytes === undefined
    ? undefined
    : Math.max(0, vmHwmBytes - vmRssBytes - vmSwapBytes);
}

function hugetlbOf({ hugetlbBytes: bytes = 0, lines }: ProcessStatus): Process["hugetlb"] {
  const line = lines.get("HugetlbPages");
  return bytes === 0 || line === undefined ? undefined : { bytes, line };
}

const fromStatuses: Source<readonly Process[]> = defineComputed({
  name: "processes of /proc",
  needs: { processStatuses },
  uses: { processCgroup },
  compute({ processStatuses: files, processCgroup: cgroups }) {
    const units = unitsOf(cgroups ?? []);
    const found: Process[] = [];
    for (const { pid, path, value } of files) {
      const anonBytes = value.rssAnonBytes ?? value.vmRssBytes;
      const line = value.lines.get("RssAnon") ?? value.lines.get("VmRSS");
      if (anonBytes === undefined || line === undefined) continue;
      found.push({
        pid,
        // A program may take its name away.
        comm: value.name === undefined || value.name === "" ? NO_NAME : value.name,
        ppid: value.ppid,
        anonBytes,
        isRss: value.rssAnonBytes === undefined,
        // A kernel without swap support prints no VmSwap, and then nothing is swapped.
        swapBytes: value.vmSwapBytes ?? 0,
        belowPeakBytes: belowPeak(value),
        hugetlb: hugetlbOf(value),
        isStopped: value.state?.startsWith("T"),
        unit: units.get(pid),
        path,
        line,
      });
    }
    return found.sort(bySize);
  },
});

function bySize(a: Process, b: Process): number {
  return b.anonBytes + b.swapBytes - a.anonBytes - a.swapBytes || a.pid - b.pid;
}

/** Anonymous memory of nobody who is in the list. What several processes share is in each one's part, so all of them together have it at least once. */
export function hiddenAnonBytes(anonBytes: number, known: readonly Process[]): number {
  return known.reduce((left, process) => left - process.anonBytes, anonBytes);
}

/** The table of an OOM's dump. */
function fromDump({ path, report }: HostAtOom): Process[] {
  return (report?.tasks ?? []).map(({ pid, comm, rssBytes, anonBytes, swapBytes, line }) => ({
    pid,
    comm,
    ppid: undefined,
    // Before 6.8 the table tells only all of RSS.
    anonBytes: anonBytes ?? rssBytes,
    isRss: anonBytes === undefined,
    swapBytes: swapBytes ?? 0,
    belowPeakBytes: undefined,
    unit: undefined,
    path,
    line,
  })).sort(bySize);
}

/**
 * User processes, the largest first; where nothing but a kernel log was kept, those of the last OOM's dump. Kernel threads have no memory of their own and
 * are left out.
 */
export const processes: Source<readonly Process[]> = {
  name: "processes",
  patterns: [...fromStatuses.patterns, ...hostAtOom.patterns],
  read(reader) {
    const captured = reader.read(fromStatuses);
    if (captured.status !== "missing") return captured;
    const dump = reader.read(hostAtOom);
    const found = dump.status === "ok" ? fromDump(dump.value) : [];
    return found.length === 0 ? captured : { status: "ok", value: found };
  },
};
