import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import type { Confidence, Remedy } from "../src/core/report.ts";
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
  type FragmentBlocks,
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
import { isWhole, WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";

/** Below this ratio the blocks are just full of what the sockets are charged for. */
const MIN_AMPLIFICATION = 2;
/** Who cannot pin so much of it with all that it is charged for is not asked to restart. */
const MIN_SHARE_OF_PINNED = 0.1;

/** Charge over the least charge is the most packets there can be, and each pins one block at the most. */
function mostPinned(chargedBytes: number, blockBytes: number): number {
  return (chargedBytes / MIN_TRUESIZE_BYTES) * blockBytes;
}

type Group = OwnerGroup<ReceiveCharge>;

function chargeOf(held: readonly { readonly bytes: number }[]): number {
  return held.reduce((sum, { bytes }) => sum + bytes, 0);
}

interface Pinned {
  readonly bytes: { readonly low: number; readonly high: number };
  /** The direct count; undefined when the amount is inferred from the ledger's residual. */
  readonly census: FragmentBlocks | undefined;
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
  needs: { ledger, receiveCharges },
  uses: {
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
  },
  analyze(
    {
      ledger,
      receiveCharges: charges,
      fragmentBlocks: census,
      socketOwners: owners,
      processes: known,
      languages: spoken,
      sysctl: settings,
      meminfo: file,
      skbSlab: slab,
      tcpBacklog: tcp,
      unixBacklog: unix,
      packetRings: packets,
      unseenRoom: unseen,
    },
    facts,
  ) {
    const charged = chargeOf(charges);
    const blockBytes = fragmentBlockBytes(facts.pageSizeBytes);
    const mostPinnedBy = (bytes: number): number => mostPinned(bytes, blockBytes);
    const explainable = mostPinnedBy(charged);
    const residual = Math.max(0, accountBytes(ledger, "unaccounted") ?? 0);
    // Streams that are sent are copied into blocks of the same size, without waste; rings are pages that no account has, either.
    const streams = (unix?.queues ?? []).filter(({ type }) => type !== "dgram");
    const sent = (tcp?.sent.queues ?? []).reduce((sum, { payloadBytes }) => sum + payloadBytes, 0) +
      streams.reduce((sum, { chargedBytes }) => sum + chargedBytes, 0);
    const rings = (packets?.rings ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
    const pinned = pinnedBytes();
    // Packets that lie in slab fill no block. Where slab is not known, all of them may be in the blocks; those of streams are, whatever else is in slab.
    const ofPackets = chargeOf(charges.filter(({ family }) => !isStream(family)));
    const outsideSlab = charged - (skbBytesInSlab(ofPackets, slab) ?? 0);
    // Of free and top all that processes and the kernel have is in no account, and the backlog itself.
    const isTold = census !== undefined || isWhole(ledger);
    if (!isTold && explainable - outsideSlab >= materialQueueBytes(ledger.totalBytes)) {
      return { notAssessed: [WHOLE_MEMINFO] };
    }
    const excess = pinned.bytes.high - outsideSlab;
    const material = excess >= materialQueueBytes(ledger.totalBytes);
    const all = groupByOwner(charges.filter(({ bytes }) => bytes >= charged / 1000), owners);
    const groups = amplifiers();
    if (!material || groups.length === 0) {
      const blocks = pinned.census === undefined ? "memory outside every account is" : "page fragment blocks are";
      const most = pinned.census?.bytes ?? residual;
      const because = `${blocks} ${formatBytes(most)}, receive queues are charged ${formatBytes(charged)}`;
      return notSeen(because, unseen && most, outsideSlab + sent + rings, ledger);
    }
    return { findings: [finding()] };

    /**
     * Those of which each alone may pin what is beyond the charge, and many times of its own: a large backlog beside them does not, it is full of what it is
     * charged for. Else all, if all together pin many times of what they are charged.
     */
    function amplifiers(): readonly Group[] {
      const alone = all.filter(({ bytes }) => mostPinnedBy(bytes) >= excess && excess >= MIN_AMPLIFICATION * bytes);
      if (alone.length > 0) return alone;
      if (pinned.bytes.high < MIN_AMPLIFICATION * charged) return [];
      const able = all.filter(({ bytes }) => mostPinnedBy(bytes) >= MIN_SHARE_OF_PINNED * pinned.bytes.high);
      return able.length > 0 ? able : all;
    }

    function pinnedBytes(): Pinned {
      if (census !== undefined) {
        const most = Math.min(Math.max(0, census.bytes - sent), explainable);
        return { bytes: { low: most, high: most }, census };
      }
      // Without a census the residual is all there is to go by; what is there on an idle host, too, is no part of it.
      const most = Math.min(Math.max(0, residual - sent - rings), explainable);
      return {
        bytes: { low: Math.max(0, most - residualNoiseBytes(ledger.totalBytes)), high: most },
        census: undefined,
      };
    }

    function finding(): FindingDraft {
      const ofOthers = Math.max(0, outsideSlab - chargeOf(groups));
      const bytes = {
        low: Math.max(0, pinned.bytes.low - ofOthers),
        high: Math.max(0, pinned.bytes.high - ofOthers),
      };
      const ratio = bytes.high / chargeOf(groups);
      return {
        title: `${nameOfGroups(groups)}: unread packets that are charged ${formatBytes(chargeOf(groups))} pin ${
          formatBytes(bytes.high)
        } of page fragments`,
        confidence: confidence(),
        material,
        claims: [{ account: "unaccounted", bytes }],
        owners: groups.map((group) => ({
          pid: group.pids[0] ?? null,
          comm: group.comm ?? "unknown",
          bytes: (group.bytes / chargeOf(groups)) * bytes.high,
          count: group.held.length,
          detail:
            `${formatQuantity(group.held.length, "socket")} charged ${formatBytes(group.bytes)}, pinning about ${
              ratio.toFixed(0)
            } times as much${groups.length === 1 ? "" : "; which of them pins how much is not known"}` +
            (group.comm === undefined ? "; to find the owner: ss -anp" : ""),
        })).map((owner) => ({ ...owner, bytes: Math.round(owner.bytes) })),
        evidence: evidence(),
        remedies: remedies(groups, known, spoken),
      };
    }

    function confidence(): Confidence {
      if (pinned.census !== undefined) return "confirmed";
      // What is in no account may be anything, also where a small queue could pin as much.
      return groups.length === all.length ? "likely" : "possible";
    }

    function evidence(): EvidenceLine[] {
      const lines: EvidenceLine[] = [];
      if (pinned.census !== undefined) {
        lines.push({
          path: pinned.census.path,
          line: pinned.census.line,
          because: `${formatBytes(pinned.census.bytes)} are blocks of ${
            formatBytes(blockBytes)
          } that are no slab, no page cache and no process's: ${
            (pinned.bytes.high / chargeOf(groups)).toFixed(0)
          } times what ${
            groups.length === all.length ? "all receive queues are" : `${nameOfGroups(groups)} is`
          } charged`,
        });
      }
      const total = file?.value.bytes.get("MemTotal");
      if (file !== undefined && total !== undefined) {
        lines.push({
          path: file.path,
          line: total.line,
          because: `of this, ${formatBytes(residual)} (${
            formatShare(residual, ledger.totalBytes)
          }) is in no account of the kernel`,
        });
      }
      for (
        const { path, line, name, bytes, family } of groups.flatMap(({ held }) => held).filter((charge) =>
          charge.bytes >= chargeOf(groups) / 100
        ).slice(
          0,
          3,
        )
      ) {
        lines.push({
          path,
          line,
          because: `${family} socket ${name} is charged ${formatBytes(bytes)} for packets that nobody read`,
        });
      }
      const entry = settings?.value.get("net.ipv4.udp_mem");
      const [min] = settings === undefined ? [] : sysctlNumbers(settings.value, "net.ipv4.udp_mem") ?? [];
      if (settings !== undefined && entry !== undefined && min !== undefined && facts.pageSizeBytes !== undefined) {
        lines.push({
          path: settings.path,
          line: entry.line,
          because: `udp_mem allows a charge of ${
            formatBytes(min * facts.pageSizeBytes)
          }; it counts the packets, not the blocks they pin, so it does not bound this`,
        });
      }
      return lines;
    }
  },
});
