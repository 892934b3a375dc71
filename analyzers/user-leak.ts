import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import { accountBytes, type Ledger } from "../src/core/ledger.ts";
import type { Remedy } from "../src/core/report.ts";
import { overTime, type TimePoint } from "../src/core/source.ts";
import { shellWord } from "../src/core/shell.ts";
import { ledger } from "../src/computed/ledger.ts";
import { stopCommands } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { exhaustion, theilSen, type Trend } from "../src/computed/trend.ts";

/** Heaps grow in steps: a few transparent huge pages (2 MiB each) come and go in a process that leaks nothing. */
const MIN_GROWTH_BYTES = 16 * 2 ** 20;
/**
 * A process below this is not what fills a host, even if it grows. 128 MiB is the working set of an ordinary service on any host.
 */
const MIN_LEAK_BYTES = 128 * 2 ** 20;
/** A leak is the process that makes the host's memory go: the larger part of the growth of all anonymous memory is its own. */
const MIN_SHARE_OF_GROWTH = 0.5;
/** With sizes alone to go by, only a process that dominates the host is worth naming (Oracle's memstate calls 10 % major). */
const DOMINATES_SHARE = 0.1;
/** Watched for this long, growth is no start-up and no burst. */
const LONG_WATCH_SECONDS = 600;

interface Grown {
  readonly process: Process;
  readonly trend: Trend;
}

function sizeOf({ anonBytes, swapBytes }: Process): number {
  return anonBytes + swapBytes;
}

/** Processes that are in every snapshot and grew in a straight enough line, the fastest first. */
function grown(series: readonly TimePoint<readonly Process[]>[]): Grown[] {
  const byPid = new Map<number, { process: Process; series: { time: number; bytes: number }[] }>();
  for (const { time, value } of series) {
    for (const process of value) {
      const known = byPid.get(process.pid);
      // A pid that was given to another program meanwhile is another process.
      if (known !== undefined && known.process.comm === process.comm) {
        known.series.push({ time, bytes: sizeOf(process) });
        known.process = process;
      } else byPid.set(process.pid, { process, series: [{ time, bytes: sizeOf(process) }] });
    }
  }
  return [...byPid.values()]
    .flatMap(({ process, series: points }) => {
      const trend = theilSen(points);
      return trend === undefined || trend.low <= 0 || trend.changeBytes < MIN_GROWTH_BYTES ? [] : [{ process, trend }];
    })
    .sort((a, b) => b.trend.bytesPerSecond - a.trend.bytesPerSecond || a.process.pid - b.process.pid);
}

function anonGrowth(ledgers: readonly TimePoint<Ledger>[]): number | undefined {
  const first = ledgers[0] && accountBytes(ledgers[0].value, "anon");
  const last = ledgers.at(-1);
  const end = last && accountBytes(last.value, "anon");
  return first === undefined || end === undefined ? undefined : end - first;
}

function remedies({ pid, comm, unit }: Process, known: readonly Process[]): Remedy[] {
  const watch = `grep RssAnon /proc/${pid}/status`;
  return [
    {
      when: "now",
      text: `End or restart ${comm} in an orderly way: its memory comes back at once.`,
      commands: stopCommands({ comm, pids: [pid] }, known),
      verify: "AnonPages of /proc/meminfo falls, MemAvailable rises by as much",
    },
    {
      when: "fix",
      text:
        "Find what it allocates and never frees: with the runtime's own heap profile (jcmd GC.heap_dump, pprof, tracemalloc, --heap-prof), " +
        "or from outside with bcc's memleak (not verified by nailhouse's lab).",
      commands: [`memleak-bpfcc -p ${pid} 10`],
      verify: `${watch} stays level under the same load`,
    },
    {
      when: "prevent",
      text: "Give it a limit, so that it is this process that ends and not the host (not verified by nailhouse's lab).",
      commands: [
        unit === undefined
          ? `systemd-run --scope -p MemoryMax=... ${shellWord(comm)}`
          : `systemctl set-property ${shellWord(unit)} MemoryMax=...`,
      ],
      verify: "memory.max of its cgroup is set, and memory.events counts what hits it",
    },
  ];
}

function growthEvidence(base: Process, { process, trend }: Grown, total: number | undefined): EvidenceLine[] {
  const share = total === undefined || total <= 0
    ? ""
    : `, ${formatShare(Math.min(trend.changeBytes, total), total)} of what all anonymous memory grew by`;
  return [{
    path: base.path,
    line: base.line,
    because: `${formatBytes(base.anonBytes)} of anonymous memory when the ledger was read`,
  }, {
    path: process.path,
    line: process.line,
    because: `grew by ${formatBytes(trend.changeBytes)} in ${Math.round(trend.spanSeconds)} s, over ${
      formatQuantity(trend.points, "snapshot")
    } without a fall${share}`,
  }];
}

export const userLeak: Analyzer = defineAnalyzer({
  id: "user-leak",
  title: "Anonymous memory of a process that grows, or dominates",
  mechanism:
    "A process allocates (heap, stacks, private mappings) and does not give back. The pages are its own: RssAnon in /proc/PID/status, " +
    "AnonPages in /proc/meminfo.",
  lookAlikes:
    "A large but steady process (a database's cache), which only growth tells from a leak. Start-up. thp-bloat: huge pages make a small " +
    "working set large. process-proliferation: many small processes of one program. shmem-leak: shared memory is in no process's RssAnon.",
  references: ["https://docs.kernel.org/filesystems/proc.html"],
  needs: { ledger, processes },
  uses: { ledgers: overTime(ledger), history: overTime(processes) },
  analyze({ ledger, processes: known, ledgers, history }) {
    const total = ledgers && anonGrowth(ledgers);
    const candidates = grown(history ?? []);
    const leaks = candidates.filter(({ process, trend }) =>
      sizeOf(process) >= MIN_LEAK_BYTES && (total === undefined || trend.changeBytes >= MIN_SHARE_OF_GROWTH * total)
    );
    if (leaks.length > 0) return { findings: leaks.slice(0, 1).map((leak) => leakFinding(leak, total)) };
    const [largest] = known;
    if (largest === undefined) return { ruledOut: "no process has memory of its own" };
    const watched = (history?.length ?? 0) >= 3;
    if (!watched && sizeOf(largest) >= DOMINATES_SHARE * ledger.totalBytes) return { findings: [sizeFinding(largest)] };
    return {
      ruledOut: watched
        ? `no process that is large enough to fill the host grew steadily; the largest, ${largest.comm}, has ${
          formatBytes(sizeOf(largest))
        }`
        : `the largest process, ${largest.comm}, has ${formatBytes(sizeOf(largest))}: ${
          formatShare(sizeOf(largest), ledger.totalBytes)
        } of memory`,
    };

    function leakFinding(leak: Grown, growth: number | undefined): FindingDraft {
      const { process, trend } = leak;
      // Claims are made on the ledger, which is that of the first whole snapshot.
      const base = known.find(({ pid }) => pid === process.pid) ?? process;
      const last = ledgers?.at(-1);
      const available = last?.value.availableBytes;
      return {
        title: `${process.comm} (pid ${process.pid}) has ${formatBytes(sizeOf(base))} of its own and grows by ${
          formatBytes(trend.bytesPerSecond)
        } a second`,
        confidence: trend.spanSeconds >= LONG_WATCH_SECONDS ? "confirmed" : "likely",
        material: true,
        claims: [{ account: "anon", bytes: { low: base.anonBytes, high: base.anonBytes } }],
        growthBytesPerSecond: { low: trend.low, high: trend.high },
        exhaustion: last === undefined || available === undefined ? null : exhaustion(trend, available, last.time),
        owners: [{
          pid: process.pid,
          comm: process.comm,
          bytes: sizeOf(base),
          count: 1,
          detail: process.unit ?? "no systemd unit known",
        }],
        evidence: growthEvidence(base, leak, growth),
        remedies: remedies(process, known),
      };
    }

    function sizeFinding(process: Process): FindingDraft {
      return {
        title: `${process.comm} (pid ${process.pid}) is the largest process with ${
          formatBytes(sizeOf(process))
        } of its own; one snapshot cannot tell whether it grows`,
        confidence: "possible",
        material: true,
        claims: [{ account: "anon", bytes: { low: process.anonBytes, high: process.anonBytes } }],
        owners: [{
          pid: process.pid,
          comm: process.comm,
          bytes: sizeOf(process),
          count: 1,
          detail: process.unit ?? "no systemd unit known",
        }],
        evidence: [{
          path: process.path,
          line: process.line,
          because: `${formatShare(process.anonBytes, ledger.totalBytes)} of all memory is this process's`,
        }],
        remedies: remedies(process, known),
      };
    }
  },
});
