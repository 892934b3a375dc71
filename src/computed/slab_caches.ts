import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Parsed, type Source } from "../core/source.ts";
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
 * Caches made with SLAB_RECLAIM_ACCOUNT that are merged with none, so that no link tells. Read from the reclaim_account file of each on 6.18.
 */
const RECLAIMABLE =
  /^(?:dentry|radix_tree_node|buffer_head|dquot|dax_cache|bdev_cache|jbd2_journal_head|xfs_ili|(?:ext4_)?extent_status|kmalloc-rcl-.*|(?:.*_)?inode(?:_cache)?)$/;
/** Inodes of file systems that have nothing but memory to keep them in. */
const UNRECLAIMABLE_INODES = /^(?:shmem|mqueue|hugetlbfs)_inode_cache$/;

function isReclaimable(name: string, target: string | undefined): boolean {
  // `:aA-0000192`, `:a-0000104`, before 4.15 `:at-0000104`: the letters are the cache's flags.
  const flags = target === undefined ? undefined : /^:([A-Za-z]+)-/.exec(target)?.[1];
  return flags?.includes("a") === true || (RECLAIMABLE.test(name) && !UNRECLAIMABLE_INODES.test(name));
}

function useOf(path: string, cache: SlabCache, aliases: SlabAliases | undefined): SlabUse | undefined {
  const { name, line, objectBytes, objects, activeObjects, totalBytes } = cache;
  if (totalBytes === undefined) return undefined;
  const target = aliases?.get(name)?.target;
  const others = target === undefined
    ? []
    : [...aliases as SlabAliases].filter(([alias, link]) => link.target === target && alias !== name);
  return {
    path,
    line,
    name,
    aliases: others.map(([alias]) => alias),
    objectBytes,
    objects,
    activeObjects,
    bytes: totalBytes,
    // A share of the pages, so that what lies between objects is counted with them.
    usedBytes: objects === 0 ? 0 : totalBytes * Math.min(1, activeObjects / objects),
    reclaimable: isReclaimable(name, target),
  };
}

function uses({ path, value }: Parsed<readonly SlabCache[]>, aliases: Parsed<SlabAliases> | undefined): SlabUse[] {
  return value
    .flatMap((cache) => useOf(path, cache, aliases?.value) ?? [])
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

/** All object caches, the largest first. Empty where the page size is not known. */
export const slabCaches: Source<readonly SlabUse[]> = defineComputed({
  name: "slab caches",
  needs: { slabinfo },
  uses: { slabAliases },
  compute: ({ slabinfo: file, slabAliases: aliases }) => uses(file, aliases),
});

/** `mnt_cache (merged with posix_timers_cache)` */
export function cacheName({ name, aliases }: SlabUse): string {
  return aliases.length === 0 ? name : `${name} (merged with ${aliases.join(", ")})`;
}
