import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Owner, Remedy } from "../src/core/report.ts";
import type { Account, AccountId, Ledger } from "../src/core/ledger.ts";
import type { MaybeValues, Values } from "../src/core/source.ts";
import { sumBytes } from "../src/core/sums.ts";
import { isWhole } from "../src/core/whole_ledger.ts";
import {
  cutOffLog,
  dumpLedger,
  hostOoms,
  isOfSomeNodes,
  leftBytes,
  mayBeOfGroup,
  reportOf,
} from "../src/computed/oom_dump.ts";
import { kernelLog, type KernelLogEvent, type OomVictim } from "../src/parsers/kernel_log.ts";
import {
  type OomAllocation,
  type OomReport,
  oomReports,
  type OomSlab,
  type OomTask,
} from "../src/parsers/oom_report.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

const VICTIMS_LISTED = 5;
const SHARES_LISTED = 3;
const SLABS_LISTED = 3;

/**
 * With this much of the host free, memory as such was not short: the kernel's own reserve (vm.min_free_kbytes) is below a tenth of the smallest hosts.
 * What was free was in a zone or on a node that the request could not be served from, or in smaller pieces.
 */
const AMPLE_FREE_SHARE = 0.25;

/** Heads of network packets; their data are in other caches (kmalloc-2k) and in page fragments. */
const HEAD_CACHES: ReadonlySet<string> = new Set(["skbuff_head_cache", "skbuff_fclone_cache"]);
/** struct sk_buff in its slab: include/linux/skbuff.h, from 3.10 to 7.x. */
const HEAD_BYTES = 256;
/** The largest buffer that slab has for a packet's data is kmalloc-8k: with this share in heads, the rest may be their data. */
const HEADS_SHARE = HEAD_BYTES / (HEAD_BYTES + 8192);

const needs = { kernelLog };
const uses = { oomReports };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

function aboutPackets(count: number): string {
  return formatQuantity(Number(count.toPrecision(2)), "network packet");
}

interface Packets {
  readonly count: number;
  readonly line: number;
}

/** Packets that made up the slab, if slab is most of what there was; undefined where they do not. */
function queuedPackets(most: Share | undefined, report: OomReport | undefined): Packets | undefined {
  const heads = report?.slabs.filter(({ name }) => HEAD_CACHES.has(name)) ?? [];
  const bytes = sumBytes(heads);
  const [first] = heads;
  if (first === undefined || most?.cause !== "slab-leak" || bytes < HEADS_SHARE * most.bytes) return undefined;
  return { count: bytes / HEAD_BYTES, line: first.line };
}

/** What the memory was when the kernel looked for a process to kill, and the cause that stands for it. */
interface Share {
  readonly what: string;
  readonly cause: string;
  readonly bytes: number;
  readonly line: number;
}

/** Page cache and free memory are left out: they are not why. */
const WHAT: ReadonlyMap<AccountId, { readonly what: string; readonly cause: string }> = new Map([
  ["anon", { what: "processes' own memory", cause: "user-leak" }],
  ["shmem", { what: "shared memory and tmpfs", cause: "shmem-leak" }],
  ["slab-unreclaimable", { what: "unreclaimable slab", cause: "slab-leak" }],
  ["slab-reclaimable", { what: "reclaimable slab", cause: "slab-reclaimable" }],
  ["page-tables", { what: "page tables", cause: "page-table-bloat" }],
  ["kernel-stacks", { what: "kernel stacks", cause: "kernel-stack-leak" }],
  ["hugetlb", { what: "huge pages", cause: "hugetlb-reservation" }],
  ["zspages", { what: "compressed memory", cause: "zram-held" }],
  ["unaccounted", { what: "kernel pages in no account of the dump", cause: "unattributed-kernel" }],
]);

/** The kernel's own dump by kind, the largest first. Empty when the dump was cut off. */
function sharesOf(dump: Ledger | undefined, report: OomReport | undefined): Share[] {
  if (dump === undefined || report === undefined) return [];
  // Up to 2.6.31: what is in no account is slab, too, and shared memory is among processes' own.
  const slab = isWhole(dump) ? undefined : report.bytes.get("slab");
  const accounts = dump.accounts.flatMap(({ id, bytes, sources: [source] }): Share[] => {
    const known = WHAT.get(id);
    if (known === undefined || (slab !== undefined && id === "unaccounted")) return [];
    const what = slab !== undefined && id === "anon" ? "processes' own and shared memory" : known.what;
    return [{ ...known, what, bytes: Math.max(0, bytes), line: source?.line ?? report.line }];
  });
  return [...accounts, ...(slab === undefined ? [] : [{ what: "slab", cause: "slab-leak", ...slab }])]
    .sort((a, b) => b.bytes - a.bytes);
}

/** Who has at least half of the largest share, as far as the dump tells. */
function holder({ cause, bytes }: Share, { tasks, slabs }: OomReport): string {
  const [task] = tasks;
  const own = task === undefined ? 0 : task.anonBytes ?? task.rssBytes;
  if (cause === "user-leak" && task !== undefined && own >= bytes / 2) {
    return `, ${formatBytes(own)} of it ${task.comm}'s (pid ${task.pid})`;
  }
  const [slab] = slabs;
  return cause === "slab-leak" && slab !== undefined && slab.bytes >= bytes / 2
    ? `, ${formatBytes(slab.bytes)} of it in the slab cache ${slab.name}`
    : "";
}

/** What the kernel compares: mm/oom_kill.c oom_badness(). Undefined where the table lacks a column of it. */
function scoreBytes(task: OomTask, dump: Ledger, { bytes }: OomReport): number | undefined {
  const { rssBytes, swapBytes, pageTableBytes, oomScoreAdj } = task;
  if (swapBytes === undefined || pageTableBytes === undefined || oomScoreAdj === undefined) return undefined;
  const all = dump.totalBytes + (bytes.get("swap_total")?.bytes ?? 0);
  return rssBytes + swapBytes + pageTableBytes + oomScoreAdj * all / 1000;
}

/** Why this one: its score, and who was larger and spared. */
function whyThis(task: OomTask, report: OomReport, dump: Ledger | undefined): string {
  const score = dump && scoreBytes(task, dump, report);
  const adj = task.oomScoreAdj ?? 0;
  const adjusted = adj === 0 ? "" : `, with oom_score_adj ${adj} counted as ${formatBytes(Math.max(0, score ?? 0))}`;
  const held = formatBytes(task.rssBytes + (task.swapBytes ?? 0) + (task.pageTableBytes ?? 0));
  const [largest] = report.tasks;
  const spared = largest === undefined || largest.pid === task.pid
    ? `; none of ${formatQuantity(report.tasks.length, "process", "processes")} was larger`
    : `; ${largest.comm} (pid ${largest.pid}) was larger with ${formatBytes(largest.rssBytes)}, ${
      largest.oomScoreAdj !== undefined && largest.oomScoreAdj < adj
        ? `but has oom_score_adj ${largest.oomScoreAdj}`
        : "and why it was spared the log does not tell"
    }`;
  return `why this one: it had ${held} of RSS, swap and page tables${adjusted}${spared}`;
}

/** What the kernel logged of its last OOM, and the times before. */
interface Shortage {
  /** The last, and those before it. */
  readonly events: readonly KernelLogEvent[];
  readonly last: KernelLogEvent;
  readonly path: string;
  /** Undefined where the dump was cut off, as what is made of it is then. */
  readonly report: OomReport | undefined;
  readonly dump: Ledger | undefined;
  /** What memory was, the largest first. */
  readonly shares: readonly Share[];
  readonly packets: Packets | undefined;
  /** Free memory, where there was plenty. */
  readonly ample: Account | undefined;
}

function shortageOf(events: readonly KernelLogEvent[], last: KernelLogEvent, seen: Seen): Shortage {
  const { kernelLog: log, oomReports: reports } = seen;
  const report = reportOf(last, log.value, reports?.value);
  const dump = report && dumpLedger(log.path, report);
  const shares = sharesOf(dump, report);
  return {
    events,
    last,
    path: log.path,
    report,
    dump,
    shares,
    packets: queuedPackets(shares[0], report),
    ample: dump?.accounts.find(({ id, bytes }) => id === "free" && bytes >= AMPLE_FREE_SHARE * dump.totalBytes),
  };
}

function scope({ constraint }: KernelLogEvent): string {
  if (constraint === "CONSTRAINT_CPUSET") return " in its cpuset";
  return constraint === "CONSTRAINT_MEMORY_POLICY" ? " on the nodes that its NUMA policy allows" : "";
}

/** Those of the same boot, as far as the log tells: a panic is the end of one. */
function killedUpTo(event: KernelLogEvent, events: readonly KernelLogEvent[]): readonly OomVictim[] {
  const end = events.indexOf(event);
  const start = events.slice(0, end).findLastIndex(({ panic }) => panic !== undefined) + 1;
  return events.slice(start, end + 1).filter(({ startsSince }) => startsSince === event.startsSince)
    .flatMap(({ victims }) => victims);
}

/** What became of it. */
function outcome(event: KernelLogEvent, events: readonly KernelLogEvent[]): string {
  const { victims, panic } = event;
  const killed = panic === undefined ? victims.slice(-1) : killedUpTo(event, events);
  const victim = killed.at(-1);
  const others = killed.length > 1 ? ` and ${formatQuantity(killed.length - 1, "other")}` : "";
  const kills = victim && `killed ${victim.comm} (pid ${victim.pid})${others}`;
  if (panic === undefined) return kills ?? "looked for a process to kill (whom, is not in the log)";
  const end = panic.because === "panic_on_oom"
    ? "panicked, as vm.panic_on_oom says"
    : "found nobody more to kill and panicked";
  return kills === undefined ? end : `${kills}, then ${end}`;
}

function owners({ events, last, report }: Shortage): Owner[] {
  const killed = events.flatMap(({ victims }) => victims).slice(-VICTIMS_LISTED).flatMap((each): Owner[] => {
    const { pid, comm, anonRssBytes, shmemRssBytes = 0 } = each;
    // "Kill process 116 (hog) score 900" without the line with the sizes: the dump's table may have it.
    const bytes = anonRssBytes === undefined
      ? report?.tasks.find((task) => task.pid === pid && last.victims.includes(each))?.rssBytes
      : anonRssBytes + shmemRssBytes;
    return bytes === undefined ? [] : [{ pid, comm, bytes, count: 1, detail: "killed, not necessarily the cause" }];
  });
  const [largest] = report?.tasks ?? [];
  if (killed.length > 0 || largest === undefined) return killed;
  const { pid, comm, rssBytes } = largest;
  return [{ pid, comm, bytes: rssBytes, count: 1, detail: "the largest process, which need not be the cause" }];
}

/** The kernel lists these caches where they have more than processes and page cache together: mm/oom_kill.c should_dump_unreclaim_slab(). */
function slabsAlone({ shares, report }: Shortage): OomSlab | undefined {
  return shares.length === 0 ? report?.slabs[0] : undefined;
}

/** What memory was then, for the title. */
function whatItWas(shortage: Shortage): string {
  const { shares: [most], report, dump, packets, ample } = shortage;
  const slab = slabsAlone(shortage);
  if (slab !== undefined) {
    return `; unreclaimable slab had more than all processes and page cache, ${
      formatBytes(slab.bytes)
    } of it in the slab cache ${slab.name}`;
  }
  if (most === undefined || dump === undefined || report === undefined) return "";
  const total = formatBytes(dump.totalBytes);
  if (ample !== undefined) {
    return `; yet ${formatBytes(ample.bytes)} of ${total} were free, where this request could not be served from`;
  }
  const whose = packets === undefined
    ? holder(most, report)
    : `, about ${aboutPackets(packets.count)} (most likely unread in sockets)`;
  return `; most of it was ${most.what}: ${formatBytes(most.bytes)} of ${total}${whose}`;
}

/** What it is a symptom of. Without the dump that is not known, and an OOM is no cause of its own, nor holds memory. */
function pointer(shortage: Shortage): Pick<FindingDraft, "material" | "symptomOf"> {
  const { last, shares: [most], packets, ample } = shortage;
  if (slabsAlone(shortage) !== undefined) return { material: true, symptomOf: "slab-leak" };
  // Much was free on nodes that it may not use, in whatever pieces.
  if (ample !== undefined && isOfSomeNodes(last)) return { material: false };
  if (ample !== undefined) return { material: true, symptomOf: "buddy-fragmentation" };
  if (packets !== undefined) return { material: true, symptomOf: "socket-backlog-udp" };
  return most === undefined ? { material: false } : { material: true, symptomOf: most.cause };
}

function evidence(shortage: Shortage): EvidenceLine[] {
  const { last, path, shares: [most] } = shortage;
  const asked = last.order === undefined ? "memory" : formatQuantity(2 ** last.order, "page");
  const unknown = most === undefined ? "; what all memory was then, the log does not tell" : "";
  return [
    {
      path,
      line: last.line,
      because: `${last.comm ?? "a process"} asked for ${asked}, and none was left${scope(last)}${unknown}`,
    },
    ...freeEvidence(shortage),
    ...victimEvidence(shortage),
    ...shareEvidence(shortage),
    ...details(shortage),
  ];
}

/** There was memory, but none that would do. */
function freeEvidence({ last: { order = 0 }, ample }: Shortage): EvidenceLine[] {
  const [source] = ample?.sources ?? [];
  if (source === undefined || ample === undefined) return [];
  const what = order > 0
    ? `pieces of ${formatQuantity(2 ** order, "page")}`
    : "one zone or node (a 32-bit kernel's low memory, a cpuset, what is kept for CMA)";
  const because = `${formatBytes(ample.bytes)} were free at that moment: not memory was short, but ${what}`;
  return [{ ...source, because }];
}

/** Who was killed or, where that is not told, was the largest; and a panic. */
function victimEvidence({ last, path, report, dump }: Shortage): EvidenceLine[] {
  const lines: EvidenceLine[] = [];
  const victim = last.victims.at(-1);
  if (victim !== undefined) {
    const { anonRssBytes: bytes, line } = victim;
    const own = bytes === undefined ? "" : `: it had ${formatBytes(bytes)} of its own`;
    const share = bytes === undefined || dump === undefined ? "" : `, ${formatShare(bytes, dump.totalBytes)} of memory`;
    lines.push({ path, line, because: `the victim, not necessarily the cause${own}${share}` });
  }
  if (last.panic !== undefined) {
    const because = `the kernel stopped${last.isEarlierBoot ? ", and the host was started anew later" : ""}`;
    lines.push({ path, line: last.panic.line, because });
  }
  const [largest] = report?.tasks ?? [];
  if (victim === undefined && largest !== undefined) {
    const { comm, pid, rssBytes, line } = largest;
    const who = `${comm} (pid ${pid}) had ${formatBytes(rssBytes)}`;
    lines.push({ path, line, because: `the largest process, not necessarily the cause: ${who}` });
  }
  return lines;
}

function shareEvidence({ path, dump, shares }: Shortage): EvidenceLine[] {
  if (dump === undefined) return [];
  return shares.slice(0, SHARES_LISTED).filter(({ bytes }) => bytes > 0).map(({ what, bytes, line }) => ({
    path,
    line,
    because: `at that moment ${formatBytes(bytes)} (${formatShare(bytes, dump.totalBytes)}) were ${what}`,
  }));
}

/** What no account of the dump tells better: pages of processes, of files and of slab are told by kind. */
const TOLD_BY_KIND =
  /^(?:mm\/(?:memory|filemap|readahead|shmem|huge_memory|slub|slab_common|page_alloc)\.c|fs\/proc\/)/;

function ownAllocations(report: OomReport | undefined): readonly OomAllocation[] {
  return (report?.allocations ?? []).filter(({ place }) => !TOLD_BY_KIND.test(place)).slice(0, SLABS_LISTED);
}

/** Why this victim, who had the slab, swap, and the times before. */
function details({ events, last, path, report, dump, packets }: Shortage): EvidenceLine[] {
  const lines: EvidenceLine[] = [];
  const killed = report?.tasks.find(({ pid }) => pid === last.victims.at(-1)?.pid);
  if (report !== undefined && killed !== undefined) {
    lines.push({ path, line: killed.line, because: whyThis(killed, report, dump) });
  }
  if (packets !== undefined) {
    lines.push({
      path,
      line: packets.line,
      because: `these are the heads of about ${
        aboutPackets(packets.count)
      }, whose data are in other caches: they wait in the receive queues of sockets that nobody reads, or to be sent. The log does not tell whose`,
    });
  }
  for (const { name, bytes, line } of report?.slabs.slice(0, SLABS_LISTED) ?? []) {
    lines.push({ path, line, because: `${formatBytes(bytes)} were in the slab cache ${name}` });
  }
  for (const { place, func, bytes, line } of ownAllocations(report)) {
    lines.push({ path, line, because: `${formatBytes(bytes)} were allocated by ${func} (${place})` });
  }
  const swap = report?.bytes.get("swap_total");
  const free = report?.bytes.get("swap_free");
  if (swap !== undefined && free !== undefined && swap.bytes > 0) {
    const used = formatBytes(Math.max(0, swap.bytes - free.bytes));
    lines.push({ path, line: free.line, because: `${used} of ${formatBytes(swap.bytes)} swap were in use` });
  }
  for (const earlier of events.slice(0, -1).slice(-VICTIMS_LISTED)) {
    lines.push({ path, line: earlier.line, because: `before that the kernel ${outcome(earlier, events)}` });
  }
  return lines;
}

/** Into the folder that `nailhouse collect` looks into without being told. */
const RECORD = "nailhouse record --dir /var/lib/nailhouse/ring &";

const RECORD_FROM_NOW_ON: Remedy = {
  when: "now",
  text: `What held the memory is gone. Record from now on, so that the next time tells who grew. ${
    remedyMark("global-oom", "record from now on")
  }`,
  commands: [RECORD],
  verify: "ls /var/lib/nailhouse/ring shows samples",
};

const FIND_SOCKETS: Remedy = {
  when: "now",
  text:
    `Packets lie in the queues of sockets that nobody reads: look which program's, the fullest first (Recv-Q). The kernel kills the largest process, whoever is at fault. ${
      remedyMark("global-oom", "find the sockets")
    }`,
  commands: ["ss -Huanp | sort -rnk2 | head -5", "ss -Htanp | sort -rnk2 | head -5", "nailhouse collect -o bundle.tgz"],
  verify: "Recv-Q is 0 once its program reads, or is restarted",
};

const LOOK_WHO_HOLDS_IT: Remedy = {
  when: "now",
  text:
    `The kernel kills the largest process, which need not be the cause. Look at the findings that hold memory, or capture before the next time. ${
      remedyMark("global-oom", "look who holds the memory")
    }`,
  commands: ["nailhouse collect", "dmesg | grep -iE 'oom-kill|out of memory'"],
  verify: "the report names who holds the memory",
};

/** @param isRecording The remedy before this one has it recorded. */
function recordAndLimit(isRecording: boolean): Remedy {
  return {
    when: "prevent",
    text: `${
      isRecording ? "Give" : "Record while memory goes, and give"
    } each service a limit, so that the one at fault is killed and no other. ${
      remedyMark("global-oom", "record, and limit each service")
    }`,
    commands: [...(isRecording ? [] : [RECORD]), "systemctl set-property SERVICE MemoryMax=..."],
    verify: "no more `global_oom` in the kernel log",
  };
}

function remedies({ last: { panic, isEarlierBoot }, packets }: Shortage): readonly Remedy[] {
  const isOver = panic !== undefined || isEarlierBoot;
  const now = isOver ? RECORD_FROM_NOW_ON : packets !== undefined ? FIND_SOCKETS : LOOK_WHO_HOLDS_IT;
  return [now, recordAndLimit(isOver)];
}

/** Who was out of memory: of a host with other nodes it is the one that may not use them. */
function subject(event: KernelLogEvent): string {
  const { isEarlierBoot, comm = "a process" } = event;
  if (isOfSomeNodes(event)) return isEarlierBoot ? `Before the host was last started, ${comm}` : comm;
  return isEarlierBoot ? "Before it was last started, the host" : "The host";
}

function finding(shortage: Shortage): FindingDraft {
  const { events, last } = shortage;
  const times = events.length === 1 ? "" : `, the last of ${events.length} times`;
  return {
    title: `${subject(last)} ran out of memory${scope(last)}, and the kernel ${outcome(last, events)}${times}${
      whatItWas(shortage)
    }`,
    confidence: "confirmed",
    claims: [],
    ...pointer(shortage),
    owners: owners(shortage),
    evidence: evidence(shortage),
    remedies: remedies(shortage),
  };
}

/** Who was killed is the host's largest process, whichever limit it was. */
function doubtfulFinding(shortage: Shortage): FindingDraft {
  const { events, last, path, dump } = shortage;
  const left = dump === undefined
    ? ""
    : `; ${formatBytes(leftBytes(dump))} of ${formatBytes(dump.totalBytes)} were free or in caches`;
  return {
    title: `${
      last.isEarlierBoot ? "Before the host was last started, a" : "A"
    } page fault found no memory, and the kernel ${
      outcome(last, events)
    }${left}: a control group at its limit of kernel memory is enough for that, the host need not have been short`,
    confidence: "possible",
    material: false,
    claims: [],
    owners: owners(shortage),
    evidence: [{
      path,
      line: last.line,
      because:
        "gfp_mask=0x0: a page fault found no memory, of the host or of its group (memory.kmem.failcnt counts); Linux 5.16 and later try again instead of killing",
    }],
    remedies: remedies(shortage),
  };
}

export const globalOom: Analyzer = defineAnalyzer({
  id: "global-oom",
  title: "The whole host ran out of memory, and the kernel killed",
  mechanism:
    "No memory was left that could be reclaimed, so the kernel killed the process with the highest score, which is about the largest one. The dump in the kernel log " +
    "tells what all memory was at that moment: often not the victim's, but slab or pages that no process has.",
  lookAlikes:
    "memcg-oom: one control group was at its limit. A cpuset or NUMA policy that leaves out most nodes: the log says CONSTRAINT_CPUSET or CONSTRAINT_MEMORY_POLICY. " +
    "A failed allocation of many pages in one piece (buddy-fragmentation) kills nobody.",
  references: ["mm/oom_kill.c", "https://docs.kernel.org/admin-guide/sysctl/vm.html#oom-kill-allocating-task"],
  needs,
  uses,
  analyze(seen) {
    const { kernelLog: log, oomReports: reports } = seen;
    const all = hostOoms(log.value);
    const sure = all.filter((event) => !mayBeOfGroup(event, log, reports));
    const events = sure.length > 0 ? sure : all;
    const last = events.at(-1);
    if (last === undefined) {
      const missing = cutOffLog(log, reports);
      return missing.length > 0
        ? { notAssessed: missing }
        : { ruledOut: "the kernel log has no OOM of the whole host" };
    }
    const shortage = shortageOf(events, last, seen);
    return { findings: [sure.length > 0 ? finding(shortage) : doubtfulFinding(shortage)] };
  },
});
