import type { Analyzer, EvidenceLine, FindingDraft, Unclaimed } from "../core/analyzer.ts";
import type { Bundle } from "../core/bundle.ts";
import { accountBytes, type AccountId, type KnownAccounts, type Ledger } from "../core/ledger.ts";
import { isWhole } from "../core/whole_ledger.ts";
import type {
  Evidence,
  Finding,
  KernelEvent,
  NotAssessed,
  PressureLevel,
  Report,
  RuledOut,
  TimelinePoint,
  Verdict,
} from "../core/report.ts";
import {
  type Captured,
  type Missing,
  type Reader,
  readNeeds,
  readUses,
  type Source,
  type TimePoint,
} from "../core/source.ts";
import { sumRanges } from "../core/sums.ts";
import { exhaustTogether, growthOf, type LimitDraft } from "./_exhaustion.ts";
import { checkClaims } from "./_outcome.ts";
import { byRank, type Candidate, settleClaims, type Settled } from "./rank.ts";
import { openSnapshots, type Snapshots } from "./reader.ts";

/** Whether the host is short of memory, before the engine has looked the evidence up. */
export interface PressureDraft {
  readonly level: PressureLevel;
  readonly because: string;
  readonly evidence: readonly EvidenceLine[];
}

/** What the kernel's log tells, before the engine has looked the line up. */
export type EventDraft = Omit<KernelEvent, "text">;

/** Everything the engine is given from outside: it knows no cause and no account. */
export interface Preset {
  readonly analyzers: readonly Analyzer[];
  readonly ledger: Source<Ledger>;
  readonly pressure: Source<PressureDraft>;
  /** In time order. */
  readonly timeline: Source<readonly TimePoint<KnownAccounts>[]>;
  readonly events: Source<readonly EventDraft[]>;
  /** Of what a finding holds: what may end before the host's memory does, and the swap that is left when that does. */
  readonly limits: Source<
    (finding: Pick<Finding, "claims" | "owners" | "growthBytesPerSecond">) => {
      readonly limits: readonly LimitDraft[];
      readonly swap: EvidenceLine | undefined;
    }
  >;
}

/** Evidence longer than this is cut: a page wide enough to read, and a hostile line stays small. */
const MAX_EVIDENCE_TEXT = 400;
/**
 * An `unaccounted` share that is large whatever the host: the line at which Oracle's drgn-tools memstate warns of "unknown" memory.
 */
const UNEXPLAINED_SHARE = 0.1;
/** More points than this are thinned out evenly in the report: a plot shows no more. */
const MAX_TIMELINE_POINTS = 500;
/** A host that kills for hours says nothing new. */
const MAX_EVENTS = 100;

/**
 * The sources a preset reads, for opening a bundle.
 *
 * @example
 * ```ts
 * import { preset, presetSources } from "nailhouse";
 * import { ok } from "node:assert";
 *
 * ok(presetSources(preset).some(({ patterns }) => patterns.includes("proc/meminfo")));
 * ```
 */
export function presetSources(preset: Preset): readonly Source<unknown>[] {
  return [
    preset.ledger,
    preset.pressure,
    preset.timeline,
    preset.events,
    preset.limits,
    ...preset.analyzers.flatMap(({ needs, uses }) => [...Object.values(needs), ...Object.values(uses)]),
  ];
}

function quote(evidence: readonly EvidenceLine[], snapshots: Snapshots): Evidence[] {
  return evidence.map(({ path, line, because }) => {
    const text = snapshots.lineText(path, line, MAX_EVIDENCE_TEXT);
    if (text === undefined) throw new RangeError(`Evidence names a line that is not in the bundle: ${path}:${line}`);
    return { path, line, text, because };
  });
}

/** Where the analyzers put what they find. */
interface Assessment {
  readonly snapshots: Snapshots;
  readonly ledger: Ledger | undefined;
  readonly candidates: Candidate[];
  readonly quotes: Map<FindingDraft, readonly Evidence[]>;
  readonly ruledOut: RuledOut[];
  readonly notAssessed: NotAssessed[];
  /** What of each account is known to be there on a healthy host, too. */
  readonly usual: Map<AccountId, number>;
  /** Of which somebody knows that it is there, and could not see who has it. */
  readonly unseen: number[];
}

function notAssessed(cause: string, missing: readonly Missing[]): NotAssessed {
  return {
    cause,
    missing: [...new Set(missing.map(({ path }) => path))],
    howToCapture: [...new Set(missing.map(({ howToCapture }) => howToCapture))],
  };
}

function judge(analyzer: Analyzer, unclaimed: Unclaimed, into: Assessment): void {
  const { snapshots, ledger } = into;
  const cause = analyzer.id;
  const needed = readNeeds(analyzer.needs, snapshots.base);
  if (needed.status === "missing") {
    into.notAssessed.push(notAssessed(cause, needed.missing));
    return;
  }
  if (needed.status === "failed") {
    into.notAssessed.push({ cause, missing: [`${needed.path}: ${needed.message}`], howToCapture: [] });
    return;
  }
  const values = { ...readUses(analyzer.uses, snapshots.base), ...needed.value };
  const outcome = analyzer.analyze(values, snapshots.base.facts, unclaimed);
  checkClaims(outcome, ledger);
  if (analyzer.judges !== undefined && "usualBytes" in outcome && outcome.usualBytes !== undefined) {
    into.usual.set(analyzer.judges, outcome.usualBytes);
  }
  if ("ruledOut" in outcome) {
    into.ruledOut.push({ cause, because: outcome.ruledOut });
    return;
  }
  if ("notAssessed" in outcome) {
    if (outcome.unseenBytes !== undefined) into.unseen.push(outcome.unseenBytes);
    into.notAssessed.push(notAssessed(cause, outcome.notAssessed));
    return;
  }
  for (const draft of outcome.findings) into.quotes.set(draft, quote(draft.evidence, snapshots));
  into.candidates.push(...outcome.findings.map((draft) => ({ cause, draft })));
}

/** Runs one analyzer. Whatever it does wrong costs only itself. */
function assess(analyzer: Analyzer, unclaimed: Unclaimed, into: Assessment): void {
  try {
    judge(analyzer, unclaimed, into);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    into.notAssessed.push({ cause: analyzer.id, missing: [`the analyzer failed: ${message}`], howToCapture: [] });
  }
}

function finding({ cause, draft, claims, bytes }: Settled, quotes: Assessment["quotes"]): Finding {
  return {
    cause,
    title: draft.title,
    confidence: draft.confidence,
    material: draft.material,
    bytes,
    claims,
    growthBytesPerSecond: draft.growthBytesPerSecond ?? null,
    exhaustion: draft.exhaustion ?? null,
    symptomOf: draft.symptomOf ?? null,
    owners: draft.owners,
    evidence: quotes.get(draft) as readonly Evidence[],
    remedies: draft.remedies,
  };
}

/** Findings with the end that comes first. */
function exhausted(
  findings: readonly Finding[],
  preset: Preset,
  snapshots: Snapshots,
  end: number,
): readonly Finding[] {
  const { base } = snapshots;
  const limits = base.read(preset.limits);
  const limitsOf = limits.status === "ok" && base.time !== undefined ? limits.value : () => undefined;
  const first = base.time ?? end;
  // The whole snapshot takes its time, and was ready before the next one.
  const last = base.timeline.find(({ time }) => time !== undefined && time > first)?.time ?? first;
  const growths = findings.flatMap((each) => growthOf(each, limitsOf(each), { first, last }, end) ?? []);
  const reached = exhaustTogether(growths, end);
  return findings.map((each) => {
    const found = reached.get(each);
    if (found === undefined) return each;
    const more = found.evidence === undefined ? [] : quote([found.evidence], snapshots);
    return { ...each, exhaustion: found.exhaustion, evidence: [...each.evidence, ...more] };
  });
}

type Series = readonly TimePoint<KnownAccounts>[];

/** By how much an account has grown since the bundle first tells of it. */
function changeOf(account: AccountId, series: Series): number | undefined {
  const known = series.flatMap(({ value }) => value.accounts.get(account) ?? []);
  const [first, last] = [known[0], known.at(-1)];
  return first === undefined || last === undefined ? undefined : last - first;
}

/** Whether much of memory is, or came to be, in an account that nobody could look into: its size is known, but not what it consists of. */
function isMuchUnjudged(
  preset: Preset,
  { notAssessed, usual, unseen }: Assessment,
  ledger: Ledger,
  series: Series,
): boolean {
  const causes = new Set(notAssessed.map(({ cause }) => cause));
  // Of slab without its kinds all may be of the one that is not given back.
  if ((accountBytes(ledger, "slab") ?? 0) >= UNEXPLAINED_SHARE * ledger.totalBytes) return true;
  if (unseen.some((bytes) => bytes >= UNEXPLAINED_SHARE * ledger.totalBytes)) return true;
  return preset.analyzers.some(({ id, judges, judgesGrowthOf }) => {
    if (!causes.has(id)) return false;
    const bytes = judges && (accountBytes(ledger, judges) ?? 0) - (usual.get(judges) ?? 0);
    const grown = judgesGrowthOf && changeOf(judgesGrowthOf, series);
    return [bytes, grown].some((each) => each !== undefined && each >= UNEXPLAINED_SHARE * ledger.totalBytes);
  });
}

/** Of the kernel's own, and not given back when asked: what processes have, and caches, is as large as a host's work makes it. */
const KERNEL_ACCOUNTS: readonly AccountId[] = [
  "slab-unreclaimable",
  "vmalloc",
  "percpu",
  "kernel-stacks",
  "page-tables",
];

/** Whether a cause that may be there has much of the kernel's own memory: nothing tells that it is usual. */
function isMuchSuspect({ material, confidence, claims }: Finding, { totalBytes }: Ledger): boolean {
  const { low } = sumRanges(claims.filter(({ account }) => KERNEL_ACCOUNTS.includes(account)));
  return material && confidence === "possible" && low >= UNEXPLAINED_SHARE * totalBytes;
}

function verdict(
  findings: readonly Finding[],
  ledger: Ledger | undefined,
  pressure: PressureLevel,
  usual: ReadonlyMap<AccountId, number>,
  isUnjudged: (ledger: Ledger) => boolean,
): Verdict {
  const found = findings.some((f) => f.material && f.confidence !== "possible" && f.symptomOf === null);
  if (found) return "cause-found";
  if (ledger === undefined) return "insufficient-evidence";
  const unaccounted = (accountBytes(ledger, "unaccounted") ?? 0) - (usual.get("unaccounted") ?? 0);
  if (unaccounted >= UNEXPLAINED_SHARE * ledger.totalBytes) {
    return isWhole(ledger) ? "unexplained" : "insufficient-evidence";
  }
  // Short of memory, every account known, and nothing but sizes to go by: one snapshot cannot tell a leak from a large program.
  if (pressure === "short" || pressure === "exhausted") return "insufficient-evidence";
  const isOpen = isUnjudged(ledger) || findings.some((finding) => isMuchSuspect(finding, ledger));
  return isOpen ? "insufficient-evidence" : "healthy";
}

function timelinePoint({ time, value }: TimePoint<KnownAccounts>): TimelinePoint {
  return {
    at: new Date(time).toISOString(),
    availableBytes: value.availableBytes ?? null,
    accounts: Object.fromEntries(value.accounts),
  };
}

function kernelEvent(draft: EventDraft, snapshots: Snapshots): KernelEvent {
  const [{ text }] = quote([{ ...draft, because: "" }], snapshots) as [Evidence];
  return { ...draft, text };
}

function thin<T>(points: readonly T[], most: number): readonly T[] {
  if (points.length <= most) return points;
  return Array.from({ length: most }, (_, i) => points[Math.round((i * (points.length - 1)) / (most - 1))] as T);
}

function valueOf<T>(captured: Captured<T>): T | undefined {
  return captured.status === "ok" ? captured.value : undefined;
}

/** Asks all analyzers, those that want to know what the others left unclaimed at the end. */
function assessAll(
  preset: Preset,
  snapshots: Snapshots,
  ledger: Ledger | undefined,
  onAnalyzer: ((id: string) => void) | undefined,
): Assessment {
  const assessed: Assessment = {
    snapshots,
    ledger,
    candidates: [],
    quotes: new Map(),
    ruledOut: [],
    notAssessed: [],
    usual: new Map(),
    unseen: [],
  };
  for (const last of [undefined, true]) {
    const { unclaimed } = settleClaims(assessed.candidates, ledger);
    for (const analyzer of preset.analyzers) {
      if (analyzer.last !== last) continue;
      onAnalyzer?.(analyzer.id);
      assess(analyzer, unclaimed, assessed);
    }
  }
  return assessed;
}

function byCause(a: { readonly cause: string }, b: { readonly cause: string }): number {
  return a.cause < b.cause ? -1 : 1;
}

/** What stands in the report of the ledger. */
function reported(ledger: Ledger, snapshots: Snapshots): NonNullable<Report["ledger"]> {
  const accounts = ledger.accounts.map(({ id, title, bytes, sources }) => ({
    id,
    title,
    bytes,
    sources: quote(sources.map((s) => ({ ...s, because: "" })), snapshots).map(({ path, line, text }) => ({
      path,
      line,
      text,
    })),
  }));
  return { totalBytes: ledger.totalBytes, accounts, missing: ledger.missing };
}

function hostOf(bundle: Bundle, base: Reader, ledger: Ledger | undefined): Report["host"] {
  return {
    hostname: bundle.facts.hostname ?? null,
    kernelRelease: bundle.facts.kernelRelease ?? null,
    capturedAt: base.time === undefined ? null : new Date(base.time).toISOString(),
    totalBytes: ledger?.totalBytes ?? null,
    snapshots: Math.max(1, base.timeline.length),
  };
}

/**
 * From a bundle to a report. Pure: the same bundle and preset give the same report, byte for byte.
 *
 * @param bundle From `openArchive`, `readEntries` or `collect`.
 * @param preset The analyzers to run, and how the ledger and the pressure are read.
 * @param onAnalyzer Told the id of each analyzer before it, or what it reads, is run.
 */
export function analyze(bundle: Bundle, preset: Preset, onAnalyzer?: (id: string) => void): Report {
  const snapshots = openSnapshots(bundle);
  const { base } = snapshots;
  const ledger = valueOf(base.read(preset.ledger));
  const pressure: PressureDraft = valueOf(base.read(preset.pressure)) ??
    { level: "none", because: "the bundle has no /proc/meminfo", evidence: [] };
  const series = valueOf(base.read(preset.timeline)) ?? [];
  const events = valueOf(base.read(preset.events)) ?? [];

  const assessed = assessAll(preset, snapshots, ledger, onAnalyzer);
  const { settled, displaced } = settleClaims(assessed.candidates, ledger);
  const ranked = settled.sort(byRank).map((each) => finding(each, assessed.quotes));
  const end = series.at(-1)?.time;
  const findings = end === undefined ? ranked : exhausted(ranked, preset, snapshots, end);
  const displacements = displaced.map(({ cause, by, accounts }) => ({
    cause,
    because: `what it would hold of ${accounts.join(" and ")} is held by ${by.join(", ")}`,
  }));
  const isUnjudged = (whole: Ledger) => isMuchUnjudged(preset, assessed, whole, series);

  return {
    schemaVersion: 1,
    host: hostOf(bundle, base, ledger),
    verdict: verdict(findings, ledger, pressure.level, assessed.usual, isUnjudged),
    pressure: { level: pressure.level, because: pressure.because, evidence: quote(pressure.evidence, snapshots) },
    ledger: ledger === undefined ? null : reported(ledger, snapshots),
    findings,
    ruledOut: [...assessed.ruledOut, ...displacements].sort(byCause),
    notAssessed: assessed.notAssessed.sort(byCause),
    events: events.slice(-MAX_EVENTS).map((event) => kernelEvent(event, snapshots)),
    timeline: thin(series, MAX_TIMELINE_POINTS).map(timelinePoint),
    warnings: [...bundle.warnings, ...snapshots.warnings, ...statusWarnings(bundle)],
  };
}

/** What the collector could not capture, and why. */
function statusWarnings({ status }: Bundle): string[] {
  if (status === undefined) return [];
  const early = status.stopped === null ? [] : [`collecting ended early: ${status.stopped}`];
  const missed = status.collectors.flatMap(({ id, problems }) =>
    problems.map(({ path, reason }) => `not captured by the ${id} collector: ${path} (${reason})`)
  );
  return [...early, ...missed];
}
