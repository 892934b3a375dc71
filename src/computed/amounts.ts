/** Amounts that several causes reckon with. */
import { accountBytes, type Ledger } from "../core/ledger.ts";

/** Memory in no account, where the pages of queues, rings and pipes are; 0 where the accounts come to more than there is, or it is not told. */
export function unaccountedBytes(ledger: Ledger): number {
  return Math.max(0, accountBytes(ledger, "unaccounted") ?? 0);
}
