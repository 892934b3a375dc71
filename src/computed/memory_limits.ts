/**
 * What may end before the host's memory does: who is charged to a control group is killed when its limit is reached, and with vm.overcommit_memory 2 nobody
 * gets more than CommitLimit.
 */
import type { EvidenceLine } from "../core/analyzer.ts";
import { formatBytes, formatRate } from "../core/format.ts";
import { accountBytes, type AccountId, type Ledger } from "../core/ledger.ts";
import type { Claim, Finding, Owner } from "../core/report.ts";
import { overTime, type Parsed, type Reader, readUses, type Source } from "../core/source.ts";
import { type Meminfo, meminfo } from "../parsers/meminfo.ts";
import { parseMemoryLimit } from "../parsers/memory_limit.ts";
import { type MemoryStat, parseMemoryStat } from "../parsers/memory_stat.ts";
import { type ProcessCgroup, processCgroup } from "../parsers/process_cgroup.ts";
import { type Swap, swaps } from "../parsers/swaps.ts";
import { sysctl } from "../parsers/sysctl.ts";
import { ledger } from "./ledger.ts";
import { processes } from "./processes.ts";
import { seesAllDescriptors } from "./process_statuses.ts";
import { recentTrend, type Trend } from "./trend.ts";

/** What ends while the host has memory left. */
export interface MemoryLimit {
  /** "memory.max of /docker/abc (600 MiB)", "CommitLimit (3.00 GiB)" */
  readonly name: string;
  readonly bytes: number;
  /** Before it is reached, when the whole snapshot was taken. */
  readonly leftBytes: number;
  readonly evidence: EvidenceLine;
}

type Grown = Pick<Finding, "claims" | "owners" | "growthBytesPerSecond">;

/** Of what a finding holds. */
export interface Limits {
  /** Of the group that it is charged to and of those above it; of what is promised. */
  readonly limits: readonly MemoryLimit[];
  /** The swap that is left when the host's memory is used up, for what can go there. */
  readonly swap: EvidenceLine | undefined;
}

/** What memory.stat calls that of which each account is charged. */
type Charges = ReadonlyMap<AccountId, string>;

interface LimitFile {
  readonly folder: string;
  readonly limit: string;
  readonly charge: string;
  /** What of swap the group may have, above the limit or (v1) in all. */
  readonly swap: string;
  /** memory.stat's names of sums over the groups below begin so. */
  readonly total: string;
  readonly charges: Charges;
}

const V2_CHARGES: Charges = new Map([
  ["anon", "anon"],
  ["shmem", "shmem"],
  ["kernel-stacks", "kernel_stack"],
  ["page-tables", "pagetables"],
  ["slab-unreclaimable", "slab_unreclaimable"],
  ["percpu", "percpu"],
  ["vmalloc", "vmalloc"],
]);
/** It tells nothing of the kernel's. */
const V1_CHARGES: Charges = new Map([["anon", "rss"], ["shmem", "shmem"]]);

/** `*` is one path segment: groups are captured down to this depth. */
const DEPTHS = ["", "*/", "*/*/", "*/*/*/", "*/*/*/*/", "*/*/*/*/*/"];
const V2 = {
  folder: "sys/fs/cgroup/",
  charge: "memory.current",
  swap: "memory.swap.max",
  total: "",
  charges: V2_CHARGES,
};
const LIMITS: readonly LimitFile[] = [
  { ...V2, limit: "memory.max" },
  { ...V2, limit: "memory.high" },
  {
    folder: "sys/fs/cgroup/memory/",
    limit: "memory.limit_in_bytes",
    charge: "memory.usage_in_bytes",
    swap: "memory.memsw.limit_in_bytes",
    total: "total_",
    charges: V1_CHARGES,
  },
];

/** Of what may go to swap, and is promised before it is there (Committed_AS). */
const OF_PROCESSES: readonly AccountId[] = ["anon", "shmem"];
/** So much of what a finding holds is charged to a group, or it is not what fills that. */
const MOST = 0.5;

/** A group that has a limit, with what is charged to it. */
interface Limited {
  readonly file: LimitFile;
  readonly group: string;
  readonly path: string;
  readonly limitBytes: number;
  readonly chargedBytes: number;
  readonly heldBytes: number;
  readonly stat: MemoryStat;
  /** Undefined where none of it may be swapped. */
  readonly swapFreeBytes: number | undefined;
}

/** Pages of files on the lists of what can be reclaimed are given back at the limit; those of tmpfs, and locked ones, are not on them. */
function reclaimable(stat: MemoryStat, total: string): number | undefined {
  const [inactive, active] = [stat.get(`${total}inactive_file`), stat.get(`${total}active_file`)];
  if (inactive === undefined || active === undefined) return undefined;
  return inactive.value + active.value + (stat.get("slab_reclaimable")?.value ?? 0);
}

function limited(reader: Reader, file: LimitFile, path: string, memory: Parsed<Meminfo> | undefined): Limited[] {
  const folder = path.slice(0, -file.limit.length);
  const read = <T>(name: string, parse: Parameters<typeof reader.parse<T>>[1]): T | undefined => {
    // A group's name may be a pattern that others match, too.
    const found = reader.paths(folder + name).find((each) => each === folder + name);
    const captured = found === undefined ? undefined : reader.parse(found, parse);
    return captured?.status === "ok" ? captured.value.value : undefined;
  };
  const limitBytes = read(file.limit, parseMemoryLimit);
  if (limitBytes === undefined) return [];
  const chargedBytes = read(file.charge, parseMemoryLimit);
  const stat = read(`memory.stat`, parseMemoryStat);
  const givenBack = stat && reclaimable(stat, file.total);
  if (chargedBytes === undefined || stat === undefined || givenBack === undefined) return [];
  // Beyond memory.high a group is slowed down, and goes on.
  const heldBytes = Math.max(0, chargedBytes - givenBack);
  if (file.limit === "memory.high" && heldBytes >= limitBytes) return [];
  const most = read(file.swap, parseMemoryLimit);
  const maySwap = most === undefined || most > (file.total === "" ? 0 : limitBytes);
  const swapFree = memory?.value.bytes.get("SwapFree")?.bytes ?? 0;
  return [{
    file,
    group: `/${folder.slice(file.folder.length, -1)}`,
    path,
    limitBytes,
    chargedBytes,
    heldBytes,
    stat,
    swapFreeBytes: maySwap && swapFree > 0 ? swapFree : undefined,
  }];
}

/** In which group of the memory controller: of v1 where that has it. */
function groupOf(cgroups: readonly ProcessCgroup[]): { readonly path: string; readonly isV1: boolean } | undefined {
  const v1 = cgroups.find(({ controllers }) => controllers.includes("memory"));
  const found = v1 ?? cgroups.find(({ hierarchy }) => hierarchy === 0);
  return found && { path: found.path, isV1: v1 !== undefined };
}

function limit(each: Limited, account: AccountId): MemoryLimit {
  const { file, group, path, limitBytes, chargedBytes, heldBytes, swapFreeBytes } = each;
  const leftBytes = Math.max(0, limitBytes - heldBytes);
  const then = swapFreeBytes !== undefined && OF_PROCESSES.includes(account)
    ? `what processes have may go to swap then, of which ${formatBytes(swapFreeBytes)} are free`
    : file.limit === "memory.high"
    ? "beyond it the group is slowed down"
    : "at it the kernel kills in the group, whatever the host has left";
  return {
    name: `${file.limit} of ${group} (${formatBytes(limitBytes)})`,
    bytes: limitBytes,
    leftBytes,
    evidence: {
      path,
      line: 1,
      because: `the limit of ${group}: of ${formatBytes(chargedBytes)} that are charged to it ${
        formatBytes(heldBytes)
      } are no cache, which would be given back first, so at most ${formatBytes(leftBytes)} are left; ${then}`,
    },
  };
}

function mostOf({ claims }: Grown): Claim | undefined {
  return claims.toSorted((a, b) => b.bytes.high - a.bytes.high)[0];
}

function limitsOf(
  groups: readonly Limited[],
  reader: Reader,
  memory: Ledger | undefined,
): (finding: Grown) => readonly MemoryLimit[] {
  const { processCgroup: files, processes: known, seesAllDescriptors: isHost } = readUses(
    { processCgroup, processes, seesAllDescriptors },
    reader,
  );
  const byPid = new Map(files?.map(({ pid, value }) => [pid, groupOf(value)]));
  const isIn = ({ file, group }: Limited, path: string, isV1: boolean): boolean => {
    if (isV1 !== (file.total !== "")) return false;
    // The root of a hierarchy has no limit: this is a container's, mounted there. Who is in it may have the host's path, as all who are seen from inside do.
    if (group === "/") return path === "/" || isHost !== true;
    return path === group || path.startsWith(`${group}/`);
  };
  return (finding) => {
    const { owners } = finding;
    const claim = mostOf(finding);
    if (claim === undefined) return [];
    const { account, bytes: { low: bytes } } = claim;
    // All processes of a program grow together; of shared memory it is those that are named.
    const pids = new Set(
      owners.flatMap(({ pid, comm, count }) =>
        pid === null ? [] : [
          pid,
          ...(count === 1 || account === "shmem"
            ? []
            : (known ?? []).filter((each) => each.comm === comm).map((p) => p.pid)),
        ]
      ),
    );
    const members = [...pids].map((pid) => byPid.get(pid));
    const isKnown = members.length > 0 && members.every((member) => member !== undefined);
    const total = memory && accountBytes(memory, account);
    return groups.filter((each) => {
      const { file, stat } = each;
      const charged = stat.get(`${file.total}${file.charges.get(account)}`)?.value;
      if (charged === undefined || charged < MOST * bytes) return false;
      if (isKnown) return members.every((member) => member !== undefined && isIn(each, member.path, member.isV1));
      // Nobody is known: what is not charged to the group is too little to be all of it.
      return bytes > 0 && total !== undefined && charged + bytes - total >= MOST * bytes;
    }).map((each) => limit(each, account));
  };
}

/** What the kernel still promises, where it promises no more than it has, and how fast that becomes less. */
interface Promised {
  readonly limit: MemoryLimit;
  readonly trend: Trend;
}

function promised(reader: Reader, { path, value }: Parsed<Meminfo>): Promised | undefined {
  const { sysctl: settings, history } = readUses({ sysctl, history: overTime(meminfo) }, reader);
  const [limit, committed] = [value.bytes.get("CommitLimit"), value.bytes.get("Committed_AS")];
  if (settings?.value.get("vm.overcommit_memory")?.text !== "2" || limit === undefined || committed === undefined) {
    return undefined;
  }
  const trend = recentTrend((history ?? []).flatMap(({ time, value: file }) => {
    const bytes = file.value.bytes.get("Committed_AS")?.bytes;
    return bytes === undefined ? [] : [{ time, bytes }];
  }));
  const leftBytes = Math.max(0, limit.bytes - committed.bytes);
  return trend && {
    trend,
    limit: {
      name: `CommitLimit (${formatBytes(limit.bytes)})`,
      bytes: limit.bytes,
      leftBytes,
      evidence: {
        path,
        line: limit.line,
        because: `vm.overcommit_memory is 2: allocations fail when so much is promised. ${
          formatBytes(committed.bytes)
        } are (Committed_AS, which grows by ${formatRate(trend.bytesPerSecond)}), and at most ${
          formatBytes(leftBytes)
        } are left`,
      },
    },
  };
}

/** Memory that was promised at the start, as a heap of a fixed size, is none that is promised while it grows. */
function isPromised({ trend }: Promised, { growthBytesPerSecond: rate }: Grown): boolean {
  return rate !== null && trend.low > 0 && trend.high >= rate.low;
}

function swapOf(
  { path, value }: Parsed<Meminfo>,
  areas: Parsed<readonly Swap[]> | undefined,
): EvidenceLine | undefined {
  const free = value.bytes.get("SwapFree");
  if (free === undefined || free.bytes === 0) return undefined;
  const inMemory = areas?.value.some(({ filename }) => /\/zram\d+$/.test(filename)) ?? false;
  return {
    path,
    line: free.line,
    because: `what processes have may go to swap when memory is used up: ${formatBytes(free.bytes)} of it are free${
      inMemory ? ", but zram lies in memory itself" : ""
    }`,
  };
}

/**
 * What something may fill: the host's memory, or as much as the control group has that it is charged to.
 *
 * @param bytes As of when the whole snapshot was taken: the groups were looked at then.
 */
export function roomBytes(
  account: AccountId,
  bytes: number,
  owner: Owner,
  totalBytes: number,
  limits: ((finding: Grown) => Limits) | undefined,
): number {
  const known = limits?.({
    claims: [{ account, bytes: { low: bytes, high: bytes } }],
    owners: [owner],
    growthBytesPerSecond: null,
  }).limits ?? [];
  return Math.min(totalBytes, ...known.map((limit) => limit.bytes));
}

/** As of when the whole snapshot was taken. */
export const memoryLimits: Source<(finding: Grown) => Limits> = {
  name: "limits of memory",
  patterns: [
    ...LIMITS.flatMap(({ folder, limit, charge, swap }) =>
      DEPTHS.flatMap((depth) => [limit, charge, swap, "memory.stat"].map((name) => `${folder}${depth}${name}`))
    ),
    ...[processCgroup, processes, seesAllDescriptors, ledger, meminfo, swaps, sysctl].flatMap(({ patterns }) =>
      patterns
    ),
  ],
  read(reader) {
    const { ledger: memory, meminfo: file, swaps: areas } = readUses({ ledger, meminfo, swaps }, reader);
    const groups = LIMITS.flatMap((each) =>
      DEPTHS.flatMap((depth) => reader.paths(`${each.folder}${depth}${each.limit}`))
        .flatMap((path) => limited(reader, each, path, file))
    );
    const ofGroups = groups.length === 0 ? undefined : limitsOf(groups, reader, memory);
    const all = file && promised(reader, file);
    const swap = file && swapOf(file, areas);
    return {
      status: "ok",
      value: (finding) => {
        const isOfProcesses = OF_PROCESSES.includes(mostOf(finding)?.account ?? "unaccounted");
        const ofHost = isOfProcesses && all !== undefined && isPromised(all, finding) ? [all.limit] : [];
        return { limits: [...ofGroups?.(finding) ?? [], ...ofHost], swap: isOfProcesses ? swap : undefined };
      },
    };
  },
};
