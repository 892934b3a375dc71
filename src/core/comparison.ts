import type { AccountId } from "./ledger.ts";
import type { Finding, PressureLevel, Report, Verdict } from "./report.ts";

/** Packets a second that a host sent and received, of each protocol that its bundle tells. */
export interface Load {
  /** Over how long it was measured. */
  readonly seconds: number;
  readonly rates: readonly LoadRate[];
}

/** How fast one counter of packets rose. */
export interface LoadRate {
  /** The kernel's name: `Udp.OutDatagrams`. */
  readonly counter: string;
  readonly perSecond: number;
}

/** One side of a comparison: what a bundle told. */
export interface Observed {
  readonly report: Report;
  /** Undefined where it is not known: of a report alone, and of one snapshot. */
  readonly load?: Load | undefined;
}

/**
 * `fixed`: what was held is gone, and its account shrank by as much. `unproven`: it is gone, but so is the load that made it. `improved`: some of it is
 * gone. `moved`: it is gone, but something else holds memory now. `unchanged` and `worse`: it is still there. `no-cause`: nobody was accused on either
 * side. `unclear`: nobody is accused any more, but the account is as large as before; or a side does not tell of what the other one has.
 */
export type ComparisonOutcome =
  | "fixed"
  | "unproven"
  | "improved"
  | "moved"
  | "unchanged"
  | "worse"
  | "no-cause"
  | "unclear";

/** What became of a finding; `unknown` where the other side could not be assessed for it. */
export type Change = "gone" | "came" | "less" | "more" | "same" | "unknown";

/** A finding on both sides, or on one. */
export interface ComparedFinding {
  readonly cause: string;
  readonly change: Change;
  /** Null where it was not found, or could not be assessed. */
  readonly before: Finding | null;
  /** Null where it is not found any more, or could not be assessed. */
  readonly after: Finding | null;
}

/** An account of the ledger on both sides. */
export interface ComparedAccount {
  readonly id: AccountId;
  readonly title: string;
  /** Null where the bundle does not tell it. */
  readonly beforeBytes: number | null;
  /** As `beforeBytes`. */
  readonly afterBytes: number | null;
}

/** The rate of a counter on both sides, in packets a second. */
export interface ComparedRate {
  readonly counter: string;
  readonly beforePerSecond: number;
  readonly afterPerSecond: number;
}

/** What a side was as a whole. */
export interface ComparedSide {
  readonly host: Report["host"];
  readonly verdict: Verdict;
  readonly pressure: PressureLevel;
}

/** What changed from one report to another. Every renderer of comparisons reads only this. */
export interface Comparison {
  readonly schemaVersion: 1;
  readonly outcome: ComparisonOutcome;
  /** The answer in one sentence. */
  readonly headline: string;
  /** What it rests on, and what it does not know. */
  readonly because: readonly string[];
  readonly before: ComparedSide;
  readonly after: ComparedSide;
  /** In the order of how much they changed. */
  readonly accounts: readonly ComparedAccount[];
  /** Those that made the verdicts first. */
  readonly findings: readonly ComparedFinding[];
  /** Those that both sides tell. */
  readonly load: readonly ComparedRate[];
  readonly warnings: readonly string[];
}
