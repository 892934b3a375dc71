/** Kernel files in small, for the analyzers of kernel memory. */

/** Eight pages, as SLUB likes best. */
const SLAB_BYTES = 32_768;

/** /proc/slabinfo. */
export function slabinfoText(
  caches: readonly {
    readonly name: string;
    readonly size: number;
    readonly objects: number;
    readonly active?: number;
  }[],
): string {
  const rows = caches.map(({ name, size, objects, active }) => {
    const inSlab = Math.floor(SLAB_BYTES / size);
    const slabs = Math.ceil(objects / inSlab);
    return `${name} ${
      active ?? objects
    } ${objects} ${size} ${inSlab} 8 : tunables 0 0 0 : slabdata ${slabs} ${slabs} 0\n`;
  });
  // What every slabinfo ends with.
  const last = "kmem_cache 16 16 256 16 1 : tunables 0 0 0 : slabdata 1 1 0\n";
  return `slabinfo - version: 2.1\n# name <active_objs>\n${rows.join("")}${last}`;
}

/** `ls -l /sys/kernel/slab` with these merged caches. */
export function aliasesText(links: { readonly [name: string]: string }): string {
  return `total 0\n${
    Object.entries(links).map(([name, target]) => `lrwxrwxrwx 1 root root 0 Nov 23 06:11 ${name} -> ${target}\n`).join(
      "",
    )
  }`;
}

export const VMSTAT = "nr_free_pages 1\nnr_zspages 0\nballoon_inflate 0\nballoon_deflate 0\n";
export const ZONEINFO =
  "Node 0, zone   Normal\n  pages free     10\n        min      1\n        low      2\n        high     3\n        managed  100\n  pagesets\n    cpu: 0\n              count:    0\n";

/** Files of a later snapshot, so many seconds after the first one. */
export function later(seconds: number, files: { readonly [path: string]: string }): { [path: string]: string } {
  const at = new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [`history/${at}/${path}`, text]));
}
