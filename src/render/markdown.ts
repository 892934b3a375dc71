import { formatBytes, formatQuantity, formatShare } from "../core/format.ts";
import type { Evidence, Finding, Owner, Remedy, Report } from "../core/report.ts";
import { sumBytes } from "../core/sums.ts";
import { heldOf } from "./_accounts.ts";
import { codeBlock, codeSpan, collapsed, inline, prose } from "./_markdown.ts";
import { printable } from "./_printable.ts";
import { answerOf, captures, eventTime, growthText, holdingOf, hostFacts, isMain, pressureText } from "./_summary.ts";

/** Accounts below this share are one row: a ticket is read in a minute. */
const SMALL_SHARE = 0.01;
const OWNERS_SHOWN = 3;

const WHEN: { readonly [W in Remedy["when"]]: string } = { now: "Now", fix: "Fix", prevent: "Prevent" };

function answer(report: Report): string[] {
  const { headline, confidence, remedy, otherwise } = answerOf(report);
  const heading = `## ${inline(headline)}${confidence === null ? "" : ` (${confidence})`}`;
  return [heading, ...(remedy === null ? [inline(otherwise)] : remedyParts(remedy))];
}

function head(report: Report): string {
  const { because } = report.pressure;
  const level = pressureText(report.pressure, report.host);
  return `${inline(hostFacts(report).join(" · "))}\\\nPressure **${level}**: ${inline(because)}`;
}

function ledgerTable(report: Report): string[] {
  const { ledger } = report;
  if (ledger === null) return ["The bundle has no /proc/meminfo: where the memory is cannot be told."];
  const sorted = [...ledger.accounts].sort((a, b) => b.bytes - a.bytes);
  const held = new Map(sorted.map(({ id }) => [id, heldOf(id, report)]));
  const isShown = ({ id, bytes }: typeof sorted[number]): boolean =>
    id === "unaccounted" || Math.abs(bytes) >= SMALL_SHARE * ledger.totalBytes || (held.get(id)?.length ?? 0) > 0;
  const folded = sorted.filter((account) => !isShown(account));
  const row = (title: string, bytes: number, by = ""): string =>
    `| ${inline(title)} | ${formatBytes(bytes)} | ${formatShare(bytes, ledger.totalBytes)} | ${by} |`;
  const rows = sorted.filter(isShown).map(({ id, title, bytes }) =>
    row(
      title,
      bytes,
      (held.get(id) ?? []).map(({ finding, number, bytes }) =>
        `${number}. ${inline(finding.cause)} ${formatBytes(bytes)}`
      ).join(", "),
    )
  );
  if (folded.length > 0) {
    rows.push(row(formatQuantity(folded.length, "smaller account"), sumBytes(folded)));
  }
  const missing = ledger.missing.map((term) => `Not in this bundle, so still inside unaccounted: ${inline(term)}.`);
  return [
    [
      "| Account | Bytes | Share | Held by |",
      "| --- | ---: | ---: | --- |",
      ...rows,
      row("MemTotal", ledger.totalBytes),
    ]
      .join("\n"),
    ...missing,
  ];
}

function ownerLine({ comm, pid, bytes, detail }: Owner): string {
  return `- ${codeSpan(comm)}${pid === null ? "" : ` pid ${pid}`}: ${formatBytes(bytes)}; ${inline(detail)}`;
}

function ownerLines(owners: readonly Owner[]): string {
  const more = owners.length - OWNERS_SHOWN;
  const lines = owners.slice(0, OWNERS_SHOWN).map(ownerLine);
  if (more > 0) lines.push(`- and ${more} more`);
  return lines.join("\n");
}

function remedyParts({ when, text, commands, verify }: Remedy): string[] {
  return [
    `**${WHEN[when]}:** ${prose(text)}`,
    ...(commands.length === 0 ? [] : [codeBlock(commands, "sh")]),
    `Check: ${prose(verify)}`,
  ];
}

function evidenceParts(evidence: readonly Evidence[]): string[] {
  return evidence.flatMap(({ path, line, text, because }) => [
    prose(because),
    codeBlock([printable(`${path}:${line}`), printable(text.trim())], "text"),
  ]);
}

function heading(finding: Finding, number: number): string {
  return `${number}. ${inline(finding.cause)} (${finding.confidence}): ${inline(finding.title)}`;
}

function findingParts(finding: Finding, number: number, report: Report): string[] {
  const { symptomOf, owners, evidence, remedies } = finding;
  const { amount, rest } = holdingOf(finding);
  const growth = growthText(finding, report);
  // The first one stands at the top.
  const others = remedies.filter((remedy) => remedy !== answerOf(report).remedy);
  const symptom = symptomOf === null ? "" : ` A symptom of ${inline(symptomOf)}.`;
  return [
    // The first one's title is the headline.
    answerOf(report).headline === finding.title
      ? `### ${number}. ${inline(finding.cause)} (${finding.confidence})`
      : `### ${heading(finding, number)}`,
    `Holds ${amount === "" ? inline(rest) : `**${amount}**${rest.startsWith(" ") ? " " : ""}${inline(rest)}`}.${
      growth === undefined ? "" : ` It ${inline(growth)}.`
    }${symptom}`,
    ...(owners.length === 0 ? [] : [ownerLines(owners)]),
    ...others.filter(({ when }) => when === "now").flatMap(remedyParts),
    ...block("Fix it, and keep it from coming back", others.filter(({ when }) => when !== "now").flatMap(remedyParts)),
    collapsed(`Evidence (${formatQuantity(evidence.length, "line")})`, evidenceParts(evidence).join("\n\n")),
  ];
}

function block(summary: string, parts: readonly string[]): string[] {
  return parts.length === 0 ? [] : [collapsed(summary, parts.join("\n\n"))];
}

function list(summary: string, items: readonly string[]): string[] {
  return items.length === 0
    ? []
    : [collapsed(`${summary} (${items.length})`, items.map((item) => `- ${item}`).join("\n"))];
}

/**
 * The report as Markdown for a ticket or a chat: the answer first, evidence in collapsed blocks.
 *
 * @example
 * ```ts
 * import { analyze, openBundle, renderMarkdown } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * match(renderMarkdown(report), /MemTotal/);
 * ```
 *
 * @param report From `analyze`.
 */
export function renderMarkdown(report: Report): string {
  const numbered = report.findings.map((finding, i) => ({ finding, number: i + 1 }));
  const main = numbered.filter(({ finding }) => isMain(finding, report));
  const others = numbered.filter(({ finding }) => !isMain(finding, report));
  const parts = [
    ...answer(report),
    head(report),
    ...ledgerTable(report),
    ...main.flatMap(({ finding, number }) => findingParts(finding, number, report)),
    ...list("Lesser findings", others.map(({ finding, number }) => heading(finding, number))),
    ...list("Ruled out", report.ruledOut.map(({ cause, because }) => `${inline(cause)}: ${inline(because)}`)),
    ...list(
      "Could not be assessed, by what would capture it",
      [...captures(report.notAssessed)].map(([how, causes]) => `${codeSpan(how)} for ${causes.map(inline).join(", ")}`),
    ),
    ...list(
      "What the kernel did",
      report.events.map((event) => `${inline(eventTime(event))}: ${inline(event.title)}`),
    ),
    ...list("Warnings", report.warnings.map(inline)),
  ];
  return `${parts.join("\n\n")}\n`;
}
