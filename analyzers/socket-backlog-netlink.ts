import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import { sumOf, sumRanges } from "../src/core/sums.ts";
import {
  copiedQueuesFinding,
  copiesConfidence,
  type CopiesContext,
  type CopiesKind,
  heldText,
  inCommon,
  ownersOfCopies,
  pingBacklog,
  placeCopies,
  rawBacklog,
} from "../src/computed/copied_queues.ts";
import { forecast } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { netlinkBacklog, type NetlinkQueue } from "../src/computed/netlink_backlog.ts";
import { groupByOwner, nameOfGroups, type OwnerGroup, ownerOf, stopAll } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { skbSlab } from "../src/computed/skb_memory.ts";
import {
  type Backlog,
  describeBehaviour,
  describeLimit,
  type Judged,
  type JudgedQueue,
  judgeQueues,
} from "../src/computed/socket_queues.ts";
import { type SocketOwner, type SocketOwners, socketOwners } from "../src/computed/socket_owners.ts";
import { notSeen, unseenRoom } from "../src/computed/unseen_sockets.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** Less than this in all queues is what monitoring programs have at any moment: not worth a line. */
const WORTH_A_LINE_BYTES = 2 ** 20;
/** Dumps are made in messages of up to 32 KiB: a queue with less room than that (and its overhead) left is full. */
const LARGEST_MESSAGE_BYTES = 33_792;

/** include/uapi/linux/netlink.h */
const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [0, "route"],
  [2, "usersock"],
  [3, "firewall"],
  [4, "sock_diag"],
  [5, "nflog"],
  [6, "xfrm"],
  [7, "selinux"],
  [9, "audit"],
  [10, "fib_lookup"],
  [11, "connector"],
  [12, "netfilter"],
  [15, "kobject_uevent"],
  [16, "generic"],
]);

/** Raw sockets, which stand beside netlink's for programs that talk to the network without a transport protocol: ping, routing daemons, scanners. */
const RAW: CopiesKind = {
  noun: "raw socket",
  column: "rx_queue of /proc/net/raw",
  look: "ss -waepm",
  endMark: remedyMark("socket-backlog-netlink", "end the owner of a queue"),
  fix:
    "Let the program read, or have a filter (SO_ATTACH_FILTER) drop what it does not want: every raw socket gets a copy of all packets of its protocol. One that only " +
    `sends is opened with IPPROTO_RAW: it gets none. ${
      remedyMark("socket-backlog-netlink", "raw socket that only sends")
    }`,
};

/** Sockets of SOCK_DGRAM with IPPROTO_ICMP, which need no privilege: what monitoring programs ping with. The same code queues for them (net/ipv4/ping.c). */
const PING: CopiesKind = {
  noun: "ping socket",
  column: "rx_queue of /proc/net/icmp",
  look: "grep -H . /proc/net/icmp /proc/net/icmp6; ls -l /proc/[0-9]*/fd | grep socket",
  endMark: RAW.endMark,
  fix: `Let the program read the answers to what it sends, or close the socket when it has waited long enough. ${
    remedyMark("socket-backlog-netlink", "let it read")
  }`,
};

type Queue = JudgedQueue<NetlinkQueue>;

function isStuck({ chargedBytes, limitBytes, dropped }: NetlinkQueue): boolean {
  return (dropped ?? 0) > 0 || (limitBytes !== undefined && chargedBytes + LARGEST_MESSAGE_BYTES > limitBytes);
}

function nameOf({ protocol, portId }: NetlinkQueue): string {
  return `netlink ${PROTOCOLS.get(protocol) ?? `protocol ${protocol}`}, port ${portId}`;
}

/** ss names no process for netlink, but the first socket of a process has its pid for a port. */
function withPorts(
  queues: readonly NetlinkQueue[],
  owners: SocketOwners | undefined,
  known: readonly Process[] | undefined,
): SocketOwners {
  const all = new Map<number, SocketOwner>(owners);
  const nobodys = queues.filter(({ inode }) => inode !== 0 && !all.has(inode));
  if (nobodys.length === 0) return all;
  const byPid = new Map(known?.map((each) => [each.pid, each]));
  for (const { inode, portId } of nobodys) {
    const process = byPid.get(portId);
    if (process !== undefined) {
      all.set(inode, { pid: portId, comm: process.comm, path: process.path, line: process.line });
    }
  }
  return all;
}

/** netlink_broadcast() gives each subscriber a clone of the message: a head of its own, and the same data (net/netlink/af_netlink.c do_one_broadcast()). */
function originOf({ protocol, portId, isSubscribed }: NetlinkQueue): string {
  return isSubscribed ? `protocol ${protocol}` : `protocol ${protocol} port ${portId}`;
}

function evidence(judged: Judged<NetlinkQueue>, held: number, seconds: number): EvidenceLine[] {
  const largest = judged.queues[0] as Queue;
  const lines: EvidenceLine[] = [{
    path: largest.path,
    line: largest.line,
    because: `the fullest queue (${nameOf(largest)}): ${formatBytes(largest.chargedBytes)} unread (Rmem)${
      largest.drops === undefined ? "" : `, ${formatQuantity(largest.drops, "message")} dropped since it was opened`
    }; ${describeBehaviour(judged, seconds, "are full")}${inCommon(judged, held)}`,
  }];
  if (largest.skmem !== undefined && largest.limitBytes !== undefined) {
    lines.push({
      ...largest.skmem,
      because: `rb is its limit of ${formatBytes(largest.limitBytes)}: ${describeLimit(isStuck(largest), judged)}`,
    });
  }
  return lines;
}

function remedies(groups: readonly OwnerGroup<Queue>[], known: readonly Process[] | undefined): Remedy[] {
  const [pid] = groups[0]?.pids ?? [];
  return [
    {
      when: "now",
      text: `End or restart the owner in an orderly way: closing the sockets frees their queues at once. ${
        remedyMark("socket-backlog-netlink", "end the owner")
      }`,
      commands: stopAll(groups, known),
      verify: "the Rmem column of /proc/net/netlink is 0 again, and MemAvailable rises by as much",
    },
    {
      when: "fix",
      text:
        "Let the program read what it subscribed to, or subscribe to less (fewer groups). A queue that overflows makes recv() fail with ENOBUFS, after " +
        `which it must ask for everything anew: a larger buffer only puts that off. ${
          remedyMark("socket-backlog-netlink", "let it read")
        }`,
      commands: pid === undefined
        ? ["ss -anpf netlink"]
        : [`cat /proc/${pid}/stack`, `ss -anpf netlink | grep -w ${pid}`],
      verify: "Rmem moves, and Drops does not grow",
    },
    {
      when: "prevent",
      text:
        "Only with CAP_NET_ADMIN can a socket have more than rmem_max (SO_RCVBUFFORCE): keep that setting small in the program, and drop the capability " +
        `where it is not needed. ${remedyMark("socket-backlog-netlink", "CAP_NET_ADMIN and rmem_max")}`,
      commands: ["sysctl net.core.rmem_max net.core.rmem_default"],
      verify: "rb in skmem of `ss -anmf netlink` is no more than twice rmem_max",
    },
  ];
}

function netlinkFinding(
  backlog: Backlog<NetlinkQueue>,
  { ledger, owners: found, processes: known, slab }: CopiesContext,
): FindingDraft | undefined {
  const owners = withPorts(backlog.queues, found, known);
  const judged = judgeQueues(backlog, owners, { isStuck });
  if (judged.bytes < WORTH_A_LINE_BYTES) return undefined;
  const materialBytes = materialQueueBytes(ledger?.totalBytes);
  const groups = groupByOwner(judged.queues, owners);
  const claims = placeCopies(judged, ledger, slab, originOf);
  const held = sumRanges(claims).high;
  return {
    title: `${nameOfGroups(groups)}: ${heldText(judged, claims)} unread in ${
      formatQuantity(judged.queues.length, "netlink socket")
    }`,
    confidence: copiesConfidence(judged, claims, materialBytes),
    material: held >= materialBytes,
    claims,
    ...forecast(growth(backlog.series)),
    owners: ownersOfCopies(
      groups.map((group) => ownerOf(group, "socket", "ls -l /proc/[0-9]*/fd | grep socket", names(group))),
      held,
    ),
    evidence: evidence(judged, held, backlog.seconds),
    remedies: remedies(groups, known),
  };
}

export const socketBacklogNetlink: Analyzer = defineAnalyzer({
  id: "socket-backlog-netlink",
  title: "Netlink messages, or packets of raw sockets, that nobody reads",
  mechanism:
    "The kernel, or another program, sends messages (routes, devices, connections, audit records) to a netlink socket; what is not read stays in slab memory, up " +
    "to the socket's receive buffer. Monitoring programs raise that to many megabytes with SO_RCVBUFFORCE. Neither sockstat nor any process shows it. Raw sockets " +
    "(ping, routing daemons, scanners) are the same: each gets a copy of every packet of its protocol.",
  lookAlikes:
    "A burst that is read a moment later (the queue becomes shorter between snapshots). A slab leak: without a look at the sockets this is kmalloc and " +
    "skbuff_head_cache growing.",
  references: [
    "https://man7.org/linux/man-pages/man7/netlink.7.html",
    "net/netlink/af_netlink.c netlink_attachskb()",
  ],
  needs: { netlinkBacklog },
  uses: { ledger, unseenRoom, rawBacklog, pingBacklog, socketOwners, processes, skbSlab },
  analyze(
    {
      ledger,
      unseenRoom: unseen,
      netlinkBacklog: backlog,
      rawBacklog: raw,
      pingBacklog: ping,
      socketOwners: owners,
      processes: known,
      skbSlab: slab,
    },
  ) {
    const context: CopiesContext = { ledger, owners, processes: known, slab };
    const findings = [
      netlinkFinding(backlog, context),
      raw && copiedQueuesFinding(raw, RAW, context),
      ping && copiedQueuesFinding(ping, PING, context),
    ].filter((finding) => finding !== undefined);
    if (findings.length > 0) return { findings };
    const others = raw === undefined
      ? ""
      : ` and ${formatQuantity(raw.sockets, "raw socket")} ${formatBytes(raw.chargedBytes)}`;
    const because = `${formatQuantity(backlog.sockets, "netlink socket holds", "netlink sockets hold")} ${
      formatBytes(backlog.chargedBytes)
    }${others}, of which less than ${formatBytes(WORTH_A_LINE_BYTES)} is not known to be read`;
    const shown = sumOf([backlog, raw, ping], (each) => each?.chargedBytes ?? 0);
    return notSeen(because, unseen?.packetBytes, shown, ledger);
  },
});

function names({ held: [first] }: OwnerGroup<Queue>): string {
  return first === undefined ? "" : `, the fullest ${nameOf(first)}`;
}
