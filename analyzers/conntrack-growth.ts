import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import { overTime } from "../src/core/source.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { recentTrend } from "../src/computed/trend.ts";
import { isWholeList, WHOLE_SLABINFO } from "../src/computed/slab_caches.ts";
import { netnsOf } from "../src/parsers/_groups.ts";
import { conntrackStat } from "../src/parsers/conntrack_stat.ts";
import { slabinfo } from "../src/parsers/slabinfo.ts";
import { sysctl, sysctlNumbers } from "../src/parsers/sysctl.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { inNetns, setSysctl } from "../src/core/shell.ts";

/** Beside struct nf_conn: the extensions (NAT, accounting, timeouts) begin with 128 bytes (nf_ct_ext_add()). */
const EXTENSION_BYTES = 128;
const GIB = 2 ** 30;

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

function nameOf(namespace: string | undefined): string {
  return namespace === undefined ? "the initial network namespace" : `network namespace ${namespace}`;
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
  needs: { ledger, slabinfo },
  uses: { conntrackStat, sysctl, slabs: overTime(slabinfo) },
  analyze({ ledger, slabinfo: slab, conntrackStat: stats, sysctl: settings, slabs }) {
    // SLAB_TYPESAFE_BY_RCU caches are never merged: the cache has the entries of all namespaces, and nothing else.
    const cache = slab.value.find(({ name }) => /^nf_conntrack(?:_[0-9a-f]+)?$/.test(name));
    if (cache === undefined && !isWholeList(slab.path, slab.value)) return { notAssessed: [WHOLE_SLABINFO] };
    if (cache === undefined) return { ruledOut: "there is no cache of connection tracking: its module is not loaded" };
    const namespaces = (stats ?? []).map(({ path, value }) => ({ path, namespace: netnsOf(path), ...value })).sort((
      a,
      b,
    ) => b.entries - a.entries);
    const counted = namespaces.reduce((sum, { entries }) => sum + entries, 0);
    const entries = Math.max(cache.activeObjects, counted);
    const each = cache.objectBytes + EXTENSION_BYTES;
    const bytes = entries * each;
    const usual = mostByDefault(ledger.totalBytes);
    if (bytes < materialQueueBytes(ledger.totalBytes) || entries <= usual) {
      return {
        ruledOut: `${formatQuantity(entries, "entry takes", "entries take")} about ${
          formatBytes(bytes)
        }; a host of this size has room for ${formatCount(Math.round(usual))} by default`,
      };
    }
    const trend = recentTrend((slabs ?? []).flatMap(({ time, value }) => {
      const then = value.value.find(({ name }) => name === cache.name);
      return then === undefined ? [] : [{ time, bytes: then.activeObjects * each }];
    }));
    const grows = trend !== undefined && trend.low > 0;
    const [largest] = namespaces;
    // Where the namespace was not captured, the cache still tells the number.
    const where = largest !== undefined && largest.entries > entries / 2
      ? nameOf(largest.namespace)
      : "a network namespace that was not captured";
    const limit = settings?.value.get("net.netfilter.nf_conntrack_max");
    const [maximum] = settings === undefined
      ? []
      : sysctlNumbers(settings.value, "net.netfilter.nf_conntrack_max") ?? [];
    const evidence: EvidenceLine[] = [{
      path: slab.path,
      line: cache.line,
      because: `${
        formatCount(cache.activeObjects)
      } entries over all namespaces, ${each} bytes each with the extensions${
        grows ? `; they grew by ${formatBytes(trend.changeBytes)} in ${Math.round(trend.spanSeconds)} s` : ""
      }`,
    }];
    for (const each of namespaces.slice(0, 3)) {
      if (each.entries > 0) {
        evidence.push({
          path: each.path,
          line: each.line,
          because: `${formatCount(each.entries)} entries (the first column, hexadecimal) in ${nameOf(each.namespace)}`,
        });
      }
    }
    if (settings !== undefined && limit !== undefined && maximum !== undefined) {
      evidence.push({
        path: settings.path,
        line: limit.line,
        because: `each namespace may have ${formatCount(maximum)} entries; by default at the most ${
          formatCount(Math.round(usual))
        } here`,
      });
    }
    const draft: FindingDraft = {
      title: `${formatQuantity(entries, "connection tracking entry holds", "connection tracking entries hold")} ${
        formatBytes(bytes)
      }, most of them in ${where}`,
      confidence: "confirmed",
      material: true,
      claims: [{ account: "slab-unreclaimable", bytes: { low: bytes, high: bytes } }],
      ...(grows ? { growthBytesPerSecond: { low: trend.low, high: trend.high } } : {}),
      owners: namespaces.filter((each) => each.entries > entries / 100).slice(0, 20).map((found) => ({
        pid: null,
        comm: nameOf(found.namespace),
        bytes: found.entries * each,
        count: found.entries,
        detail: "its processes: lsns -t net -o NS,PID,COMMAND",
      })),
      evidence,
      remedies: remedies(largest?.namespace),
    };
    if (draft.owners.length > 0) return { findings: [draft] };
    const unknown = {
      pid: null,
      comm: where,
      bytes,
      count: entries,
      detail: "to find it: for pid in $(lsns -t net -n -o PID); do head -2 /proc/$pid/net/stat/nf_conntrack; done",
    };
    return { findings: [{ ...draft, owners: [unknown] }] };
  },
});
