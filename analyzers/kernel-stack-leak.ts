import { type Analyzer, defineAnalyzer, type EvidenceLine } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import type { Confidence } from "../src/core/report.ts";
import { type Missing, overTime } from "../src/core/source.ts";
import { WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialHeldBytes } from "../src/computed/material.ts";
import { nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { processes } from "../src/computed/processes.ts";
import { programSeries } from "../src/computed/program_series.ts";
import { type Program, programs } from "../src/computed/programs.ts";
import { exhaustion, recentTrend } from "../src/computed/trend.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

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
  needs: { ledger, programs },
  uses: { processes, meminfo, programSeries, ledgers: overTime(ledger) },
  analyze({ ledger, programs: all, processes: known, meminfo: file, programSeries: series, ledgers }) {
    const stacks = accountBytes(ledger, "kernel-stacks");
    if (stacks === undefined) return { notAssessed: [WHOLE_MEMINFO] };
    const [top] = all.toSorted((a, b) => b.threads - a.threads || (a.comm < b.comm ? -1 : 1));
    const threads = all.reduce((sum, program) => sum + program.threads, 0);
    const line = file?.value.bytes.get("KernelStack");
    const many = top !== undefined && (top.threads >= MANY_THREADS || stacks >= SMALL_HOST_SHARE * ledger.totalBytes);
    // `ps aux` has no column for them.
    const isCounted = top !== undefined && top.threads > 0;
    if (top !== undefined && !isCounted && stacks >= materialHeldBytes(ledger.totalBytes)) {
      return { notAssessed: [THREADS] };
    }
    // A program of many processes is a matter of its processes, not of threads.
    if (!many || top.threads < 2 * top.pids.length || stacks < materialHeldBytes(ledger.totalBytes)) {
      return {
        ruledOut: `kernel stacks take ${formatBytes(stacks)}; ${
          top === undefined
            ? "no process is known"
            : !isCounted
            ? "how many threads there are is not known"
            : `${top.comm} has the most threads, ${formatCount(top.threads)} in ${
              formatQuantity(top.pids.length, "process", "processes")
            }`
        }`,
      };
    }
    const trend = recentTrend(series?.get(top.comm)?.threads ?? []);
    const grows = trend !== undefined && trend.low > 0 && trend.changeBytes >= MIN_GROWTH_SHARE * top.threads;
    const share = Math.min(1, top.threads / Math.max(1, threads));
    const bytes = Math.round(stacks * share);
    const each = stacks / Math.max(1, threads);
    const last = ledgers?.at(-1);
    const confidence: Confidence = grows ? "confirmed" : "likely";
    return {
      findings: [{
        title: `${nameOfGroup(top)} has ${formatQuantity(top.threads, "thread")}, whose kernel stacks take ${
          formatBytes(bytes)
        }`,
        confidence,
        material: true,
        claims: [{ account: "kernel-stacks", bytes: { low: bytes, high: bytes } }],
        ...(grows ? { growthBytesPerSecond: { low: trend.low * each, high: trend.high * each } } : {}),
        ...(grows && last?.value.availableBytes !== undefined
          ? {
            exhaustion: exhaustion(
              { ...trend, low: trend.low * each, high: trend.high * each },
              last.value.availableBytes,
              last.time,
            ),
          }
          : {}),
        owners: [{
          pid: top.pids[0] ?? null,
          comm: top.comm,
          bytes,
          count: top.threads,
          detail:
            `${formatQuantity(top.threads, "thread")} in ${
              formatQuantity(top.pids.length, "process", "processes")
            }; what they wait for: ` +
            `cat /proc/${top.pids[0]}/task/*/wchan | sort | uniq -c`,
        }],
        evidence: evidence(top),
        remedies: [
          {
            when: "now",
            text: `End or restart ${top.comm} in an orderly way: its threads' stacks come back at once. ${
              remedyMark("kernel-stack-leak", "end the owner")
            }`,
            commands: stopCommands(top, known),
            verify: "KernelStack of /proc/meminfo falls",
          },
          {
            when: "fix",
            text:
              `See what the threads wait for, and bound them: a pool instead of a thread a request, a time limit on what they wait for. ${
                remedyMark("kernel-stack-leak", "see what the threads wait for")
              }`,
            commands: [
              `cat /proc/${top.pids[0]}/task/*/comm | sort | uniq -c | sort -rn | head`,
              `gdb -p ${top.pids[0]} -batch -ex 'thread apply all bt'`,
            ],
            verify: `grep Threads /proc/${top.pids[0]}/status stays level under the same load`,
          },
          {
            when: "prevent",
            text: `Limit its tasks, so that it fails to start a thread before the host is short. ${
              remedyMark("kernel-stack-leak", "limit of tasks")
            }`,
            commands: ["systemctl set-property UNIT TasksMax=1000"],
            verify: "pids.max of its cgroup is set, and pids.events counts what hits it",
          },
        ],
      }],
    };

    function evidence({ threadsLine, comm }: Program): EvidenceLine[] {
      const lines: EvidenceLine[] = [];
      if (threadsLine !== undefined) {
        lines.push({
          ...threadsLine,
          because: `the process of ${comm} with the most threads; servers are told to stop at a few thousand`,
        });
      }
      if (file !== undefined && line !== undefined) {
        const rate = grows
          ? `; ${formatQuantity(trend.changeBytes, "thread")} more within ${Math.round(trend.spanSeconds)} s`
          : "";
        lines.push({ path: file.path, line: line.line, because: `all kernel stacks of the host${rate}` });
      }
      return lines;
    }
  },
});
