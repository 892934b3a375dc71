/** Sockets that the kernel counts and the bundle does not show: what finds them. */
import { accountBytes, type Ledger } from "../core/ledger.ts";
import type { Remedy } from "../core/report.ts";
import type { Missing } from "../core/source.ts";
import type { SkbSlab } from "./skb_memory.ts";

/** What only a look into all network namespaces tells. */
export const ALL_NAMESPACES: Missing = {
  path: "sockets of all network namespaces (as it was captured, only some were seen)",
  howToCapture: "nailhouse collect as root and outside of containers, or with --root",
};

/** How much packets may have on this host, also those of namespaces that were not seen: no file counts them. */
export function roomForPackets(ledger: Ledger | undefined, slab: SkbSlab | undefined): number {
  if (ledger === undefined) return Infinity;
  const inSlab = Math.min(accountBytes(ledger, "slab-unreclaimable") ?? 0, slab?.mostBytes ?? Infinity);
  return inSlab + Math.max(0, accountBytes(ledger, "unaccounted") ?? 0);
}

/** Of each network namespace its sockets: one process of it is enough to enter. */
export function findSockets(protocol: "tcp" | "udp"): string {
  return `lsns -t net -nro PID | while read -r pid; do nsenter -t "$pid" -n ss -${protocol[0]}anpm; done`;
}

/** @param mark What is known of this remedy (`remedyMark`). */
export function lookAtSockets(protocol: "tcp" | "udp", mark: string): Remedy {
  return {
    when: "now",
    text:
      `Look at the sockets of all network namespaces: a sosreport has those that \`ip netns\` lists, nailhouse collect all of them. ${mark}`,
    commands: [findSockets(protocol), "nailhouse collect"],
    verify: "the next report names the sockets' owner",
  };
}
