import type { EvidenceLine } from "../core/analyzer.ts";
import type { Exhaustion, Finding } from "../core/report.ts";
import { sumOf } from "../core/sums.ts";

/** A limit that what a finding holds is charged to, before the engine has looked the evidence up. */
export interface LimitDraft {
  /** As it is told: which, of what, and how much. */
  readonly name: string;
  /** Until it is reached, when it was looked at. */
  readonly leftBytes: number;
  readonly evidence: EvidenceLine;
}

/** When something ends, in milliseconds since 1970. */
interface Times {
  readonly soonest: number;
  /** Undefined where that is too far away. */
  readonly latest: number | undefined;
}

/** What ends, and when. */
export interface End extends Times {
  /** Undefined: the host's memory. */
  readonly limit: string | undefined;
  readonly evidence: EvidenceLine | undefined;
}

/** A finding with all that it may use up, were it the only one that grows: the host's memory first. */
export interface Growth {
  readonly finding: Finding;
  readonly ends: readonly [End, ...End[]];
}

/**
 * An analyzer tells when the host's memory is used up; who is charged to a limit may be killed long before.
 *
 * @param known Undefined where the bundle tells of no limits.
 * @param seen Between which times the limits were looked at, in milliseconds since 1970.
 * @param end When growth was last seen.
 * @returns Undefined where nothing is used up in a foreseeable time.
 */
export function growthOf(
  finding: Finding,
  known: { readonly limits: readonly LimitDraft[]; readonly swap: EvidenceLine | undefined } | undefined,
  seen: { readonly first: number; readonly last: number },
  end: number,
): Growth | undefined {
  const { growthBytesPerSecond: rate, exhaustion } = finding;
  if (exhaustion === null) return undefined;
  const { atLow, atHigh } = exhaustion;
  const host = {
    limit: undefined,
    soonest: Date.parse(atLow),
    latest: atHigh === null ? undefined : Date.parse(atHigh),
    evidence: known?.swap,
  };
  if (rate === null || rate.low <= 0) return { finding, ends: [host] };
  // It was not reached when growth was last seen.
  const at = (from: number, leftBytes: number, bytesPerSecond: number): number =>
    Math.max(end, from + leftBytes / bytesPerSecond * 1000);
  const ofLimits = (known?.limits ?? []).map(({ name, leftBytes, evidence }): End => ({
    limit: name,
    soonest: at(seen.first, leftBytes, rate.high),
    latest: host.latest === undefined ? undefined : at(seen.last, leftBytes, rate.low),
    evidence,
  }));
  return { finding, ends: [host, ...ofLimits] };
}

/** How long memory would last if all grew that would take so long alone: rates add up. Undefined where none of them takes it. */
function togetherSeconds(alone: readonly (number | undefined)[]): number | undefined {
  const rate = sumOf(alone, (seconds) => seconds === undefined ? 0 : 1 / seconds);
  return rate > 0 ? 1 / rate : undefined;
}

/** Findings that are sure to grow, and are no mere symptom of others. */
function isSure({ material, confidence, symptomOf }: Finding): boolean {
  return material && confidence !== "possible" && symptomOf === null;
}

/** When the same is used up by all of them. Undefined where that is one, or none. */
function together(alone: readonly Times[], end: number): Times | undefined {
  const left = (at: number | undefined): number | undefined =>
    at === undefined ? undefined : Math.max(1, (at - end) / 1000);
  const soonest = togetherSeconds(alone.map((each) => left(each.soonest)));
  const latest = togetherSeconds(alone.map((each) => left(each.latest)));
  if (alone.length < 2 || soonest === undefined) return undefined;
  return { soonest: end + soonest * 1000, latest: latest === undefined ? undefined : end + latest * 1000 };
}

function byLimit(growths: readonly Growth[], end: number): ReadonlyMap<string | undefined, Times> {
  const alone = new Map<string | undefined, End[]>();
  for (const each of growths.flatMap(({ ends }) => ends)) {
    const known = alone.get(each.limit);
    if (known === undefined) alone.set(each.limit, [each]);
    else known.push(each);
  }
  return new Map([...alone].flatMap(([limit, ends]) => {
    const times = together(ends, end);
    return times === undefined ? [] : [[limit, times]];
  }));
}

function soonestOf(ends: readonly [End, ...End[]]): End {
  return ends.reduce((first, each) => each.soonest < first.soonest ? each : first);
}

/** What ends first for each finding. */
export interface Reached {
  readonly exhaustion: Exhaustion;
  readonly evidence: EvidenceLine | undefined;
}

function reached(ends: readonly [End, ...End[]]): Reached {
  const { limit, soonest, latest, evidence } = soonestOf(ends);
  const [host] = ends;
  // The host's memory may end before a limit that is reached as late as can be.
  const last = latest === undefined || host.latest === undefined ? latest : Math.min(latest, host.latest);
  return {
    exhaustion: {
      atLow: new Date(soonest).toISOString(),
      atHigh: last === undefined ? null : new Date(last).toISOString(),
      ...(limit === undefined ? {} : { limit }),
    },
    evidence,
  };
}

/**
 * An analyzer knows what it found, and tells when that alone would use up memory. Several causes that grow use up what they share together, and sooner: the
 * host's memory, and each limit that they are below.
 *
 * @param end When they were last seen, in milliseconds since 1970.
 */
export function exhaustTogether(growths: readonly Growth[], end: number): ReadonlyMap<Finding, Reached> {
  const sure = new Set(growths.filter(({ finding }) => isSure(finding)));
  const shared = byLimit([...sure], end);
  const sharedEnds = ({ ends: [host, ...limits] }: Growth, ofHost: Times | undefined): readonly [End, ...End[]] => [
    { ...host, ...ofHost },
    ...limits.map((each) => ({ ...each, ...shared.get(each.limit) })),
  ];
  // Who is stopped by a limit before the host's memory ends is no part of what uses that up.
  const isStopped = (each: Growth): boolean => soonestOf(sharedEnds(each, shared.get(undefined))).limit !== undefined;
  const stopped = new Set([...sure].filter(isStopped));
  const ofHost = byLimit([...sure].filter((each) => !stopped.has(each)), end).get(undefined);
  return new Map(growths.map((each) => {
    if (!sure.has(each)) return [each.finding, reached(each.ends)];
    return [each.finding, reached(sharedEnds(each, stopped.has(each) ? shared.get(undefined) : ofHost))];
  }));
}
