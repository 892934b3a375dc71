import type { AccountId, SourceLine } from "./ledger.ts";
import type { Claim, Confidence, Exhaustion, Finding, Owner, Remedy } from "./report.ts";
import type { HostFacts, MaybeValues, Missing, Sources, Values } from "./source.ts";

/** Evidence as an analyzer gives it: the engine looks the text up, so no analyzer can misquote. */
export interface EvidenceLine extends SourceLine {
  readonly because: string;
}

/** A finding before it is ranked. What is left out is null in the report. */
export interface FindingDraft {
  readonly title: string;
  readonly confidence: Confidence;
  readonly material: boolean;
  readonly claims: readonly Claim[];
  readonly growthBytesPerSecond?: Finding["growthBytesPerSecond"];
  readonly exhaustion?: Exhaustion | null;
  readonly symptomOf?: string;
  readonly owners: readonly Owner[];
  readonly evidence: readonly EvidenceLine[];
  readonly remedies: readonly Remedy[];
}

/** Bytes of each account that no finding claims. An account that the bundle cannot tell is not in it. */
export type Unclaimed = ReadonlyMap<AccountId, number>;

/**
 * What an analyzer says: findings, why its cause is not there, or what it lacks to tell (which `needs` says of what is needed always: this is for what
 * would do instead of something else). `usualBytes`: so much of the account that it judges is known, and is there on a healthy host, too.
 * `unseenBytes`: so much is there, and the bundle was collected where its holders are hidden: where that is much, the host is not called healthy.
 */
export type Outcome =
  | { readonly findings: readonly FindingDraft[]; readonly usualBytes?: number }
  | { readonly ruledOut: string; readonly usualBytes?: number }
  | { readonly notAssessed: readonly Missing[]; readonly usualBytes?: number; readonly unseenBytes?: number };

/** One cause. Its file and its id have the same name. */
export interface Analyzer {
  readonly id: string;
  readonly title: string;
  /** How the memory comes to be held, for `nailhouse explain`. */
  readonly mechanism: string;
  /** What it is taken for, and what it is taken to be. */
  readonly lookAlikes: string;
  readonly references: readonly string[];
  /** Without these the cause is reported as not assessed. */
  readonly needs: Sources;
  /** These make the answer better. */
  readonly uses: Sources;
  /** Runs when the claims of all others are settled: for a cause that is what nobody else accounts for. */
  readonly last?: true;
  /** What of memory this cause alone tells to be usual: where it is not assessed and that is much, the host is not called healthy. */
  readonly judges?: AccountId;
  /** The same of what has grown by much: whose it is, this cause alone tells. */
  readonly judgesGrowthOf?: AccountId;
  // A method, so that a typed declaration (see defineAnalyzer) is assignable to this untyped one.
  analyze(values: Readonly<Record<string, unknown>>, facts: HostFacts, unclaimed: Unclaimed): Outcome;
}

/**
 * Declares a cause: `analyze` gets `needs` as they are and `uses` as possibly undefined, both typed by the sources. `unclaimed` is the whole
 * ledger for all but those that run last.
 *
 * @example
 * ```ts
 * import { accountBytes, analyze, defineAnalyzer, formatBytes, ledger, openBundle } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const bounceBuffers = defineAnalyzer({
 *   id: "bounce-buffers",
 *   title: "Bounce buffers",
 *   mechanism: "A device that cannot reach all memory is given a copy in memory that it can reach.",
 *   lookAlikes: "Nothing.",
 *   references: ["https://docs.kernel.org/filesystems/proc.html"],
 *   needs: { ledger },
 *   uses: {},
 *   analyze({ ledger }) {
 *     const bytes = accountBytes(ledger, "bounce");
 *     return { ruledOut: bytes === undefined ? "the kernel does not tell" : `${formatBytes(bytes)} are in use` };
 *   },
 * });
 * const files = { "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\nBounce: 4 kB\n" };
 * const { ruledOut } = analyze(await openBundle(files, { plugins: [bounceBuffers] }));
 * equal(ruledOut.find(({ cause }) => cause === "bounce-buffers")?.because, "4.00 KiB are in use");
 * ```
 */
export function defineAnalyzer<const N extends Sources, const U extends Sources>(
  declaration: Omit<Analyzer, "needs" | "uses" | "analyze"> & {
    readonly needs: N;
    readonly uses: U;
    readonly analyze: (values: Values<N> & MaybeValues<U>, facts: HostFacts, unclaimed: Unclaimed) => Outcome;
  },
): Analyzer {
  return declaration as Analyzer;
}
