import { type Analyzer, defineAnalyzer, type EvidenceLine } from "../src/core/analyzer.ts";
import { sumBytes } from "../src/core/bytes.ts";
import { formatBytes, formatCount, formatQuantity, formatRate, formatShare } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import type { Confidence, Remedy } from "../src/core/report.ts";
import { shellWord } from "../src/core/shell.ts";
import { overTime } from "../src/core/source.ts";
import { forecast } from "../src/computed/forecast.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { recentTrend } from "../src/computed/trend.ts";
import { type VmallocCaller, vmallocCallers } from "../src/computed/vmalloc_callers.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/**
 * What is large by design and made once, or has a cause of its own: thread stacks, per-CPU chunks, BPF maps; hash tables sized to memory at boot,
 * swap maps, modules, page tables of huge address spaces, zram's table. A program of BPF is one for each filter of a socket or of seccomp, too, which no list
 * has (kernel/bpf/core.c bpf_prog_alloc_no_stats()).
 */
const ACCOUNTED_FOR =
  /^(?:dup_task_struct|alloc_thread_stack|copy_process|kernel_clone|_do_fork|fork_idle|pcpu_|(?:__)?bpf_(?!prog_(?:re)?alloc)|array_map_|htab_|prealloc_|alloc_large_system_hash|(?:__do_sys_)?swapon|setup_swap|move_module|load_module|module_alloc|execmem_|vmemmap|zram_|disksize_store|nf_ct_alloc_hashtable|nf_conntrack_hash|init_section|alloc_section)/;
/** Of one function's areas this many are no table that was made once, but one for each object of something. */
const MANY_AREAS = 32;
/** A chunk of per-CPU memory, a module, thread stacks of a pool come and go: less than this is no growth. */
const MIN_GROWTH_BYTES: number = 2 * 2 ** 20;
/** Seen once, on a large host: tables for guests, queues and groups of blocks come to 0.2 % of memory (KVM's memslot metadata are the largest). */
const MATERIAL_SHARE = 0.005;
/** The caller that leaks is the one that has the larger part of what can leak. */
const MOST_OF = 0.5;

function whoCalls(caller: string): string {
  if (/^bpf_prog_/.test(caller)) {
    return "ss -tuwxbp; grep Seccomp_filters /proc/[0-9]*/status | sort -nk 2 | tail; bpftool prog list";
  }
  return `bpftrace -e ${shellWord(`kprobe:${caller} { @[comm, pid] = count(); }`)}`;
}

function remedies({ caller, module, areas }: VmallocCaller): Remedy[] {
  const where = module === undefined ? "the kernel itself" : `module ${module}`;
  return [
    {
      when: "now",
      text:
        `Find what calls ${caller} (${where}): a program that opens more and more of what this function allocates for, and end it${
          module === undefined ? "" : ", or unload the module"
        }. ${remedyMark("vmalloc-leak", "end the owner")}`,
      commands: [
        `grep -c ${shellWord(caller)} /proc/vmallocinfo`,
        whoCalls(caller),
        ...(module === undefined ? [] : [`modinfo ${shellWord(module)}`]),
      ],
      verify: `the number of its areas falls (${formatCount(areas)} now), and VmallocUsed of /proc/meminfo with it`,
    },
    {
      when: "fix",
      text:
        `Report it to who maintains the module, or the program, with the growth of this caller's areas over a day. ${
          remedyMark("vmalloc-leak", "report it")
        }`,
      commands: [
        `while sleep 600; do date -u; grep ${
          shellWord(caller)
        } /proc/vmallocinfo | awk '{ sum += $2 } END { print sum, NR }'; done`,
      ],
      verify: "the sum stays level",
    },
  ];
}

export const vmallocLeak: Analyzer = defineAnalyzer({
  id: "vmalloc-leak",
  title: "vmalloc memory by who asked for it",
  mechanism:
    "Kernel code takes large tables from vmalloc: drivers, AF_XDP rings, netfilter sets, file systems. The memory is charged to no process, and stays until the object is " +
    "freed. /proc/vmallocinfo names the function of each area, VmallocUsed of /proc/meminfo the sum.",
  lookAlikes:
    "kernel-stack-leak: thread stacks are vmalloc memory, too. bpf-maps and percpu-growth, which have their own areas. Tables that are sized to the host at boot: one area, " +
    "as large as ever. vmap and ioremap areas, which own no memory.",
  references: ["mm/vmalloc.c", "https://docs.kernel.org/filesystems/proc.html"],
  needs: { ledger, vmallocCallers },
  uses: { ledgers: overTime(ledger) },
  analyze({ ledger, vmallocCallers: callers, ledgers }) {
    const account = accountBytes(ledger, "vmalloc") ?? 0;
    const open = callers.filter(({ caller }) => !ACCOUNTED_FOR.test(caller));
    const all = sumBytes(open);
    const [first] = open;
    const trend = recentTrend((ledgers ?? []).flatMap(({ time, value }) => {
      const bytes = accountBytes(value, "vmalloc");
      return bytes === undefined ? [] : [{ time, bytes }];
    }));
    const grows = trend !== undefined && trend.low > 0 && trend.changeBytes >= MIN_GROWTH_BYTES;
    const leastBytes = materialQueueBytes(ledger.totalBytes);
    const materialBytes = grows ? leastBytes : Math.max(leastBytes, MATERIAL_SHARE * ledger.totalBytes);
    if (first === undefined || first.bytes < materialBytes) {
      const most = first === undefined
        ? "there is no"
        : `${first.caller} with ${formatBytes(first.bytes)} is the largest`;
      return {
        ruledOut: `vmalloc is ${
          formatBytes(account)
        }; ${most} caller besides thread stacks, BPF maps, per-CPU chunks and the tables of the boot`,
      };
    }
    const many = first.areas >= MANY_AREAS;
    if (!many && trend !== undefined && !grows) {
      return {
        ruledOut: `${first.caller} has ${formatBytes(first.bytes)} in ${
          formatQuantity(first.areas, "area")
        }, and vmalloc did not grow while it was watched`,
      };
    }
    const likelihood = (): Confidence => {
      // Which function grows is an inference where it does not have most of what can.
      if (first.bytes < MOST_OF * all) return "possible";
      if (grows) return many ? "confirmed" : "likely";
      // Watched and steady is what a table in use does; many areas of one function, seen once, are a strong hint.
      return trend === undefined && many ? "likely" : "possible";
    };
    const where = first.module === undefined ? "" : ` (module ${first.module})`;
    const evidence: EvidenceLine[] = [{
      path: first.largest.path,
      line: first.largest.line,
      because: `the largest of ${formatQuantity(first.areas, "area")} of ${first.caller}, ${
        formatBytes(first.bytes)
      } together: ${formatShare(first.bytes, Math.max(all, 1))} of what is no thread stack or table of the boot`,
    }];
    const source = ledger.accounts.find(({ id }) => id === "vmalloc")?.sources[0];
    if (source !== undefined) {
      evidence.push({
        ...source,
        because: grows
          ? `vmalloc grew by ${formatBytes(trend.changeBytes)} in ${Math.round(trend.spanSeconds)} s`
          : `${formatBytes(account)} of vmalloc, thread stacks left out`,
      });
    }
    return {
      findings: [{
        title: `${first.caller}${where} holds ${formatBytes(first.bytes)} of vmalloc memory in ${
          formatQuantity(first.areas, "area")
        }${grows ? `, and vmalloc grows by ${formatRate(trend.bytesPerSecond)}` : ""}`,
        confidence: likelihood(),
        material: true,
        claims: [{ account: "vmalloc", bytes: { low: first.bytes, high: first.bytes } }],
        ...forecast(grows ? trend : undefined, ledgers),
        owners: open.filter(({ bytes }) => bytes >= materialBytes).slice(0, 10).map((
          { caller, module, bytes, areas },
        ) => ({
          pid: null,
          comm: module === undefined ? caller : `${caller} [${module}]`,
          bytes,
          count: areas,
          detail: `${formatQuantity(areas, "area")}; which process: ${whoCalls(caller)}`,
        })),
        evidence,
        remedies: remedies(first),
      }],
    };
  },
});
