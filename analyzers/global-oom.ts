import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Owner, Remedy } from "../src/core/report.ts";
import { reportOf } from "../src/computed/memcg_ooms.ts";
import { kernelLog, type KernelLogEvent } from "../src/parsers/kernel_log.ts";
import { type OomReport, oomReports } from "../src/parsers/oom_report.ts";

const VICTIMS_LISTED = 5;
/** A person asked for the kill (sysrq f). */
const SYSRQ_ORDER = -1;

/** What the memory was when the kernel looked for a process to kill, and the cause that stands for it. */
interface Share {
  readonly what: string;
  readonly cause: string;
  readonly bytes: number;
  readonly line: number;
}

/** The kernel's own dump by kind. Page cache and free memory are left out: they are not why. Empty when the dump was cut off. */
function shares({ line, bytes }: OomReport): { readonly total: number; readonly shares: readonly Share[] } {
  const of = (name: string): number => bytes.get(name)?.bytes ?? 0;
  const total = of("RAM") - of("reserved");
  if (total <= 0 || !bytes.has("slab_unreclaimable") || !bytes.has("active_anon")) return { total: 0, shares: [] };
  const shmem = of("shmem");
  // tmpfs is on the anonymous lists.
  const anon = Math.max(0, of("active_anon") + of("inactive_anon") + of("isolated_anon") + of("unevictable") - shmem);
  const file = of("active_file") + of("inactive_file") + of("isolated_file");
  const free = of("free") + of("free_pcp");
  const tables = of("pagetables") + of("sec_pagetables");
  const known = shmem + anon + file + free + tables + of("slab_unreclaimable") + of("slab_reclaimable") + of("hugetlb");
  const at = (name: string): number => bytes.get(name)?.line ?? line;
  const found: Share[] = [
    { what: "processes' own memory", cause: "user-leak", bytes: anon, line: at("active_anon") },
    { what: "shared memory and tmpfs", cause: "shmem-leak", bytes: shmem, line: at("shmem") },
    { what: "unreclaimable slab", cause: "slab-leak", bytes: of("slab_unreclaimable"), line: at("slab_unreclaimable") },
    {
      what: "reclaimable slab",
      cause: "slab-reclaimable",
      bytes: of("slab_reclaimable"),
      line: at("slab_reclaimable"),
    },
    { what: "page tables", cause: "page-table-bloat", bytes: tables, line: at("pagetables") },
    { what: "huge pages", cause: "hugetlb-reservation", bytes: of("hugetlb"), line: at("hugetlb") },
    {
      what: "kernel pages in no account of the dump",
      cause: "unattributed-kernel",
      bytes: Math.max(0, total - known),
      line: at("RAM"),
    },
  ];
  return { total, shares: found.sort((a, b) => b.bytes - a.bytes) };
}

const REMEDIES: readonly Remedy[] = [
  {
    when: "now",
    text:
      "The process that was killed is the largest one, which need not be the cause. Look at the findings that hold memory, or capture before the next time.",
    commands: ["nailhouse collect", "dmesg | grep -iE 'oom-kill|out of memory'"],
    verify: "the report names who holds the memory",
  },
  {
    when: "prevent",
    text:
      "Record while memory goes, and give each service a limit, so that the one at fault is killed and no other (not verified by nailhouse's lab).",
    commands: ["nailhouse record --dir /var/lib/nailhouse --every 60", "systemctl set-property SERVICE MemoryMax=..."],
    verify: "no more `global_oom` in the kernel log",
  },
];

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
  needs: { kernelLog },
  uses: { oomReports },
  analyze({ kernelLog: log, oomReports: reports }) {
    const events = log.value.filter(({ kind, order }) => kind === "global-oom" && order !== SYSRQ_ORDER);
    const last = events.at(-1);
    if (last === undefined) return { ruledOut: "the kernel log has no OOM of the whole host" };
    const report = reportOf(last, log.value, reports?.value);
    const dump = report === undefined ? { total: 0, shares: [] } : shares(report);
    const [most] = dump.shares;
    return { findings: [finding(last)] };

    function scope({ constraint }: KernelLogEvent): string {
      if (constraint === "CONSTRAINT_CPUSET") return " in its cpuset";
      return constraint === "CONSTRAINT_MEMORY_POLICY" ? " on the nodes that its NUMA policy allows" : "";
    }

    /** What became of it. */
    function outcome({ victims, panic }: KernelLogEvent): string {
      const victim = victims.at(-1);
      if (panic?.because === "panic_on_oom") return "panicked, as vm.panic_on_oom says";
      if (panic !== undefined) return "found nobody more to kill and panicked";
      return victim === undefined ? "found nobody to kill" : `killed ${victim.comm} (pid ${victim.pid})`;
    }

    function owners(): Owner[] {
      const killed = events.flatMap(({ victims }) => victims).slice(-VICTIMS_LISTED).map((each): Owner => ({
        pid: each.pid,
        comm: each.comm,
        bytes: (each.anonRssBytes ?? 0) + (each.shmemRssBytes ?? 0),
        count: 1,
        detail: "killed; the largest process, which need not be the cause",
      }));
      if (killed.length > 0 || report?.largest === undefined) return killed;
      const { pid, comm, rssBytes } = report.largest;
      return [{ pid, comm, bytes: rssBytes, count: 1, detail: "the largest process, which need not be the cause" }];
    }

    function finding(event: KernelLogEvent): FindingDraft {
      const times = events.length === 1 ? "" : `, the last of ${events.length} times`;
      const was = most === undefined
        ? ""
        : `; most of it was ${most.what}: ${formatBytes(most.bytes)} of ${formatBytes(dump.total)}`;
      return {
        title: `The host ran out of memory${scope(event)}, and the kernel ${outcome(event)}${times}${was}`,
        confidence: "confirmed",
        material: true,
        claims: [],
        symptomOf: most?.cause ?? "user-leak",
        owners: owners(),
        evidence: evidence(event),
        remedies: REMEDIES,
      };
    }

    function evidence(event: KernelLogEvent): EvidenceLine[] {
      const lines: EvidenceLine[] = [{
        path: log.path,
        line: event.line,
        because: `${event.comm ?? "a process"} asked for ${
          event.order === undefined ? "memory" : formatQuantity(2 ** event.order, "page")
        }, and none was left${scope(event)}`,
      }];
      const victim = event.victims.at(-1);
      if (victim !== undefined) {
        const own = victim.anonRssBytes === undefined ? "" : `: it had ${formatBytes(victim.anonRssBytes)} of its own`;
        const share = victim.anonRssBytes === undefined || dump.total === 0
          ? ""
          : `, ${formatShare(victim.anonRssBytes, dump.total)} of memory`;
        lines.push({
          path: log.path,
          line: victim.line,
          because: `the victim, not necessarily the cause${own}${share}`,
        });
      }
      if (event.panic !== undefined) {
        lines.push({
          path: log.path,
          line: event.panic.line,
          because: "the kernel stopped: the host was started anew",
        });
      }
      if (victim === undefined && report?.largest !== undefined) {
        const { comm, pid, rssBytes, line } = report.largest;
        lines.push({
          path: log.path,
          line,
          because: `the largest process, not necessarily the cause: ${comm} (pid ${pid}) had ${formatBytes(rssBytes)}`,
        });
      }
      for (const { what, bytes, line } of dump.shares.slice(0, 3)) {
        if (bytes > 0) {
          lines.push({
            path: log.path,
            line,
            because: `at that moment ${formatBytes(bytes)} (${formatShare(bytes, dump.total)}) were ${what}`,
          });
        }
      }
      return lines;
    }
  },
});
