import type {
  Change,
  ComparedAccount,
  ComparedFinding,
  ComparedRate,
  ComparedSide,
  Comparison,
  ComparisonOutcome,
  Load,
  Observed,
} from "../core/comparison.ts";
import { formatBytes, formatCount } from "../core/format.ts";
import type { Finding, Report } from "../core/report.ts";
import { sumOf } from "../core/sums.ts";

/** Two looks at the same thing differ by this much: counters are read one after the other, and caches move. */
const SAME = 0.1;
/** An account that shrank by at least this much of what was held in it gave it back; what else is in it moves, too. */
const GIVEN_BACK = 0.5;
/** Less than this of the earlier load is another load. */
const SAME_LOAD = 0.5;
/** Fewer packets a second than this are what an idle host sends. */
const IDLE_PER_SECOND = 10;

function isAccusation(finding: Finding | null): finding is Finding {
  return finding !== null && finding.material && finding.confidence !== "possible" && finding.symptomOf === null;
}

/** Of the same cause, and of the same program where there are several. */
function keyOf({ cause, owners }: Finding): string {
  return `${cause} ${owners[0]?.comm ?? ""}`;
}

/** Absent is not gone: the report may have had nothing to tell it from. */
function isAssessed({ notAssessed }: Report, cause: string): boolean {
  return !notAssessed.some((each) => each.cause === cause);
}

function changeOf(before: Finding, after: Finding | null, isAssessedAfter: boolean): Change {
  if (after === null) return isAssessedAfter ? "gone" : "unknown";
  const [from, to] = [before.bytes.high, after.bytes.high];
  if (Math.abs(to - from) <= SAME * Math.max(from, to)) return "same";
  return to < from ? "less" : "more";
}

function pairFindings(before: Report, after: Report): ComparedFinding[] {
  const left = [...after.findings];
  const take = (matches: (finding: Finding) => boolean): Finding | null => {
    const i = left.findIndex(matches);
    return i === -1 ? null : left.splice(i, 1)[0] as Finding;
  };
  const same = before.findings.map((finding) => take((other) => keyOf(other) === keyOf(finding)));
  // A program that was renamed, or another one with the same fault.
  const pairs = before.findings.map((finding, i) => {
    const found = same[i] ?? take(({ cause }) => cause === finding.cause);
    const change = changeOf(finding, found, isAssessed(after, finding.cause));
    return { cause: finding.cause, change, before: finding, after: found };
  });
  const came = left.map((finding): ComparedFinding => ({
    cause: finding.cause,
    change: isAssessed(before, finding.cause) ? "came" : "unknown",
    before: null,
    after: finding,
  }));
  const accused = (pair: ComparedFinding): number => isAccusation(pair.before) || isAccusation(pair.after) ? 0 : 1;
  return [...pairs, ...came].sort((a, b) => accused(a) - accused(b));
}

function compareAccounts(before: Report, after: Report): ComparedAccount[] {
  const titles = new Map(
    [...(before.ledger?.accounts ?? []), ...(after.ledger?.accounts ?? [])].map(({ id, title }) => [id, title]),
  );
  const bytes = (report: Report, id: string): number | null =>
    report.ledger?.accounts.find((account) => account.id === id)?.bytes ?? null;
  const changed = ({ beforeBytes, afterBytes }: ComparedAccount): number =>
    Math.abs((afterBytes ?? 0) - (beforeBytes ?? 0));
  return [...titles].map(([id, title]) => ({
    id,
    title,
    beforeBytes: bytes(before, id),
    afterBytes: bytes(after, id),
  })).sort((a, b) => changed(b) - changed(a) || (a.id < b.id ? -1 : 1));
}

function compareLoad(before: Load | undefined, after: Load | undefined): ComparedRate[] {
  return (before?.rates ?? []).flatMap(({ counter, perSecond }) => {
    const other = after?.rates.find((rate) => rate.counter === counter);
    return other === undefined ? [] : [{ counter, beforePerSecond: perSecond, afterPerSecond: other.perSecond }];
  });
}

/** What is sent tells how much was asked for, of causes that have to do with packets. */
function loadOf(cause: string, rates: readonly ComparedRate[]): ComparedRate | undefined {
  const counter = /udp|skb|fragment|reassembly|packet/.test(cause)
    ? "Udp.OutDatagrams"
    : /tcp|conntrack/.test(cause)
    ? "Tcp.OutSegs"
    : undefined;
  return rates.find((rate) => rate.counter === counter);
}

/** How much the accounts that a finding claims have shrunk; undefined where a side does not tell them. */
function givenBackBytes({ claims }: Finding, accounts: readonly ComparedAccount[]): number | undefined {
  let sum = 0;
  for (const { account } of claims) {
    const found = accounts.find(({ id }) => id === account);
    if (found?.beforeBytes == null || found.afterBytes == null) return undefined;
    sum += found.beforeBytes - found.afterBytes;
  }
  return claims.length === 0 ? undefined : sum;
}

interface Judgement {
  readonly outcome: ComparisonOutcome;
  readonly headline: string;
  readonly because: readonly string[];
}

function titles(findings: readonly Finding[]): string {
  return findings.map(({ title }) => title).join("; ");
}

function causes(pairs: readonly ComparedFinding[]): string {
  return [...new Set(pairs.map(({ cause }) => cause))].join(", ");
}

/** What is said of the load, and whether it fell off; undefined where the bundles do not tell. */
function judgeLoad(cause: string, rates: readonly ComparedRate[]): { text: string; fell: boolean | undefined } {
  const rate = loadOf(cause, rates);
  if (rate === undefined) {
    return { text: "whether the load was the same is not known: compare under the same load", fell: undefined };
  }
  const { beforePerSecond: from, afterPerSecond: to } = rate;
  const perSecond = (value: number): string => formatCount(Math.round(value));
  const fell = from >= IDLE_PER_SECOND && to < SAME_LOAD * from;
  const verdict = from < IDLE_PER_SECOND
    ? "next to nothing was sent"
    : fell
    ? "the load fell off"
    : "the load was there";
  return {
    text: `${rate.counter} before ${perSecond(from)}, after ${perSecond(to)} a second: ${verdict}`,
    fell: from < IDLE_PER_SECOND ? undefined : fell,
  };
}

/** Nobody of those who were accused is any more: has the memory come back, and was the load there? */
function judgeGone(
  accused: readonly Finding[],
  accounts: readonly ComparedAccount[],
  load: readonly ComparedRate[],
): Judgement {
  const because: string[] = [];
  let kept = false;
  for (const finding of accused) {
    const back = givenBackBytes(finding, accounts);
    const names = finding.claims.map(({ account }) => account).join(" and ");
    if (back === undefined) because.push("whether its account shrank is not known: a side has no ledger");
    else {
      kept ||= back < GIVEN_BACK * finding.bytes.low;
      const changed = back < 0 ? `grew by ${formatBytes(-back)}` : `shrank by ${formatBytes(back)}`;
      because.push(`${names} ${changed}; ${formatBytes(finding.bytes.high)} were held`);
    }
  }
  const { text, fell } = judgeLoad((accused[0] as Finding).cause, load);
  because.push(text);
  if (kept) {
    return { outcome: "unclear", headline: `No longer found, but the memory is not back: ${titles(accused)}`, because };
  }
  if (fell === true) {
    return {
      outcome: "unproven",
      headline: `Gone, and so is the load, which proves nothing: ${titles(accused)}`,
      because,
    };
  }
  return { outcome: "fixed", headline: `Fixed. Gone: ${titles(accused)}`, because };
}

function judge(
  findings: readonly ComparedFinding[],
  accounts: readonly ComparedAccount[],
  load: readonly ComparedRate[],
): Judgement {
  const accused = findings.filter(({ before }) => isAccusation(before));
  const nowAccused = findings.filter(({ before, after }) => !isAccusation(before) && isAccusation(after));
  const came = nowAccused.map(({ after }) => after as Finding);
  if (accused.length === 0) {
    if (came.length === 0) return { outcome: "no-cause", headline: "Nobody is accused before or after", because: [] };
    return nowAccused.every(({ change }) => change === "unknown")
      ? {
        outcome: "unclear",
        headline: `Not known whether it is new: ${titles(came)}`,
        because: [`the first one does not tell of ${causes(nowAccused)}`],
      }
      : { outcome: "worse", headline: `Worse. Came: ${titles(came)}`, because: ["before, nobody was accused"] };
  }
  const lost = accused.filter(({ change }) => change === "unknown");
  if (lost.length > 0) {
    const now = came.length === 0 ? "" : `. Now: ${titles(came)}`;
    return {
      outcome: "unclear",
      headline: `Not known whether it is gone: ${titles(lost.map(({ before }) => before as Finding))}${now}`,
      because: [`the second one does not tell of ${causes(lost)}`],
    };
  }
  const before = accused.map((pair) => pair.before as Finding);
  const left = accused.filter(({ before, after }) => (after?.bytes.high ?? 0) > SAME * (before as Finding).bytes.high);
  if (left.length === 0) {
    const gone = judgeGone(before, accounts, load);
    if (came.length === 0) return gone;
    return {
      outcome: "moved",
      headline: `Gone: ${titles(before)}. But now: ${titles(came)}`,
      because: gone.because,
    };
  }
  const sum = (list: readonly (Finding | null)[]): number => sumOf(list, (each) => each?.bytes.high ?? 0);
  const [from, to] = [sum(before), sum(accused.map(({ after }) => after)) + sum(came)];
  const because = [
    `${formatBytes(from)} were held, ${formatBytes(to)} are held now`,
    judgeLoad((before[0] as Finding).cause, load).text,
  ];
  const still = titles([...left.map(({ after }) => after as Finding), ...came]);
  if (to > (1 + SAME) * from || came.length > 0) return { outcome: "worse", headline: `Worse. Now: ${still}`, because };
  if (to < (1 - SAME) * from) return { outcome: "improved", headline: `Less, but not gone. Still: ${still}`, because };
  return { outcome: "unchanged", headline: `Not fixed. Still: ${still}`, because };
}

function differences({ host: a }: Report, { host: b }: Report): string[] {
  const pairs = [
    ["hosts", a.hostname, b.hostname],
    ["kernels", a.kernelRelease, b.kernelRelease],
  ] as const;
  const warnings = pairs.filter(([, from, to]) => from !== to)
    .map(([what, from, to]) => `different ${what}: ${from ?? "unknown"} and ${to ?? "unknown"}`);
  const [from, to] = [a.totalBytes, b.totalBytes];
  if (from !== null && to !== null && Math.abs(to - from) > SAME * from) {
    warnings.push(`different MemTotal: ${formatBytes(from)} and ${formatBytes(to)}: compare shares, not bytes`);
  }
  if (a.capturedAt !== null && b.capturedAt !== null && a.capturedAt > b.capturedAt) {
    warnings.push("the first one was captured after the second one: are they the right way round?");
  }
  return warnings;
}

function side({ host, verdict, pressure }: Report): ComparedSide {
  return { host, verdict, pressure: pressure.level };
}

/**
 * What changed between two reports, and whether a fix worked. Pure.
 *
 * @example
 * ```ts
 * import { compare, observe, openBundle } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const before = observe(await openBundle("samples/friend-push.tgz"));
 * const { outcome, findings } = compare(before, before);
 * equal(outcome, "unchanged");
 * equal(findings[0]?.change, "same");
 * ```
 *
 * @param before Usually with the fault.
 * @param after The same host, or one like it, after what was done about it.
 */
export function compare(before: Observed, after: Observed): Comparison {
  const findings = pairFindings(before.report, after.report);
  const accounts = compareAccounts(before.report, after.report);
  const load = compareLoad(before.load, after.load);
  return {
    schemaVersion: 1,
    ...judge(findings, accounts, load),
    before: side(before.report),
    after: side(after.report),
    accounts,
    findings,
    load,
    warnings: differences(before.report, after.report),
  };
}
