import type { Exhaustion, Finding } from "../core/report.ts";

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
  const growing = findings.filter(grows);
  const left = (at: string | null): number | undefined =>
    at === null ? undefined : Math.max(1, (Date.parse(at) - end) / 1000);
  const ends = growing.map(({ exhaustion }) => exhaustion as Exhaustion);
  const soonest = togetherSeconds(ends.map(({ atLow }) => left(atLow)));
  const latest = togetherSeconds(ends.map(({ atHigh }) => left(atHigh)));
  if (growing.length < 2 || soonest === undefined) return findings;
  const at = (seconds: number): string => new Date(end + seconds * 1000).toISOString();
  const exhaustion = { atLow: at(soonest), atHigh: latest === undefined ? null : at(latest) };
  return findings.map((finding) => (grows(finding) ? { ...finding, exhaustion } : finding));
}
