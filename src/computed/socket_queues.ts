/**
 * Queues of sockets, of whatever family, followed through the snapshots. A queue that nobody reads can only grow: one that became shorter is
 * read, and a queue is only held against its reader when nothing in the bundle shows that he reads.
 */
import { formatBytes, formatCount, formatQuantity } from "../core/format.ts";
import type { SourceLine } from "../core/ledger.ts";
import type { Confidence } from "../core/report.ts";
import { type Captured, latest, type Parsed, type Reader, readUses, type Source } from "../core/source.ts";
import { sumBytes, sumOf } from "../core/sums.ts";
import { netnsOf } from "../parsers/_groups.ts";
import { netstatDatagrams, netstatNamespacesDatagrams, netstatNamespacesTcp, netstatTcp } from "../parsers/netstat.ts";
import { ss, ssNamespaces, type SsSocket } from "../parsers/ss.ts";
import { FIRST_NAMESPACE_FILE, NETSTAT_FILE, type SocketOwners, SS_FILE, ssKey } from "./socket_owners.ts";
import type { Measurement } from "./trend.ts";

/** How a queue behaved over the snapshots. */
export interface Behaviour {
  /** Snapshots in which the socket was seen. */
  readonly seen: number;
  /** True when the queue fell between two snapshots: somebody reads it. */
  readonly wasRead: boolean;
  /** Packets dropped between the first and the last snapshot that saw it; undefined with one snapshot. */
  readonly dropped: number | undefined;
  /** Growth of the queue over the same time. */
  readonly filledBytes: number | undefined;
}

/** A socket with something in a queue. */
export interface SocketQueue extends SourceLine, Behaviour {
  /** The network namespace as sosreport names it; undefined for the initial one. */
  readonly namespace: string | undefined;
  readonly inode: number;
  readonly local: string;
  readonly remote: string;
  /** Memory charged to the socket for what is in the queue: overhead of the packets included where the bundle tells it. */
  readonly chargedBytes: number;
  /** What the queue may hold, as the kernel keeps SO_RCVBUF or SO_SNDBUF; undefined without `ss -m`. */
  readonly limitBytes: number | undefined;
  readonly drops: number | undefined;
  /** Where `ss -m` tells the charge and the limit. */
  readonly skmem: SourceLine | undefined;
  /**
   * What was read of a datagram socket and is charged to it still: from Linux 4.13 on the kernel gives it back when it is a quarter of the limit (udp_rmem_release). Of
   * queues that are never read, it is 0; undefined without `ss -m`.
   */
  readonly readBytes?: number | undefined;
}

/** All queues of one kind that are not empty, the fullest first. */
export interface Backlog<Q extends SocketQueue = SocketQueue> {
  readonly queues: readonly Q[];
  readonly chargedBytes: number;
  /** Sockets in all, empty ones included. */
  readonly sockets: number;
  /** How long the queues' behaviour was watched. */
  readonly seconds: number;
  /** What all queues together held in each snapshot. */
  readonly series: readonly Measurement[];
}

/** A queue's length in one snapshot. */
export interface Sighting {
  /** The same in every snapshot, and no other socket's. */
  readonly key: string | number;
  readonly bytes: number;
  /** What left the queue and lies where it is to be read: it is not read yet. */
  readonly ahead?: number | undefined;
  readonly drops: number | undefined;
}

interface Watch {
  seen: number;
  readonly firstBytes: number;
  lastBytes: number;
  readonly firstDrops: number | undefined;
  lastDrops: number | undefined;
  wasRead: boolean;
}

/** What the snapshots saw. */
export interface Watched {
  /** Over the last minutes: a queue that was read yesterday may be stuck since. */
  readonly behaviour: (key: string | number) => Behaviour;
  /** How long the behaviour was watched. */
  readonly seconds: number;
  /** What all queues together held, over all snapshots. */
  readonly series: readonly Measurement[];
}

const SEEN_ONCE: Behaviour = { seen: 1, wasRead: false, dropped: undefined, filledBytes: undefined };

/** Follows queues through all snapshots; `look` gives undefined for a snapshot that does not tell of them. */
export function watchQueues(
  timeline: readonly Reader[],
  look: (snapshot: Reader) => Iterable<Sighting> | undefined,
): Watched {
  const watches = new Map<string | number, Watch>();
  const series: Measurement[] = [];
  const since = latest(timeline)[0]?.time ?? -Infinity;
  let first: number | undefined;
  for (const snapshot of timeline) {
    const sightings = look(snapshot);
    if (sightings === undefined) continue;
    const time = snapshot.time as number;
    let total = 0;
    for (const { key, bytes: queued, ahead = 0, drops } of sightings) {
      total += queued;
      const bytes = queued + ahead;
      if (time < since) continue;
      const watch = watches.get(key);
      if (watch !== undefined) {
        watch.seen++;
        watch.wasRead ||= bytes < watch.lastBytes;
        watch.lastBytes = bytes;
        watch.lastDrops = drops;
      } else if (bytes > 0) {
        watches.set(key, {
          seen: 1,
          firstBytes: bytes,
          lastBytes: bytes,
          firstDrops: drops,
          lastDrops: drops,
          wasRead: false,
        });
      }
    }
    series.push({ time, bytes: total });
    if (time >= since) first ??= time;
  }
  const behaviour = (key: string | number): Behaviour => {
    const watch = watches.get(key);
    if (watch === undefined || watch.seen === 1) return SEEN_ONCE;
    const { seen, wasRead, firstBytes, lastBytes, firstDrops, lastDrops } = watch;
    const dropped = firstDrops === undefined || lastDrops === undefined ? undefined : lastDrops - firstDrops;
    return { seen, wasRead, dropped, filledBytes: lastBytes - firstBytes };
  };
  const last = series.at(-1)?.time;
  return { behaviour, seconds: first === undefined || last === undefined ? 0 : (last - first) / 1000, series };
}

/** Sorts queues into a backlog. */
export function backlogOf<Q extends SocketQueue>(
  queues: Q[],
  sockets: number,
  { seconds, series }: Watched,
): Backlog<Q> {
  return {
    queues: queues.sort((a, b) => b.chargedBytes - a.chargedBytes || a.inode - b.inode || (a.local < b.local ? -1 : 1)),
    chargedBytes: sumOf(queues, (each) => each.chargedBytes),
    sockets,
    seconds,
    series,
  };
}

/** What all queues together held at the most while they were watched: those that are read swing. */
export function mostHeld({ chargedBytes, series }: Backlog): number {
  return series.reduce((most, { bytes }) => Math.max(most, bytes), chargedBytes);
}

/** How many sockets a table of /proc/net has below its header, those included whose rows are left out of a large one because they hold nothing. */
export function tableSize(rows: readonly { readonly line: number }[]): number {
  return Math.max(rows.length, (rows.at(-1)?.line ?? 1) - 1);
}

/** Lines that a socket takes, with its details. */
const MOST_LINES = 3;
/** A table whose idle rows are left out has more, as it has 8 MiB at least. One with fewer may be several lists that have the same sockets. */
const LEAST_LARGE = 10_000;

/** Whether idle rows may be left out, as of a large table: what is not there tells nothing then. */
export function isThinned(sockets: readonly SsSocket[]): boolean {
  return (sockets.at(-1)?.line ?? 0) > Math.max(LEAST_LARGE, 1 + MOST_LINES * sockets.length);
}

/**
 * Whether ss was asked for sockets of such families, too, of which every host has some. An empty list tells it where nailhouse made it: others may have asked for
 * any family, or state.
 *
 * @param families How their names begin: `u_`, `nl`.
 */
export function wasAskedFor(sockets: readonly SsSocket[], families: readonly string[], { facts }: Reader): boolean {
  if (sockets.length === 0) return facts.privileged !== undefined;
  return isThinned(sockets) || sockets.some(({ netid }) => families.some((family) => netid?.startsWith(family)));
}

/** What `ss` tells of a socket, and in which file. */
export interface SsRow {
  readonly path: string;
  readonly socket: SsSocket;
}

/** The same with what tells the socket from all others: see {@linkcode ssKey}. */
export interface ListedRow extends SsRow {
  readonly key: number;
}

function* rowsOf(
  { path, value }: Parsed<readonly SsSocket[]>,
  file: number,
  netids: readonly string[],
): Generator<ListedRow> {
  for (const socket of value) {
    if (netids.some((netid) => netid === socket.netid)) yield { path, socket, key: ssKey(socket, file) };
  }
}

/** What `ss` tells in this snapshot of sockets of some kinds, in all network namespaces. */
export function* ssRows(reader: Reader, ...netids: readonly string[]): Generator<ListedRow> {
  const { initial, others } = readUses({ initial: ss, others: ssNamespaces }, reader);
  if (initial !== undefined) yield* rowsOf(initial, SS_FILE, netids);
  for (const [i, each] of (others ?? []).entries()) yield* rowsOf(each, FIRST_NAMESPACE_FILE + i, netids);
}

/** What `ss`, or else netstat, tells of network namespaces whose tables are not there: a sosreport has the host's alone. */
export function* rowsElsewhere(
  reader: Reader,
  tables: readonly Parsed<unknown>[],
  ...netids: readonly string[]
): Generator<ListedRow> {
  const netstat = netids.includes("tcp") ? netstatNamespacesTcp : netstatNamespacesDatagrams;
  const { bySs, byNetstat } = readUses({ bySs: ssNamespaces, byNetstat: netstat }, reader);
  const known = new Set(tables.map(({ path }) => netnsOf(path)));
  for (const [i, each] of [...(bySs ?? []), ...(byNetstat ?? [])].entries()) {
    const namespace = netnsOf(each.path);
    if (known.has(namespace)) continue;
    known.add(namespace);
    yield* rowsOf(each, FIRST_NAMESPACE_FILE + i, netids);
  }
}

/** What `ss` tells of the host, or else netstat, which old archives and people have in its place. */
function hostRows(reader: Reader, netids: readonly string[]): readonly ListedRow[] {
  const bySs = reader.read(ss);
  const rows = bySs.status === "ok" ? [...rowsOf(bySs.value, SS_FILE, netids)] : [];
  // Asked for listening sockets alone (`-l`), it tells of no connection.
  if (rows.some(({ socket }) => socket.state !== "LISTEN")) return rows;
  const listed = reader.read(netids.includes("tcp") ? netstatTcp : netstatDatagrams);
  return listed.status === "ok" ? [...rowsOf(listed.value, NETSTAT_FILE, netids)] : rows;
}

/** What `ss` and netstat tell of the host and of all namespaces: for where the tables of /proc are missing. */
export function listedRows(reader: Reader, ...netids: readonly string[]): readonly ListedRow[] {
  return [...hostRows(reader, netids), ...rowsElsewhere(reader, [], ...netids)];
}

/** The line with a socket's skmem; undefined where ss printed none. */
export function skmemLine(row: SsRow | undefined): SourceLine | undefined {
  if (row?.socket.skmem === undefined) return undefined;
  return { path: row.path, line: row.socket.skmemLine ?? row.socket.line };
}

/** A table of /proc/net with the receive queues of one kind of sockets. */
export interface QueueTable<T> {
  readonly name: string;
  readonly table: Source<readonly Parsed<readonly T[]>[]>;
  /** What `ss` calls such sockets. */
  readonly netids: readonly string[];
  readonly rowBytes: (row: T) => number | undefined;
  /** What it sent and what has not gone out, in place of what it received. */
  readonly isSent?: true;
  readonly local: (row: T) => string;
  readonly remote: (row: T) => string;
}

interface QueueRow {
  readonly inode: number;
  readonly line: number;
  readonly drops?: number | undefined;
}

/** What `ss -m` tells of the queue: its charge, and the most that it may be. */
function chargeOf(
  { skmem }: SsSocket,
  isSent: true | undefined,
): { bytes?: number | undefined; limit?: number | undefined } {
  return isSent
    ? { bytes: skmem?.wmemAllocBytes, limit: skmem?.sndbufBytes }
    : { bytes: skmem?.rmemAllocBytes, limit: skmem?.rcvbufBytes };
}

/** By one row of ss: its Recv-Q leaves out what was read, and r does not. */
function readOf({ skmem, recvQBytes }: SsSocket): number | undefined {
  const charged = skmem?.rmemAllocBytes;
  return charged === undefined || recvQBytes === undefined ? undefined : Math.max(0, charged - recvQBytes);
}

/** The lengths of a table's queues in a snapshot. */
function look<T extends QueueRow>({ table, rowBytes }: QueueTable<T>, snapshot: Reader): Sighting[] | undefined {
  const captured = snapshot.read(table);
  if (captured.status !== "ok") return undefined;
  return captured.value.flatMap(({ value }) =>
    value.flatMap((row) => {
      const bytes = rowBytes(row);
      return row.inode === 0 || bytes === undefined ? [] : [{ key: row.inode, bytes, drops: row.drops }];
    })
  );
}

/** The receive queues of a table over all network namespaces and snapshots, followed by the sockets' inodes. */
export function receiveBacklog<T extends QueueRow>(queueTable: QueueTable<T>): Source<Backlog> {
  const { name, table, netids, rowBytes, isSent, local, remote } = queueTable;
  const read = (reader: Reader): Captured<Backlog> => {
    const tables = reader.read(table);
    if (tables.status !== "ok") {
      const listed = tables.status === "missing" ? listedRows(reader, ...netids) : [];
      return listed.length === 0 ? tables : { status: "ok", value: listedBacklog(listed, isSent) };
    }
    const details = new Map(Array.from(ssRows(reader, ...netids), (row) => [row.socket.inode, row] as const));
    const watched = watchQueues(reader.timeline, (snapshot) => look(queueTable, snapshot));
    const elsewhere = listedBacklog([...rowsElsewhere(reader, tables.value, ...netids)], isSent);
    const queueOf = (path: string, row: T): SocketQueue | undefined => {
      const detail = details.get(row.inode);
      // The table leaves out what was read but not yet given back, so r is the better number; both are snapshots of their own moment.
      const charge = detail === undefined ? {} : chargeOf(detail.socket, isSent);
      const chargedBytes = Math.max(rowBytes(row) ?? 0, charge.bytes ?? 0);
      if (chargedBytes === 0) return undefined;
      return {
        path,
        line: row.line,
        namespace: netnsOf(path),
        inode: row.inode,
        local: local(row),
        remote: remote(row),
        chargedBytes,
        limitBytes: charge.limit,
        drops: row.drops ?? detail?.socket.skmem?.drops,
        skmem: skmemLine(detail),
        readBytes: detail && readOf(detail.socket),
        ...watched.behaviour(row.inode),
      };
    };
    const queues = [...elsewhere.queues];
    for (const { path, value } of tables.value) {
      for (const row of value) {
        const queue = queueOf(path, row);
        if (queue !== undefined) queues.push(queue);
      }
    }
    const sockets = elsewhere.sockets + sumOf(tables.value, ({ value }) => tableSize(value));
    return { status: "ok", value: backlogOf(queues, sockets, watched) };
  };
  return {
    name,
    patterns: [
      ...table.patterns,
      ...ss.patterns,
      ...ssNamespaces.patterns,
      ...netstatDatagrams.patterns,
      ...netstatNamespacesDatagrams.patterns,
    ],
    read,
  };
}

/** What `ss` or netstat alone tells, as people paste it: seen once. Its Recv-Q of datagrams is what the socket is charged, as in the tables. */
function listedBacklog(rows: readonly ListedRow[], isSent: true | undefined): Backlog {
  const watched = watchQueues([], () => undefined);
  const queues = rows.flatMap((row): SocketQueue[] => {
    const { path, socket, key: inode } = row;
    const charge = chargeOf(socket, isSent);
    const chargedBytes = Math.max((isSent ? socket.sendQBytes : socket.recvQBytes) ?? 0, charge.bytes ?? 0);
    if (chargedBytes === 0) return [];
    return [{
      path,
      line: socket.line,
      namespace: netnsOf(path),
      inode,
      local: socket.local,
      remote: socket.peer,
      chargedBytes,
      limitBytes: charge.limit,
      drops: socket.skmem?.drops,
      skmem: skmemLine(row),
      ...watched.behaviour(inode),
    }];
  });
  return backlogOf(queues, rows.length, watched);
}

/** Addresses as they are usually written; port 0 is none. `ss` without `-n` has names of ports. */
export function address(host: string, port: number | string): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port === 0 ? "*" : port}`;
}

/** A queue with the bytes that it is held accountable for. */
export type JudgedQueue<Q extends SocketQueue> = Q & { readonly bytes: number };

/** Queues that nobody is known to read, with how they behaved. */
export interface Judged<Q extends SocketQueue = SocketQueue> {
  readonly queues: readonly JudgedQueue<Q>[];
  readonly bytes: number;
  /** Queues that show by themselves that they are not read: full, losing packets, or however their family shows it. */
  readonly stuck: number;
  readonly stuckBytes: number;
  /** Queues that were seen more than once. */
  readonly watched: number;
  readonly dropped: number;
  readonly filledBytes: number;
}

/** What a family's judgement needs to know of its queues. */
export interface JudgeOptions<Q extends SocketQueue> {
  /** Whether a queue shows by itself that nobody reads it. */
  readonly isStuck: (queue: Q) => boolean;
  /** Leaves out queues that show nothing by themselves: where a full queue is normal as long as it moves. */
  readonly onlyStuck?: true;
  /** What one queue is held accountable for; its charge when left out. */
  readonly bytes?: (queue: Q) => number;
  /** The least that a packet is charged: who read less than one for each of its other queues does not read these in turns. Any reading counts when left out. */
  readonly packetBytes?: number;
}

/** What a process was seen to read, and what it was not. */
interface Reading {
  readBytes: number;
  readQueues: number;
  otherBytes: number;
  otherQueues: number;
}

const NOTHING_READ: Readonly<Reading> = { readBytes: 0, readQueues: 0, otherBytes: 0, otherQueues: 0 };

/**
 * Whether what was seen of a process may be its way of reading all its queues in turns: those that it read were as full as the others. Of many queues some are refilled
 * to the byte between two looks.
 */
function readsInTurns({ readBytes, readQueues, otherBytes, otherQueues }: Reading): boolean {
  return readBytes > otherBytes || (readQueues > 0 && readBytes * otherQueues >= otherBytes * readQueues);
}

function readingByProcess<Q extends SocketQueue>(
  queues: readonly Q[],
  owner: (queue: Q) => number | undefined,
): ReadonlyMap<number, Reading> {
  const processes = new Map<number, Reading>();
  for (const queue of queues) {
    const pid = owner(queue);
    if (pid === undefined) continue;
    const reading = processes.get(pid) ?? { ...NOTHING_READ };
    reading[queue.wasRead ? "readBytes" : "otherBytes"] += queue.chargedBytes;
    reading[queue.wasRead ? "readQueues" : "otherQueues"]++;
    processes.set(pid, reading);
  }
  return processes;
}

/**
 * Leaves out queues that are read: those that became shorter, and others of a process that was seen to read. Of such a process a queue that is
 * stuck is believed only when it read the smaller part, and of queues that are less full: one that is refilled as fast as it is read may look the same each time.
 */
export function judgeQueues<Q extends SocketQueue>(
  backlog: Pick<Backlog<Q>, "queues">,
  owners: SocketOwners | undefined,
  { isStuck, onlyStuck, bytes = ({ chargedBytes }) => chargedBytes, packetBytes = 0 }: JudgeOptions<Q>,
): Judged<Q> {
  const owner = ({ inode }: Q): number | undefined => owners?.get(inode)?.pid;
  const processes = readingByProcess(backlog.queues, owner);
  const isUnread = (queue: Q): boolean => {
    const reading = processes.get(owner(queue) ?? -1) ?? NOTHING_READ;
    if (queue.wasRead) return false;
    if (isStuck(queue)) return !readsInTurns(reading);
    const isReadLate = reading.readBytes > 0 && reading.readBytes >= packetBytes * reading.otherQueues;
    return !isReadLate && onlyStuck !== true;
  };
  const queues = backlog.queues
    .filter(isUnread)
    .map((queue) => ({ ...queue, bytes: bytes(queue) }));
  const stuck = queues.filter(isStuck);
  return {
    queues,
    bytes: sumBytes(queues),
    stuck: stuck.length,
    stuckBytes: sumBytes(stuck),
    watched: queues.filter(({ seen }) => seen > 1).length,
    dropped: sumOf(queues, ({ dropped = 0 }) => dropped),
    filledBytes: sumOf(queues, ({ filledBytes = 0 }) => filledBytes),
  };
}

/** What to do about connections that wait to be accepted, of whatever family. */
export const FIND_WHY_NOT_ACCEPTED: string =
  "Find why the program does not accept: the thread that should is blocked or dead, or all descriptors it may have are in use. A program that closes " +
  "its listening socket ends the connections that wait; the backlog that it gives to listen() bounds how many may.";

/** In one look, a queue that is neither full nor losing packets may be one that is read a moment later. This much of it is no burst any more. */
export const BEYOND_A_BURST = 4;

/** True when most of the queues were seen in several snapshots. */
export function isWatched({ watched, queues }: Judged): boolean {
  return watched > queues.length / 2;
}

/**
 * Traffic came, or the queues are stuck, and nobody read while it was watched: proven. Watched without either, or seen once but stuck or far
 * beyond a burst: likely.
 */
export function backlogConfidence(judged: Judged, materialBytes: number): Confidence {
  const stuck = judged.stuckBytes > judged.bytes / 2;
  if (isWatched(judged) && (stuck || judged.dropped > 0 || judged.filledBytes > 0)) return "confirmed";
  return isWatched(judged) || stuck || judged.bytes >= BEYOND_A_BURST * materialBytes ? "likely" : "possible";
}

/** Who was watched for how long, in a sentence. `stuck` says what makes a queue stuck. */
export function describeBehaviour(
  judged: Judged,
  seconds: number,
  stuck: string,
  meaning = "nobody reads",
): string {
  const parts: string[] = [];
  if (judged.watched > 0) parts.push(`no queue became shorter in ${Math.round(seconds)} s: ${meaning}`);
  else parts.push("seen once, so whether anybody reads is not known");
  if (judged.stuck > 0) parts.push(`${judged.stuck} of ${judged.queues.length} ${stuck}`);
  if (judged.filledBytes > 0) parts.push(`they still filled by ${formatBytes(judged.filledBytes)}`);
  if (judged.dropped > 0) {
    parts.push(
      `${
        formatQuantity(judged.dropped, "more packet came meanwhile and was", "more packets came meanwhile and were")
      } dropped, so the sending goes on`,
    );
  }
  return parts.join("; ");
}

/**
 * Whether the fullest queue takes more, and what all of them may hold: how far it can go. Together they are charged no more, whatever comes.
 *
 * @param isFull Of the fullest one.
 */
export function describeLimit(isFull: boolean, { queues }: Judged<SocketQueue>): string {
  const areKnown = queues.every(({ limitBytes }) => limitBytes !== undefined);
  const together = queues.length === 1 || !areKnown
    ? ""
    : `; all ${formatCount(queues.length)} may be charged ${
      formatBytes(sumOf(queues, ({ limitBytes = 0 }) => limitBytes))
    }`;
  return `${isFull ? "full" : "still filling"}${together}`;
}
