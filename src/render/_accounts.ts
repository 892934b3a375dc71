/** The accounts of the ledger in the few groups that a person thinks in. */
import type { AccountId } from "../core/ledger.ts";
import type { Finding, Report, ReportAccount } from "../core/report.ts";
import { sumBytes, sumOf } from "../core/sums.ts";
import { GROUP_OF, type GroupId, GROUPS } from "./_groups.ts";
import { isAccusation } from "./_summary.ts";

/** What one finding holds of an account. */
export interface Held {
  readonly finding: Finding;
  /** Its place in the report, from 1. */
  readonly number: number;
  readonly bytes: number;
}

/** Who is said to hold how much of an account: accusations only, at most (the high ends never add up to more than the account). */
export function heldOf(account: AccountId, report: Report): readonly Held[] {
  return report.findings.flatMap((finding, i) => {
    const bytes = sumOf(finding.claims, (claim) => claim.account === account ? claim.bytes.high : 0);
    return isAccusation(finding) && bytes > 0 ? [{ finding, number: i + 1, bytes }] : [];
  });
}

/** One group: its accounts, the largest first. */
export interface AccountGroup {
  readonly id: GroupId;
  readonly title: string;
  readonly inUse: boolean;
  readonly bytes: number;
  /** Of these, what accusations hold. */
  readonly heldBytes: number;
  readonly accounts: readonly ReportAccount[];
}

/** What is in use, or held by findings: of cache that nobody holds the kernel gives back what is wanted. */
export function usedGroups(groups: readonly AccountGroup[]): readonly AccountGroup[] {
  return groups.map((group) => (group.inUse ? group : { ...group, bytes: group.heldBytes }));
}

/** How they are called. */
export function usedTitle(groups: readonly AccountGroup[]): string {
  return groups.some(({ inUse, heldBytes }) => !inUse && heldBytes > 0)
    ? "in use, or held by findings"
    : "in use, neither cache nor free";
}

/** The ledger in groups, in the order of {@linkcode GROUPS}; groups that the bundle does not know of are left out. */
export function accountGroups(report: Report): readonly AccountGroup[] {
  const all = report.ledger?.accounts ?? [];
  return GROUPS.flatMap((group) => {
    const accounts = all.filter(({ id }) => GROUP_OF[id] === group.id).sort((a, b) => b.bytes - a.bytes);
    if (accounts.length === 0) return [];
    return [{
      ...group,
      accounts,
      bytes: sumBytes(accounts),
      heldBytes: sumBytes(accounts.flatMap(({ id }) => heldOf(id, report))),
    }];
  });
}
