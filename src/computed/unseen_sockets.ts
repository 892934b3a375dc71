/** Sockets that the kernel counts and the bundle does not show: what finds them. */
import type { Remedy } from "../core/report.ts";

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
