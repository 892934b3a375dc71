// proc/net/packet: AF_PACKET sockets. Rmem is 0 for a socket with an mmap ring, whose size only `ss -0e` tells.
// net/packet/af_packet.c, packet_seq_show()
//
//   sk               RefCnt Type Proto  Iface R Rmem   User   Inode
//   00000000041bb2f3 3      3    0003   0     1 0      0      15154
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { parseCount, parseHex } from "./_numbers.ts";
import { parseTable } from "./_table.ts";

/** One row. */
export interface PacketSocket {
  readonly type: "raw" | "dgram" | "unknown";
  /** Ethernet protocol; 3 is every protocol. */
  readonly protocol: number;
  /** Index of the interface; 0 is every interface. */
  readonly interfaceIndex: number;
  readonly running: boolean;
  readonly rmemBytes: number | undefined;
  readonly uid: number | undefined;
  readonly inode: number;
  readonly line: number;
}

const TYPES = new Map<number, PacketSocket["type"]>([[3, "raw"], [2, "dgram"]]);

/**
 * Parses /proc/net/packet.
 *
 * @throws {ParseError} if there is no header.
 *
 * @example
 * ```ts
 * import { parsePacket } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "sk RefCnt Type Proto Iface R Rmem User Inode\n0000 3 3 0003 0 1 0 0 15154\n";
 * strictEqual(parsePacket(text, { facts: {}, warn() {} })[0]?.inode, 15154);
 * ```
 */
export function parsePacket(text: string, context: ParseContext): readonly PacketSocket[] {
  return parseTable(text, context, "sk", ({ cell, count }, line) => {
    const type = parseCount(cell("Type"));
    const protocol = parseHex(cell("Proto"));
    const interfaceIndex = parseCount(cell("Iface"));
    const inode = parseCount(cell("Inode"));
    if (type === undefined || protocol === undefined || interfaceIndex === undefined || inode === undefined) {
      return undefined;
    }
    return {
      type: TYPES.get(type) ?? "unknown",
      protocol,
      interfaceIndex,
      running: cell("R") === "1",
      rmemBytes: count("Rmem"),
      uid: count("User"),
      inode,
      line,
    };
  });
}

/** One entry a network namespace. */
export const packet: Source<readonly Parsed<readonly PacketSocket[]>[]> = defineNetnsArtifacts({
  name: "packet",
  files: ["packet"],
  howToCapture: "cat /proc/net/packet",
  parse: parsePacket,
});
