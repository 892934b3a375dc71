/** What holds shared memory, and how much of it any process has mapped. */
import { ParseError } from "../core/errors.ts";
import { type Group, groupBy } from "../core/group_by.ts";
import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Parsed, type Source } from "../core/source.ts";
import { sum, sumBytes, sumOf } from "../core/sums.ts";
import type { ProcessFile } from "../parsers/_groups.ts";
import { df, type DfMount } from "../parsers/df.ts";
import { type LsofFiles, lsofFiles } from "../parsers/lsof_files.ts";
import { meminfo } from "../parsers/meminfo.ts";
import { type Mount, mounts } from "../parsers/mounts.ts";
import { type OpenTmpfs, openTmpfs, type UnmountedTmpfs } from "../parsers/open_tmpfs_files.ts";
import type { ProcessStatus } from "../parsers/process_status.ts";
import { sharedMemoryDescriptors, type UnlinkedFile } from "../parsers/shared_memory_descriptors.ts";
import { type SmapsRollup, smapsRollup } from "../parsers/smaps_rollup.ts";
import {
  sysvipcShm,
  sysvipcShmElsewhere,
  type SysvSegment,
  type SysvSegmentElsewhere,
} from "../parsers/sysvipc_shm.ts";
import { type TmpfsFile, tmpfsFiles } from "../parsers/tmpfs_files.ts";
import { processStatuses } from "./process_statuses.ts";

/** A memfd, or a file on tmpfs that was deleted, which lives by its descriptors; and so does a tmpfs that was unmounted (umount -l). */
export interface UnlinkedObject extends SourceLine {
  readonly kind: "memfd" | "deleted file" | "unmounted tmpfs";
  readonly name: string;
  readonly identity: string;
  readonly bytes: number;
  /** How many such files it stands for: above 1 where not all descriptors were looked at. */
  readonly count: number;
  /** Processes that have it open, and as what. */
  readonly holders: Readonly<Group<Holder>>;
}

export type Holder = Pick<UnlinkedFile, "pid" | "fd" | "comm">;

/** A SysV segment that nobody is attached to. */
export interface OrphanSegment extends SourceLine, Pick<SysvSegment, "id" | "creatorPid" | "uid" | "detachedSeconds"> {
  readonly bytes: number;
  /** A process in whose IPC namespace it is; undefined for that of the whole host. */
  readonly seenBy: number | undefined;
}

/** A file with a name that a living process has open: it is in use, and not left behind. */
export interface OpenFileOnTmpfs extends SourceLine {
  readonly pid: number;
  /** Undefined where the list has no names of processes. */
  readonly comm: string | undefined;
  readonly identity: string;
  readonly bytes: number;
}

/** A mounted tmpfs and the files in it that have a name. */
export interface TmpfsUse extends SourceLine {
  /** As seen from the host: `/dev/shm`, `/proc/123/root/dev/shm`. */
  readonly mount: string;
  /** A process in whose mount namespace it is mounted; undefined for that of the whole host. */
  readonly seenBy: number | undefined;
  readonly sizeBytes: number | undefined;
  readonly bytes: number;
  /** Of those files the mapped ones, at most; undefined where the bundle has no list of them. */
  readonly mappedBytes: number | undefined;
  readonly largest: readonly TmpfsFile[];
  /** Of each process that has it open once. */
  readonly open: readonly OpenFileOnTmpfs[];
  /** What files with a name have that are large enough to be listed; undefined where the bundle has no list. */
  readonly listedBytes: number | undefined;
}

/** A process and the shared memory in its page tables. */
export interface SharedMapper extends SourceLine {
  readonly pid: number;
  readonly comm: string;
  readonly bytes: number;
}

export interface SharedMemory {
  /** Shmem of meminfo. */
  readonly totalBytes: number;
  readonly total: SourceLine;
  /** How much of it stands in page tables of processes; undefined where the bundle does not tell. */
  readonly mapped: { readonly low: number; readonly high: number } | undefined;
  /** Segments that processes are attached to and unlinked files that they map: in use, also where no page table shows it. */
  readonly attachedBytes: number;
  /** The most first. */
  readonly mappers: readonly SharedMapper[];
  /** Undefined where descriptors were not looked at. */
  readonly unlinked: readonly UnlinkedObject[] | undefined;
  /** Undefined where segments were not captured. */
  readonly orphans: readonly OrphanSegment[] | undefined;
  /** The fullest first. Undefined where mounts were not captured. */
  readonly tmpfs: readonly TmpfsUse[] | undefined;
  /** Where the host runs from what its initramfs was unpacked to, which df does not show: its files are shared memory (init_rootfs). */
  readonly rootInMemory: SourceLine | undefined;
}

function pathIsBelow(path: string, mount: string): boolean {
  return path.startsWith(mount.endsWith("/") ? mount : `${mount}/`);
}

/** PATH_MAX (include/uapi/linux/limits.h): what is longer is no path of a mount. */
const MAX_PATH = 4096;

/** Finds the mount that a path is in: the last one with the longest path that it is, or is below. */
export function mountFinder(mounted: readonly Mount[]): (path: string) => Mount | undefined {
  const last = new Map(mounted.map((mount) => [mount.path, mount]));
  return (path) => {
    for (let folder = path.slice(0, MAX_PATH); folder !== ""; folder = folder.slice(0, folder.lastIndexOf("/"))) {
      const mount = last.get(folder);
      if (mount !== undefined) return mount;
    }
    return last.get("/");
  };
}

const MEMFD = "/memfd:";

/** Whether a file without a name is in shared memory: the list says on what it is, or its former path does. */
function isShared({ name, fileSystem }: UnlinkedFile, tmpfs: readonly Pick<Mount, "path">[]): boolean {
  if (fileSystem !== undefined) return fileSystem === "tmpfs";
  return name.startsWith(MEMFD) || tmpfs.some(({ path }) => pathIsBelow(name, path));
}

/**
 * Files that no process which was looked at has mapped, each once. Of a process not all of whose descriptors were looked at, a file stands for others like it,
 * but not for more than there is shared memory: what it holds may be in this one alone.
 */
function unmappedFiles(
  file: Parsed<readonly UnlinkedFile[]>,
  tmpfs: readonly Pick<Mount, "path">[],
  totalBytes: number,
): UnlinkedObject[] {
  const used = new Set(file.value.filter(({ mapped }) => mapped).map(({ identity }) => identity));
  const unmapped = file.value.filter((each) => !used.has(each.identity) && isShared(each, tmpfs));
  return [...groupBy(unmapped, ({ identity }) => identity)].map(([identity, holders]) => {
    const [{ name, bytes, weight, line }] = holders;
    const count = Math.min(weight, Math.max(1, totalBytes / Math.max(1, bytes)));
    const kind = name.startsWith(MEMFD) ? "memfd" : "deleted file";
    return { kind, name, identity, bytes: bytes * count, count, holders, path: file.path, line } as const;
  }).sort((a, b) => b.bytes - a.bytes || a.line - b.line);
}

function byDevice(unlinked: readonly UnlinkedObject[]): ReadonlyMap<string, number> {
  const bytesOf = new Map<string, number>();
  for (const { identity, bytes } of unlinked) {
    const device = identity.split(" ", 1)[0] as string;
    bytesOf.set(device, (bytesOf.get(device) ?? 0) + bytes);
  }
  return bytesOf;
}

/** What is in no mount at all, without what was deleted in there. One that is listed is mounted in another namespace. */
function unmountedTmpfs(
  { path, value }: Parsed<OpenTmpfs>,
  unlinked: readonly UnlinkedObject[],
  listed: readonly TmpfsFile[],
): UnlinkedObject[] {
  const deletedBytes = byDevice(unlinked);
  const mounted = new Set(listed.map(({ device }) => device));
  const kept = value.unmounted.filter(({ device }) => !mounted.has(device));
  return [...groupBy(kept, ({ device }) => device)].map(([device, holders]) => {
    const [first, ...others] = holders;
    const { bytes, line } = first;
    const holderOf = ({ pid, fd }: UnmountedTmpfs): Holder => ({ pid, fd, comm: undefined });
    return {
      kind: "unmounted tmpfs",
      name: "/",
      identity: device,
      bytes: Math.max(0, bytes - (deletedBytes.get(device) ?? 0)),
      count: 1,
      holders: [holderOf(first), ...others.map(holderOf)],
      path,
      line,
    };
  });
}

/** Which files of a tmpfs are open: by its device, or as lsof tells them by their paths. */
type FindOpen = (mount: string, device: string | undefined) => readonly OpenFileOnTmpfs[];

function openFinder(
  own: Parsed<OpenTmpfs> | undefined,
  lsof: Parsed<LsofFiles> | undefined,
  mountOf: ReturnType<typeof mountFinder>,
): FindOpen {
  if (own !== undefined) {
    const files = own.value.files.map((file) => ({ ...file, comm: undefined, path: own.path }));
    const ofDevice = groupBy(files, ({ device }) => device);
    return (_, device) => (device === undefined ? undefined : ofDevice.get(device)) ?? [];
  }
  const files = lsof?.value.open.map((file) => ({ ...file, path: lsof.path, mount: mountOf(file.name)?.path })) ?? [];
  const ofMount = groupBy(files, ({ mount }) => mount);
  return (mount) => ofMount.get(mount) ?? [];
}

function orphanSegments(
  { path, value }: Parsed<readonly (SysvSegment & Partial<SysvSegmentElsewhere>)[]>,
): OrphanSegment[] {
  return value.filter(({ attached }) => attached === 0).map((segment) => ({
    ...segment,
    seenBy: segment.seenBy,
    path,
    // Kernels that do not tell what it really has tell the size that was asked for.
    bytes: segment.rssBytes ?? segment.sizeBytes,
  }));
}

/** What is attached or mapped by name, each once. */
function attached(segments: readonly SysvSegment[], unlinked: readonly UnlinkedFile[]): number {
  const files = new Map(unlinked.filter(({ mapped }) => mapped).map(({ identity, bytes }) => [identity, bytes]));
  return sumOf(segments, (segment) => segment.attached > 0 ? segment.rssBytes ?? 0 : 0) +
    sum([...files.values()]);
}

/** Each tmpfs once, however often it is mounted: two of the same size and use are the same one. */
function tmpfsUses(
  { path, value }: Parsed<readonly DfMount[]>,
  tmpfs: readonly Pick<Mount, "path">[],
  unlinked: readonly UnlinkedObject[],
  files: readonly TmpfsFile[] | undefined,
  mapped: LsofFiles["mapped"] | undefined,
  openOf: FindOpen,
): TmpfsUse[] {
  const types = new Set(tmpfs.map((mount) => mount.path.replace(/\s+/g, " ")));
  const uses = new Map<string, TmpfsUse>();
  for (const { filesystem, sizeBytes, usedBytes, mount, line } of value) {
    const key = `${filesystem} ${sizeBytes} ${usedBytes}`;
    if (usedBytes === undefined || !types.has(mount) || uses.has(key)) continue;
    const deleted = sumBytes(unlinked.filter(({ name }) => pathIsBelow(name, mount)));
    const largest = files?.filter((file) => pathIsBelow(file.path, mount));
    uses.set(key, {
      path,
      line,
      mount,
      seenBy: undefined,
      sizeBytes,
      bytes: Math.max(0, usedBytes - deleted),
      mappedBytes: mapped?.reduce((sum, { name, bytes }) => sum + (pathIsBelow(name, mount) ? bytes : 0), 0),
      largest: largest ?? [],
      open: openOf(mount, largest?.[0]?.device),
      listedBytes: largest && sumBytes(largest),
    });
  }
  return [...uses.values()];
}

const ELSEWHERE = /^\/proc\/(\d{1,10})\/root\//;

/** Those of other mount namespaces, such as a container's: each stands as its own folder in the list, too, which has the shortest path of its device. */
function tmpfsElsewhere(
  { path: list, value: files }: Parsed<readonly TmpfsFile[]>,
  unlinked: readonly UnlinkedObject[],
  openOf: FindOpen,
): TmpfsUse[] {
  const ofDevice = groupBy(files.filter((file) => ELSEWHERE.test(file.path)), ({ device }) => device);
  const deletedBytes = byDevice(unlinked);
  return [...ofDevice].map(([device, inside]) => {
    const folder = inside.reduce((a, b) => (b.path.length < a.path.length ? b : a));
    return {
      path: list,
      line: folder.line,
      mount: folder.path,
      seenBy: Number(ELSEWHERE.exec(folder.path)?.[1]),
      sizeBytes: undefined,
      bytes: Math.max(0, folder.bytes - (deletedBytes.get(device) ?? 0)),
      mappedBytes: undefined,
      largest: inside.filter((file) => file !== folder),
      open: openOf(folder.path, device),
      listedBytes: undefined,
    };
  });
}

function mappersOf(statuses: readonly ProcessFile<ProcessStatus>[]): SharedMapper[] {
  return statuses.flatMap(({ pid, path, value: { name, rssShmemBytes: bytes, lines } }) => {
    const line = lines.get("RssShmem");
    return bytes === undefined || line === undefined ? [] : [{ pid, comm: name ?? "(no name)", bytes, path, line }];
  }).sort((a, b) => b.bytes - a.bytes || a.pid - b.pid);
}

/** Who has shared memory in its page tables, the most first. */
export const sharedMappers: Source<readonly SharedMapper[]> = defineComputed({
  name: "processes that map shared memory",
  needs: { processStatuses },
  uses: {},
  compute: ({ processStatuses }) => mappersOf(processStatuses),
});

/**
 * A page that several processes map is in the RSS of each and in the PSS of each in part. So: at least as much as the one that maps
 * the most, and as all PSS together; at most all RSS together, or all PSS where nobody's is unknown.
 */
function mappedBytes(
  mappers: readonly SharedMapper[],
  rollups: readonly ProcessFile<SmapsRollup | undefined>[] | undefined,
): { low: number; high: number } {
  const shares = new Map(rollups?.map(({ pid, value }) => [pid, value?.pssShmemBytes]));
  const low = sumOf(mappers, ({ pid }) => shares.get(pid) ?? 0);
  const high = sumOf(mappers, ({ pid, bytes }) => shares.get(pid) ?? bytes);
  return { low: Math.max(low, mappers[0]?.bytes ?? 0), high: Math.max(high, mappers[0]?.bytes ?? 0) };
}

/** Where RSS is not told in parts (before Linux 4.5, and by ps) no more than all of it may be shared memory. Undefined where no process is known. */
function mappedAtMost(statuses: readonly ProcessFile<ProcessStatus>[]): { low: number; high: number } | undefined {
  const known = statuses.filter(({ value }) => value.vmRssBytes !== undefined);
  if (known.length === 0) return undefined;
  return { low: 0, high: sumOf(known, ({ value }) => value.vmRssBytes as number) };
}

/** Types of which the files are in Shmem. */
const TMPFS_TYPES: readonly string[] = ["tmpfs", "devtmpfs"];
/** Those that are listed with them and are not: ramfs is page cache, hugetlbfs in a pool of its own. */
const OTHER_TYPES: readonly (string | undefined)[] = ["ramfs", "hugetlbfs"];

/** POSIX shared memory is files there, on a tmpfs: shm_overview(7). */
const POSIX_SHARED: Pick<Mount, "path"> = { path: "/dev/shm" };

/** What is on a tmpfs where mounts are not told, as in what people paste: df has its type (-T) or its name, which is the type's, as a rule. */
function tmpfsOfDf(file: Parsed<readonly DfMount[]> | undefined): readonly Pick<Mount, "path">[] {
  const named = file?.value.filter(({ filesystem }) => /(?:^| )(?:dev)?tmpfs$/.test(filesystem)) ?? [];
  return [...named.map(({ mount: path }) => ({ path })), POSIX_SHARED];
}

/** All shared memory of the host that this bundle can name. */
export const sharedMemory: Source<SharedMemory> = defineComputed({
  name: "shared memory",
  needs: { meminfo },
  uses: {
    mounts,
    df,
    tmpfsFiles,
    sharedMemoryDescriptors,
    openTmpfs,
    lsofFiles,
    sysvipcShm,
    sysvipcShmElsewhere,
    processStatuses,
    sharedMappers,
    smapsRollup,
  },
  compute({ meminfo: { path, value }, ...files }): SharedMemory {
    const shmem = value.bytes.get("Shmem");
    if (shmem === undefined) {
      throw new ParseError("Shmem is not in meminfo: it is cut off, or the kernel is older than 2.6.32");
    }
    const mounted = files.mounts?.value ?? [];
    const tmpfs = files.mounts === undefined
      ? tmpfsOfDf(files.df)
      : mounted.filter(({ type }) => TMPFS_TYPES.includes(type));
    const root = mounted.findLast((mount) => mount.path === "/");
    const mountOf = mountFinder(mounted);
    const onTmpfs = files.tmpfsFiles?.value.filter((file) =>
      !OTHER_TYPES.includes(mountOf(file.path)?.type) && !ELSEWHERE.test(file.path)
    );
    const { lsofFiles: lsof } = files;
    const list = files.sharedMemoryDescriptors ?? (lsof && { path: lsof.path, value: lsof.value.unlinked });
    const deleted = list && unmappedFiles(list, tmpfs, shmem.bytes);
    const unlinked = deleted && files.openTmpfs !== undefined
      ? [...deleted, ...unmountedTmpfs(files.openTmpfs, deleted, files.tmpfsFiles?.value ?? [])]
      : deleted;
    const openOf = openFinder(files.openTmpfs, lsof, mountOf);
    const statuses = files.processStatuses ?? [];
    const mappers = files.sharedMappers ?? [];
    const segments = [files.sysvipcShm, files.sysvipcShmElsewhere].filter((file) => file !== undefined);
    const here = files.df && tmpfsUses(files.df, tmpfs, unlinked ?? [], onTmpfs, lsof?.value.mapped, openOf);
    const elsewhere = files.tmpfsFiles === undefined ? [] : tmpfsElsewhere(files.tmpfsFiles, unlinked ?? [], openOf);
    return {
      rootInMemory: files.mounts && root?.type === "rootfs" ? { path: files.mounts.path, line: root.line } : undefined,
      totalBytes: shmem.bytes,
      total: { path, line: shmem.line },
      mapped: mappers.length === 0 ? mappedAtMost(statuses) : mappedBytes(mappers, files.smapsRollup),
      attachedBytes: attached(segments.flatMap(({ value }) => value), list?.value ?? []),
      mappers,
      unlinked,
      orphans: segments.length === 0
        ? undefined
        : segments.flatMap(orphanSegments).sort((a, b) => b.bytes - a.bytes || a.id - b.id),
      tmpfs: here === undefined && elsewhere.length === 0
        ? undefined
        : [...here ?? [], ...elsewhere].sort((a, b) => b.bytes - a.bytes || a.line - b.line),
    };
  },
});
