import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../src/core/format.ts";
import type { ByteRange, Confidence, Remedy } from "../src/core/report.ts";
import type { SourceLine } from "../src/core/ledger.ts";
import type { HostFacts, MaybeValues, Values } from "../src/core/source.ts";
import {
  type DescriptorDetail,
  type Descriptors,
  descriptors,
  type DescriptorTable,
} from "../src/computed/descriptors.ts";
import { growth } from "../src/computed/growth.ts";
import { isAtLeast } from "../src/computed/kernel_release.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { byComm, mainPids, nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { ALL_DESCRIPTORS, seesAllDescriptors } from "../src/computed/process_statuses.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { slabCaches, usedSlabBytes } from "../src/computed/slab_caches.ts";
import type { Measurement, Trend } from "../src/computed/trend.ts";
import { netnsOf } from "../src/parsers/_groups.ts";
import { fileNr } from "../src/parsers/file_nr.ts";
import { netlink } from "../src/parsers/netlink.ts";
import { packet } from "../src/parsers/packet.ts";
import { slabinfo } from "../src/parsers/slabinfo.ts";
import { sockstat } from "../src/parsers/sockstat.ts";
import { sysctl, sysctlNumbers } from "../src/parsers/sysctl.ts";
import { tcp } from "../src/parsers/tcp.ts";
import { unix } from "../src/parsers/unix.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { setSysctl } from "../src/core/shell.ts";
import { sum, sumBytes, sumOf } from "../src/core/sums.ts";

/** What one descriptor of a kind holds: slab objects, by the account they are in. Sizes of x86-64, Linux 6.18; slabinfo's own go before. */
interface Cost {
  readonly unreclaimable: number;
  readonly reclaimable: number;
}

/** struct file (with its LSM blob of 24 bytes), and the dentry that everything but a regular file has of its own. */
const FILE_BYTES = 192;
const LSM_BYTES = 24;
/** What security modules keep of an inode: 88 where Debian's 7.2 has all of them. */
const LSM_INODE_BYTES = 32;
const DENTRY_BYTES = 192;
/** sock_inode_cache, and struct sock: tcp_sock is the largest (2,368), unix and udp take about half. */
const SOCKET_INODE_BYTES = 832;
const SOCK_BYTES = 2368;
/** Protocols that have a cache for their sockets, which may be merged into another; netlink, packet and others have none: kmalloc-2k. */
const SOCKET_CACHES: readonly string[] = [
  ...["MPTCP", "PING", "RAW", "TCP", "UDP"].flatMap((name) => [name, `${name}v6`]),
  ...["UDP-Lite", "UDPLITEv6", "UNIX", "UNIX-STREAM"],
];
const UNCACHED_SOCK_BYTES = 2048;
/** No kind of file has more than a TCP socket. */
const MAX_FILE_BYTES = FILE_BYTES + LSM_BYTES + DENTRY_BYTES + SOCKET_INODE_BYTES + SOCK_BYTES;
/** struct eventpoll (kmalloc-256), and the epitem and wait queue entry of the one file that it watches at the least. */
const EVENTPOLL_BYTES: number = 256 + 128 + 64;
/** struct eventfd_ctx and the like. */
const SMALL_CONTEXT_BYTES = 64;
/** struct timerfd_ctx (216, kmalloc-256). */
const TIMERFD_BYTES = 256;
/** shmem_inode_cache, of a memfd that nothing was written to. */
const SHMEM_INODE_BYTES = 752;
/** fsnotify_group (kmalloc-512) and its event of an overflow (kmalloc-32). */
const INOTIFY_BYTES: number = 512 + 32;
/** Half of a pipe: pipe_inode_info, its array of 16 buffers and its inode. */
const HALF_PIPE_BYTES: number = (192 + 1024 + 600) / 2;
/** inotify_inode_mark (80), its slot in the IDR (584 / 64), and its share of the inode's connector: 89 bytes measured. */
const MARK_BYTES = 90;

/** Kinds of which a program needs one an event loop or thread: tens of thousands in one program are forgotten ones. */
const SINGLE_KINDS: ReadonlySet<string> = new Set([
  "eventfd",
  "eventpoll",
  "inotify",
  "timerfd",
  "signalfd",
  "userfaultfd",
  "pidfd",
  "fanotify",
  "perf_event",
]);
/** The largest default of fs.inotify.max_user_watches (Linux 5.11 on): more was allowed by hand. */
const MOST_DEFAULT_MARKS = 1_048_576;
/** Sockets that are in no table (never connected, or shut down and forgotten) are the larger part of a leak of sockets. */
const MOST_OF = 0.5;
/** Watched for this long, growth is no start-up and no burst. */
const LONG_WATCH_SECONDS = 600;
const KINDS_LISTED = 4;

const needs = { ledger, descriptors };
const uses = {
  slabinfo,
  slabCaches,
  processes,
  sockstat,
  unix,
  netlink,
  packet,
  fileNr,
  sysctl,
  tcp,
  seesAllDescriptors,
};

/** What the bundle tells. */
type Bundled = Values<typeof needs> & MaybeValues<typeof uses> & { readonly facts: HostFacts };

/** The same, and what is looked up once: there may be a million sockets, and hundreds of programs. */
type Seen = Bundled & {
  readonly unlisted: readonly Unlisted[];
  readonly closeWaits: readonly SourceLine[];
  readonly unused: readonly SourceLine[];
};

/** The processes of one program. */
interface Program {
  readonly comm: string;
  readonly processes: readonly Descriptors[];
  readonly pids: readonly number[];
  readonly count: number;
  readonly kinds: ReadonlyMap<string, number>;
  readonly cost: Cost;
  readonly bytes: number;
  readonly trend: Trend | undefined;
}

/** What an object takes of its slab; the size on x86-64 where slabinfo does not have the cache. */
function objectBytes({ slabCaches: slab }: Bundled, name: string, otherwise: number): number {
  const found = slab?.find(name);
  return found?.slabBytes === undefined || found.objectsPerSlab === 0
    ? otherwise
    : found.slabBytes / found.objectsPerSlab;
}

/**
 * A socket without its inode, as those of this host are on average: of sockets that are in no table nothing else tells the protocol. The largest where slabinfo
 * is not there.
 */
function meanSockBytes({ slabCaches: slab }: Bundled): number {
  const inodes = slab?.find("sock_inode_cache")?.activeObjects;
  if (slab === undefined || inodes === undefined || inodes === 0) return SOCK_BYTES;
  const socks = [...new Set(SOCKET_CACHES.flatMap((name) => slab.find(name) ?? []))];
  const objects = sumOf(socks, (each) => each.activeObjects);
  const bytes = sumOf(socks, usedSlabBytes);
  const uncached = Math.max(0, inodes - objects);
  return (bytes + uncached * UNCACHED_SOCK_BYTES) / (objects + uncached);
}

function costOf(kind: string, sockBytes: number, bundled: Bundled): Cost {
  const sizeOf = (cache: string, otherwise: number): number => objectBytes(bundled, cache, otherwise);
  const file = sizeOf("filp", FILE_BYTES) + sizeOf("lsm_file_cache", LSM_BYTES);
  const dentry = sizeOf("dentry", DENTRY_BYTES);
  switch (kind) {
    case "file":
      // Its dentry and inode are cached whether it is open or not.
      return { unreclaimable: file, reclaimable: 0 };
    case "socket":
      return {
        unreclaimable: file + sockBytes + sizeOf("lsm_inode_cache", LSM_INODE_BYTES),
        reclaimable: dentry + sizeOf("sock_inode_cache", SOCKET_INODE_BYTES),
      };
    case "pipe":
      return { unreclaimable: file + HALF_PIPE_BYTES, reclaimable: dentry / 2 };
    case "memfd":
      return {
        unreclaimable: file + sizeOf("shmem_inode_cache", SHMEM_INODE_BYTES),
        reclaimable: dentry,
      };
    case "eventpoll":
      return { unreclaimable: file + EVENTPOLL_BYTES, reclaimable: dentry };
    case "inotify":
      return { unreclaimable: file + INOTIFY_BYTES, reclaimable: dentry };
    case "timerfd":
      return { unreclaimable: file + TIMERFD_BYTES, reclaimable: dentry };
    case "pidfd":
      // Of pidfs (Linux 6.9) all of one process have one dentry.
      return { unreclaimable: file, reclaimable: isAtLeast(bundled.facts, 6, 9) === true ? 0 : dentry };
    default:
      return { unreclaimable: file + SMALL_CONTEXT_BYTES, reclaimable: dentry };
  }
}

function growthOf(members: readonly Descriptors[], table: DescriptorTable): Trend | undefined {
  const byTime = new Map<number, { count: number; processes: number }>();
  for (const { pid } of members) {
    for (const { time, bytes } of table.series.get(pid) ?? []) {
      const known = byTime.get(time) ?? { count: 0, processes: 0 };
      byTime.set(time, { count: known.count + bytes, processes: known.processes + 1 });
    }
  }
  // A snapshot that saw only some of the processes would look like a fall or a jump.
  const whole: Measurement[] = [...byTime].filter(([, each]) => each.processes === members.length).map((
    [time, { count }],
  ) => ({ time, bytes: count }));
  return growth(whole.sort((a, b) => a.time - b.time));
}

function programs(bundled: Bundled): Program[] {
  const { descriptors: table } = bundled;
  const sockBytes = meanSockBytes(bundled);
  const open = openFiles(bundled) ?? Infinity;
  return [...byComm(table.processes, ({ comm }) => comm)].map(([comm, members]) => {
    const total = sumOf(members, (each) => each.count);
    const known = sumOf(members.filter(({ kinds }) => kinds.size > 0), (each) => each.count);
    const kinds = new Map<string, number>();
    // Processes of the program whose kinds were not looked at are taken to be like those that were.
    for (const member of members) {
      for (const [kind, count] of member.kinds) kinds.set(kind, (kinds.get(kind) ?? 0) + (count * total) / known);
    }
    const cost = { unreclaimable: 0, reclaimable: 0 };
    for (const [kind, count] of kinds) {
      const one = costOf(kind, sockBytes, bundled);
      // Children have what their parent had open: several descriptors of one file.
      const files = count * Math.min(1, open / total);
      cost.unreclaimable += files * one.unreclaimable;
      cost.reclaimable += files * one.reclaimable;
    }
    return {
      comm,
      processes: members,
      pids: mainPids(members.map(({ pid, count }) => ({ pid, bytes: count }))),
      count: total,
      kinds,
      cost,
      bytes: cost.unreclaimable + cost.reclaimable,
      trend: growthOf(members, table),
    };
  }).sort((a, b) => b.bytes - a.bytes || (a.comm < b.comm ? -1 : 1));
}

function mainKind({ kinds }: Program): [string, number] | undefined {
  return [...kinds].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
}

/** Sockets of a namespace that no protocol's table has, and the line that tells how many there are. */
interface Unlisted extends SourceLine {
  readonly count: number;
}

/**
 * `sockets: used` of a network namespace less all that its tables list, the most first. Before 4.17 `used` was that of the host (commit 648845ab7e20), and
 * says nothing.
 */
function unlistedSockets(
  { sockstat: files = [], unix: unixes, netlink: netlinks, packet: packets, facts }: Bundled,
): Unlisted[] {
  if (isAtLeast(facts, 4, 17) !== true) return [];
  const listed = new Map<string | undefined, number>();
  const add = (path: string, count: number): void =>
    void listed.set(netnsOf(path), (listed.get(netnsOf(path)) ?? 0) + count);
  for (const { path, value } of files) {
    for (const [name, { counts }] of value) {
      if (name !== "FRAG" && name !== "FRAG6") add(path, counts.get("inuse") ?? 0);
    }
  }
  for (const { path, value } of [...(unixes ?? []), ...(netlinks ?? []), ...(packets ?? [])]) add(path, value.length);
  return files.flatMap(({ path, value }) => {
    const sockets = value.get("sockets");
    const used = sockets?.counts.get("used");
    return sockets === undefined || used === undefined
      ? []
      : [{ count: Math.max(0, used - (listed.get(netnsOf(path)) ?? 0)), path, line: sockets.line }];
  }).sort((a, b) => b.count - a.count);
}

/** Open files of the whole host. */
function openFiles({ fileNr: counted, sysctl: settings }: Bundled): number | undefined {
  return counted?.value.allocated ?? (settings && sysctlNumbers(settings.value, "fs.file-nr")?.[0]);
}

function closeWaitsOf({ tcp: tables }: Bundled): SourceLine[] {
  return (tables ?? []).flatMap(({ path, value }) =>
    value.filter(({ state }) => state === "CLOSE_WAIT").map(({ line }) => ({ path, line }))
  );
}

/** Sockets of streams that neither listen nor were ever connected. */
function unusedOf({ unix: tables }: Bundled): SourceLine[] {
  return (tables ?? []).flatMap(({ path, value }) =>
    value.filter(({ type, state, listening }) => type === "stream" && state === "unconnected" && !listening)
      .map(({ line }) => ({ path, line }))
  );
}

/**
 * sosreport keeps only the end of a long lsof: open files that it does not list are at the most this program's, too.
 *
 * @param listed Descriptors of all programs.
 */
function unseenShare({ count, processes: [first] }: Program, listed: number, seen: Seen): number {
  const open = openFiles(seen);
  if (open === undefined || first === undefined || !first.source.path.includes("lsof")) return 1;
  return Math.max(1, (open - (listed - count)) / count);
}

/** How sure it is that a program's descriptors are forgotten ones. */
interface Judgement {
  readonly confidence: Confidence;
  readonly evidence: readonly EvidenceLine[];
}

/** Undefined when it may all be in use. */
function judge({ trend, count: total }: Program, kind: string, count: number, seen: Seen): Judgement | undefined {
  if (SINGLE_KINDS.has(kind)) {
    const isMost = count >= MOST_OF * total && (trend !== undefined || seen.slabinfo !== undefined);
    return { confidence: isMost ? "confirmed" : "likely", evidence: [] };
  }
  const forgotten = kind === "socket" ? forgottenSockets(count, seen) : undefined;
  if (forgotten !== undefined) return { confidence: "likely", evidence: [forgotten] };
  if (trend === undefined) return undefined;
  return { confidence: trend.spanSeconds >= LONG_WATCH_SECONDS ? "likely" : "possible", evidence: [] };
}

/** What tells that most of so many sockets are of no use to anybody. */
function forgottenSockets(count: number, seen: Seen): EvidenceLine | undefined {
  const { unlisted: [unlisted], closeWaits: waiting, unused } = seen;
  if (unlisted !== undefined && unlisted.count >= MOST_OF * count) {
    return {
      path: unlisted.path,
      line: unlisted.line,
      because: `${
        formatQuantity(unlisted.count, "socket")
      } of these are in no table of their protocol: not connected, not listening, only held open`,
    };
  }
  const [stream] = unused;
  if (stream !== undefined && unused.length >= MOST_OF * count) {
    return {
      ...stream,
      because: `one of ${
        formatQuantity(unused.length, "unix socket")
      } (type 0001) that do not listen and are not connected (01)`,
    };
  }
  const [first] = waiting;
  return first === undefined || waiting.length < MOST_OF * count ? undefined : {
    ...first,
    because: `one of ${
      formatQuantity(waiting.length, "connection")
    } in CLOSE_WAIT (08): the peer has closed, this program has not`,
  };
}

function remedies(
  group: { comm: string; pids: readonly number[] },
  kind: string,
  known: readonly Process[] | undefined,
): Remedy[] {
  const [pid = 0] = group.pids;
  return [
    {
      when: "now",
      text:
        `End or restart the owner in an orderly way: the kernel closes all its descriptors, which frees what they hold. ${
          remedyMark("fd-leak", "end the owner")
        }`,
      commands: stopCommands(group, known),
      verify: "the first number of /proc/sys/fs/file-nr falls, and Slab of /proc/meminfo with it",
    },
    {
      when: "fix",
      text: `Find the code that opens ${kind} descriptors and does not close them on every path, errors included. ${
        remedyMark("fd-leak", "find the code")
      }`,
      commands: [
        // The first thousand: looking up all of a million costs the kernel a gigabyte.
        `seq 3 1000 | sed 's,^,/proc/${pid}/fd/,' | xargs readlink | sed 's/[0-9]\\+//g' | sort | uniq -c | sort -rn | head`,
        `strace -f -k -e trace=desc,network -p ${pid}`,
      ],
      verify: `stat -c %s /proc/${pid}/fd stays level under the same load (Linux 6.2 on)`,
    },
    {
      when: "prevent",
      text:
        "Keep the limit of open files near what the program needs, so that a leak ends in its own log (EMFILE) and not in the host's memory, and alert " +
        `on the number. ${remedyMark("fd-leak", "limit of open files")}`,
      commands: [`prlimit --pid ${pid} --nofile=65536`],
      verify: `grep 'open files' /proc/${pid}/limits`,
    },
  ];
}

/** Undefined where all of its descriptors may be in use. */
function programFinding(program: Program, unseen: number, seen: Seen): FindingDraft | undefined {
  const [kind, ofKind] = mainKind(program) ?? [];
  const judged = kind === undefined || ofKind === undefined ? undefined : judge(program, kind, ofKind, seen);
  if (kind === undefined || judged === undefined) return undefined;
  const { pids, count, bytes, trend, cost: { unreclaimable, reclaimable } } = program;
  const each = bytes / count;
  return {
    title: `${nameOfGroup(program)}: ${unseen > 1 ? "at least " : ""}${
      formatQuantity(count, "open descriptor")
    }, most of them ${kind}, hold ${formatBytes(bytes)} of kernel objects`,
    // Of the open files that are not listed it is not known whose they are.
    confidence: bytes < materialQueueBytes(seen.ledger.totalBytes) ? "possible" : judged.confidence,
    material: true,
    claims: [
      { account: "slab-unreclaimable", bytes: { low: unreclaimable, high: unreclaimable * unseen } },
      { account: "slab-reclaimable", bytes: { low: reclaimable, high: reclaimable * unseen } },
    ],
    ...(trend === undefined ? {} : { growthBytesPerSecond: { low: trend.low * each, high: trend.high * each } }),
    owners: [{
      pid: pids[0] ?? null,
      comm: program.comm,
      bytes: Math.round(bytes),
      count,
      detail: `${formatQuantity(pids.length, "process", "processes")}, ${kindsOf(program)}`,
    }],
    evidence: [...programEvidence(program, kind), ...judged.evidence, ...slabEvidence(program, kind, seen)],
    remedies: remedies(program, kind, seen.processes),
  };
}

function kindsOf({ kinds }: Program): string {
  return [...kinds].sort((a, b) => b[1] - a[1]).slice(0, KINDS_LISTED)
    .map(([name, count]) => `${formatCount(Math.round(count))} ${name}`).join(", ");
}

function programEvidence({ processes: members, trend, kinds, count }: Program, kind: string): EvidenceLine[] {
  const [largest] = members as [Descriptors, ...Descriptors[]];
  const grew = trend === undefined
    ? ""
    : `; the program's number grew by ${formatCount(trend.changeBytes)} in ${Math.round(trend.spanSeconds)} s`;
  const lines: EvidenceLine[] = [{
    ...largest.source,
    because: `process ${largest.pid} alone has ${formatQuantity(largest.count, "descriptor")}${grew}`,
  }];
  const example = members.find(({ examples }) => examples.has(kind))?.examples.get(kind);
  if (example !== undefined) {
    lines.push({
      ...example,
      because: `one of about ${formatCount(Math.round(kinds.get(kind) ?? 0))} of this kind among ${formatCount(count)}`,
    });
  }
  return lines;
}

function slabEvidence({ count }: Program, kind: string, { slabinfo: slab }: Seen): EvidenceLine[] {
  if (slab === undefined) return [];
  const wanted = ["filp", kind === "eventpoll" ? "eventpoll_epi" : kind === "socket" ? "sock_inode_cache" : "dentry"];
  return slab.value.filter(({ name }) => wanted.includes(name)).map(({ name, line, activeObjects, totalBytes }) => ({
    path: slab.path,
    line,
    because: `${formatCount(activeObjects)} objects of ${name} are alive${
      totalBytes === undefined ? "" : ` (${formatBytes(totalBytes)})`
    }: these descriptors account for ${formatCount(Math.min(count, activeObjects))}`,
  }));
}

const LIMIT_OF_WATCHES: Remedy = {
  when: "prevent",
  text: `Bound the watches of a user: inotify_add_watch then fails in the program that asks for too many. ${
    remedyMark("fd-leak", "limit of inotify watches")
  }`,
  commands: setSysctl("fs.inotify.max_user_watches=65536"),
  verify: "grep -c ^inotify /proc/PID/fdinfo/FD of the program stays below",
};

/** The descriptors of inotify, or of fanotify, of one program that were looked at. */
interface Watches {
  readonly kind: "inotify" | "fanotify";
  readonly comm: string;
  readonly pids: readonly number[];
  readonly marks: number;
  readonly bytes: number;
  /** Inodes that they keep in memory. */
  readonly pinned: PinnedInodes | undefined;
  /** The one with the most watches first. */
  readonly details: readonly [DescriptorDetail, ...DescriptorDetail[]];
}

/** Caches of inodes of files on disks and of file servers: those of sockets and of tmpfs are not given back anyway. */
const INODES = /^(?!(?:lsm|sock|proc|shmem|mqueue|hugetlbfs|bdev|rpc)_)\w*inode(?:_cache)?$/;

/** A mark holds its inode (fsnotify_get_inode_ref()), however short memory is. */
interface PinnedInodes extends EvidenceLine {
  readonly bytes: ByteRange;
}

/** Files on tmpfs: nobody gives these back, watched or not. */
const TMPFS_INODES = "shmem_inode_cache";

/**
 * Undefined where they may be on tmpfs.
 *
 * @param marks Of one descriptor, which are on as many inodes: another one may have marked the same.
 */
function pinnedBy(marks: number, { slabinfo: slab }: Seen): PinnedInodes | undefined {
  if (slab?.value.every(({ name, activeObjects }) => name !== TMPFS_INODES || activeObjects < marks) !== true) {
    return undefined;
  }
  const caches = slab.value
    .filter(({ name, activeObjects }) => INODES.test(name) && activeObjects >= marks)
    .toSorted((a, b) => a.objectBytes - b.objectBytes);
  const [smallest, largest] = [caches[0], caches.at(-1)];
  if (smallest === undefined || largest === undefined) return undefined;
  return {
    bytes: { low: marks * smallest.objectBytes, high: marks * largest.objectBytes },
    path: slab.path,
    line: largest.line,
    because: `${
      formatCount(largest.activeObjects)
    } inodes of ${largest.name} are alive; those that are watched are not given back, though they count as reclaimable`,
  };
}

function marksIn({ inotifyMarks, fanotifyMarks }: DescriptorDetail): number | undefined {
  return inotifyMarks ?? fanotifyMarks;
}

/**
 * Watches of one process, of which not all descriptors were looked at. Many have one descriptor with all watches, and others with none: the largest is counted
 * once, the others are taken to be like those that were looked at.
 */
function marksOf(details: readonly DescriptorDetail[]): number {
  const counts = details.map((detail) => marksIn(detail) ?? 0);
  const most = counts.reduce((max, count) => Math.max(max, count), 0);
  const others = sum(counts) - most;
  const instances = sumOf(details, (each) => each.weight);
  return most + (others === 0 ? 0 : others * (instances - 1) / (counts.length - 1));
}

function watches(kind: Watches["kind"], seen: Seen): Watches[] {
  const counted = seen.descriptors.details.filter((detail) => detail[`${kind}Marks`] !== undefined);
  return [...byComm(counted, ({ comm }) => comm)].map(([comm, details]) => {
    const byPid = byComm(details, ({ pid }) => `${pid}`);
    const marksBy = [...byPid.values()].map((theirs) => ({
      pid: (theirs[0] as DescriptorDetail).pid,
      bytes: MARK_BYTES * marksOf(theirs),
    }));
    const bytes = sumBytes(marksBy);
    const sorted = details.toSorted((a, b) => (marksIn(b) ?? 0) - (marksIn(a) ?? 0)) as [DescriptorDetail];
    return {
      kind,
      comm,
      pids: mainPids(marksBy),
      marks: bytes / MARK_BYTES,
      bytes: Math.round(bytes),
      pinned: pinnedBy(marksIn(sorted[0]) ?? 0, seen),
      details: sorted,
    };
  });
}

function heldBy({ bytes, pinned }: Watches): number {
  return bytes + (pinned?.bytes.low ?? 0);
}

function watchFinding(watching: Watches, { processes: known }: Seen): FindingDraft {
  const { kind, comm, pids, marks, bytes, pinned, details } = watching;
  const [first] = details;
  const instances = Math.round(sumOf(details, (each) => each.weight));
  const count = formatCount(Math.round(marks));
  return {
    title: `${nameOfGroup({ comm, pids })}: ${count} ${kind} watches hold ${formatBytes(bytes)} of kernel objects${
      pinned === undefined ? "" : `, and ${formatBytes(pinned.bytes.low)} of inodes in memory`
    }`,
    confidence: marks > MOST_DEFAULT_MARKS ? "confirmed" : "possible",
    material: true,
    claims: [
      { account: "slab-unreclaimable", bytes: { low: bytes, high: bytes } },
      ...(pinned === undefined ? [] : [{ account: "slab-reclaimable" as const, bytes: pinned.bytes }]),
    ],
    owners: [{
      pid: pids[0] ?? null,
      comm,
      bytes: heldBy(watching),
      count: instances,
      detail: `${count} ${kind} watches on ${formatQuantity(instances, "descriptor")}`,
    }],
    evidence: [{
      path: first.path,
      line: first.line,
      because: `one descriptor has ${formatCount(marksIn(first) ?? 0)} watches; a user may have ${
        formatCount(MOST_DEFAULT_MARKS)
      } by default at the most`,
    }, ...(pinned === undefined ? [] : [pinned])],
    remedies: [
      ...remedies({ comm, pids }, kind, known).slice(0, 1),
      ...(kind === "fanotify" ? [] : [LIMIT_OF_WATCHES]),
    ],
  };
}

function ruledOut(most: Program | undefined, materialBytes: number): string {
  if (most === undefined) return "no process has a descriptor";
  const why = most.bytes < materialBytes
    ? ""
    : " and are of kinds that a busy program needs many of; their number does not grow";
  return `the program with the most, ${most.comm}, has ${formatQuantity(most.count, "descriptor")} with about ${
    formatBytes(most.bytes)
  }${why}`;
}

export const fdLeak: Analyzer = defineAnalyzer({
  id: "fd-leak",
  title: "Descriptors that are never closed hold kernel objects",
  mechanism:
    "Every descriptor holds kernel objects: a struct file, most kinds a dentry, and what it stands for (an epoll instance with its watches, a socket, " +
    "the marks of inotify and fanotify, and the inodes that these keep in memory). A program that opens and does not close makes slab grow by 0.5 to 4 KB each, charged to no process. The dentries and socket inodes are " +
    "counted as reclaimable, yet cannot be reclaimed while the descriptor is open: a leak looks half harmless.",
  lookAlikes:
    "A busy server: its sockets are in use, and stand in the tables of their protocol. slab-leak: a cache grows and no process has descriptors to match. " +
    "slab-reclaimable: dentries of files that nobody has open. socket-backlog: few sockets, much data in them.",
  references: [
    "https://docs.kernel.org/admin-guide/sysctl/fs.html",
    "https://man7.org/linux/man-pages/man7/inotify.7.html",
    "fs/file_table.c",
    "fs/eventpoll.c",
  ],
  needs,
  uses,
  analyze(values, facts) {
    const bundled = { ...values, facts };
    const seen = {
      ...bundled,
      unlisted: unlistedSockets(bundled),
      closeWaits: closeWaitsOf(bundled),
      unused: unusedOf(bundled),
    };
    const materialBytes = materialQueueBytes(seen.ledger.totalBytes);
    const all = programs(seen);
    const listed = sumOf(all, (each) => each.count);
    const findings = [
      ...all.flatMap((program) => {
        const unseen = unseenShare(program, listed, seen);
        return program.bytes * unseen >= materialBytes ? programFinding(program, unseen, seen) ?? [] : [];
      }),
      ...(["inotify", "fanotify"] as const).flatMap((kind) => watches(kind, seen))
        .filter((each) => heldBy(each) >= materialBytes).map((each) => watchFinding(each, seen)),
    ];
    if (findings.length > 0) return { findings };
    const unseenFiles = (openFiles(seen) ?? 0) - listed;
    if (seen.seesAllDescriptors === false && unseenFiles * MAX_FILE_BYTES >= materialBytes) {
      return { notAssessed: [ALL_DESCRIPTORS] };
    }
    return { ruledOut: ruledOut(all[0], materialBytes) };
  },
});
