import type { SourceLine } from "../core/ledger.ts";
import { type Captured, type Parsed, type Reader, readUses, type Source } from "../core/source.ts";
import { netnsOf } from "../parsers/_groups.ts";
import type { InetSocket } from "../parsers/_inet_sockets.ts";
import { netstatNamespacesTcp, netstatTcp } from "../parsers/netstat.ts";
import { ss, ssNamespaces, type SsSocket } from "../parsers/ss.ts";
import { sockstat } from "../parsers/sockstat.ts";
import { tcp } from "../parsers/tcp.ts";
import { parseCount } from "../parsers/_numbers.ts";
import { protocolMemory } from "./protocol_memory.ts";
import { unmapped } from "./socket_owners.ts";
import {
  address,
  type Backlog,
  backlogOf,
  type ListedRow,
  listedRows,
  rowsElsewhere,
  type Sighting,
  skmemLine,
  type SocketQueue,
  type SsRow,
  ssRows,
  tableSize,
  type Watched,
  watchQueues,
} from "./socket_queues.ts";

/** Value of the timer column: the peer's window is closed, and it is asked whether it opened (net/ipv4/tcp_ipv4.c, get_tcp4_sock()). */
export const ZERO_WINDOW_PROBE = 4;
/** A program that waits for its sockets reads within milliseconds; data that have lain for a second are not waited for. */
export const STALE_MS = 1000;

/** The kernel offers a window of at most half the buffer (tcp_adv_win_scale 1): above half there was a full window. */
export const FULL_SHARE = 0.5;

/** A TCP socket with something in its receive or in its send queue. `inode` is its listener's as long as nobody has accepted it. */
export interface TcpQueue extends SocketQueue {
  /** The listening socket that has not accepted this connection: its process has no descriptor of it yet, and cannot read. */
  readonly listener: SourceLine | undefined;
  /** As the kernel calls it: `ESTABLISHED`, `CLOSE_WAIT`. */
  readonly state: string;
  /** The data alone, without the overhead that is charged with it; 0 where something is charged beside data to be read. */
  readonly payloadBytes: number;
  /** Undefined where only `ss` or netstat lists the socket, and not with `-o`. */
  readonly timer: number | undefined;
  readonly retransmits: number | undefined;
  /** Milliseconds since data last came; undefined where ss did not tell. */
  readonly lastReceivedMs: number | undefined;
  /** How long ago data were sent last; undefined without the details of ss. */
  readonly lastSentMs: number | undefined;
  /** The other end's other queue, when the connection stays on this host. */
  readonly peer: TcpPeer | undefined;
}

/** The other end of a connection on this host, seen from a queue: who reads what is sent, or who sends what is read. */
export interface TcpPeer extends SourceLine {
  readonly inode: number;
  /** In its send queue, for a receive queue; in its receive queue, for a send queue. */
  readonly chargedBytes: number;
  readonly payloadBytes: number;
  readonly timer: number | undefined;
}

/** Receive and send queues that are not empty. */
export interface TcpBacklog {
  readonly received: Backlog<TcpQueue>;
  readonly sent: Backlog<TcpQueue>;
}

type Side = "received" | "sent";

/** A row of the kernel's table, or what `ss` or netstat prints of it: without `-n` names in place of ports, and the timer only with `-o`. */
interface Row extends
  Pick<
    InetSocket,
    | "localAddress"
    | "remoteAddress"
    | "state"
    | "txQueueBytes"
    | "rxQueueBytes"
    | "retransmits"
    | "inode"
    | "line"
  > {
  readonly localPort: number | string;
  readonly remotePort: number | string;
  readonly timer: number | undefined;
  /** What it was made of, where it is no row of the kernel's. */
  readonly listed?: ListedRow;
}

/** A socket with what ss tells of it. */
interface Socket {
  readonly path: string;
  readonly row: Row;
  readonly inode: number;
  readonly listener: SourceLine | undefined;
  readonly local: string;
  readonly remote: string;
  readonly detail: SsRow | undefined;
  /** Charge over data where `detail` does not tell it. */
  readonly ratio: number;
}

function endpoint(host: string, port: number | string): string {
  return address(unmapped(host), port);
}

/** Every namespace has its own loopback, so that the same addresses there are other sockets. */
function connectionKey(path: string, local: string, remote: string): string {
  const own = local.startsWith("127.") || local.startsWith("[::1]");
  return `${own ? netnsOf(path) ?? "" : ""} ${local} ${remote}`;
}

interface Listener extends SourceLine {
  readonly inode: number;
}

/** Listening sockets by where they listen. */
class Listeners {
  readonly #all: Map<string, Listener> = new Map();

  constructor(tables: readonly Parsed<readonly Row[]>[]) {
    for (const { path, value } of tables) {
      for (const { state, localAddress, localPort, inode, line } of value) {
        if (state !== "LISTEN") continue;
        const key = listenKey(path, localAddress, localPort);
        // Of several that share a port any may be meant: they are one program's, as a rule.
        if (!this.#all.has(key)) this.#all.set(key, { path, line, inode });
      }
    }
  }

  /**
   * Whose queue of connections this one is in: a socket without a descriptor in these states was never accepted. One that was closed is in another
   * state at once (net/ipv4/tcp.c, tcp_close()).
   */
  of(path: string, row: Row): Listener | undefined {
    return row.inode === 0 ? this.at(path, row) : undefined;
  }

  /** The same of a socket of which it is known otherwise that no process has it. */
  at(path: string, { state, localAddress, localPort }: Row): Listener | undefined {
    if (state !== "ESTABLISHED" && state !== "CLOSE_WAIT") return undefined;
    // A connection is of its listener's family: one that listens on 0.0.0.0 has none of IPv6, and those of IPv4 that :: has are written as of IPv6.
    const everywhere = localAddress.includes(":") ? "::" : "0.0.0.0";
    return this.#all.get(listenKey(path, localAddress, localPort)) ??
      this.#all.get(listenKey(path, everywhere, localPort)) ?? this.#all.get(listenKey(path, "*", localPort));
  }
}

function listenKey(path: string, host: string, port: number | string): string {
  return `${netnsOf(path) ?? ""} ${endpoint(host, port)}`;
}

type DetailOf = (path: string, row: Row, local: string, remote: string) => SsRow | undefined;

/** What `ss` tells of each socket: by its inode, and by its connection where it has none. */
function detailsOf(
  reader: Reader,
): DetailOf {
  const byInode = new Map<number | undefined, SsRow>();
  const byConnection = new Map<string, SsRow>();
  for (const row of ssRows(reader, "tcp")) {
    const { path, socket: { inode, local, peer } } = row;
    if (inode === 0) byConnection.set(connectionKey(path, listedEndpoint(local), listedEndpoint(peer)), row);
    else byInode.set(inode, row);
  }
  return (path, { inode }, local, remote) =>
    inode === 0 ? byConnection.get(connectionKey(path, local, remote)) : byInode.get(inode);
}

function payload({ rxQueueBytes, txQueueBytes }: Row, side: Side): number {
  return (side === "received" ? rxQueueBytes : txQueueBytes) ?? 0;
}

/**
 * What a socket is charged beside data to be read: copies of what it sent, with the time at which it went out (SO_TIMESTAMPING), until the program reads its error
 * queue; data behind a gap, which comes to an end as soon as what is missing is sent again. What is under way is neither: it came a moment ago.
 */
function chargedBesideData(detail: SsRow | undefined): number {
  if (detail === undefined) return 0;
  const { recvQBytes, skmem, lastReceivedMs, outOfOrderPackets } = detail.socket;
  const { rmemAllocBytes = 0, rcvbufBytes = Infinity } = skmem ?? {};
  if (recvQBytes !== 0 || lastReceivedMs === undefined) return 0;
  const hasNoGap = outOfOrderPackets === undefined && rmemAllocBytes > FULL_SHARE * rcvbufBytes;
  return lastReceivedMs >= STALE_MS || hasNoGap ? rmemAllocBytes : 0;
}

/** The charge is at least the data; ss tells what more there is, a moment later. Without it every queue is charged alike. */
function charge({ row, detail, ratio }: Socket, side: Side): number {
  const skmem = detail?.socket.skmem;
  const charged = side === "received" ? skmem?.rmemAllocBytes : skmem?.wmemQueuedBytes;
  const bytes = payload(row, side);
  if (bytes === 0) return side === "received" ? chargedBesideData(detail) : 0;
  return Math.max(bytes, charged ?? Math.round(ratio * bytes));
}

/** Small writes are charged up to 2.6 times their data (measured). What the kernel counts beyond that is reserved, or in no queue. */
const MOST_CHARGED = 2.6;

/** How much more than their data the queues are charged, from the kernel's own count of the whole; 1 when that is not known. */
function chargeRatio(reader: Reader, tables: readonly Parsed<readonly Row[]>[]): number {
  const { files } = readUses({ files: sockstat }, reader);
  const data = tables.flatMap(({ value }) => value).reduce(
    (sum, row) => sum + payload(row, "received") + payload(row, "sent"),
    0,
  );
  const counted = protocolMemory(files, "TCP")?.bytes;
  return counted === undefined || data === 0 ? 1 : Math.min(MOST_CHARGED, Math.max(1, counted / data));
}

/** A socket without a process has inode 0: its addresses tell it from the others. */
function watchKey(path: string, row: Row): string {
  return connectionKey(path, endpoint(row.localAddress, row.localPort), endpoint(row.remoteAddress, row.remotePort));
}

/** What is unread at the other ends of a table's connections, where these are on this host: by the end that sent it. */
function unreadByPeer({ path, value }: Parsed<readonly InetSocket[]>): ReadonlyMap<string, number> {
  const unread = new Map<string, number>();
  for (const row of value) {
    const bytes = payload(row, "received");
    if (bytes === 0) continue;
    const local = endpoint(row.localAddress, row.localPort);
    unread.set(connectionKey(path, endpoint(row.remoteAddress, row.remotePort), local), bytes);
  }
  return unread;
}

/**
 * Queues' lengths in a snapshot. Of what moved to the reader's queue on this host nothing is read yet: the kernel takes a little more than the window when it is
 * probed.
 */
function look(side: Side): (snapshot: Reader) => Sighting[] | undefined {
  return (snapshot) => {
    const captured = snapshot.read(tcp);
    if (captured.status !== "ok") return undefined;
    return captured.value.flatMap((table) => {
      const unread = side === "sent" ? unreadByPeer(table) : undefined;
      return table.value.map((row) => {
        const key = watchKey(table.path, row);
        const bytes = payload(row, side);
        return { key, bytes, ahead: bytes > 0 ? unread?.get(key) : undefined, drops: undefined };
      });
    });
  };
}

function peerOf({ path, local, remote }: Socket, side: Side, all: ReadonlyMap<string, Socket>): TcpPeer | undefined {
  const other = all.get(connectionKey(path, remote, local));
  if (other === undefined) return undefined;
  const otherSide: Side = side === "received" ? "sent" : "received";
  return {
    path: other.path,
    line: other.row.line,
    inode: other.inode,
    chargedBytes: charge(other, otherSide),
    payloadBytes: payload(other.row, otherSide),
    timer: other.row.timer,
  };
}

function queueOf(socket: Socket, side: Side, all: ReadonlyMap<string, Socket>, watched: Watched): TcpQueue {
  const { path, row, inode, listener, local, remote, detail } = socket;
  const skmem = detail?.socket.skmem;
  return {
    path,
    line: row.line,
    namespace: netnsOf(path),
    inode,
    listener,
    local,
    remote,
    state: row.state,
    chargedBytes: charge(socket, side),
    payloadBytes: payload(row, side),
    limitBytes: side === "received" ? skmem?.rcvbufBytes : skmem?.sndbufBytes,
    drops: undefined,
    timer: row.timer,
    retransmits: row.retransmits,
    lastReceivedMs: detail?.socket.lastReceivedMs,
    lastSentMs: detail?.socket.lastSentMs,
    skmem: skmemLine(detail),
    peer: peerOf(socket, side, all),
    ...watched.behaviour(watchKey(path, row)),
  };
}

/** Where each connection is among those of all tables. */
interface Connections {
  readonly tables: readonly Parsed<readonly Row[]>[];
  readonly detailOf: DetailOf;
  readonly listeners: Listeners;
  readonly sockets: number;
  /** What the snapshots saw of its queues; a list by `ss` or netstat is looked at once. */
  readonly watch: (side: Side) => Watched;
}

function backlogs(
  reader: Reader,
  { tables, detailOf, listeners, sockets, watch }: Connections,
): Captured<TcpBacklog> {
  const ratio = chargeRatio(reader, tables);
  const all = new Map<string, Socket>();
  for (const { path, value } of tables) {
    for (const row of value) {
      const local = endpoint(row.localAddress, row.localPort);
      const remote = endpoint(row.remoteAddress, row.remotePort);
      const listener = listeners.of(path, row);
      const key = connectionKey(path, local, remote);
      // A table that changed while it was read may have a socket twice. Others only look the same: netstat cuts addresses of IPv6 off, and MPTCP has those of what
      // carries it.
      const known = all.get(key);
      const isOther = known !== undefined && (known.path !== path || row.listed !== undefined);
      all.set(isOther ? `${key} ${path}:${row.line}` : key, {
        path,
        row,
        inode: listener?.inode ?? row.inode,
        listener,
        local,
        remote,
        detail: detailOf(path, row, local, remote),
        ratio,
      });
    }
  }
  const side = (which: Side): Backlog<TcpQueue> => {
    const watched = watch(which);
    const filled = [...all.values()].filter((socket) => charge(socket, which) > 0);
    return backlogOf(filled.map((socket) => queueOf(socket, which, all, watched)), sockets, watched);
  };
  return { status: "ok", value: { received: side("received"), sent: side("sent") } };
}

/** States as `ss` calls them, by the kernel's names: only those that have others. */
const STATES: ReadonlyMap<string, string> = new Map([
  ["ESTAB", "ESTABLISHED"],
  ["FIN-WAIT-1", "FIN_WAIT1"],
  ["FIN-WAIT-2", "FIN_WAIT2"],
  ["UNCONN", "CLOSE"],
]);

/** Numbers of the timer column, as in /proc/net/tcp. */
const TIMERS: ReadonlyMap<string, number> = new Map([
  ["off", 0],
  ["on", 1],
  ["keepalive", 2],
  ["timewait", 3],
  ["persist", ZERO_WINDOW_PROBE],
]);

/** `[::1]:80`, `::ffff:10.0.0.1:80` as old `ss` and netstat write it, `127.0.0.53%lo:53`, `*:http`. */
function hostAndPort(text: string): readonly [host: string, port: number | string] {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon).replace(/%[^\]]*/, "").replace(/^\[(.*)\]$/, "$1");
  const port = text.slice(colon + 1);
  return [host, port === "*" ? 0 : parseCount(port) ?? port];
}

/** The same in the words of the tables. */
function listedEndpoint(text: string): string {
  return endpoint(...hostAndPort(text));
}

type ListedTableRow = Row & { readonly listed: ListedRow };

function rowOf(listed: ListedRow): ListedTableRow {
  const { key, socket } = listed;
  const [localAddress, localPort] = hostAndPort(socket.local);
  const [remoteAddress, remotePort] = hostAndPort(socket.peer);
  const state = socket.state ?? "";
  return {
    localAddress,
    localPort,
    remoteAddress,
    remotePort,
    state: STATES.get(state) ?? state.replaceAll("-", "_"),
    txQueueBytes: socket.sendQBytes,
    rxQueueBytes: socket.recvQBytes,
    timer: TIMERS.get(socket.timer ?? ""),
    retransmits: socket.retransmits,
    inode: key,
    line: socket.line,
    listed,
  };
}

/** Whether the processes are told, and this socket is none's. */
function isNobodys({ inode, owners, ownersLine }: SsSocket): boolean {
  return inode === undefined && owners.length === 0 && ownersLine !== undefined;
}

/** What `ss` or netstat lists, in the form of tables, and those of them that tell who listens. */
function listedTables(rows: Iterable<ListedRow>): {
  readonly tables: readonly Parsed<readonly ListedTableRow[]>[];
  readonly listening: readonly Parsed<readonly Row[]>[];
} {
  const files = new Map<string, ListedTableRow[]>();
  for (const each of rows) {
    const file = files.get(each.path);
    if (file === undefined) files.set(each.path, [rowOf(each)]);
    else file.push(rowOf(each));
  }
  const tables = Array.from(files, ([path, value]) => ({ path, value }));
  // Whoever is shown one process's listening socket would be shown which of its connections it has accepted.
  const listening = tables.map(({ path, value }) => ({
    path,
    value: value.filter(({ listed: { socket } }) => socket.inode !== undefined || socket.owners.length > 0),
  }));
  const listeners = new Listeners(listening);
  const accepted = tables.map(({ path, value }) => ({
    path,
    value: value.map((row) =>
      isNobodys(row.listed.socket) && listeners.at(path, row) !== undefined ? { ...row, inode: 0 } : row
    ),
  }));
  return { tables: accepted, listening };
}

/**
 * Sockets of MPTCP, which `ss` alone tells. The tables have the connections that carry them: these pass on at once what they receive, and tell with their
 * timers whether the peer reads. What a socket has to send it is charged (`w`), and is not its Send-Q.
 */
function multipath(reader: Reader, carriers: readonly Parsed<readonly Row[]>[]): readonly Parsed<readonly Row[]>[] {
  const { tables } = listedTables(ssRows(reader, "mptcp"));
  if (tables.length === 0) return [];
  const carrying = new Map(carriers.flatMap(({ value }) => value.map((row) => [row.inode, row] as const)));
  return tables.map(({ path, value }) => ({
    path,
    value: value.map((row) => ({
      ...row,
      txQueueBytes: row.listed.socket.skmem?.wmemQueuedBytes,
      timer: carrying.get(row.inode)?.timer,
      retransmits: carrying.get(row.inode)?.retransmits,
    })),
  }));
}

/** What `ss` or netstat alone tells, as people paste it and some archives have it: seen once. */
function listed(reader: Reader): Captured<TcpBacklog> | undefined {
  const rows = listedRows(reader, "tcp");
  // Asked for listening sockets alone (`-l`), they tell of no connection.
  if (rows.every(({ socket }) => socket.state === "LISTEN")) return undefined;
  const { tables, listening } = listedTables(rows);
  return backlogs(reader, {
    tables: [...multipath(reader, tables), ...tables],
    detailOf: (_, { listed }) => listed,
    listeners: new Listeners(listening),
    sockets: rows.length,
    watch: () => watchQueues([], () => undefined),
  });
}

function read(reader: Reader): Captured<TcpBacklog> {
  const tables = reader.read(tcp);
  if (tables.status === "missing") return listed(reader) ?? tables;
  if (tables.status !== "ok") return tables;
  const rows = [...rowsElsewhere(reader, tables.value, "tcp")];
  const elsewhere = listedTables(rows);
  const detailOf = detailsOf(reader);
  return backlogs(reader, {
    // First those of MPTCP: where both ends are on this host it is they that hold each other up.
    tables: [...multipath(reader, tables.value), ...tables.value, ...elsewhere.tables],
    detailOf: (path, row, ...ends) => row.listed ?? detailOf(path, row, ...ends),
    listeners: new Listeners([...tables.value, ...elsewhere.listening]),
    sockets: tables.value.reduce((sum, { value }) => sum + tableSize(value), rows.length),
    watch: (side) => watchQueues(reader.timeline, look(side)),
  });
}

/** TCP queues over all network namespaces and snapshots, with the other end of each connection that stays on this host. */
export const tcpBacklog: Source<TcpBacklog> = {
  name: "TCP backlog",
  patterns: [tcp, ss, ssNamespaces, netstatTcp, netstatNamespacesTcp, sockstat].flatMap(({ patterns }) => patterns),
  read,
};
