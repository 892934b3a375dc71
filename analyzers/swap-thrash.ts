import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import { lately, type MaybeValues, type Missing, type Parsed, type TimePoint } from "../src/core/source.ts";
import { FEW_OWNERS, stopCommands } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { memoryPressure, type Pressure } from "../src/parsers/pressure.ts";
import { type Vmstat, vmstat } from "../src/parsers/vmstat.ts";
import { type VmstatRow, vmstatTable } from "../src/parsers/vmstat_table.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { sumOf } from "../src/core/sums.ts";

/** Pages that go out and come back at this rate each are read with seeks by a disk that does little else (1,000 a second of 4 KiB). */
const THRASH_BYTES_PER_SECOND = 4 * 2 ** 20;
/** A tenth of the time all tasks stood still: kernel-memory's and oomd's line between swapping and thrashing. Below a hundredth nobody notices. */
const STALLED_SHARE = 0.1;
const UNNOTICED_SHARE = 0.01;
/** The same line for one snapshot's average of ten seconds, in per cent. It lags: it goes on falling for a minute after the stalls have ended. */
const STALLED_AVG10 = 10;

const uses = { vmstats: lately(vmstat), vmstatTable, memoryPressure, pressures: lately(memoryPressure), processes };

/** What the bundle tells. */
type Seen = MaybeValues<typeof uses>;

interface Rates {
  readonly inPerSecond: number;
  readonly outPerSecond: number;
  /** For how long it was watched. */
  readonly over: string;
  readonly evidence: EvidenceLine;
}

function rates(series: readonly TimePoint<Parsed<Vmstat>>[], pageSizeBytes: number): Rates | undefined {
  const first = series[0];
  const last = series.at(-1);
  if (first === undefined || last === undefined || last.time <= first.time) return undefined;
  const seconds = (last.time - first.time) / 1000;
  const perSecond = (name: string): number | undefined => {
    const before = first.value.value.get(name);
    const after = last.value.value.get(name);
    return before === undefined || after === undefined
      ? undefined
      : ((after.value - before.value) * pageSizeBytes) / seconds;
  };
  const inPerSecond = perSecond("pswpin");
  const outPerSecond = perSecond("pswpout");
  const line = last.value.value.get("pswpin")?.line;
  if (inPerSecond === undefined || outPerSecond === undefined || line === undefined) return undefined;
  const over = `${Math.round(seconds)} s`;
  const because = `pages read back from swap: ${formatBytes(inPerSecond)} a second over ${over}, while ${
    formatBytes(outPerSecond)
  } a second were written out`;
  return { inPerSecond, outPerSecond, over, evidence: { path: last.value.path, line, because } };
}

/** Shares of the time watched in which some task, and all, waited for memory. */
interface Stalls {
  readonly some: number;
  readonly full: number;
}

/** From the totals, which do not lag as the averages do. */
function stalls(series: readonly TimePoint<Parsed<Pressure>>[]): Stalls | undefined {
  const first = series[0];
  const last = series.at(-1);
  if (first === undefined || last === undefined || last.time <= first.time) return undefined;
  const share = (kind: "some" | "full"): number | undefined => {
    const before = first.value.value[kind];
    const after = last.value.value[kind];
    if (before === undefined || after === undefined) return undefined;
    return (after.totalMicroseconds - before.totalMicroseconds) / 1000 / (last.time - first.time);
  };
  const some = share("some");
  const full = share("full");
  return some === undefined || full === undefined ? undefined : { some, full };
}

/** The same as vmstat printed it: the mean of its intervals, of which nothing tells how long they are. */
function ratesOfTable(file: Parsed<readonly VmstatRow[]> | undefined): Rates | undefined {
  const [first] = file?.value ?? [];
  if (file === undefined || first === undefined) return undefined;
  const mean = (of: (row: VmstatRow) => number): number => sumOf(file.value, of) / file.value.length;
  const [inPerSecond, outPerSecond] = [
    mean(({ swapInBytes }) => swapInBytes),
    mean(({ swapOutBytes }) => swapOutBytes),
  ];
  const over = `${formatQuantity(file.value.length, "interval")} of vmstat`;
  const because = `pages read back from swap (si): ${formatBytes(inPerSecond)} a second over ${over}, while ${
    formatBytes(outPerSecond)
  } a second were written out (so)`;
  return { inPerSecond, outPerSecond, over, evidence: { path: file.path, line: first.line, because } };
}

const TWO_LOOKS: Missing = {
  path: "proc/vmstat of two snapshots",
  howToCapture: "nailhouse collect --snapshots 3 --interval 5",
};

/** Whether all waited for memory much of the time: while it was watched or, after one look, of late. */
function isStalled({ memoryPressure: pressure }: Seen, waited: Stalls | undefined): boolean {
  if (waited !== undefined) return waited.full >= STALLED_SHARE;
  const full = pressure?.value.full;
  return full !== undefined && full.avg10 >= STALLED_AVG10;
}

function stallEvidence({ memoryPressure: pressure }: Seen, waited: Stalls | undefined): EvidenceLine[] {
  const full = pressure?.value.full;
  if (pressure === undefined || full === undefined) return [];
  const because = waited === undefined
    ? `all tasks waited for memory ${full.avg10} % of the last ten seconds`
    : `all tasks waited for memory ${
      formatShare(waited.full, 1)
    } of the time that was watched (by \`total\`, in microseconds)`;
  return [{ path: pressure.path, line: full.line, because }];
}

function remedies(top: Process | undefined, known: readonly Process[] | undefined): Remedy[] {
  return [
    {
      when: "now",
      text: `End or restart what swaps most, so that the rest fits. ${
        remedyMark("swap-thrash", "end what swaps most")
      }`,
      commands: top === undefined ? [] : stopCommands({ comm: top.comm, pids: [top.pid] }, known),
      verify: "pswpin and pswpout of /proc/vmstat stand still; full of /proc/pressure/memory falls to 0",
    },
    {
      when: "fix",
      text: `Give the host more memory or fewer programs; limit caches that programs keep themselves. ${
        remedyMark("swap-thrash", "more memory")
      }`,
      commands: ["vmstat 1"],
      verify: "si and so of vmstat are 0 under load",
    },
    {
      when: "prevent",
      text: `Let something act on the stalls before everybody waits: systemd-oomd or earlyoom. ${
        remedyMark("swap-thrash", "act on the stalls")
      }`,
      commands: ["systemctl enable --now systemd-oomd"],
      verify: "oomctl shows the pressure limits",
    },
  ];
}

function finding({ inPerSecond, outPerSecond, evidence }: Rates, waited: Stalls | undefined, seen: Seen): FindingDraft {
  const swapped = (seen.processes ?? []).filter(({ swapBytes }) => swapBytes > 0)
    .toSorted((a, b) => b.swapBytes - a.swapBytes || a.pid - b.pid);
  const [top] = swapped;
  return {
    title: `${top === undefined ? "The host" : `${top.comm} (pid ${top.pid})`} swaps ${
      formatBytes(inPerSecond)
    } a second in and ${formatBytes(outPerSecond)} out: what is in use does not fit into memory`,
    confidence: isStalled(seen, waited) ? "confirmed" : "likely",
    material: true,
    claims: [],
    owners: swapped.slice(0, FEW_OWNERS).map(({ pid, comm, swapBytes, anonBytes }) => ({
      pid,
      comm,
      bytes: swapBytes,
      count: 1,
      detail: `${formatBytes(swapBytes)} in swap, ${formatBytes(anonBytes)} in memory`,
    })),
    evidence: [evidence, ...stallEvidence(seen, waited)],
    remedies: remedies(top, seen.processes),
  };
}

export const swapThrash: Analyzer = defineAnalyzer({
  id: "swap-thrash",
  title: "Memory that goes to swap and comes back all the time",
  mechanism:
    "What the programs use together does not fit into memory: the kernel writes pages to swap that are needed again a moment later. Nobody leaks; " +
    "everybody waits for the disk (or, with zram, for the processor).",
  lookAlikes:
    "Swap that is full and quiet: pages that nobody needs, which is what swap is for. A leak that fills swap: pages go out and do not come back. " +
    "Without swap the same happens to the pages of programs' files (workingset_refault_file).",
  references: ["https://docs.kernel.org/accounting/psi.html", "mm/workingset.c"],
  needs: {},
  uses,
  analyze(seen, { pageSizeBytes }) {
    const counted = pageSizeBytes === undefined ? undefined : rates(seen.vmstats ?? [], pageSizeBytes);
    const rate = counted ?? ratesOfTable(seen.vmstatTable);
    // One look at the counters tells no rate.
    if (rate === undefined) return { notAssessed: [TWO_LOOKS] };
    const { inPerSecond, outPerSecond, over } = rate;
    const read = `${formatBytes(inPerSecond)} a second were read from swap`;
    if (Math.min(inPerSecond, outPerSecond) < THRASH_BYTES_PER_SECOND) {
      return { ruledOut: `${read} and ${formatBytes(outPerSecond)} written in ${over}` };
    }
    const waited = stalls(seen.pressures ?? []);
    if (waited !== undefined && waited.some < UNNOTICED_SHARE) {
      return { ruledOut: `${read}, but nobody waited for it (${formatShare(waited.some, 1)} of the time)` };
    }
    return { findings: [finding(rate, waited, seen)] };
  },
});
