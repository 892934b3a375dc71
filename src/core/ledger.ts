/** Where a value stands in the bundle. The engine adds the raw text of the line. */
export interface SourceLine {
  readonly path: string;
  /** From 1. */
  readonly line: number;
}

/** The accounts of the ledger: each byte of MemTotal is in exactly one. */
export type AccountId =
  | "free"
  | "per-cpu-free-lists"
  | "page-cache"
  | "buffers"
  | "swap-cache"
  | "shmem"
  | "anon"
  | "pinned-lru"
  | "slab-reclaimable"
  | "slab-unreclaimable"
  | "slab"
  | "kernel-misc-reclaimable"
  | "kernel-stacks"
  | "page-tables"
  | "vmalloc"
  | "percpu"
  | "hugetlb"
  | "zspages"
  | "bounce"
  | "writeback-tmp"
  | "balloon"
  | "gpu"
  | "hardware-corrupted"
  | "unaccounted";

/** One part of MemTotal, which no other account has. */
export interface Account {
  readonly id: AccountId;
  readonly title: string;
  /** Only `unaccounted` can be negative: then the counters overlap or drifted apart while they were read. */
  readonly bytes: number;
  readonly sources: readonly SourceLine[];
}

/** Where all of MemTotal is. The accounts add up to `totalBytes` exactly. */
export interface Ledger {
  readonly totalBytes: number;
  readonly availableBytes: number | undefined;
  readonly accounts: readonly Account[];
  /** Terms that this bundle cannot tell, which are therefore still inside `unaccounted`. */
  readonly missing: readonly string[];
  /** Whether what it was made from ends before what every kernel tells. */
  readonly isCutOff?: boolean;
}

/** What is known of the accounts at one time, which may be less than a whole ledger. */
export interface KnownAccounts {
  readonly availableBytes: number | undefined;
  readonly accounts: ReadonlyMap<AccountId, number>;
}

/**
 * One account; undefined where the bundle cannot tell it.
 *
 * @example
 * ```ts
 * import { accountOf } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const accounts = [{ id: "free", title: "free", bytes: 4096, sources: [] }] as const;
 * equal(accountOf({ accounts }, "free"), accounts[0]);
 * ```
 */
export function accountOf({ accounts }: Pick<Ledger, "accounts">, id: AccountId): Account | undefined {
  return accounts.find((account) => account.id === id);
}

/**
 * The bytes of one account; undefined where the bundle cannot tell it.
 *
 * @example
 * ```ts
 * import { accountBytes, type Ledger } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const accounts = [{ id: "free", title: "free", bytes: 4096, sources: [] }] as const;
 * const ledger: Ledger = { totalBytes: 4096, availableBytes: undefined, accounts, missing: [] };
 * equal(accountBytes(ledger, "free"), 4096);
 * equal(accountBytes(ledger, "zspages"), undefined); // Not told, which is not 0.
 * ```
 */
export function accountBytes(ledger: Ledger, id: AccountId): number | undefined {
  return accountOf(ledger, id)?.bytes;
}
