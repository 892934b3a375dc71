import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatShare } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import { setSysfs } from "../src/core/shell.ts";
import type { MaybeValues, Values } from "../src/core/source.ts";
import { isWhole, WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialHeldBytes } from "../src/computed/material.ts";
import { FEW_OWNERS } from "../src/computed/owners.ts";
import { processes } from "../src/computed/processes.ts";
import type { BytesAtLine } from "../src/parsers/_values.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { smapsRollup } from "../src/parsers/smaps_rollup.ts";
import { thp } from "../src/parsers/thp.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** Below this, ordinary pages are most of what the processes have, and huge pages cannot have made it large. */
const DOMINANT_SHARE = 0.5;

/** @param isAsked Whether only who asks for huge pages (MADV_HUGEPAGE) gets some: then it was the program itself. */
function smallPages(isAsked: boolean): Remedy {
  return {
    when: "now",
    text: isAsked
      ? `The program asked for them (MADV_HUGEPAGE): let it ask for less (a setting of its runtime, such as Java's UseTransparentHugePages), or switch them off for all; what it has already stays until a restart. ${
        remedyMark("thp-bloat", "no huge pages")
      }`
      : `Where the program asks for it only, new memory is in small pages; what it has already stays until a restart. ${
        remedyMark("thp-bloat", "huge pages for who asks")
      }`,
    commands: setSysfs("/sys/kernel/mm/transparent_hugepage/enabled", isAsked ? "never" : "madvise"),
    verify: "after a restart of the program its RssAnon is much smaller under the same load, or it was not this",
  };
}

const USED_PAGES_ONLY: Remedy = {
  when: "fix",
  text: `Let khugepaged make huge pages only of memory that is in use. ${
    remedyMark("thp-bloat", "khugepaged max_ptes_none")
  }`,
  commands: setSysfs("/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none", "0"),
  verify: "AnonHugePages of /proc/meminfo no longer grows beyond what programs touch",
};

const needs = { ledger, meminfo };
const uses = { thp, smapsRollup, processes };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** A process that has huge pages. */
interface Holder extends BytesAtLine {
  readonly path: string;
  readonly pid: number;
}

/** The most first. */
function holdersOf({ smapsRollup: rollups }: Seen): Holder[] {
  return (rollups ?? []).flatMap(({ pid, path, value }) => {
    const line = value?.lines.get("AnonHugePages");
    return value?.anonHugePagesBytes === undefined || line === undefined
      ? []
      : [{ pid, path, line, bytes: value.anonHugePagesBytes }];
  }).sort((a, b) => b.bytes - a.bytes || a.pid - b.pid);
}

function evidence(
  huge: BytesAtLine,
  anonBytes: number,
  top: Holder | undefined,
  { meminfo: file, thp: mode }: Seen,
): EvidenceLine[] {
  const lines: EvidenceLine[] = [{
    path: file.path,
    line: huge.line,
    because: `${formatShare(huge.bytes, anonBytes)} of all anonymous memory are transparent huge pages`,
  }];
  if (mode !== undefined) {
    const { line, text } = mode.value;
    lines.push({ path: mode.path, line, because: `transparent huge pages are on: ${text}` });
  }
  if (top !== undefined) {
    const { path, line, bytes } = top;
    lines.push({ path, line, because: `the process with the most: ${formatBytes(bytes)}` });
  }
  return lines;
}

function finding(huge: BytesAtLine, anonBytes: number, seen: Seen): FindingDraft {
  const comms = new Map(seen.processes?.map(({ pid, comm }) => [pid, comm]));
  const holders = holdersOf(seen);
  const [top] = holders;
  const name = top === undefined ? "The host's processes" : `${comms.get(top.pid) ?? "a process"} (pid ${top.pid})`;
  const bytes = top === undefined ? huge.bytes : Math.min(huge.bytes, top.bytes);
  return {
    title: `${name}: ${formatBytes(bytes)} are transparent huge pages, of which an unknown part may be in use`,
    confidence: "possible",
    // How much of it nobody uses is not known.
    material: false,
    claims: [{ account: "anon", bytes: { low: 0, high: bytes } }],
    owners: holders.slice(0, FEW_OWNERS).map((holder) => ({
      pid: holder.pid,
      comm: comms.get(holder.pid) ?? "unknown",
      bytes: holder.bytes,
      count: 1,
      detail:
        "transparent huge pages; whether they are used tells only the program itself, or its RSS after a restart without them",
    })),
    evidence: evidence(huge, anonBytes, top, seen),
    remedies: [smallPages(seen.thp?.value.text === "madvise"), USED_PAGES_ONLY],
  };
}

export const thpBloat: Analyzer = defineAnalyzer({
  id: "thp-bloat",
  title: "Transparent huge pages that may make a small working set large",
  mechanism:
    "With transparent huge pages `always`, touching one byte can take 2 MiB; khugepaged makes one of 512 pages of which only one is used " +
    "(max_ptes_none 511). A program that touches a little of much address space, or frees small objects here and there, then has many times what it uses.",
  lookAlikes:
    "A program that uses all of its huge pages: no file of the kernel tells the two apart, so this is never more than possible. user-leak: it grows. " +
    "hugetlb-reservation: huge pages of a pool.",
  references: ["https://docs.kernel.org/admin-guide/mm/transhuge.html"],
  needs,
  uses,
  analyze(seen) {
    const { ledger, meminfo: { value } } = seen;
    const huge = value.bytes.get("AnonHugePages");
    const anon = value.bytes.get("AnonPages");
    if (!isWhole(ledger)) return { notAssessed: [WHOLE_MEMINFO] };
    if (huge === undefined || anon === undefined) return { ruledOut: "the kernel has no transparent huge pages" };
    if (huge.bytes < materialHeldBytes(ledger.totalBytes) || huge.bytes < DOMINANT_SHARE * anon.bytes) {
      return { ruledOut: `${formatBytes(huge.bytes)} of ${formatBytes(anon.bytes)} anonymous memory are huge pages` };
    }
    return { findings: [finding(huge, anon.bytes, seen)] };
  },
});
