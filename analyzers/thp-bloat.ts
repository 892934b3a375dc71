import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import type { ByteRange, Remedy } from "../src/core/report.ts";
import { ledger } from "../src/computed/ledger.ts";
import { nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { type HugePageContents, hugePageContents } from "../src/parsers/huge_page_contents.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { thp } from "../src/parsers/thp.ts";

/** Below half, the program would need less than half the memory with small pages: the huge ones more than double it. */
const MIN_UNUSED_SHARE = 0.5;
/** Allocators keep some room that they have not used yet: an arena of 64 MiB for every few threads (glibc). Two of these are nothing yet. */
const MATERIAL_BYTES = 128 * 2 ** 20;
/** A tenth of a small host is much whatever it is (Oracle's memstate calls that major). */
const SMALL_HOST_SHARE = 0.1;
/** Without a look at what is in them, huge pages are only worth a question where they are most of what processes have. */
const DOMINANT_SHARE = 0.5;
/** The 95 % interval of a normal distribution. */
const Z_95 = 1.96;

/** A process and what of its huge pages was never used. */
interface Bloated extends ByteRange {
  readonly contents: HugePageContents;
  readonly comm: string;
  readonly share: number;
}

/** Zero pages inside huge pages that are in part in use: those that are all zero were touched on purpose, by whatever page size. */
function bloat(contents: HugePageContents, known: readonly Process[] | undefined): Bloated {
  const { pid, hugeBytes, looked, empty, pages, zeroPages } = contents;
  const inUse = (looked - empty) / looked;
  const share = pages === 0 ? 0 : inUse * (zeroPages / pages);
  // Each huge page that was looked at is one draw: the pages in it are alike.
  const error = Z_95 * Math.sqrt((share * (1 - share)) / looked);
  return {
    contents,
    comm: known?.find((process) => process.pid === pid)?.comm ?? "an unknown program",
    share,
    low: Math.round(hugeBytes * Math.max(0, share - error)),
    high: Math.round(hugeBytes * Math.min(1, share + error)),
  };
}

function remedies({ comm, contents: { pid } }: Bloated, known: readonly Process[] | undefined): Remedy[] {
  return [
    {
      when: "now",
      text: `Switch huge pages off where they were not asked for, then restart ${comm}: those that it has it keeps. A program that asks for them by itself ` +
        "(MADV_HUGEPAGE) only heeds never, which holds for the whole host.",
      commands: ["echo madvise > /sys/kernel/mm/transparent_hugepage/enabled", ...stopCommands({ comm, pids: [pid] }, known)],
      verify: "AnonHugePages of /proc/meminfo falls, and RssAnon of the new process stays far below that of the old one",
    },
    {
      when: "fix",
      text:
        "Switch them off for this program alone: its own setting (-XX:-UseTransparentHugePages, jemalloc's thp:never, glibc.malloc.hugetlb=0), or " +
        "prctl(PR_SET_THP_DISABLE) before it starts. Or let the kernel split huge pages that are hardly used: from Linux 6.12 on it does so under " +
        "pressure with a lower max_ptes_none (not verified by nailhouse's lab).",
      commands: ["echo 64 > /sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none"],
      verify: "thp_underused_split_page of /proc/vmstat rises",
    },
    {
      when: "prevent",
      text: "Set it at boot: transparent_hugepage=madvise on the kernel's command line (not verified by nailhouse's lab).",
      commands: ["grubby --update-kernel=ALL --args=transparent_hugepage=madvise"],
      verify: "cat /sys/kernel/mm/transparent_hugepage/enabled",
    },
  ];
}

export const thpBloat: Analyzer = defineAnalyzer({
  id: "thp-bloat",
  title: "Huge pages of which little is used",
  mechanism:
    "With transparent huge pages the first byte that a program writes brings 2 MiB into memory, and khugepaged makes huge pages of ranges of which a single small page is in use " +
    "(max_ptes_none is 511 by default). A program that writes here and there over a large range, or frees most of what is in each 2 MiB, is then charged for all of it: the rest is " +
    "zeros. AnonHugePages, AnonPages and RSS all show it as used.",
  lookAlikes:
    "A large working set in huge pages, which is what they are for: all counters are the same, only what is in the pages differs. user-leak: memory that was written. A heap that was " +
    "touched in advance (-XX:+AlwaysPreTouch) is zeros, too, but as a whole, and would be there with small pages as well. hugetlb-reservation: huge pages of the other kind.",
  references: [
    "https://docs.kernel.org/admin-guide/mm/transhuge.html",
    "mm/huge_memory.c thp_underused() (Linux 6.12)",
  ],
  needs: { ledger, meminfo },
  uses: { hugePageContents, processes, thp },
  analyze({ ledger, meminfo: { path, value }, hugePageContents: contents, processes: known, thp: setting }) {
    const huge = value.bytes.get("AnonHugePages");
    const anon = value.bytes.get("AnonPages");
    if (huge === undefined) return { ruledOut: "the kernel has no transparent huge pages" };
    const material = Math.min(MATERIAL_BYTES, SMALL_HOST_SHARE * ledger.totalBytes);
    if (huge.bytes < material) return { ruledOut: `${formatBytes(huge.bytes)} are in huge pages` };
    const total: EvidenceLine = {
      path,
      line: huge.line,
      because: anon === undefined
        ? "anonymous memory in huge pages"
        : `${formatShare(huge.bytes, Math.max(huge.bytes, anon.bytes))} of all anonymous memory is in huge pages`,
    };
    if (contents === undefined) {
      if (anon === undefined || huge.bytes >= DOMINANT_SHARE * anon.bytes) return { findings: [unknownFinding(huge.bytes)] };
      return { ruledOut: `${formatBytes(huge.bytes)} of ${formatBytes(anon.bytes)} of anonymous memory are in huge pages` };
    }
    const bloated = contents.value.map((each) => bloat(each, known))
      .filter(({ share }) => share >= MIN_UNUSED_SHARE)
      .sort((a, b) => b.high - a.high || a.contents.pid - b.contents.pid);
    const [largest] = bloated;
    const high = bloated.reduce((sum, each) => sum + each.high, 0);
    if (largest === undefined || high < material) {
      return {
        ruledOut: `${formatBytes(huge.bytes)} are in huge pages; those of ${
          formatQuantity(contents.value.length, "process", "processes")
        } that were looked at are in use`,
      };
    }
    const low = bloated.reduce((sum, each) => sum + each.low, 0);
    const name = nameOfGroup({ comm: largest.comm, pids: [largest.contents.pid] });
    const others = bloated.length === 1 ? "" : ` and ${formatQuantity(bloated.length - 1, "other")}`;
    return {
      findings: [{
        title: `${name}${others} ${bloated.length === 1 ? "has" : "have"} ${formatBytes((low + high) / 2)} in huge pages that were never used`,
        confidence: "confirmed",
        material: true,
        claims: [{ account: "anon", bytes: { low, high } }],
        owners: bloated.map(({ comm, contents: { pid, hugeBytes, looked }, share, low: least, high: most }) => ({
          pid,
          comm,
          bytes: Math.round((least + most) / 2),
          count: 1,
          detail: `${formatBytes(hugeBytes)} in huge pages, ${formatShare(share, 1)} of the ${looked} looked at is zeros`,
        })),
        evidence: [
          total,
          ...bloated.map(({ contents: { line, looked, pages, zeroPages } }) => ({
            path: contents.path,
            line,
            because: `of ${formatQuantity(looked, "huge page")} that were looked at, ${zeroPages} of ${pages} small pages are all zero`,
          })),
          ...settingEvidence(),
        ],
        remedies: remedies(largest, known),
      }],
    };

    function settingEvidence(): EvidenceLine[] {
      return setting === undefined ? [] : [{
        path: setting.path,
        line: setting.value.line,
        because: setting.value.text === "always"
          ? "every program gets huge pages, asked for or not"
          : `huge pages are given by this setting: ${setting.value.text}`,
      }];
    }

    function unknownFinding(bytes: number): FindingDraft {
      return {
        title: `${formatBytes(bytes)} are in transparent huge pages; how much of that is used the bundle does not tell`,
        confidence: "possible",
        material: true,
        claims: [{ account: "anon", bytes: { low: 0, high: bytes } }],
        owners: [{
          pid: null,
          comm: "unknown",
          bytes,
          count: 1,
          detail: "to tell: nailhouse collect --only memory,processes,huge-pages; who has them: grep AnonHugePages /proc/[0-9]*/smaps_rollup",
        }],
        evidence: [total, ...settingEvidence()],
        remedies: [],
      };
    }
  },
});
