// proc/net/udp, udp6, udplite, udplite6 (the last two are gone from 7.1 on). Format: _inet_sockets.ts
//
//    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
//  3904: 0100007F:C968 00000000:0000 07 00000000:0001C200 00:00000000 00000000     0        0 15145 2 00000000257e59c1 0
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { type InetSocket, parseInetSockets } from "./_inet_sockets.ts";

/**
 * Parses /proc/net/udp and its like.
 *
 * @throws {ParseError} if there is neither the header nor a row.
 *
 * @example
 * ```ts
 * import { parseUdp } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = " 1: 0100007F:C968 00000000:0000 07 00000000:0001C200 00:00000000 00000000 0 0 15145 2 0 0\n";
 * const [socket] = parseUdp(text, { facts: {}, warn() {} });
 * strictEqual(socket?.localAddress, "127.0.0.1");
 * strictEqual(socket?.rxQueueBytes, 115_200);
 * ```
 */
export function parseUdp(text: string, context: ParseContext): readonly InetSocket[] {
  return parseInetSockets(text, context, true);
}

/** One entry a file, in every network namespace that was captured: the path tells the family. */
export const udp: Source<readonly Parsed<readonly InetSocket[]>[]> = defineNetnsArtifacts({
  name: "udp",
  files: ["udp", "udp6", "udplite", "udplite6"],
  howToCapture: "cat /proc/net/udp /proc/net/udp6",
  parse: parseUdp,
});
