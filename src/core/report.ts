import type { AccountId } from "./ledger.ts";

/** How sure a finding is: a named object and a matching account; a strong inference; a size alone. */
export type Confidence = "confirmed" | "likely" | "possible";
/** When a remedy is for: to get the memory back, to cure the cause, to keep it from coming back. */
export type RemedyWhen = "now" | "fix" | "prevent";
export type PressureLevel = "none" | "rising" | "short" | "exhausted";
export type Verdict = "cause-found" | "healthy" | "unexplained" | "insufficient-evidence";

/** Bytes as an interval: at least `low`, at most `high`. */
export interface ByteRange {
  readonly low: number;
  readonly high: number;
}

export interface Evidence {
  readonly path: string;
  /** Line in that file, from 1. */
  readonly line: number;
  /** The raw line. */
  readonly text: string;
  readonly because: string;
}

/** Who holds the memory: a process, or a group of processes of one program (then `pid` is the largest one's). */
export interface Owner {
  readonly pid: number | null;
  readonly comm: string;
  readonly bytes: number;
  /** How many objects (sockets, processes) the bytes are in. */
  readonly count: number;
  readonly detail: string;
}

export interface Remedy {
  readonly when: RemedyWhen;
  readonly text: string;
  readonly commands: readonly string[];
  /** A command or observation that shows whether it worked. */
  readonly verify: string;
}

/** Bytes of one account that a finding says one cause holds. */
export interface Claim {
  readonly account: AccountId;
  readonly bytes: ByteRange;
}

export interface Exhaustion {
  /** ISO 8601 UTC, if growth stays at the high end of its interval. */
  readonly atLow: string;
  /** The same at the low end; null when that is over ten years away. */
  readonly atHigh: string | null;
}

export interface Finding {
  readonly cause: string;
  readonly title: string;
  readonly confidence: Confidence;
  /** True when the bytes are far beyond what the mechanism holds on a healthy host. */
  readonly material: boolean;
  readonly bytes: ByteRange;
  readonly claims: readonly Claim[];
  readonly growthBytesPerSecond: ByteRange | null;
  readonly exhaustion: Exhaustion | null;
  /** The cause this is only a symptom of; it never outranks that cause. */
  readonly symptomOf: string | null;
  readonly owners: readonly Owner[];
  readonly evidence: readonly Evidence[];
  readonly remedies: readonly Remedy[];
}

export interface ReportAccount {
  readonly id: AccountId;
  readonly title: string;
  readonly bytes: number;
  readonly sources: readonly { readonly path: string; readonly line: number; readonly text: string }[];
}

export interface TimelinePoint {
  /** ISO 8601 UTC. */
  readonly at: string;
  readonly availableBytes: number | null;
  readonly accounts: { readonly [account: string]: number };
}

/** What the kernel's log tells of memory that could not be had. */
export interface KernelEvent {
  /** The whole host was out of memory; one control group was at its limit; no block of the size that was asked for, which kills nobody. */
  readonly kind: "global-oom" | "memcg-oom" | "allocation-failure";
  /** Null where the log does not tell, or tells the time of day. */
  readonly secondsSinceBoot: number | null;
  readonly title: string;
  readonly path: string;
  /** Line in that file, from 1. */
  readonly line: number;
  /** The raw line. */
  readonly text: string;
}

export interface RuledOut {
  readonly cause: string;
  readonly because: string;
}

export interface NotAssessed {
  readonly cause: string;
  /** Paths that the bundle lacks, or what was wrong with those it has. */
  readonly missing: readonly string[];
  readonly howToCapture: readonly string[];
}

/** The one result. Every renderer reads only this. */
export interface Report {
  readonly schemaVersion: 1;
  readonly host: {
    readonly hostname: string | null;
    readonly kernelRelease: string | null;
    readonly capturedAt: string | null;
    readonly totalBytes: number | null;
    readonly snapshots: number;
  };
  readonly verdict: Verdict;
  readonly pressure: {
    readonly level: PressureLevel;
    readonly because: string;
    readonly evidence: readonly Evidence[];
  };
  readonly ledger: {
    readonly totalBytes: number;
    readonly accounts: readonly ReportAccount[];
    readonly missing: readonly string[];
  } | null;
  readonly findings: readonly Finding[];
  readonly ruledOut: readonly RuledOut[];
  readonly notAssessed: readonly NotAssessed[];
  readonly timeline: readonly TimelinePoint[];
  /** In the log's order; of many the last ones. */
  readonly events: readonly KernelEvent[];
  readonly warnings: readonly string[];
}
