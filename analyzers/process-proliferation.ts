import { type Analyzer, defineAnalyzer, type EvidenceLine } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatShare } from "../src/core/format.ts";
import { shellWord } from "../src/core/shell.ts";
import { overTime } from "../src/core/source.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialHeldBytes } from "../src/computed/material.ts";
import { nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { type Program, programs } from "../src/computed/programs.ts";
import { MIN_TREND_POINTS, theilSen } from "../src/computed/trend.ts";
import { loadavg } from "../src/parsers/loadavg.ts";

/** Apache's prefork, the server with the most processes by default, has at most 256 (MaxRequestWorkers). */
const MANY_PROCESSES = 256;
/** Many processes that are there as a pool are somebody's decision; from a tenth of memory on they are worth naming even so. */
const DOMINATES_SHARE = 0.1;

interface Crowd extends Program {
  readonly anonBytes: number;
  readonly largest: Process;
}

function crowds(all: readonly Program[], known: readonly Process[]): Crowd[] {
  return all.flatMap((program) => {
    const own = known.filter(({ comm }) => comm === program.comm);
    const [largest] = own;
    const anonBytes = own.reduce((sum, process) => sum + process.anonBytes, 0);
    return largest === undefined || program.pids.length < MANY_PROCESSES ? [] : [{ ...program, anonBytes, largest }];
  }).sort((a, b) => b.anonBytes - a.anonBytes || (a.comm < b.comm ? -1 : 1));
}

export const processProliferation: Analyzer = defineAnalyzer({
  id: "process-proliferation",
  title: "Ever more processes of one program",
  mechanism: "A program starts processes and does not wait for them to end, or they never do: each is small and none looks guilty, but each has its own heap, stack, " +
    "page tables and kernel objects. cron jobs that hang on a lock, workers that are started again and again, a fork bomb.",
  lookAlikes: "A pool of workers of a fixed size: many, but not more and more. user-leak: the same processes grow. kernel-stack-leak: threads of one process. " +
    "Zombies hold no memory but a task_struct.",
  references: ["https://docs.kernel.org/admin-guide/cgroup-v2.html#pid"],
  needs: { ledger, processes, programs },
  uses: { loadavg, loads: overTime(loadavg) },
  analyze({ ledger: { totalBytes }, processes: known, programs: all, loadavg: load, loads }) {
    const count = all.reduce((sum, { pids }) => sum + pids.length, 0);
    const [crowd] = crowds(all, known);
    if (crowd === undefined) return { ruledOut: `none of ${formatQuantity(count, "process", "processes")} has ${MANY_PROCESSES} like it` };
    const bytes = crowd.anonBytes + crowd.pageTableBytes;
    const series = (loads ?? []).map(({ time, value }) => ({ time, bytes: value.value.threads }));
    const trend = theilSen(series);
    const grows = trend !== undefined && trend.low > 0;
    if (bytes < materialHeldBytes(totalBytes) || (!grows && (series.length >= MIN_TREND_POINTS || bytes < DOMINATES_SHARE * totalBytes))) {
      return {
        ruledOut: `${formatQuantity(crowd.pids.length, "process", "processes")} of ${crowd.comm} have ${formatBytes(bytes)}${
          series.length < MIN_TREND_POINTS ? "" : `, and their number is ${grows ? "growing" : "steady"}`
        }`,
      };
    }
    const evidence: EvidenceLine[] = [{
      path: crowd.largest.path,
      line: crowd.largest.line,
      because: `the largest of ${formatQuantity(crowd.pids.length, "process", "processes")} named ${crowd.comm}, ${formatShare(crowd.pids.length, count)} of all; together ${
        formatBytes(crowd.anonBytes)
      } of their own and ${formatBytes(crowd.pageTableBytes)} of page tables`,
    }];
    if (load !== undefined) {
      const growth = grows ? `, ${formatCount(trend.changeBytes)} more within ${Math.round(trend.spanSeconds)} s` : "";
      evidence.push({ path: load.path, line: load.value.line, because: `the fourth field, after the slash: processes and threads that exist${growth}` });
    }
    return {
      findings: [{
        title: `${nameOfGroup(crowd)} have ${formatBytes(bytes)} together${grows ? ", and there are ever more of them" : ""}`,
        confidence: grows ? "likely" : "possible",
        material: true,
        claims: [
          { account: "anon", bytes: { low: crowd.anonBytes, high: crowd.anonBytes } },
          { account: "page-tables", bytes: { low: crowd.pageTableBytes, high: crowd.pageTableBytes } },
        ],
        ...(grows ? { growthBytesPerSecond: rate(trend.low, trend.high, bytes / crowd.pids.length) } : {}),
        owners: [{
          pid: crowd.largest.pid,
          comm: crowd.comm,
          bytes,
          count: crowd.pids.length,
          detail: `about ${formatBytes(bytes / crowd.pids.length)} each; who starts them: ps -o ppid= -C ${shellWord(crowd.comm)} | sort | uniq -c`,
        }],
        evidence,
        remedies: [
          {
            when: "now",
            text: "End them in an orderly way, after whoever starts them: otherwise there are new ones at once.",
            commands: stopCommands(crowd, known),
            verify: "the fourth field of /proc/loadavg falls, and AnonPages with it",
          },
          {
            when: "fix",
            text: "See what they wait for, and give each an end: a lock with a time limit (flock -n), a time limit for the whole (timeout), a pool of a fixed size " +
              "(not verified by nailhouse's lab).",
            commands: [`cat /proc/${crowd.largest.pid}/wchan`, `ps -o pid,ppid,etime,stat,wchan:20,cmd -p ${crowd.largest.pid}`],
            verify: "their number stays level under the same load",
          },
          {
            when: "prevent",
            text: "Limit the tasks of the service (not verified by nailhouse's lab).",
            commands: ["systemctl set-property UNIT TasksMax=512"],
            verify: "pids.events of its cgroup counts what hits the limit",
          },
        ],
      }],
    };
  },
});

/** Growth in bytes, from growth in processes of an average size. */
function rate(low: number, high: number, bytesEach: number): { low: number; high: number } {
  return { low: low * bytesEach, high: high * bytesEach };
}
