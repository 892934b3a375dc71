import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatRate, formatShare } from "../src/core/format.ts";
import { accountBytes, accountOf } from "../src/core/ledger.ts";
import type { Confidence, Owner, Remedy } from "../src/core/report.ts";
import { shellWord } from "../src/core/shell.ts";
import { type MaybeValues, overTime, type Values } from "../src/core/source.ts";
import { sumBytes } from "../src/core/sums.ts";
import { forecast } from "../src/computed/forecast.ts";
import { accountSeries } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { FEW_OWNERS } from "../src/computed/owners.ts";
import { recentTrend, type Trend } from "../src/computed/trend.ts";
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

const needs = { ledger, vmallocCallers };
const uses = { ledgers: overTime(ledger) };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** How vmalloc went while it was watched. */
interface Watched {
  /** Undefined where it was not. */
  readonly trend: Trend | undefined;
  readonly growing: Trend | undefined;
}

function watched({ ledgers }: Seen): Watched {
  const trend = recentTrend(accountSeries(ledgers, "vmalloc"));
  const isGrowing = trend !== undefined && trend.low > 0 && trend.changeBytes >= MIN_GROWTH_BYTES;
  return { trend, growing: isGrowing ? trend : undefined };
}

function confidenceOf({ bytes, areas }: VmallocCaller, allBytes: number, { trend, growing }: Watched): Confidence {
  const areMany = areas >= MANY_AREAS;
  // Which function grows is an inference where it does not have most of what can.
  if (bytes < MOST_OF * allBytes) return "possible";
  if (growing !== undefined) return areMany ? "confirmed" : "likely";
  // Watched and steady is what a table in use does; many areas of one function, seen once, are a strong hint.
  return trend === undefined && areMany ? "likely" : "possible";
}

function evidence(
  { largest: { path, line }, caller, bytes, areas }: VmallocCaller,
  allBytes: number,
  growing: Trend | undefined,
  { ledger }: Seen,
): EvidenceLine[] {
  const source = accountOf(ledger, "vmalloc")?.sources[0];
  const lines: EvidenceLine[] = [{
    path,
    line,
    because: `the largest of ${formatQuantity(areas, "area")} of ${caller}, ${formatBytes(bytes)} together: ${
      formatShare(bytes, Math.max(allBytes, 1))
    } of what is no thread stack or table of the boot`,
  }];
  if (source === undefined) return lines;
  const because = growing === undefined
    ? `${formatBytes(accountBytes(ledger, "vmalloc") ?? 0)} of vmalloc, thread stacks left out`
    : `vmalloc grew by ${formatBytes(growing.changeBytes)} in ${Math.round(growing.spanSeconds)} s`;
  return [...lines, { ...source, because }];
}

function ownerOf({ caller, module, bytes, areas }: VmallocCaller): Owner {
  return {
    pid: null,
    comm: module === undefined ? caller : `${caller} [${module}]`,
    bytes,
    count: areas,
    detail: `${formatQuantity(areas, "area")}; which process: ${whoCalls(caller)}`,
  };
}

function finding(callers: readonly VmallocCaller[], materialBytes: number, how: Watched, seen: Seen): FindingDraft {
  const [first] = callers as readonly [VmallocCaller];
  const { caller, module, bytes, areas } = first;
  const { growing } = how;
  const allBytes = sumBytes(callers);
  const where = module === undefined ? "" : ` (module ${module})`;
  const rate = growing === undefined ? "" : `, and vmalloc grows by ${formatRate(growing.bytesPerSecond)}`;
  return {
    title: `${caller}${where} holds ${formatBytes(bytes)} of vmalloc memory in ${formatQuantity(areas, "area")}${rate}`,
    confidence: confidenceOf(first, allBytes, how),
    material: true,
    claims: [{ account: "vmalloc", bytes: { low: bytes, high: bytes } }],
    ...forecast(growing, seen.ledgers),
    owners: callers.filter((each) => each.bytes >= materialBytes).slice(0, FEW_OWNERS).map(ownerOf),
    evidence: evidence(first, allBytes, growing, seen),
    remedies: remedies(first),
  };
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
  needs,
  uses,
  analyze(seen) {
    const { ledger, vmallocCallers } = seen;
    const callers = vmallocCallers.filter(({ caller }) => !ACCOUNTED_FOR.test(caller));
    const [first] = callers;
    const how = watched(seen);
    const leastBytes = materialQueueBytes(ledger.totalBytes);
    const materialBytes = how.growing === undefined
      ? Math.max(leastBytes, MATERIAL_SHARE * ledger.totalBytes)
      : leastBytes;
    if (first === undefined || first.bytes < materialBytes) {
      const most = first === undefined
        ? "there is no"
        : `${first.caller} with ${formatBytes(first.bytes)} is the largest`;
      return {
        ruledOut: `vmalloc is ${
          formatBytes(accountBytes(ledger, "vmalloc") ?? 0)
        }; ${most} caller besides thread stacks, BPF maps, per-CPU chunks and the tables of the boot`,
      };
    }
    if (first.areas < MANY_AREAS && how.trend !== undefined && how.growing === undefined) {
      return {
        ruledOut: `${first.caller} has ${formatBytes(first.bytes)} in ${
          formatQuantity(first.areas, "area")
        }, and vmalloc did not grow while it was watched`,
      };
    }
    return { findings: [finding(callers, materialBytes, how, seen)] };
  },
});
