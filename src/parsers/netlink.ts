// proc/net/netlink: sockets between programs and the kernel. Inode from 3.10 on.
// net/netlink/af_netlink.c, netlink_native_seq_show()
//
//   sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
//   00000000e21f3a4a 0   0          00000000 0        0        0     2        0        4
//   00000000d6f53da3 4   6783       00000000 4352     0        0     2        0        565
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { parseCount, parseInteger } from "./_numbers.ts";
import { parseTable } from "./_table.ts";

/** One row. */
export interface NetlinkSocket {
  /** NETLINK_ROUTE is 0, NETLINK_SOCK_DIAG 4, NETLINK_AUDIT 9, NETLINK_KOBJECT_UEVENT 15, NETLINK_GENERIC 16. */
  readonly protocol: number;
  /** Usually, but not always, the pid of the process that opened it; 0 for the kernel's own. */
  readonly portId: number;
  /** Whether it subscribed to any of the first 32 groups: each message to a group is copied to all who did, and its data lie in memory once. */
  readonly isSubscribed: boolean;
  /** Memory charged for what was not read. */
  readonly rmemBytes: number | undefined;
  readonly wmemBytes: number | undefined;
  readonly drops: number | undefined;
  readonly inode: number | undefined;
  readonly line: number;
}

/**
 * Parses /proc/net/netlink.
 *
 * @throws {ParseError} if there is no header.
 *
 * @example
 * ```ts
 * import { parseNetlink } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n00 4 6783 00000000 4352 0 0 2 0 565\n";
 * strictEqual(parseNetlink(text, { facts: {}, warn() {} })[0]?.rmemBytes, 4352);
 * ```
 */
export function parseNetlink(text: string, context: ParseContext): readonly NetlinkSocket[] {
  return parseTable(text, context, "sk", ({ cell, count }, line) => {
    const protocol = parseCount(cell("Eth"));
    // Port ids that the kernel made up are negative where they are printed with %d.
    const portId = parseInteger(cell("Pid"));
    if (protocol === undefined || portId === undefined) return undefined;
    return {
      protocol,
      portId,
      isSubscribed: /[1-9a-f]/i.test(cell("Groups") ?? ""),
      rmemBytes: count("Rmem"),
      wmemBytes: count("Wmem"),
      drops: count("Drops"),
      inode: count("Inode"),
      line,
    };
  });
}

/** One entry a network namespace. */
export const netlink: Source<readonly Parsed<readonly NetlinkSocket[]>[]> = defineNetnsArtifacts({
  name: "netlink",
  files: ["netlink"],
  howToCapture: "cat /proc/net/netlink",
  parse: parseNetlink,
});
