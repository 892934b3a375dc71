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
//   [  12.3] Memory cgroup stats for /app:
//   [  12.3] anon 209301504
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { chosenLog, forEachLogLine, isNewestFirst, KERNEL_LOG_PATHS, messageOf } from "./_kernel_messages.ts";
import { columns } from "./_lines.ts";
import { multiply, parseAmount, parseCount, parseInteger } from "./_numbers.ts";
import type { BytesAtLine } from "./_values.ts";

/** Free blocks of one zone. */
export interface FreeBlocks {
  readonly zone: string;
  /** Blocks by order: 2^order pages. */
  readonly blocks: readonly number[];
  /** The smallest block is a page. */
  readonly pageBytes: number | undefined;
  readonly line: number;
}

/** A process in the dump's table. */
export interface OomTask {
  readonly pid: number;
  readonly comm: string;
  /** All that it has in RAM, of files and shared memory, too. */
  readonly rssBytes: number;
  /** Its own alone; undefined before 6.8. */
  readonly anonBytes: number | undefined;
  readonly swapBytes: number | undefined;
  readonly pageTableBytes: number | undefined;
  readonly oomScoreAdj: number | undefined;
  readonly line: number;
}

/** A cache that cannot be reclaimed. */
export interface OomSlab extends BytesAtLine {
  readonly name: string;
}

/** What one place in the kernel's code allocated, of the ten that have most (CONFIG_MEM_ALLOC_PROFILING, from 6.10 on). */
export interface OomAllocation extends BytesAtLine {
  /** `fs/bcachefs/btree/cache.c:254`, before which a module's name may stand. */
  readonly place: string;
  readonly func: string;
}

/** One dump. */
export interface OomReport {
  /** `Mem-Info:`, or a control group's `memory: usage`. */
  readonly line: number;
  /** Whether the log has its newest line first (`journalctl -r`): what comes later stands above. */
  readonly isNewestFirst: boolean;
  /**
   * Totals of the host by the kernel's name (`active_anon`, `shmem`, `slab_unreclaimable`, `free`; `kernel_stack`, `zspages`, `managed` added up over nodes or
   * zones), and `hugetlb` (all huge pages), `RAM`, `reserved`, `swap_total` and `swap_free`. Without what is counted in pages when the page size is not known:
   * neither from the bundle nor from the dump's free blocks.
   */
  readonly bytes: ReadonlyMap<string, BytesAtLine>;
  readonly zones: readonly FreeBlocks[];
  /** What a control group at its limit was charged. */
  readonly usageBytes: number | undefined;
  readonly limitBytes: number | undefined;
  /** What that limit was for; undefined where the log tells of no control group. */
  readonly limitOf: "memory" | "memory+swap" | "kmem" | undefined;
  /** Whether the group was one of cgroup v1; undefined where the log does not tell. */
  readonly isCgroupV1: boolean | undefined;
  /** What the control group was charged for, as in its memory.stat (`anon`, `file`, `slab`; v1: `rss`, `cache`, and `kmem`). */
  readonly groupBytes: ReadonlyMap<string, BytesAtLine>;
  /** The processes that could have been killed, the largest first. Of a control group: its own. */
  readonly tasks: readonly OomTask[];
  /** From 4.15 on, and only when slab has more than user processes have; the largest first. */
  readonly slabs: readonly OomSlab[];
  /** In the log's order: the largest first. */
  readonly allocations: readonly OomAllocation[];
}

type Draft = { -readonly [K in keyof OomReport]: OomReport[K] } & {
  bytes: Map<string, BytesAtLine>;
  zones: FreeBlocks[];
  groupBytes: Map<string, BytesAtLine>;
  tasks: OomTask[];
  slabs: OomSlab[];
  allocations: OomAllocation[];
};

const GROUP = /^memory: usage (\d+)kB, limit (\d+)kB/;
/** What the first line of a dump has, or of what is left of one: without any the log is not taken apart. */
const BEGINNINGS = [
  "Mem-Info:",
  "Mem-info:",
  "memory: usage ",
  "ctive_anon:",
  "slab_unreclaimable:",
  "Unreclaimable slab info:",
  " func:",
  "lowmem_reserve[]:",
  " pages RAM",
  " total_vm ",
];
/** Limits that a control group of v1 has besides: mm/memcontrol.c mem_cgroup_print_oom_meminfo(). */
const OTHER_LIMIT = /^(memory\+swap|kmem): usage (\d+)kB, limit (\d+)kB/;
/** On ARM and others up to 3.10 and 3.15 an architecture's own: arch/arm/mm/init.c show_mem(). */
const MEM_INFO = /^Mem-[Ii]nfo:/;
/** Kernels without NUMA, as on most boards with ARM, name zones without the node. */
const ZONE = /^(?:Node (\d+) )?(\w+): ((?:\d+\*\d+kB(?: \([A-Z]*\))? )+)= \d+kB/;
/** Up to 4.1 the per-CPU lists (`Node 0 DMA per-cpu:`) come before the totals. */
const NODE_OR_ZONE = /^(?:Node (?!\d+ \w+ per-cpu:)|\w{1,16} free:\d{1,15}kB )/;
const HUGE = /^Node \d+ hugepages_total=(\d+) hugepages_free=\d+ hugepages_surp=\d+ hugepages_size=(\d+)kB/;
/** The table's header from the second column on: what follows these differs from kernel to kernel. */
const TASKS = /^uid +tgid +total_vm +rss /;
/** What stands below the first totals of every dump: a log that was cut off, or pasted from there on, may begin with any of it. */
const LATER =
  /^(?:slab_reclaimable:\d|Node \d+ active_anon:|lowmem_reserve\[\]:|Unreclaimable slab info:|\d[\d.]{0,8} [KMGT]?i?B +\d{1,15} \S{1,200}:\d+ (?:\[\S{1,64}\] )?func:|\d{1,15} pages RAM\b|uid +tgid +total_vm +rss )/;
/** Totals that nodes tell, too, from 4.8 on. */
const NODE_TOTALS = /^Node \d+ active_anon:/;
const OF_NODE = /\b((?:in)?active_(?:anon|file)|unevictable|shmem|isolated\((?:anon|file)\)):(\d+)kB/g;
/** A row of the table, whatever columns it has: the process's number stands in it twice. */
const TASK_ROW = /\[ {0,9}(\d{1,10})\] +\d{1,10} +\1 +\d{1,15} +\d{1,15} /;
/** How far a log that begins within the table is looked at to know it. */
const HEAD_LENGTH = 2000;
/** The smallest free block is a page. */
const PAGE_KIB = /(?:^|[\] ])\w{1,16}: \d{1,15}\*(\d{1,7})kB /m;
const WHOLE = /^(\d+) (?:pages (?:of )?(RAM|reserved|hwpoisoned)|(reserved) pages)\b/;
const SWAP = /^(Total|Free) swap {1,2}= (\d+)kB/;
/** What only the lines of nodes and zones tell; which of them, differs from kernel to kernel. */
const PER_NODE = /\b(kernel_stack|zspages|managed|Balloon|gpu_active|gpu_reclaim):(\d+)kB/g;
/** mm/show_mem.c __show_mem(): `    1.19 GiB   310794 mm/mempool.c:638 func:mempool_kvmalloc`, the size as string_get_size() writes it. */
const ALLOCATION = /^(\d{1,4}(?:\.\d{1,2})?) ([KMGT]i)?B +\d+ (\S{1,200}:\d+(?: \[\S{1,64}\])?) func:(\S{1,100})$/;
const UNITS: readonly (string | undefined)[] = [undefined, "Ki", "Mi", "Gi", "Ti"];
const SLAB = /^(\S+) +(\d+)KB +(\d+)KB$/;
const GROUP_STATS = "Memory cgroup stats for ";
/** `anon 209301504` of v2. What has no unit and is no amount is left to those who look for amounts. */
const GROUP_STAT = /^([a-z_0-9]+) (\d+)$/;
/** What is left of the table's first column, unless it was taken for something that dmesg put there. */
const PID_COLUMN = /^\[[ \w]{1,16}\] */;
/** The table is over; other lines in it are another CPU's, or were lost. */
const AFTER_TASKS = /^(?:oom-kill:|Out of memory|Memory cgroup out of memory|Kill(?:ed)? process |Kernel panic )/;
/** A new shortage: what follows is no longer of the dump before it. */
const SHORTAGE = / invoked oom-killer: |: page allocation failure[.:] /;
/**
 * The kernel logs several lines as one message with newlines in it, and so the journal keeps it; rsyslog that reads the journal (RHEL 7 and newer: imjournal)
 * writes each control character as # and its octal digits; /dev/kmsg itself as \\x and hexadecimal ones.
 */
const ESCAPED_NEWLINE = /#012|\\x0a/;

/** Takes dumps apart, message by message. */
class Dumps {
  readonly reports: Draft[] = [];
  readonly #isNewestFirst: boolean;
  readonly #pageBytes: number | undefined;
  /** Totals that the last dump's own lines do not tell, because it is cut off above them: the nodes'. */
  #untold: ReadonlySet<string> | undefined;
  /** Which part of the dump the lines belong to; lines of others may stand between them. */
  #part: "totals" | "zones" | "slabs" | "group" | "tasks" = "totals";
  #taskColumns: readonly string[] = [];

  constructor(isNewestFirst: boolean, pageBytes: number | undefined) {
    this.#isNewestFirst = isNewestFirst;
    this.#pageBytes = pageBytes;
  }

  /** @param isRow Whether it is a row of the table that the log begins with. */
  add(message: string, line: number, isRow: boolean): void {
    const group = GROUP.exec(message);
    if (SHORTAGE.test(message)) this.#part = "zones";
    const isHost = this.#beginsHost(message, isRow);
    // Up to 3.8 the host's dump follows the control group's: mm/oom_kill.c dump_header().
    if (isHost && this.#part === "group") this.#part = "totals";
    else if (isHost || group !== null) this.#begin(line, group);
    const report = this.reports.at(-1);
    if (report !== undefined) this.#read(message, line, report);
  }

  /** A log that was cut off may begin with the totals, and a console that leaves out KERN_INFO shows no "Mem-Info:" of 2.6.32: lib/show_mem.c. */
  #beginsHost(message: string, isRow: boolean): boolean {
    if (MEM_INFO.test(message)) return true;
    const isFirst = this.reports.length === 0;
    if ((isFirst || this.#part !== "totals") && /^[Aa]ctive_anon:\d/.test(message)) return true;
    return isFirst && (isRow || LATER.test(message.replace(PID_COLUMN, "")));
  }

  #begin(line: number, group: RegExpExecArray | null): void {
    this.#part = group === null ? "totals" : "group";
    this.#untold = undefined;
    this.reports.push({
      line,
      isNewestFirst: this.#isNewestFirst,
      bytes: new Map(),
      zones: [],
      usageBytes: multiply(parseCount(group?.[1]), 1024),
      limitBytes: multiply(parseCount(group?.[2]), 1024),
      limitOf: group === null ? undefined : "memory",
      isCgroupV1: undefined,
      groupBytes: new Map(),
      tasks: [],
      slabs: [],
      allocations: [],
    });
  }

  #read(message: string, line: number, report: Draft): void {
    // The pid before it may have been taken for something that dmesg put there.
    const row = message.replace(PID_COLUMN, "");
    this.#heading(message, row);
    if (NODE_TOTALS.test(message)) this.#nodeTotals(message, line, report);
    const part = this.#part;
    const pageBytes = this.#pageBytes;
    if (part === "group") otherLimit(message, line, report);
    if (allocation(message, line, report)) return;
    if (message.startsWith(GROUP_STATS)) groupStats(message, line, report);
    else if (part === "totals" && /^[A-Za-z_]+:\d/.test(message)) totals(message, line, report, pageBytes);
    else if (part === "totals" || part === "zones") zoneLine(message, line, report, pageBytes);
    else if (part === "slabs") slabLine(message, line, report);
    else if (part === "group") groupStat(message, line, report);
    else {
      const task = taskOf(columns(row), this.#taskColumns, line, pageBytes);
      if (task !== undefined) report.tasks.push(task);
    }
  }

  #heading(message: string, row: string): void {
    if (NODE_OR_ZONE.test(message)) this.#part = "zones";
    else if (message.startsWith("Unreclaimable slab info:")) this.#part = "slabs";
    else if (AFTER_TASKS.test(message)) this.#part = "zones";
    else if (TASKS.test(row)) {
      this.#part = "tasks";
      this.#taskColumns = columns(row);
    }
  }

  #nodeTotals(message: string, line: number, report: Draft): void {
    const totals = Array.from(message.matchAll(OF_NODE), ([, name, kb]) => [totalName(name as string), kb] as const);
    this.#untold ??= new Set(totals.map(([name]) => name).filter((name) => !report.bytes.has(name)));
    for (const [name, kb] of totals) {
      if (this.#untold.has(name)) addTo(report, name, multiply(parseCount(kb), 1024), line);
    }
  }
}

/**
 * Finds the dumps in a kernel log.
 *
 * @returns The oldest first; none when all is well.
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
  const hasBeginning = (part: string): boolean => BEGINNINGS.some((beginning) => part.includes(beginning));
  const beginsInTable = TASK_ROW.test(text.slice(0, HEAD_LENGTH));
  if (!beginsInTable && !hasBeginning(text)) return [];
  const newestFirst = isNewestFirst(text);
  const pageBytes = facts.pageSizeBytes ?? multiply(parseCount(PAGE_KIB.exec(text)?.[1]), 1024);
  const dumps = new Dumps(newestFirst, pageBytes);
  const { reports } = dumps;
  forEachLogLine(text, newestFirst, (line, number) => {
    const isRow = beginsInTable && reports.length === 0 && TASK_ROW.test(line);
    if (reports.length === 0 && !isRow && !hasBeginning(line)) return;
    for (const message of messageOf(line).split(ESCAPED_NEWLINE)) dumps.add(message.trim(), number, isRow);
  });
  for (const { tasks, slabs } of reports) {
    tasks.sort((a, b) => b.rssBytes - a.rssBytes || a.pid - b.pid);
    slabs.sort((a, b) => b.bytes - a.bytes || a.line - b.line);
  }
  return reports;
}

/** `isolated(anon)` of a node is `isolated_anon` among the totals. */
function totalName(name: string): string {
  return name.replace(/\((\w+)\)/, "_$1");
}

function addTo(report: Draft, name: string, bytes: number | undefined, line: number): void {
  if (bytes !== undefined) report.bytes.set(name, { bytes: (report.bytes.get(name)?.bytes ?? 0) + bytes, line });
}

/** What comes after the totals: nodes, zones, free blocks, huge pages, swap and the size of all. */
function zoneLine(message: string, line: number, report: Draft, pageBytes: number | undefined): void {
  const zone = ZONE.exec(message);
  if (zone !== null) {
    const list = zone[3] as string;
    report.zones.push({
      zone: `node ${zone[1] ?? 0} ${zone[2]}`,
      blocks: blocksOf(list),
      pageBytes: multiply(parseCount(/^\d+\*(\d+)kB/.exec(list)?.[1]), 1024),
      line,
    });
  }
  const huge = HUGE.exec(message);
  if (huge !== null) {
    addTo(report, "hugetlb", multiply(parseCount(huge[1]), multiply(parseCount(huge[2]), 1024)), line);
  } else if (NODE_OR_ZONE.test(message)) {
    for (const [, name, kb] of message.matchAll(PER_NODE)) {
      addTo(report, name as string, multiply(parseCount(kb), 1024), line);
    }
  }
  const swap = SWAP.exec(message);
  const swapBytes = multiply(parseCount(swap?.[2]), 1024);
  if (swap !== null && swapBytes !== undefined) {
    report.bytes.set(swap[1] === "Total" ? "swap_total" : "swap_free", { bytes: swapBytes, line });
  }
  const whole = WHOLE.exec(message);
  const bytes = multiply(parseCount(whole?.[1]), pageBytes);
  if (whole !== null && bytes !== undefined) report.bytes.set((whole[2] ?? whole[3]) as string, { bytes, line });
}

/** `kmalloc-2k             447744KB     447744KB`: in use, and all of its pages. */
function slabLine(message: string, line: number, report: Draft): void {
  const [, name, , kb] = SLAB.exec(message) ?? [];
  const bytes = multiply(parseCount(kb), 1024);
  if (name !== undefined && bytes !== undefined) report.slabs.push({ name, bytes, line });
}

/** @returns Whether it is one. */
function allocation(message: string, line: number, report: Draft): boolean {
  const [, size, unit, place, func] = ALLOCATION.exec(message) ?? [];
  const bytes = parseAmount(size, 1024 ** UNITS.indexOf(unit));
  if (bytes === undefined || place === undefined || func === undefined) return false;
  report.allocations.push({ bytes, place, func, line });
  return true;
}

/** `memory+swap: usage 1048576kB, limit 1048576kB` of v1, `swap: usage` of v2. */
function otherLimit(message: string, line: number, report: Draft): void {
  if (message.startsWith("swap: usage ")) report.isCgroupV1 = false;
  const other = OTHER_LIMIT.exec(message);
  if (other === null) return;
  report.isCgroupV1 = true;
  const usageBytes = multiply(parseCount(other[2]), 1024);
  const limitBytes = multiply(parseCount(other[3]), 1024);
  // What the kernel itself has for the group is in no line of its statistics.
  if (other[1] === "kmem" && usageBytes !== undefined) report.groupBytes.set("kmem", { bytes: usageBytes, line });
  if (usageBytes === undefined || limitBytes === undefined || usageBytes < limitBytes) return;
  if (report.usageBytes !== undefined && report.limitBytes !== undefined && report.usageBytes >= report.limitBytes) {
    return;
  }
  Object.assign(report, { usageBytes, limitBytes, limitOf: other[1] });
}

/**
 * v1 (up to 5.1) tells all on one line: `Memory cgroup stats for /app: cache:4KB rss:204796KB`, and one such line for each group below it, each without
 * what is in those below: mm/memcontrol.c mem_cgroup_print_oom_info().
 */
function groupStats(message: string, line: number, report: Draft): void {
  for (const [, name, kb] of message.matchAll(/ ([a-z_]+):(\d+)KB\b/g)) {
    const bytes = multiply(parseCount(kb), 1024);
    const above = report.groupBytes.get(name as string)?.bytes ?? 0;
    if (bytes !== undefined) report.groupBytes.set(name as string, { bytes: above + bytes, line });
  }
}

function groupStat(message: string, line: number, report: Draft): void {
  const [, name, digits] = GROUP_STAT.exec(message) ?? [];
  const bytes = parseCount(digits);
  if (name !== undefined && bytes !== undefined) report.groupBytes.set(name, { bytes, line });
}

/**
 * `active_anon:1536 inactive_anon:2`, in pages. Before 3.16 also `pagetables:1` and more on the same lines. From 2.6.28 to 2.6.31 the first one is
 * `Active_anon:`; before that `Active:` and `inactive:` are of pages of both kinds.
 */
function totals(message: string, line: number, report: Draft, pageBytes: number | undefined): void {
  for (const word of columns(message)) {
    const [name, digits] = word.split(":");
    const bytes = multiply(parseCount(digits), pageBytes);
    if (name !== undefined && bytes !== undefined) report.bytes.set(name.toLowerCase(), { bytes, line });
  }
}

/** `0   170   512249   124080 ... leaker`; a name may have blanks in it. */
function taskOf(
  words: readonly string[],
  names: readonly string[],
  line: number,
  pageBytes: number | undefined,
): OomTask | undefined {
  const word = (name: string): string | undefined => names.includes(name) ? words[names.indexOf(name)] : undefined;
  const pages = (name: string): number | undefined => multiply(parseCount(word(name)), pageBytes);
  const pid = parseCount(word("tgid"));
  const rssBytes = pages("rss");
  const comm = words.slice(names.length - 1).join(" ");
  if (pid === undefined || rssBytes === undefined || comm === "") return undefined;
  // Before 4.15 pages of tables: one column, from 4.0 on another one for the level above.
  const tables = pages("nr_ptes");
  return {
    pid,
    comm,
    rssBytes,
    anonBytes: pages("rss_anon"),
    swapBytes: pages("swapents"),
    pageTableBytes: parseCount(word("pgtables_bytes")) ??
      (tables === undefined ? undefined : tables + (pages("nr_pmds") ?? 0)),
    oomScoreAdj: parseInteger(word("oom_score_adj")),
    line,
  };
}

/** `14*4kB (UE) 3*8kB (M)` */
function blocksOf(list: string): number[] {
  return [...list.matchAll(/(\d+)\*\d+kB/g)].map(([, count]) => parseCount(count)).filter((count) =>
    count !== undefined
  );
}

/** A snapshot's log, as {@linkcode parseOomReports} reads it: the one that `kernelLog` reads. */
export const oomReports: Source<Parsed<readonly OomReport[]>> = {
  name: "oom_report",
  patterns: KERNEL_LOG_PATHS,
  read(reader) {
    const log = reader.read(chosenLog);
    return log.status === "ok" ? reader.parse(log.value.path, parseOomReports) : log;
  },
};
