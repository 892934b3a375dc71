/**
 * AssemblyScript (https://www.assemblyscript.org), which `npm run gen` compiles to src/bundle/_socket_rows_wasm.ts: what the rows of large tables of
 * sockets say, a million of them in a quarter of the time that JavaScript takes. Positions are those in the memory. Besides `rows` only what calls it writes
 * there, and leaves 1 KiB in front of a table and more behind it, so that nothing here need ask whether it looks past an end: a row ends
 * with a newline, which stops whatever reads on.
 */
const NEWLINE: u8 = 10;
const TAB: u8 = 9;
const SPACE: u8 = 32;
const COMMA: u8 = 44;
const ZERO: u8 = 48;
const COLON: u8 = 58;

/** Kinds of tables. */
const INET: i32 = 0;
const SS: i32 = 1;

/** What a row is. Of what is no row, or has an inode that no kernel gives, nothing is told. */
const IS_ROW: u32 = 1;
const IS_EMPTY: u32 = 2;

/** What the row has that was looked at last. */
let inode: u64 = 0;
let local: usize = 0;
let queues: usize = 0;

function byteAt(at: usize): u8 {
  return load<u8>(at);
}

function isBlank(byte: u8): bool {
  return byte == SPACE || byte == TAB;
}

function isDigit(byte: u8): bool {
  return <u8> (byte - ZERO) < 10;
}

/** Where a byte is, from `at` on; `end` when it is not there. */
function find(byte: u8, at: usize, end: usize): usize {
  const wanted = i8x16.splat(byte);
  for (; at < end; at += 16) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(at), wanted));
    if (found != 0) return min(at + ctz(found), end);
  }
  return end;
}

/** Where the word begins that has so many before it, at or after `at`; `end` when there is none. */
function nthWord(at: usize, end: usize, before: i32): usize {
  while (at < end && isBlank(byteAt(at))) at++;
  for (let n = 0; n < before; n++) {
    while (at < end && !isBlank(byteAt(at))) at++;
    while (at < end && isBlank(byteAt(at))) at++;
  }
  return at;
}

/** The decimal number that begins here; 0 where none does. */
function decimalAt(at: usize): u64 {
  let value: u64 = 0;
  for (; isDigit(byteAt(at)); at++) value = value * 10 + byteAt(at) - ZERO;
  return value;
}

/** Whether a number that is not 0 begins here. */
function isCount(at: usize): bool {
  return isDigit(byteAt(at)) && (byteAt(at) != ZERO || isDigit(byteAt(at + 1)));
}

/** Whether a word begins with `udp` or `tcp`. */
function isUdpOrTcp(at: usize): bool {
  const three = load<u32>(at) & 0xffffff;
  return three == 0x706475 || three == 0x706374;
}

/** From the local address to the queues, and what stands there in IPv6 more than in IPv4. */
const QUEUES_AT: usize = 31;
const IPV6_MORE: usize = 48;
/** From the queues to the uid, behind two timers, and to the inode where neither the uid nor the timeout is wider than its column. */
const USER_AT: usize = 39;
const INODE_AT: usize = 54;
/** `00000000`. */
const ZEROS: u64 = 0x3030303030303030;

//    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//  3904: 0100007F:C968 00000000:0000 07 00000000:0001C200 00:00000000 00000000     0        0 15145 2 00000000257e59c1 0
function inet(start: usize, end: usize): u32 {
  local = nthWord(start, end, 1);
  queues = local + QUEUES_AT;
  if (byteAt(queues + 8) != COLON) queues += IPV6_MORE;
  const isRow = queues + 17 < end && byteAt(queues + 8) == COLON && byteAt(queues - 1) == SPACE &&
    byteAt(queues - 4) == SPACE && byteAt(queues + 17) == SPACE;
  if (!isRow) return 0;
  const at = queues + INODE_AT;
  const isNarrow = byteAt(at - 1) == SPACE && isDigit(byteAt(at - 2)) && byteAt(at - 10) == SPACE &&
    isDigit(byteAt(at));
  inode = decimalAt(isNarrow ? at : nthWord(queues + USER_AT, end, 2));
  const isEmpty = load<u64>(queues) == ZEROS && load<u64>(queues + 9) == ZEROS;
  return isEmpty ? IS_ROW | IS_EMPTY : IS_ROW;
}

/** ` ino` and `skme`, as they stand in the memory. */
const INO: u32 = 0x6f6e6920;
const SKME: u32 = 0x656d6b73;

/** The number behind ` ino:`; 0 where there is none. */
function inodeIn(at: usize, end: usize): u64 {
  for (at = find(COLON, at, end); at < end; at = find(COLON, at + 1, end)) {
    if (load<u32>(at - 4) == INO) return decimalAt(at + 1);
  }
  return 0;
}

/** Behind `skmem:(r`; `end` where there is none. */
function skmemIn(at: usize, end: usize): usize {
  for (at = find(COLON, at, end); at < end; at = find(COLON, at + 1, end)) {
    if (isSkmem(at - 5)) return at + 3;
  }
  return end;
}

function isSkmem(at: usize): bool {
  // `m:(r`
  return load<u32>(at) == SKME && load<u32>(at + 4) == 0x72283a6d;
}

//   udp   UNCONN    0      0          127.0.0.1:51560      0.0.0.0:*     users:(("friend",pid=6740,fd=5)) uid:33 ino:15145 sk:13 cgroup:/ <->
//   <TAB> skmem:(r0,rb212992,t0,tb212992,f3584,w0,o0,bl0,d0)
function ss(start: usize, newline: usize, end: usize): u32 {
  if (!isUdpOrTcp(start) || !isBlank(byteAt(start + 3))) return 0;
  const received = nthWord(start, newline, 2);
  const sent = nthWord(received, newline, 1);
  inode = inodeIn(sent, newline);
  if (byteAt(received) != ZERO || byteAt(sent) != ZERO) return IS_ROW;
  return isCharged(sent, newline + 1, end) ? IS_ROW : IS_ROW | IS_EMPTY;
}

/** Whether `r` or `w` of skmem is not 0, which stands in the details or, without any, in the row. */
function isCharged(sent: usize, details: usize, end: usize): bool {
  let at: usize;
  if (details < end) {
    const first = nthWord(details, end, 0);
    at = isSkmem(first) ? first + 8 : end;
  } else at = skmemIn(sent, end);
  if (at == end) return false;
  if (isCount(at)) return true;
  for (let commas = 0; commas < 5 && at < end; at++) if (byteAt(at) == COMMA) commas++;
  return isCount(at + 1);
}

//   Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
//   udp        0      0 0.0.0.0:68              0.0.0.0:*                           0          15145      812/dhclient         off (0.00/0/0)
function netstat(start: usize, end: usize): u32 {
  const received = nthWord(start, end, 1);
  const sent = nthWord(received, end, 1);
  if (!isUdpOrTcp(start) || isCount(received) || isCount(sent)) return 0;
  // The state may be missing.
  const user = nthWord(sent, end, 3);
  inode = decimalAt(nthWord(user, end, isDigit(byteAt(user)) ? 1 : 2));
  return IS_ROW | IS_EMPTY;
}

/** Some bits of one end of a connection: `0100007F:C968`, or as long as IPv6 is. */
function bitsOf(at: usize, size: usize): u64 {
  return load<u64>(at) * 0x9e3779b97f4a7c15 + load<u64>(at + size - 8) * 0xc2b2ae3d27d4eb4f;
}

/** 16 bits of the connection of a row of /proc/net, which it has seen from either end. */
function connection(): usize {
  const size = (queues - 5 - local) / 2;
  return <usize> ((bitsOf(local, size) + bitsOf(local + size + 1, size)) >> 48);
}

/** Whether a socket that is empty may be one that held something, or the other end of one: so much is told by 16 bits of each. */
function mayMatter(inodes: usize, peers: usize): bool {
  return load<u8>(inodes + (<usize> inode & 0xffff)) != 0 || (peers != 0 && load<u8>(peers + connection()) != 0);
}

/**
 * What the rows say that are whole: what stands behind one has to tell that it has no more lines. Of those that are idle it is told how many lines
 * they have; of each other one eight numbers: where it begins and ends (behind its newline), its lines, what it is, the inode, where the local
 * address and the queues begin (in /proc/net), and the lines of the idle ones before it. Behind the last one stand where the next one begins, how many
 * were idle, and, as its last number, the lines of those behind the last one that is told.
 *
 * @param kind 0 is /proc/net, 1 is ss, 2 is netstat.
 * @param most Stops after so many rows that are not idle.
 * @param inodes A byte for each 16 bits of an inode: whether there was one that held something.
 * @param peers The same of connections; 0 where the other end is in no such table.
 * @returns How many rows there are at `out`.
 */
export function rows(
  kind: i32,
  from: usize,
  end: usize,
  out: usize,
  most: i32,
  inodes: usize,
  peers: usize,
): i32 {
  let count = 0;
  let row = from;
  let newline: usize = 0;
  let lines = 0;
  let idleRows = 0;
  let idleLines = 0;
  for (let at = find(NEWLINE, from, end); at < end && count < most; at = find(NEWLINE, at + 1, end)) {
    if (lines++ == 0) newline = at;
    const next = at + 1;
    if (next == end || (kind == SS && isBlank(byteAt(next)))) continue;
    inode = 0;
    let is = kind == INET ? inet(row, next) : kind == SS ? ss(row, newline, next) : netstat(row, next);
    if (inode > u32.MAX_VALUE) is = 0;
    if (is == (IS_ROW | IS_EMPTY) && !mayMatter(inodes, peers)) {
      idleRows++;
      idleLines += lines;
    } else {
      if (is == IS_ROW) {
        if (inode != 0) store<u8>(inodes + (<usize> inode & 0xffff), 1);
        if (peers != 0) store<u8>(peers + connection(), 1);
      }
      store<u32>(out, <u32> row);
      store<u32>(out + 4, <u32> next);
      store<u32>(out + 8, lines);
      store<u32>(out + 12, is);
      store<u32>(out + 16, <u32> inode);
      store<u32>(out + 20, <u32> local);
      store<u32>(out + 24, <u32> queues);
      store<u32>(out + 28, idleLines);
      out += 32;
      count++;
      idleLines = 0;
    }
    row = next;
    lines = 0;
  }
  store<u32>(out, <u32> row);
  store<u32>(out + 4, idleRows);
  store<u32>(out + 28, idleLines);
  return count;
}
