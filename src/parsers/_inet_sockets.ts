// The table format that /proc/net/{udp,udplite,tcp,raw} and their IPv6 twins share.
// https://docs.kernel.org/networking/proc_net_tcp.html, net/ipv4/udp.c udp4_format_sock(), net/ipv6/datagram.c
//
//    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
//  3904: 0100007F:C968 00000000:0000 07 00000000:0001C200 00:00000000 00000000     0        0 15145 2 00000000257e59c1 0
import { ParseError } from "../core/errors.ts";
import { isBigEndian } from "../core/machine.ts";
import type { ParseContext } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";
import { parseHex, parseInteger } from "./_numbers.ts";

/** One row. */
export interface InetSocket {
  /** As usually written: `127.0.0.1`, `::1`. */
  readonly localAddress: string;
  /** For a raw socket: the number of its IP protocol. */
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The kernel's name without TCP_: `ESTABLISHED`, `CLOSE_WAIT`. An unconnected UDP or raw socket is `CLOSE`. */
  readonly state: string;
  /**
   * UDP and raw: memory charged to the socket. TCP: payload that is not sent or not acknowledged.
   * Undefined for a listening socket and where the kernel's number is negative.
   */
  readonly txQueueBytes: number | undefined;
  /**
   * UDP and raw: memory charged for what is not read. TCP: payload that is not read.
   * Undefined for a listening socket, where the column counts connections, and where the kernel's number is negative.
   */
  readonly rxQueueBytes: number | undefined;
  /** 0 none, 1 retransmit, 2 keepalive or delayed ack, 3 TIME_WAIT, 4 zero window probe. */
  readonly timer: number;
  /** Retransmissions in a row without an answer; undefined when the column is no number. */
  readonly retransmits: number | undefined;
  readonly uid: number;
  /** 0 for a socket that no process holds: one that was closed, or, while it is ESTABLISHED or CLOSE_WAIT, was not accepted yet. */
  readonly inode: number;
  /** Datagrams dropped by this socket; undefined for TCP, and for UDP before 2.6.27. */
  readonly drops: number | undefined;
  readonly line: number;
}

// include/net/tcp_states.h
const STATES = [
  "",
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "CLOSING",
  "NEW_SYN_RECV",
  "BOUND_INACTIVE",
];

/** The kernel keeps queue lengths in an int and prints them unsigned: what is above was negative. */
const INT_MAX = 0x7fff_ffff;

/** Enough for the addresses of any one host, and no more than that for a hostile file. */
const MAX_KNOWN_ADDRESSES = 10_000;

/**
 * Parses one of the tables.
 *
 * @throws {ParseError} if there is neither the header nor a row.
 */
export function parseInetSockets(text: string, context: ParseContext, hasDrops: boolean): readonly InetSocket[] {
  const sockets: InetSocket[] = [];
  const bigEndian = isBigEndian(context.facts.machine);
  // Most rows have one of a few addresses: each is decoded once and shared.
  const known = new Map<string, string>();
  const address = (hex: string): string | undefined => {
    let decoded = known.get(hex);
    if (decoded === undefined) {
      decoded = decodeAddress(hex, bigEndian);
      if (decoded !== undefined && known.size < MAX_KNOWN_ADDRESSES) known.set(hex, decoded);
    }
    return decoded;
  };
  let header = false;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    if (/^[ \t]*sl /.test(line)) header = true;
    else {
      const socket = parseRow(line, number, address, hasDrops, context);
      if (socket === undefined) context.warn(number, `not a socket: ${quote(line)}`);
      else sockets.push(socket);
    }
  });
  if (sockets.length === 0 && !header) {
    throw new ParseError("Cannot parse a table of sockets: it has no header", { text });
  }
  return sockets;
}

/** The columns of a row, in one expression: sooner read than column by column. Numbers with as many digits are exact. */
const ROW = (() => {
  const [any, hex, decimal] = ["\\S+", "([\\dA-Fa-f]{1,13})", "(\\d{1,15})"];
  const address = `([\\dA-Fa-f]{8,32}):${hex}`;
  const uidToInode = [decimal, any, decimal];
  // Behind the inode: ref, pointer, and for UDP the drops.
  const columns = [any, address, address, hex, `${hex}:${hex}`, `${hex}:\\S*`, "(\\S+)", ...uidToInode].join("[ \\t]+");
  return new RegExp(`^[ \\t]*${columns}(?![^ \\t])(?:[ \\t]+${any}[ \\t]+${any}[ \\t]+(\\S+))?`);
})();

function parseRow(
  line: string,
  number: number,
  address: (hex: string) => string | undefined,
  hasDrops: boolean,
  context: ParseContext,
): InetSocket | undefined {
  const match = ROW.exec(line);
  if (match === null) return undefined;
  const hex = (group: number): number => parseInt(match[group] as string, 16);
  const localAddress = address(match[1] as string);
  const remoteAddress = address(match[3] as string);
  if (localAddress === undefined || remoteAddress === undefined) return undefined;
  const stateNumber = hex(5);
  const state = STATES[stateNumber] || `UNKNOWN(${stateNumber})`;
  const queue = (value: number, name: string): number | undefined => {
    if (state === "LISTEN") return undefined;
    if (value <= INT_MAX) return value;
    context.warn(number, `${name} is negative in the kernel: left out`);
    return undefined;
  };
  const dropsText = match[12];
  let drops: number | undefined;
  if (hasDrops && dropsText !== undefined) {
    // Printed with %d before 5.8: a count above 2^31 is negative there.
    drops = parseInteger(dropsText);
    if (drops === undefined || drops < 0) {
      context.warn(number, `not a count of drops: ${quote(dropsText)}`);
      drops = undefined;
    }
  }
  return {
    localAddress,
    localPort: hex(2),
    remoteAddress,
    remotePort: hex(4),
    state,
    txQueueBytes: queue(hex(6), "tx_queue"),
    rxQueueBytes: queue(hex(7), "rx_queue"),
    timer: hex(8),
    retransmits: parseHex(match[9]),
    uid: Number(match[10]),
    inode: Number(match[11]),
    drops,
    line: number,
  };
}

/** Eight hexadecimal digits (IPv4) or 32 (IPv6): 32-bit words, each printed as a number of the host. */
function decodeAddress(hex: string, bigEndian: boolean): string | undefined {
  if (!/^(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32})$/.test(hex)) return undefined;
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let i = 0; i < 4; i++) {
      const at = word + 2 * (bigEndian ? i : 3 - i);
      bytes.push(parseInt(hex.slice(at, at + 2), 16));
    }
  }
  return bytes.length === 4 ? bytes.join(".") : formatIpv6(bytes);
}

/** RFC 5952: lower case, the longest run of two or more zero groups as `::`, IPv4-mapped addresses with dots. */
function formatIpv6(bytes: readonly number[]): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i] as number) * 256 + (bytes[i + 1] as number));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.slice(12).join(".")}`;
  }
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  if (best.length === 1) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}
