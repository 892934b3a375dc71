// netstat -W -neopa, as sosreport's networking plugin captures it: who has a socket open, where ss was not run (sosreport leaves it out on
// kernels that lack one of its modules). https://sourceforge.net/projects/net-tools/ netstat.c
//
//   Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
//   tcp   6239465      0 127.0.0.1:53195         127.0.0.1:43792         ESTABLISHED 0          3107666    16167/tcp_backlog    off (0.00/0/0)
//   udp        0      0 0.0.0.0:68              0.0.0.0:*                           0          15145      812/dhclient         off (0.00/0/0)
//   Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
//   unix  3      [ ]         STREAM     CONNECTED     6492970  18604/unix_backlog
import { ParseError } from "../core/errors.ts";
import { defineArtifact, defineArtifacts, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";
import { mergeLists } from "./_socket_lists.ts";
import type { SsSocket } from "./ss.ts";

/** A socket and the process that has it open. */
export interface NetstatOwner {
  readonly inode: number;
  readonly pid: number;
  /** The first word of its command line without the folder, at most 19 characters: not always the process's name. */
  readonly program: string;
  /** Whether it is of a unix socket: these have an inode without `-e`, too. */
  readonly isUnix: boolean;
  readonly line: number;
}

/** Queues, two addresses, a state that may be missing, user, inode, process, timer. The name may hold blanks. */
const INET =
  /^(?:tcp|udp|raw|udpl|sctp)\w* +\d+ +\d+ +\S+ +\S+ +(?:\w+ +)?\d+ +(\d+) +(\d+)\/(.{1,32}?) +(?:off|on|keepalive|timewait|probe|unkn-\d+) \(/;
const UNIX = /^unix +\d+ +\[[^\]]{0,16}\] +\w+ +(?:\w+ +)?(\d+) +(\d+)\/(\S{1,32})/;
/** Nothing that is looked for stands further right. */
const MAX_LINE = 600;
const NO_HEADER = 'Cannot parse netstat: no header that begins with "Proto"';
/** A row that grep picked out of it, without the header: the queues right behind the protocol are netstat's alone. */
const PICKED_ROW = /^(?:tcp|udp|raw)6? +\d{1,10} +\d{1,10} +\S{1,64}:(?:\d|\*)\S* +\S{1,64}:(?:\d|\*)/m;

/** Netstat takes the folder away only where the command line begins with `/`. */
function withoutFolder(program: string): string {
  return program.startsWith(".") ? program.slice(program.lastIndexOf("/") + 1) : program;
}

/**
 * Parses the output of netstat. Sockets without a process, and lines that are no sockets, are passed over.
 *
 * @throws {ParseError} if there is neither a header nor an internet socket.
 *
 * @example
 * ```ts
 * import { parseNetstat } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "Proto RefCnt Flags Type State I-Node PID/Program name Path\nunix  3  [ ]  STREAM  CONNECTED  6970  604/hog\n";
 * strictEqual(parseNetstat(text)[0]?.pid, 604);
 * ```
 */
export function parseNetstat(text: string): readonly NetstatOwner[] {
  const owners: NetstatOwner[] = [];
  let header = false;
  forEachLine(text, (whole, line) => {
    const start = whole.slice(0, MAX_LINE);
    if (start.startsWith("Proto ")) header = true;
    const inet = INET.exec(start);
    const [, inodeText, pidText, program] = inet ?? UNIX.exec(start) ?? [];
    const inode = parseCount(inodeText);
    const pid = parseCount(pidText);
    if (inode !== undefined && pid !== undefined && program !== undefined) {
      owners.push({ inode, pid, program: withoutFolder(program), isUnix: inet === null, line });
    }
  });
  if (!header && !PICKED_ROW.test(text)) throw new ParseError(NO_HEADER, { text });
  return owners;
}

const [CONNECTION, DATAGRAM] = ["(tcp)", "(udp|raw)"].map((protocol) =>
  new RegExp(`^${protocol}6? +(\\d{1,10}) +(\\d{1,10}) +(\\S+) +(\\S+)(?: +(.*))?$`)
) as [RegExp, RegExp];
const STATE = /^[A-Z][A-Z_\d]{2,15}$/;
/** Nothing stands behind the name but the timer, with `-o`. The name may hold blanks. */
const PROCESS = /(?:^| )(\d{1,10})\/(.{1,32}?) *(?:$| (?=(?:off|on|keepalive|timewait|probe|unkn-\d+) \())/;
const TIMER = / (on|keepalive|timewait|probe) \(\d{1,10}\.\d\d\/(\d{1,10})\/\d{1,10}\)/;

/** As `ss` calls them: connections have few of them, and some have other names there. */
const STATES: ReadonlyMap<string, string> = new Map([
  ["ESTABLISHED", "ESTAB"],
  ["SYN_SENT", "SYN-SENT"],
  ["SYN_RECV", "SYN-RECV"],
  ["FIN_WAIT1", "FIN-WAIT-1"],
  ["FIN_WAIT2", "FIN-WAIT-2"],
  ["TIME_WAIT", "TIME-WAIT"],
  ["CLOSE", "UNCONN"],
  ["CLOSE_WAIT", "CLOSE-WAIT"],
  ["LAST_ACK", "LAST-ACK"],
]);

function stateOf(netid: string, word: string | undefined): string | undefined {
  // A connected datagram socket has one, too, of which nothing is said here.
  return netid === "tcp" && word !== undefined && STATE.test(word) ? STATES.get(word) ?? word : undefined;
}

/** What stands right before the process, of a row that has it or `-`. */
function inodeIn(details: string): number | undefined {
  const words = columns(details);
  const at = words.findIndex((word) => word === "-" || /^\d{1,10}\//.test(word));
  return parseCount(words[at - 1]);
}

function parseRow(pattern: RegExp, row: string, line: number, header: string): SsSocket | undefined {
  const [, netid, received, sent, local, peer, details = ""] = pattern.exec(row) ?? [];
  if (netid === undefined || local === undefined || peer === undefined) return undefined;
  const state = stateOf(netid, columns(details)[0]);
  const [, pid, comm] = PROCESS.exec(details) ?? [];
  const [, timer, retransmits] = TIMER.exec(details) ?? [];
  // That of a listening socket counts connections.
  const bytes = (text: string | undefined): number | undefined => state === "LISTEN" ? undefined : parseCount(text);
  return {
    netid,
    state,
    recvQBytes: bytes(received),
    sendQBytes: bytes(sent),
    local,
    peer,
    inode: header.includes(" Inode ") ? inodeIn(details) : undefined,
    peerInode: undefined,
    waitingInodes: [],
    uid: undefined,
    owners: comm === undefined ? [] : [{ comm: withoutFolder(comm), pid: Number(pid), fd: 0 }],
    // Rows that grep picked out have no header.
    ownersLine: header.includes(" PID/") || comm !== undefined ? line : undefined,
    skmem: undefined,
    skmemLine: undefined,
    lastReceivedMs: undefined,
    lastSentMs: undefined,
    outOfOrderPackets: undefined,
    timer: timer === "probe" ? "persist" : timer,
    retransmits: timer === "on" ? parseCount(retransmits) : undefined,
    ringBytes: undefined,
    line,
  };
}

function parseQueues(pattern: RegExp, text: string): readonly SsSocket[] {
  let header: string | undefined;
  let list: SsSocket[] = [];
  const lists: SsSocket[][] = [list];
  forEachLine(text, (whole, line) => {
    const start = whole.slice(0, MAX_LINE);
    if (start.startsWith("Proto ")) {
      header = start;
      // Below that of internet sockets stands the one of unix sockets, then the one of the next output.
      lists.push(list = []);
    }
    const socket = parseRow(pattern, start, line, header ?? "");
    if (socket !== undefined) list.push(socket);
  });
  if (header === undefined && !PICKED_ROW.test(text)) throw new ParseError(NO_HEADER, { text });
  return mergeLists(lists.filter(({ length }) => length > 0));
}

/** A header of internet sockets, of an output without `-e`; nothing tells what the columns of rows without a header are. */
const WITHOUT_INODES = /^Proto Recv-Q (?!.* Inode )/m;
const HEADER = /^Proto /m;

/**
 * Parses what netstat tells of the queues of UDP and raw sockets, in the form of `ss`. Recv-Q is the same number in both. `-p` tells the process, `-e` the
 * inode. Of several outputs, one below the other, a socket that is in two of them is given once, as the last one tells it.
 *
 * @throws {ParseError} if there is neither a header nor an internet socket.
 *
 * @example
 * ```ts
 * import { parseNetstatDatagrams } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const header = "Proto Recv-Q Send-Q Local Address Foreign Address State PID/Program name\n";
 * const [socket] = parseNetstatDatagrams(`${header}udp 212992 0 0.0.0.0:514 0.0.0.0:* 604/hog\n`);
 * strictEqual(socket?.recvQBytes, 212_992);
 * strictEqual(socket?.owners[0]?.pid, 604);
 * ```
 */
export function parseNetstatDatagrams(text: string): readonly SsSocket[] {
  return parseQueues(DATAGRAM, text);
}

/**
 * The same of TCP: `-o` tells the timer.
 *
 * @throws {ParseError} if there is neither a header nor an internet socket.
 *
 * @example
 * ```ts
 * import { parseNetstatTcp } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const header = "Proto Recv-Q Send-Q Local Address Foreign Address State PID/Program name\n";
 * const [socket] = parseNetstatTcp(`${header}tcp 212992 0 10.0.0.1:80 10.0.0.2:5000 CLOSE_WAIT 604/hog\n`);
 * strictEqual(socket?.state, "CLOSE-WAIT");
 * strictEqual(socket?.recvQBytes, 212_992);
 * ```
 */
export function parseNetstatTcp(text: string): readonly SsSocket[] {
  return parseQueues(CONNECTION, text);
}

// -W from sos 3.3 on, -T where netstat knows no -W; insights-client runs it without either. The first sosreports ran -nap, and people have
// other options: with -p it is a list of sockets, and no table of routes or counts.
const PATHS = [
  "sos_commands/networking/netstat_-W_-neopa",
  "sos_commands/networking/netstat_*-neopa",
  "sos_commands/networking/netstat_-*p*",
];

/** A snapshot's file, as {@linkcode parseNetstatDatagrams} reads it. */
export const netstatDatagrams: Source<Parsed<readonly SsSocket[]>> = defineArtifact({
  name: "queues of netstat",
  paths: PATHS,
  howToCapture: "netstat -W -neopa",
  parse: parseNetstatDatagrams,
});

/** A snapshot's file, as {@linkcode parseNetstatTcp} reads it: apart, since there may be a million that a table of /proc tells as well. */
export const netstatTcp: Source<Parsed<readonly SsSocket[]>> = defineArtifact({
  name: "TCP queues of netstat",
  paths: PATHS,
  howToCapture: "netstat -W -neopa",
  parse: parseNetstatTcp,
});

/** Whether some sockets are listed without inodes: {@linkcode netstat} does not tell the owners of those. */
export const netstatLacksInodes: Source<Parsed<boolean>> = defineArtifact({
  name: "columns of netstat",
  paths: PATHS,
  howToCapture: "netstat -W -neopa",
  parse: (text) => WITHOUT_INODES.test(text) || !HEADER.test(text),
});

/** Whether they are rows that grep picked out: others are not told of. */
export const netstatIsPicked: Source<Parsed<boolean>> = defineArtifact({
  name: "title of netstat",
  paths: PATHS,
  howToCapture: "netstat -W -neopa",
  parse: (text) => !HEADER.test(text),
});

/** A snapshot's file, as {@linkcode parseNetstat} reads it. */
export const netstat: Source<Parsed<readonly NetstatOwner[]>> = defineArtifact({
  name: "netstat",
  paths: PATHS,
  howToCapture: "netstat -W -neopa",
  parse: parseNetstat,
});

/** Of the other network namespaces: where ss could not be run, sosreport has this alone. Up to 4.0 it has no folder for each. */
const OF_NAMESPACES = {
  paths: [
    "sos_commands/networking/namespaces/*/ip_netns_exec_*_netstat_*-neopa",
    "sos_commands/networking/ip_netns_exec_*_netstat_*-neopa",
  ],
  howToCapture: "ip netns exec NAME netstat -W -neopa",
};

/** As {@linkcode netstatDatagrams}, one entry for each of the other network namespaces. */
export const netstatNamespacesDatagrams: Source<readonly Parsed<readonly SsSocket[]>[]> = defineArtifacts({
  ...OF_NAMESPACES,
  name: "queues of netstat in namespaces",
  parse: parseNetstatDatagrams,
});

/** As {@linkcode netstatTcp}, one entry for each of the other network namespaces. */
export const netstatNamespacesTcp: Source<readonly Parsed<readonly SsSocket[]>[]> = defineArtifacts({
  ...OF_NAMESPACES,
  name: "TCP queues of netstat in namespaces",
  parse: parseNetstatTcp,
});

/** As {@linkcode netstat}, one entry for each of the other network namespaces. */
export const netstatNamespaces: Source<readonly Parsed<readonly NetstatOwner[]>[]> = defineArtifacts({
  ...OF_NAMESPACES,
  name: "netstat in namespaces",
  parse: parseNetstat,
});
