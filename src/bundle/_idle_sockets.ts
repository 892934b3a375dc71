/**
 * Tables of hundreds of thousands of sockets, of which a few hold something. While such a table is read, its idle rows become empty lines: what is
 * kept stays small, and every row keeps its line number.
 */
import type { Condenser } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";

const NEWLINE = 10;
const SPACE = 32;
const TAB = 9;
const ZERO = 48;
const COLON = 58;

/** No row is as long: what is longer is no table, and is kept as it is. */
const MAX_ROW_BYTES = 2 ** 20;
/** A hostile table may have any number of sockets that hold something. */
const MAX_REMEMBERED = 1_000_000;

const INET = /(?:^|\/)proc\/(?:[^/]+\/)?net\/(?:udp|udplite|tcp|raw)6?$/;
const SS = /(?:^|\/)networking\/(?:namespaces\/[^/]+\/)?(?:ip_netns_exec_[^/]+_)?ss_[^/]*$/;
const NETSTAT = /(?:^|\/)networking\/(?:namespaces\/[^/]+\/)?netstat_[^/]*$/;

const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === TAB;
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte < ZERO + 10;

/** Where the next word begins, at or after `at`. */
function wordStart(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isBlank(bytes[at])) at++;
  return at;
}

function wordEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && !isBlank(bytes[at])) at++;
  return at;
}

/** Where the word begins that has so many before it. */
function nthWord(bytes: Uint8Array, at: number, end: number, before: number): number {
  let start = wordStart(bytes, at, end);
  for (let n = 0; n < before; n++) start = wordStart(bytes, wordEnd(bytes, start, end), end);
  return start;
}

/** The decimal number that begins here; 0 where none does. */
function decimalAt(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (; at < end && isDigit(bytes[at]); at++) value = value * 10 + (bytes[at] as number) - ZERO;
  return value;
}

/** Whether a word is a number that is not 0. */
function isCount(bytes: Uint8Array, at: number): boolean {
  return isDigit(bytes[at]) && !(bytes[at] === ZERO && !isDigit(bytes[at + 1]));
}

/** Where an ASCII text stands; -1 when it does not. */
function find(bytes: Uint8Array, text: string, from: number, end: number): number {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first, from); at !== -1 && at + text.length <= end; at = bytes.indexOf(first, at + 1)) {
    let n = 1;
    while (n < text.length && bytes[at + n] === text.charCodeAt(n)) n++;
    if (n === text.length) return at;
  }
  return -1;
}

const ascii = new TextDecoder("latin1");

/** What is remembered of the rows that were kept, over all tables and snapshots of a bundle. */
class Remembered {
  /** A socket that held something is followed, even when it is empty: then somebody reads it. */
  readonly inodes: Set<number> = new Set();
  /** TCP: the addresses of the other end, which may be on this host. */
  readonly peers: Set<string> = new Set();
}

/** How the rows of one kind of table tell. */
interface Table {
  /** Whether a line belongs to the row above it. */
  readonly continues: (bytes: Uint8Array, at: number) => boolean;
  /** Whether a row is of a socket that holds nothing. */
  readonly isIdle: (bytes: Uint8Array, start: number, end: number, remembered: Remembered) => boolean;
}

//    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//  3904: 0100007F:C968 00000000:0000 07 00000000:0001C200 00:00000000 00000000     0        0 15145 2 00000000257e59c1 0
const inet: Table = {
  continues: () => false,
  isIdle(bytes, start, end, { inodes, peers }) {
    const local = nthWord(bytes, start, end, 1);
    const remote = nthWord(bytes, local, end, 1);
    const queues = nthWord(bytes, remote, end, 2);
    const queuesEnd = wordEnd(bytes, queues, end);
    // What is no row is for the parser to warn of.
    if (queuesEnd - queues !== 17 || bytes[queues + 8] !== COLON) return false;
    let isEmpty = true;
    for (let at = queues; at < queuesEnd && isEmpty; at++) isEmpty = bytes[at] === ZERO || at === queues + 8;
    if (isEmpty && inodes.size === 0 && peers.size === 0) return true;
    const inode = decimalAt(bytes, nthWord(bytes, queuesEnd, end, 4), end);
    const ends = [ascii.decode(bytes.subarray(local, remote)).trim(), ascii.decode(bytes.subarray(remote, queues - 4)).trim()];
    if (isEmpty) return !inodes.has(inode) && !peers.has(ends.join(" "));
    if (inode !== 0 && inodes.size < MAX_REMEMBERED) inodes.add(inode);
    if (peers.size < MAX_REMEMBERED) peers.add(ends.reverse().join(" "));
    return false;
  },
};

//   udp   UNCONN    0      0          127.0.0.1:51560      0.0.0.0:*     users:(("friend",pid=6740,fd=5)) uid:33 ino:15145 sk:13 cgroup:/ <->
//   <TAB> skmem:(r0,rb212992,t0,tb212992,f3584,w0,o0,bl0,d0)
const ss: Table = {
  continues: (bytes, at) => isBlank(bytes[at]),
  isIdle(bytes, start, end, { inodes }) {
    const isInet = bytes[start + 3] === SPACE &&
      (find(bytes, "udp", start, start + 3) !== -1 || find(bytes, "tcp", start, start + 3) !== -1);
    if (!isInet) return false;
    const received = nthWord(bytes, start, end, 2);
    const sent = nthWord(bytes, received, end, 1);
    const memory = find(bytes, "skmem:(r", sent, end);
    const queued = memory === -1 ? -1 : find(bytes, ",w", memory, end);
    const inodeAt = find(bytes, " ino:", sent, end);
    const inode = inodeAt === -1 ? 0 : decimalAt(bytes, inodeAt + 5, end);
    const isEmpty = bytes[received] === ZERO && bytes[sent] === ZERO &&
      (memory === -1 || !isCount(bytes, memory + 8)) && (queued === -1 || !isCount(bytes, queued + 2));
    if (!isEmpty && inode !== 0 && inodes.size < MAX_REMEMBERED) inodes.add(inode);
    return isEmpty && !inodes.has(inode);
  },
};

//   Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
//   udp        0      0 0.0.0.0:68              0.0.0.0:*                           0          15145      812/dhclient         off (0.00/0/0)
const netstat: Table = {
  continues: () => false,
  isIdle(bytes, start, end, { inodes }) {
    const isInet = find(bytes, "udp", start, start + 3) !== -1 || find(bytes, "tcp", start, start + 3) !== -1;
    const received = nthWord(bytes, start, end, 1);
    const sent = nthWord(bytes, received, end, 1);
    if (!isInet || isCount(bytes, received) || isCount(bytes, sent)) return false;
    // The state may be missing: then the fourth word from the right side of the addresses is the inode already.
    const user = nthWord(bytes, sent, end, 3);
    const inode = nthWord(bytes, user, end, isDigit(bytes[user]) ? 1 : 2);
    return !inodes.has(decimalAt(bytes, inode, end));
  },
};

function tableOf(path: string): Table | undefined {
  if (INET.test(path)) return inet;
  if (SS.test(path)) return ss;
  return NETSTAT.test(path) ? netstat : undefined;
}

/** Makes idle rows of one table empty, piece by piece. The last row is kept, so that its number tells how many there were. */
class IdleRows implements Condenser {
  readonly #table: Table;
  readonly #remembered: Remembered;
  readonly #left: (rows: number) => void;
  /** From the beginning of the last row on, which may go on in the next piece. */
  #rest: Uint8Array = new Uint8Array(0);
  #rows = 0;

  constructor(table: Table, remembered: Remembered, left: (rows: number) => void) {
    this.#table = table;
    this.#remembered = remembered;
    this.#left = left;
  }

  push(piece: Uint8Array): Uint8Array {
    const bytes = this.#rest.length === 0 ? piece : concatBytes([this.#rest, piece]);
    const out = new Uint8Array(bytes.length);
    let size = 0;
    let row = 0;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) {
      const next = at + 1;
      if (next === bytes.length) break;
      if (this.#table.continues(bytes, next)) continue;
      size = this.#add(bytes, row, next, out, size);
      row = next;
    }
    if (bytes.length - row > MAX_ROW_BYTES) {
      out.set(bytes.subarray(row), size);
      size += bytes.length - row;
      row = bytes.length;
    }
    this.#rest = bytes.slice(row);
    return out.slice(0, size);
  }

  /** @returns How much of `out` is in use after it. */
  #add(bytes: Uint8Array, start: number, end: number, out: Uint8Array, size: number): number {
    if (!this.#table.isIdle(bytes, start, end - 1, this.#remembered)) {
      out.set(bytes.subarray(start, end), size);
      return size + end - start;
    }
    this.#rows++;
    for (let at = bytes.indexOf(NEWLINE, start); at !== -1 && at < end; at = bytes.indexOf(NEWLINE, at + 1)) {
      out[size++] = NEWLINE;
    }
    return size;
  }

  end(): Uint8Array {
    if (this.#rows > 0) this.#left(this.#rows);
    return this.#rest;
  }
}

/** The tables of sockets of one bundle. */
export class IdleSockets {
  readonly #remembered: Remembered = new Remembered();

  /**
   * Leaves the idle rows of a file out; undefined for a file that is no table of sockets.
   *
   * @param left Told how many rows were left out, if any.
   */
  condenser(path: string, left: (rows: number) => void): Condenser | undefined {
    const table = tableOf(path);
    return table === undefined ? undefined : new IdleRows(table, this.#remembered, left);
  }
}
