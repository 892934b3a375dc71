import { type Analyzer, defineAnalyzer, type EvidenceLine } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatShare } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialHeldBytes } from "../src/computed/material.ts";
import { type HugePageAmount, type HugePagePool, hugepages } from "../src/parsers/hugepages.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** A pool is sized for the most that its service needs, and some is left over: a twentieth is no more than rounding and growth call for. */
const HEADROOM_SHARE = 0.05;

interface Unused {
  readonly pageBytes: number;
  readonly bytes: number;
  readonly total: HugePageAmount;
  readonly free: HugePageAmount;
}

/** What no mapping uses, and none has been promised. */
function unused({ pageBytes, total, free, reserved }: HugePagePool): Unused[] {
  if (total === undefined || free === undefined) return [];
  return [{ pageBytes, total, free, bytes: Math.max(0, free.bytes - (reserved?.bytes ?? 0)) }];
}

function remedies(pools: readonly Unused[]): Remedy[] {
  const keep = ({ total, bytes, pageBytes }: Unused): number => Math.round((total.bytes - bytes) / pageBytes);
  const file = ({ pageBytes }: Unused): string =>
    `/sys/kernel/mm/hugepages/hugepages-${pageBytes / 1024}kB/nr_hugepages`;
  return [
    {
      when: "now",
      text: `Give back what nobody uses: only free huge pages are taken from the pool. ${
        remedyMark("hugetlb-reservation", "give back what is free")
      }`,
      commands: pools.map((pool) => `echo ${keep(pool)} > ${file(pool)}`),
      verify: "Hugetlb of /proc/meminfo falls, MemFree rises by as much",
    },
    {
      when: "fix",
      text:
        "Find what set them aside: sysctl.d, the kernel's command line, or a service that was to use them and does not run (a database whose start " +
        `failed, or that is not told to use huge pages). ${
          remedyMark("hugetlb-reservation", "find what set them aside")
        }`,
      commands: [
        "grep -rs nr_hugepages /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d",
        "grep -o 'hugepages[^ ]*' /proc/cmdline",
      ],
      verify: "HugePages_Free of /proc/meminfo is near 0 when the service runs",
    },
    {
      when: "prevent",
      text: `Reserve no more than the service maps, or let it allocate on demand. ${
        remedyMark("hugetlb-reservation", "allocate on demand")
      }`,
      commands: ["sysctl -w vm.nr_overcommit_hugepages=PAGES"],
      verify: "HugePages_Surp counts what was allocated on demand",
    },
  ];
}

export const hugetlbReservation: Analyzer = defineAnalyzer({
  id: "hugetlb-reservation",
  title: "Huge pages that are set aside and unused",
  mechanism:
    "Huge pages of a pool (vm.nr_hugepages, hugepages= at boot) are taken from the host when the pool is made, whether anybody maps them or not. " +
    "Nothing else can use them, not even the page cache, and they are in no process's RSS.",
  lookAlikes:
    "Huge pages in use: a database or a virtual machine has mapped them, and they are its memory. Transparent huge pages (thp-bloat) are anonymous " +
    "memory and need no pool. Promised pages (HugePages_Rsvd) are free, but have a taker.",
  references: ["https://docs.kernel.org/admin-guide/mm/hugetlbpage.html"],
  needs: { ledger, hugepages },
  uses: {},
  analyze({ ledger: { totalBytes }, hugepages: pools }) {
    const idle = pools.flatMap(unused).filter(({ bytes, total: { bytes: all } }) => bytes > HEADROOM_SHARE * all);
    const bytes = idle.reduce((sum, pool) => sum + pool.bytes, 0);
    const total = pools.reduce((sum, pool) => sum + (pool.total?.bytes ?? 0), 0);
    if (bytes < materialHeldBytes(totalBytes)) {
      return { ruledOut: `${formatBytes(total)} are set aside as huge pages, ${formatBytes(bytes)} of it for nobody` };
    }
    const evidence: EvidenceLine[] = idle.flatMap(({ pageBytes, total: all, free, bytes: held }) => [
      {
        path: all.path,
        line: all.line,
        because: `huge pages of ${formatBytes(pageBytes)} that are set aside: ${formatBytes(all.bytes)}`,
      },
      {
        path: free.path,
        line: free.line,
        because: `of which ${formatBytes(held)} are neither used nor promised to a mapping`,
      },
    ]);
    return {
      findings: [{
        title: `${formatBytes(bytes)} (${formatShare(bytes, totalBytes)}) are set aside as huge pages that nobody uses`,
        confidence: "confirmed",
        material: true,
        claims: [{ account: "hugetlb", bytes: { low: bytes, high: bytes } }],
        owners: idle.map((pool) => ({
          pid: null,
          comm: `hugepages-${pool.pageBytes / 1024}kB`,
          bytes: pool.bytes,
          count: pool.bytes / pool.pageBytes,
          detail:
            `${formatCount(pool.bytes / pool.pageBytes)} of ${
              formatCount(pool.total.bytes / pool.pageBytes)
            } pages; who set them aside: ` +
            "grep -rs hugepages /etc/sysctl.d /proc/cmdline",
        })),
        evidence,
        remedies: remedies(idle),
      }],
    };
  },
});
