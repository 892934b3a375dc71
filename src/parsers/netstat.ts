// netstat -W -neopa, as sosreport's networking plugin captures it: who has a socket open, where ss was not run (sosreport leaves it out on
// kernels that lack one of its modules). https://sourceforge.net/projects/net-tools/ netstat.c
//
//   Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
//   tcp   6239465      0 127.0.0.1:53195         127.0.0.1:43792         ESTABLISHED 0          3107666    16167/tcp_backlog    off (0.00/0/0)
//   udp        0      0 0.0.0.0:68              0.0.0.0:*                           0          15145      812/dhclient         off (0.00/0/0)
//   Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
//   unix  3      [ ]         STREAM     CONNECTED     6492970  18604/unix_backlog
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";
import type { SsSocket } from "./ss.ts";

/** A socket and the process that has it open. */
export interface NetstatOwner {
  readonly inode: number;
  readonly pid: number;
  /** The first word of its command line without the folder, at most 19 characters: not always the process's name. */
  readonly program: string;
  readonly line: number;
}

/** Queues, two addresses, a state that may be missing, user, inode, process, timer. The name may hold blanks. */
const INET =
  /^(?:tcp|udp|raw|udpl|sctp)\w* +\d+ +\d+ +\S+ +\S+ +(?:\w+ +)?\d+ +(\d+) +(\d+)\/(.{1,32}?) +(?:off|on|keepalive|timewait|probe|unkn-\d+) \(/;
const UNIX = /^unix +\d+ +\[[^\]]{0,16}\] +\w+ +(?:\w+ +)?(\d+) +(\d+)\/(\S{1,32})/;
/** Nothing that is looked for stands further right. */
const MAX_LINE = 600;

/**
 * Parses the output of netstat. Sockets without a process, and lines that are no sockets, are passed over.
 *
 * @throws {ParseError} if there is no header.
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
    const [, inodeText, pidText, program] = INET.exec(start) ?? UNIX.exec(start) ?? [];
    const inode = parseCount(inodeText);
    const pid = parseCount(pidText);
    if (inode !== undefined && pid !== undefined && program !== undefined) owners.push({ inode, pid, program, line });
  });
  if (!header) throw new ParseError('Cannot parse netstat: no header that begins with "Proto"', { text });
  return owners;
}

const DATAGRAM = /^(udp|raw)6? +(\d{1,10}) +(\d{1,10}) +(\S+) +(\S+)(?: +(.*))?$/;
const PROCESS = /^(\d{1,10})\/(\S{1,32})$/;

/**
 * Parses what netstat tells of the queues of UDP and raw sockets, in the form of `ss`. Recv-Q is the same number in both. `-p` tells the process, `-e` the
 * inode.
 *
 * @throws {ParseError} if there is no header.
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
  const sockets: SsSocket[] = [];
  let header: string | undefined;
  forEachLine(text, (whole, line) => {
    const start = whole.slice(0, MAX_LINE);
    if (start.startsWith("Proto ")) header = start;
    const [, netid, received, sent, local, peer, rest = ""] = DATAGRAM.exec(start) ?? [];
    if (netid === undefined || local === undefined || peer === undefined) return;
    const words = columns(rest);
    const at = words.findIndex((word) => word === "-" || PROCESS.test(word));
    const [, pid, comm] = PROCESS.exec(words[at] ?? "") ?? [];
    sockets.push({
      netid,
      state: undefined,
      recvQBytes: parseCount(received),
      sendQBytes: parseCount(sent),
      local,
      peer,
      inode: header?.includes(" Inode ") === true ? parseCount(words[at - 1]) : undefined,
      peerInode: undefined,
      waitingInodes: [],
      uid: undefined,
      owners: comm === undefined ? [] : [{ comm, pid: Number(pid), fd: 0 }],
      skmem: undefined,
      skmemLine: undefined,
      lastReceivedMs: undefined,
      ringBytes: undefined,
      line,
    });
  });
  if (header === undefined) throw new ParseError('Cannot parse netstat: no header that begins with "Proto"', { text });
  return sockets;
}

// -W from sos 3.3 on, -T where netstat knows no -W; insights-client runs it without either.
const PATHS = ["sos_commands/networking/netstat_-W_-neopa", "sos_commands/networking/netstat_*-neopa"];

/** A snapshot's file, as {@linkcode parseNetstatDatagrams} reads it. */
export const netstatDatagrams: Source<Parsed<readonly SsSocket[]>> = defineArtifact({
  name: "queues of netstat",
  paths: PATHS,
  howToCapture: "netstat -W -neopa",
  parse: parseNetstatDatagrams,
});

/** A snapshot's file, as {@linkcode parseNetstat} reads it. */
export const netstat: Source<Parsed<readonly NetstatOwner[]>> = defineArtifact({
  name: "netstat",
  paths: PATHS,
  howToCapture: "netstat -W -neopa",
  parse: parseNetstat,
});
