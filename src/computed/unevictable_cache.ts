/**
 * Page cache that the kernel cannot give back: files on ramfs have no disk to go back to, and their pages are never looked at for reclaim
 * (Documentation/filesystems/ramfs-rootfs-initramfs.rst, mm/filemap.c, mapping_set_unevictable()). They are in Cached, in neither Shmem nor
 * MemAvailable, and in no process; no counter is theirs alone, so it is told between bounds.
 */
import { groupBy } from "../core/group_by.ts";
import type { SourceLine } from "../core/ledger.ts";
import type { ByteRange } from "../core/report.ts";
import { defineComputed, type Parsed, type Source } from "../core/source.ts";
import { sumOf } from "../core/sums.ts";
import { type Meminfo, meminfo } from "../parsers/meminfo.ts";
import { type Mount, mounts } from "../parsers/mounts.ts";
import { sysvipcShm } from "../parsers/sysvipc_shm.ts";
import { type TmpfsFile, tmpfsFiles } from "../parsers/tmpfs_files.ts";
import { mountFinder } from "./shared_memory.ts";

/** A mounted ramfs. */
export interface RamfsUse extends SourceLine {
  readonly mount: string;
  /** All that is in it; undefined where the bundle's list of files does not tell. */
  readonly listed: (SourceLine & { readonly bytes: number }) | undefined;
  readonly largest: readonly TmpfsFile[];
}

export interface UnevictableCache {
  /** Unevictable without Mlocked of meminfo; some of it may be shared memory. */
  readonly countedBytes: number;
  readonly unevictable: SourceLine;
  readonly mlocked: SourceLine;
  /** What is page cache of it, and is not mlocked. */
  readonly bytes: ByteRange;
  /** The fullest first. Undefined where mounts were not captured. */
  readonly ramfs: readonly RamfsUse[] | undefined;
}

/** systemd gives each service that has credentials a ramfs of at most 1 MiB (systemd.exec(5), CREDENTIALS). */
const CREDENTIALS = "/run/credentials/";

function ramfsUses(
  { path, value: mounted }: Parsed<readonly Mount[]>,
  files: Parsed<readonly TmpfsFile[]> | undefined,
): RamfsUse[] {
  const mountOf = mountFinder(mounted);
  const byMount = groupBy(files?.value ?? [], (file) => mountOf(file.path));
  // The last mount of a path is the one that is seen. The system itself is no leak, where it runs from memory.
  const seen = mounted.filter((mount) =>
    mount.type === "ramfs" && mount.path !== "/" && !mount.path.startsWith(CREDENTIALS) &&
    mountOf(mount.path) === mount
  );
  const uses = seen.map((each) => {
    const { path: mount, line } = each;
    const inside = byMount.get(each) ?? [];
    const all = inside.find((file) => file.path === mount);
    const listed = files && all && { bytes: all.bytes, path: files.path, line: all.line };
    return { device: all?.device, path, line, mount, listed, largest: inside.filter((file) => file !== all) };
  }).sort((a, b) => (b.listed?.bytes ?? 0) - (a.listed?.bytes ?? 0) || a.line - b.line);
  // A folder of it may be mounted elsewhere, too.
  const devices = new Set<string>();
  return uses.flatMap(({ device, ...use }) => {
    if (device !== undefined && devices.has(device)) return [];
    if (device !== undefined) devices.add(device);
    return [use];
  });
}

/** Types of a root directory that is an unpacked initramfs: such a host runs from it, or has not let go of it. */
const MEMORY_ROOTS: readonly (string | undefined)[] = ["rootfs", "ramfs"];

/**
 * The least of it: pages that are neither mlocked nor shared memory, and file pages that are on no list of pages to reclaim. Either is
 * told too low by what else there is (locked shared memory; MADV_FREE, which puts anonymous pages on a file list).
 */
function counted({ value: { bytes } }: Parsed<Meminfo>, countedBytes: number, mlockedBytes: number): number {
  const read = (...fields: readonly string[]): number | undefined =>
    fields.reduce<number | undefined>((sum, field) => {
      const found = bytes.get(field)?.bytes;
      return sum === undefined || found === undefined ? undefined : sum + found;
    }, 0);
  const shmem = read("Shmem") ?? Infinity;
  const cache = read("Cached", "Buffers") ?? -Infinity;
  const reclaimable = read("Active(file)", "Inactive(file)") ?? Infinity;
  return Math.max(0, countedBytes - shmem, cache - shmem - reclaimable - mlockedBytes);
}

/** Of one snapshot; later ones have the counters alone. Undefined where a counter is missing, as before Linux 2.6.28. */
export const unevictableCache: Source<UnevictableCache | undefined> = defineComputed({
  name: "page cache that cannot be given back",
  needs: { meminfo },
  uses: { mounts, tmpfsFiles, sysvipcShm },
  compute({ meminfo: file, ...files }): UnevictableCache | undefined {
    const [unevictable, mlocked, cached] = ["Unevictable", "Mlocked", "Cached"].map((field) =>
      file.value.bytes.get(field)
    );
    if (unevictable === undefined || mlocked === undefined || cached === undefined) return undefined;
    const countedBytes = Math.max(0, unevictable.bytes - mlocked.bytes);
    const ramfs = files.mounts && ramfsUses(files.mounts, files.tmpfsFiles);
    const listedBytes = sumOf(ramfs ?? [], ({ listed }) => listed?.bytes ?? 0);
    // Only what was touched since SHM_LOCK is counted: there may be less of it.
    const lockedBytes = sumOf(files.sysvipcShm?.value ?? [], ({ locked, rssBytes }) => locked ? rssBytes ?? 0 : 0);
    const pageCache = Math.max(0, cached.bytes - (file.value.bytes.get("Shmem")?.bytes ?? 0));
    const high = Math.min(pageCache, countedBytes, Math.max(listedBytes, countedBytes - lockedBytes));
    const root = files.mounts && mountFinder(files.mounts.value)("/")?.type;
    const byCounters = MEMORY_ROOTS.includes(root) ? 0 : counted(file, countedBytes, mlocked.bytes);
    return {
      countedBytes,
      unevictable: { path: file.path, line: unevictable.line },
      mlocked: { path: file.path, line: mlocked.line },
      bytes: { low: Math.min(high, Math.max(listedBytes, byCounters)), high },
      ramfs,
    };
  },
});
