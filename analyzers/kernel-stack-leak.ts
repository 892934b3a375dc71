import { type Analyzer, defineAnalyzer, type EvidenceLine } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import type { Confidence } from "../src/core/report.ts";
import { overTime } from "../src/core/source.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialHeldBytes } from "../src/computed/material.ts";
import { nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { processes } from "../src/computed/processes.ts";
import { type Program, programs } from "../src/computed/programs.ts";
import { exhaustion, theilSen } from "../src/computed/trend.ts";
import { meminfo } from "../src/parsers/meminfo.ts";

/**
 * systemd lets a service have 15 % of the classic pid_max of 32,768 tasks (DefaultTasksMax, systemd-system.conf(5)): a program with more threads than that has
 * been let.
 */
const MANY_THREADS = 4_915;

export const kernelStackLeak: Analyzer = defineAnalyzer({
  id: "kernel-stack-leak",
  title: "Stacks of threads that never end",
  mechanism: "Every thread has a stack in the kernel (16 KiB on x86-64 and arm64) and a task_struct of some 5 KB, beside its own stack. A program that starts a " +
    "thread a request, and whose threads wait for ever, fills the host with them. The stacks are vmalloc memory, in no process's RSS.",
  lookAlikes: "A large server with thousands of threads that come and go. vmalloc-leak: the stacks are in VmallocUsed, too, and must be taken out of it. " +
    "process-proliferation: the same with processes, which hold memory of their own besides.",
  references: ["https://docs.kernel.org/mm/vmalloced-kernel-stacks.html", "kernel/fork.c alloc_thread_stack_node()"],
  needs: { ledger, programs },
  uses: { processes, meminfo, ledgers: overTime(ledger) },
  analyze({ ledger, programs: all, processes: known, meminfo: file, ledgers }) {
    const stacks = accountBytes(ledger, "kernel-stacks") ?? 0;
    const [top] = all.toSorted((a, b) => b.threads - a.threads || (a.comm < b.comm ? -1 : 1));
    const threads = all.reduce((sum, program) => sum + program.threads, 0);
    const series = (ledgers ?? []).flatMap(({ time, value }) => {
      const bytes = accountBytes(value, "kernel-stacks");
      return bytes === undefined ? [] : [{ time, bytes }];
    });
    const trend = theilSen(series);
    const grows = trend !== undefined && trend.low > 0;
    const line = file?.value.bytes.get("KernelStack");
    if (top === undefined || top.threads < MANY_THREADS || stacks < materialHeldBytes(ledger.totalBytes)) {
      return {
        ruledOut: `kernel stacks take ${formatBytes(stacks)}; ${
          top === undefined ? "no process is known" : `${top.comm} has the most threads, ${formatCount(top.threads)}`
        }`,
      };
    }
    const share = Math.min(1, top.threads / Math.max(1, threads));
    const bytes = Math.round(stacks * share);
    const last = ledgers?.at(-1);
    const confidence: Confidence = grows ? "confirmed" : "likely";
    return {
      findings: [{
        title: `${nameOfGroup(top)} has ${formatQuantity(top.threads, "thread")}, whose kernel stacks take ${formatBytes(bytes)}`,
        confidence,
        material: true,
        claims: [{ account: "kernel-stacks", bytes: { low: bytes, high: bytes } }],
        ...(grows ? { growthBytesPerSecond: { low: trend.low, high: trend.high } } : {}),
        ...(grows && last?.value.availableBytes !== undefined ? { exhaustion: exhaustion(trend, last.value.availableBytes, last.time) } : {}),
        owners: [{
          pid: top.pids[0] ?? null,
          comm: top.comm,
          bytes,
          count: top.threads,
          detail: `${formatQuantity(top.threads, "thread")} in ${formatQuantity(top.pids.length, "process", "processes")}; what they wait for: ` +
            `cat /proc/${top.pids[0]}/task/*/wchan | sort | uniq -c`,
        }],
        evidence: evidence(top),
        remedies: [
          {
            when: "now",
            text: `End or restart ${top.comm} in an orderly way: its threads' stacks come back at once.`,
            commands: stopCommands(top, known),
            verify: "KernelStack of /proc/meminfo falls",
          },
          {
            when: "fix",
            text: "See what the threads wait for, and bound them: a pool instead of a thread a request, a time limit on what they wait for " +
              "(not verified by nailhouse's lab).",
            commands: [`cat /proc/${top.pids[0]}/task/*/comm | sort | uniq -c | sort -rn | head`, `gdb -p ${top.pids[0]} -batch -ex 'thread apply all bt'`],
            verify: `grep Threads /proc/${top.pids[0]}/status stays level under the same load`,
          },
          {
            when: "prevent",
            text: "Limit its tasks, so that it fails to start a thread before the host is short (not verified by nailhouse's lab).",
            commands: ["systemctl set-property UNIT TasksMax=1000"],
            verify: "pids.max of its cgroup is set, and pids.events counts what hits it",
          },
        ],
      }],
    };

    function evidence({ threadsLine, comm }: Program): EvidenceLine[] {
      const lines: EvidenceLine[] = [];
      if (threadsLine !== undefined) lines.push({ ...threadsLine, because: `the process of ${comm} with the most threads; a service is usually let have ${formatCount(MANY_THREADS)}` });
      if (file !== undefined && line !== undefined) {
        const rate = grows ? `, and grew by ${formatBytes(trend.changeBytes)} in ${Math.round(trend.spanSeconds)} s` : "";
        lines.push({ path: file.path, line: line.line, because: `all kernel stacks of the host${rate}` });
      }
      return lines;
    }
  },
});
