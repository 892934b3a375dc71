/** The groups that a person thinks in, and which accounts of the ledger are in each. */
import type { AccountId } from "../core/ledger.ts";

export type GroupId = "processes" | "shared" | "kernel" | "huge-pages" | "unaccounted" | "cache" | "free";

/** In the order of a bar: first what is in use, then what the kernel gives back when asked, then what is free. */
export const GROUPS: readonly { readonly id: GroupId; readonly title: string; readonly inUse: boolean }[] = [
  { id: "processes", title: "processes", inUse: true },
  { id: "shared", title: "shared memory", inUse: true },
  { id: "huge-pages", title: "huge pages", inUse: true },
  { id: "kernel", title: "kernel", inUse: true },
  { id: "unaccounted", title: "unaccounted", inUse: true },
  { id: "cache", title: "cache", inUse: false },
  { id: "free", title: "free", inUse: false },
];

export const GROUP_OF: { readonly [A in AccountId]: GroupId } = {
  free: "free",
  "per-cpu-free-lists": "free",
  "page-cache": "cache",
  buffers: "cache",
  "slab-reclaimable": "cache",
  "kernel-misc-reclaimable": "cache",
  anon: "processes",
  "swap-cache": "processes",
  "pinned-lru": "processes",
  shmem: "shared",
  hugetlb: "huge-pages",
  "slab-unreclaimable": "kernel",
  slab: "kernel",
  "kernel-stacks": "kernel",
  "page-tables": "kernel",
  vmalloc: "kernel",
  percpu: "kernel",
  zspages: "kernel",
  bounce: "kernel",
  "writeback-tmp": "kernel",
  balloon: "kernel",
  gpu: "kernel",
  "hardware-corrupted": "kernel",
  unaccounted: "unaccounted",
};

/** Of cache the kernel gives back what is wanted. */
export function isInUse(id: AccountId): boolean {
  return GROUPS.find((group) => group.id === GROUP_OF[id])?.inUse === true;
}
