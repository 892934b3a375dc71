// What the kernel's log says of memory itself when it was short: the dump that follows "invoked oom-killer" (of the host) and "page allocation
// failure", and the usage and limit of a control group.
// mm/show_mem.c __show_mem(), mm/memcontrol.c mem_cgroup_print_oom_meminfo()
//
//   [  12.3] Mem-Info:
//   [  12.3] active_anon:1536 inactive_anon:2 isolated_anon:0
//   [  12.3]  slab_reclaimable:2500 slab_unreclaimable:131072
//   [  12.3]  free:3000 free_pcp:20 free_cma:0
//   [  12.3] Node 0 DMA32: 14*4kB (UE) 3*8kB (M) 0*16kB = 80kB
//   [  12.3] 196470 pages RAM
//   [  12.3] [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
//   [  12.3] [    170]     0   170   512249   124080   123917        1       162  1036288        0             0 leaker
//   [  12.3] memory: usage 204800kB, limit 204800kB, failcnt 19
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { KERNEL_LOG_PATHS, messageOf } from "./_kernel_messages.ts";
import { columns, forEachLine } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";
import type { BytesAtLine } from "./_values.ts";

/** Free blocks of one zone. */
export interface FreeBlocks {
  readonly zone: string;
  /** Blocks by order: 2^order pages. */
  readonly blocks: readonly number[];
  readonly line: number;
}

/** A process in the dump's table. */
export interface OomTask {
  readonly pid: number;
  readonly comm: string;
  readonly rssBytes: number;
  readonly line: number;
}

/** One dump. */
export interface OomReport {
  /** `Mem-Info:`, or a control group's `memory: usage`. */
  readonly line: number;
  /**
   * Totals of the host by the kernel's name (`active_anon`, `shmem`, `slab_unreclaimable`, `free`), and `hugetlb` (all huge pages), `RAM` and `reserved`. Empty for a control
   * group, and when the page size is not known: neither from the bundle nor from the dump's free blocks.
   */
  readonly bytes: ReadonlyMap<string, BytesAtLine>;
  readonly zones: readonly FreeBlocks[];
  /** What a control group at its limit was charged. */
  readonly usageBytes: number | undefined;
  readonly limitBytes: number | undefined;
  /** Of the processes that could have been killed the one with the most memory. */
  readonly largest: OomTask | undefined;
}

type Draft = { -readonly [K in keyof OomReport]: OomReport[K] } & {
  bytes: Map<string, BytesAtLine>;
  zones: FreeBlocks[];
};

const GROUP = /^memory: usage (\d+)kB, limit (\d+)kB/;
const ZONE = /^Node (\d+) (\w+): ((?:\d+\*\d+kB(?: \([A-Z]*\))? )+)= \d+kB/;
const HUGE = /^Node \d+ hugepages_total=(\d+) hugepages_free=\d+ hugepages_surp=\d+ hugepages_size=(\d+)kB/;
/** The table's header from the second column on: what follows these differs from kernel to kernel. */
const TASKS = /^uid +tgid +total_vm +rss /;
/** The smallest free block is a page. */
const PAGE_KIB = /\bNode \d{1,5} \w{1,16}: \d{1,15}\*(\d{1,7})kB /;
const WHOLE = /^(\d+) pages (RAM|reserved)\b/;

/**
 * Finds the dumps in a kernel log.
 *
 * @returns In the log's order; none when all is well.
 * @throws {ParseError} if the text is empty.
 *
 * @example
 * ```ts
 * import { parseOomReports } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "[ 12.3] Mem-Info:\n[ 12.3] active_anon:2 inactive_anon:0\n[ 12.3]  slab_unreclaimable:3\n";
 * const [report] = parseOomReports(text, { facts: { pageSizeBytes: 4096 }, warn() {} });
 * strictEqual(report?.bytes.get("slab_unreclaimable")?.bytes, 12_288);
 * ```
 */
export function parseOomReports(text: string, { facts }: ParseContext): readonly OomReport[] {
  if (text.trim() === "") throw new ParseError("Cannot parse the kernel log: it is empty");
  const pageBytes = facts.pageSizeBytes ?? multiply(parseCount(PAGE_KIB.exec(text)?.[1]), 1024);
  const reports: Draft[] = [];
  let inTotals = false;
  // The table's columns, while it lasts.
  let taskColumns: readonly string[] | undefined;
  forEachLine(text, (line, number) => {
    const message = messageOf(line);
    const group = GROUP.exec(message);
    if (message.startsWith("Mem-Info:") || group !== null) {
      inTotals = group === null;
      reports.push({
        line: number,
        bytes: new Map(),
        zones: [],
        usageBytes: multiply(parseCount(group?.[1]), 1024),
        limitBytes: multiply(parseCount(group?.[2]), 1024),
        largest: undefined,
      });
      return;
    }
    const report = reports.at(-1);
    if (report === undefined) return;
    if (inTotals && /^[a-z_]+:\d/.test(message)) totals(message, number, report, pageBytes);
    else inTotals = false;
    const zone = ZONE.exec(message);
    if (zone !== null) {
      report.zones.push({ zone: `node ${zone[1]} ${zone[2]}`, blocks: blocksOf(zone[3] as string), line: number });
    }
    const huge = HUGE.exec(message);
    const pool = multiply(parseCount(huge?.[1]), multiply(parseCount(huge?.[2]), 1024));
    if (pool !== undefined) {
      report.bytes.set("hugetlb", { bytes: (report.bytes.get("hugetlb")?.bytes ?? 0) + pool, line: number });
    }
    const whole = WHOLE.exec(message);
    const bytes = multiply(parseCount(whole?.[1]), pageBytes);
    if (whole !== null && bytes !== undefined) report.bytes.set(whole[2] as string, { bytes, line: number });
    // The pid before it may have been taken for something that dmesg put there.
    const row = message.replace(/^\[[ \w]{1,16}\] */, "");
    if (TASKS.test(row)) taskColumns = columns(row);
    else if (taskColumns !== undefined) {
      const task = taskOf(columns(row), taskColumns, number, pageBytes);
      if (task === undefined) taskColumns = undefined;
      else if (task.rssBytes > (report.largest?.rssBytes ?? 0)) report.largest = task;
    }
  });
  return reports;
}

/** `active_anon:1536 inactive_anon:2`, in pages. Before 3.16 also `pagetables:1` and more on the same lines. */
function totals(message: string, line: number, report: Draft, pageBytes: number | undefined): void {
  for (const word of columns(message)) {
    const [name, digits] = word.split(":");
    const bytes = multiply(parseCount(digits), pageBytes);
    if (name !== undefined && bytes !== undefined) report.bytes.set(name, { bytes, line });
  }
}

/** `0   170   512249   124080 ... leaker`; a name may have blanks in it. */
function taskOf(
  words: readonly string[],
  names: readonly string[],
  line: number,
  pageBytes: number | undefined,
): OomTask | undefined {
  const pid = parseCount(words[names.indexOf("tgid")]);
  const rssBytes = multiply(parseCount(words[names.indexOf("rss")]), pageBytes);
  const comm = words.slice(names.length - 1).join(" ");
  return pid === undefined || rssBytes === undefined || comm === "" ? undefined : { pid, comm, rssBytes, line };
}

/** `14*4kB (UE) 3*8kB (M)` */
function blocksOf(list: string): number[] {
  return [...list.matchAll(/(\d+)\*\d+kB/g)].map(([, count]) => parseCount(count)).filter((count) =>
    count !== undefined
  );
}

/** A snapshot's file, as {@linkcode parseOomReports} reads it. */
export const oomReports: Source<Parsed<readonly OomReport[]>> = defineArtifact({
  name: "oom_report",
  paths: KERNEL_LOG_PATHS,
  howToCapture: "dmesg",
  parse: parseOomReports,
});
