import type { EvidenceLine } from "../core/analyzer.ts";
import type { Exhaustion, Finding } from "../core/report.ts";

/** A limit that what a finding holds is charged to, before the engine has looked the evidence up. */
export interface LimitDraft {
  /** As it is told: which, of what, and how much. */
  readonly name: string;
  /** Until it is reached, when it was looked at. */
  readonly leftBytes: number;
  readonly evidence: EvidenceLine;
}

/** What ends first. */
export interface Reached {
  readonly exhaustion: Exhaustion;
  readonly evidence: EvidenceLine;
}

/**
 * An analyzer tells when the host's memory is used up; who is charged to a limit may be killed long before.
 *
 * @param seen Between which times the limits were looked at, in milliseconds since 1970.
 * @param end When growth was last seen.
 * @returns Undefined where the host's memory ends first.
 */
export function firstReached(
  { growthBytesPerSecond: rate, exhaustion: ofHost }: Pick<Finding, "growthBytesPerSecond" | "exhaustion">,
  limits: readonly LimitDraft[],
  seen: { readonly first: number; readonly last: number },
  end: number,
): Reached | undefined {
  const [least] = limits.toSorted((a, b) => a.leftBytes - b.leftBytes);
  if (least === undefined || rate === null || rate.low <= 0 || ofHost === null) return undefined;
  // It was not reached when growth was last seen.
  const at = (from: number, bytesPerSecond: number): number =>
    Math.max(end, from + least.leftBytes / bytesPerSecond * 1000);
  const soonest = at(seen.first, rate.high);
  if (soonest >= Date.parse(ofHost.atLow)) return undefined;
  const latest = ofHost.atHigh === null ? null : Math.min(Date.parse(ofHost.atHigh), at(seen.last, rate.low));
  return {
    exhaustion: {
      atLow: new Date(soonest).toISOString(),
      atHigh: latest === null ? null : new Date(latest).toISOString(),
      limit: least.name,
    },
    evidence: least.evidence,
  };
}

/** How long memory would last if all grew that would take so long alone: rates add up. Undefined where none of them takes it. */
function togetherSeconds(alone: readonly (number | undefined)[]): number | undefined {
  const rate = alone.reduce<number>((sum, seconds) => sum + (seconds === undefined ? 0 : 1 / seconds), 0);
  return rate > 0 ? 1 / rate : undefined;
}

/** Findings that are sure to grow, and are no mere symptom of others. */
function grows({ exhaustion, material, confidence, symptomOf }: Finding): boolean {
  return exhaustion !== null && material && confidence !== "possible" && symptomOf === null;
}

/**
 * An analyzer knows what it found, and tells when that alone would use up memory. Several causes that grow use it up together, and sooner.
 *
 * @param end When they were last seen, in milliseconds since 1970.
 */
export function exhaustTogether(findings: readonly Finding[], end: number): readonly Finding[] {
  const limits = new Set(findings.filter(grows).map(({ exhaustion }) => exhaustion?.limit));
  return [...limits].reduce((all, limit) => exhaustOne(all, limit, end), findings);
}

/** What uses up the same: the host's memory, or what one limit leaves. */
function exhaustOne(findings: readonly Finding[], limit: string | undefined, end: number): readonly Finding[] {
  const isOne = (finding: Finding): boolean => grows(finding) && finding.exhaustion?.limit === limit;
  const growing = findings.filter(isOne);
  const left = (at: string | null): number | undefined =>
    at === null ? undefined : Math.max(1, (Date.parse(at) - end) / 1000);
  const ends = growing.map(({ exhaustion }) => exhaustion as Exhaustion);
  const soonest = togetherSeconds(ends.map(({ atLow }) => left(atLow)));
  const latest = togetherSeconds(ends.map(({ atHigh }) => left(atHigh)));
  if (growing.length < 2 || soonest === undefined) return findings;
  const at = (seconds: number): string => new Date(end + seconds * 1000).toISOString();
  const together = { atLow: at(soonest), atHigh: latest === undefined ? null : at(latest) };
  return findings.map((finding) =>
    isOne(finding) ? { ...finding, exhaustion: { ...finding.exhaustion, ...together } } : finding
  );
}
