// proc/net/unix: sockets of one host's programs to each other. The file tells no queue lengths: only `ss -xm` does.
// net/unix/af_unix.c, unix_seq_show()
//
//   Num       RefCount Protocol Flags    Type St Inode Path
//   00000000944703ec: 00000002 00000000 00010000 0001 01 15153 /tmp/socket 1
//   0000000051157210: 00000002 00000000 00000000 0002 01 15152 @abstract
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount, parseHex } from "./_numbers.ts";

/** One row. */
export interface UnixSocket {
  readonly refCount: number;
  readonly type: "stream" | "dgram" | "seqpacket" | "unknown";
  readonly state: "free" | "unconnected" | "connecting" | "connected" | "disconnecting" | "unknown";
  readonly listening: boolean;
  readonly inode: number;
  /** With `@` in front for an abstract name; undefined for a socket without one. */
  readonly path: string | undefined;
  readonly line: number;
}

const TYPES = new Map<number, UnixSocket["type"]>([[1, "stream"], [2, "dgram"], [5, "seqpacket"]]);
const STATES = ["free", "unconnected", "connecting", "connected", "disconnecting"] as const;
/** sun_path */
const LONGEST_NAME = 108;
const ROW = /^[0-9a-f]+: /;
/** __SO_ACCEPTCON */
const LISTENING = 0x1_0000;

/**
 * Parses /proc/net/unix.
 *
 * @throws {ParseError} if there is neither the header nor a row.
 *
 * @example
 * ```ts
 * import { parseUnix } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "0000: 00000002 00000000 00010000 0001 01 15153 /run/x\n";
 * const [socket] = parseUnix(text, { facts: {}, warn() {} });
 * strictEqual(socket?.path, "/run/x");
 * ```
 */
export function parseUnix(text: string, context: ParseContext): readonly UnixSocket[] {
  const sockets: UnixSocket[] = [];
  let header = false;
  forEachLine(text, (line, number) => {
    if (line.startsWith("Num ")) header = true;
    else if (line !== "") {
      const socket = parseRow(line, number);
      const last = sockets.at(-1);
      if (socket !== undefined) sockets.push(socket);
      // A name may have line breaks.
      else if (last?.path !== undefined && last.path.length + line.length < LONGEST_NAME && !ROW.test(line)) {
        sockets[sockets.length - 1] = { ...last, path: `${last.path}\n${line}` };
      } else context.warn(number, `not a unix socket: ${quote(line)}`);
    }
  });
  if (sockets.length === 0 && !header) throw new ParseError("Cannot parse net/unix: it has no header", { text });
  return sockets;
}

function parseRow(line: string, number: number): UnixSocket | undefined {
  const [, refText, , flagsText, typeText, stateText, inodeText] = columns(line.slice(0, 120));
  const refCount = parseHex(refText);
  const flags = parseHex(flagsText);
  const type = parseHex(typeText);
  const state = parseHex(stateText);
  const inode = parseCount(inodeText);
  if (
    refCount === undefined || flags === undefined || type === undefined || state === undefined || inode === undefined
  ) return undefined;
  // The inode is padded to five places and followed by one blank and the path, which may hold blanks itself.
  const fixed = line.indexOf(` ${typeText} ${stateText} `) + ` ${typeText} ${stateText} `.length;
  const afterInode = line.indexOf(inodeText as string, fixed) + (inodeText as string).length + 1;
  return {
    refCount,
    type: TYPES.get(type) ?? "unknown",
    state: STATES[state] ?? "unknown",
    listening: (flags & LISTENING) !== 0,
    inode,
    path: line.slice(afterInode) || undefined,
    line: number,
  };
}

/** One entry a network namespace. */
export const unix: Source<readonly Parsed<readonly UnixSocket[]>[]> = defineNetnsArtifacts({
  name: "unix",
  files: ["unix"],
  howToCapture: "cat /proc/net/unix",
  parse: parseUnix,
});
