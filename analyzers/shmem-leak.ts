import {
  type Analyzer,
  defineAnalyzer,
  type EvidenceLine,
  type FindingDraft,
  type Outcome,
} from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity, formatRate } from "../src/core/format.ts";
import { type Group, groupBy } from "../src/core/group_by.ts";
import type { ByteRange, Confidence, Owner, Remedy } from "../src/core/report.ts";
import { setSysctl, shellWord } from "../src/core/shell.ts";
import { type DescriptorsInFlight, descriptorsInFlight } from "../src/parsers/descriptors_in_flight.ts";
import type { TmpfsFile } from "../src/parsers/tmpfs_files.ts";
import {
  type MaybeValues,
  type Missing,
  overTime,
  type Parsed,
  type TimePoint,
  type Values,
} from "../src/core/source.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";
import { importedHistory, longGrowth, longGrowthEvidence } from "../src/computed/imported_history.ts";
import { forecast } from "../src/computed/forecast.ts";
import { accountSeries, growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { memoryLimits, roomBytes } from "../src/computed/memory_limits.ts";
import { FEW_OWNERS, FIND_IN_FLIGHT, nameOfGroup, stopCommands } from "../src/computed/owners.ts";
import { START_UP_SECONDS } from "../src/computed/process_lives.ts";
import { seesAllDescriptors } from "../src/computed/process_statuses.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import {
  type OpenFileOnTmpfs,
  type OrphanSegment,
  type SharedMapper,
  sharedMappers,
  type SharedMemory,
  sharedMemory,
  type TmpfsUse,
  type UnlinkedObject,
} from "../src/computed/shared_memory.ts";
import type { Measurement, Trend } from "../src/computed/trend.ts";
import { type RamfsUse, type UnevictableCache, unevictableCache } from "../src/computed/unevictable_cache.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/**
 * What nobody maps and nobody can find by name is of no use to anybody. Below 128 MiB (a tenth of a small host) it may be a program's
 * own reserve: graphics and audio clients, and services that hand descriptors over a restart, keep some.
 */
const MATERIAL_BYTES = 128 * 2 ** 20;
const SMALL_HOST_SHARE = 0.1;
/** Files that have a name may be wanted. 0.5 % of memory is what Oracle's memstate tells to keep free at the least: less than that brings no host down. */
const FILES_SHARE = 0.005;
/** journald keeps its volatile journal in /run, up to a tenth of it (RuntimeMaxUse=, journald.conf(5)). */
const JOURNAL_MOUNT = "/run";
const JOURNAL_SHARE = 0.1;
/** A few huge pages or log files come and go. */
const MIN_GROWTH_BYTES = 16 * 2 ** 20;
/** What is listed explains the counters: the rest may be small files that were deleted and are open, and baseline. */
const MOST = 0.5;
/** Who maps this much of what shared memory grew by is where it grows. */
const MIN_SHARE_OF_GROWTH = 0.5;
const MAX_FILES_NAMED = 3;
const WHEN: readonly Remedy["when"][] = ["now", "fix", "prevent"];

const needs = { ledger, sharedMemory };
const uses = {
  processes,
  unevictableCache,
  ledgers: overTime(ledger),
  caches: overTime(unevictableCache),
  mappers: overTime(sharedMappers),
  recorded: importedHistory,
  inFlight: descriptorsInFlight,
  limits: memoryLimits,
  seesAllDescriptors,
};

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

/** @param totalBytes What it may fill: the host's memory, or as much as its control group has. */
function materialBytes(totalBytes: number): number {
  return Math.min(MATERIAL_BYTES, SMALL_HOST_SHARE * totalBytes);
}

/** The same of files that have a name. */
function materialFileBytes(totalBytes: number): number {
  return Math.max(materialBytes(totalBytes), FILES_SHARE * totalBytes);
}

/** One thing that holds shared memory which nobody maps. */
interface Holding extends EvidenceLine {
  readonly bytes: number;
  /** For the title: who holds it. */
  readonly name: string;
  readonly isPlural: boolean;
  readonly owner: Owner;
  /** False for files that have a name: they may be wanted, and may be mapped. */
  readonly unreachable: boolean;
  /** What is not mapped by any process for sure; undefined where that is not known of this one alone. */
  readonly unmappedBytes: number | undefined;
  /** In files that living processes have open by a name: those are not left behind, as long as they do not grow. */
  readonly openBytes: number;
  readonly remedies: readonly Remedy[];
}

/** The program of a process, if it is known. */
function commOf(pid: number, known: readonly Process[] | undefined): string | undefined {
  return known?.find((process) => process.pid === pid)?.comm;
}

const UNKNOWN_PROGRAM = "an unknown program";

/** What removes segments, after a look at them: one by its number; of many those that still nobody is attached to. */
function removeSegments({ id, creatorPid, uid, seenBy }: OrphanSegment, count: number): string[] {
  const enter = seenBy === undefined ? "" : `nsenter -t ${seenBy} -i `;
  if (count === 1) return [`${enter}ipcs -m -i ${id}`, `${enter}ipcrm -m ${id}`];
  // Columns of this file: shmid is the 2nd, cpid the 5th, nattch the 7th, uid the 8th. A number of a process is given to another one later.
  const theirs = `${enter}awk '$5 == ${creatorPid} && $7 == 0${uid === undefined ? "" : ` && $8 == ${uid}`}`;
  return [
    `${theirs}' /proc/sysvipc/shm`,
    `${theirs} { print "-m", $2 }' /proc/sysvipc/shm | xargs -n 64 ${enter}ipcrm`,
  ];
}

/** @param segments Those that one process left, if there are several. */
function segmentsHolding(segments: Group<OrphanSegment>, known: readonly Process[] | undefined): Holding {
  const [segment] = segments;
  const { id, creatorPid, uid, seenBy, path, line } = segment;
  const count = segments.length;
  const bytes = sumBytes(segments);
  const where = seenBy === undefined
    ? ""
    : ` in the IPC namespace of ${commOf(seenBy, known) ?? UNKNOWN_PROGRAM} (pid ${seenBy})`;
  const maker = `made by process ${creatorPid ?? "(unknown)"} of user ${uid ?? "(unknown)"}`;
  const comm = count === 1 ? `SysV segment ${id}` : formatQuantity(count, "SysV segment");
  return {
    bytes,
    name: `${comm}${count === 1 ? "" : ` ${maker}`}${where}`,
    isPlural: count > 1,
    unreachable: true,
    unmappedBytes: bytes,
    openBytes: 0,
    path,
    line,
    because: `${formatBytes(segment.bytes)}, and nattch is 0: no process is attached${
      count === 1 ? "" : `, nor to the ${formatQuantity(count - 1, "other")} that process ${creatorPid} made`
    }`,
    owner: { pid: null, comm, bytes, count, detail: `${maker}${where}, nobody is attached` },
    remedies: [{
      when: "now",
      text: `Remove ${
        count === 1 ? `segment ${id}` : `the ${formatQuantity(count, "segment")} of process ${creatorPid}`
      }: nobody is attached, but a program may still mean to come back for what is in ${count === 1 ? "it" : "them"}. ${
        remedyMark("shmem-leak", "remove the segment")
      }`,
      commands: removeSegments(segment, count),
      verify: `Shmem of /proc/meminfo falls by ${count === 1 ? "its" : "their"} size, ipcs -m no longer lists ${
        count === 1 ? "it" : "them"
      }`,
    }, {
      when: "fix",
      text:
        `Let the program mark the segment for removal (shmctl IPC_RMID) as soon as all of it are attached: the kernel then frees it with the last of them, also after a crash. ${
          remedyMark("shmem-leak", "mark the segment for removal")
        }`,
      commands: [],
      verify: "ipcs -m shows it as dest, and not at all when the program has ended",
    }, {
      when: "prevent",
      text:
        `kernel.shm_rmid_forced=1 frees every segment with its last process. Programs that leave one on purpose lose it, and what is left behind now goes at once. ${
          remedyMark("shmem-leak", "kernel.shm_rmid_forced")
        }`,
      commands: setSysctl("kernel.shm_rmid_forced=1"),
      verify: "ipcs -m lists no segment with nattch 0",
    }],
  };
}

/**
 * Those that one process made, taken together: it may have left thousands of small ones. Where it is not known who did, each is one of its own: 0 is any
 * process of a PID namespace beside the one that looked.
 */
function byMaker(orphans: readonly OrphanSegment[]): Group<OrphanSegment>[] {
  const groups = groupBy(orphans, ({ id, creatorPid, uid, seenBy }) => {
    const isKnown = creatorPid !== undefined && creatorPid > 0;
    return isKnown ? `maker ${creatorPid} ${uid} ${seenBy}` : `segment ${id} ${seenBy}`;
  });
  return [...groups.values()];
}

function emptyRemedy(pid: number, fd: number): Remedy {
  return {
    when: "now",
    text:
      `If it must not be restarted, and what is in the file is of no use: empty it through the descriptor. A sealed memfd refuses. ${
        remedyMark("shmem-leak", "empty the file")
      }`,
    commands: [`: > /proc/${pid}/fd/${fd}`],
    verify: "Shmem of /proc/meminfo falls by its size",
  };
}

/** Unlinked files of one process. */
function processHolding(
  pid: number,
  objects: Group<UnlinkedObject>,
  known: readonly Process[] | undefined,
): Holding {
  const [largest] = objects;
  const [holder] = largest.holders;
  const comm = commOf(pid, known) ?? holder.comm ?? UNKNOWN_PROGRAM;
  const bytes = sumBytes(objects);
  const count = Math.round(sumOf(objects, (object) => object.count));
  const { fd } = holder;
  const { kind } = largest;
  const others = largest.holders.length === 1
    ? ""
    : `, also open in ${formatQuantity(largest.holders.length - 1, "other descriptor")}`;
  return {
    bytes,
    name: `${comm} (pid ${pid})`,
    isPlural: false,
    unreachable: true,
    unmappedBytes: bytes,
    openBytes: 0,
    path: largest.path,
    line: largest.line,
    because: `descriptor ${fd} of process ${pid} keeps a ${kind} of ${
      formatBytes(largest.bytes / largest.count)
    } that no process maps`,
    owner: {
      pid,
      comm,
      bytes,
      count,
      detail: `${
        formatQuantity(count, kind, kind === "unmounted tmpfs" ? kind : `${kind}s`)
      }, the largest ${largest.name} at descriptor ${fd}${others}`,
    },
    remedies: [
      {
        when: "now",
        text: `Restart ${comm} in an orderly way: the memory is given back with its last descriptor. ${
          remedyMark("shmem-leak", "end the owner")
        }`,
        commands: stopCommands({ comm, pids: [pid] }, known),
        verify: "Shmem of /proc/meminfo falls by its size",
      },
      ...(kind === "unmounted tmpfs" ? [] : [emptyRemedy(pid, fd)]),
      {
        when: "fix",
        text:
          `Close the descriptor where its use ends; look for the path on which that is forgotten (an error, a lost client). ${
            remedyMark("shmem-leak", "close the descriptor")
          }`,
        commands: [`ls -l /proc/${pid}/fd | grep -E '${kind === "unmounted tmpfs" ? " /$" : "memfd:|deleted"}'`],
        verify: "the same list stays short under the same load",
      },
    ],
  };
}

/** "the largest: /a (1.00 MiB), /b (1.00 MiB)", or what finds them. */
function largestFiles(mount: string, largest: readonly TmpfsFile[]): string {
  const named = largest.slice(0, MAX_FILES_NAMED).map((file) => `${file.path} (${formatBytes(file.bytes)})`);
  return named.length > 0
    ? `the largest: ${named.join(", ")}`
    : `to find the largest: du -axk ${shellWord(mount)} | sort -rn | head`;
}

/** With less than this of a tmpfs the files that have a name do not explain it. */
const MOST_OF_MOUNT = 0.5;
const FIND_LOOP = "losetup -a";
/** With the number of the process, which the lines of `ls -l` lack. */
const FIND_DELETED = "find /proc/[0-9]*/fd -lname '*(deleted)' -ls 2> /dev/null";

/** Whether most of it is in no large file that has a name, though files were listed. */
function isNameless({ bytes, listedBytes }: TmpfsUse): boolean {
  return listedBytes !== undefined && listedBytes < MOST_OF_MOUNT * bytes;
}

/** What shows the files, who uses them, and how the largest goes. */
function deleteCommands(
  { mount, largest, open = [] }: Pick<TmpfsUse, "mount" | "largest"> & Partial<Pick<TmpfsUse, "open">>,
): string[] {
  const folder = shellWord(mount);
  const openFiles = new Set(open.map(({ identity }) => identity));
  const unused = largest.filter(({ identity }) => !openFiles.has(identity));
  return [
    `du -axk ${folder} | sort -rn | head -n 20`,
    `fuser -v -m ${folder}`,
    // A disk image that is mounted is open in no process.
    FIND_LOOP,
    ...unused.slice(0, 1).map((file) => `rm -- ${shellWord(file.path)}`),
  ];
}

/** How the mount gets a limit: in its own namespace. */
function remount({ mount, seenBy }: TmpfsUse): string {
  const enter = seenBy === undefined ? "" : `nsenter -t ${seenBy} -m `;
  return `${enter}mount -o remount,size=... ${shellWord(insideOf(mount, seenBy))}`;
}

/** The path as the process sees it. */
function insideOf(mount: string, seenBy: number | undefined): string {
  return seenBy === undefined ? mount : mount.slice(`/proc/${seenBy}/root`.length);
}

/** Who has files of a tmpfs open. */
interface User {
  readonly pid: number;
  readonly comm: string;
  readonly bytes: number;
  readonly files: number;
  readonly first: OpenFileOnTmpfs;
}

/** The one that has most of them open. */
function mainUser(open: readonly OpenFileOnTmpfs[], known: readonly Process[] | undefined): User | undefined {
  const users = [...groupBy(open, ({ pid }) => pid)].map(([pid, files]) => {
    const [first] = files;
    const own = distinct(files);
    return {
      pid,
      comm: commOf(pid, known) ?? first.comm ?? UNKNOWN_PROGRAM,
      bytes: sumBytes(own),
      files: own.length,
      first,
    };
  });
  return users.sort((a, b) => b.bytes - a.bytes || a.pid - b.pid)[0];
}

/** Each file once, however many have it open. */
function distinct(open: readonly OpenFileOnTmpfs[]): OpenFileOnTmpfs[] {
  return [...new Map(open.map((file) => [file.identity, file])).values()];
}

/** What living processes have open is in use: whether it is too much only its growth would tell. */
function openRemedy({ mount }: TmpfsUse, { pid, comm }: User): Remedy {
  return {
    when: "now",
    text:
      `Leave the files: ${comm} (pid ${pid}) has them open. Look again in a few minutes whether there are ever more. ${
        remedyMark("shmem-leak", "see who has the files open")
      }`,
    commands: [`fuser -v -m ${shellWord(mount)}`, "nailhouse collect --snapshots 6 --interval 30"],
    verify: "whether Shmem of /proc/meminfo grows",
  };
}

/** Where the files of a tmpfs are, if most of them are not known. */
function namelessText(use: TmpfsUse, seesAll: boolean | undefined): string {
  if (!isNameless(use)) return "";
  const who = seesAll === false
    ? `a process has open which could not be seen, or a loop device: as root ${FIND_DELETED}; ${FIND_LOOP}; `
    : `no process has open, such as that of a loop device: ${FIND_LOOP}; `;
  return `most of it in files of less than 1 MiB, or in deleted ones that ${who}`;
}

function filesRemedies(use: TmpfsUse, user: User | undefined): Remedy[] {
  const { mount, sizeBytes } = use;
  return [
    user !== undefined ? openRemedy(use, user) : {
      when: "now",
      text: `Delete the files that are not needed any more, or move them to a disk. Look first who uses them. ${
        remedyMark("shmem-leak", "delete the files")
      }`,
      commands: deleteCommands(use),
      verify: "Shmem of /proc/meminfo falls by their size",
    },
    {
      when: "prevent",
      text: `Give the mount a limit: now it is ${sizeBytes === undefined ? "not known" : formatBytes(sizeBytes)}. ${
        remedyMark("shmem-leak", "limit of the mount")
      }`,
      commands: [remount(use)],
      verify: `df ${shellWord(mount)} shows the limit; writing beyond it fails with ENOSPC`,
    },
  ];
}

function filesHolding(
  use: TmpfsUse,
  isGrowing: boolean,
  { processes: known, seesAllDescriptors: seesAll }: Seen,
): Holding {
  const openBytes = Math.min(use.bytes, sumBytes(distinct(use.open)));
  const user = openBytes >= MOST_OF_MOUNT * use.bytes ? mainUser(use.open, known) : undefined;
  const { mount, seenBy, bytes, mappedBytes, largest, path, line } = use;
  const comm = seenBy === undefined ? mount : commOf(seenBy, known) ?? UNKNOWN_PROGRAM;
  const inside = insideOf(mount, seenBy);
  const name = seenBy === undefined ? `Files in ${mount}` : `Files in ${inside} of ${comm} (pid ${seenBy})`;
  const openText = openBytes === 0 ? "" : `, of which ${formatBytes(openBytes)} are open in living processes`;
  return {
    bytes,
    name: user === undefined ? name : `${name} that ${nameOfGroup({ comm: user.comm, pids: [user.pid] })} has open`,
    isPlural: true,
    unreachable: false,
    unmappedBytes: mappedBytes === undefined ? undefined : Math.max(0, bytes - mappedBytes),
    openBytes: isGrowing ? 0 : openBytes,
    path,
    line,
    because: seenBy === undefined
      ? `${formatBytes(bytes)} of files in this tmpfs${openText}: they are memory until they are deleted`
      : `${
        formatBytes(bytes)
      } of files in this tmpfs of another mount namespace, such as a container's, which df does not show${openText}`,
    owner: {
      pid: user?.pid ?? seenBy ?? null,
      comm: user?.comm ?? comm,
      bytes: user?.bytes ?? bytes,
      count: user?.files ?? Math.max(1, largest.length),
      detail: `${user === undefined ? "" : `it has ${formatQuantity(user.files, "file")} in ${mount} open; `}${
        seenBy === undefined ? "" : `${inside} of its mount namespace; `
      }${namelessText(use, seesAll)}${largestFiles(mount, largest)}`,
    },
    remedies: filesRemedies(use, user),
  };
}

/** All that holds shared memory without mapping it, the most first. */
function holdings(isGrowing: boolean, seen: Seen): Holding[] {
  const { sharedMemory: shared, processes: known } = seen;
  const byPid = groupBy(shared.unlinked ?? [], ({ holders: [first] }) => first.pid);
  const files = (shared.tmpfs ?? []).filter(({ mount, bytes, sizeBytes }) =>
    mount !== JOURNAL_MOUNT || sizeBytes === undefined || bytes > JOURNAL_SHARE * sizeBytes
  );
  return [
    ...byMaker(shared.orphans ?? []).map((segments) => segmentsHolding(segments, known)),
    ...[...byPid].map(([pid, objects]) => processHolding(pid, objects, known)),
    ...files.map((use) => filesHolding(use, isGrowing, seen)),
  ].filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

/**
 * What of it is unmapped, for sure and at most: files with a name may be those that are mapped. Where the bundle does not tell what is
 * mapped, nothing is sure of them; nor of those that are open, unless shared memory grows.
 */
function claim({ totalBytes, mapped }: SharedMemory, parts: readonly Holding[]): ByteRange {
  const unreachable = sumBytes(parts.filter((part) => part.unreachable));
  const files = parts.filter((part) => !part.unreachable);
  const left = (mappedBytes: number): number => Math.max(0, totalBytes - mappedBytes - unreachable);
  const surely = sumOf(files, ({ unmappedBytes = 0, openBytes }) => Math.max(0, unmappedBytes - openBytes));
  const unused = sumOf(files, ({ bytes, openBytes }) => bytes - openBytes);
  const high = Math.min(totalBytes, unreachable + Math.min(sumBytes(files), left(mapped?.low ?? 0)));
  const low = unreachable + Math.max(surely, mapped === undefined ? 0 : Math.min(unused, left(mapped.high)));
  return { low: Math.min(low, high), high };
}

/** What to do about each: now, and of each kind once for the time after that. What reads the same is said once, with all its commands. */
function remediesOf(parts: readonly Holding[]): Remedy[] {
  const byText = new Map<string, Remedy>();
  for (const remedy of parts.flatMap(({ remedies }) => remedies)) {
    const known = byText.get(remedy.text);
    if (known === undefined) byText.set(remedy.text, remedy);
    else if (remedy.when === "now") {
      byText.set(remedy.text, { ...known, commands: [...new Set([...known.commands, ...remedy.commands])] });
    }
  }
  return [...byText.values()].sort((a, b) => WHEN.indexOf(a.when) - WHEN.indexOf(b.when));
}

/** "SysV segment 7 and 2 others" */
function nameOf([first, ...others]: readonly Holding[]): string {
  return `${(first as Holding).name}${others.length === 0 ? "" : ` and ${formatQuantity(others.length, "other")}`}`;
}

/** A process that maps ever more shared memory, the last that is known of it. */
interface GrowingMapper {
  readonly last: SharedMapper;
  readonly changeBytes: number;
}

/** Who maps most of what shared memory grew by; processes that map the same pages grew alike. */
function growingMappers(snapshots: readonly TimePoint<readonly SharedMapper[]>[], grown: Trend): GrowingMapper[] {
  const series = new Map<number, { last: SharedMapper; values: Measurement[] }>();
  for (const { time, value } of snapshots) {
    for (const mapper of value) {
      const values = series.get(mapper.pid)?.values ?? [];
      values.push({ time, bytes: mapper.bytes });
      series.set(mapper.pid, { last: mapper, values });
    }
  }
  return [...series.values()].flatMap(({ last, values }) => {
    const trend = values.length === snapshots.length ? growth(values, MIN_GROWTH_BYTES) : undefined;
    return trend === undefined || trend.changeBytes < MIN_SHARE_OF_GROWTH * grown.changeBytes
      ? []
      : [{ last, changeBytes: trend.changeBytes }];
  }).sort((a, b) => b.changeBytes - a.changeBytes || a.last.pid - b.last.pid);
}

function ramfsOwner({ mount, listed, largest }: RamfsUse, atMostBytes: number): Owner {
  return {
    pid: null,
    comm: mount,
    bytes: Math.min(listed?.bytes ?? atMostBytes, atMostBytes),
    count: Math.max(1, largest.length),
    detail: largestFiles(mount, largest),
  };
}

function ramfsRemedies({ mount, largest }: RamfsUse): Remedy[] {
  const folder = shellWord(mount);
  return [{
    when: "now",
    text: `Delete the files that are not needed any more, or move them to a disk. Look first who uses them. ${
      remedyMark("shmem-leak", "delete the files of a ramfs")
    }`,
    commands: deleteCommands({ mount, largest }),
    verify: "Unevictable of /proc/meminfo falls by their size",
  }, {
    when: "prevent",
    text:
      `Mount a tmpfs with a limit instead (in /etc/fstab, too): a ramfs has none, and cannot be swapped. Unmounting deletes all that is in it: save it first. ${
        remedyMark("shmem-leak", "a tmpfs instead of a ramfs")
      }`,
    commands: [`umount ${folder}`, `mount -t tmpfs -o size=... tmpfs ${folder}`],
    verify: `df ${folder} shows the limit; writing beyond it fails with ENOSPC`,
  }];
}

/** Those of which files are known, if they explain it; else any ramfs may hold it. */
interface RamfsUses {
  readonly areSure: boolean;
  readonly uses: readonly RamfsUse[];
}

function ramfsUses({ bytes, ramfs = [] }: UnevictableCache): RamfsUses {
  const filled = ramfs.filter(({ listed }) => (listed?.bytes ?? 0) > 0);
  const areSure = sumOf(filled, ({ listed }) => listed?.bytes ?? 0) >= MOST * bytes.low;
  const uses = areSure ? filled : ramfs.filter(({ listed }) => listed?.bytes !== 0);
  return { areSure, uses: uses.slice(0, FEW_OWNERS) };
}

function ramfsTitle(lowBytes: number, { areSure, uses: [largest, ...others] }: RamfsUses): string {
  const held = `${formatBytes(lowBytes)} of page cache`;
  if (largest === undefined) return `${held} cannot be given back by the kernel, and no file that is known explains it`;
  const also = others.length > 0 ? ` and ${formatQuantity(others.length, "other")}` : "";
  return areSure
    ? `Files in the ramfs ${largest.mount}${also} hold ${held} that the kernel cannot give back`
    : `${held} cannot be given back by the kernel: the ramfs ${largest.mount}${also} may hold it`;
}

function unknownRamfsOwner(bytes: number): Owner {
  return {
    pid: null,
    comm: "unknown",
    bytes,
    count: 1,
    detail:
      "a ramfs of another mount namespace, deleted files of one that are still open, memfd_secret, or memory of confidential virtual machines (guest_memfd); to tell: " +
      "grep ' ramfs ' /proc/[0-9]*/mounts; ls -l /proc/[0-9]*/fd | grep -E 'secretmem|kvm-gmem|deleted'",
  };
}

function ramfsEvidence({ bytes, unevictable, mlocked }: UnevictableCache, uses: readonly RamfsUse[]): EvidenceLine[] {
  return [
    {
      ...unevictable,
      because: `pages that the kernel cannot give back; at least ${
        formatBytes(bytes.low)
      } of them are page cache that is not mlocked`,
    },
    { ...mlocked, because: "of those the ones that processes locked (mlock): no cause of the rest" },
    ...uses.flatMap(({ path, line, listed }) => [
      {
        path,
        line,
        because: "a ramfs: its files are memory until they are deleted, without a limit, and never swapped",
      },
      ...(listed === undefined
        ? []
        : [{ path: listed.path, line: listed.line, because: `${formatBytes(listed.bytes)} of files in this ramfs` }]),
    ]),
  ];
}

/** Page cache that cannot be given back; undefined where it is little. */
function ramfsFinding(seen: Seen): FindingDraft | undefined {
  const { unevictableCache: cache } = seen;
  if (cache === undefined || cache.bytes.low < materialFileBytes(seen.ledger.totalBytes)) return undefined;
  const series = (seen.caches ?? []).flatMap(({ time, value }) =>
    value === undefined ? [] : [{ time, bytes: value.countedBytes }]
  );
  const growing = growth(series, MIN_GROWTH_BYTES);
  const found = ramfsUses(cache);
  const { areSure, uses } = found;
  const [largest] = uses;
  return {
    title: ramfsTitle(cache.bytes.low, found),
    confidence: !areSure ? "possible" : growing === undefined ? "likely" : "confirmed",
    material: true,
    claims: [{ account: "page-cache", bytes: cache.bytes }],
    ...forecast(growing, seen.ledgers),
    owners: largest === undefined
      ? [unknownRamfsOwner(cache.bytes.high)]
      : uses.map((use) => ramfsOwner(use, cache.bytes.high)),
    evidence: ramfsEvidence(cache, uses),
    remedies: largest === undefined ? [] : ramfsRemedies(largest),
  };
}

function ofDescriptors({ count }: DescriptorsInFlight): string {
  return formatQuantity(count, "descriptor");
}

/** What tells where shared memory is, and whether processes map it. */
const LOOKS: readonly (readonly [keyof SharedMemory, Missing])[] = [
  ["mapped", { path: "proc/PID/status", howToCapture: "cat /proc/[0-9]*/status" }],
  ["tmpfs", { path: "sos_commands/filesys/df_-al_-x_autofs", howToCapture: "df -al -x autofs; cat /proc/mounts" }],
  ["orphans", { path: "proc/sysvipc/shm", howToCapture: "cat /proc/sysvipc/shm" }],
  ["unlinked", { path: "sos_commands/process/lsof_*", howToCapture: "lsof -b +M -n -l" }],
];

/** Shared memory that nobody maps, and who holds it. */
interface Unmapped {
  /** The most first. */
  readonly parts: readonly Holding[];
  readonly bytes: ByteRange;
  /** What it may fill; where it does not grow, it fills no control group, and only its size beside the host's tells that it is too much. */
  readonly roomBytes: number;
}

function unmappedOf(growing: Trend | undefined, seen: Seen): Unmapped {
  const { sharedMemory: shared, ledger: { totalBytes }, limits } = seen;
  const parts = holdings(growing !== undefined, seen);
  const [largest] = parts;
  return {
    parts,
    bytes: claim(shared, parts),
    roomBytes: growing === undefined || largest === undefined
      ? totalBytes
      : roomBytes("shmem", largest.bytes, largest.owner, totalBytes, limits),
  };
}

function isMaterial({ parts, bytes, roomBytes: room }: Unmapped, seen: Seen): boolean {
  const unreachable = Math.min(sumBytes(parts.filter((part) => part.unreachable)), seen.sharedMemory.totalBytes);
  return unreachable >= materialBytes(room) || bytes.high >= materialFileBytes(room);
}

function unmappedFinding(
  { parts, bytes, roomBytes: room }: Unmapped,
  growing: Trend | undefined,
  seen: Seen,
): FindingDraft {
  const { sharedMemory: shared } = seen;
  const grownForLong = longGrowth(seen.recorded, "Shmem", shared.totalBytes);
  // How fast, but not how sure: what grew over days may have been something else.
  const rate = growing ?? grownForLong?.trend;
  const [largest] = parts as [Holding];
  const large = parts.filter((part) => part.bytes >= largest.bytes / FEW_OWNERS);
  const sureConfidence: Confidence = largest.unreachable || growing !== undefined ? "confirmed" : "likely";
  const listed = large.slice(0, FEW_OWNERS);
  return {
    title: `${nameOf(large)} ${large.length === 1 && !largest.isPlural ? "holds" : "hold"} ${
      formatBytes(bytes.high)
    } of shared memory that no process maps`,
    confidence: bytes.low >= materialBytes(room) ? sureConfidence : "possible",
    material: true,
    claims: [{ account: "shmem", bytes }],
    ...forecast(rate, seen.ledgers),
    owners: listed.map(({ owner }) => owner),
    evidence: [
      {
        ...shared.total,
        because: shared.mapped === undefined
          ? "all shared memory of the host; the bundle does not tell how much of it processes map"
          : `all shared memory of the host; processes map ${formatBytes(shared.mapped.low)} of it`,
      },
      ...listed.map(({ path, line, because }) => ({ path, line, because })),
      ...longGrowthEvidence(grownForLong),
    ],
    remedies: remediesOf(listed),
  };
}

/** What is mapped is in use: only its program can tell a leak from a database that fills its buffers. */
function mappedFinding(
  mapper: GrowingMapper,
  others: readonly GrowingMapper[],
  growing: Trend,
  seen: Seen,
): FindingDraft {
  const { last: { pid, comm, bytes, path, line }, changeBytes } = mapper;
  const { sharedMemory: shared, processes: known, ledger } = seen;
  const held = shared.mappers.find((each) => each.pid === pid)?.bytes ?? 0;
  const also = others.length === 0
    ? ""
    : ` (${formatQuantity(others.length, "other process", "other processes")} map it, too)`;
  const seconds = Math.round(growing.spanSeconds);
  return {
    title: `${comm} (pid ${pid}) maps ${formatBytes(bytes)} of shared memory${also}, which grows by ${
      formatRate(growing.bytesPerSecond)
    }: a leak, or buffers that fill`,
    confidence: "possible",
    material: bytes >= SMALL_HOST_SHARE * ledger.totalBytes,
    claims: [{ account: "shmem", bytes: { low: 0, high: Math.min(held, shared.totalBytes) } }],
    ...forecast(growing, seen.ledgers),
    owners: [mapper, ...others].slice(0, FEW_OWNERS).map(({ last }) => ({
      pid: last.pid,
      comm: last.comm,
      bytes: last.bytes,
      count: 1,
      detail: known?.find((process) => process.pid === last.pid)?.unit ?? "no systemd unit known",
    })),
    evidence: [
      { ...shared.total, because: "all shared memory of the host when the ledger was read" },
      { path, line, because: `it maps ${formatBytes(changeBytes)} more than ${seconds} s before` },
    ],
    remedies: [{
      when: "now",
      text:
        `See which of its shared mappings it is, and look again in a few minutes: buffers stop at the size that they are given (shared_buffers of PostgreSQL), and a leak does not. ${
          remedyMark("shmem-leak", "see which mapping grows")
        }`,
      commands: [`grep -A 5 ' rw-s ' /proc/${pid}/smaps`, "nailhouse collect --snapshots 6 --interval 30"],
      verify: `RssShmem of /proc/${pid}/status stays level`,
    }],
  };
}

function unknownOwner(bytes: number, { rootInMemory }: SharedMemory): Owner {
  return {
    pid: null,
    comm: "unknown",
    bytes,
    count: 1,
    detail: `${rootInMemory === undefined ? "" : "files of the root directory, which is in memory (du -xsh /), "}` +
      "an anonymous shared mapping that living processes have not touched, buffers of a graphics driver, memfds that were sent over a socket and not received (counted as " +
      "scm_fds with the descriptor of who should), a tmpfs that was unmounted while something in it was open (umount -l), or one of another mount or IPC namespace; to tell: lsns -t mnt; lsns -t ipc; " +
      `${FIND_IN_FLIGHT}; grep -l /dev/zero /proc/[0-9]*/maps`,
  };
}

/** A recorder's ring, say, does not list files. That it goes on growing tells that it is no buffer that somebody needs. */
function namelessFinding(nameless: number, growing: Trend | undefined, seen: Seen): FindingDraft {
  const { mapped } = seen.sharedMemory;
  const receivers = seen.inFlight?.value ?? [];
  const [most] = receivers;
  const grows = growing !== undefined && growing.spanSeconds >= START_UP_SECONDS ? growing : undefined;
  const isSure = grows !== undefined || most !== undefined;
  return {
    title: `At least ${formatBytes(nameless)} of shared memory are in no page table and in no file that is known${
      grows === undefined ? "" : `, and grow by ${formatRate(grows.bytesPerSecond)}`
    }${most === undefined ? "" : `; ${receiverName(most, seen)} has not received ${ofDescriptors(most)}`}`,
    confidence: isSure ? "likely" : "possible",
    material: true,
    claims: [{
      account: "shmem",
      // What processes map may be less than is known of them: then more of it is nameless.
      bytes: { low: isSure ? nameless : 0, high: nameless + (mapped === undefined ? 0 : mapped.high - mapped.low) },
    }],
    ...forecast(grows, seen.ledgers),
    owners: most === undefined
      ? [unknownOwner(nameless, seen.sharedMemory)]
      : receivers.slice(0, FEW_OWNERS).map((socket) => receiverOwner(socket, seen)),
    evidence: namelessEvidence(seen),
    remedies: most === undefined ? [] : receiverRemedies(receivers, seen),
  };
}

function namelessEvidence({ sharedMemory: shared, inFlight }: Seen): EvidenceLine[] {
  const [mapper] = shared.mappers;
  const lines: EvidenceLine[] = [{
    ...shared.total,
    because: `all shared memory of the host; processes map at most ${formatBytes(shared.mapped?.high ?? 0)} of it`,
  }];
  for (const socket of inFlight?.value.slice(0, FEW_OWNERS) ?? []) {
    const because = `${
      ofDescriptors(socket)
    } wait in messages to this socket, and did a second later: nobody receives, and what is in flight is in no process`;
    lines.push({ path: (inFlight as Parsed<unknown>).path, line: socket.line, because });
  }
  if (mapper !== undefined) {
    const because = `${mapper.comm} (pid ${mapper.pid}) has the most shared memory in its page tables`;
    lines.push({ path: mapper.path, line: mapper.line, because });
  }
  if (shared.rootInMemory !== undefined) {
    const because =
      "the host runs from what its initramfs was unpacked to: the files in it are shared memory, which df does not show";
    lines.push({ ...shared.rootInMemory, because });
  }
  return lines;
}

function receiverComm({ pid }: DescriptorsInFlight, { processes: known }: Seen): string {
  return commOf(pid, known) ?? `pid ${pid}`;
}

function receiverName(socket: DescriptorsInFlight, seen: Seen): string {
  return nameOfGroup({ comm: receiverComm(socket, seen), pids: [socket.pid] });
}

/** Which of them are of shared memory, and how large each one is, nothing tells. */
function receiverOwner(socket: DescriptorsInFlight, seen: Seen): Owner {
  return {
    pid: socket.pid,
    comm: receiverComm(socket, seen),
    bytes: 0,
    count: socket.count,
    detail: `as many descriptors wait on its descriptor ${socket.fd}; what each one holds is told nowhere`,
  };
}

function receiverRemedies(receivers: readonly DescriptorsInFlight[], seen: Seen): Remedy[] {
  const byPid = new Map(receivers.slice(0, FEW_OWNERS).map((socket) => [socket.pid, receiverComm(socket, seen)]));
  return [{
    when: "now",
    text:
      `End or restart who does not receive, in an orderly way: with the socket go the messages, and what is in flight in them. ${
        remedyMark("shmem-leak", "end the receiver of descriptors")
      }`,
    commands: [...byPid].flatMap(([pid, comm]) => stopCommands({ comm, pids: [pid] }, seen.processes)),
    verify: "Shmem of /proc/meminfo falls",
  }, {
    when: "fix",
    text: `Receive all messages, and close the descriptors that are not needed (recvmsg, MSG_CMSG_CLOEXEC). ${
      remedyMark("shmem-leak", "receive the descriptors")
    }`,
    commands: [FIND_IN_FLIGHT],
    verify: "scm_fds of the socket is 0",
  }];
}

/** What is to be said of shared memory where hardly any is known to be unmapped. */
function otherOutcome({ bytes }: Unmapped, growing: Trend | undefined, seen: Seen): Outcome {
  const { sharedMemory: shared } = seen;
  const { mapped, totalBytes } = shared;
  const limit = materialFileBytes(seen.ledger.totalBytes);
  const nameless = totalBytes - (mapped?.high ?? 0) - shared.attachedBytes - bytes.high;
  if (mapped !== undefined && nameless >= limit) return { findings: [namelessFinding(nameless, growing, seen)] };
  if (growing !== undefined) {
    const [mapper, ...others] = growingMappers(seen.mappers ?? [], growing);
    if (mapper !== undefined && mapper.last.bytes >= limit) {
      return { findings: [mappedFinding(mapper, others, growing, seen)] };
    }
  }
  if (mapped === undefined && nameless >= limit) {
    return { notAssessed: LOOKS.flatMap(([part, look]) => shared[part] === undefined ? [look] : []) };
  }
  return {
    ruledOut: `${formatBytes(totalBytes)} are shared memory, of which ${
      formatBytes(bytes.high)
    } are in files, memfds and segments that no process maps`,
  };
}

export const shmemLeak: Analyzer = defineAnalyzer({
  id: "shmem-leak",
  title: "Shared memory that no process maps",
  mechanism:
    "Files on tmpfs, memfds, POSIX and SysV shared memory are pages without a disk: they stay until the file is deleted and closed, or the segment is removed, whether or not any " +
    "process maps them, and also after those that made them have ended. They are in Shmem (and so in Cached, which looks free) and in no process's RSS, and without swap the kernel " +
    "cannot take them back. A deleted file that is still open, and a memfd, stand in no directory: df counts the first, du neither. Files on a ramfs are memory in the same way, but " +
    "ordinary page cache: in Cached without Shmem, in Unevictable without Mlocked, not in MemAvailable. A ramfs has no limit, is never swapped, and df shows 0 of it.",
  lookAlikes:
    "A database's shared buffers: the same account, but mapped and used, in RssShmem of its processes. Files on a tmpfs that a living process has open, unless they grow. Page cache: Cached without Shmem, which the kernel drops when it needs memory, except that of a ramfs. Unevictable " +
    "without Mlocked is also shared memory that SHM_LOCK or a graphics driver holds, and the files of an initramfs that the host runs from. The small ramfs that systemd mounts for the credentials of a service. " +
    "Buffers of graphics drivers are Shmem without a name, too. An anonymous shared mapping (/dev/zero) of which little is touched by processes that still live.",
  references: [
    "https://docs.kernel.org/filesystems/tmpfs.html",
    "https://docs.kernel.org/filesystems/ramfs-rootfs-initramfs.html",
    "https://man7.org/linux/man-pages/man2/memfd_create.2.html",
    "https://man7.org/linux/man-pages/man2/shmctl.2.html",
  ],
  needs,
  uses,
  // Whether processes map it, files on tmpfs are it or nobody has it: meminfo alone does not tell.
  judges: "shmem",
  analyze(seen) {
    const growing = growth(accountSeries(seen.ledgers, "shmem"), MIN_GROWTH_BYTES);
    const unmapped = unmappedOf(growing, seen);
    const ramfs = ramfsFinding(seen);
    const outcome = isMaterial(unmapped, seen)
      ? { findings: [unmappedFinding(unmapped, growing, seen)] }
      : otherOutcome(unmapped, growing, seen);
    if (ramfs === undefined) return outcome;
    return { findings: [...("findings" in outcome ? outcome.findings : []), ramfs] };
  },
});
