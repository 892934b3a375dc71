// proc/net/tcp, tcp6. Format: _inet_sockets.ts
//
//   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//    3: 0100007F:D6EF 0100007F:C360 01 00000000:000186A0 00:00000000 00000000     0        0 15149 1 000000009f58ec7e 20 8 0 10 -1
//    2: 0100007F:939F 0100007F:A490 06 00000000:00000000 03:00000668 00000000     0        0 0 3 00000000fd759ba6
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { type InetSocket, parseInetSockets } from "./_inet_sockets.ts";

/**
 * Parses /proc/net/tcp and tcp6.
 *
 * @throws {ParseError} if there is neither the header nor a row.
 *
 * @example
 * ```ts
 * import { parseTcp } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = " 1: 0100007F:D6EF 0100007F:C360 01 00000000:0001C200 00:00000000 00000000 0 0 15149 1 0 20 8 0 10 -1\n";
 * const [socket] = parseTcp(text, { facts: {}, warn() {} });
 * strictEqual(socket?.localAddress, "127.0.0.1");
 * strictEqual(socket?.rxQueueBytes, 115_200);
 * ```
 */
export function parseTcp(text: string, context: ParseContext): readonly InetSocket[] {
  return parseInetSockets(text, context, false);
}

/** One entry a file, in every network namespace that was captured: the path tells the family. */
export const tcp: Source<readonly Parsed<readonly InetSocket[]>[]> = defineNetnsArtifacts({
  name: "tcp",
  files: ["tcp", "tcp6"],
  howToCapture: "cat /proc/net/tcp /proc/net/tcp6",
  parse: parseTcp,
});
