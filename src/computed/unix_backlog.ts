import type { SourceLine } from "../core/ledger.ts";
import { type Captured, type Missing, type Parsed, type Reader, readUses, type Source } from "../core/source.ts";
import { netnsOf } from "../parsers/_groups.ts";
import { ss, ssNamespaces, type SsSocket, ssUnix, ssUnixNamespaces } from "../parsers/ss.ts";
import { sumOf } from "../core/sums.ts";
import { HEAD_BYTES, mostUnixSlabBytes, SHARED_INFO_BYTES } from "./skb_memory.ts";
import type { SlabCaches } from "./slab_caches.ts";
import {
  type Backlog,
  backlogOf,
  type Behaviour,
  type Sighting,
  skmemLine,
  type SocketQueue,
  type SsRow,
  ssRows,
  wasAskedFor,
  watchQueues,
} from "./socket_queues.ts";

/**
 * What one unix socket sent and nobody read. It is charged to the sender, and lies in the reader's receive queue: `inode` is the reader's where the
 * bundle tells who that is, else the sender's.
 */
export interface UnixQueue extends SocketQueue {
  readonly type: "stream" | "dgram" | "seqpacket";
  /** Undefined when the sender has closed its end, or is gone. */
  readonly senderInode: number | undefined;
  /** The listener's, as long as nobody has accepted the connection. Of datagrams sent without connect(), for which ss does not tell to whom, the one socket that has some; undefined where there are several. */
  readonly readerInode: number | undefined;
  /** Whether the connection waits in the listener's queue: its process has no descriptor of it yet, and cannot read. */
  readonly isWaiting: boolean;
  /** The data alone, as the reader's Recv-Q tells it. Of datagrams it tells the first one only, of a listener how many connections wait: then undefined. */
  readonly payloadBytes: number | undefined;
  /** Where the reader's Recv-Q stands. */
  readonly reader: SourceLine | undefined;
}

const TYPES: ReadonlyMap<string, UnixQueue["type"]> = new Map([["u_str", "stream"], ["u_dgr", "dgram"], [
  "u_seq",
  "seqpacket",
]]);

function typeOf({ socket }: SsRow): UnixQueue["type"] | undefined {
  return TYPES.get(socket.netid ?? "");
}

/** What the socket sent and is still charged for. */
function sentBytes({ socket }: SsRow): number {
  return Math.max(socket.sendQBytes ?? 0, socket.skmem?.wmemAllocBytes ?? 0);
}

const UNIX_SOCKETS: Missing = { path: "sos_commands/networking/ss_-xanm", howToCapture: "ss -xanm" };

function unixRows(reader: Reader): Captured<SsRow[]> {
  const initial = reader.read(ssUnix);
  if (initial.status !== "ok") return initial;
  if (!wasAskedFor(initial.value.value, ["u_"], reader)) return { status: "missing", missing: [UNIX_SOCKETS] };
  const { changing, once } = readUses({ changing: ssUnixNamespaces, once: ssNamespaces }, reader);
  const files: readonly Parsed<readonly SsSocket[]>[] = [initial.value, ...(changing ?? once ?? [])];
  const rows = files.flatMap(({ path, value }) => value.map((socket) => ({ path, socket })));
  return { status: "ok", value: rows.filter((row) => typeOf(row) !== undefined && row.socket.state !== "LISTEN") };
}

/** Who listens, by the connecting ends of connections that he has not accepted: their own other ends have no inode, and ss does not list them. */
function listenersOf(reader: Reader): Map<number, SsRow> {
  const listeners = new Map<number, SsRow>();
  for (const netid of TYPES.keys()) {
    for (const row of ssRows(reader, netid)) {
      for (const inode of row.socket.waitingInodes) listeners.set(inode, row);
    }
  }
  return listeners;
}

/**
 * The one socket for datagrams that has some unread, and whose sender no connection tells: who sent without a connection sent to it. Undefined where there
 * are several.
 */
function loneReader(rows: readonly SsRow[], readers: ReadonlySet<number | undefined>): SsRow | undefined {
  const found = rows.filter((row) =>
    typeOf(row) === "dgram" && (row.socket.recvQBytes ?? 0) > 0 && !readers.has(row.socket.inode)
  );
  return found.length === 1 ? found[0] : undefined;
}

function senderKey(inode: number | undefined): string {
  return `sent by ${inode}`;
}

function readerKey(inode: number | undefined): string {
  return `left for ${inode}`;
}

/** Inodes of the readers whose queue is known from a sender's charge. */
function readersOf(rows: readonly SsRow[]): Set<number | undefined> {
  return new Set(rows.filter((row) => sentBytes(row) > 0).map(({ socket }) => socket.peerInode));
}

/** Data whose sender has closed or is gone, so that only the reader's Recv-Q tells of them. */
function isLeftover(row: SsRow, readers: ReadonlySet<number | undefined>): boolean {
  return typeOf(row) !== "dgram" && (row.socket.recvQBytes ?? 0) > 0 && !readers.has(row.socket.inode);
}

function look(snapshot: Reader): Sighting[] | undefined {
  const captured = unixRows(snapshot);
  if (captured.status !== "ok") return undefined;
  const readers = readersOf(captured.value);
  return captured.value.flatMap((row) => {
    const { inode, recvQBytes = 0 } = row.socket;
    const sent: Sighting = { key: senderKey(inode), bytes: sentBytes(row), drops: undefined };
    const left: Sighting = {
      key: readerKey(inode),
      bytes: isLeftover(row, readers) ? recvQBytes : 0,
      drops: undefined,
    };
    return [sent, left];
  });
}

type Ends = Pick<
  UnixQueue,
  | "inode"
  | "local"
  | "chargedBytes"
  | "limitBytes"
  | "senderInode"
  | "readerInode"
  | "isWaiting"
  | "payloadBytes"
  | "reader"
>;

function queueOf(row: SsRow, behaviour: Behaviour, ends: Ends): UnixQueue {
  return {
    path: row.path,
    line: row.socket.line,
    namespace: netnsOf(row.path),
    remote: row.socket.peer,
    drops: undefined,
    skmem: skmemLine(row),
    type: typeOf(row) as UnixQueue["type"],
    ...ends,
    ...behaviour,
  };
}

function read(reader: Reader): Captured<Backlog<UnixQueue>> {
  const captured = unixRows(reader);
  if (captured.status !== "ok") return captured;
  const rows = captured.value;
  const watched = watchQueues(reader.timeline, look);
  const byInode = new Map(rows.map((row) => [row.socket.inode, row]));
  const readers = readersOf(rows);
  const listeners = listenersOf(reader);
  const lone = loneReader(rows, readers);
  const sent = rows.filter((row) => sentBytes(row) > 0).map((row): UnixQueue => {
    const { inode: senderInode, peerInode, local, skmem } = row.socket;
    const listener = peerInode === undefined ? listeners.get(senderInode ?? 0) : undefined;
    const unconnected = peerInode === undefined && typeOf(row) === "dgram" ? lone : undefined;
    const readerInode = peerInode ?? (listener ?? unconnected)?.socket.inode;
    const other = listener ?? unconnected ?? byInode.get(peerInode);
    return queueOf(row, watched.behaviour(senderKey(senderInode)), {
      inode: readerInode ?? senderInode ?? 0,
      // A reader's name says more than that of a client's socket, which rarely has one.
      local: other === undefined || other.socket.local === "*" ? local : other.socket.local,
      chargedBytes: sentBytes(row),
      limitBytes: skmem?.sndbufBytes,
      senderInode,
      readerInode,
      isWaiting: listener !== undefined,
      payloadBytes: typeOf(row) === "dgram" || listener !== undefined ? undefined : other?.socket.recvQBytes,
      reader: other && { path: other.path, line: other.socket.line },
    });
  });
  const left = rows.filter((row) => isLeftover(row, readers)).map((row): UnixQueue => {
    const { inode, local, recvQBytes } = row.socket;
    return queueOf(row, watched.behaviour(readerKey(inode)), {
      inode: inode ?? 0,
      local,
      chargedBytes: recvQBytes ?? 0,
      limitBytes: undefined,
      senderInode: undefined,
      readerInode: inode,
      isWaiting: false,
      payloadBytes: recvQBytes,
      reader: { path: row.path, line: row.socket.line },
    });
  });
  return { status: "ok", value: backlogOf([...sent, ...left], rows.length, watched) };
}

/** Where it is not known, that of nearly all hosts. */
const USUAL_PAGE_BYTES = 4096;

/**
 * A packet that is in slab as a whole is charged an object of at most a page (of which SKB_MAX_HEAD(0) are data: 3,776 bytes of 4 KiB) and a head. Where the
 * data are a larger part of the charge than that, they lie in pages.
 */
function mostDataInSlab(pageSizeBytes: number = USUAL_PAGE_BYTES): number {
  return (pageSizeBytes - SHARED_INFO_BYTES) / (pageSizeBytes + HEAD_BYTES);
}

/** Of data that waits with a listener nothing tells how much of the charge they are: what fills a queue are large writes, as a rule. */
export function isInPages(
  { payloadBytes, chargedBytes, isWaiting }: UnixQueue,
  pageSizeBytes: number | undefined,
): boolean {
  return isWaiting || (payloadBytes !== undefined && payloadBytes > mostDataInSlab(pageSizeBytes) * chargedBytes);
}

/** Whether its sender has closed or is gone, so that nobody is charged that is known. */
export function isLeft({ senderInode }: UnixQueue): boolean {
  return senderInode === undefined;
}

/** Of what senders that are gone have left only the data are told. */
export interface Leftovers {
  readonly dataBytes: number;
  /** What their packets take in slab beyond the data, at the most; 0 where slab has no room for all of them, so that they are in pages, which they fill. */
  readonly overheadBytes: number;
}

/** Compares what was left with packets in slab that no other unix socket is charged for. */
export function leftoversOf(
  queues: readonly UnixQueue[],
  caches: SlabCaches | undefined,
  pageSizeBytes: number | undefined,
): Leftovers {
  const bytesOf = (some: readonly UnixQueue[]): number => sumOf(some, ({ chargedBytes }) => chargedBytes);
  const dataBytes = bytesOf(queues.filter(isLeft));
  if (caches === undefined || dataBytes === 0) return { dataBytes, overheadBytes: 0 };
  const others = bytesOf(queues.filter((queue) => !isLeft(queue) && !isInPages(queue, pageSizeBytes)));
  const most = mostUnixSlabBytes(dataBytes + others, caches) - others;
  return { dataBytes, overheadBytes: Math.max(0, Math.round(most) - dataBytes) };
}

/** Unread data of unix sockets over all network namespaces and snapshots. */
export const unixBacklog: Source<Backlog<UnixQueue>> = {
  name: "unix backlog",
  patterns: [ssUnix, ssUnixNamespaces, ss, ssNamespaces].flatMap(({ patterns }) => patterns),
  read,
};
