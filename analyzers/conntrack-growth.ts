import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../src/core/format.ts";
import type { Owner, Remedy } from "../src/core/report.ts";
import { type MaybeValues, overTime, type Values } from "../src/core/source.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { MOST_OWNERS } from "../src/computed/owners.ts";
import type { Trend } from "../src/computed/trend.ts";
import { isWholeList, WHOLE_SLABINFO } from "../src/computed/slab_caches.ts";
import { netnsName, netnsOf } from "../src/parsers/_groups.ts";
import { type ConntrackStat, conntrackStat } from "../src/parsers/conntrack_stat.ts";
import { type SlabCache, slabinfo } from "../src/parsers/slabinfo.ts";
import { sysctl, sysctlNumbers } from "../src/parsers/sysctl.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { inNetns, setSysctl } from "../src/core/shell.ts";
import { sumOf } from "../src/core/sums.ts";

/** Beside struct nf_conn: the extensions (NAT, accounting, timeouts) begin with 128 bytes (nf_ct_ext_add()). */
const EXTENSION_BYTES = 128;
const GIB = 2 ** 30;
const LINES_SHOWN = 3;
/** With less than this of all entries a namespace is not named. */
const MIN_NAMED_SHARE = 0.01;

const needs = { ledger, slabinfo };
const uses = { conntrackStat, sysctl, slabs: overTime(slabinfo) };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** The table of a namespace that was captured. */
interface Table extends ConntrackStat {
  readonly path: string;
  readonly namespace: string | undefined;
}

/** All tables together: the cache has the entries of those that were not captured, too. */
interface Tables {
  readonly cache: SlabCache;
  /** Those that were captured, the largest first. */
  readonly known: readonly Table[];
  readonly entries: number;
  readonly bytesAnEntry: number;
}

/**
 * The most that nf_conntrack_max is by default on a host of this size, over all kernels (nf_conntrack_init_start(): a bucket for each 16 KiB of
 * memory up to 65,536 or 262,144 buckets, and one to four entries a bucket). More entries than this take a limit raised by hand, or many namespaces.
 */
function mostByDefault(totalBytes: number): number {
  return totalBytes > GIB ? 262_144 : (totalBytes / 16_384 / 8) * 4;
}

function remedies(namespace: string | undefined): Remedy[] {
  const enter = inNetns(namespace);
  const timeouts = [
    "net.netfilter.nf_conntrack_tcp_timeout_established=86400",
    "net.netfilter.nf_conntrack_udp_timeout_stream=60",
  ];
  return [
    {
      when: "now",
      text:
        `Drop the entries of the traffic that fills the table; flushing all of it breaks NATed connections that are open. ${
          remedyMark("conntrack-growth", "drop entries")
        }`,
      commands: [
        `${enter}conntrack -L -o extended | awk '{ print $3, $7, $8 }' | sort | uniq -c | sort -rn | head`,
        `${enter}conntrack -D -p udp --dport PORT`,
      ],
      verify: "the first column of /proc/net/stat/nf_conntrack (hexadecimal) falls in that namespace",
    },
    {
      when: "fix",
      text:
        `Shorten the timeouts of what is most (established TCP is kept for five days by default), or exempt traffic that needs no tracking. ${
          remedyMark("conntrack-growth", "shorter timeouts")
        }`,
      commands: [
        // What a namespace is to keep is for who makes it.
        ...(namespace === undefined
          ? timeouts.flatMap(setSysctl)
          : timeouts.map((each) => `${enter}sysctl -w ${each}`)),
        `${enter}nft add table inet raw`,
        `${enter}nft add chain inet raw prerouting '{ type filter hook prerouting priority raw; }'`,
        `${enter}nft add rule inet raw prerouting udp dport PORT notrack`,
      ],
      verify: "the number of entries stays level under the same load",
    },
    {
      when: "prevent",
      text: `Bound the table: 300 MB are about 800,000 entries. ${remedyMark("conntrack-growth", "bound the table")}`,
      commands: setSysctl("net.netfilter.nf_conntrack_max=262144"),
      verify: "the kernel log says `nf_conntrack: table full, dropping packet` when it is reached",
    },
  ];
}

function tablesOf(cache: SlabCache, { conntrackStat: stats }: Seen): Tables {
  const known = (stats ?? []).map(({ path, value }) => ({ path, namespace: netnsOf(path), ...value }))
    .sort((a, b) => b.entries - a.entries);
  const counted = sumOf(known, (each) => each.entries);
  return {
    cache,
    known,
    entries: Math.max(cache.activeObjects, counted),
    bytesAnEntry: cache.objectBytes + EXTENSION_BYTES,
  };
}

function growthOf({ cache, bytesAnEntry }: Tables, { slabs }: Seen): Trend | undefined {
  return growth((slabs ?? []).flatMap(({ time, value }) => {
    const then = value.value.find(({ name }) => name === cache.name);
    return then === undefined ? [] : [{ time, bytes: then.activeObjects * bytesAnEntry }];
  }));
}

function limitEvidence({ ledger, sysctl: settings }: Seen): EvidenceLine[] {
  const limit = settings?.value.get("net.netfilter.nf_conntrack_max");
  const [maximum] = (settings && sysctlNumbers(settings.value, "net.netfilter.nf_conntrack_max")) ?? [];
  if (settings === undefined || limit === undefined || maximum === undefined) return [];
  const because = `each namespace may have ${formatCount(maximum)} entries; by default at the most ${
    formatCount(Math.round(mostByDefault(ledger.totalBytes)))
  } here`;
  return [{ path: settings.path, line: limit.line, because }];
}

function evidence({ cache, known, bytesAnEntry }: Tables, trend: Trend | undefined, seen: Seen): EvidenceLine[] {
  const grown = trend === undefined
    ? ""
    : `; they grew by ${formatBytes(trend.changeBytes)} in ${Math.round(trend.spanSeconds)} s`;
  return [
    {
      path: seen.slabinfo.path,
      line: cache.line,
      because: `${
        formatCount(cache.activeObjects)
      } entries over all namespaces, ${bytesAnEntry} bytes each with the extensions${grown}`,
    },
    ...known.slice(0, LINES_SHOWN).filter(({ entries }) => entries > 0).map(({ path, line, entries, namespace }) => ({
      path,
      line,
      because: `${formatCount(entries)} entries (the first column, hexadecimal) in ${netnsName(namespace)}`,
    })),
    ...limitEvidence(seen),
  ];
}

function owners({ known, entries, bytesAnEntry }: Tables, where: string): Owner[] {
  const named = known.filter((table) => table.entries > entries * MIN_NAMED_SHARE).slice(0, MOST_OWNERS);
  if (named.length > 0) {
    return named.map((table) => ({
      pid: null,
      comm: netnsName(table.namespace),
      bytes: table.entries * bytesAnEntry,
      count: table.entries,
      detail: "its processes: lsns -t net -o NS,PID,COMMAND",
    }));
  }
  return [{
    pid: null,
    comm: where,
    bytes: entries * bytesAnEntry,
    count: entries,
    detail: "to find it: for pid in $(lsns -t net -n -o PID); do head -2 /proc/$pid/net/stat/nf_conntrack; done",
  }];
}

function finding(tables: Tables, seen: Seen): FindingDraft {
  const { known: [largest], entries } = tables;
  const bytes = entries * tables.bytesAnEntry;
  const trend = growthOf(tables, seen);
  // Where the namespace was not captured, the cache still tells the number.
  const where = largest !== undefined && largest.entries > entries / 2
    ? netnsName(largest.namespace)
    : "a network namespace that was not captured";
  return {
    title: `${formatQuantity(entries, "connection tracking entry holds", "connection tracking entries hold")} ${
      formatBytes(bytes)
    }, most of them in ${where}`,
    confidence: "confirmed",
    material: true,
    claims: [{ account: "slab-unreclaimable", bytes: { low: bytes, high: bytes } }],
    ...(trend === undefined ? {} : { growthBytesPerSecond: { low: trend.low, high: trend.high } }),
    owners: owners(tables, where),
    evidence: evidence(tables, trend, seen),
    remedies: remedies(largest?.namespace),
  };
}

export const conntrackGrowth: Analyzer = defineAnalyzer({
  id: "conntrack-growth",
  title: "The connection tracking table",
  mechanism:
    "Netfilter keeps an entry of about 400 bytes for each connection, TCP's for five days, until a timeout. Each network namespace has a table of its own, so the host's " +
    "count may say 0. nf_conntrack_max bounds it; where that was raised, the table fills slab.",
  lookAlikes:
    "A busy NAT gateway, whose table is large and steady, below the default limit. slab-leak: kmalloc-128 grows without nf_conntrack. Sockets in TIME_WAIT.",
  references: ["https://docs.kernel.org/networking/nf_conntrack-sysctl.html", "net/netfilter/nf_conntrack_core.c"],
  needs,
  uses,
  analyze(seen) {
    const { totalBytes } = seen.ledger;
    const { path, value: caches } = seen.slabinfo;
    // SLAB_TYPESAFE_BY_RCU caches are never merged: the cache has the entries of all namespaces, and nothing else.
    const cache = caches.find(({ name }) => /^nf_conntrack(?:_[0-9a-f]+)?$/.test(name));
    if (cache === undefined && !isWholeList(path, caches)) return { notAssessed: [WHOLE_SLABINFO] };
    if (cache === undefined) return { ruledOut: "there is no cache of connection tracking: its module is not loaded" };
    const tables = tablesOf(cache, seen);
    const { entries, bytesAnEntry } = tables;
    const bytes = entries * bytesAnEntry;
    const usual = mostByDefault(totalBytes);
    if (bytes >= materialQueueBytes(totalBytes) && entries > usual) return { findings: [finding(tables, seen)] };
    return {
      ruledOut: `${formatQuantity(entries, "entry takes", "entries take")} about ${
        formatBytes(bytes)
      }; a host of this size has room for ${formatCount(Math.round(usual))} by default`,
    };
  },
});
