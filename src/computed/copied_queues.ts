/** Receive queues of raw and of packet sockets. Both get copies: what several of them listen to is charged to each, but lies in memory once. So do UDP sockets of a multicast group. */
import type { FindingDraft } from "../core/analyzer.ts";
import { formatBytes, formatQuantity } from "../core/format.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Claim, Confidence, Owner, Remedy } from "../core/report.ts";
import type { Source } from "../core/source.ts";
import { sum, sumRanges } from "../core/sums.ts";
import { packet } from "../parsers/packet.ts";
import { ping, raw } from "../parsers/raw.ts";
import { forecast } from "./forecast.ts";
import { growth } from "./growth.ts";
import { materialQueueBytes } from "./material.ts";
import { groupByOwner, nameOfGroups, type OwnerGroup, ownerOf, stopAll } from "./owners.ts";
import type { Process } from "./processes.ts";
import { placeSkbBytes, type SkbSlab } from "./skb_memory.ts";
import {
  type Backlog,
  backlogConfidence,
  describeBehaviour,
  describeLimit,
  type Judged,
  type JudgedQueue,
  judgeQueues,
  receiveBacklog,
  type SocketQueue,
} from "./socket_queues.ts";
import type { SocketOwners } from "./socket_owners.ts";

/** Raw sockets' receive queues over all network namespaces and snapshots. */
export const rawBacklog: Source<Backlog> = receiveBacklog({
  name: "raw backlog",
  table: raw,
  netids: ["raw"],
  rowBytes: ({ rxQueueBytes }) => rxQueueBytes,
  local: ({ localPort }) => `IP protocol ${localPort}`,
  remote: () => "",
});

/** Those of ping sockets, each of which gets the answers to its own identifier. */
export const pingBacklog: Source<Backlog> = receiveBacklog({
  name: "ping backlog",
  table: ping,
  netids: [],
  rowBytes: ({ rxQueueBytes }) => rxQueueBytes,
  local: ({ localPort }) => `ICMP identifier ${localPort}`,
  remote: () => "",
});

function ethernetProtocol(number: number): string {
  return `Ethernet protocol 0x${number.toString(16).padStart(4, "0")}`;
}

/** ETH_P_ALL (include/uapi/linux/if_ether.h). */
const ALL_PROTOCOLS = ethernetProtocol(3);

/** Packet sockets' receive queues, in which a ring does not count. */
export const packetBacklog: Source<Backlog> = receiveBacklog({
  name: "packet backlog",
  table: packet,
  netids: ["p_raw", "p_dgr"],
  rowBytes: ({ rmemBytes }) => rmemBytes,
  local: ({ protocol }) => ethernetProtocol(protocol),
  remote: () => "",
});

/** Jumbo frames and what is added to them: a queue with less room than that left is full. */
const LARGEST_PACKET_BYTES = 16_640;

function isStuck({ chargedBytes, limitBytes, dropped }: SocketQueue): boolean {
  return (dropped ?? 0) > 0 || (limitBytes !== undefined && chargedBytes + LARGEST_PACKET_BYTES > limitBytes);
}

/** Less than this in all queues is what capturing programs have at any moment: not worth a line. */
const WORTH_A_LINE_BYTES = 2 ** 20;

/** Queues with the same one may have the same packets, within a network namespace. */
type OriginOf<Q extends SocketQueue> = (queue: Q) => string;

/** What of it is there for sure: of each origin and namespace as much as the fullest queue has, for the others may have the same packets. */
function surelyHeld<Q extends SocketQueue>(queues: readonly JudgedQueue<Q>[], originOf: OriginOf<Q>): number {
  const fullest = new Map<string, number>();
  let ofAll = 0;
  for (const queue of queues) {
    const { path, bytes } = queue;
    const origin = originOf(queue);
    const key = `${path} ${origin}`;
    // These get what those of each protocol get, too.
    if (origin === ALL_PROTOCOLS) ofAll = Math.max(ofAll, bytes);
    else fullest.set(key, Math.max(fullest.get(key) ?? 0, bytes));
  }
  return Math.max(ofAll, sum([...fullest.values()]));
}

/** Where the queues lie: at least what is there for sure, at most what they are charged. */
export function placeCopies<Q extends SocketQueue>(
  { queues, bytes }: Judged<Q>,
  ledger: Ledger | undefined,
  slab: SkbSlab | undefined,
  originOf: OriginOf<Q> = ({ local }) => local,
): Claim[] {
  let sure = surelyHeld(queues, originOf);
  return placeSkbBytes(bytes, ledger, slab).map(({ account, bytes: { high } }) => {
    const low = Math.min(high, sure);
    sure -= low;
    return { account, bytes: { low, high } };
  });
}

/** Whether there is less than they are charged: how much less, the packets that they have in common decide. */
function areCut({ bytes }: Judged, claims: readonly Claim[]): boolean {
  return sumRanges(claims).high < bytes;
}

/** How much they hold, in words. */
export function heldText(judged: Judged, claims: readonly Claim[]): string {
  return `${areCut(judged, claims) ? "at most " : ""}${formatBytes(sumRanges(claims).high)}`;
}

/** That nobody reads is known; that what they hold is much is confirmed where it surely is. */
export function copiesConfidence(judged: Judged, claims: readonly Claim[], materialBytes: number): Confidence {
  const confidence = backlogConfidence(judged, materialBytes);
  const mayBeLittle = areCut(judged, claims) && sumRanges(claims).low < materialBytes;
  return confidence === "confirmed" && mayBeLittle ? "likely" : confidence;
}

/** Of packets in common each owner may have all, and none has more than there is. */
export function ownersOfCopies(groups: readonly Owner[], held: number): Owner[] {
  return groups.map((owner) => ({ ...owner, bytes: Math.min(owner.bytes, held) }));
}

/** Why what is held is less than what the queues are charged, if it is. */
export function inCommon({ queues, bytes }: Judged, held: number): string {
  if (queues.length === 1 || bytes <= held) return "";
  return `; together the queues are charged ${formatBytes(bytes)}, more than there is: they have packets in common`;
}

/** What makes the two kinds differ in an answer. */
export interface CopiesKind {
  /** Of a socket: "raw socket". */
  readonly noun: string;
  /** Where the kernel tells how much is queued, and the command that shows it with the owner. */
  readonly column: string;
  readonly look: string;
  /** What the lab saw when the owner was ended. */
  readonly endMark: string;
  /** How the program is put right, and what the lab saw of that. */
  readonly fix: string;
}

/** What else an answer needs. */
export interface CopiesContext {
  /** Undefined where there are only lists of sockets. */
  readonly ledger: Ledger | undefined;
  readonly owners: SocketOwners | undefined;
  readonly processes: readonly Process[] | undefined;
  readonly slab: SkbSlab | undefined;
}

/** What nobody reads of such queues; undefined when that is too little for a line. */
export function copiedQueuesFinding(
  backlog: Backlog,
  kind: CopiesKind,
  { ledger, owners, processes, slab }: CopiesContext,
): FindingDraft | undefined {
  const judged = judgeQueues(backlog, owners, { isStuck });
  if (judged.bytes < WORTH_A_LINE_BYTES) return undefined;
  const groups = groupByOwner(judged.queues, owners);
  const claims = placeCopies(judged, ledger, slab);
  const held = sumRanges(claims).high;
  const materialBytes = materialQueueBytes(ledger?.totalBytes);
  const [largest] = judged.queues as [JudgedQueue<SocketQueue>];
  return {
    title: `${nameOfGroups(groups)}: ${heldText(judged, claims)} unread in ${
      formatQuantity(judged.queues.length, kind.noun)
    }`,
    confidence: copiesConfidence(judged, claims, materialBytes),
    material: held >= materialBytes,
    claims,
    ...forecast(growth(backlog.series)),
    owners: ownersOfCopies(
      groups.map((group) =>
        ownerOf(group, "socket", kind.look, `, the fullest of ${(group.held[0] as SocketQueue).local}`)
      ),
      held,
    ),
    evidence: [
      {
        path: largest.path,
        line: largest.line,
        because: `the fullest queue (${largest.local}): ${formatBytes(largest.chargedBytes)} unread (${kind.column}); ${
          describeBehaviour(judged, backlog.seconds, "are full")
        }${inCommon(judged, held)}`,
      },
      ...(largest.skmem === undefined || largest.limitBytes === undefined ? [] : [{
        ...largest.skmem,
        because: `rb is its limit of ${formatBytes(largest.limitBytes)}: ${describeLimit(isStuck(largest), judged)}`,
      }]),
    ],
    remedies: remedies(groups, kind, processes),
  };
}

function remedies(
  groups: readonly OwnerGroup<JudgedQueue<SocketQueue>>[],
  { noun, column, look, endMark, fix }: CopiesKind,
  known: readonly Process[] | undefined,
): Remedy[] {
  return [
    {
      when: "now",
      text: `End or restart the owner in an orderly way: closing a ${noun} frees its queue at once. ${endMark}`,
      commands: stopAll(groups, known),
      verify: `${column} is 0 again, and MemAvailable rises`,
    },
    {
      when: "fix",
      text: fix,
      commands: [look],
      verify: "the queue stays empty while packets come",
    },
  ];
}
