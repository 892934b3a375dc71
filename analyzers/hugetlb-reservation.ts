import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import { shellWord } from "../src/core/shell.ts";
import type { Parsed } from "../src/core/source.ts";
import { accountBytes } from "../src/core/ledger.ts";
import { sum, sumBytes, sumOf } from "../src/core/sums.ts";
import { ledger } from "../src/computed/ledger.ts";
import { MATERIAL_QUEUE_BYTES, materialHeldBytes } from "../src/computed/material.ts";
import { stopCommands } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { mountFinder } from "../src/computed/shared_memory.ts";
import type { ProcessFile } from "../src/parsers/_groups.ts";
import { type HugePageAmount, type HugePagePool, hugepages } from "../src/parsers/hugepages.ts";
import { type Mount, mounts } from "../src/parsers/mounts.ts";
import { type ProcessStatus, processStatus } from "../src/parsers/process_status.ts";
import { sharedMemoryDescriptors, type UnlinkedFile } from "../src/parsers/shared_memory_descriptors.ts";
import {
  sysvipcShm,
  sysvipcShmElsewhere,
  type SysvSegment,
  type SysvSegmentElsewhere,
} from "../src/parsers/sysvipc_shm.ts";
import { type TmpfsFile, tmpfsFiles } from "../src/parsers/tmpfs_files.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** A pool is sized for the most that its service needs, and some is left over: a twentieth is no more than rounding and growth call for. */
const HEADROOM_SHARE = 0.05;
const FILES_LISTED = 20;
/** Files have the larger part of what nobody maps: then they are what it is. */
const MOSTLY = 0.5;

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

/** Huge pages that are used beyond those that living processes are counted for. */
interface Left {
  readonly bytes: number;
  readonly used: readonly { readonly total: HugePageAmount; readonly bytes: number }[];
  readonly mappedBytes: number;
}

/**
 * A page is in the HugetlbPages (Linux 4.4) of each process that was the first to touch it in its own page tables: mm/hugetlb.c hugetlb_no_page(). Shared memory
 * that a process touched which has ended is in those of no other that maps it (PostgreSQL's shared_buffers, a database's SysV segment), so that only a
 * file tells that nobody may have the rest. Undefined where none tells it.
 */
function left(pools: readonly HugePagePool[], statuses: readonly ProcessFile<ProcessStatus>[] = []): Left | undefined {
  const known = statuses.flatMap(({ value }) => value.hugetlbBytes ?? []);
  if (known.length === 0) return undefined;
  const used = pools.flatMap(({ total, free }) =>
    total === undefined || free === undefined ? [] : [{ total, bytes: total.bytes - free.bytes }]
  ).filter(({ bytes }) => bytes > 0);
  const mappedBytes = sum(known);
  return { used, mappedBytes, bytes: sumBytes(used) - mappedBytes };
}

function hugetlbfsFiles(files: Parsed<readonly TmpfsFile[]> | undefined, mounted: readonly Mount[] = []): TmpfsFile[] {
  const mountOf = mountFinder(mounted);
  return (files?.value ?? []).filter(({ path, bytes }) => bytes > 0 && mountOf(path)?.type === "hugetlbfs");
}

/** Memfds of huge pages and deleted files of hugetlbfs that are open and nobody has mapped, each once. */
function openFiles(list: Parsed<readonly UnlinkedFile[]> | undefined): UnlinkedFile[] {
  const mapped = new Set(list?.value.filter((file) => file.mapped).map(({ identity }) => identity));
  const files = new Map<string, UnlinkedFile>();
  for (const file of list?.value ?? []) {
    if (file.fileSystem !== "hugetlbfs" || file.bytes === 0 || mapped.has(file.identity)) continue;
    if (!files.has(file.identity)) files.set(file.identity, file);
  }
  return [...files.values()].sort((a, b) => b.bytes - a.bytes || a.line - b.line);
}

/** Huge pages that descriptors alone keep. Undefined where that is not most of what is left. */
function openFinding(
  { bytes: all }: Left,
  list: Parsed<readonly UnlinkedFile[]> | undefined,
  known: readonly Process[] | undefined,
): FindingDraft | undefined {
  const files = openFiles(list);
  const [largest] = files;
  const bytes = sumBytes(files);
  if (list === undefined || largest === undefined || bytes < MOSTLY * all) return undefined;
  const commOf = (pid: number): string => known?.find((process) => process.pid === pid)?.comm ?? `pid ${pid}`;
  const pids = [...new Set(files.map(({ pid }) => pid))];
  const others = files.length === 1 ? "" : ` and in ${formatQuantity(files.length - 1, "other")}`;
  return {
    title: `${formatBytes(bytes)} of huge pages are in ${largest.name} of ${
      commOf(largest.pid)
    } (pid ${largest.pid})${others}, which nobody has mapped`,
    confidence: "confirmed",
    material: true,
    claims: [{ account: "hugetlb", bytes: { low: bytes, high: bytes } }],
    owners: files.slice(0, FILES_LISTED).map((file) => ({
      pid: file.pid,
      comm: commOf(file.pid),
      bytes: file.bytes,
      count: 1,
      detail: `descriptor ${file.fd}: ${file.name}`,
    })),
    evidence: [{
      path: list.path,
      line: largest.line,
      because: `a file of ${
        formatBytes(largest.bytes)
      } on hugetlbfs that has no name, is open, and is in nobody's memory map`,
    }],
    remedies: [{
      when: "now",
      text:
        `End or restart who has it open, in an orderly way: its huge pages go back to the pool with the last descriptor. Then lower their number, too, if nobody needs them. ${
          remedyMark("hugetlb-reservation", "end who has a memfd open")
        }`,
      commands: stopCommands({ comm: commOf(largest.pid), pids }, known),
      verify: "HugePages_Free of /proc/meminfo rises by as much",
    }],
  };
}

type Segment = SysvSegment & Partial<SysvSegmentElsewhere> & { readonly path: string };

/** SysV segments that nobody is attached to, and that are whole huge pages. */
function detachedSegments(
  pools: readonly HugePagePool[],
  lists: readonly (Parsed<readonly (SysvSegment & Partial<SysvSegmentElsewhere>)[]> | undefined)[],
): Segment[] {
  const isWhole = (bytes: number): boolean => pools.some(({ pageBytes }) => bytes > 0 && bytes % pageBytes === 0);
  return lists.flatMap((list) => (list?.value ?? []).map((segment) => ({ ...segment, path: list?.path ?? "" })))
    .filter(({ attached, rssBytes }) => attached === 0 && isWhole(rssBytes ?? 0))
    .sort((a, b) => (b.rssBytes ?? 0) - (a.rssBytes ?? 0) || a.id - b.id);
}

/**
 * Huge pages of SysV segments that outlived their program (SHM_HUGETLB; a database that was killed). Nothing tells them from those of small pages but that they
 * have more than all shared memory of the host is (ipc/shm.c shm_add_rss_swap() counts huge pages, Shmem of meminfo does not). Undefined where that is not most
 * of what is left.
 */
function segmentFinding(
  { bytes: all }: Left,
  segments: readonly Segment[],
  shmemBytes: number | undefined,
): FindingDraft | undefined {
  const [largest] = segments;
  const bytes = sumOf(segments, ({ rssBytes = 0 }) => rssBytes);
  const low = Math.min(all, bytes - (shmemBytes ?? bytes));
  if (largest === undefined || low < MOSTLY * all) return undefined;
  const enter = ({ seenBy }: Segment): string => seenBy === undefined ? "" : `nsenter -t ${seenBy} -i `;
  const others = segments.length === 1 ? "" : ` and ${formatQuantity(segments.length - 1, "other")}`;
  return {
    title: `${
      formatBytes(Math.min(all, bytes))
    } of huge pages are in SysV segment ${largest.id}${others}, which nobody is attached to`,
    confidence: "confirmed",
    material: true,
    claims: [{ account: "hugetlb", bytes: { low, high: Math.min(all, bytes) } }],
    owners: segments.slice(0, FILES_LISTED).map(({ id, rssBytes = 0, creatorPid, uid }) => ({
      pid: null,
      comm: `SysV segment ${id}`,
      bytes: rssBytes,
      count: 1,
      detail: `made by process ${creatorPid ?? "(unknown)"} of user ${uid ?? "(unknown)"}, nobody is attached`,
    })),
    evidence: [{
      path: largest.path,
      line: largest.line,
      because: `nattch is 0, and rss ${formatBytes(largest.rssBytes ?? 0)}: together ${
        formatBytes(bytes)
      }, where all shared memory of small pages is ${formatBytes(shmemBytes ?? 0)}`,
    }],
    remedies: [{
      when: "now",
      text:
        `Remove what nobody means to come back for: its huge pages go back to the pool. Then lower their number, too, if nobody needs them. ${
          remedyMark("hugetlb-reservation", "remove the segment")
        }`,
      commands: segments.slice(0, FILES_LISTED).flatMap((segment) => [
        `${enter(segment)}ipcs -m -i ${segment.id}`,
        `${enter(segment)}ipcrm -m ${segment.id}`,
      ]),
      verify: "HugePages_Free of /proc/meminfo rises by as much, and ipcs -m does not list it",
    }],
  };
}

function leftRemedies(files: readonly TmpfsFile[]): Remedy[] {
  const paths = files.slice(0, FILES_LISTED).map(({ path }) => shellWord(path)).join(" ");
  return [
    {
      when: "now",
      text:
        "Delete the files that nobody has open: a program that is killed leaves its files on hugetlbfs behind, and their pages with them (DPDK's " +
        `rtemap_*). Then lower the number of huge pages, too, if nobody needs them. ${
          remedyMark("hugetlb-reservation", "delete files on hugetlbfs")
        }`,
      commands: files.length === 0
        ? ["find $(findmnt -n -o TARGET -t hugetlbfs) -type f -ls", "ipcs -m"]
        // A bundle may say anything of what lies where.
        : [`fuser -v ${paths}`, `find ${paths} -fstype hugetlbfs -delete`],
      verify: "HugePages_Free of /proc/meminfo rises by as much",
    },
    {
      when: "prevent",
      text: `Let the program delete its files as soon as it has mapped them, or use none. ${
        remedyMark("hugetlb-reservation", "keep no files")
      }`,
      commands: ["dpdk-testpmd --huge-unlink=always", "memfd_create(name, MFD_HUGETLB)"],
      verify: "no file is left when the program is killed",
    },
  ];
}

function leftFinding(
  { bytes, used, mappedBytes }: Left,
  list: Parsed<readonly TmpfsFile[]> | undefined,
  files: readonly TmpfsFile[],
): FindingDraft {
  const inFiles = sumBytes(files);
  const areFiles = inFiles >= MOSTLY * bytes;
  return {
    title: areFiles
      ? `${formatBytes(bytes)} of huge pages are in use, but no process maps them: ${
        formatQuantity(files.length, "file")
      } on hugetlbfs, such as ${files[0]?.path}`
      : `${
        formatBytes(bytes)
      } of huge pages are in use, and no process is counted for them: shared memory that processes touched which have ended`,
    // What is mapped may be in the files, too.
    confidence: inFiles - mappedBytes >= MOSTLY * bytes ? "confirmed" : areFiles ? "likely" : "possible",
    material: areFiles,
    claims: [{ account: "hugetlb", bytes: { low: areFiles ? bytes : Math.min(bytes, inFiles), high: bytes } }],
    owners: files.slice(0, FILES_LISTED).map((file) => ({
      pid: null,
      comm: file.path,
      bytes: file.bytes,
      count: 1,
      detail: `a file on hugetlbfs; who has it open: fuser -v ${shellWord(file.path)}`,
    })),
    evidence: [
      ...used.map(({ total: { path, line, bytes: all }, bytes: inUse }) => ({
        path,
        line,
        because: `${formatBytes(inUse)} of ${formatBytes(all)} are in use; all processes together are counted for ${
          formatBytes(mappedBytes)
        } at the most (HugetlbPages)`,
      })),
      ...files.slice(0, 1).map(({ line, bytes: held }) => ({
        path: (list as Parsed<unknown>).path,
        line,
        because: `the largest file on hugetlbfs, of ${formatBytes(inFiles)} in ${
          formatQuantity(files.length, "file")
        }: ${formatBytes(held)}`,
      })),
    ],
    remedies: leftRemedies(files),
  };
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

/** @param totalBytes The size of the host, if it is told. */
function idleFinding(idle: readonly Unused[], totalBytes: number | undefined): FindingDraft {
  const bytes = sumBytes(idle);
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
    title: totalBytes === undefined
      ? `${formatBytes(bytes)} are set aside as huge pages that nobody uses; the size of the host is not told`
      : `${formatBytes(bytes)} (${formatShare(bytes, totalBytes)}) are set aside as huge pages that nobody uses`,
    confidence: "confirmed",
    material: totalBytes !== undefined,
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
  };
}

export const hugetlbReservation: Analyzer = defineAnalyzer({
  id: "hugetlb-reservation",
  title: "Huge pages that are set aside and unused",
  mechanism:
    "Huge pages of a pool (vm.nr_hugepages, hugepages= at boot) are taken from the host when the pool is made, whether anybody maps them or not. " +
    "Nothing else can use them, not even the page cache, and they are in no process's RSS. Those of a file on hugetlbfs are in use until it is " +
    "deleted, and those of a SysV segment until it is removed, though the program that made it was killed long ago.",
  lookAlikes:
    "Huge pages in use: a database or a virtual machine has mapped them, and they are its memory. Transparent huge pages (thp-bloat) are anonymous " +
    "memory and need no pool. Promised pages (HugePages_Rsvd) are free, but have a taker. Shared memory (PostgreSQL's shared_buffers) is mapped, but no " +
    "process is counted for a page that one which has ended was the first to touch.",
  references: ["https://docs.kernel.org/admin-guide/mm/hugetlbpage.html"],
  needs: { hugepages },
  uses: {
    ledger,
    processStatus,
    processes,
    tmpfsFiles,
    sharedMemoryDescriptors,
    mounts,
    sysvipcShm,
    sysvipcShmElsewhere,
  },
  analyze(
    {
      ledger: whole,
      hugepages: pools,
      processStatus: statuses,
      processes: known,
      tmpfsFiles: list,
      sharedMemoryDescriptors: open,
      mounts: mounted,
      sysvipcShm: here,
      sysvipcShmElsewhere: elsewhere,
    },
    facts,
  ) {
    // Rows that grep picked out of meminfo may not tell the size of the host.
    const totalBytes = whole?.totalBytes;
    const material = totalBytes === undefined ? MATERIAL_QUEUE_BYTES : materialHeldBytes(totalBytes);
    // An ordinary user may not see other users' processes (hidepid of /proc).
    const used = facts.privileged === false ? undefined : left(pools, statuses);
    const findings = used === undefined || used.bytes < material ? [] : [
      openFinding(used, open, known) ??
        segmentFinding(used, detachedSegments(pools, [here, elsewhere]), whole && accountBytes(whole, "shmem")) ??
        leftFinding(used, list, hugetlbfsFiles(list, mounted?.value)),
    ];
    const idle = pools.flatMap(unused).filter(({ bytes, total: { bytes: all } }) => bytes > HEADROOM_SHARE * all);
    const bytes = sumBytes(idle);
    const total = sumOf(pools, (pool) => pool.total?.bytes ?? 0);
    if (bytes < material) {
      return findings.length > 0
        ? { findings }
        : { ruledOut: `${formatBytes(total)} are set aside as huge pages, ${formatBytes(bytes)} of it for nobody` };
    }
    return { findings: [...findings, idleFinding(idle, totalBytes)] };
  },
});
