import { type Analyzer, defineAnalyzer, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatShare } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import type { Claim, Remedy } from "../src/core/report.ts";
import { shellWord } from "../src/core/shell.ts";
import { overTime, type Parsed, type TimePoint } from "../src/core/source.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialSlabBytes } from "../src/computed/material.ts";
import {
  cacheName,
  isSized,
  largestFirst,
  slabCaches,
  type SlabUse,
  usedSlabBytes,
  WHOLE_SLABINFO,
} from "../src/computed/slab_caches.ts";
import { type SlabCache, slabinfo } from "../src/parsers/slabinfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { sumOf } from "../src/core/sums.ts";

/** A cache in use is 70 to 100 % full: below half, most of its pages are there for objects that are gone. */
const HALF_EMPTY = 0.5;
/** What of a cache is not in use may be the slack of a cache that is being filled or emptied: seen twice, it stays. */
const SAME_SHARE = 0.9;
const CACHES_LISTED = 5;

function wasted({ bytes, usedBytes }: SlabUse): number {
  return bytes - usedBytes;
}

function isHalfEmpty({ objects, activeObjects }: SlabCache): boolean {
  return objects > 0 && activeObjects < HALF_EMPTY * objects;
}

function allWasted(caches: readonly SlabUse[]): number {
  return sumOf(caches, wasted);
}

function claim(account: Claim["account"], caches: readonly SlabUse[]): Claim[] {
  const bytes = Math.round(allWasted(caches));
  return bytes === 0 ? [] : [{ account, bytes: { low: bytes, high: bytes } }];
}

function remedies(caches: readonly SlabUse[]): Remedy[] {
  return [
    {
      when: "now",
      text:
        `Ask the kernel to give back the slabs of these caches that are wholly empty. It does not move objects: a slab with one object in use stays, so this seldom gives back much. ${
          remedyMark("slab-fragmentation", "give back empty slabs")
        }`,
      commands: caches.slice(0, CACHES_LISTED).map(({ name }) =>
        `echo 1 > ${shellWord(`/sys/kernel/slab/${name}/shrink`)}`
      ),
      verify: "num_objs of these caches in /proc/slabinfo falls towards active_objs",
    },
    {
      when: "fix",
      text:
        "The objects left over belong to processes that lived through the burst which filled the caches. Restart the long-lived ones among them, or the host; " +
        `otherwise the room is used again by the next burst, and nothing need be done. ${
          remedyMark("slab-fragmentation", "restart who lived through it")
        }`,
      commands: ["slabtop -o -s c | head -20"],
      verify: "Slab of /proc/meminfo falls",
    },
    {
      when: "prevent",
      text: `Bound the burst: limit what one service may have open or running at once. ${
        remedyMark("slab-fragmentation", "bound the burst")
      }`,
      commands: [
        "systemctl set-property SERVICE TasksMax=512",
        "systemctl edit SERVICE   # [Service] LimitNOFILE=65536: no property that set-property knows",
      ],
      verify: "num_objs of these caches stays near active_objs over days",
    },
  ];
}

/** Whether as much was wasted at each look. */
function stays(waste: number, history: readonly TimePoint<Parsed<readonly SlabCache[]>>[]): boolean {
  const seen = history.map(({ value: { value } }) =>
    sumOf(value.filter(isSized).filter(isHalfEmpty), (cache) => cache.totalBytes - usedSlabBytes(cache))
  );
  return seen.length > 1 && seen.every((bytes) => bytes >= SAME_SHARE * waste);
}

export const slabFragmentation: Analyzer = defineAnalyzer({
  id: "slab-fragmentation",
  title: "Few live objects keep many slab pages",
  mechanism:
    "A slab is a few pages with some dozens of objects of one kind. It is given back only when its last object is gone. After a burst (many files, sockets or " +
    "processes at once) the survivors are strewn over all the slabs, so that a cache keeps nearly all its pages for a few objects.",
  lookAlikes:
    "slab-leak: there the objects are in use. slabinfo counts objects in per-CPU slabs as in use, so the true waste is a little larger than shown. Caches of " +
    "dentries and inodes after reclaim: their empty slabs go with more pressure.",
  references: ["https://man7.org/linux/man-pages/man5/slabinfo.5.html", "mm/slub.c __kmem_cache_shrink()"],
  needs: { ledger, slabCaches },
  uses: { history: overTime(slabinfo) },
  analyze({ ledger, slabCaches: { caches, isWhole, useOf }, history }) {
    const sparse = caches.filter(isHalfEmpty).map(useOf).sort((a, b) => wasted(b) - wasted(a) || largestFirst(a, b));
    const waste = allWasted(sparse);
    const [first] = sparse;
    if (first === undefined || waste < materialSlabBytes(ledger.totalBytes)) {
      const slab = (accountBytes(ledger, "slab-reclaimable") ?? 0) + (accountBytes(ledger, "slab-unreclaimable") ?? 0);
      const hidden = slab - sumOf(caches, (each) => each.totalBytes);
      if (!isWhole && hidden >= materialSlabBytes(ledger.totalBytes)) return { notAssessed: [WHOLE_SLABINFO] };
      const held = first === undefined
        ? ""
        : `; ${sparse.length === 1 ? "it keeps" : "they keep"} ${formatBytes(waste)} for objects that are gone`;
      return {
        ruledOut: `${formatQuantity(sparse.length, "slab cache is", "slab caches are")} more than half empty${held}`,
      };
    }
    return { findings: [finding(first)] };

    function finding(largest: SlabUse): FindingDraft {
      const shown = sparse.filter((cache) => wasted(cache) >= waste / 100);
      return {
        title: `${formatQuantity(shown.length, "slab cache keeps", "slab caches keep")} ${
          formatBytes(waste)
        } of pages for objects that are gone, most of it ${cacheName(largest)}`,
        confidence: stays(waste, history ?? []) ? "confirmed" : "likely",
        // Reclaimable caches give their room back under pressure, if not all of it.
        material: allWasted(sparse.filter(({ reclaimable }) => !reclaimable)) >= materialSlabBytes(ledger.totalBytes),
        claims: [
          ...claim("slab-unreclaimable", sparse.filter(({ reclaimable }) => !reclaimable)),
          ...claim("slab-reclaimable", sparse.filter(({ reclaimable }) => reclaimable)),
        ],
        owners: shown.map((cache) => ({
          pid: null,
          comm: cache.name,
          bytes: Math.round(wasted(cache)),
          count: cache.objects - cache.activeObjects,
          detail: `${formatCount(cache.activeObjects)} of ${
            formatCount(cache.objects)
          } objects of ${cache.objectBytes} B are in use${
            cache.aliases.length === 0 ? "" : `; also: ${cache.aliases.join(", ")}`
          }`,
        })),
        evidence: shown.slice(0, CACHES_LISTED).map((cache) => ({
          path: cache.path,
          line: cache.line,
          because: `${cacheName(cache)}: ${
            formatShare(cache.activeObjects, cache.objects)
          } of its objects are in use, ${formatBytes(wasted(cache))} of its ${formatBytes(cache.bytes)} are not`,
        })),
        remedies: remedies(shown),
      };
    }
  },
});
