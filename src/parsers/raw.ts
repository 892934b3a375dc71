// proc/net/raw, raw6. Format: _inet_sockets.ts. The local "port" is the IP protocol.
// proc/net/icmp, icmp6 (3.0, 3.11) are the same for ping sockets, SOCK_DGRAM with IPPROTO_ICMP: the local "port" is the identifier of the requests.
//
//   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
//  112: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 19726 2 000000009078e577 0
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { type InetSocket, parseInetSockets } from "./_inet_sockets.ts";

/**
 * Parses /proc/net/raw and raw6.
 *
 * @throws {ParseError} if there is neither the header nor a row.
 *
 * @example
 * ```ts
 * import { parseRaw } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = " 1: 0100007F:0001 00000000:0000 07 00000000:0001C200 00:00000000 00000000 0 0 19726 2 0 0\n";
 * const [socket] = parseRaw(text, { facts: {}, warn() {} });
 * strictEqual(socket?.localAddress, "127.0.0.1");
 * strictEqual(socket?.rxQueueBytes, 115_200);
 * ```
 */
export function parseRaw(text: string, context: ParseContext): readonly InetSocket[] {
  return parseInetSockets(text, context, true);
}

/** One entry a file, in every network namespace that was captured: the path tells the family. */
export const raw: Source<readonly Parsed<readonly InetSocket[]>[]> = defineNetnsArtifacts({
  name: "raw",
  files: ["raw", "raw6"],
  howToCapture: "cat /proc/net/raw /proc/net/raw6",
  parse: parseRaw,
});

/** The same of ping sockets, which `ss` does not list. */
export const ping: Source<readonly Parsed<readonly InetSocket[]>[]> = defineNetnsArtifacts({
  name: "icmp",
  files: ["icmp", "icmp6"],
  howToCapture: "cat /proc/net/icmp /proc/net/icmp6",
  parse: parseRaw,
});
