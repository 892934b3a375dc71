import { accountBytes, type Ledger } from "./ledger.ts";
import type { Missing } from "./source.ts";

/** What the ledger of one that is cut off (`head /proc/meminfo`) lacks. */
export const WHOLE_MEMINFO: Missing = { path: "proc/meminfo", howToCapture: "cat /proc/meminfo" };

/** A meminfo that is cut off leaves in the rest what every kernel since 2.6.19 tells. */
export function isWhole(ledger: Ledger): boolean {
  return ledger.isCutOff !== true && accountBytes(ledger, "anon") !== undefined &&
    accountBytes(ledger, "slab-unreclaimable") !== undefined;
}

/** Memory in no account, where the pages of queues, rings and pipes are; 0 where the accounts come to more than there is, or it is not told. */
export function unaccountedBytes(ledger: Ledger): number {
  return Math.max(0, accountBytes(ledger, "unaccounted") ?? 0);
}
