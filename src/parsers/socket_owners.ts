// sos_commands/process/socket_owners: nailhouse's own list of which process holds which socket. `ls -l /proc/*/fd/*` serves, too.
//
//   # comment
//   /proc/123/fd/5 -> socket:[4567]
//   /proc/124/task/125/fd/5 -> socket:[4567]   where the first thread has ended
//   lrwx------ 1 root root 64 Jan  1 00:00 /proc/123/fd/5 -> socket:[4567]
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";
import type { TextAtLine } from "./_values.ts";

/** One descriptor of one process. */
export interface SocketOwner {
  readonly pid: number;
  readonly fd: number;
  /** The socket's inode, as in /proc/net/udp and ss. */
  readonly inode: number;
  readonly line: number;
}

/** The list, and what the collector says about it (how far it looked). */
export interface SocketOwners {
  readonly owners: readonly SocketOwner[];
  /** Lines that begin with `#`, without it. */
  readonly comments: readonly TextAtLine[];
}

const ARROW = " -> ";
const SOCKET = "socket:[";
const THREAD = /\/task\/\d+\/fd\//;

/**
 * Parses the list. Lines about other things than sockets are passed over.
 *
 * @throws {ParseError} if the file is empty.
 *
 * @example
 * ```ts
 * import { parseSocketOwners } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const { owners } = parseSocketOwners("/proc/123/fd/5 -> socket:[4567]\n", { facts: {}, warn() {} });
 * strictEqual(owners[0]?.pid, 123);
 * ```
 */
export function parseSocketOwners(text: string, context: ParseContext): SocketOwners {
  if (text === "") throw new ParseError("Cannot parse socket_owners: the file is empty");
  const owners: SocketOwner[] = [];
  const comments: TextAtLine[] = [];
  forEachLine(text, (line, number) => {
    if (line.startsWith("#")) comments.push({ text: line.slice(1).trim(), line: number });
    // The first one: a file's name may hold all of a line like this.
    const arrow = line.indexOf(ARROW);
    if (arrow === -1 || !line.startsWith(SOCKET, arrow + ARROW.length) || line.startsWith("#")) return;
    // From the right: /proc, PID, fd, N.
    const [proc, pidText, fdName, fdText] = line.slice(0, arrow).replace(THREAD, "/fd/").split("/").slice(-4);
    const pid = parseCount(pidText);
    const fd = parseCount(fdText);
    const inode = parseCount(line.slice(arrow + ARROW.length + SOCKET.length, line.endsWith("]") ? -1 : 0));
    if (proc !== "proc" || fdName !== "fd" || pid === undefined || fd === undefined || inode === undefined) {
      context.warn(number, `not a descriptor and its socket: ${quote(line)}`);
    } else owners.push({ pid, fd, inode, line: number });
  });
  return { owners, comments };
}

/** A snapshot's file, as {@linkcode parseSocketOwners} reads it. */
export const socketOwners: Source<Parsed<SocketOwners>> = defineArtifact({
  name: "socket_owners",
  paths: ["sos_commands/process/socket_owners"],
  howToCapture: "ls -l /proc/[0-9]*/fd/*",
  parse: parseSocketOwners,
});
