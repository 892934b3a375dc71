import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../src/core/format.ts";
import type { Claim, Remedy } from "../src/core/report.ts";
import { inNetns } from "../src/core/shell.ts";
import type { MaybeValues, Parsed, Values } from "../src/core/source.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { MOST_OWNERS } from "../src/computed/owners.ts";
import { MIN_TRUESIZE_BYTES, placeSkbBytes, skbSlab } from "../src/computed/skb_memory.ts";
import { notSeen, unseenRoom } from "../src/computed/unseen_sockets.ts";
import { netnsName, netnsOf } from "../src/parsers/_groups.ts";
import { type SlabCache, slabinfo } from "../src/parsers/slabinfo.ts";
import { sockstat } from "../src/parsers/sockstat.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** Reassembly queues, one a datagram of which a part is missing; of all network namespaces together. */
const QUEUE_CACHES: ReadonlySet<string> = new Set(["ip4-frags", "ip6-frags"]);
/** SKB_TRUESIZE of a full Ethernet frame in a buffer of its own (2,048 bytes and the heads): more than a fragment is charged on most paths. */
const FULL_FRAGMENT_BYTES = 2304;
/** The head of a packet (struct sk_buff), and the caches of what it holds. */
const HEAD_BYTES = 256;
const DATA_CACHE = /^kmalloc-(?:rnd-\d+-|cg-)?\d+k?$/;
/** Up to a fifth of the objects of such a cache are something else's. */
const ABOUT = 1.2;
const LINES_SHOWN = 3;
/** net.ipv4.ipfrag_high_thresh and its IPv6 twin, of each namespace (net/ipv4/ip_fragment.c). */
const DEFAULT_THRESHOLD_BYTES: number = 4 * 2 ** 20;

const needs = { ledger, sockstat };
const uses = { slabinfo, skbSlab, unseenRoom };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** What the reassembly queues of one family in one namespace hold. */
interface Fragments {
  readonly namespace: string | undefined;
  readonly bytes: number;
  readonly queues: number;
  readonly ipv6: boolean;
  readonly path: string;
  readonly line: number;
}

/** Where something is held, the most first. */
function fragmentsOf({ sockstat: files }: Seen): Fragments[] {
  const families = [{ name: "FRAG", ipv6: false }, { name: "FRAG6", ipv6: true }];
  return files.flatMap(({ path, value }) =>
    families.flatMap(({ name, ipv6 }): Fragments[] => {
      const row = value.get(name);
      if (row?.memBytes === undefined) return [];
      const { memBytes: bytes, counts, line } = row;
      return [{ namespace: netnsOf(path), bytes, queues: counts.get("inuse") ?? 0, ipv6, path, line }];
    })
  ).sort((a, b) => b.bytes - a.bytes);
}

/** The queues of all namespaces, also of those that were not looked into. */
interface Queues {
  readonly slab: Parsed<readonly SlabCache[]>;
  readonly caches: readonly SlabCache[];
  readonly count: number;
  readonly leastBytes: number;
}

function queuesOf({ slabinfo: slab }: Seen): Queues | undefined {
  if (slab === undefined) return undefined;
  const caches = slab.value.filter(({ name, activeObjects }) => QUEUE_CACHES.has(name) && activeObjects > 0);
  const count = sumOf(caches, (each) => each.activeObjects);
  return { slab, caches, count, leastBytes: count * MIN_TRUESIZE_BYTES };
}

function remedies(largest: Fragments | undefined): Remedy[] {
  const enter = inNetns(largest?.namespace);
  const settings = largest?.ipv6 === true ? "net.ipv6.ip6frag" : "net.ipv4.ipfrag";
  return [
    {
      when: "now",
      text:
        `Lower the limit of the namespace: no further fragment is taken then. What is held stays until its time is over (ipfrag_time as it was when it came, 30 s by default); before Linux 4.17 it was dropped with the next fragment. ${
          remedyMark("ip-reassembly", "lower the limit")
        }`,
      commands: [
        `${enter}sysctl -w ${settings}_low_thresh=3145728 ${settings}_high_thresh=${DEFAULT_THRESHOLD_BYTES} ${settings}_time=30`,
      ],
      verify: `${enter}grep FRAG /proc/net/sockstat /proc/net/sockstat6`,
    },
    {
      when: "fix",
      text:
        "Find out why the rest of the datagrams does not come: a firewall that drops later fragments, a path that loses them, or a sender that attacks. Avoid fragments: " +
        `smaller datagrams, the right MTU. ${remedyMark("ip-reassembly", "find why the rest does not come")}`,
      commands: [`${enter}nstat -az | grep -E 'ReasmReqds|ReasmFails|ReasmTimeout'`],
      verify: "ReasmFails stops rising",
    },
    {
      when: "prevent",
      text:
        `Leave ipfrag_high_thresh at its default of 4 MiB unless datagrams of this size are wanted in such numbers. ${
          remedyMark("ip-reassembly", "the default limit")
        }`,
      commands: [`${enter}sysctl ${settings}_high_thresh`],
      verify: "FRAG memory stays below it",
    },
  ];
}

function countedFinding(fragments: readonly Fragments[], bytes: number, { ledger }: Seen): FindingDraft {
  const [largest] = fragments as readonly [Fragments];
  const holding = fragments.filter((each) => each.bytes > 0);
  return {
    title: `${formatBytes(bytes)} of IP fragments wait for the rest of their datagrams, ${
      formatBytes(largest.bytes)
    } of it in ${netnsName(largest.namespace)}`,
    confidence: "confirmed",
    material: true,
    claims: placeSkbBytes(bytes, ledger, undefined),
    owners: holding.slice(0, MOST_OWNERS).map(({ namespace, bytes: held, queues, ipv6 }) => ({
      pid: null,
      comm: netnsName(namespace),
      bytes: held,
      count: queues,
      detail: `${
        formatQuantity(queues, `unfinished ${ipv6 ? "IPv6" : "IPv4"} datagram`)
      }; its processes: lsns -t net -o NS,PID,COMMAND`,
    })),
    evidence: holding.slice(0, LINES_SHOWN).map(({ path, line, bytes: held, queues, namespace }): EvidenceLine => ({
      path,
      line,
      because: `${formatBytes(held)} in ${formatQuantity(queues, "unfinished datagram")} of ${
        netnsName(namespace)
      }; the default limit is ${formatBytes(DEFAULT_THRESHOLD_BYTES)}`,
    })),
    remedies: remedies(largest),
  };
}

/** From the packet data cache that has about one object a datagram, where there is one; else from the least and the most that a fragment takes. */
function estimate({ slab, caches, count, leastBytes }: Queues, { skbSlab: packets }: Seen): Claim["bytes"] {
  const [data] = slab.value.filter(({ name, activeObjects }) =>
    DATA_CACHE.test(name) && activeObjects >= count && activeObjects < count * ABOUT
  ).sort((a, b) => b.objectBytes - a.objectBytes);
  if (data !== undefined) {
    const bytes = count * (data.objectBytes + HEAD_BYTES + Math.max(...caches.map(({ objectBytes }) => objectBytes)));
    return { low: bytes, high: bytes };
  }
  const high = Math.min(count * FULL_FRAGMENT_BYTES, packets?.mostBytes ?? Infinity);
  return { low: Math.min(leastBytes, high), high };
}

function unseenFinding(queues: Queues, seen: Seen): FindingDraft {
  const { slab, caches, count } = queues;
  const { low, high } = estimate(queues, seen);
  return {
    title: `${formatQuantity(count, "unfinished IP datagram holds", "unfinished IP datagrams hold")} ${
      low === high ? `about ${formatBytes(low)}` : `${formatBytes(low)} to ${formatBytes(high)}`
    } of fragments, in a network namespace that was not captured`,
    confidence: "likely",
    material: true,
    claims: [{ account: "slab-unreclaimable", bytes: { low, high } }],
    owners: [{
      pid: null,
      comm: "a network namespace that was not captured",
      bytes: high,
      count,
      detail: "to find it: for pid in $(lsns -t net -n -o PID); do grep -H FRAG /proc/$pid/net/sockstat; done",
    }],
    evidence: caches.map(({ name, line, activeObjects }) => ({
      path: slab.path,
      line,
      because: `${
        formatCount(activeObjects)
      } objects of ${name} are alive, one a datagram of which a part is missing, over all namespaces`,
    })),
    remedies: remedies(undefined),
  };
}

export const ipReassembly: Analyzer = defineAnalyzer({
  id: "ip-reassembly",
  title: "IP fragments that wait for the rest of their datagram",
  mechanism:
    "The first fragments of datagrams are kept until the rest comes, or for ipfrag_time. What a network namespace may hold so is bounded by ipfrag_high_thresh, 4 MiB by " +
    "default: only where that was raised, or where there are thousands of namespaces, does it add up. It is counted in each namespace's own /proc/net/sockstat, and the host's says 0.",
  lookAlikes:
    "A socket backlog: the same packet caches grow, but sockets are charged. slab-leak: kmalloc-2k and skbuff_head_cache alone do not tell whose the packets are.",
  references: [
    "https://docs.kernel.org/networking/ip-sysctl.html",
    "net/ipv4/ip_fragment.c",
    "net/ipv4/inet_fragment.c",
  ],
  needs,
  uses,
  analyze(seen) {
    const materialBytes = materialQueueBytes(seen.ledger.totalBytes);
    const fragments = fragmentsOf(seen);
    const bytes = sumBytes(fragments);
    if (bytes >= materialBytes) return { findings: [countedFinding(fragments, bytes, seen)] };
    const queues = queuesOf(seen);
    if (queues !== undefined && queues.leastBytes >= materialBytes) return { findings: [unseenFinding(queues, seen)] };
    const namespaces = new Set(fragments.map(({ namespace }) => namespace)).size;
    const because = `reassembly queues of ${formatQuantity(namespaces, "network namespace")} hold ${
      formatBytes(bytes)
    }`;
    return notSeen(because, queues === undefined ? seen.unseenRoom?.packetBytes : undefined, bytes, seen.ledger);
  },
});
