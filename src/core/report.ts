import type { AccountId } from "./ledger.ts";

/** How sure a finding is: a named object and a matching account; a strong inference; a size alone. */
export type Confidence = "confirmed" | "likely" | "possible";
/** When a remedy is for: to get the memory back, to cure the cause, to keep it from coming back. */
export type RemedyWhen = "now" | "fix" | "prevent";
/** Is the host short of memory? Not at all; less and less is left; reclaim is at work; next to nothing is left, or somebody was killed for it. */
export type PressureLevel = "none" | "rising" | "short" | "exhausted";
/**
 * Somebody holds what is abnormal; nobody does; much memory has no known tenant; or the bundle has too little to tell. A question apart from
 * the pressure.
 */
export type Verdict = "cause-found" | "healthy" | "unexplained" | "insufficient-evidence";

/** Bytes as an interval: at least `low`, at most `high`. */
export interface ByteRange {
  readonly low: number;
  readonly high: number;
}

/** One line of the bundle, and what it proves. */
export interface Evidence {
  /** The file in the bundle. */
  readonly path: string;
  /** Line in that file, from 1. */
  readonly line: number;
  /** The raw line. */
  readonly text: string;
  /** What it says of the cause. */
  readonly because: string;
}

/** Who holds the memory: a process, or a group of processes of one program (then `pid` is the largest one's). */
export interface Owner {
  /** Null where it is no process of this bundle: a control group, a namespace, or not known. */
  readonly pid: number | null;
  /** The program's name as the kernel keeps it, at most 15 bytes; or what it is, where it is no program. */
  readonly comm: string;
  readonly bytes: number;
  /** How many objects (sockets, processes) the bytes are in. */
  readonly count: number;
  /** In what it holds them, for people. */
  readonly detail: string;
}

/** What to do about a finding. */
export interface Remedy {
  readonly when: RemedyWhen;
  /** What to do, with its side effects, and whether the lab has proven it. */
  readonly text: string;
  /** For a shell of the host; capital words (PID, PORT) are to be filled in. */
  readonly commands: readonly string[];
  /** A command or observation that shows whether it worked. */
  readonly verify: string;
}

/** Bytes of one account that a finding says one cause holds. */
export interface Claim {
  readonly account: AccountId;
  readonly bytes: ByteRange;
}

/**
 * When the available memory is used up, or before that a limit is reached, if growth goes on as it was seen: that of all causes together that are likely at the
 * least.
 */
export interface Exhaustion {
  /** ISO 8601 UTC, if growth stays at the high end of its interval. */
  readonly atLow: string;
  /** The same at the low end; null when that is over ten years away. */
  readonly atHigh: string | null;
  /** Which limit is reached then, of a control group or CommitLimit, while the host has memory left; absent where it is the host's memory that ends. */
  readonly limit?: string;
}

/** One cause, what it holds, and the proof. */
export interface Finding {
  /** The analyzer's id, as `nailhouse explain` takes it. */
  readonly cause: string;
  /** The finding in one sentence. */
  readonly title: string;
  readonly confidence: Confidence;
  /** True when the bytes are far beyond what the mechanism holds on a healthy host. */
  readonly material: boolean;
  /** All that it holds; the claims are the part of it that the ledger can tell. */
  readonly bytes: ByteRange;
  /** From which accounts; those of all findings together are never more than an account holds. */
  readonly claims: readonly Claim[];
  /** The 95 % interval of the slope; null where the bundle has too few snapshots to tell. */
  readonly growthBytesPerSecond: ByteRange | null;
  /** Null where it does not grow for certain, or the end is over ten years away. */
  readonly exhaustion: Exhaustion | null;
  /** The cause this is only a symptom of; it never outranks that cause. */
  readonly symptomOf: string | null;
  /** The one that holds the most first. */
  readonly owners: readonly Owner[];
  /** The strongest first. */
  readonly evidence: readonly Evidence[];
  readonly remedies: readonly Remedy[];
}

/** One account of the ledger, with the lines that it is read from. */
export interface ReportAccount {
  readonly id: AccountId;
  readonly title: string;
  /** Only `unaccounted` can be negative: the counters were read one after the other. */
  readonly bytes: number;
  readonly sources: readonly { readonly path: string; readonly line: number; readonly text: string }[];
}

/** The accounts at one time. */
export interface TimelinePoint {
  /** ISO 8601 UTC. */
  readonly at: string;
  /** MemAvailable; null where it was not told. */
  readonly availableBytes: number | null;
  /** Bytes by account; one that was not told then is not in it. */
  readonly accounts: { readonly [account: string]: number };
}

/** What the kernel's log tells of memory that could not be had. */
export interface KernelEvent {
  /**
   * The whole host was out of memory; one control group was at its limit; no block of the size that was asked for, which kills nobody; a program that kills
   * before the kernel must (systemd-oomd, earlyoom) did.
   */
  readonly kind: "global-oom" | "memcg-oom" | "allocation-failure" | "daemon-kill";
  /** Null where the log does not tell, or tells the time of day. */
  readonly secondsSinceBoot: number | null;
  readonly title: string;
  readonly path: string;
  /** Line in that file, from 1. */
  readonly line: number;
  /** The raw line. */
  readonly text: string;
}

/** A cause that the bundle speaks against. */
export interface RuledOut {
  readonly cause: string;
  readonly because: string;
}

/** A cause that the bundle cannot tell: not the same as ruled out. */
export interface NotAssessed {
  readonly cause: string;
  /** Paths that the bundle lacks, or what was wrong with those it has. */
  readonly missing: readonly string[];
  /** Commands that would have captured it. */
  readonly howToCapture: readonly string[];
}

/** The one result. Every renderer reads only this. */
export interface Report {
  readonly schemaVersion: 1;
  /** What the bundle tells of its host; null where it does not. */
  readonly host: {
    readonly hostname: string | null;
    readonly kernelRelease: string | null;
    /** ISO 8601 UTC. */
    readonly capturedAt: string | null;
    /** MemTotal. */
    readonly totalBytes: number | null;
    readonly snapshots: number;
  };
  readonly verdict: Verdict;
  readonly pressure: {
    readonly level: PressureLevel;
    readonly because: string;
    readonly evidence: readonly Evidence[];
  };
  /** Where all of MemTotal is; null where there is no /proc/meminfo and no dump of an OOM. */
  readonly ledger: {
    /** MemTotal; the accounts add up to it. */
    readonly totalBytes: number;
    readonly accounts: readonly ReportAccount[];
    /** Terms that the bundle cannot tell, which are therefore inside `unaccounted`. */
    readonly missing: readonly string[];
  } | null;
  /** Ranked by the bytes that they explain. */
  readonly findings: readonly Finding[];
  readonly ruledOut: readonly RuledOut[];
  readonly notAssessed: readonly NotAssessed[];
  /** In time order; at most 500 points, evenly thinned out. */
  readonly timeline: readonly TimelinePoint[];
  /** In the log's order; of many the last ones. */
  readonly events: readonly KernelEvent[];
  /** What was wrong with the bundle or with an analyzer, in words. */
  readonly warnings: readonly string[];
}
