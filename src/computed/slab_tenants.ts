/** Whose the objects of a slab cache are: of some the kernel keeps a count elsewhere, with their owners. */
import type { EvidenceLine } from "../core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../core/format.ts";
import { shellWord } from "../core/shell.ts";
import type { Parsed } from "../core/source.ts";
import { sum } from "../core/sums.ts";
import type { ProcessFile } from "../parsers/_groups.ts";
import type { DfInodes } from "../parsers/df.ts";
import type { EventQueue } from "../parsers/event_queues.ts";
import type { Mount } from "../parsers/mounts.ts";
import type { NeighbourStat } from "../parsers/neighbour_stat.ts";
import type { ProcessStatus } from "../parsers/process_status.ts";
import type { KeyUser } from "../parsers/key_users.ts";
import type { SysvQueue } from "../parsers/sysvipc_msg.ts";
import type { SysvSemaphores } from "../parsers/sysvipc_sem.ts";
import type { Descriptors, DescriptorTable } from "./descriptors.ts";
import type { QueuedSignals } from "./queued_signals.ts";
import { mainPids } from "./owners.ts";
import { namesOf, type SlabUse } from "./slab_caches.ts";

/** The kernel's own count of something and the objects of the cache it is in: as many, but for a moment between the two. */
export const SAME_COUNT = 0.1;
/** What a cache's objects mostly are, gives the whole its name. */
export const MOSTLY = 0.5;
/** Users with less than this part of what the first has are not counted. */
const SHARE_OF_LARGEST = 0.1;
const USERS_LISTED = 3;

/** Where counts are kept. */
export interface TenantWitnesses {
  readonly neighbours: readonly Parsed<NeighbourStat>[] | undefined;
  readonly signals: readonly QueuedSignals[] | undefined;
  readonly statuses: readonly ProcessFile<ProcessStatus>[] | undefined;
  readonly queues: Parsed<readonly SysvQueue[]> | undefined;
  readonly semaphores: Parsed<readonly SysvSemaphores[]> | undefined;
  readonly keys: Parsed<readonly KeyUser[]> | undefined;
  readonly events: Parsed<readonly EventQueue[]> | undefined;
  readonly inodes: Parsed<readonly DfInodes[]> | undefined;
  readonly mounts: Parsed<readonly Mount[]> | undefined;
  readonly descriptors: DescriptorTable | undefined;
  readonly pageSizeBytes: number | undefined;
}

/** What the objects of a cache are, known from a count elsewhere, and who may have them. */
export interface Tenant {
  readonly what: string;
  readonly groups: readonly { readonly comm: string; readonly pids: readonly number[]; readonly count: number }[];
  /** What shows those of a process. */
  readonly see?: (pid: number | undefined) => string;
  /** What gives them back, or shows which they are, where they do not go with the process. */
  readonly stays?: {
    readonly kind: "messages" | "semaphores" | "keys" | "files" | "groups" | "devices";
    readonly command: string;
  };
  readonly evidence: readonly EvidenceLine[];
  /** Descriptors, of which fd-leak may already have told. */
  readonly mayBeClaimed?: true;
}

/** Whether a cache has as many objects. */
export function isSameCount(count: number, { activeObjects }: SlabUse): boolean {
  return Math.abs(count - activeObjects) <= SAME_COUNT * activeObjects;
}

/** Neighbours have no cache of their own, but kmalloc's. */
function neighboursIn(cache: SlabUse, { neighbours }: TenantWitnesses): Tenant | undefined {
  const table = neighbours?.find(({ value }) => cache.name.startsWith("kmalloc-") && isSameCount(value.entries, cache));
  if (table === undefined) return undefined;
  const { path, value: { entries, line } } = table;
  const because = `${formatCount(entries)} neighbours in all network namespaces: as many as ${cache.name} has objects`;
  return { what: "neighbours (ip neigh)", groups: [], evidence: [{ path, line, because }] };
}

/** Each user's count may be any of its processes': a program is named only where it is the only one. */
function timersIn(cache: SlabUse, { signals }: TenantWitnesses): Tenant | undefined {
  const isTheirs = namesOf(cache).some((name) => name === "posix_timers_cache" || name === "sigqueue");
  const users = (signals ?? []).filter(({ count }) => count >= SHARE_OF_LARGEST * (signals?.[0]?.count ?? 0));
  if (!isTheirs || !isSameCount(sum(users.map(({ count }) => count)), cache)) return undefined;
  const groups = new Map<string, { comm: string; pids: number[]; count: number }>();
  for (const { count, processes: members } of users) {
    const [only, ...others] = new Set(members.map(({ comm }) => comm));
    if (only === undefined || others.length > 0) continue;
    const group = groups.get(only) ?? { comm: only, pids: [], count: 0 };
    group.pids.push(...members.map(({ pid }) => pid));
    groups.set(only, { ...group, count: group.count + count });
  }
  return {
    what: "POSIX timers or queued signals",
    groups: [...groups.values()].sort((a, b) => b.count - a.count),
    see: (pid) => `cat /proc/${pid}/timers`,
    evidence: users.slice(0, USERS_LISTED).map(({ path, line, uid, count }) => ({
      path,
      line,
      because: `user ${uid} has ${formatCount(count)} signals and POSIX timers; ${
        formatQuantity(users.length, "user")
      } like this one have as many as ${cache.name} has objects`,
    })),
  };
}

/** Counts of processes, by the program that each is; those that are not known, as they have ended, are left out. */
function byProgram(
  counts: readonly { readonly pid: number | undefined; readonly count: number }[],
  statuses: readonly ProcessFile<ProcessStatus>[],
): Tenant["groups"] {
  const comms = new Map<number | undefined, string | undefined>(statuses.map(({ pid, value }) => [pid, value.name]));
  const groups = new Map<string, { comm: string; holders: { pid: number; bytes: number }[]; count: number }>();
  for (const { pid, count } of counts) {
    const comm = comms.get(pid);
    if (pid === undefined || comm === undefined) continue;
    const group = groups.get(comm) ?? { comm, holders: [], count: 0 };
    group.holders.push({ pid, bytes: count });
    group.count += count;
    groups.set(comm, group);
  }
  return [...groups.values()].map(({ comm, holders, count }) => ({ comm, pids: mainPids(holders), count }))
    .sort((a, b) => b.count - a.count);
}

const TASKS = /^(?:task_struct|signal_cache|sighand_cache|pid)$/;

/** Processes that have ended, but not for their parents, which have not waited for them: their tasks stay, and nothing else of them. */
function zombiesIn(cache: SlabUse, { statuses = [] }: TenantWitnesses): Tenant | undefined {
  if (!namesOf(cache).some((name) => TASKS.test(name))) return undefined;
  const zombies = statuses.filter(({ value }) => value.state?.startsWith("Z"));
  const [first] = zombies;
  if (first === undefined || zombies.length < MOSTLY * cache.activeObjects) return undefined;
  const { path, value: { lines } } = first;
  return {
    what: "zombies",
    groups: byProgram(zombies.map(({ value: { ppid } }) => ({ pid: ppid, count: 1 })), statuses),
    see: (pid) => `ps --ppid ${pid}`,
    evidence: [{
      path,
      line: lines.get("State") ?? 1,
      because: `one of ${formatCount(zombies.length)} zombies, of ${formatCount(cache.activeObjects)} tasks in all`,
    }],
  };
}

/** Caches that messages can be in: their own ones from Linux 6.11 on, those of kmalloc before. */
const MESSAGES = /^(?:msg_msg|kmalloc(?:-cg)?)-/;
/** What precedes a message, and each part of one that does not fit into a page (ipc/msgutil.c, struct msg_msg and msg_msgseg, 64 bits). */
const MESSAGE_HEAD = 48;
const PART_HEAD = 8;

/** How many objects of a cache the messages of a queue take, if all are of one size: the first part of each fills a page at the most, and so does each other one. */
function objectsOf({ bytes, messages }: SysvQueue, objectBytes: number, pageSizeBytes: number): number {
  const fits = (size: number): boolean => size <= objectBytes && size > objectBytes / 2;
  let left = bytes / messages;
  let each = fits(Math.min(MESSAGE_HEAD + left, pageSizeBytes)) ? 1 : 0;
  left -= pageSizeBytes - MESSAGE_HEAD;
  if (left > 0) {
    const full = Math.floor(left / (pageSizeBytes - PART_HEAD));
    const rest = left - full * (pageSizeBytes - PART_HEAD);
    each += (fits(pageSizeBytes) ? full : 0) + (rest > 0 && fits(rest + PART_HEAD) ? 1 : 0);
  }
  return messages * each;
}

/** Messages that nobody receives. Who sent the last one is known, and may have ended: the queue stays. */
function messagesIn(
  cache: SlabUse,
  { queues: file, statuses = [], pageSizeBytes }: TenantWitnesses,
): Tenant | undefined {
  if (file === undefined || pageSizeBytes === undefined || !namesOf(cache).some((name) => MESSAGES.test(name))) {
    return undefined;
  }
  const queues = file.value.filter(({ messages }) => messages > 0);
  const [largest] = queues.toSorted((a, b) => b.bytes - a.bytes);
  if (
    largest === undefined ||
    !isSameCount(sum(queues.map((queue) => objectsOf(queue, cache.objectBytes, pageSizeBytes))), cache)
  ) {
    return undefined;
  }
  const { id, bytes, messages, lastReceiverPid, line } = largest;
  const receiver = lastReceiverPid === undefined
    ? ""
    : lastReceiverPid === 0
    ? " (nobody ever did)"
    : ` (process ${lastReceiverPid} did so last)`;
  return {
    what: "SysV messages",
    groups: byProgram(
      queues.map((queue) => ({ pid: queue.lastSenderPid, count: objectsOf(queue, cache.objectBytes, pageSizeBytes) })),
      statuses,
    ),
    see: () => "ipcs -q -p",
    stays: { kind: "messages", command: `ipcrm -q ${id}` },
    evidence: [{
      path: file.path,
      line,
      because: `${formatCount(bytes)} B in ${
        formatQuantity(messages, "message")
      } that nobody receives${receiver}, in one of ${formatQuantity(queues.length, "queue")} of this kind: with ${
        formatCount(sum(queues.map((queue) => queue.messages)))
      } messages in all`,
    }],
  };
}

/** A user who has most of them; undefined where several have. */
function mostlyOf(counts: ReadonlyMap<number | undefined, number>): string {
  const all = sum([...counts.values()]);
  const [uid] = [...counts].find(([uid, count]) => uid !== undefined && count > MOSTLY * all) ?? [];
  return uid === undefined ? "" : ` of user ${uid}`;
}

/** A set is one object (ipc/sem.c, struct sem_array and a line of the processor's cache for each semaphore), in a cache of the next size. */
const SET_HEAD = 256;
const SEMAPHORE = 64;
const SETS = /^kmalloc(?:-cg)?-/;
const BY_KIND = "sort | uniq -c | sort -rn | head";

function semaphoresIn(cache: SlabUse, { semaphores: file }: TenantWitnesses): Tenant | undefined {
  if (file === undefined || !namesOf(cache).some((name) => SETS.test(name))) return undefined;
  const sets = file.value.filter(({ semaphores }) => {
    const bytes = SET_HEAD + SEMAPHORE * semaphores;
    return bytes <= cache.objectBytes && bytes > cache.objectBytes / 2;
  });
  const [first] = sets;
  if (first === undefined || !isSameCount(sets.length, cache)) return undefined;
  const users = new Map<number | undefined, number>();
  for (const { creatorUid } of sets) users.set(creatorUid, (users.get(creatorUid) ?? 0) + 1);
  return {
    what: `sets of SysV semaphores${mostlyOf(users)}`,
    groups: [],
    stays: {
      kind: "semaphores",
      command: `awk 'NR > 1 { print "uid", $7, "perms", $3, "nsems", $4 }' /proc/sysvipc/sem | ${BY_KIND}`,
    },
    evidence: [{
      path: file.path,
      line: first.line,
      because: `one of ${formatQuantity(sets.length, "set")} that are as large as the objects of ${cache.name}, with ${
        formatQuantity(first.semaphores, "semaphore")
      }; it stays until somebody removes it`,
    }],
  };
}

/** Keys of the kernel's keyrings. */
function keysIn(cache: SlabUse, { keys: file }: TenantWitnesses): Tenant | undefined {
  const [largest] = file?.value.toSorted((a, b) => b.keys - a.keys) ?? [];
  if (file === undefined || largest === undefined || !namesOf(cache).includes("key_jar")) return undefined;
  const users = new Map(file.value.map(({ uid, keys }) => [uid, keys]));
  if (!isSameCount(sum([...users.values()]), cache)) return undefined;
  return {
    what: `keys${mostlyOf(users)}`,
    groups: [],
    stays: { kind: "keys", command: `awk '{ print "uid", $6, $8 }' /proc/keys | ${BY_KIND}` },
    evidence: [{
      path: file.path,
      line: largest.line,
      because: `user ${largest.uid} has ${formatCount(largest.keys)} keys in keyrings; ${cache.name} has ${
        formatCount(cache.activeObjects)
      } objects`,
    }],
  };
}

/**
 * Caches that events can be in: fanotify's own, and those of kmalloc where the event has a name, which has 255 bytes at most; of fanotify file handles of 128 bytes may
 * stand beside it.
 */
const EVENTS = /^(?:fanotify_(?:\w+_)?event|kmalloc(?:-cg)?-(?:\d{1,3}|1k)$)/;

/**
 * What read() gives of an event, least and most, by the size of its object: of fanotify FAN_EVENT_METADATA_LEN is counted, of inotify 16 bytes and the
 * name, filled up to a multiple of 16; the object (struct inotify_event_info) has 32 bytes and the name.
 */
function readableBytes(kind: EventQueue["kind"], objectBytes: number): { least: number; most: number } {
  if (kind === "fanotify") return { least: 24, most: 24 };
  return { least: objectBytes <= 64 ? 16 : objectBytes / 2, most: objectBytes };
}

/**
 * A queue that was inherited is behind the same descriptor of the parent, and as full: it counts once. Workers that each have their own may have as much in
 * them, too: the kernel lets none grow beyond max_queued_events.
 */
function eachOnce(queues: readonly EventQueue[], statuses: readonly ProcessFile<ProcessStatus>[]): EventQueue[] {
  const keyOf = (pid: number | undefined, { fd, bytes }: EventQueue): string => `${pid} ${fd} ${bytes}`;
  const known = new Set(queues.map((queue) => keyOf(queue.pid, queue)));
  const parents = new Map(statuses.map(({ pid, value }) => [pid, value.ppid]));
  return queues.filter((queue) => !known.has(keyOf(parents.get(queue.pid), queue)));
}

/** Events that a program asked for and does not read. Those of one queue may be in several caches, by the length of their names. */
function eventsIn(cache: SlabUse, { events: file, statuses = [] }: TenantWitnesses): Tenant | undefined {
  if (file === undefined || !namesOf(cache).some((name) => EVENTS.test(name))) return undefined;
  for (const kind of ["fanotify", "inotify"] as const) {
    const queues = eachOnce(file.value.filter((queue) => queue.kind === kind), statuses);
    const [largest] = queues.toSorted((a, b) => b.bytes - a.bytes);
    const bytes = sum(queues.map((queue) => queue.bytes));
    const { least, most } = readableBytes(kind, cache.objectBytes);
    const isTheirs = bytes >= (1 - SAME_COUNT) * least * cache.activeObjects &&
      bytes <= most * cache.activeObjects / MOSTLY;
    if (largest === undefined || !isTheirs) continue;
    return {
      what: `unread file events (${kind})`,
      groups: byProgram(
        queues.map((queue) => ({ pid: queue.pid, count: Math.round(cache.activeObjects * queue.bytes / bytes) })),
        statuses,
      ),
      see: (pid) => `ls -l /proc/${pid}/fd | grep notify`,
      evidence: [{
        path: file.path,
        line: largest.line,
        because: `${formatBytes(largest.bytes)} of events are to be read here, the most of ${
          formatQuantity(queues.length, `queue of ${kind}`, `queues of ${kind}`)
        } with ${formatBytes(bytes)}: who asked for them does not read`,
      }],
    };
  }
  return undefined;
}

/** struct io_overflow_cqe: twice as large with IORING_SETUP_CQE32, at most. */
const COMPLETIONS = /^kmalloc(?:-cg)?-(?:32|64)$/;

/** Completions that nobody reaps: what does not fit into an io_uring's ring becomes an object each. */
function completionsIn(cache: SlabUse, { descriptors }: TenantWitnesses): Tenant | undefined {
  if (descriptors === undefined || !namesOf(cache).some((name) => COMPLETIONS.test(name))) return undefined;
  const rings = descriptors.details.flatMap(({ overflowCompletions, ...ring }) =>
    overflowCompletions === undefined ? [] : [{ ...ring, overflowCompletions }]
  ).sort((a, b) => b.overflowCompletions - a.overflowCompletions);
  const [largest] = rings;
  const count = sum(rings.map(({ weight, overflowCompletions }) => weight * overflowCompletions));
  if (largest === undefined || count < MOSTLY * cache.activeObjects) return undefined;
  const groups = new Map<string, { comm: string; pids: number[]; count: number }>();
  for (const { comm, pid, weight, overflowCompletions } of rings) {
    const group = groups.get(comm) ?? { comm, pids: [], count: 0 };
    if (!group.pids.includes(pid)) group.pids.push(pid);
    group.count += Math.round(weight * overflowCompletions);
    groups.set(comm, group);
  }
  return {
    what: "completions of io_uring that nobody reaps",
    groups: [...groups.values()].sort((a, b) => b.count - a.count),
    see: (pid) => `grep -c '^  user_data=' /proc/${pid}/fdinfo/${largest.fd}`,
    evidence: [{
      path: largest.path,
      line: largest.line,
      because: `${formatCount(largest.overflowCompletions)} completions did not fit into this io_uring's ring of ${
        largest.cqEntries === undefined ? "completions" : formatCount(largest.cqEntries)
      }, and are an object each until somebody reaps them; ${cache.name} has ${formatCount(cache.activeObjects)}`,
    }],
  };
}

/** How many requests of a ring have not ended is told nowhere: a program is named only where all were looked at, and no other has one. */
function requestsIn(cache: SlabUse, { descriptors }: TenantWitnesses): Tenant | undefined {
  if (!namesOf(cache).includes("io_kiocb")) return undefined;
  const all = descriptors?.processes ?? [];
  const holders = all.filter(({ kinds }) => (kinds.get("io_uring") ?? 0) > 0);
  const [first] = holders;
  if (first === undefined || holders.some(({ comm }) => comm !== first.comm)) return undefined;
  if (all.some(({ kinds }) => kinds.size === 0)) return undefined;
  const { comm, source } = first;
  return {
    what: "requests of io_uring that have not ended",
    groups: [{ comm, pids: holders.map(({ pid }) => pid), count: cache.activeObjects }],
    see: (pid) => `ls -l /proc/${pid}/fd | grep io_uring`,
    evidence: [{ ...source, because: `of all processes only ${comm} has an io_uring` }],
  };
}

/** What a cache's objects are, if they are what descriptors stand for: struct file of each, and the inode of a memfd. */
function describedBy(cache: SlabUse): { what: string; of: (process: Descriptors) => number } | undefined {
  const names = namesOf(cache);
  if (names.includes("filp")) return { what: "open descriptors", of: ({ count }) => count };
  if (!names.includes("shmem_inode_cache")) return undefined;
  return { what: "memfds", of: ({ kinds }) => kinds.get("memfd") ?? 0 };
}

/** Descriptors of whatever kind, of whom: of all that are alike it is not known whether they are needed (fd-leak), but here they are in the way. */
function descriptorsIn(cache: SlabUse, { descriptors }: TenantWitnesses): Tenant | undefined {
  const described = describedBy(cache);
  if (described === undefined || descriptors === undefined) return undefined;
  const { what, of } = described;
  const programs = new Map<string, { comm: string; pids: number[]; all: number; largest: number }>();
  for (const process of descriptors.processes) {
    const count = of(process);
    if (count === 0) continue;
    const program = programs.get(process.comm) ?? { comm: process.comm, pids: [], all: 0, largest: 0 };
    program.pids.push(process.pid);
    program.all += count;
    program.largest = Math.max(program.largest, count);
    programs.set(process.comm, program);
  }
  // Descriptors that were inherited stand for one object together. With more of them than there are objects, no more are known than the largest process has.
  const counted = [...programs.values()].map(({ comm, pids, all, largest }) => ({
    comm,
    pids,
    count: all <= (1 + SAME_COUNT) * cache.activeObjects ? all : largest,
  }));
  const [most, ...others] = counted.sort((a, b) => b.count - a.count);
  const largest = descriptors.processes.toSorted((a, b) => of(b) - of(a))[0];
  if (most === undefined || largest === undefined || most.count < MOSTLY * cache.activeObjects) return undefined;
  return {
    what,
    groups: [most, ...others.filter(({ count }) => count >= SHARE_OF_LARGEST * most.count)],
    mayBeClaimed: true,
    see: (pid) => `ls -l /proc/${pid}/fd | head -n 1000`,
    evidence: [{
      ...largest.source,
      because: `process ${largest.pid} alone has ${formatCount(of(largest))} ${what}, all of ${most.comm} ${
        formatCount(most.count)
      } of the ${formatCount(cache.activeObjects)} on this host`,
    }],
  };
}

/** Files on a tmpfs, empty ones, too: df counts them in no other way, and they stay until somebody deletes them. */
function filesIn(cache: SlabUse, { inodes, mounts }: TenantWitnesses): Tenant | undefined {
  if (inodes === undefined || !namesOf(cache).includes("shmem_inode_cache")) return undefined;
  const types = new Map(mounts?.value.map(({ path, type }) => [path, type]));
  const [largest] = inodes.value
    .flatMap(({ usedInodes, ...mount }) => usedInodes === undefined ? [] : [{ ...mount, usedInodes }])
    .filter(({ mount, filesystem }) => (types.get(mount) ?? filesystem) === "tmpfs")
    .sort((a, b) => b.usedInodes - a.usedInodes);
  if (largest === undefined || largest.usedInodes < MOSTLY * cache.activeObjects) return undefined;
  const { mount, usedInodes, line } = largest;
  return {
    what: `files on tmpfs in ${mount}`,
    groups: [],
    stays: { kind: "files", command: `du --inodes -x ${shellWord(mount)} | sort -rn | head` },
    evidence: [{
      path: inodes.path,
      line,
      because: `${formatCount(usedInodes)} files and folders, of ${formatCount(cache.activeObjects)} on tmpfs in all`,
    }],
  };
}

/** Who has the objects of a cache, where the kernel counts them elsewhere, too. */
export function tenantOf(cache: SlabUse, witnesses: TenantWitnesses): Tenant | undefined {
  return neighboursIn(cache, witnesses) ?? timersIn(cache, witnesses) ?? zombiesIn(cache, witnesses) ??
    messagesIn(cache, witnesses) ?? semaphoresIn(cache, witnesses) ?? keysIn(cache, witnesses) ??
    eventsIn(cache, witnesses) ??
    completionsIn(cache, witnesses) ?? requestsIn(cache, witnesses) ?? descriptorsIn(cache, witnesses) ??
    filesIn(cache, witnesses);
}
