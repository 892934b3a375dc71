/**
 * Finds the sockets that hold memory in what was just captured, so that only their owners are looked up. No parser:
 * columns that have not moved since Linux 2.6.
 */
import { sum } from "../core/sums.ts";

/** Where a table of sockets says how much is queued, and in which socket. */
export interface Columns {
  /** Fields whose sum is what is queued, `hex` ones as `TX:RX`. */
  readonly queued: readonly number[];
  readonly hex: boolean;
  readonly inode: number;
}

//   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//   12: 0100007F:0277 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 ...
const inet: Columns = { queued: [4], hex: true, inode: 9 };

const columns: ReadonlyMap<string, Columns> = new Map([
  ...["udp", "udp6", "udplite", "udplite6", "tcp", "tcp6", "raw", "raw6", "icmp", "icmp6"].map((name) =>
    [name, inet] as const
  ),
  // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
  ["netlink", { queued: [4, 5], hex: false, inode: 9 }],
  // sk RefCnt Type Proto Iface R Rmem User Inode
  ["packet", { queued: [6], hex: false, inode: 8 }],
]);

/**
 * `u_dgr UNCONN 0 4352 /run/x 20118 * 20119 users:(("a",pid=1,fd=2))`: state, Recv-Q, Send-Q, and the inode behind the
 * local address.
 */
const UNIX_LINE = /^u_\w+\s+(\S+)\s+(-?\d+)\s+(-?\d+)\s.*?\s(\d+)\s+\S+\s+\d+(?:\s|$)/;

/** What a row says of a socket. */
interface Row {
  /** Bytes; of a listening socket connections that its process has not accepted, and that nobody else has. */
  readonly queued: number;
  readonly listening: boolean;
  readonly inode: number;
}

/** TCP_LISTEN (include/net/tcp_states.h); sockets of other protocols are never in this state. */
const LISTEN = "0A";

/** The lines of a text, without their ends. */
export function* lines(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at);
    yield text.slice(at, end === -1 ? undefined : end);
    if (end === -1) return;
    at = end + 1;
  }
}

/** The columns of a file, by its path in the bundle; undefined when it is no table of sockets. */
export function socketColumns(path: string): Columns | undefined {
  const slash = path.lastIndexOf("/");
  return path.slice(0, slash).endsWith("proc/net") ? columns.get(path.slice(slash + 1)) : undefined;
}

/**
 * The inodes of the sockets in this file that have at least `minBytes` queued, and of those that listen and have connections waiting; none when it
 * is not a file about sockets.
 */
export function* queuedInodes(path: string, bytes: Uint8Array, minBytes: number): Generator<number> {
  const table = socketColumns(path);
  // Other outputs of ss tell of the same sockets, but not whose they are.
  const ss = path.slice(path.lastIndexOf("/") + 1) === "ss_-peaonmi";
  if (table === undefined && !ss) return;
  let last = 0;
  let isMultipath = false;
  for (const line of lines(new TextDecoder("latin1").decode(bytes))) {
    const found = table === undefined ? unixSocket(line) : tableRow(line, table);
    if (found !== undefined && found.inode > 0 && found.queued >= (found.listening ? 1 : minBytes)) {
      yield found.inode;
    }
    if (table !== undefined) continue;
    // A packet socket's ring stands on a line below the socket's own. However empty, it holds all of its memory.
    if (/^\s+ring_[rt]x\(/.test(line) && last > 0) yield last;
    // So does what a socket of MPTCP is charged, which is in no table.
    else if (isMultipath && last > 0 && chargedBytes(line) >= minBytes) yield last;
    else if (/^\S/.test(line)) {
      last = unownedInode(line);
      isMultipath = line.startsWith("mptcp ");
    }
  }
}

/** What a row says; undefined when it is none. */
export function tableRow(line: string, { queued, hex, inode }: Columns): Row | undefined {
  const fields = line.trim().split(/\s+/);
  const sizes = queued.flatMap((at) => (fields[at] ?? "").split(":")).map((size) => parseInt(size, hex ? 16 : 10));
  const total = sum(sizes);
  const number = Number(fields[inode]);
  if (Number.isNaN(total) || Number.isNaN(number)) return undefined;
  return { queued: total, listening: hex && fields[3] === LISTEN, inode: number };
}

/** A unix socket of `ss`, unless its owner stands there already. */
function unixSocket(line: string): Row | undefined {
  const [, state, receiveQueue, sendQueue, inode] = UNIX_LINE.exec(line) ?? [];
  if (inode === undefined || line.includes("users:((")) return undefined;
  const listening = state === "LISTEN";
  // Send-Q of one that listens is how many may wait.
  const queued = Math.max(Number(receiveQueue), listening ? 0 : Number(sendQueue));
  return { queued, listening, inode: Number(inode) };
}

/** The inode that `-e` prints for a socket other than a unix one; 0 when there is none, or the owner stands there already. */
function unownedInode(line: string): number {
  return line.includes("users:((") ? 0 : Number(/ ino:(\d+) /.exec(line)?.[1] ?? 0);
}

/** What waits to be read, or has not been acknowledged, by `skmem:(r0,rb131072,t0,tb87040,f0,w0,...)`. */
function chargedBytes(line: string): number {
  const [, unread, unsent] = /^\s+skmem:\(r(\d+),.*,w(\d+),/.exec(line) ?? [];
  return Math.max(Number(unread ?? 0), Number(unsent ?? 0));
}
