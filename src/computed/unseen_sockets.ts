/** Sockets that the kernel counts and the bundle does not show: what finds them. */
import type { Remedy } from "../core/report.ts";

type Protocol = "tcp" | "udp" | "any";

const SS_FAMILY: { readonly [P in Protocol]: string } = { tcp: "t", udp: "u", any: "" };

/** Of each network namespace its sockets: one process of it is enough to enter. */
export function findSockets(protocol: Protocol): string {
  return `lsns -t net -nro PID | while read -r pid; do nsenter -t "$pid" -n ss -${SS_FAMILY[protocol]}anpm; done`;
}

/** @param mark What is known of this remedy (`remedyMark`). */
export function lookAtSockets(protocol: Protocol, mark: string): Remedy {
  return {
    when: "now",
    text:
      `Look at the sockets of all network namespaces: a sosreport has those that \`ip netns\` lists, nailhouse collect, outside of containers or with --root, all of them. ${mark}`,
    commands: [findSockets(protocol), "nailhouse collect"],
    verify: "the next report names the sockets' owner",
  };
}
