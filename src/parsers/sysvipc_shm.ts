// proc/sysvipc/shm: SysV shared memory segments of the reader's IPC namespace.
// ipc/shm.c, sysvipc_shm_proc_show()
//
//          key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
//            0          7   600             419430400 24630 24632      0     0     0     0     0 1795420697 1795420698 1795420697             419430400                     0
//
// What people paste of it is `ipcs -m` (util-linux), which does not tell what pages a segment has:
//
//   ------ Shared Memory Segments --------
//   key        shmid      owner      perms      bytes      nattch     status
//   0x0001b3ef 14450693   app        666        70604278   0
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { forEachLine } from "./_lines.ts";
import { parseCount, parseInteger } from "./_numbers.ts";
import { parseTable } from "./_table.ts";

/** One segment. */
export interface SysvSegment {
  readonly id: number;
  /** 0 for a private one. */
  readonly key: number | undefined;
  /** Whether shmctl SHM_LOCK keeps it out of swap: what was touched since is in Unevictable of meminfo, and not in Mlocked. */
  readonly locked: boolean;
  readonly sizeBytes: number;
  /** Pages that it really has, in RAM and in swap; not told before 2.6.37. */
  readonly rssBytes: number | undefined;
  readonly swapBytes: number | undefined;
  /** Processes that have it mapped. */
  readonly attached: number;
  readonly creatorPid: number | undefined;
  readonly uid: number | undefined;
  /** Seconds since 1970 when it was last detached; 0 when it never was. */
  readonly detachedSeconds: number | undefined;
  readonly line: number;
}

/** Among the octal perms (include/linux/shm.h). */
const SHM_LOCKED = 0o2000;

const IPCS_TITLE = /^-+ ?Shared Memory Segments ?-+$/m;
const IPCS_ROW =
  /^(0x[\da-f]{1,16}) +(\d{1,10}) +\S{1,64} +[0-7]{3,4} +(\d{1,19}) +(\d{1,10})(?: +([a-z]+(?: [a-z]+){0,3}))? *$/i;

/** Rows of the other tables that ipcs prints (queues, semaphores) have fewer or no such numbers. */
function parseIpcs(text: string): readonly SysvSegment[] {
  const segments: SysvSegment[] = [];
  let isTable = false;
  forEachLine(text, (line, number) => {
    if (line.startsWith("-")) isTable = IPCS_TITLE.test(line);
    const [, key, id, bytes, attached, status = ""] = (isTable && IPCS_ROW.exec(line)) || [];
    const sizeBytes = parseCount(bytes);
    if (key === undefined || sizeBytes === undefined) return;
    segments.push({
      id: Number(id),
      // Signed, as /proc has it.
      key: Number(key) | 0,
      locked: status.includes("locked"),
      sizeBytes,
      rssBytes: undefined,
      swapBytes: undefined,
      attached: Number(attached),
      creatorPid: undefined,
      uid: undefined,
      detachedSeconds: undefined,
      line: number,
    });
  });
  return segments;
}

/** A segment is rounded up to whole pages, of 64 KiB at the most. */
const LARGEST_PAGE_BYTES = 65_536;

/**
 * Of huge pages (SHM_HUGETLB) Linux 6.18 tells 512 times what a segment has: ipc/shm.c shm_add_rss_swap() takes what its mapping counts in small pages for a
 * number of huge ones. It has no more than its size.
 */
function rssOf(rssBytes: number | undefined, sizeBytes: number): number | undefined {
  return rssBytes !== undefined && rssBytes >= sizeBytes + LARGEST_PAGE_BYTES ? sizeBytes : rssBytes;
}

/**
 * Parses /proc/sysvipc/shm, or the output of ipcs.
 *
 * @throws {ParseError} if there is no header.
 *
 * @example
 * ```ts
 * import { parseSysvipcShm } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "key shmid size nattch rss\n0 7 8192 0 4096\n";
 * strictEqual(parseSysvipcShm(text, { facts: {}, warn() {} })[0]?.rssBytes, 4096);
 * ```
 */
export function parseSysvipcShm(text: string, context: ParseContext): readonly SysvSegment[] {
  if (IPCS_TITLE.test(text)) return parseIpcs(text);
  return parseTable(text, context, "key", ({ cell, count }, line) => {
    const id = parseCount(cell("shmid"));
    const sizeBytes = parseCount(cell("size"));
    const attached = parseCount(cell("nattch"));
    if (id === undefined || sizeBytes === undefined || attached === undefined) return undefined;
    return {
      id,
      key: parseInteger(cell("key")),
      locked: (parseInt(cell("perms") ?? "0", 8) & SHM_LOCKED) !== 0,
      sizeBytes,
      rssBytes: rssOf(count("rss"), sizeBytes),
      swapBytes: count("swap"),
      attached,
      creatorPid: count("cpid"),
      uid: count("uid"),
      detachedSeconds: count("dtime"),
      line,
    };
  });
}

/** A snapshot's file, as {@linkcode parseSysvipcShm} reads it. */
export const sysvipcShm: Source<Parsed<readonly SysvSegment[]>> = defineArtifact({
  name: "sysvipc_shm",
  paths: ["proc/sysvipc/shm", "sos_commands/sysvipc/ipcs"],
  howToCapture: "cat /proc/sysvipc/shm",
  parse: parseSysvipcShm,
});

/** A segment of another IPC namespace, such as a container's. */
export interface SysvSegmentElsewhere extends SysvSegment {
  /** A process of that namespace. */
  readonly seenBy: number;
}

/**
 * Parses what is captured of other IPC namespaces: for each a line `# /proc/PID`, which names a process of it, and /proc/sysvipc/shm.
 *
 * @returns Empty where there is no other namespace.
 * @throws {ParseError} if there is one, and no header.
 *
 * @example
 * ```ts
 * import { parseSysvipcShmElsewhere } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "# /proc/9\nkey shmid size nattch rss\n0 7 8192 0 4096\n";
 * strictEqual(parseSysvipcShmElsewhere(text, { facts: {}, warn() {} })[0]?.seenBy, 9);
 * ```
 */
export function parseSysvipcShmElsewhere(text: string, context: ParseContext): readonly SysvSegmentElsewhere[] {
  const processes: { readonly from: number; readonly pid: number }[] = [];
  const rows: string[] = [];
  let hasHeader = false;
  forEachLine(text, (line, number) => {
    const pid = /^# \/proc\/(\d{1,10})$/.exec(line)?.[1];
    if (pid !== undefined) processes.push({ from: number, pid: Number(pid) });
    const isHeader = line.trimStart().startsWith("key ");
    rows.push(pid !== undefined || (isHeader && hasHeader) ? "" : line);
    hasHeader ||= isHeader;
  });
  if (processes.length === 0) return [];
  let at = 0;
  return parseSysvipcShm(rows.join("\n"), context).flatMap((segment) => {
    while ((processes[at + 1]?.from ?? Infinity) < segment.line) at++;
    const { from, pid } = processes[at] as (typeof processes)[number];
    return from < segment.line ? [{ ...segment, seenBy: pid }] : [];
  });
}

/** Segments of other IPC namespaces, as {@linkcode parseSysvipcShmElsewhere} reads them. */
export const sysvipcShmElsewhere: Source<Parsed<readonly SysvSegmentElsewhere[]>> = defineArtifact({
  name: "sysvipc_shm_elsewhere",
  paths: ["sos_commands/process/sysvipc_shm_elsewhere"],
  howToCapture: "nsenter --ipc=/proc/PID/ns/ipc cat /proc/sysvipc/shm",
  parse: parseSysvipcShmElsewhere,
});
