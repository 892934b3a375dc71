/** What all renderers say in the same words. Nothing here is escaped yet: names from the bundle are in it. */
import { formatByteRange, formatBytes, formatQuantity, formatRate } from "../core/format.ts";
import type { Confidence, Finding, KernelEvent, Remedy, Report, Verdict } from "../core/report.ts";
import { duration, instant } from "../core/duration.ts";
import { append } from "../core/group_by.ts";
import { isEndNear, lookAgainCommand, lookAgainWhen } from "../core/look_again.ts";
import { isInUse } from "./_groups.ts";
import { accountSeries, availableSeries, grownBytes, MIN_MOVED_BYTES } from "./_history.ts";

const WITHOUT_CAUSE: { readonly [V in Exclude<Verdict, "cause-found">]: readonly [string, string] } = {
  healthy: ["No leak found", "Nothing to do"],
  unexplained: ["Much memory is in no account, and no known cause explains it", "See the candidates, below"],
  "insufficient-evidence": ["The bundle does not tell who holds the memory", "See the candidates, below"],
};

/** What the reader came for: who holds how much, and what to do now. */
export interface Answer {
  readonly headline: string;
  /** What the answer is about: told in full. Null where nothing is known. */
  readonly finding: Finding | null;
  /** Null where nobody is accused. */
  readonly confidence: Confidence | null;
  /** What to do now; null where nobody is accused, or there is no remedy. */
  readonly remedy: Remedy | null;
  /** Said instead of a remedy. */
  readonly otherwise: string;
}

/** A finding that is abnormal on any host and more than a possibility: what makes the verdict. */
export function isAccusation({ material, confidence, symptomOf }: Finding): boolean {
  return material && confidence !== "possible" && symptomOf === null;
}

/** A finding that readers came for; of others the title is enough. */
export function isMain(finding: Finding, report: Report): boolean {
  return isAccusation(finding) || answerOf(report).finding === finding;
}

const CAPTURE_MORE = "Capture more while the host is like this: nailhouse collect, as root (by hand: see below).";
const RECORD = "Record memory until the next time (nailhouse record).";

function isToBeWatched({ confidence, growthBytesPerSecond, symptomOf }: Finding): boolean {
  return confidence === "possible" && growthBytesPerSecond !== null && symptomOf === null;
}

function withoutCause({ verdict }: Report): readonly [string, string] {
  return WITHOUT_CAUSE[verdict === "cause-found" ? "unexplained" : verdict];
}

/** Whether it was not this program that captured it: that would have what is asked for by other commands. */
function lacksFiles({ notAssessed }: Report): boolean {
  return notAssessed.some(({ howToCapture }) => howToCapture.some((how) => !how.startsWith("nailhouse ")));
}

/** How long what is available would last: as fast as it fell all the time, or lately. */
function lastsSeconds(report: Report): number | undefined {
  const points = availableSeries(report);
  const last = points.at(-1);
  const fastest = Math.max(
    ...[points[0], points.at(-2)].map((before) =>
      before === undefined || last === undefined || before.time >= last.time
        ? 0
        : 1000 * (before.bytes - last.bytes) / (last.time - before.time)
    ),
  );
  return last === undefined || fastest <= 0 ? undefined : last.bytes / fastest;
}

function lookAgain(report: Report): string {
  const isNear = isEndNear(lastsSeconds(report));
  return `${lookAgainWhen(isNear)}: ${lookAgainCommand(isNear)}`;
}

/** What is to be done where nobody is accused. */
function nextStep(report: Report): string {
  const [, usual] = withoutCause(report);
  if (report.verdict !== "healthy") return lacksFiles(report) ? CAPTURE_MORE : `${usual}.`;
  // Growth that may be no leak is not nothing.
  const grows = report.findings.find(isToBeWatched);
  if (grows !== undefined) return `To be watched: ${grows.title}.`;
  return `${report.pressure.level === "rising" ? lookAgain(report) : usual}.`;
}

/** @param remedy What to do about it, if anything helps. */
function answerBy(finding: Finding, remedy: Remedy | undefined): Answer {
  const { title, confidence } = finding;
  return { headline: title, finding, confidence, remedy: remedy ?? null, otherwise: "see below" };
}

/**
 * Such as an OOM kill: what the kernel wrote of it is more than that the rest is not known. That of a control group full of page cache, or of a host without
 * the dump, points at no cause.
 */
function recordedFinding({ findings }: Report): Finding | undefined {
  return findings.find(({ symptomOf, cause, confidence }) =>
    (symptomOf !== null || cause === "memcg-oom" || cause === "global-oom") && confidence === "confirmed"
  );
}

/** What is known, or may be, where nobody is accused. */
function secondSentence(report: Report, known: Finding | undefined): string {
  if (known !== undefined) return `What is known: ${known.title}`;
  const candidate = report.verdict === "healthy" ? undefined : report.findings[0];
  if (candidate === undefined) return [...grownMost(report), ...largestAccounts(report)].join(" ");
  return `${
    candidate.confidence === "confirmed" ? "What is known" : "Largest candidate, not proven"
  }: ${candidate.title}`;
}

function answerWithoutCause(report: Report, known: Finding | undefined): Answer {
  const isHealthy = report.verdict === "healthy";
  // The host was started anew since it was out of memory: that is what the reader came for.
  const isOver = isHealthy && (known?.material === true || known?.cause === "global-oom");
  const told = isOver || !isHealthy ? known : undefined;
  const [what] = withoutCause(report);
  return {
    headline: `${what}: ${report.pressure.because}.`,
    // Of what is not explained the candidate is all that there is.
    finding: told ?? (isHealthy ? null : report.findings[0] ?? null),
    confidence: null,
    remedy: null,
    otherwise: `${isOver ? RECORD : nextStep(report)} ${secondSentence(report, told)}`.trimEnd(),
  };
}

/** The answer of a report: its first accusation, or that there is none. */
export function answerOf(report: Report): Answer {
  const accused = report.findings.find(({ material, confidence }) => material && confidence !== "possible");
  if (report.verdict === "cause-found" && accused !== undefined) {
    return answerBy(accused, accused.remedies.find(({ when }) => when === "now") ?? accused.remedies[0]);
  }
  const known = recordedFinding(report);
  if (known !== undefined && (report.verdict === "insufficient-evidence" || isOfThatMoment(report, known))) {
    return answerBy(known, known.remedies.find(({ when }) => when === "now"));
  }
  return answerWithoutCause(report, known);
}

/** A kernel log alone: there is no other look at memory than the one that the finding is about. */
function isOfThatMoment({ verdict, ledger }: Report, { evidence }: Finding): boolean {
  const paths = new Set(ledger?.accounts.flatMap(({ sources }) => sources.map(({ path }) => path)));
  return verdict === "unexplained" && paths.size === 1 && paths.has(evidence[0]?.path ?? "");
}

function largestAccounts(report: Report): string[] {
  const largest = [...(report.ledger?.accounts ?? [])].sort((a, b) => b.bytes - a.bytes).slice(0, 3);
  // Titles have commas in them.
  return largest.length === 0
    ? []
    : [`Largest: ${largest.map((a) => `${a.title} ${formatBytes(a.bytes)}`).join("; ")}.`];
}

/** What takes the memory that becomes less. */
function grownMost(report: Report): string[] {
  if (report.pressure.level !== "rising") return [];
  const grown = accountSeries(report).filter(({ id }) => isInUse(id))
    .map(({ title, points }) => ({ title, bytes: grownBytes(points) }))
    .sort((a, b) => b.bytes - a.bytes)[0];
  if (grown === undefined || grown.bytes < MIN_MOVED_BYTES) return [];
  return [`Grew most: ${grown.title}, by ${formatBytes(grown.bytes)}.`];
}

/** What would capture what is missing, and for which causes: one command often serves several. What serves most is first. */
export function captures(notAssessed: Report["notAssessed"]): ReadonlyMap<string, readonly string[]> {
  const causes = new Map<string, string[]>();
  for (const { cause, missing, howToCapture } of notAssessed) {
    for (const how of howToCapture.length === 0 ? missing : howToCapture) {
      append(causes, how, cause);
    }
  }
  return new Map([...causes].sort(([, a], [, b]) => b.length - a.length));
}

/** When an event was, as the log tells it. */
export function eventTime({ secondsSinceBoot }: KernelEvent): string {
  return secondsSinceBoot === null ? "time not told" : `${duration(secondsSinceBoot)} after boot`;
}

/** From the first to the last time that the report knows of; undefined where it knows of one at most. */
export function spanSeconds({ timeline }: Report): number | undefined {
  const [first, last] = [timeline[0], timeline.at(-1)];
  return first === undefined || last === undefined || first === last
    ? undefined
    : (Date.parse(last.at) - Date.parse(first.at)) / 1000;
}

/** Which host, when and how often looked at. */
export function hostFacts(report: Report): readonly string[] {
  const { hostname, kernelRelease, totalBytes, capturedAt, snapshots } = report.host;
  const seconds = spanSeconds(report);
  // What other programs recorded is longer than the snapshots.
  const over = report.timeline.length > snapshots ? ", history of" : " over";
  const span = seconds === undefined ? "" : `${over} ${duration(seconds)}`;
  return [
    `host ${hostname ?? "unknown"}`,
    kernelRelease === null ? "kernel unknown" : `Linux ${kernelRelease}`,
    totalBytes === null ? "size unknown" : formatBytes(totalBytes),
    capturedAt === null ? "time unknown" : instant(capturedAt),
    `${formatQuantity(snapshots, "snapshot")}${span}`,
  ];
}

/** How much a finding holds: `amount`, which is what is emphasized, and `rest`, of which accounts. Without a claim there is no amount. */
export interface Holding {
  readonly amount: string;
  readonly rest: string;
}

/** "400 MiB" and " of slab-unreclaimable"; of several accounts, or of a part only, "400 MiB" and ": 300 MiB of anon, 50.0 MiB of shmem". */
export function holdingOf({ bytes, claims }: Finding): Holding {
  const amount = formatByteRange(bytes);
  const [first, ...others] = claims;
  if (first === undefined) return { amount: "", rest: "nothing itself" };
  if (others.length === 0 && formatByteRange(first.bytes) === amount) return { amount, rest: ` of ${first.account}` };
  return {
    amount,
    rest: `: ${claims.map(({ account, bytes }) => `${formatByteRange(bytes)} of ${account}`).join(", ")}`,
  };
}

/** Whether the host is short of memory; of a bundle without a look at it that is not known, for which a report has no level. */
export function pressureText({ level }: Pick<Report["pressure"], "level">, { totalBytes }: Report["host"]): string {
  return level === "none" && totalBytes === null ? "not known" : level;
}

/** Who is named in a finding: of one that holds nothing they are, say, who was killed. */
export function ownersTitle({ claims }: Finding): "owners" | "involved" {
  return claims.length === 0 ? "involved" : "owners";
}

/** When the report's last look was; undefined where the bundle does not tell. */
function lastLook({ timeline, host }: Report): string | undefined {
  return timeline.at(-1)?.at ?? host.capturedAt ?? undefined;
}

/** How fast it grows, and when memory is used up, or a limit reached; undefined where growth is not known. */
export function growthText({ growthBytesPerSecond: rate, exhaustion }: Finding, report: Report): string | undefined {
  if (rate === null) return undefined;
  const grows = `grows by ${formatRate(rate.low, rate.high)}`;
  if (exhaustion === null) return grows;
  const from = lastLook(report);
  const seconds = from === undefined ? undefined : (Date.parse(exhaustion.atLow) - Date.parse(from)) / 1000;
  const left = seconds === undefined
    ? ""
    : Math.round(seconds) <= 0
    ? " (right after the capture)"
    : ` (${duration(seconds)} after the capture)`;
  const soonest = `${instant(exhaustion.atLow)}${left}`;
  const ends = exhaustion.limit === undefined ? "memory is used up" : `${exhaustion.limit} is reached`;
  if (exhaustion.atHigh === null) return `${grows}; ${ends} at ${soonest} or later`;
  const latest = instant(exhaustion.atHigh);
  // At the very end both are within the same second.
  if (latest === instant(exhaustion.atLow)) return `${grows}; ${ends} at ${soonest}`;
  return `${grows}; ${ends} between ${soonest} and ${latest}`;
}
