import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Confidence, Owner, Remedy } from "../src/core/report.ts";
import type { HostFacts, MaybeValues, Missing, Values } from "../src/core/source.ts";
import { ledger } from "../src/computed/ledger.ts";
import { type Languages, languages } from "../src/computed/languages.ts";
import { materialQueueBytes, residualNoiseBytes } from "../src/computed/material.ts";
import { groupByOwner, nameOfGroups, type OwnerGroup, stopAll } from "../src/computed/owners.ts";
import { packetRings } from "../src/computed/packet_rings.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { quoteProgram } from "../src/computed/remedy_program.ts";
import { isStream, type ReceiveCharge, receiveCharges } from "../src/computed/receive_charges.ts";
import {
  fragmentBlockBytes,
  fragmentBlocks,
  MIN_TRUESIZE_BYTES,
  skbBytesInSlab,
  skbSlab,
} from "../src/computed/skb_memory.ts";
import { socketOwners } from "../src/computed/socket_owners.ts";
import { tcpBacklog } from "../src/computed/tcp_backlog.ts";
import { unixBacklog } from "../src/computed/unix_backlog.ts";
import { notSeen, unseenRoom } from "../src/computed/unseen_sockets.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { sysctl, sysctlNumbers } from "../src/parsers/sysctl.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { setSysctl } from "../src/core/shell.ts";
import { accountBytes } from "../src/core/ledger.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";
import { isWhole, unaccountedBytes, WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";

/** Below this ratio the blocks are just full of what the sockets are charged for. */
const MIN_AMPLIFICATION = 2;
/** Who cannot pin so much of it with all that it is charged for is not asked to restart. */
const MIN_SHARE_OF_PINNED = 0.1;

const SOCKETS_SHOWN = 3;

/** So much of memory may be on per-CPU free lists, which the kernel lets grow as they are used (MIN_PERCPU_PAGELIST_HIGH_FRACTION, mm/page_alloc.c). */
const MOST_ON_FREE_LISTS = 1 / 8;
const FREE_LISTS: Missing = { path: "proc/zoneinfo", howToCapture: "cat /proc/zoneinfo" };

const needs = { ledger, receiveCharges };
const uses = {
  fragmentBlocks,
  socketOwners,
  processes,
  languages,
  sysctl,
  meminfo,
  skbSlab,
  tcpBacklog,
  unixBacklog,
  packetRings,
  unseenRoom,
};

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses> & { readonly facts: HostFacts };

type Group = OwnerGroup<ReceiveCharge>;

/** Charge over the least charge is the most packets there can be, and each pins one block at the most. */
function mostPinnedBytes(chargedBytes: number, { facts }: Seen): number {
  return (chargedBytes / MIN_TRUESIZE_BYTES) * fragmentBlockBytes(facts.pageSizeBytes);
}

/** Streams that are sent are copied into blocks of the same size, without waste. */
function sentBytes({ tcpBacklog: tcp, unixBacklog: unix }: Seen): number {
  const ofTcp = sumOf(tcp?.sent.queues ?? [], (each) => each.payloadBytes);
  const streams = (unix?.queues ?? []).filter(({ type }) => type !== "dgram");
  return ofTcp + sumOf(streams, (each) => each.chargedBytes);
}

/** Rings are pages that no account has, either. */
function ringBytes({ packetRings: packets }: Seen): number {
  return sumBytes(packets?.rings ?? []);
}

/**
 * What of a charge lies in blocks: packets in slab fill none. Where slab is not known, all of them may be in the blocks; those of streams are, whatever else
 * is in slab.
 */
function outsideSlabBytes({ receiveCharges: charges, skbSlab: slab }: Seen): number {
  const ofPackets = sumBytes(charges.filter(({ family }) => !isStream(family)));
  return sumBytes(charges) - (skbBytesInSlab(ofPackets, slab) ?? 0);
}

/** What unread packets pin; exact where the blocks are counted, and else inferred from the ledger's residual. */
interface Pinned {
  readonly low: number;
  readonly high: number;
}

function pinnedBytes(seen: Seen): Pinned {
  const { ledger, fragmentBlocks: census, receiveCharges: charges } = seen;
  const explainable = mostPinnedBytes(sumBytes(charges), seen);
  if (census !== undefined) {
    const most = Math.min(Math.max(0, census.bytes - sentBytes(seen)), explainable);
    return { low: most, high: most };
  }
  // What is there on an idle host, too, is no part of it.
  const most = Math.min(Math.max(0, unaccountedBytes(seen.ledger) - sentBytes(seen) - ringBytes(seen)), explainable);
  return { low: Math.max(0, most - residualNoiseBytes(ledger.totalBytes)), high: most };
}

/** Of what is in no account, how much may be free memory on per-CPU lists where the bundle does not tell these. */
function mayBeFree({ ledger, fragmentBlocks: census }: Seen): number {
  const isTold = census !== undefined || accountBytes(ledger, "per-cpu-free-lists") !== undefined;
  return isTold ? 0 : MOST_ON_FREE_LISTS * ledger.totalBytes;
}

/** Programs whose unread packets pin the blocks. */
interface Amplifiers {
  readonly groups: readonly Group[];
  /** Nobody else has unread packets enough to pin much of it. */
  readonly areAll: boolean;
}

/**
 * Those of which each alone may pin what is beyond the charge, and many times of its own: a large backlog beside them does not, it is full of what it is
 * charged for. Else all, if all together pin many times of what they are charged.
 */
function amplifiers(pinned: Pinned, seen: Seen): Amplifiers {
  const { receiveCharges: charges, socketOwners: owners } = seen;
  const charged = sumBytes(charges);
  const excess = pinned.high - outsideSlabBytes(seen);
  const all = groupByOwner(charges.filter(({ bytes }) => bytes >= charged / 1000), owners);
  const those = (groups: readonly Group[]): Amplifiers => {
    const others = all.filter((group) => !groups.includes(group));
    return { groups, areAll: mostPinnedBytes(sumBytes(others), seen) < MIN_SHARE_OF_PINNED * pinned.high };
  };
  const alone = all.filter(({ bytes }) =>
    mostPinnedBytes(bytes, seen) >= excess && excess >= MIN_AMPLIFICATION * bytes
  );
  if (alone.length > 0) return those(alone);
  if (pinned.high < MIN_AMPLIFICATION * charged) return those([]);
  const able = all.filter(({ bytes }) => mostPinnedBytes(bytes, seen) >= MIN_SHARE_OF_PINNED * pinned.high);
  return those(able.length > 0 ? able : all);
}

function remedies(
  groups: readonly Group[],
  known: readonly Process[] | undefined,
  spoken: Languages | undefined,
): Remedy[] {
  const filter = quoteProgram("udp-filter", "socket-backlog-udp", groups[0], spoken);
  return [
    {
      when: "now",
      text:
        `End or restart the owner of the queue in an orderly way: the last packet of a block that leaves frees all of it. ${
          remedyMark("skb-frag-amplification", "end the owner")
        }`,
      commands: stopAll(groups, known),
      verify: "MemFree rises by what was pinned, while the UDP mem of /proc/net/sockstat falls by far less",
    },
    {
      when: "fix",
      text:
        "Let no packet stay: read the queue, or attach a drop-all filter (SO_ATTACH_FILTER, return 0), which keeps nothing. A small receive buffer " +
        "(WUDP) still keeps a packet or two a socket, and each of them pins a block of 32 KiB. " +
        filter.said,
      commands: [filter.text],
      verify: "Recv-Q of `ss -uanm` returns to 0",
    },
    {
      when: "prevent",
      text: `With fragments of order 0 a packet pins one page instead of eight, at some cost in speed. ${
        remedyMark("skb-frag-amplification", "fragments of order 0")
      }`,
      commands: setSysctl("net.core.high_order_alloc_disable=1"),
      verify: "pages of order 3 without an owner in /proc/kpageflags stop growing",
    },
  ];
}

function confidenceOf({ areAll }: Amplifiers, { fragmentBlocks: census }: Seen): Confidence {
  if (census !== undefined) return "confirmed";
  // What is in no account may be anything, also where a small queue could pin as much.
  return areAll ? "likely" : "possible";
}

/** @param pinned Bytes, of all of them. */
function owners(groups: readonly Group[], pinned: number): Owner[] {
  const charged = sumBytes(groups);
  const times = (pinned / charged).toFixed(0);
  const unknown = groups.length === 1 ? "" : "; which of them pins how much is not known";
  return groups.map(({ pids: [pid], comm, bytes, held }) => ({
    pid: pid ?? null,
    comm: comm ?? "unknown",
    bytes: Math.round((bytes / charged) * pinned),
    count: held.length,
    detail: `${formatQuantity(held.length, "socket")} charged ${
      formatBytes(bytes)
    }, pinning about ${times} times as much${unknown}${comm === undefined ? "; to find the owner: ss -anp" : ""}`,
  }));
}

function evidence({ groups, areAll }: Amplifiers, pinned: Pinned, seen: Seen): EvidenceLine[] {
  const { fragmentBlocks: census, meminfo: file } = seen;
  const lines: EvidenceLine[] = [];
  if (census !== undefined) {
    const who = areAll ? "all receive queues are" : `${nameOfGroups(groups)} is`;
    lines.push({
      path: census.path,
      line: census.line,
      because: `${formatBytes(census.bytes)} are blocks of ${
        formatBytes(fragmentBlockBytes(seen.facts.pageSizeBytes))
      } that are no slab, no page cache and no process's: ${
        (pinned.high / sumBytes(groups)).toFixed(0)
      } times what ${who} charged`,
    });
  }
  const total = file?.value.bytes.get("MemTotal");
  if (file !== undefined && total !== undefined) {
    const residual = unaccountedBytes(seen.ledger);
    lines.push({
      path: file.path,
      line: total.line,
      because: `of this, ${formatBytes(residual)} (${
        formatShare(residual, seen.ledger.totalBytes)
      }) is in no account of the kernel`,
    });
  }
  return [...lines, ...socketEvidence(groups), ...limitEvidence(seen)];
}

function socketEvidence(groups: readonly Group[]): EvidenceLine[] {
  const least = sumBytes(groups) / 100;
  return groups.flatMap(({ held }) => held).filter(({ bytes }) => bytes >= least).slice(0, SOCKETS_SHOWN)
    .map(({ path, line, name, bytes, family }) => ({
      path,
      line,
      because: `${family} socket ${name} is charged ${formatBytes(bytes)} for packets that nobody read`,
    }));
}

function limitEvidence({ sysctl: settings, facts: { pageSizeBytes } }: Seen): EvidenceLine[] {
  const entry = settings?.value.get("net.ipv4.udp_mem");
  const [min] = (settings && sysctlNumbers(settings.value, "net.ipv4.udp_mem")) ?? [];
  if (settings === undefined || entry === undefined || min === undefined || pageSizeBytes === undefined) return [];
  const because = `udp_mem allows a charge of ${
    formatBytes(min * pageSizeBytes)
  }; it counts the packets, not the blocks they pin, so it does not bound this`;
  return [{ path: settings.path, line: entry.line, because }];
}

function finding(those: Amplifiers, pinned: Pinned, seen: Seen): FindingDraft {
  const { groups } = those;
  const charged = sumBytes(groups);
  const ofOthers = Math.max(0, outsideSlabBytes(seen) - charged);
  const bytes = { low: Math.max(0, pinned.low - ofOthers), high: Math.max(0, pinned.high - ofOthers) };
  return {
    title: `${nameOfGroups(groups)}: unread packets that are charged ${formatBytes(charged)} pin ${
      formatBytes(bytes.high)
    } of page fragments`,
    confidence: confidenceOf(those, seen),
    material: true,
    claims: [{ account: "unaccounted", bytes }],
    owners: owners(groups, bytes.high),
    evidence: evidence(those, pinned, seen),
    remedies: remedies(groups, seen.processes, seen.languages),
  };
}

export const skbFragAmplification: Analyzer = defineAnalyzer({
  id: "skb-frag-amplification",
  title: "A few queued packets pin whole page fragment blocks",
  mechanism:
    "Drivers carve the buffers of small packets out of blocks of 32 KiB. A block is free only when its last packet is gone. Where most packets " +
    "are consumed at once and one in many stays in a queue that nobody reads, that one pins the whole block: up to 50 times what the socket is charged. " +
    "The pages are in no account of /proc/meminfo, and udp_mem does not count them.",
  lookAlikes:
    "A driver that leaks pages: no queue holds packets enough to explain it. A plain backlog: charge and pages are about equal. Packet rings and " +
    "io_uring buffers: other block sizes, and no queue.",
  references: [
    "net/core/skbuff.c __netdev_alloc_skb()",
    "mm/page_frag_cache.c",
    "commit 3226b158e67c (32x truesize under-estimation)",
  ],
  needs,
  uses,
  analyze(values, facts) {
    const seen = { ...values, facts };
    const { ledger, fragmentBlocks: census } = seen;
    const charged = sumBytes(seen.receiveCharges);
    const outsideSlab = outsideSlabBytes(seen);
    const materialBytes = materialQueueBytes(ledger.totalBytes);
    // Of free and top all that processes and the kernel have is in no account, and the backlog itself.
    const isTold = census !== undefined || isWhole(ledger);
    if (!isTold && mostPinnedBytes(charged, seen) - outsideSlab >= materialBytes) {
      return { notAssessed: [WHOLE_MEMINFO] };
    }
    const pinned = pinnedBytes(seen);
    const those = amplifiers(pinned, seen);
    if (pinned.high - outsideSlab >= materialBytes && those.groups.length > 0) {
      if (pinned.high - outsideSlab < materialBytes + mayBeFree(seen)) return { notAssessed: [FREE_LISTS] };
      return { findings: [finding(those, pinned, seen)] };
    }
    const blocks = census === undefined ? "memory outside every account is" : "page fragment blocks are";
    const most = census?.bytes ?? unaccountedBytes(seen.ledger);
    const because = `${blocks} ${formatBytes(most)}, receive queues are charged ${formatBytes(charged)}`;
    return notSeen(because, seen.unseenRoom && most, outsideSlab + sentBytes(seen) + ringBytes(seen), ledger);
  },
});
