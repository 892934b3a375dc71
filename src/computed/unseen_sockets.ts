/** Sockets that the kernel counts, or that may be there, and the bundle does not show. */
import type { FindingDraft, Outcome } from "../core/analyzer.ts";
import { formatBytes } from "../core/format.ts";
import { accountBytes, type Ledger } from "../core/ledger.ts";
import type { Claim, Remedy } from "../core/report.ts";
import {
  type Captured,
  defineComputed,
  type Missing,
  type Parsed,
  type Reader,
  readUses,
  type Source,
} from "../core/source.ts";
import { sumOf, sumRanges } from "../core/sums.ts";
import { unaccountedBytes } from "../core/whole_ledger.ts";
import { type Sockstat, sockstat } from "../parsers/sockstat.ts";
import { ledger } from "./ledger.ts";
import { materialQueueBytes } from "./material.ts";
import { FROM_OUTSIDE, seesAllDescriptors } from "./process_statuses.ts";
import { leastProtocolMemory, type ProtocolMemory, protocolMemory } from "./protocol_memory.ts";
import { placeSkbBytes, skbSlab, unixBytesInSlab } from "./skb_memory.ts";
import { type SizedCache, slabCaches } from "./slab_caches.ts";
import { type Backlog, mostHeld, ssRows } from "./socket_queues.ts";
import { tcpBacklog } from "./tcp_backlog.ts";

type Protocol = "tcp" | "udp" | "any";

const SS_FAMILY: { readonly [P in Protocol]: string } = { tcp: "t", udp: "u", any: "" };

/**
 * Of each network namespace its sockets: a process that is in it, or a descriptor of it, is enough to enter. One that only sockets keep has neither: of these lsof
 * tells the protocol (getxattr() of system.sockprotoname, Linux 3.7) and whose descriptors they are, as of all that are in no table of its own namespace.
 */
export function findSockets(protocol: Protocol): string {
  const find = "find /proc/[0-9]*/ns/net /proc/[0-9]*/fd -lname 'net:*' -printf '%l %p\\n' 2> /dev/null | sort -uk 1,1";
  const name = protocol === "any" ? "" : protocol.toUpperCase();
  const lsof = `lsof -nP 2> /dev/null | awk '/protocol: ${name}/ { print $1, $2 }' | sort | uniq -c | sort -n`;
  return `${find} | while read -r _ each; do nsenter --net="$each" ss -${SS_FAMILY[protocol]}anpm; done; ${lsof}`;
}

/** @param mark What is known of this remedy (`remedyMark`). */
export function lookAtSockets(protocol: Protocol, mark: string): Remedy {
  return {
    when: "now",
    text:
      `Look at the sockets of all network namespaces: a sosreport has those that \`ip netns\` lists, nailhouse collect, outside of containers or with --root, all that a process or a descriptor is of. Of those that only their sockets keep, lsof counts the sockets of each process. ${mark}`,
    commands: [findSockets(protocol), "nailhouse collect"],
    verify: "the next report names the sockets' owner",
  };
}

/** What the kernel counts for the sockets of all network namespaces beyond those that the bundle shows, read or not. */
export function countedBeyond({ bytes }: ProtocolMemory, shown: readonly Backlog[]): number {
  return bytes - sumOf(shown, mostHeld);
}

/** Queues of a protocol; where no list of its sockets is there, but the kernel's count of what all of them have, what is missing. */
export function orCounted<T>(backlog: Source<T>, protocol: "TCP" | "UDP"): Source<T | readonly Missing[]> {
  return {
    name: backlog.name,
    patterns: [...backlog.patterns, ...sockstat.patterns],
    read(reader): Captured<T | readonly Missing[]> {
      const found = reader.read(backlog);
      const stat = reader.read(sockstat);
      const isCounted = stat.status === "ok" && leastProtocolMemory(stat.value, protocol) !== undefined;
      return found.status === "missing" && isCounted ? { status: "ok", value: found.missing } : found;
    },
  };
}

/** Before 6.15 the kernel may count what no socket has any more: then it is in no account. */
const MOST_OF_CHARGE = 0.9;

/**
 * What comes of the kernel's count alone.
 *
 * @param place In which accounts so much lies.
 * @param mark What is known of the remedy (`remedyMark`).
 */
export function countedOutcome(
  missing: readonly Missing[],
  protocol: "TCP" | "UDP",
  { stat, ledger: whole, place, mark }: {
    readonly stat: readonly Parsed<Sockstat>[] | undefined;
    readonly ledger: Ledger | undefined;
    readonly place: (bytes: number) => Claim[];
    readonly mark: string;
  },
): Outcome {
  const counted = leastProtocolMemory(stat, protocol);
  if (counted === undefined || counted.bytes < materialQueueBytes(whole?.totalBytes)) return { notAssessed: missing };
  const claims = place(counted.bytes);
  if (sumRanges(claims).high < MOST_OF_CHARGE * counted.bytes) return { notAssessed: missing };
  const { path, line, bytes, isLeast } = counted;
  const family = protocol === "UDP" ? "udp" : "tcp";
  const size = `${isLeast ? "at least " : ""}${formatBytes(bytes)}`;
  const draft: FindingDraft = {
    title: `${protocol} sockets have ${size} in their queues${
      protocol === "TCP" ? ", received or to be sent" : ""
    }: whose, this bundle does not tell`,
    confidence: "possible",
    material: true,
    claims,
    owners: [{ pid: null, comm: "unknown", bytes, count: 1, detail: `to find whose: ${findSockets(family)}` }],
    evidence: [{
      path,
      line,
      because: `the kernel's own count over all namespaces: ${size} charged to ${protocol} sockets${
        isLeast ? " (mem is in pages, of 4 KiB or more)" : ""
      }`,
    }],
    remedies: [lookAtSockets(family, mark)],
  };
  return { findings: [draft] };
}

/** What sockets of network namespaces that could not be looked into may hold at the most: as much is where theirs would lie, whosever it is. */
export interface UnseenRoom {
  /** In queues of packets: netlink, raw, packet sockets, UDP, TCP. */
  readonly packetBytes: number;
  readonly unixBytes: number;
  readonly ringBytes: number;
}

function unixRoom(whole: Ledger, caches: readonly SizedCache[] | undefined): number {
  const slab = accountBytes(whole, "slab-unreclaimable") ?? 0;
  const outside = unaccountedBytes(whole);
  return outside + (caches === undefined ? slab : unixBytesInSlab(slab, caches));
}

/** Undefined where all were seen. A process that cannot be seen may be in a namespace that only it is in. */
export const unseenRoom: Source<UnseenRoom | undefined> = defineComputed({
  name: "room for sockets that were not seen",
  needs: { ledger, seesAllDescriptors },
  uses: { skbSlab, slabCaches },
  compute({ ledger: whole, seesAllDescriptors: seesAll, skbSlab: slab, slabCaches: caches }): UnseenRoom | undefined {
    if (seesAll) return undefined;
    const outside = unaccountedBytes(whole);
    return {
      packetBytes: sumRanges(placeSkbBytes(Infinity, whole, slab)).high,
      unixBytes: unixRoom(whole, caches?.caches),
      ringBytes: outside + (accountBytes(whole, "vmalloc") ?? 0),
    };
  },
});

/** What TCP sockets have reserved beyond what is in their queues (`f`), as far as ss tells it. The kernel counts it with them. */
function reservedTcpBytes(reader: Reader): number {
  let bytes = 0;
  for (const { socket } of ssRows(reader, "tcp")) bytes += socket.skmem?.forwardAllocBytes ?? 0;
  return bytes;
}

/**
 * What TCP sockets that were not seen hold at the most: the kernel counts what all of them do. Undefined where all were seen. A foreign bundle may have any
 * namespaces (a sosreport those that `ip netns` lists): where its sockets are what the kernel counts, they are all.
 */
export const unseenTcpBytes: Source<number | undefined> = {
  name: "TCP sockets that were not seen",
  patterns: [tcpBacklog, unseenRoom, sockstat, ledger].flatMap(({ patterns }) => patterns),
  read(reader): Captured<number | undefined> {
    const uses = { backlog: tcpBacklog, room: unseenRoom, stat: sockstat, whole: ledger };
    const { backlog, room, stat, whole } = readUses(uses, reader);
    const counted = protocolMemory(stat, "TCP")?.bytes;
    const most = counted ?? room?.packetBytes;
    if (backlog === undefined || most === undefined) return { status: "ok", value: undefined };
    const shown = mostHeld(backlog.received) + mostHeld(backlog.sent);
    const unseen = Math.max(0, most - shown);
    if (room !== undefined) return { status: "ok", value: unseen };
    const isMore = reader.facts.privileged === undefined &&
      unseen - reservedTcpBytes(reader) >= materialQueueBytes(whole?.totalBytes);
    return { status: "ok", value: isMore ? unseen : undefined };
  },
};

const ALL_NAMESPACES: Missing = {
  path: "sockets of all network namespaces (as it was captured, only some were seen)",
  howToCapture: FROM_OUTSIDE,
};

/**
 * Of what is not in the namespaces that were seen.
 *
 * @param because What rules it out there.
 * @param roomBytes Where sockets of the others would lie so much is; undefined where there are none.
 * @param shownBytes Of those that were seen.
 */
export function notSeen(
  because: string,
  roomBytes: number | undefined,
  shownBytes: number,
  whole: Ledger | undefined,
): Outcome {
  if (roomBytes === undefined) return { ruledOut: because };
  const most = Math.max(0, roomBytes - shownBytes);
  if (most >= materialQueueBytes(whole?.totalBytes)) return { notAssessed: [ALL_NAMESPACES] };
  return {
    ruledOut: `${because}; sockets of other network namespaces, which were not seen, hold at most ${formatBytes(most)}`,
  };
}
