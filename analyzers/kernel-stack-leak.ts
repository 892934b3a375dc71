import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import type { Remedy } from "../src/core/report.ts";
import { type MaybeValues, type Missing, overTime, type Values } from "../src/core/source.ts";
import { WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";
import { forecast, inBytes } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialHeldBytes } from "../src/computed/material.ts";
import { nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { programSeries } from "../src/computed/program_series.ts";
import { type Program, programs } from "../src/computed/programs.ts";
import type { Trend } from "../src/computed/trend.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { sumOf } from "../src/core/sums.ts";

/**
 * A quarter of all the threads that a host has numbers for (the classic pid_max of 32,768): servers with a thread a connection are told to stop
 * at a few thousand.
 */
const MANY_THREADS = 8_192;
/** Fewer will do where their stacks alone are a tenth of a small host (Oracle's memstate calls that major). */
const SMALL_HOST_SHARE = 0.1;
/** Pools grow by some threads in a burst: a hundredth more within what was watched is none. */
const MIN_GROWTH_SHARE = 0.01;

const THREADS: Missing = { path: "proc/PID/status", howToCapture: "cat /proc/[0-9]*/status" };

const needs = { ledger, programs };
const uses = { processes, meminfo, programSeries, ledgers: overTime(ledger) };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

function ruledOut(stackBytes: number, top: Program | undefined): string {
  const stacks = `kernel stacks take ${formatBytes(stackBytes)}`;
  if (top === undefined) return `${stacks}; no process is known`;
  if (top.threads === 0) return `${stacks}; how many threads there are is not known`;
  return `${stacks}; ${top.comm} has the most threads, ${formatCount(top.threads)} in ${
    formatQuantity(top.pids.length, "process", "processes")
  }`;
}

/** The trend of their number; undefined where there are not ever more of them. */
function growthOf({ comm, threads }: Program, { programSeries: series }: Seen): Trend | undefined {
  return growth(series?.get(comm)?.threads ?? [], MIN_GROWTH_SHARE * threads);
}

function evidence({ threadsLine, comm }: Program, trend: Trend | undefined, { meminfo: file }: Seen): EvidenceLine[] {
  const lines: EvidenceLine[] = [];
  if (threadsLine !== undefined) {
    lines.push({
      ...threadsLine,
      because: `the process of ${comm} with the most threads; servers are told to stop at a few thousand`,
    });
  }
  const stacks = file?.value.bytes.get("KernelStack");
  if (file !== undefined && stacks !== undefined) {
    const rate = trend === undefined
      ? ""
      : `; ${formatQuantity(trend.changeBytes, "thread")} more within ${Math.round(trend.spanSeconds)} s`;
    lines.push({ path: file.path, line: stacks.line, because: `all kernel stacks of the host${rate}` });
  }
  return lines;
}

function remedies(top: Program, known: readonly Process[] | undefined): Remedy[] {
  const [pid] = top.threadPids;
  return [
    {
      when: "now",
      text: `End or restart ${top.comm} in an orderly way: its threads' stacks come back at once. ${
        remedyMark("kernel-stack-leak", "end the owner")
      }`,
      commands: stopCommands({ comm: top.comm, pids: top.threadPids }, known),
      verify: "KernelStack of /proc/meminfo falls",
    },
    {
      when: "fix",
      text:
        `See what the threads wait for, and bound them: a pool instead of a thread a request, a time limit on what they wait for. ${
          remedyMark("kernel-stack-leak", "see what the threads wait for")
        }`,
      commands: [
        `cat /proc/${pid}/task/*/comm | sort | uniq -c | sort -rn | head`,
        `gdb -p ${pid} -batch -ex 'thread apply all bt'`,
      ],
      verify: `grep Threads /proc/${pid}/status stays level under the same load`,
    },
    {
      when: "prevent",
      text: `Limit its tasks, so that it fails to start a thread before the host is short. ${
        remedyMark("kernel-stack-leak", "limit of tasks")
      }`,
      commands: ["systemctl set-property UNIT TasksMax=1000"],
      verify: "pids.max of its cgroup is set, and pids.events counts what hits it",
    },
  ];
}

function finding(top: Program, stackBytes: number, seen: Seen): FindingDraft {
  const threads = Math.max(1, sumOf(seen.programs, (program) => program.threads));
  const bytes = Math.round(stackBytes * Math.min(1, top.threads / threads));
  const each = stackBytes / threads;
  const trend = growthOf(top, seen);
  const count = formatQuantity(top.threads, "thread");
  return {
    title: `${nameOfGroup({ comm: top.comm, pids: top.threadPids })} has ${count}, whose kernel stacks take ${
      formatBytes(bytes)
    }`,
    confidence: trend === undefined ? "likely" : "confirmed",
    material: true,
    claims: [{ account: "kernel-stacks", bytes: { low: bytes, high: bytes } }],
    ...forecast(trend && inBytes(trend, each), seen.ledgers),
    owners: [{
      pid: top.threadPids[0] ?? null,
      comm: top.comm,
      bytes,
      count: top.threads,
      detail: `${count} in ${
        formatQuantity(top.threadPids.length, "process", "processes")
      }; what they wait for: cat /proc/${top.threadPids[0]}/task/*/wchan | sort | uniq -c`,
    }],
    evidence: evidence(top, trend, seen),
    remedies: remedies(top, seen.processes),
  };
}

export const kernelStackLeak: Analyzer = defineAnalyzer({
  id: "kernel-stack-leak",
  title: "Stacks of threads that never end",
  mechanism:
    "Every thread has a stack in the kernel (16 KiB on x86-64 and arm64) and a task_struct of some 5 KB, beside its own stack. A program that starts a " +
    "thread a request, and whose threads wait for ever, fills the host with them. The stacks are vmalloc memory, in no process's RSS.",
  lookAlikes:
    "A large server with thousands of threads that come and go. vmalloc-leak: the stacks are in VmallocUsed, too, and must be taken out of it. " +
    "process-proliferation: the same with processes, which hold memory of their own besides.",
  references: ["https://docs.kernel.org/mm/vmalloced-kernel-stacks.html", "kernel/fork.c alloc_thread_stack_node()"],
  needs,
  uses,
  analyze(seen) {
    const { totalBytes } = seen.ledger;
    const stackBytes = accountBytes(seen.ledger, "kernel-stacks");
    if (stackBytes === undefined) return { notAssessed: [WHOLE_MEMINFO] };
    const [top] = seen.programs.toSorted((a, b) => b.threads - a.threads || (a.comm < b.comm ? -1 : 1));
    if (top === undefined || stackBytes < materialHeldBytes(totalBytes)) return { ruledOut: ruledOut(stackBytes, top) };
    // `ps aux` has no column for them.
    if (top.threads === 0) return { notAssessed: [THREADS] };
    const isMany = top.threads >= MANY_THREADS || stackBytes >= SMALL_HOST_SHARE * totalBytes;
    // A program of many processes is a matter of its processes, not of threads.
    return isMany && top.threads >= 2 * top.pids.length
      ? { findings: [finding(top, stackBytes, seen)] }
      : { ruledOut: ruledOut(stackBytes, top) };
  },
});
