import type { AccountId } from "./ledger.ts";
import type { Confidence, PressureLevel, Verdict } from "./report.ts";

/** What a summary keeps of one bundle's report: little, so that thousands fit. */
export interface HostDigest {
  /** As it was named. */
  readonly path: string;
  readonly hostname: string | null;
  readonly kernelRelease: string | null;
  readonly totalBytes: number | null;
  readonly verdict: Verdict;
  readonly pressure: PressureLevel;
  /** The answer in one sentence. */
  readonly headline: string;
  /** The findings that made the verdict, the first one first. */
  readonly accusations: readonly Accusation[];
  /** Who ran out of memory by the kernel's log: the host, or only a control group; null where the log has neither. */
  readonly outOfMemory: OutOfMemory | null;
  /** Causes that its confirmed symptoms are of, and that are not proven. */
  readonly suspects: readonly string[];
  /** Of MemTotal, by account. */
  readonly shares: { readonly [account: string]: number };
}

/** Who ran out of memory. */
export type OutOfMemory = "host" | "control-group";

/** One of them. */
export interface Accusation {
  readonly cause: string;
  readonly confidence: Confidence;
  readonly bytes: number;
  /** Names of the programs that hold it, the largest first. */
  readonly programs: readonly string[];
}

/** On how many hosts something is. */
export interface HostCount {
  readonly name: string;
  readonly hosts: number;
}

/** One cause over all hosts that have it. */
export interface CauseSummary {
  readonly cause: string;
  readonly hosts: number;
  /** Of all those hosts together. */
  readonly bytes: number;
  readonly worst: { readonly path: string; readonly bytes: number };
  readonly kernels: readonly HostCount[];
  readonly programs: readonly HostCount[];
}

/** A host of which an account is far from what it is on the others. */
export interface Outlier {
  readonly path: string;
  readonly account: AccountId;
  /** Of MemTotal. */
  readonly share: number;
  readonly medianShare: number;
}

/** What many bundles say together. */
export interface FleetSummary {
  readonly schemaVersion: 1;
  readonly verdicts: { readonly [verdict: string]: number };
  /** The one on most hosts first. */
  readonly causes: readonly CauseSummary[];
  /** How many ran out of memory by their kernels' logs. */
  readonly outOfMemory: { readonly [O in OutOfMemory]: number };
  /** What symptoms point at where no cause is proven, the one on most hosts first. */
  readonly suspects: readonly HostCount[];
  /** The worst first: by what is held there, then who ran out of memory, then how short of it they are. */
  readonly hosts: readonly HostDigest[];
  readonly outliers: readonly Outlier[];
  readonly unreadable: readonly { readonly path: string; readonly problem: string }[];
}
