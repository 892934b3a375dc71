/**
 * Tables of hundreds of thousands of sockets, of which a few hold something. While such a table is read, its idle rows become empty lines: what is
 * kept stays small, and every row keeps its line number.
 */
import type { Condenser } from "../core/bundle.ts";
import { MAX_PIECE_BYTES, MAX_ROW_BYTES, SocketRows, type TableKind } from "./_socket_rows.ts";

const NEWLINE = 10;

/** A hostile table may have any number of sockets that hold something. */
const MAX_REMEMBERED = 1_000_000;

const INET = /(?:^|\/)proc\/(?:[^/]+\/)?net\/(udp|udplite|tcp|raw|icmp)6?$/;
const SS = /(?:^|\/)networking\/(?:namespaces\/[^/]+\/)?(?:ip_netns_exec_[^/]+_)?ss_[^/]*$/;
const NETSTAT = /(?:^|\/)networking\/(?:namespaces\/[^/]+\/)?(?:ip_netns_exec_[^/]+_)?netstat_[^/]*$/;

/** What is remembered of the rows that were kept, over all tables and snapshots of a bundle. */
class Remembered {
  /** A socket that held something is followed, even when it is empty: then somebody reads it. */
  readonly inodes: Set<number> = new Set();
  /** TCP: the addresses of the other end, which may be on this host. */
  readonly peers: Set<string> = new Set();

  add(inode: number, peer?: string): void {
    if (inode !== 0 && this.inodes.size < MAX_REMEMBERED) this.inodes.add(inode);
    if (peer !== undefined && this.peers.size < MAX_REMEMBERED) this.peers.add(peer);
  }
}

interface Table {
  readonly kind: TableKind;
  /** Whether the other end of a connection may be in the same table. */
  readonly hasPeers: boolean;
}

function tableOf(path: string): Table | undefined {
  const [, protocol] = INET.exec(path) ?? [];
  if (protocol !== undefined) return { kind: 0, hasPeers: protocol === "tcp" };
  if (SS.test(path)) return { kind: 1, hasPeers: false };
  return NETSTAT.test(path) ? { kind: 2, hasPeers: false } : undefined;
}

/** Makes idle rows of one table empty, piece by piece. The last row is kept, so that its number tells how many there were. */
class IdleRows implements Condenser {
  readonly #table: Table;
  readonly #reader: () => SocketRows;
  readonly #remembered: Remembered;
  readonly #left: (rows: number) => void;
  /** The beginning of a row that may go on in the next piece. */
  #rest: Uint8Array = new Uint8Array(0);
  /** What is kept of a piece. */
  #out: Uint8Array = new Uint8Array(0);
  #size = 0;
  #idle = 0;

  constructor(table: Table, reader: () => SocketRows, remembered: Remembered, left: (rows: number) => void) {
    this.#table = table;
    this.#reader = reader;
    this.#remembered = remembered;
    this.#left = left;
  }

  push(piece: Uint8Array): Uint8Array {
    const length = this.#rest.length + piece.length;
    if (this.#out.length < length) this.#out = new Uint8Array(length);
    this.#size = 0;
    for (let at = 0; at < piece.length; at += MAX_PIECE_BYTES) this.#read(piece.subarray(at, at + MAX_PIECE_BYTES));
    return this.#out.slice(0, this.#size);
  }

  #read(piece: Uint8Array): void {
    const rows = this.#reader();
    rows.fill(this.#rest, piece);
    do this.#take(rows, rows.next(this.#table.kind, this.#table.hasPeers)); while (!rows.isDone);
    this.#rest = rows.rest();
    if (this.#rest.length > MAX_ROW_BYTES) {
      this.#keep(this.#rest);
      this.#rest = new Uint8Array(0);
    }
  }

  #take(rows: SocketRows, count: number): void {
    for (let row = 0; row < count; row++) {
      this.#leaveOut(rows.idleLinesBefore(row));
      if (this.#isIdle(rows, row)) {
        this.#idle++;
        this.#leaveOut(rows.lines(row));
      } else this.#keep(rows.bytes(row));
    }
    this.#leaveOut(rows.idleLinesBefore(count));
    this.#idle += rows.idleRows;
  }

  #leaveOut(lines: number): void {
    this.#out.fill(NEWLINE, this.#size, this.#size + lines);
    this.#size += lines;
  }

  /** Whether it is of a socket that holds nothing, and never did. */
  #isIdle(rows: SocketRows, row: number): boolean {
    if (!rows.isRow(row)) return false;
    const { inodes, peers } = this.#remembered;
    if (rows.isEmpty(row)) {
      return !inodes.has(rows.inode(row)) &&
        !(this.#table.hasPeers && peers.has(rows.ends(row)));
    }
    this.#remembered.add(rows.inode(row), this.#table.hasPeers ? otherWayRound(rows.ends(row)) : undefined);
    return false;
  }

  #keep(bytes: Uint8Array): void {
    this.#out.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  end(): Uint8Array {
    if (this.#idle > 0) this.#left(this.#idle);
    return this.#rest;
  }
}

/** The same connection as the other end has it. */
function otherWayRound(ends: string): string {
  const half = (ends.length - 1) / 2;
  return `${ends.slice(half + 1)} ${ends.slice(0, half)}`;
}

/** The tables of sockets of one bundle. */
export class IdleSockets {
  readonly #remembered: Remembered = new Remembered();
  #rows: SocketRows | undefined;

  /**
   * Leaves the idle rows of a file out; undefined for a file that is no table of sockets.
   *
   * @param left Told how many rows were left out, if any.
   */
  condenser(path: string, left: (rows: number) => void): Condenser | undefined {
    const table = tableOf(path);
    if (table === undefined) return undefined;
    // Made only for tables that are large.
    return new IdleRows(table, () => this.#rows ??= new SocketRows(), this.#remembered, left);
  }
}
