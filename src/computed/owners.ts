import { formatQuantity } from "../core/format.ts";
import { groupBy } from "../core/group_by.ts";
import type { Owner } from "../core/report.ts";
import { shellWord } from "../core/shell.ts";
import { sumBytes, sumOf } from "../core/sums.ts";
import { NO_NAME, type Process } from "./processes.ts";
import type { SocketOwners } from "./socket_owners.ts";

/** So many of them a finding names, the largest: who acts on it needs no more. */
export const MOST_OWNERS = 20;
/** The same where each has its share at most, or none of them is surely the one to act on. */
export const FEW_OWNERS = 10;

/** Something that a process holds. */
export interface Held {
  readonly inode: number;
  readonly bytes: number;
}

/** What the processes of one program hold together. */
export interface OwnerGroup<T extends Held> {
  /** Undefined when the bundle does not tell the owner. */
  readonly comm: string | undefined;
  /** The largest holder's first. */
  readonly pids: readonly number[];
  /** Others that have the same open, and must end, too, before it is freed; in ascending order. */
  readonly sharers: readonly number[];
  readonly bytes: number;
  readonly held: readonly T[];
}

/** What is held, by the name of its program: of a process that has none known, by its pid. */
export function byComm<T extends { readonly pid: number }>(
  held: readonly T[],
  commOf: (each: T) => string | undefined,
): ReadonlyMap<string, readonly T[]> {
  return groupBy(held, (each) => commOf(each) ?? `pid ${each.pid}`);
}

/** Who holds less than this of the whole is not worth a word in a title, and is not asked to end. */
const MIN_NAMED_SHARE = 0.01;

/**
 * Processes of one name that hold something, the largest holder first: an interpreter runs other programs' scripts under the same name, and who has next to
 * nothing beside the largest is none of those to end. Unless all of these together have as much: then ending the largest would be no cure.
 */
export function mainPids(held: readonly { readonly pid: number; readonly bytes: number }[]): number[] {
  const bytesOf = new Map<number, number>();
  for (const { pid, bytes } of held) bytesOf.set(pid, (bytesOf.get(pid) ?? 0) + bytes);
  const sorted = [...bytesOf].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const most = sorted[0]?.[1] ?? 0;
  const main = sorted.filter(([, bytes]) => bytes >= MIN_NAMED_SHARE * most);
  const sum = (pids: typeof sorted): number => sumOf(pids, ([, bytes]) => bytes);
  return (sum(main) > sum(sorted) / 2 ? main : sorted).map(([pid]) => pid);
}

/** Sorts sockets by the program that has them open, the largest holder first. */
export function groupByOwner<T extends Held>(held: readonly T[], owners: SocketOwners | undefined): OwnerGroup<T>[] {
  const groups = new Map<string | undefined, { holders: { pid: number; bytes: number }[]; held: T[]; bytes: number }>();
  for (const each of held) {
    const owner = owners?.get(each.inode);
    const comm = owner === undefined ? undefined : owner.comm ?? `pid ${owner.pid}`;
    let group = groups.get(comm);
    if (group === undefined) groups.set(comm, group = { holders: [], held: [], bytes: 0 });
    group.held.push(each);
    group.bytes += each.bytes;
    if (owner !== undefined) group.holders.push({ pid: owner.pid, bytes: each.bytes });
  }
  return [...groups]
    .map(([comm, { holders, bytes, held: theirs }]) => {
      const pids = mainPids(holders);
      return { comm, pids, sharers: sharersOf(pids, theirs, owners), bytes, held: theirs };
    })
    .sort((a, b) => b.bytes - a.bytes || ((a.comm ?? "") < (b.comm ?? "") ? -1 : 1));
}

/** Others that have open what these have: what others of their name have is none of it. */
function sharersOf(pids: readonly number[], held: readonly Held[], owners: SocketOwners | undefined): number[] {
  const own = new Set(pids);
  const sharers = new Set<number>();
  for (const { inode } of held) {
    const owner = owners?.get(inode);
    if (owner === undefined || !own.has(owner.pid)) continue;
    for (const pid of owner.sharers ?? []) if (!own.has(pid)) sharers.add(pid);
  }
  return [...sharers].sort((a, b) => a - b);
}

/** Pids in a sentence: all when they are few. */
const PIDS_LISTED = 5;

/** "100 sockets in 100 processes (pids 11, 12, 13, ...)" */
function describeGroup(group: OwnerGroup<Held>, noun: string): string {
  const sockets = formatQuantity(group.held.length, noun);
  if (group.pids.length === 0) return sockets;
  const shared = group.sharers.length === 0
    ? ""
    : `, which ${formatQuantity(group.sharers.length, "other process has", "other processes have")} open, too (pid ${
      listPids(group.sharers)
    })`;
  return `${sockets} in ${formatQuantity(group.pids.length, "process", "processes")} (pid ${
    listPids(group.pids)
  })${shared}`;
}

function listPids(pids: readonly number[]): string {
  return `${pids.slice(0, PIDS_LISTED).join(", ")}${pids.length > PIDS_LISTED ? ", ..." : ""}`;
}

/** A descriptor that was sent through a unix socket (SCM_RIGHTS), and that nobody has received, is in no process: who should is told by his own (Linux 5.10). */
export const FIND_IN_FLIGHT = "grep -H 'scm_fds:.*[1-9]' /proc/[0-9]*/fdinfo/*";
const IN_FLIGHT = `if no process has it, it may be in a message that nobody has received: ${FIND_IN_FLIGHT}`;

/** The report's owner of a group. */
export function ownerOf(group: OwnerGroup<Held>, noun: string, howToFind: string, more = ""): Owner {
  return {
    pid: group.pids[0] ?? null,
    comm: group.comm ?? "unknown",
    bytes: group.bytes,
    count: group.held.length,
    detail: `${describeGroup(group, noun)}${more}${
      group.comm === undefined ? `; to find the owner: ${howToFind}; ${IN_FLIGHT}` : ""
    }`,
  };
}

/** "friend_push (100 processes)", "nginx (pid 12)", "an unknown process"; what is no process's by what it is. */
export function nameOfGroup(group: { readonly comm: string | undefined; readonly pids: readonly number[] }): string {
  if (group.comm === undefined) return "an unknown process";
  if (group.pids.length === 0) return group.comm;
  return group.pids.length === 1
    ? `${group.comm} (pid ${group.pids[0]})`
    : `${group.comm} (${group.pids.length} processes)`;
}

/** Without those that hold next to nothing: what was on its way to them when somebody looked. */
export function worthNaming<T extends { readonly bytes: number }>(groups: readonly T[]): T[] {
  const total = sumBytes(groups);
  return groups.filter(({ bytes }) => bytes >= MIN_NAMED_SHARE * total);
}

/** The first of several groups, and how many more there are. */
export function nameOfGroups(groups: readonly OwnerGroup<Held>[]): string {
  const [first] = groups;
  const others = worthNaming(groups).filter((group) => group !== first);
  const name = nameOfGroup(first ?? { comm: undefined, pids: [] });
  return others.length === 0 ? name : `${name} and ${formatQuantity(others.length, "other")}`;
}

/** What ends processes by their program's name: pkill takes a regular expression, and a name may look like an option. */
function stopByName(comm: string, signal = "TERM"): string {
  const pattern = comm.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return `pkill -${signal} -x ${comm.startsWith("-") ? "-- " : ""}${shellWord(pattern)}`;
}

/**
 * Whether the name is that of the group alone, and can be typed: of other bytes the bundle has not the same ones. What started them has the same name, often,
 * and is meant, too.
 */
function hasNameOfItsOwn(comm: string, pids: ReadonlySet<number>, processes: readonly Process[] | undefined): boolean {
  if (processes === undefined || comm === NO_NAME || !/^[\x20-\x7e]+$/.test(comm)) return false;
  const own = processes.filter(({ pid }) => pids.has(pid));
  // Who is not in the list, as in one that was cut, is not the only one.
  if (own.length < pids.size) return false;
  const parents = new Set(own.map(({ ppid }) => ppid));
  return processes.every(({ pid, comm: name }) => name !== comm || pids.has(pid) || parents.has(pid));
}

/** Whom to end. */
interface Ended {
  readonly comm: string | undefined;
  readonly pids: readonly number[];
  readonly sharers?: readonly number[];
}

/**
 * Commands that end the processes, and those that share what they hold, in an orderly way: through systemd when all of them are of one unit, so that it
 * starts them again.
 */
export function stopCommands(group: Ended, processes: readonly Process[] | undefined): string[] {
  const all = [...group.pids, ...group.sharers ?? []];
  const pids = new Set(all);
  const units = new Set(processes?.filter(({ pid }) => pids.has(pid)).map(({ unit }) => unit));
  const [unit] = units;
  if (units.size === 1 && unit !== undefined) return [`systemctl restart ${shellWord(unit)}`];
  if (group.pids.length === 0) return [];
  const { comm } = group;
  const named = new Map(processes?.map((process) => [process.pid, process.comm]));
  const areNamedSo = group.sharers?.every((pid) => named.get(pid) === comm) ?? true;
  // SIGTERM waits until a process that was stopped goes on; systemd sees to it by itself.
  const stopped = processes?.filter(({ pid, isStopped }) => isStopped === true && pids.has(pid)) ?? [];
  if (pids.size > PIDS_LISTED && comm !== undefined && areNamedSo && hasNameOfItsOwn(comm, pids, processes)) {
    return [stopByName(comm), ...(stopped.length === 0 ? [] : [stopByName(comm, "CONT")])];
  }
  return [
    `kill -TERM ${all.join(" ")}`,
    ...(stopped.length === 0 ? [] : [`kill -CONT ${stopped.map(({ pid }) => pid).join(" ")}`]),
  ];
}

/** Commands that end all who hold something worth a word; who holds next to nothing is not asked to end. */
export function stopAll(
  groups: readonly (Ended & { readonly bytes: number })[],
  processes: readonly Process[] | undefined,
): string[] {
  return worthNaming(groups).flatMap((group) => stopCommands(group, processes));
}
