// ss -peaonmi: sockets of all families with what each is charged (skmem), and who holds them. The socket's
// details stand on its own line, on lines below it that begin with a blank, or (ss -O) all on one line.
// https://git.kernel.org/pub/scm/network/iproute2/iproute2.git/tree/misc/ss.c
//
//   Netid State     Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
//   p_raw UNCONN    0      0                  *:*                *      users:(("tcpdump",pid=6740,fd=15)) ino:15154 sk:c
//   <TAB>ring_rx(blk_size:65536,blk_nr:4,frm_size:2048,frm_nr:128,tmo:0,features:0x0) skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0)
//   u_str ESTAB     5000   0                  * 15151            * 15150 users:(("friend",pid=6740,fd=12))<TAB> skmem:(r0,rb212992,...) <->
//   udp   UNCONN    115200 0          127.0.0.1:51560      0.0.0.0:*     users:(("friend",pid=6740,fd=5)) uid:33 ino:15145 sk:13 cgroup:/ <->
//   <TAB> skmem:(r115200,rb212992,t0,tb212992,f3584,w0,o0,bl0,d0)
import { ParseError } from "../core/errors.ts";
import { defineArtifact, defineArtifacts, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount, parseInteger } from "./_numbers.ts";
import { mergeLists } from "./_socket_lists.ts";

/** A process that has the socket open. */
export interface SsOwner {
  /** As the kernel gives it, backslash sequences included. ss ends it at the first closing parenthesis. */
  readonly comm: string;
  readonly pid: number;
  readonly fd: number;
}

/**
 * What the socket is charged. The kernel's fields are ints, which ss prints as if unsigned: a value above 2^31 is a negative one, an
 * accounting error or a loan between two sums. It holds no memory and must not cancel another socket's, so it is left out.
 */
export interface SsSkmem {
  /** `r`: received and not read. */
  readonly rmemAllocBytes: number | undefined;
  /** `rb`: its limit. */
  readonly rcvbufBytes: number | undefined;
  /** `t`: handed to the lower layers. */
  readonly wmemAllocBytes: number | undefined;
  /** `tb`: limit of what waits to be sent. */
  readonly sndbufBytes: number | undefined;
  /** `f`: reserved in advance. */
  readonly forwardAllocBytes: number | undefined;
  /** `w`: waits to be sent or acknowledged. */
  readonly wmemQueuedBytes: number | undefined;
  /** `o`: options, filters. */
  readonly optmemBytes: number | undefined;
  /** `bl`: received while the owner held the socket's lock; undefined before 3.12, as `drops` is before 4.11. */
  readonly backlogBytes: number | undefined;
  /** `d`: packets dropped, a count. */
  readonly drops: number | undefined;
}

/** One socket. */
export interface SsSocket {
  /** `udp`, `tcp`, `u_str`, `u_dgr`, `nl`, `p_raw`, ...; where ss was asked for one family only, undefined unless it can be no other. */
  readonly netid: string | undefined;
  /** `ESTAB`, `UNCONN`, `LISTEN`, ...; undefined when ss was asked for one state only. */
  readonly state: string | undefined;
  /** Bytes not read. Undefined for a listening socket (the column counts connections there), and when negative. */
  readonly recvQBytes: number | undefined;
  /** Bytes not sent or not acknowledged. Undefined as `recvQBytes` is. */
  readonly sendQBytes: number | undefined;
  /** Address and port; for a unix socket its path, `*` when it has none. */
  readonly local: string;
  readonly peer: string;
  /** Undefined for netlink, and where `-e` was not given. 0 for a TCP socket that no process holds: not accepted yet, or closed. */
  readonly inode: number | undefined;
  /** Of a unix socket that is connected, the other end's; undefined for all others. */
  readonly peerInode: number | undefined;
  /** Of a listening unix socket, with `-e`: the connecting ends of connections that it has not accepted. Their other ends are not listed. */
  readonly waitingInodes: readonly number[];
  readonly uid: number | undefined;
  /** Empty without root, or without `-p`. */
  readonly owners: readonly SsOwner[];
  /** The line that tells the owners, or that there are none; undefined where the list names no process. */
  readonly ownersLine: number | undefined;
  readonly skmem: SsSkmem | undefined;
  /** The line that `skmem` stands in. */
  readonly skmemLine: number | undefined;
  /** TCP: milliseconds since data last came, from `ss -i`; undefined when it is not printed. */
  readonly lastReceivedMs: number | undefined;
  /** How long ago data were sent last (`-i`, `lastsnd`): a probe of a closed window is none. */
  readonly lastSentMs: number | undefined;
  /** TCP: packets that came before one that was missing, ever (`-i`, `rcv_ooopack`); undefined when it is not printed: there were none, or ss is older than 5.4. */
  readonly outOfOrderPackets: number | undefined;
  /** TCP: the timer that runs, with `-o`: `on` (sends again), `persist` (asks whether the window opened), `keepalive`, `timewait`; undefined when it is not printed. */
  readonly timer: string | undefined;
  /** TCP: how often it was sent again without an answer, while the timer is `on`. */
  readonly retransmits: number | undefined;
  /** A packet socket's rings: blocks times block size, receive and transmit; undefined when it has none. */
  readonly ringBytes: number | undefined;
  readonly line: number;
}

const NONE: readonly number[] = [];

type Draft = { -readonly [K in keyof SsSocket]: SsSocket[K] };

const HEADER = /^(?:Netid|State|Recv-Q) /;
const INT_MAX = 0x7fff_ffff;
/** A process name has at most 15 bytes (TASK_COMM_LEN); ss escapes a newline and a backslash as two. */
const COMM_LENGTH = 15;
/** Details that a terminal or a mail program of 80 columns put on a line of their own. */
const WRAPPED = /^(?:users:\(\(|skmem:\(|timer:\()/;
/** Details that may follow a unix socket's names. */
const UNIX_DETAILS = ["\t", " users:((", " skmem:(", " <->", " -->", " <--", " ---", " ino:", " proc_ctx=", " cgroup:"];

/**
 * What is above the last line break in a unix socket's name, which may have any bytes, also some that look like other rows. What ends it does not; below a row
 * that was cut off there are rows.
 */
const TORN = /^(u_\w{3} +[A-Z]\S* +\d+ +\d+ +)([@/].*)$/;
const ROW = /^[a-z]\w* +[A-Z]\S* +\d+ +\d+ +\S/;
/** A name has 108 bytes at most (sun_path), and what ss prints before it 48. */
const LONGEST_TORN = 156;

/** One output of ss in the text. */
interface List {
  /** The family that the command line asks for alone; undefined where there is no such line, or it asks for more. */
  readonly family: string | undefined;
  readonly sockets: Draft[];
}

/** The command line above what it printed: `$ ss -tn`. */
const COMMAND_LINE = /^[$#] (.*)/;
const SS_OPTIONS = /(?:^|[ /])ss((?: [^|;&<>]{0,200})?)/;
/** Options that ask for a family. Of the others ss has it in a column, too: `-x` lists three kinds of sockets. */
const FAMILY_OPTIONS: ReadonlyMap<string, string> = new Map([
  ["t", "tcp"],
  ["u", "udp"],
  ["w", "raw"],
  ["d", "dccp"],
  ["S", "sctp"],
  ["M", "mptcp"],
]);
const FAMILIES: ReadonlySet<string> = new Set(FAMILY_OPTIONS.values());

/** The families that a word of the command line asks for: `-tn`, `--tcp`, and `tcp` behind `-A`. */
function familiesIn(word: string, before: string | undefined): readonly string[] {
  const listed = before !== undefined && /^-\w*A$|^--query$/.test(before) ? word : /^--query=(.*)/.exec(word)?.[1];
  if (listed !== undefined) return listed.split(",");
  if (word.startsWith("--")) return FAMILIES.has(word.slice(2)) ? [word.slice(2)] : [];
  return word.startsWith("-") ? [...word.slice(1)].flatMap((letter) => FAMILY_OPTIONS.get(letter) ?? []) : [];
}

function familyAskedFor(commandLine: string): string | undefined {
  const words = columns(SS_OPTIONS.exec(commandLine)?.[1] ?? "");
  const families = new Set(words.flatMap((word, i) => familiesIn(word, words[i - 1])));
  const [family] = families;
  return families.size === 1 && family !== undefined && FAMILIES.has(family) ? family : undefined;
}

/** Gives the sockets of a list their family where ss left out its column, and tells of owners that are none. */
function complete({ family, sockets }: List, { warn }: ParseContext): void {
  if (sockets.some(({ owners }) => owners.length > 0)) {
    for (const socket of sockets) socket.ownersLine ??= socket.line;
  }
  if (!sockets.every(({ netid }) => netid === undefined)) return;
  const netid = family ?? familyOf(sockets);
  for (const socket of sockets) socket.netid = netid;
  const holds = netid === undefined
    ? sockets.find(({ recvQBytes, sendQBytes }) => recvQBytes || sendQBytes)
    : undefined;
  if (holds === undefined) return;
  warn(
    holds.line,
    `a list of one family, and nothing tells which: what its ${sockets.length} sockets hold is not counted; the command line above it would tell (ss -tn is TCP, ss -un is UDP)`,
  );
}

/** Reads lists line by line, and joins what a socket's name with line breaks has torn. */
class ListReader {
  readonly #context: ParseContext;
  readonly lists: List[] = [];
  hasHeader = false;
  #sockets: Draft[] | undefined;
  /** Whose details follow. */
  #socket: Draft | undefined;
  #torn: readonly string[] = [];

  constructor(context: ParseContext) {
    this.#context = context;
  }

  read(line: string, number: number): void {
    if (this.#torn.length === 0) this.#readLine(line, number);
    else this.#join(line, number);
  }

  /** @param count How many lines there were. */
  end(count: number): void {
    while (this.#torn.length > 0) this.#readApart(this.#torn, count + 1);
  }

  #begin(family?: string): Draft[] {
    this.#socket = undefined;
    this.#sockets = [];
    this.lists.push({ family, sockets: this.#sockets });
    return this.#sockets;
  }

  #readLine(line: string, number: number): void {
    if (line === "") return;
    if (line.startsWith(" ") || line.startsWith("\t")) {
      // Without a socket these are the details of a line that was skipped.
      if (this.#socket !== undefined) readDetails(this.#socket, line, number, this.#context);
    } else if (this.#socket !== undefined && WRAPPED.test(line)) {
      readDetails(this.#socket, ` ${line}`, number, this.#context);
    } else if (HEADER.test(line)) {
      this.hasHeader = true;
      // A command line may have begun the list.
      if (this.#sockets === undefined || this.#sockets.length > 0) this.#begin();
    } else if (COMMAND_LINE.test(line)) this.#begin(familyAskedFor(line));
    else this.#readSocket(line, number);
  }

  #readSocket(line: string, number: number): void {
    const list = this.#sockets ?? this.#begin();
    this.#socket = parseSocket(line, number, this.#context);
    if (this.#socket !== undefined) list.push(this.#socket);
    else if (TORN.test(line)) this.#torn = [line];
    else this.#refuse(line, number);
  }

  #refuse(line: string, number: number): void {
    this.#context.warn(number, `not a socket: ${quote(line)}`);
  }

  #join(line: string, number: number): void {
    const torn = this.#torn;
    const [, start = "", name = ""] = TORN.exec(torn[0] as string) as RegExpExecArray;
    this.#socket = ROW.test(line) ? undefined : parseSocket(`${start}@${line}`, number - torn.length, this.#context);
    const lines = [...torn, line];
    if (this.#socket !== undefined) {
      this.#socket.local = [name, ...torn.slice(1), this.#socket.local.slice(1)].join("\n");
      this.#sockets?.push(this.#socket);
      this.#torn = [];
    } else if (lines.join("\n").length <= LONGEST_TORN) this.#torn = lines;
    else this.#readApart(lines, number + 1);
  }

  /** @param end The number of the line below them. */
  #readApart([first = "", ...others]: readonly string[], end: number): void {
    const start = end - others.length;
    this.#refuse(first, start - 1);
    this.#torn = [];
    others.forEach((line, i) => this.read(line, start + i));
  }
}

/**
 * Parses the output of ss. Several may stand one below the other, each with its header or with its command line (`$ ss -tn`): a socket that is
 * in two of them is given once, as the last one tells it.
 *
 * @throws {ParseError} if there is neither the header nor a socket.
 *
 * @example
 * ```ts
 * import { parseSs } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = 'udp UNCONN 2304 0 0.0.0.0:53 0.0.0.0:* users:(("a",pid=7,fd=3)) ino:9 sk:1\n\t skmem:(r2304,rb212992)\n';
 * const [socket] = parseSs(text, { facts: {}, warn() {} });
 * strictEqual(socket?.skmem?.rmemAllocBytes, 2304);
 * strictEqual(socket?.owners[0]?.pid, 7);
 * ```
 */
export function parseSs(text: string, context: ParseContext): readonly SsSocket[] {
  const reader = new ListReader(context);
  let count = 0;
  forEachLine(text, (line, number) => {
    count = number;
    reader.read(line, number);
  });
  reader.end(count);
  const { lists } = reader;
  if (!reader.hasHeader && lists.every(({ sockets }) => sockets.length === 0)) {
    throw new ParseError("Cannot parse ss: neither its header nor a socket", { text });
  }
  for (const list of lists) complete(list, context);
  return mergeLists(lists.map(({ sockets }) => sockets).filter(({ length }) => length > 0));
}

/** States that UDP has not: misc/ss.c sstate_name. One of TCP that is neither bound to listen nor connected is UNCONN, too. */
const TCP_STATE = /^(?:LISTEN|SYN-|FIN-WAIT|TIME-WAIT|CLOSE-WAIT|LAST-ACK|CLOSING)/;
/** A raw socket has its protocol in place of a port: include/uapi/linux/in.h. */
const LAST_PROTOCOL = 255;

/** What UDP has not: a state of TCP's, a timer, or memory that waits to be acknowledged. */
function showsTcp({ state, timer, skmem }: SsSocket): boolean {
  return (state !== undefined && TCP_STATE.test(state)) || timer !== undefined || (skmem?.wmemQueuedBytes ?? 0) > 0;
}

/** Connections that share an address and a port of this host, as those have that one listening socket accepted. UDP has none as a rule. */
function sharesPort(sockets: readonly SsSocket[]): boolean {
  const connected = sockets.filter(({ state }) => state === "ESTAB");
  return new Set(connected.map(({ local }) => local)).size < connected.length;
}

/** The family that was asked for (`ss -u`), where ss leaves out its column; undefined where the sockets do not tell. */
function familyOf(sockets: readonly SsSocket[]): string | undefined {
  if (sockets.some(showsTcp)) return "tcp";
  const port = ({ local }: SsSocket): number => parseCount(local.slice(local.lastIndexOf(":") + 1)) ?? 0;
  if (sockets.some((socket) => socket.state === "UNCONN" && port(socket) > LAST_PROTOCOL)) return "udp";
  return sharesPort(sockets) ? "tcp" : undefined;
}

/** The next word of a line at or after `from`; empty at the line's end. */
function wordAt(line: string, from: number): { word: string; end: number } {
  let start = from;
  while (isBlank(line.charCodeAt(start))) start++;
  let end = start;
  while (end < line.length && !isBlank(line.charCodeAt(end))) end++;
  return { word: line.slice(start, end), end };
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

function parseSocket(line: string, number: number, context: ParseContext): Draft | undefined {
  let netid: string | undefined;
  let state: string | undefined;
  let { word, end } = wordAt(line, 0);
  // ss leaves out the column of what it was asked for: families are written in lower case, states in upper case.
  if (/^[a-z?]/.test(word)) {
    netid = word;
    ({ word, end } = wordAt(line, end));
  }
  if (/^[A-Z]/.test(word)) {
    state = word;
    ({ word, end } = wordAt(line, end));
  }
  const recvQ = parseInteger(word);
  ({ word, end } = wordAt(line, end));
  const sendQ = parseInteger(word);
  if (recvQ === undefined || sendQ === undefined) return undefined;
  const names = netid?.startsWith("u_") ? unixNames(line, end) : addresses(line, end);
  if (names === undefined) return undefined;

  const queue = (value: number, name: string): number | undefined => {
    if (state === "LISTEN") return undefined;
    if (value >= 0 && value <= INT_MAX) return value;
    context.warn(number, `${name} is negative in the kernel: left out`);
    return undefined;
  };
  const socket: Draft = {
    netid,
    state,
    recvQBytes: queue(recvQ, "Recv-Q"),
    sendQBytes: queue(sendQ, "Send-Q"),
    local: names.local,
    peer: names.peer,
    inode: names.inode,
    peerInode: names.peerInode,
    waitingInodes: NONE,
    uid: undefined,
    owners: [],
    ownersLine: undefined,
    skmem: undefined,
    skmemLine: undefined,
    lastReceivedMs: undefined,
    lastSentMs: undefined,
    outOfOrderPackets: undefined,
    timer: undefined,
    retransmits: undefined,
    ringBytes: undefined,
    line: number,
  };
  readDetails(socket, line.slice(names.end), number, context);
  return socket;
}

interface Names {
  readonly local: string;
  readonly peer: string;
  readonly inode: number | undefined;
  readonly peerInode: number | undefined;
  /** Where in the line the details begin. */
  readonly end: number;
}

function addresses(line: string, from: number): Names | undefined {
  const local = wordAt(line, from);
  const peer = wordAt(line, local.end);
  if (local.word === "" || peer.word === "") return undefined;
  return { local: local.word, peer: peer.word, inode: undefined, peerInode: undefined, end: peer.end };
}

/** `NAME INODE PEERNAME PEERINODE`: the names may hold blanks, so the inodes are sought from the right. */
function unixNames(line: string, from: number): Names | undefined {
  // A name may hold these marks, too: the first one that leaves room for both names counts.
  const ends = [...UNIX_DETAILS.map((mark) => line.indexOf(mark, from)), line.length].filter((at) => at !== -1);
  for (const end of ends.sort((a, b) => a - b)) {
    const words = columns(line.slice(from, end));
    if (parseCount(words.at(-1)) === undefined) continue;
    // The peer's name is left of its inode and has at least one word.
    let at = words.length - 3;
    while (at > 0 && parseCount(words[at]) === undefined) at--;
    const inode = parseCount(words[at]);
    if (at < 1 || inode === undefined) continue;
    // 0 is no socket: not connected, or the other end is gone.
    const peerInode = parseCount(words.at(-1)) || undefined;
    return { local: words.slice(0, at).join(" "), peer: words.slice(at + 1, -1).join(" "), inode, peerInode, end };
  }
  return undefined;
}

/** Reads one detail: what stands behind its name. */
type ReadDetail = (socket: Draft, value: string, line: number, context: ParseContext) => void;

/** By name: a socket of TCP has some thirty details, most of which are none of these. */
const DETAILS: ReadonlyMap<string, ReadDetail> = new Map<string, ReadDetail>([
  ["skmem:(", readSkmem],
  ["ring_rx(blk_size:", readRing],
  ["ring_tx(blk_size:", readRing],
  ["lastrcv:", (socket, value) => (socket.lastReceivedMs = parseCount(value))],
  ["lastsnd:", (socket, value) => (socket.lastSentMs = parseCount(value))],
  ["rcv_ooopack:", (socket, value) => (socket.outOfOrderPackets = parseCount(value))],
  ["timer:(", readTimer],
  ["uid:", (socket, value) => (socket.uid = parseCount(value))],
  ["ino:", readInode],
]);

function readDetails(socket: Draft, text: string, line: number, context: ParseContext): void {
  let rest = text.trimStart();
  if (rest.startsWith("users:((")) {
    const { owners, end } = parseOwners(rest);
    if (owners.length === 0) context.warn(line, `not a list of processes: ${quote(rest)}`);
    socket.owners = owners;
    socket.ownersLine = line;
    rest = rest.slice(end);
  }
  const words = columns(rest);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const colon = word.indexOf(":") + 1;
    const nameEnd = word[colon] === "(" ? colon + 1 : colon;
    if (word === "peers:") {
      // They are the last of a line; 0 where the other end has gone meanwhile.
      socket.waitingInodes = words.slice(i + 1).flatMap((inode) => parseCount(inode) || []);
      return;
    }
    DETAILS.get(word.slice(0, nameEnd))?.(socket, word.slice(nameEnd), line, context);
  }
}

function readInode(socket: Draft, value: string): void {
  // For a unix socket it would be its file's inode, but that socket has one already, from its name.
  if (socket.inode !== undefined) return;
  socket.inode = parseCount(value);
  // Root's uid is not printed.
  socket.uid ??= 0;
}

/** `timer:(on,204ms,3)`. The last number counts probes where it is `persist`. */
function readTimer(socket: Draft, value: string): void {
  const [timer, , count] = value.slice(0, -1).split(",");
  socket.timer = timer;
  if (timer === "on") socket.retransmits = parseCount(count);
}

/** As iproute2 wrote one until 4.0 (RHEL 6 and 7): `("a",1,3)`. */
const OLD_OWNER = /\("((?:[^\\]|\\.){0,15}?)",(\d{1,10}),(\d{1,10})\)/y;

/** `users:(("a",pid=1,fd=3),("b",pid=2,fd=4))`. Newer versions put `tid=` or `proc_ctx=` between pid and fd. */
function parseOwners(text: string): { owners: SsOwner[]; end: number } {
  const owners: SsOwner[] = [];
  let at = "users:(".length;
  while (text.startsWith('("', at)) {
    const start = at + 2;
    // A name may itself look like what follows it, but is too short to hold all of `",pid=1,fd=1),("`: the last match counts.
    let commEnd = -1;
    for (let i = start, length = 0; length <= COMM_LENGTH && i < text.length; length++) {
      if (text.startsWith('",pid=', i)) commEnd = i;
      i += text[i] === "\\" ? 2 : 1;
    }
    if (commEnd === -1) {
      OLD_OWNER.lastIndex = at;
      const [whole, comm = "", pid, fd] = OLD_OWNER.exec(text) ?? [];
      if (whole === undefined) break;
      owners.push({ comm, pid: Number(pid), fd: Number(fd) });
      at = OLD_OWNER.lastIndex + (text[OLD_OWNER.lastIndex] === "," ? 1 : 0);
      continue;
    }
    const fdAt = text.indexOf(",fd=", commEnd);
    const close = text.indexOf(")", fdAt);
    if (fdAt === -1 || close === -1) break;
    const pid = parseCount(text.slice(commEnd + '",pid='.length, text.indexOf(",", commEnd + 2)));
    const fd = parseCount(text.slice(fdAt + ",fd=".length, close));
    if (pid === undefined || fd === undefined) break;
    owners.push({ comm: text.slice(start, commEnd), pid, fd });
    at = close + (text[close + 1] === "," ? 2 : 1);
  }
  return { owners, end: at };
}

function readSkmem(socket: Draft, value: string, line: number, context: ParseContext): void {
  if (!value.endsWith(")")) {
    context.warn(line, `cut off: ${quote(`skmem:(${value}`)}`);
    return;
  }
  socket.skmem = plainSkmem(value) ?? parseSkmem(value, line, context);
  socket.skmemLine = line;
}

/** All fields, none of them negative or near it. */
const SKMEM =
  /^r(\d{1,9}),rb(\d{1,9}),t(\d{1,9}),tb(\d{1,9}),f(\d{1,9}),w(\d{1,9}),o(\d{1,9}),bl(\d{1,9}),d(\d{1,10})\)$/;

/** What nearly all sockets have: sooner read than field by field. */
function plainSkmem(value: string): SsSkmem | undefined {
  const match = SKMEM.exec(value);
  return match === null ? undefined : {
    rmemAllocBytes: Number(match[1]),
    rcvbufBytes: Number(match[2]),
    wmemAllocBytes: Number(match[3]),
    sndbufBytes: Number(match[4]),
    forwardAllocBytes: Number(match[5]),
    wmemQueuedBytes: Number(match[6]),
    optmemBytes: Number(match[7]),
    backlogBytes: Number(match[8]),
    drops: Number(match[9]),
  };
}

function parseSkmem(text: string, line: number, context: ParseContext): SsSkmem {
  const values = new Map<string, number>();
  for (const field of text.slice(0, -1).split(",")) {
    const digits = field.search(/[-\d]/);
    const name = field.slice(0, digits);
    const value = digits === -1 ? undefined : parseInteger(field.slice(digits));
    if (value === undefined) context.warn(line, `not a field of skmem: ${quote(field)}`);
    else if (value < 0 || (value > INT_MAX && name !== "d")) {
      context.warn(line, `skmem ${name} is negative in the kernel (${value}): left out`);
    } else values.set(name, value);
  }
  return {
    rmemAllocBytes: values.get("r"),
    rcvbufBytes: values.get("rb"),
    wmemAllocBytes: values.get("t"),
    sndbufBytes: values.get("tb"),
    forwardAllocBytes: values.get("f"),
    wmemQueuedBytes: values.get("w"),
    optmemBytes: values.get("o"),
    backlogBytes: values.get("bl"),
    drops: values.get("d"),
  };
}

/** `65536,blk_nr:4,...`: blocks of a ring. */
function readRing(socket: Draft, value: string, line: number, context: ParseContext): void {
  const [size = "", count = ""] = value.split(",");
  const bytes = multiply(
    parseCount(size),
    count.startsWith("blk_nr:") ? parseCount(count.slice("blk_nr:".length)) : undefined,
  );
  if (bytes === undefined) context.warn(line, `not a ring: ${quote(value)}`);
  else socket.ringBytes = (socket.ringBytes ?? 0) + bytes;
}

const PATHS = [
  "sos_commands/networking/ss_-peaonmi",
  "sos_commands/networking/ss_*peaonmi*",
  "sos_commands/networking/ss_-nap",
  "sos_commands/networking/ss_-tupna",
  "sos_commands/networking/ss_-*p*",
];

/**
 * The initial network namespace. supportconfig runs `ss -nap`, insights-client `ss -tupna` and once `ss -tulpn`: without what sockets are charged, and
 * the latter without most families. People have other options, too: with `-p` it is a list of sockets, and no summary (`-s`).
 */
export const ss: Source<Parsed<readonly SsSocket[]>> = defineArtifact({
  name: "ss",
  paths: PATHS,
  howToCapture: "ss -peaonmi",
  parse: parseSs,
});

/** Whether they are rows that grep picked out: others are not told of. */
export const ssIsPicked: Source<Parsed<boolean>> = defineArtifact({
  name: "title of ss",
  paths: PATHS,
  howToCapture: "ss -peaonmi",
  parse: (text) => !/\bRecv-Q +Send-Q\b/.test(text),
});

/** The other network namespaces that were captured, one entry each. Up to 4.0 sosreport has no folder for each. */
export const ssNamespaces: Source<readonly Parsed<readonly SsSocket[]>[]> = defineArtifacts({
  name: "ss in namespaces",
  paths: [
    "sos_commands/networking/namespaces/*/ss_-peaonmi",
    "sos_commands/networking/namespaces/*/ip_netns_exec_*_ss_-peaonmi",
    "sos_commands/networking/ip_netns_exec_*_ss_-peaonmi",
  ],
  howToCapture: "ip netns exec NAME ss -peaonmi",
  parse: parseSs,
});

/** Unix sockets of the initial namespace, whose queues no file of /proc tells: small enough to be captured in every snapshot. */
export const ssUnix: Source<Parsed<readonly SsSocket[]>> = defineArtifact({
  name: "unix sockets of ss",
  paths: ["sos_commands/networking/ss_-xanm", ...ss.patterns],
  howToCapture: "ss -xanm",
  parse: parseSs,
});

/** The same in the other network namespaces, one entry each. */
export const ssUnixNamespaces: Source<readonly Parsed<readonly SsSocket[]>[]> = defineArtifacts({
  name: "unix sockets of ss in namespaces",
  paths: ["sos_commands/networking/namespaces/*/ss_-xanm"],
  howToCapture: "ip netns exec NAME ss -xanm",
  parse: parseSs,
});
