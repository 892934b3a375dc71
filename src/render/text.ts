import { getBorderCharacters, table } from "table";
import { formatBytes, formatQuantity, formatShare } from "../core/format.ts";
import type { Finding, Remedy, Report, ReportAccount, TimelinePoint } from "../core/report.ts";
import { instant } from "./_duration.ts";
import { printable, wrap } from "./_printable.ts";
import { answerOf, bytesRange, claimsText, growthText, hostFacts } from "./_summary.ts";

export interface TextOptions {
  /** Columns of the terminal. */
  readonly width?: number;
  /** Show every account, all the evidence and all owners, not only what matters. */
  readonly all?: boolean;
  /** Emphasis by escape sequences. Nothing is told by it alone. */
  readonly color?: boolean;
}

/** Accounts below this share are folded into one line: they decide nothing. */
const SMALL_SHARE = 0.002;
const OWNERS_SHOWN = 5;
const EVIDENCE_SHOWN = 6;

interface Style {
  readonly width: number;
  readonly all: boolean;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

function section(title: string, lines: readonly string[], style: Style): string {
  return lines.length === 0 ? "" : `\n${style.strong(title)}\n${lines.join("\n")}\n`;
}

/** The two lines the reader came for. */
function answer(report: Report, style: Style): string {
  const { headline, confidence, remedy, otherwise } = answerOf(report);
  const first = style.strong(`${printable(headline)}${confidence === null ? "" : ` (${confidence})`}`);
  if (confidence === null) return `${first}\n${printable(otherwise)}`;
  const action = remedy === null ? otherwise : [...remedy.commands.slice(0, 1), `(${remedy.text})`].join("  ");
  return `${first}\nNow: ${printable(action)}`;
}

function ledgerTable(report: Report, style: Style): string[] {
  const { ledger } = report;
  if (ledger === null) return [];
  const sorted = [...ledger.accounts].sort((a, b) => b.bytes - a.bytes);
  const isShown = (a: ReportAccount): boolean =>
    style.all || a.id === "unaccounted" || Math.abs(a.bytes) >= SMALL_SHARE * ledger.totalBytes;
  const folded = sorted.filter((a) => !isShown(a));
  const row = (title: string, bytes: number, note: string): string[] => [
    title,
    formatBytes(bytes),
    formatShare(bytes, ledger.totalBytes),
    bar(bytes / ledger.totalBytes),
    note,
  ];
  const rows = sorted.filter(isShown).map((a) =>
    row(a.title, a.bytes, a.sources.map((s) => `${s.path}:${s.line}`)[0] ?? "")
  );
  if (folded.length > 0) {
    rows.push(row(formatQuantity(folded.length, "smaller account"), folded.reduce((sum, a) => sum + a.bytes, 0), ""));
  }
  rows.push(row("MemTotal", ledger.totalBytes, ""));
  const text = table(rows, {
    border: getBorderCharacters("void"),
    columnDefault: { paddingLeft: 0, paddingRight: 1 },
    columns: [{ width: 27, wrapWord: true }, { alignment: "right" }, { alignment: "right" }],
    drawHorizontalLine: () => false,
  });
  const missing = ledger.missing.map((term) => `not in this bundle, so still inside unaccounted: ${term}`);
  return [
    ...text.trimEnd().split("\n").map((line) => `  ${line.trimEnd()}`),
    ...missing.map((line) => wrap(line, style.width, "  ")),
  ];
}

/** Rows of the history: since when the memory goes, not every up and down. */
const HISTORY_ROWS = 8;
/** Seconds between snapshots are told by the growth of a finding. */
const MIN_HISTORY_SECONDS = 600;
const HISTORY_ACCOUNTS = 3;
/** An account that moved by less tells nothing. */
const MIN_HISTORY_MOVE_BYTES = 16 * 2 ** 20;

/** Available memory and the accounts that moved most, at a few times. */
function historyTable({ timeline }: Report): string[] {
  const [first, last] = [timeline[0], timeline.at(-1)];
  if (first === undefined || last === undefined) return [];
  if (Date.parse(last.at) - Date.parse(first.at) < MIN_HISTORY_SECONDS * 1000) return [];
  const rows = timeline.length <= HISTORY_ROWS ? timeline : Array.from(
    { length: HISTORY_ROWS },
    (_, i) => timeline[Math.round((i * (timeline.length - 1)) / (HISTORY_ROWS - 1))] as TimelinePoint,
  );
  const moved = (id: string): number => {
    const known = rows.map(({ accounts }) => accounts[id]).filter((bytes) => bytes !== undefined);
    return known.length < 2 ? 0 : Math.max(...known) - Math.min(...known);
  };
  const ids = [...new Set(rows.flatMap(({ accounts }) => Object.keys(accounts)))]
    .filter((id) => id !== "free" && moved(id) >= MIN_HISTORY_MOVE_BYTES)
    .sort((a, b) => moved(b) - moved(a) || (a < b ? -1 : 1))
    .slice(0, HISTORY_ACCOUNTS);
  const cell = (bytes: number | null | undefined): string => (typeof bytes === "number" ? formatBytes(bytes) : "-");
  const text = table([
    ["", "available", ...ids],
    ...rows.map(({ at, availableBytes, accounts }) => [
      instant(at),
      cell(availableBytes),
      ...ids.map((id) => cell(accounts[id])),
    ]),
  ], {
    border: getBorderCharacters("void"),
    columnDefault: { paddingLeft: 0, paddingRight: 2, alignment: "right" },
    drawHorizontalLine: () => false,
  });
  return text.trimEnd().split("\n").map((line) => `  ${line.trimEnd()}`);
}

const BAR_WIDTH = 16;

function bar(share: number): string {
  return "#".repeat(Math.min(BAR_WIDTH, Math.max(0, Math.round(share * BAR_WIDTH)))).padEnd(BAR_WIDTH, ".");
}

function findingLines(finding: Finding, index: number, report: Report, style: Style): string[] {
  const { width, all } = style;
  const growth = growthText(finding, report);
  const lines = [
    style.strong(wrap(`${index + 1}. ${finding.cause} (${finding.confidence}): ${printable(finding.title)}`, width)),
    wrap(
      `holds ${bytesRange(finding.bytes)}: ${claimsText(finding.claims)}${
        finding.symptomOf === null ? "" : `; a symptom of ${finding.symptomOf}`
      }`,
      width,
      "   ",
    ),
    ...(growth === undefined ? [] : [wrap(growth, width, "   ")]),
  ];
  const owners = all ? finding.owners : finding.owners.slice(0, OWNERS_SHOWN);
  if (owners.length > 0) lines.push("   owners:");
  for (const owner of owners) {
    const pid = owner.pid === null ? "" : ` pid ${owner.pid}`;
    lines.push(
      wrap(`${printable(owner.comm)}${pid}: ${formatBytes(owner.bytes)}; ${printable(owner.detail)}`, width, "     "),
    );
  }
  if (owners.length < finding.owners.length) {
    lines.push(`     and ${finding.owners.length - owners.length} more (--all)`);
  }
  const evidence = all ? finding.evidence : finding.evidence.slice(0, EVIDENCE_SHOWN);
  if (evidence.length > 0) lines.push("   evidence:");
  for (const { path, line, text, because } of evidence) {
    lines.push(
      wrap(printable(because), width, "   - "),
      style.faint(clip(`     ${printable(path)}:${line}: ${printable(text).trim()}`, all ? Infinity : width)),
    );
  }
  if (evidence.length < finding.evidence.length) {
    lines.push(`   and ${finding.evidence.length - evidence.length} more (--all)`);
  }
  if (finding.remedies.length > 0) lines.push("   remedies:");
  for (const remedy of finding.remedies) lines.push(...remedyLines(remedy, style));
  return lines;
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function remedyLines({ when, text, commands, verify }: Remedy, { width }: Style): string[] {
  return [
    wrap(`[${when}] ${printable(text)}`, width, "   "),
    ...commands.flatMap((command) => command.split("\n").map((line) => `       ${printable(line)}`)),
    wrap(`check: ${printable(verify)}`, width, "       "),
  ];
}

function styleOf(options: TextOptions): Style {
  const emphasis =
    (code: number) => (text: string): string => (options.color ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { width: options.width ?? 80, all: options.all ?? false, strong: emphasis(1), faint: emphasis(2) };
}

/** Only the answer: who holds how much, and what to do now, in two lines. For many bundles at once. */
export function renderAnswer(report: Report, options: TextOptions = {}): string {
  return `${answer(report, styleOf(options))}\n`;
}

/**
 * The report as text for a terminal: the answer first, then where the memory is, the findings, what was ruled out and what could not be told.
 *
 * @param report From `analyze`.
 */
export function renderText(report: Report, options: TextOptions = {}): string {
  const style = styleOf(options);
  const item = (text: string): string => wrap(text, style.width, "  ");
  const notAssessed = report.notAssessed.map(({ cause, missing, howToCapture }) =>
    item(
      `${cause}: needs ${missing.map(printable).join(", ")}${
        howToCapture.length === 0 ? "" : `; capture: ${howToCapture.join("; ")}`
      }`,
    )
  );
  return [
    `${answer(report, style)}\n\n${printable(hostFacts(report).join(" | "))}\n`,
    `pressure ${report.pressure.level}: ${printable(report.pressure.because)}\n`,
    section("Where all of MemTotal is", ledgerTable(report, style), style),
    section("Since when", historyTable(report), style),
    section("Findings", report.findings.flatMap((f, i) => findingLines(f, i, report, style)), style),
    section("Ruled out", report.ruledOut.map(({ cause, because }) => item(`${cause}: ${printable(because)}`)), style),
    section("Could not be assessed", notAssessed, style),
    section("Warnings", report.warnings.map((w) => item(printable(w))), style),
  ].join("");
}
