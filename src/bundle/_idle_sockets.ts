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
const COMMA = 44;

/** No row is as long: what is longer is no table, and is kept as it is. */
const MAX_ROW_BYTES = 2 ** 20;
/** A hostile table may have any number of sockets that hold something. */
const MAX_REMEMBERED = 1_000_000;

const INET = /(?:^|\/)proc\/(?:[^/]+\/)?net\/(udp|udplite|tcp|raw)6?$/;
const SS = /(?:^|\/)networking\/(?:namespaces\/[^/]+\/)?(?:ip_netns_exec_[^/]+_)?ss_[^/]*$/;
const NETSTAT = /(?:^|\/)networking\/(?:namespaces\/[^/]+\/)?netstat_[^/]*$/;

/**
 * Where the next newline is; -1 when there is none. Rows are short: eight bytes at a time it takes two thirds of the time of `indexOf`, which is
 * mostly that of calling it.
 */
function newlineAt(bytes: Uint8Array, view: DataView, from: number): number {
  const { length } = bytes;
  let at = from;
  for (; at + 8 <= length; at += 8) {
    // A byte that is 0 after this was a newline.
    const a = view.getInt32(at, true) ^ 0x0a0a0a0a;
    const b = view.getInt32(at + 4, true) ^ 0x0a0a0a0a;
    // The highest bit of a byte is set where it is 0, and perhaps of those above that.
    if (((((a - 0x01010101) & ~a) | ((b - 0x01010101) & ~b)) & 0x80808080) !== 0) break;
  }
  while (at < length && bytes[at] !== NEWLINE) at++;
  return at < length ? at : -1;
}

const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === TAB;
// A byte that is not there is compared as NaN.
const isDigit = (byte: number | undefined): boolean => (byte as number) >= ZERO && (byte as number) < ZERO + 10;

/** Where the word begins that has so many before it, at or after `at`; `end` when there is none. */
function nthWord(bytes: Uint8Array, at: number, end: number, before: number): number {
  for (let n = 0;; n++) {
    while (at < end && isBlank(bytes[at])) at++;
    if (n === before) return at;
    while (at < end && !isBlank(bytes[at])) at++;
  }
}

/** The decimal number that begins here; 0 where none does. */
function decimalAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (; isDigit(bytes[at]); at++) value = value * 10 + (bytes[at] as number) - ZERO;
  return value;
}

/** Whether a number that is not 0 begins here. */
function isCount(bytes: Uint8Array, at: number): boolean {
  return isDigit(bytes[at]) && (bytes[at] !== ZERO || isDigit(bytes[at + 1]));
}

/** An ASCII text that is looked for. */
class Pattern {
  readonly #codes: readonly number[];
  /** By the byte at the end of where it may stand: how much further it may stand then (Horspool). */
  readonly #skip: Uint8Array;

  constructor(text: string) {
    this.#codes = Array.from(text, (char) => char.charCodeAt(0));
    this.#skip = new Uint8Array(256).fill(text.length);
    for (const [i, code] of this.#codes.slice(0, -1).entries()) this.#skip[code] = text.length - 1 - i;
  }

  get length(): number {
    return this.#codes.length;
  }

  isAt(bytes: Uint8Array, at: number): boolean {
    const codes = this.#codes;
    for (let n = 0; n < codes.length; n++) if (bytes[at + n] !== codes[n]) return false;
    return true;
  }

  /** Where it begins; `end` when it is not there. */
  find(bytes: Uint8Array, from: number, end: number): number {
    const skip = this.#skip;
    const before = this.#codes.length - 1;
    const last = this.#codes[before];
    for (let at = from + before; at < end;) {
      const byte = bytes[at] as number;
      if (byte === last && this.isAt(bytes, at - before)) return at - before;
      at += skip[byte] as number;
    }
    return end;
  }
}

const INODE = new Pattern(" ino:");
const SKMEM = new Pattern("skmem:(r");

/** Whether a word begins with `udp` or `tcp`. */
function isUdpOrTcp(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at];
  return first === 0x75
    ? bytes[at + 1] === 0x64 && bytes[at + 2] === 0x70
    : first === 0x74 && bytes[at + 1] === 0x63 && bytes[at + 2] === 0x70;
}

const ascii = new TextDecoder("latin1");

/** Inodes, of which a million are asked for and few are there: most are told from one byte. */
class Inodes {
  readonly #all: Set<number> = new Set();
  readonly #mayHave: Uint8Array = new Uint8Array(2 ** 16);

  get size(): number {
    return this.#all.size;
  }

  add(inode: number): void {
    this.#all.add(inode);
    this.#mayHave[inode & 0xffff] = 1;
  }

  has(inode: number): boolean {
    return this.#mayHave[inode & 0xffff] === 1 && this.#all.has(inode);
  }
}

/** What is remembered of the rows that were kept, over all tables and snapshots of a bundle. */
class Remembered {
  /** A socket that held something is followed, even when it is empty: then somebody reads it. */
  readonly inodes: Inodes = new Inodes();
  /** TCP: the addresses of the other end, which may be on this host. */
  readonly peers: Set<string> = new Set();

  add(inode: number, peer?: string): void {
    if (inode !== 0 && this.inodes.size < MAX_REMEMBERED) this.inodes.add(inode);
    if (peer !== undefined && this.peers.size < MAX_REMEMBERED) this.peers.add(peer);
  }
}

/** How the rows of one kind of table tell. */
interface Table {
  /** Whether lines that begin with a blank belong to the row above them. */
  readonly hasDetails: boolean;
  /**
   * Whether a row is of a socket that holds nothing. What is no row is not: the parser is to warn of it. `newline` is its first, `end` is behind its
   * last.
   */
  readonly isIdle: (bytes: Uint8Array, start: number, newline: number, end: number, remembered: Remembered) => boolean;
}

/** From the local address to the queues, and what stands there in IPv6 more than in IPv4. */
const QUEUES_AT = 31;
const IPV6_MORE = 48;
/** From the queues to the uid, behind two timers, and to the inode where neither the uid nor the timeout is wider than its column. */
const USER_AT = 39;
const INODE_AT = 54;

/** Whether both queues are 0: `00000000:00000000`. */
function areZero(bytes: Uint8Array, queues: number): boolean {
  for (let at = queues; at < queues + 8; at++) if (bytes[at] !== ZERO || bytes[at + 9] !== ZERO) return false;
  return true;
}

function inodeOf(bytes: Uint8Array, queues: number, end: number): number {
  const at = queues + INODE_AT;
  const isNarrow = bytes[at - 1] === SPACE && isDigit(bytes[at - 2]) && bytes[at - 10] === SPACE && isDigit(bytes[at]);
  return decimalAt(bytes, isNarrow ? at : nthWord(bytes, queues + USER_AT, end, 2));
}

//    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//  3904: 0100007F:C968 00000000:0000 07 00000000:0001C200 00:00000000 00000000     0        0 15145 2 00000000257e59c1 0
function inet(hasPeers: boolean): Table {
  return {
    hasDetails: false,
    isIdle(bytes, start, _newline, end, remembered) {
      const local = nthWord(bytes, start, end, 1);
      let queues = local + QUEUES_AT;
      if (bytes[queues + 8] !== COLON) queues += IPV6_MORE;
      const isRow = queues + 17 < end && bytes[queues + 8] === COLON && bytes[queues - 1] === SPACE &&
        bytes[queues - 4] === SPACE && bytes[queues + 17] === SPACE;
      if (!isRow) return false;
      const isEmpty = areZero(bytes, queues);
      const { inodes, peers } = remembered;
      if (isEmpty && inodes.size === 0 && peers.size === 0) return true;
      const inode = inodeOf(bytes, queues, end);
      if (isEmpty && (!hasPeers || peers.size === 0)) return !inodes.has(inode);
      const half = (queues - 4 - local - 1) / 2;
      const ends = ascii.decode(bytes.subarray(local, queues - 4));
      if (isEmpty) return !inodes.has(inode) && !peers.has(ends);
      remembered.add(inode, hasPeers ? `${ends.slice(half + 1)} ${ends.slice(0, half)}` : undefined);
      return false;
    },
  };
}

//   udp   UNCONN    0      0          127.0.0.1:51560      0.0.0.0:*     users:(("friend",pid=6740,fd=5)) uid:33 ino:15145 sk:13 cgroup:/ <->
//   <TAB> skmem:(r0,rb212992,t0,tb212992,f3584,w0,o0,bl0,d0)
const ss: Table = {
  hasDetails: true,
  isIdle(bytes, start, newline, end, remembered) {
    if (!isUdpOrTcp(bytes, start) || !isBlank(bytes[start + 3])) return false;
    const received = nthWord(bytes, start, newline, 2);
    const sent = nthWord(bytes, received, newline, 1);
    const details = newline + 1;
    const memory = details < end ? nthWord(bytes, details, end, 0) : SKMEM.find(bytes, sent, end);
    const isEmpty = bytes[received] === ZERO && bytes[sent] === ZERO &&
      !(SKMEM.isAt(bytes, memory) && isCharged(bytes, memory + SKMEM.length, end));
    if (isEmpty && remembered.inodes.size === 0) return true;
    const inode = decimalAt(bytes, INODE.find(bytes, sent, details) + INODE.length);
    if (!isEmpty) remembered.add(inode);
    return isEmpty && !remembered.inodes.has(inode);
  },
};

/** `r0,rb212992,t0,tb212992,f3584,w0,...` without the first `r`: whether r or w is not 0. */
function isCharged(bytes: Uint8Array, at: number, end: number): boolean {
  if (isCount(bytes, at)) return true;
  for (let commas = 0; commas < 5 && at < end; at++) if (bytes[at] === COMMA) commas++;
  return isCount(bytes, at + 1);
}

//   Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
//   udp        0      0 0.0.0.0:68              0.0.0.0:*                           0          15145      812/dhclient         off (0.00/0/0)
const netstat: Table = {
  hasDetails: false,
  isIdle(bytes, start, _newline, end, { inodes }) {
    const received = nthWord(bytes, start, end, 1);
    const sent = nthWord(bytes, received, end, 1);
    if (!isUdpOrTcp(bytes, start) || isCount(bytes, received) || isCount(bytes, sent)) return false;
    // The state may be missing.
    const user = nthWord(bytes, sent, end, 3);
    return !inodes.has(decimalAt(bytes, nthWord(bytes, user, end, isDigit(bytes[user]) ? 1 : 2)));
  },
};

const [udp, tcp] = [inet(false), inet(true)];

function tableOf(path: string): Table | undefined {
  const [, protocol] = INET.exec(path) ?? [];
  if (protocol !== undefined) return protocol === "tcp" ? tcp : udp;
  if (SS.test(path)) return ss;
  return NETSTAT.test(path) ? netstat : undefined;
}

/** Makes idle rows of one table empty, piece by piece. The last row is kept, so that its number tells how many there were. */
class IdleRows implements Condenser {
  readonly #table: Table;
  readonly #remembered: Remembered;
  readonly #left: (rows: number) => void;
  /** The beginning of a row that may go on in the next piece. */
  #rest: Uint8Array = new Uint8Array(0);
  /** What is kept of a piece. */
  #out: Uint8Array = new Uint8Array(0);
  #size = 0;
  #rows = 0;

  constructor(table: Table, remembered: Remembered, left: (rows: number) => void) {
    this.#table = table;
    this.#remembered = remembered;
    this.#left = left;
  }

  push(piece: Uint8Array): Uint8Array {
    const length = this.#rest.length + piece.length;
    if (this.#out.length < length) this.#out = new Uint8Array(length);
    this.#size = 0;
    const from = this.#rest.length === 0 ? 0 : this.#secondRow(piece);
    if (from === undefined) this.#rest = concatBytes([this.#rest, piece]);
    else {
      // The byte behind the first row tells that it goes on no longer.
      if (this.#rest.length > 0) this.#whole(concatBytes([this.#rest, piece.subarray(0, from + 1)]), 0);
      this.#rest = piece.slice(this.#whole(piece, from));
    }
    if (this.#rest.length > MAX_ROW_BYTES) {
      this.#keep(this.#rest, 0, this.#rest.length);
      this.#rest = new Uint8Array(0);
    }
    return this.#out.slice(0, this.#size);
  }

  /** Where in a piece the row behind the one that was begun before it begins; undefined when there is none. */
  #secondRow(piece: Uint8Array): number | undefined {
    if (this.#rest.at(-1) === NEWLINE && this.#isRow(piece, 0)) return 0;
    for (let at = piece.indexOf(NEWLINE); at !== -1; at = piece.indexOf(NEWLINE, at + 1)) {
      if (this.#isRow(piece, at + 1)) return at + 1;
    }
    return undefined;
  }

  /** Whether a row begins there, where a line does. */
  #isRow(bytes: Uint8Array, at: number): boolean {
    return at < bytes.length && !(this.#table.hasDetails && isBlank(bytes[at]));
  }

  /** Keeps the rows from there on, or empty lines instead, but for the last one. Returns where that begins. */
  #whole(bytes: Uint8Array, from: number): number {
    let row = from;
    let newline = -1;
    let lines = 0;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = newlineAt(bytes, view, from); at !== -1; at = newlineAt(bytes, view, at + 1)) {
      if (lines++ === 0) newline = at;
      if (!this.#isRow(bytes, at + 1)) continue;
      if (this.#table.isIdle(bytes, row, newline, at + 1, this.#remembered)) {
        this.#rows++;
        for (; lines > 0; lines--) this.#out[this.#size++] = NEWLINE;
      } else this.#keep(bytes, row, at + 1);
      row = at + 1;
      lines = 0;
    }
    return row;
  }

  #keep(bytes: Uint8Array, from: number, end: number): void {
    this.#out.set(bytes.subarray(from, end), this.#size);
    this.#size += end - from;
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
