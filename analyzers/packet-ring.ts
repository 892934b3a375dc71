import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import { accountBytes, type Ledger } from "../src/core/ledger.ts";
import type { Claim, Remedy } from "../src/core/report.ts";
import type { Parsed } from "../src/core/source.ts";
import { sumBytes, sumRanges } from "../src/core/sums.ts";
import { unaccountedBytes } from "../src/core/whole_ledger.ts";
import { copiedQueuesFinding, type CopiesKind, packetBacklog } from "../src/computed/copied_queues.ts";
import { ledger } from "../src/computed/ledger.ts";
import { groupByOwner, nameOfGroups, type OwnerGroup, ownerOf, stopAll } from "../src/computed/owners.ts";
import { type PacketRing, type PacketRings, packetRings } from "../src/computed/packet_rings.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { skbSlab } from "../src/computed/skb_memory.ts";
import { notSeen, unseenRoom } from "../src/computed/unseen_sockets.ts";
import { type SocketOwners, socketOwners } from "../src/computed/socket_owners.ts";
import { type Meminfo, meminfo } from "../src/parsers/meminfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** tcpdump's and libpcap's ring on one interface is 2 MiB (`-B` changes it): a few programs with one each are no news. */
const WORTH_A_LINE_BYTES = 16 * 2 ** 20;
/** 32 of those rings: beyond what listens on a host by default. An intrusion detection that is given more was given it on purpose, and holds it all the same. */
const MATERIAL_BYTES = 64 * 2 ** 20;
/** On a small host that default is too large. */
const MATERIAL_SHARE = 0.02;
/** The accounts must have room for this share of the rings; counters are read a moment apart. */
const MIN_ACCOUNTED_SHARE = 0.85;

/** Packet sockets without a ring, or beside one: what they got and nobody read. */
const QUEUE: CopiesKind = {
  noun: "packet socket",
  column: "Rmem of /proc/net/packet",
  look: "ss -0aepm",
  endMark: remedyMark("packet-ring", "end the owner of a queue"),
  fix:
    "Let the program read, or have a filter (SO_ATTACH_FILTER) drop what it does not want: every packet socket gets a copy of all packets of its protocol, and those of " +
    `ETH_P_ALL of all there are. One that only sends is opened with protocol 0: it gets none. ${
      remedyMark("packet-ring", "packet socket that only sends")
    }`,
};

/** Rings are whole pages in no account; where memory is too fragmented for a block, the kernel takes it from vmalloc (alloc_one_pg_vec_page()). */
function place(bytes: number, ledger: Ledger): Claim[] {
  const outside = Math.min(bytes, unaccountedBytes(ledger));
  const mapped = Math.min(bytes - outside, accountBytes(ledger, "vmalloc") ?? 0);
  const claims: Claim[] = [
    { account: "unaccounted", bytes: { low: outside, high: outside } },
    { account: "vmalloc", bytes: { low: mapped, high: mapped } },
  ];
  return claims.filter((claim) => claim.bytes.high > 0);
}

function remedies(groups: readonly OwnerGroup<PacketRing>[], known: readonly Process[] | undefined): Remedy[] {
  return [
    {
      when: "now",
      text: `End or restart the capturing program in an orderly way: a ring goes when its socket is closed. ${
        remedyMark("packet-ring", "end the owner")
      }`,
      commands: stopAll(groups, known),
      verify: "`ss -0ae` shows no ring_rx of that size any more, and MemFree rises by as much",
    },
    {
      when: "fix",
      text:
        "Give it a smaller ring: tcpdump -B (in KiB), dumpcap -B (in MiB), Suricata's af-packet ring-size, or tp_block_nr of PACKET_RX_RING in a program of " +
        `your own. The memory is taken when the ring is made, not when packets come. ${
          remedyMark("packet-ring", "smaller ring")
        }`,
      commands: ["tcpdump -B 2048 -i any -w out.pcap"],
      verify: "blk_size times blk_nr in `ss -0ae` is what you meant",
    },
    {
      when: "prevent",
      text: `Only CAP_NET_RAW may open packet sockets: take it from what need not capture. ${
        remedyMark("packet-ring", "take CAP_NET_RAW")
      }`,
      commands: ["ss -0aep"],
      verify: "only the programs that should are listed",
    },
  ];
}

interface Context {
  readonly ledger: Ledger;
  readonly owners: SocketOwners | undefined;
  readonly processes: readonly Process[] | undefined;
  readonly meminfo: Parsed<Meminfo> | undefined;
}

function bytesOf(rings: readonly PacketRing[]): number {
  return sumBytes(rings);
}

function ringFinding(
  { rings }: PacketRings,
  { ledger, owners, processes, meminfo }: Context,
): FindingDraft | undefined {
  const bytes = bytesOf(rings);
  if (bytes < WORTH_A_LINE_BYTES) return undefined;
  const groups = groupByOwner(rings, owners);
  const claims = place(bytes, ledger);
  const accounted = sumRanges(claims).low;
  return {
    title: `${nameOfGroups(groups)}: ${formatBytes(bytes)} in the rings of ${
      formatQuantity(rings.length, "packet socket")
    }`,
    confidence: accounted >= MIN_ACCOUNTED_SHARE * bytes ? "confirmed" : "likely",
    material: bytes >= Math.min(MATERIAL_BYTES, MATERIAL_SHARE * ledger.totalBytes),
    claims,
    owners: groups.map((group) => ownerOf(group, "ring", "ss -0aep")),
    evidence: evidence(rings, ledger, meminfo),
    remedies: remedies(groups, processes),
  };
}

function evidence(
  rings: readonly PacketRing[],
  ledger: Ledger,
  file: Parsed<Meminfo> | undefined,
): EvidenceLine[] {
  const [largest] = rings as [PacketRing];
  const lines: EvidenceLine[] = [{
    path: largest.path,
    line: largest.line,
    because: `the largest ring: ${formatBytes(largest.bytes)} (block size times number of blocks)`,
  }];
  if (largest.table !== undefined) {
    lines.push({
      path: largest.table.path,
      line: largest.table.line,
      because: "the same socket: its Rmem does not count a ring, nor does sockstat",
    });
  }
  const total = file?.value.bytes.get("MemTotal");
  if (file !== undefined && total !== undefined) {
    const residual = accountBytes(ledger, "unaccounted") ?? 0;
    lines.push({
      path: file.path,
      line: total.line,
      because: `of this, ${formatBytes(residual)} (${
        formatShare(residual, ledger.totalBytes)
      }) is in no account of the kernel: rings are part of that`,
    });
  }
  return lines;
}

export const packetRing: Analyzer = defineAnalyzer({
  id: "packet-ring",
  title: "Rings and queues of packet sockets",
  mechanism:
    "A program that captures packets (tcpdump, an intrusion detection, lldpd) may ask for a ring that it shares with the kernel. All of it is taken at once, " +
    "whether packets come or not, and held until the socket is closed. It is in no account of /proc/meminfo; when the program maps it, it is in Mapped and in " +
    "its RSS, too, but still in no account. Without a ring, packets that are not read stay in the socket's queue, up to its receive buffer.",
  lookAlikes:
    "A driver that leaks pages: no packet socket explains it. tcpdump's ordinary ring of 2 MiB. AF_XDP rings are vmalloc memory (vmalloc-leak).",
  references: [
    "https://docs.kernel.org/networking/packet_mmap.html",
    "net/packet/af_packet.c packet_set_ring()",
  ],
  needs: { ledger, packetRings },
  uses: { packetBacklog, unseenRoom, socketOwners, processes, meminfo, skbSlab },
  analyze(
    {
      ledger,
      packetRings: found,
      packetBacklog: backlog,
      unseenRoom: unseen,
      socketOwners: owners,
      processes,
      meminfo,
      skbSlab: slab,
    },
  ) {
    const findings = [
      ringFinding(found, { ledger, owners, processes, meminfo }),
      backlog && copiedQueuesFinding(backlog, QUEUE, { ledger, owners, processes, slab }),
    ].filter((finding) => finding !== undefined);
    if (findings.length > 0) return { findings };
    const { rings, sockets } = found;
    const all = sockets === undefined ? "" : ` of ${formatQuantity(sockets, "packet socket")}`;
    const queued = backlog === undefined ? "" : `, their queues ${formatBytes(backlog.chargedBytes)}`;
    const room = unseen && Math.max(unseen.ringBytes, unseen.packetBytes);
    const shown = bytesOf(rings) + (backlog?.chargedBytes ?? 0);
    return notSeen(`the rings${all} are ${formatBytes(bytesOf(rings))}${queued}`, room, shown, ledger);
  },
});
