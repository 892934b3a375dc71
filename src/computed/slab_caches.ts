import { append } from "../core/group_by.ts";
import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Missing, type Source } from "../core/source.ts";
import { type SlabAliases, slabAliases } from "../parsers/slab_aliases.ts";
import { type SlabCache, slabinfo } from "../parsers/slabinfo.ts";

/** An object cache, with all names that are merged into it. */
export interface SlabUse extends SourceLine {
  readonly name: string;
  /** The other caches that the kernel merged into this one: the objects may be any of these. */
  readonly aliases: readonly string[];
  readonly objectBytes: number;
  readonly objects: number;
  readonly activeObjects: number;
  /** All pages of the cache. */
  readonly bytes: number;
  /** Those of its pages that objects in use would fill. */
  readonly usedBytes: number;
  /** In SReclaimable: the kernel gives it back when memory is short. */
  readonly reclaimable: boolean;
}

/**
 * Caches made with SLAB_RECLAIM_ACCOUNT that are merged with none, so that no link tells. Read from the reclaim_account file of each on 6.18; those
 * of file systems that host does not have from their sources (xfs_buf has been one since 5.15, and had a shrinker before).
 */
const RECLAIMABLE =
  /^(?:dentry|radix_tree_node|buffer_head|dquot|dax_cache|bdev_cache|jbd2_journal_head|xfs_ili|xfs_buf|ceph_inode_info|ubifs_inode_slab|jfs_ip|(?:ext4_)?extent_status|kmalloc-rcl-.*|(?:.*_)?inode(?:_cache)?)$/;
/** Inodes of file systems that have nothing but memory to keep them in. */
const UNRECLAIMABLE_INODES = /^(?:shmem|mqueue|hugetlbfs)_inode_cache$/;

function isReclaimable(name: string, target: string | undefined): boolean {
  // `:aA-0000192`, `:a-0000104`, before 4.15 `:at-0000104`: the letters are the cache's flags.
  const flags = target === undefined ? undefined : /^:([A-Za-z]+)-/.exec(target)?.[1];
  return flags?.includes("a") === true || (RECLAIMABLE.test(name) && !UNRECLAIMABLE_INODES.test(name));
}

/** A cache of known size. */
export interface SizedCache extends SlabCache {
  readonly totalBytes: number;
}

export function isSized(cache: SlabCache): cache is SizedCache {
  return cache.totalBytes !== undefined;
}

/** Kernel stacks that are smaller than a page: the ledger has them in an account of their own (KernelStack). */
export function isStackCache({ name }: { readonly name: string }): boolean {
  return name === "thread_stack";
}

/** All object caches, but those of kernel stacks. */
export interface SlabCaches {
  /** In the order of the file. Empty where the page size is not known. */
  readonly caches: readonly SizedCache[];
  /** Whether these are all there are: slabtop shows one screen, and what was pasted somewhere is often cut off, or filtered. */
  readonly isWhole: boolean;
  /** Whether the kernel gives it back when memory is short. */
  readonly isReclaimable: (cache: SizedCache) => boolean;
  /** What more there is to say of a cache. There may be tens of thousands, of which a few are large: it is said of those that are asked for. */
  readonly useOf: (cache: SizedCache) => SlabUse;
  /** The cache that objects of this name are in, its own or one that it is merged into. */
  readonly find: (name: string) => SizedCache | undefined;
}

/** Those of a cache's pages that objects in use would fill. */
export function usedSlabBytes({ totalBytes, objects, activeObjects }: SizedCache): number {
  // A share of the pages, so that what lies between objects is counted with them.
  return objects === 0 ? 0 : totalBytes * Math.min(1, activeObjects / objects);
}

/** The names of the caches that are merged, by what they are merged into. */
function mergedNames(aliases: SlabAliases): ReadonlyMap<string, readonly string[]> {
  const byTarget = new Map<string, string[]>();
  for (const [name, { target }] of aliases) append(byTarget, target, name);
  return byTarget;
}

function byName(caches: readonly SizedCache[]): ReadonlyMap<string, SizedCache> {
  const found = new Map<string, SizedCache>();
  for (const cache of caches) found.set(cache.name, cache);
  return found;
}

/** What the list lacks where it is not whole. */
export const WHOLE_SLABINFO: Missing = {
  path: "the whole of proc/slabinfo (what is there is cut off, or filtered)",
  howToCapture: "cat /proc/slabinfo",
};

/**
 * The cache of caches is made first, is merged with none, and so is in the last lines of every slabinfo: mm/slub.c kmem_cache_init(), mm/slab.c. (SLUB of before
 * 2.6.37 had none.)
 */
export function isWholeList(path: string, caches: readonly SlabCache[]): boolean {
  return path.endsWith("proc/slabinfo") && caches.some(({ name }) => name === "kmem_cache");
}

export const slabCaches: Source<SlabCaches> = defineComputed({
  name: "slab caches",
  needs: { slabinfo },
  uses: { slabAliases },
  compute({ slabinfo: { path, value }, slabAliases: aliases }): SlabCaches {
    const merged = mergedNames(aliases?.value ?? new Map());
    const targetOf = ({ name }: { readonly name: string }): string | undefined => aliases?.value.get(name)?.target;
    const caches = value.filter(isSized).filter((cache) => !isStackCache(cache));
    let index: ReadonlyMap<string, SizedCache> | undefined;
    return {
      caches,
      isWhole: isWholeList(path, value),
      isReclaimable: (cache) => isReclaimable(cache.name, targetOf(cache)),
      find(name) {
        index ??= byName(caches);
        const target = targetOf({ name });
        const names = target === undefined ? [] : merged.get(target) ?? [];
        return [name, ...names].map((each) => index?.get(each)).find((cache) => cache !== undefined);
      },
      useOf(cache) {
        const { name, line, objectBytes, objects, activeObjects, totalBytes } = cache;
        const target = targetOf(cache);
        const names = target === undefined ? [] : merged.get(target) ?? [];
        return {
          path,
          line,
          name,
          aliases: names.filter((alias) => alias !== name),
          objectBytes,
          objects,
          activeObjects,
          bytes: totalBytes,
          usedBytes: usedSlabBytes(cache),
          reclaimable: isReclaimable(name, target),
        };
      },
    };
  },
});

/** To sort caches, the largest first. */
export function largestFirst(a: SlabUse, b: SlabUse): number {
  return b.bytes - a.bytes || (a.name < b.name ? -1 : 1);
}

/** All names that its objects may be known by. */
export function namesOf({ name, aliases }: SlabUse): readonly string[] {
  return [name, ...aliases];
}

/** `mnt_cache (merged with posix_timers_cache)` */
export function cacheName({ name, aliases }: SlabUse): string {
  return aliases.length === 0 ? name : `${name} (merged with ${aliases.join(", ")})`;
}
