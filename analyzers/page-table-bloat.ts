import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatShare } from "../src/core/format.ts";
import { accountBytes } from "../src/core/ledger.ts";
import type { Owner, Remedy } from "../src/core/report.ts";
import type { MaybeValues, Values } from "../src/core/source.ts";
import { WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialHeldBytes } from "../src/computed/material.ts";
import { FEW_OWNERS, nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { type Program, programs } from "../src/computed/programs.ts";
import type { BytesAtLine } from "../src/parsers/_values.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { sumOf } from "../src/core/sums.ts";

/** One entry for each page: what page tables cost when each mapped page is mapped once, next to others. */
const ENTRY_BYTES = 8;
/** Where nothing tells the size of a page: that of x86, and of most of arm64. */
const USUAL_PAGE_BYTES = 4096;
/** Sparse mappings and shared libraries make it several times as much on ordinary hosts. */
const ORDINARY_FACTOR = 4;
/** Databases that many processes map with small pages have more; from 2 % of memory on it is worth changing (Oracle's memstate warns from there on). */
const WORTH_CHANGING_SHARE = 0.02;
/** Whatever the host: tables of a tenth of all that they map are of mappings that are hardly used, or made over and over again. */
const ABSURD_SHARE = 0.1;
/** The smallest process's own: on each of five levels some for text, heap, libraries and stack. */
const PROCESS_PAGES = 32;

const needs = { ledger, meminfo, programs };
const uses = { processes };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** What is mapped, and what page tables it and so many processes take on ordinary hosts. */
interface Ordinary {
  readonly mappedBytes: number;
  readonly processes: number;
  readonly tableBytes: number;
}

function ordinary({ ledger, meminfo: file, programs: all }: Seen, pageSizeBytes: number): Ordinary {
  const mappedBytes = (accountBytes(ledger, "anon") ?? 0) + (file.value.bytes.get("Mapped")?.bytes ?? 0);
  const count = sumOf(all, ({ pids }) => pids.length);
  const tableBytes = ORDINARY_FACTOR * (ENTRY_BYTES / pageSizeBytes) * mappedBytes +
    PROCESS_PAGES * pageSizeBytes * count;
  return { mappedBytes, processes: count, tableBytes };
}

function isMuch(bytes: number, { mappedBytes, tableBytes }: Ordinary, { ledger }: Seen): boolean {
  const hugetlb = accountBytes(ledger, "hugetlb") ?? 0;
  const isWorthChanging = bytes >= WORTH_CHANGING_SHARE * (ledger.totalBytes - hugetlb) ||
    bytes >= ABSURD_SHARE * mappedBytes;
  return isWorthChanging && bytes - tableBytes >= materialHeldBytes(ledger.totalBytes);
}

/** Programs that have page tables, the most first. */
function holdersOf({ programs: all }: Seen): Program[] {
  return all.filter(({ pageTableBytes }) => pageTableBytes > 0)
    .sort((a, b) => b.pageTableBytes - a.pageTableBytes || (a.comm < b.comm ? -1 : 1));
}

function ownerOf({ comm, pageTableBytes, pageTablePids: pids }: Program): Owner {
  return {
    pid: pids[0] ?? null,
    comm,
    bytes: pageTableBytes,
    count: pids.length,
    detail: `page tables of ${formatQuantity(pids.length, "process", "processes")}`,
  };
}

function evidence(
  { bytes, line }: BytesAtLine,
  { mappedBytes, tableBytes }: Ordinary,
  top: Program | undefined,
  { meminfo: { path }, ledger }: Seen,
): EvidenceLine[] {
  const because = `${formatShare(bytes, ledger.totalBytes)} of memory; ${
    formatBytes(mappedBytes)
  } are mapped, for which ${formatBytes(tableBytes)} would be ordinary`;
  return [
    { path, line, because },
    ...(top?.pageTablesLine === undefined
      ? []
      : [{ ...top.pageTablesLine, because: `the process of ${top.comm} with the largest tables` }]),
  ];
}

function remedies(top: Program | undefined, known: readonly Process[] | undefined): Remedy[] {
  return [
    {
      when: "now",
      text: `End or restart the owner in an orderly way: page tables go with the mapping. ${
        remedyMark("page-table-bloat", "end the owner")
      }`,
      commands: top === undefined ? [] : stopCommands({ comm: top.comm, pids: top.pageTablePids }, known),
      verify: "PageTables of /proc/meminfo falls",
    },
    {
      when: "fix",
      text:
        "Map large shared memory with huge pages (a table page less for each 2 MiB, in each process), or have fewer processes map it: a connection pool " +
        `before a database. Unmap ranges that are touched only here and there. ${
          remedyMark("page-table-bloat", "map with huge pages")
        }`,
      commands: top === undefined ? [] : [`grep -E 'VmPTE|VmRSS|VmSize' /proc/${top.pageTablePids[0]}/status`],
      verify: "VmPTE is about 0.2 % of VmRSS",
    },
    {
      when: "prevent",
      text: `Alert on PageTables above 2 % of memory. ${remedyMark("page-table-bloat", "alert")}`,
      commands: ["awk '/MemTotal|PageTables/ { print }' /proc/meminfo"],
      verify: "it stays below under load",
    },
  ];
}

function finding(tables: BytesAtLine, usual: Ordinary, seen: Seen): FindingDraft {
  const holders = holdersOf(seen);
  const [top] = holders;
  const excess = tables.bytes - usual.tableBytes;
  const held = top === undefined ? excess : Math.min(tables.bytes, top.pageTableBytes);
  const name = top === undefined
    ? "Page tables"
    : `${nameOfGroup({ comm: top.comm, pids: top.pageTablePids })}: page tables`;
  return {
    title: `${name} take ${formatBytes(held)}`,
    confidence: top !== undefined && top.pageTableBytes > excess / 2 ? "confirmed" : "likely",
    material: true,
    claims: [{ account: "page-tables", bytes: { low: held, high: held } }],
    owners: holders.slice(0, FEW_OWNERS).map(ownerOf),
    evidence: evidence(tables, usual, top, seen),
    remedies: remedies(top, seen.processes),
  };
}

export const pageTableBloat: Analyzer = defineAnalyzer({
  id: "page-table-bloat",
  title: "Page tables far larger than what they map needs",
  mechanism:
    "Each process has page tables of its own: 8 bytes for each page that it maps. Hundreds of processes that map the same large shared memory (a " +
    "database's buffers) need hundreds of sets of them; a process that touches one page here and there over a huge range needs a table page for each. They " +
    "are in no RSS, and the kernel does not take them back while the mapping stands.",
  lookAlikes:
    "user-leak: page tables grow with memory, but are 0.2 % of it. process-proliferation: many small processes have small tables each. SecPageTables " +
    "are those of virtual machines and IOMMUs.",
  references: [
    "https://docs.kernel.org/mm/page_tables.html",
    "Oracle drgn-tools memstate: warns from 2 % of memory on",
  ],
  needs,
  uses,
  analyze(seen, { pageSizeBytes = USUAL_PAGE_BYTES }) {
    const tables = seen.meminfo.value.bytes.get("PageTables");
    // Every kernel since 2.6.18 tells it.
    if (tables === undefined) return { notAssessed: [WHOLE_MEMINFO] };
    const usual = ordinary(seen, pageSizeBytes);
    if (isMuch(tables.bytes, usual, seen)) return { findings: [finding(tables, usual, seen)] };
    return {
      ruledOut: `page tables are ${formatBytes(tables.bytes)} for ${
        formatBytes(usual.mappedBytes)
      } of mapped memory and ${formatQuantity(usual.processes, "process", "processes")}`,
    };
  },
});
