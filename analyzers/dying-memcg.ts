import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount } from "../src/core/format.ts";
import { accountBytes, type Ledger } from "../src/core/ledger.ts";
import type { Claim, Remedy } from "../src/core/report.ts";
import type { HostFacts } from "../src/core/source.ts";
import { sumRanges } from "../src/core/sums.ts";
import { type DyingMemcgs, dyingMemcgs, MEMCG_BYTES_A_CPU } from "../src/computed/dying_memcgs.ts";
import { forecast, inBytes } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialSlabBytes } from "../src/computed/material.ts";
import { type SlabCaches, slabCaches } from "../src/computed/slab_caches.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/**
 * What one removed group keeps in slab: struct mem_cgroup, its per-node parts, two cgroups of structures beside them, kernfs nodes. Measured on 6.18,
 * x86-64, one node: 12,600 B.
 */
const SLAB_BYTES = 12_600;
/** The objects that have a group each: their number is that of all groups, removed ones included. */
const GROUP_CACHE = "mem_cgroup";
/** Both numbers are read a moment apart, and groups come and go. */
const SAME_COUNT = 0.9;

function remedies(isV2: boolean): Remedy[] {
  return [
    {
      when: "now",
      text:
        "Let go of what is charged to them: mostly page cache and files on tmpfs that were written by a service or container which is gone. Deleting or emptying such files frees " +
        `the groups at once; reclaim of the parent group frees those held by page cache (memory.reclaim of cgroup v2 from Linux 5.19 on, memory.force_empty of v1). ${
          remedyMark("dying-memcg", "let go of what is charged")
        }`,
      commands: [
        "df -h -t tmpfs",
        ": > FILE",
        isV2
          ? "echo 1G > /sys/fs/cgroup/system.slice/memory.reclaim"
          : "echo 0 > /sys/fs/cgroup/memory/system.slice/memory.force_empty",
      ],
      verify: "nr_dying_descendants of /sys/fs/cgroup/cgroup.stat, or num_cgroups of memory in /proc/cgroups, falls",
    },
    {
      when: "fix",
      text:
        `Find what makes and removes groups all the time (short-lived units, cron jobs with a session each, containers that restart in a loop), and let it keep one. ${
          remedyMark("dying-memcg", "find what makes groups")
        }`,
      commands: ["journalctl --since -1h | grep -cE 'Started|Created slice'", "systemd-cgtop -b -n 1 | head -20"],
      verify: "the number of removed groups stays level",
    },
    {
      when: "prevent",
      text: `Move to cgroup v2 and Linux 5.9 or newer, where slab no longer keeps removed groups. ${
        remedyMark("dying-memcg", "cgroup v2")
      }`,
      commands: ["stat -fc %T /sys/fs/cgroup"],
      verify: "it prints cgroup2fs",
    },
  ];
}

function percpuBytes({ count }: DyingMemcgs, ledger: Ledger, { cpus }: HostFacts): number {
  return Math.min(accountBytes(ledger, "percpu") ?? 0, count * MEMCG_BYTES_A_CPU * (cpus ?? 1));
}

function claimsOf(dying: DyingMemcgs, ledger: Ledger, facts: HostFacts): Claim[] {
  const slab = dying.count * SLAB_BYTES;
  const page = dying.count * (facts.pageSizeBytes ?? 0);
  const percpu = percpuBytes(dying, ledger, facts);
  // The per-CPU copies are charged, too: a pointer for every word of them, in vmalloc (pcpuobj_ext, from 5.9 on). And each group is there for
  // one page at the least, often of a file on tmpfs.
  const parts: readonly [Claim["account"], number, number][] = [
    ["slab-unreclaimable", slab, slab],
    ["percpu", percpu, percpu],
    ["vmalloc", percpu, percpu],
    ["shmem", 0, page],
  ];
  return parts.map(([account, low, high]) => {
    const most = Math.round(Math.min(high, accountBytes(ledger, account) ?? 0));
    return { account, bytes: { low: Math.min(low, most), high: most } };
  }).filter(({ bytes: { high } }) => high > 0);
}

/** The cache of struct mem_cgroup, from 6.14 on one of its own: as many objects as there are groups. */
function groupObjects({ count }: DyingMemcgs, caches: SlabCaches | undefined): EvidenceLine | undefined {
  // By its name first: there may be tens of thousands, and few are merged.
  const named = caches?.caches.find(({ name }) => name === GROUP_CACHE);
  const cache = named === undefined
    ? caches?.caches.map(caches.useOf).find(({ aliases }) => aliases.includes(GROUP_CACHE))
    : caches?.useOf(named);
  if (cache === undefined || cache.activeObjects < SAME_COUNT * count) return undefined;
  return {
    path: cache.path,
    line: cache.line,
    because: `${formatCount(cache.activeObjects)} structures of memory cgroups are in use`,
  };
}

function numbersOf({ count, living }: DyingMemcgs): string {
  return `${formatCount(count)} removed memory cgroups beside ${formatCount(living)} that are in use`;
}

function evidence(dying: DyingMemcgs, objects: EvidenceLine | undefined): EvidenceLine[] {
  const how = dying.counted ? "the kernel counts" : "the kernel has more groups than folders:";
  const trend = growth(dying.series);
  const change = trend === undefined
    ? ""
    : `; ${formatCount(Math.round(trend.changeBytes))} more in ${Math.round(trend.spanSeconds)} s`;
  const line = { path: dying.path, line: dying.line, because: `${how} ${numbersOf(dying)}${change}` };
  return [line, ...(objects === undefined ? [] : [objects])];
}

/** @param each What each of them takes. */
function finding(
  dying: DyingMemcgs,
  claims: readonly Claim[],
  objects: EvidenceLine | undefined,
  each: number,
  ledger: Ledger,
): FindingDraft {
  const held = sumRanges(claims).low;
  const trend = growth(dying.series);
  return {
    title: `${formatCount(dying.count)} memory cgroups that were removed are still there and hold about ${
      formatBytes(held)
    }`,
    confidence: dying.counted || objects !== undefined ? "confirmed" : "likely",
    material: true,
    claims,
    // Of when the ledger was read.
    ...forecast(trend && inBytes(trend, each), dying.series.slice(0, 1).map(({ time }) => ({ time, value: ledger }))),
    owners: [{
      pid: null,
      comm: "removed memory cgroups",
      bytes: held,
      count: dying.count,
      detail:
        "their names are gone with their folders; what keeps them: files on tmpfs (df -t tmpfs) and page cache that they wrote. Who makes them: systemd-cgtop, journalctl",
    }],
    evidence: evidence(dying, objects),
    remedies: remedies(dying.counted),
  };
}

export const dyingMemcg: Analyzer = defineAnalyzer({
  id: "dying-memcg",
  title: "Memory cgroups that were removed and are still there",
  mechanism:
    "A memory cgroup lives until the last page charged to it is gone. A page of the page cache or of tmpfs that a short-lived service touched keeps its group, with " +
    "all its per-CPU statistics: some 10 KB of slab and 2 KB for each CPU. A host that starts and ends services all day collects a hundred thousand of them, which " +
    "are in no folder of /sys/fs/cgroup.",
  lookAlikes:
    "percpu-growth and slab-leak: the same memory, without the name. Many living groups: those have a folder each and are in use.",
  references: [
    "https://docs.kernel.org/admin-guide/cgroup-v2.html",
    "https://lwn.net/Articles/787614/",
    "mm/memcontrol.c mem_cgroup_css_offline()",
  ],
  needs: { ledger, dyingMemcgs },
  uses: { slabCaches },
  analyze({ ledger, dyingMemcgs: dying, slabCaches: caches }, facts) {
    const bytes = dying.count * SLAB_BYTES + percpuBytes(dying, ledger, facts);
    if (bytes < materialSlabBytes(ledger.totalBytes)) {
      return { ruledOut: `${numbersOf(dying)}: about ${formatBytes(bytes)}` };
    }
    const claims = claimsOf(dying, ledger, facts);
    return { findings: [finding(dying, claims, groupObjects(dying, caches), bytes / dying.count, ledger)] };
  },
});
