/** A comparison for a terminal. */
import { getBorderCharacters, table } from "table";
import type { ComparedFinding, ComparedSide, Comparison } from "../core/comparison.ts";
import { formatByteRange, formatBytes, formatCount, formatRate, formatShare } from "../core/format.ts";
import type { Finding } from "../core/report.ts";
import { instant } from "../core/duration.ts";
import { printable, wrap } from "./_printable.ts";
import { pressureText } from "./_summary.ts";
import { styleOf } from "./_text_style.ts";
import type { TextOptions } from "./text.ts";

/** Accounts that changed by less than this share of MemTotal are left out: they decide nothing. */
const SMALL_SHARE = 0.002;

/** "+12.0 MiB": the sign is told also where it is plus. */
export function signed(bytes: number): string {
  return `${bytes > 0 ? "+" : ""}${formatBytes(bytes)}`;
}

/** A column of a side. */
function amount(bytes: number | null, { host: { totalBytes } }: ComparedSide): string {
  if (bytes === null) return "not told";
  return `${formatBytes(bytes)}${totalBytes === null ? "" : ` (${formatShare(bytes, totalBytes)})`}`;
}

/** The accounts that changed as rows: account, before, after, change. None where a side has no ledger. */
export function accountRows({ accounts, before, after }: Comparison, all: boolean): string[][] {
  if (before.host.totalBytes === null || after.host.totalBytes === null) return [];
  const least = all ? 1 : SMALL_SHARE * Math.min(before.host.totalBytes, after.host.totalBytes);
  return accounts.filter(({ beforeBytes, afterBytes }) => Math.abs((afterBytes ?? 0) - (beforeBytes ?? 0)) >= least)
    .map(({ title, beforeBytes, afterBytes }) => [
      title,
      amount(beforeBytes, before),
      amount(afterBytes, after),
      beforeBytes === null || afterBytes === null ? "" : signed(afterBytes - beforeBytes),
    ]);
}

/** Rates of packets as rows: counter, before, after. What is 0 on both sides is left out. */
export function rateRows({ load }: Comparison): string[][] {
  return load.map(({ counter, beforePerSecond, afterPerSecond }) => [
    counter,
    ...[beforePerSecond, afterPerSecond].map((rate) => formatCount(Math.round(rate))),
  ]).filter(([, ...rates]) => rates.some((rate) => rate !== "0"));
}

/** What a finding is on a side: "confirmed, 400 MiB", with its growth; of what holds nothing only how sure it is. */
function findingState(pair: ComparedFinding, side: "before" | "after"): string {
  const finding = pair[side];
  if (finding === null) return pair.change === "unknown" ? "not assessed" : "not found";
  const { confidence, bytes, growthBytesPerSecond: rate } = finding;
  return [
    confidence,
    ...(bytes.high === 0 ? [] : [formatByteRange(bytes)]),
    ...(rate === null || rate.low <= 0 ? [] : [`grows by ${formatRate(rate.low, rate.high)}`]),
  ].join(", ");
}

/** The findings as rows: change, finding, before, after. */
export function findingRows({ findings }: Comparison): string[][] {
  return findings.map((pair) => [
    pair.change,
    `${pair.cause}: ${(pair.before ?? pair.after as Finding).title}`,
    findingState(pair, "before"),
    findingState(pair, "after"),
  ]);
}

/** What the side is: "friend-host, Linux 6.18.0, 24 GiB, 2026-11-23 06:01:02Z: cause-found, pressure none". */
export function sideText({ host, verdict, pressure }: ComparedSide): string {
  const facts = [
    host.hostname ?? "unknown host",
    ...(host.kernelRelease === null ? [] : [`Linux ${host.kernelRelease}`]),
    ...(host.totalBytes === null ? [] : [formatBytes(host.totalBytes)]),
    ...(host.capturedAt === null ? [] : [instant(host.capturedAt)]),
  ];
  return `${facts.join(", ")}: ${verdict}, pressure ${pressureText({ level: pressure }, host)}`;
}

function findingLines(pair: ComparedFinding, width: number): string[] {
  const { cause, change, before, after } = pair;
  const title = (before ?? after as Finding).title;
  return [
    wrap(`${cause}: ${printable(title)}`, width, `  ${change.padEnd(7)} `),
    wrap(findingState(pair, "before"), width, "          before: "),
    wrap(findingState(pair, "after"), width, "          after:  "),
  ];
}

/**
 * A comparison as text: the answer in the first line, what it rests on in the second.
 *
 * @example
 * ```ts
 * import { compare, observe, openBundle, renderComparisonText } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const side = observe(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * match(renderComparisonText(compare(side, side)), /nobody/i);
 * ```
 *
 * @param comparison From `compare`.
 */
export function renderComparisonText(comparison: Comparison, options: TextOptions = {}): string {
  const style = styleOf(options.width ?? 80, options.all ?? false, options.color ?? false);
  const { outcome, headline, because, before, after, findings, warnings } = comparison;
  const paint = outcome === "fixed" || outcome === "no-cause" ? style.strong : style.alarm;
  const shown = style.all ? findings : findings.filter(({ before: a, after: b }) => a?.material || b?.material);
  const rows = accountRows(comparison, style.all);
  const accounts = rows.length === 0 ? [] : table([["", "before", "after", "change"], ...rows], {
    border: getBorderCharacters("void"),
    columnDefault: { paddingLeft: 0, paddingRight: 2, alignment: "right" },
    columns: [{ alignment: "left" }],
    drawHorizontalLine: () => false,
  }).trimEnd().split("\n").map((line) => `  ${line.trimEnd()}`);
  const rates = rateRows(comparison).map(([counter = "", before = "", after = ""]) =>
    `  ${counter.padEnd(18)} ${before.padStart(12)} -> ${after.padStart(12)}`
  );
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", style.strong(title), ...lines];
  const lines = [
    paint(wrap(printable(headline), style.width)),
    ...(because.length === 0 ? [] : [wrap(`${printable(because.join("; "))}.`, style.width)]),
    "",
    wrap(printable(sideText(before)), style.width, "before: "),
    wrap(printable(sideText(after)), style.width, "after:  "),
    ...section("Accounts that changed", accounts),
    ...section("Findings", shown.flatMap((pair) => findingLines(pair, style.width))),
    ...section("Packets a second", rates),
    ...section("Mind", warnings.map((warning) => wrap(printable(warning), style.width, "  "))),
  ];
  return `${lines.join("\n")}\n`;
}
