import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Owner, Remedy } from "../src/core/report.ts";
import type { Missing } from "../src/core/source.ts";
import { shellWord } from "../src/core/shell.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";
import { type MemcgOom, memcgOoms, UNNAMED_GROUP } from "../src/computed/memcg_ooms.ts";
import { cutOffLog, mayBeOfGroup } from "../src/computed/oom_dump.ts";
import { type CgroupController, cgroups } from "../src/parsers/cgroups.ts";
import { type ContainerStats, containerStats } from "../src/parsers/container_stats.ts";
import { free } from "../src/parsers/free.ts";
import { kernelLog } from "../src/parsers/kernel_log.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { memoryEvents } from "../src/parsers/memory_events.ts";
import { oomReports } from "../src/parsers/oom_report.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

const GROUPS_LISTED = 5;
const CHARGES_LISTED = 3;
/** As of the host's memory: with less than a twentieth left one large request is more than the rest. */
const NEAR_LIMIT_SHARE = 0.95;
/** Of a container without a limit docker and podman tell the host's memory as one. */
const HOSTS_SHARE = 0.95;

/** The systemd unit that a group is, if it is one: below slices alone. One below another group is of a container's systemd, or a user's, which the host's knows nothing of. */
function unitOf(group: string): string | undefined {
  return /^(?:\/[^/]+\.slice)*\/([^/]+\.(?:service|scope|slice))$/.exec(group)?.[1];
}

function when(seconds: number | undefined): string {
  return seconds === undefined ? "" : ` (${Math.round(seconds)} s after boot)`;
}

/** Kinds of charges by memory.stat's names, which do not overlap, and the causes that stand for them. */
const KINDS: readonly { readonly name: string; readonly what: string; readonly cause: string }[] = [
  { name: "anon", what: "its processes' own memory", cause: "user-leak" },
  { name: "shmem", what: "shared memory and tmpfs", cause: "shmem-leak" },
  { name: "slab_unreclaimable", what: "unreclaimable slab", cause: "slab-leak" },
  { name: "slab_reclaimable", what: "reclaimable slab", cause: "slab-reclaimable" },
  { name: "pagetables", what: "page tables", cause: "page-table-bloat" },
  { name: "kernel_stack", what: "kernel stacks", cause: "kernel-stack-leak" },
  { name: "sock", what: "TCP buffers", cause: "socket-backlog-tcp-recv" },
  { name: "percpu", what: "per-CPU data", cause: "percpu-growth" },
  { name: "vmalloc", what: "vmalloc", cause: "vmalloc-leak" },
  // Of cgroup v1.
  { name: "rss", what: "its processes' own memory", cause: "user-leak" },
];

/** What is out in swap counts at v1's limit of both. */
const SWAPPED = { what: "its processes' own memory, out in swap", cause: "user-leak" };

/** Of v1, where it is most of what the group was charged for. */
const KERNEL = { what: "kernel memory (slab, stacks, page tables)", cause: "slab-leak" };

interface Charge {
  readonly what: string;
  /** Undefined for page cache: it is given back, unless it is being written. */
  readonly cause: string | undefined;
  readonly bytes: number;
  readonly line: number;
}

/** What the group was charged for, the largest first. */
function chargesOf({ report }: MemcgOom): Charge[] {
  const told = new Map(report?.groupBytes);
  // Both versions count shared memory and tmpfs in it.
  const file = told.get("file") ?? told.get("cache");
  const inactive = told.get("inactive_file");
  const active = told.get("active_file");
  if (file !== undefined && !told.has("shmem") && inactive !== undefined && active !== undefined) {
    // Up to 4.11, as of RHEL 7, nothing tells them, but they are on no list of files: mm/memcontrol.c mem_cgroup_stat_names.
    told.set("shmem", { ...file, bytes: Math.max(0, file.bytes - inactive.bytes - active.bytes) });
  }
  const charges = KINDS.flatMap(({ name, ...kind }): Charge[] => {
    const charged = told.get(name);
    return charged === undefined ? [] : [{ ...kind, ...charged }];
  });
  const kmem = told.get("kmem");
  if (kmem !== undefined && kmem.bytes >= (report?.usageBytes ?? Infinity) / 2) charges.push({ ...KERNEL, ...kmem });
  const swap = told.get("swap");
  if (report?.limitOf === "memory+swap" && swap !== undefined) charges.push({ ...SWAPPED, ...swap });
  if (file !== undefined) {
    const shmem = told.get("shmem")?.bytes ?? 0;
    charges.push({ what: "page cache", cause: undefined, ...file, bytes: Math.max(0, file.bytes - shmem) });
  }
  return charges.filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
}

/** Whether what the log tells is less than half of what the group was charged for. */
function isMostlyUntold({ report }: MemcgOom, charges: readonly Charge[]): boolean {
  return sumBytes(charges) < (report?.usageBytes ?? 0) / 2;
}

/** What filled the group. Without its dump: the kernel kills the largest process, which in a small group mostly is the cause. */
function causeOf(group: MemcgOom): string | undefined {
  const charges = chargesOf(group);
  const [most] = charges;
  if (most !== undefined) return isMostlyUntold(group, charges) ? undefined : most.cause;
  const { victim } = group;
  // Nobody tells what the group was full of.
  if (victim?.anonRssBytes === undefined && victim?.shmemRssBytes === undefined) return undefined;
  const shmem = victim.shmemRssBytes ?? 0;
  return shmem > (victim.anonRssBytes ?? 0) ? "shmem-leak" : "user-leak";
}

/** What v1 calls the file of a limit. */
const V1_LIMITS = { memory: "", "memory+swap": "memsw.", kmem: "kmem." } as const;

function remedies(first: Pick<MemcgOom, "group" | "report">, isV1: boolean): Remedy[] {
  const unit = unitOf(first.group);
  const group = first.group === UNNAMED_GROUP ? "/GROUP" : first.group;
  const folder = shellWord(`/sys/fs/cgroup${isV1 ? "/memory" : ""}${group === "/" ? "" : group}`);
  const limit = `${folder}/memory.${isV1 ? `${V1_LIMITS[first.report?.limitOf ?? "memory"]}limit_in_bytes` : "max"}`;
  const counter = isV1 ? "oom_control" : "events";
  return [
    {
      when: "now",
      text:
        `See what is charged to the group: anon is its processes' own, file and slab are given back first, shmem is tmpfs and counts, too. ${
          remedyMark("memcg-oom", "see what is charged")
        }`,
      commands: [
        `cat ${folder}/memory.stat ${folder}/memory.${counter}`,
        ...(unit === undefined ? [] : [`systemctl status ${shellWord(unit)}`]),
      ],
      verify: isV1
        ? "rss or shmem of memory.stat is about memory.limit_in_bytes"
        : "anon, shmem or slab of memory.stat is about memory.max",
    },
    {
      when: "fix",
      text:
        `If the program needs what it takes, raise the limit; if it grows without end, find the leak: the limit did what it is for, and the host was not short. ${
          remedyMark("memcg-oom", "raise the limit")
        }`,
      commands: [
        unit === undefined ? `echo 1G > ${limit}` : `systemctl set-property ${shellWord(unit)} MemoryMax=1G`,
      ],
      verify: `oom_kill of memory.${counter} no longer rises under the same load`,
    },
    isV1
      ? {
        when: "prevent",
        text:
          `Alert on its counter of times at the limit. Cgroup v2 has memory.high, at which the group is slowed down and reclaimed before it is killed. ${
            remedyMark("memcg-oom", "memory.failcnt")
          }`,
        commands: [`cat ${folder}/memory.failcnt`],
        verify: "memory.failcnt does not rise",
      }
      : {
        when: "prevent",
        text:
          `Set memory.high below memory.max: the group is then slowed down and reclaimed before it is killed; alert on its counters. ${
            remedyMark("memcg-oom", "memory.high")
          }`,
        commands: [
          unit === undefined
            ? `echo 900M > ${folder}/memory.high`
            : `systemctl set-property ${shellWord(unit)} MemoryHigh=900M`,
        ],
        verify: "high of memory.events rises, oom_kill does not",
      },
  ];
}

function isNearLimit({ usageBytes, limitBytes }: ContainerStats, hostBytes = Infinity): boolean {
  return limitBytes !== undefined && limitBytes < HOSTS_SHARE * hostBytes &&
    usageBytes >= NEAR_LIMIT_SHARE * limitBytes;
}

function usageOf({ usageBytes, limitBytes }: ContainerStats): string {
  return limitBytes === undefined
    ? formatBytes(usageBytes)
    : `${formatBytes(usageBytes)} of ${formatBytes(limitBytes)} (${formatShare(usageBytes, limitBytes)})`;
}

/** Nobody is near a limit now: one that was killed in before has begun anew. */
function logBeside([largest, ...others]: readonly ContainerStats[]): Missing {
  const most = largest &&
    ` (the largest of ${formatQuantity(others.length + 1, "container")}, ${largest.name}, has ${usageOf(largest)})`;
  return { path: `sos_commands/kernel/dmesg${most ?? ""}`, howToCapture: "dmesg" };
}

/** What it is full of is not told: page cache is given back first. */
function nearLimit(
  near: readonly [ContainerStats, ...ContainerStats[]],
  path: string,
  isHostKnown: boolean,
): FindingDraft {
  const [first, ...others] = near;
  const likewise = others.length === 0 ? "" : `, and ${formatQuantity(others.length, "other")} likewise`;
  const limit = isHostKnown ? "its limit" : "its limit or, if it has none, the host's memory";
  const listed = near.slice(0, GROUPS_LISTED);
  return {
    title: `Container ${first.name} has ${usageOf(first)}, ${limit}${likewise}: at the limit the kernel kills in it`,
    confidence: "possible",
    material: false,
    claims: [],
    owners: listed.map((each) => ({
      pid: null,
      comm: each.name,
      bytes: each.usageBytes,
      count: 1,
      detail: "page cache may be in it",
    })),
    evidence: listed.map((each) => ({
      path,
      line: each.line,
      because: `${usageOf(each)}; what of it is page cache, which is given back first, the table does not tell`,
    })),
    remedies: remedies({ group: UNNAMED_GROUP, report: undefined }, false),
  };
}

/** Of a group whose limit of kernel memory may be behind a page fault that failed. */
const GROUP_COUNTERS: Missing = {
  path: "sys/fs/cgroup/memory/*/memory.kmem.failcnt",
  howToCapture: "find /sys/fs/cgroup -name 'memory*failcnt' -exec grep -H . {} +",
};

export const memcgOom: Analyzer = defineAnalyzer({
  id: "memcg-oom",
  title: "A control group was at its limit, and the kernel killed in it",
  mechanism:
    "A service or container has a memory limit. At the limit the kernel reclaims within the group; when that is not enough it kills the group's largest process. " +
    "The host may be nearly idle. The kernel log names the group and the process, memory.events counts.",
  lookAlikes:
    "global-oom: the whole host was short. A process that was killed by hand or by systemd-oomd: no such line in the kernel log. tmpfs and, before it is given back, " +
    "page cache are charged to the group as well, so no process in it need be large.",
  references: [
    "https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files",
    "mm/memcontrol.c mem_cgroup_out_of_memory()",
  ],
  needs: { memcgOoms },
  uses: { cgroups, kernelLog, oomReports, memoryEvents, containerStats, meminfo, free },
  analyze({ memcgOoms: groups, cgroups: controllers, kernelLog: log, oomReports: reports, ...others }) {
    const [first] = groups;
    const stats = others.containerStats;
    if (first === undefined && stats !== undefined) {
      const hostBytes = (others.meminfo ?? others.free)?.value.bytes.get("MemTotal")?.bytes;
      const [nearest, ...near] = stats.value.filter((each) => isNearLimit(each, hostBytes));
      if (nearest !== undefined) {
        return { findings: [nearLimit([nearest, ...near], stats.path, hostBytes !== undefined)] };
      }
      if (log === undefined && others.memoryEvents === undefined) return { notAssessed: [logBeside(stats.value)] };
    }
    const missing = cutOffLog(log, reports);
    if (first === undefined && missing.length > 0) return { notAssessed: missing };
    // The kubelet tells of OOMs of the whole host alone.
    if (first === undefined && others.memoryEvents === undefined && log?.value.some(({ isKubelets }) => isKubelets)) {
      return { notAssessed: [{ path: log.path, howToCapture: "dmesg" }] };
    }
    if (first === undefined && log?.value.some((event) => mayBeOfGroup(event, log, reports))) {
      return { notAssessed: [GROUP_COUNTERS] };
    }
    if (first === undefined) return { ruledOut: "no control group counts an OOM kill, and the kernel log has none" };
    return { findings: [finding(first, groups, controllers?.value.get("memory"))] };
  },
});

function finding(
  first: MemcgOom,
  groups: readonly MemcgOom[],
  memory: CgroupController | undefined,
): FindingDraft {
  const kills = sumOf(groups, (group) => group.kills);
  const of = first.report?.limitOf === undefined || first.report.limitOf === "memory"
    ? ""
    : ` of ${first.report.limitOf}`;
  const limit = first.limitBytes === undefined ? "its limit" : `its limit of ${formatBytes(first.limitBytes)}${of}`;
  const cause = causeOf(first);
  const isV1 = memory === undefined ? first.report?.isCgroupV1 === true : memory.hierarchy !== 0;
  const victim = first.victim !== undefined
    ? `killed ${first.victim.comm} (pid ${first.victim.pid})`
    : first.kills > 0
    ? `killed ${formatQuantity(first.kills, "process", "processes")}`
    : "looked for a process to kill (whom, is not in the log)";
  const others = groups.length === 1 ? "" : `; ${formatQuantity(groups.length - 1, "other group")} likewise`;
  const charges = chargesOf(first);
  const [most] = charges;
  const was = most === undefined
    ? ""
    : isMostlyUntold(first, charges)
    ? "; what most of it was the log does not tell"
    : `; most of it was ${most.what}: ${formatBytes(most.bytes)}`;
  return {
    title: `${
      first.isEarlierBoot ? "Before the host was last started, control" : "Control"
    } group ${first.group} was at ${limit}, and the kernel ${victim}${when(first.seconds)}${
      kills > 1 ? `, ${kills} kills in all` : ""
    }${was}${others}`,
    confidence: "confirmed",
    // The limit of a group is no memory of the host's.
    material: false,
    claims: [],
    ...(cause === undefined ? {} : { symptomOf: cause }),
    owners: groups.slice(0, GROUPS_LISTED).flatMap((group): Owner[] => {
      const { victim, usageBytes } = group;
      // Of a group without a victim's name all that it was charged is its own.
      const bytes = victim === undefined ? usageBytes : victim.anonRssBytes;
      return bytes === undefined ? [] : [{
        pid: victim?.pid ?? null,
        comm: victim?.comm ?? group.group,
        bytes,
        count: group.kills,
        detail: `killed in ${group.group}${
          usageBytes === undefined ? "" : `, which was charged ${formatBytes(usageBytes)}`
        }`,
      }];
    }),
    evidence: groups.slice(0, GROUPS_LISTED).flatMap(evidence),
    remedies: remedies(first, isV1),
  };
}

function evidence(each: MemcgOom): EvidenceLine[] {
  const { group, kills, log, counter, usageBytes, limitBytes } = each;
  const lines: EvidenceLine[] = [];
  if (log !== undefined) {
    lines.push({
      path: log.path,
      line: log.line,
      because: `the kernel killed in ${group}, not for want of memory on the host but at the group's limit`,
    });
    for (const { what, bytes, line } of chargesOf(each).slice(0, CHARGES_LISTED)) {
      lines.push({ path: log.path, line, because: `${formatBytes(bytes)} of it were ${what}` });
    }
    const [largest] = each.report?.tasks ?? [];
    if (largest !== undefined) {
      lines.push({
        path: log.path,
        line: largest.line,
        because: `the largest of ${
          formatQuantity(each.report?.tasks.length ?? 0, "process", "processes")
        } in the group: ${formatBytes(largest.rssBytes)}`,
      });
    }
    if (log.limitLine !== undefined && usageBytes !== undefined && limitBytes !== undefined) {
      lines.push({
        path: log.path,
        line: log.limitLine,
        because: `${formatBytes(usageBytes)} of ${formatBytes(limitBytes)} were charged to it`,
      });
    }
  }
  if (counter !== undefined) {
    lines.push({
      ...counter,
      because: `the group's own counter: ${formatQuantity(kills, "kill")}${
        each.victim === undefined ? "; who was killed: journalctl -k | grep -i 'out of memory'" : ""
      }`,
    });
  }
  return lines;
}
