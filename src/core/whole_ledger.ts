import { accountBytes, type Ledger } from "./ledger.ts";
import type { Missing } from "./source.ts";

/** What the ledger of one that is cut off (`head /proc/meminfo`) lacks. */
export const WHOLE_MEMINFO: Missing = { path: "proc/meminfo", howToCapture: "cat /proc/meminfo" };

/** A meminfo that is cut off leaves in the rest what every kernel since 2.6.19 tells. */
export function isWhole(ledger: Ledger): boolean {
  return ledger.isCutOff !== true && accountBytes(ledger, "anon") !== undefined &&
    accountBytes(ledger, "slab-unreclaimable") !== undefined;
}
