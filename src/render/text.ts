import { formatBytes, formatQuantity } from "../core/format.ts";
import type { Finding, NotAssessed, Remedy, Report } from "../core/report.ts";
import { more, printable, wrap, wrapItems } from "./_printable.ts";
import {
  answerOf,
  captures,
  eventTime,
  growthText,
  holdingOf,
  hostFacts,
  isMain,
  ownersTitle,
  pressureText,
} from "./_summary.ts";
import { ledgerLines } from "./_text_ledger.ts";
import { type Style, styleOf } from "./_text_style.ts";
import { timelineLines } from "./_text_timeline.ts";

/** How a result is laid out for a terminal. */
export interface TextOptions {
  /** Columns of the terminal. */
  readonly width?: number;
  /** Show every account, all the evidence and all owners, not only what matters. */
  readonly all?: boolean;
  /** Emphasis by escape sequences. Nothing is told by it alone. */
  readonly color?: boolean;
}

const OWNERS_SHOWN = 5;
const EVIDENCE_SHOWN = 4;
const EVENTS_SHOWN = 3;
/** A log alone lacks all else: of what would have told more, that which tells of most causes is enough. */
const CAPTURES_SHOWN = 3;

function section(title: string, lines: readonly string[], style: Style): string {
  return lines.length === 0 ? "" : `\n${style.strong(title)}\n${lines.join("\n")}\n`;
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** One thing to read, though it may be longer than a line. */
function sentence(text: string, style: Style): string {
  return wrap(printable(text), style.width, "", "  ");
}

/** What the reader came for, what to do, and what that does. A command stays in one line, to be copied. */
function answer(report: Report, style: Style): string {
  const { headline, confidence, remedy, otherwise } = answerOf(report);
  if (confidence === null) return `${style.strong(sentence(headline, style))}\n${sentence(otherwise, style)}`;
  const first = style.alarm(sentence(`${headline} (${confidence})`, style));
  if (remedy === null) return `${first}\nNow: ${otherwise}`;
  const [command] = remedy.commands;
  if (command === undefined) return `${first}\n${wrap(printable(remedy.text), style.width, "Now: ")}`;
  const text = wrap(printable(remedy.text), style.width, "     ");
  return `${first}\nNow: ${style.strong(printable(command))}\n${style.faint(text)}`;
}

function commandLines(commands: readonly string[], style: Style): string[] {
  return commands.flatMap((command) => command.split("\n")).map((line) =>
    line === "" ? "" : `       ${style.strong(printable(line))}`
  );
}

/** Of the one that the answer told, with its first command, only what is more. */
function remedyLines(remedy: Remedy, isTold: boolean, style: Style): string[] {
  const { when, text, commands, verify } = remedy;
  return [
    wrap(`[${when}] ${isTold ? "as at the top" : printable(text)}`, style.width, "   "),
    ...(isTold && commands.length === 1 ? [] : commandLines(commands, style)),
    wrap(`check: ${printable(verify)}`, style.width, "       "),
  ];
}

function heading({ cause, confidence, title }: Finding, number: number, style: Style): string {
  return style.strong(wrap(`${cause} (${confidence}): ${printable(title)}`, style.width, `${number}. `));
}

function findingLines(finding: Finding, number: number, report: Report, style: Style): string[] {
  const { width, all } = style;
  if (!isMain(finding, report) && !all) return [heading(finding, number, style)];
  const growth = growthText(finding, report);
  const { amount, rest } = holdingOf(finding);
  const told = answerOf(report).remedy;
  const symptom = finding.symptomOf === null ? "" : `; a symptom of ${finding.symptomOf}`;
  const owners = all ? finding.owners : finding.owners.slice(0, OWNERS_SHOWN);
  const evidence = all ? finding.evidence : finding.evidence.slice(0, EVIDENCE_SHOWN);
  return [
    heading(finding, number, style),
    wrap(`holds ${amount}${rest}${symptom}`, width, "   "),
    ...(growth === undefined ? [] : [wrap(printable(growth), width, "   ")]),
    ...(owners.length === 0 ? [] : [`   ${ownersTitle(finding)}:`]),
    ...owners.map(({ comm, pid, bytes, detail }) =>
      wrap(
        `${printable(comm)}${pid === null ? "" : ` pid ${pid}`}: ${formatBytes(bytes)}; ${printable(detail)}`,
        width,
        "     ",
      )
    ),
    ...more(finding.owners, owners, "     "),
    ...(evidence.length === 0 ? [] : ["   evidence:"]),
    ...evidence.flatMap(({ path, line, text, because }) => [
      wrap(printable(because), width, "   - "),
      style.faint(clip(`     ${printable(path)}:${line}: ${printable(text).trim()}`, all ? Infinity : width)),
    ]),
    ...more(finding.evidence, evidence, "   "),
    ...(finding.remedies.length === 0 ? [] : ["   remedies:"]),
    ...finding.remedies.flatMap((remedy) => remedyLines(remedy, remedy === told, style)),
  ];
}

function findings(report: Report, style: Style): string[] {
  const lines = report.findings.map((finding, i) => findingLines(finding, i + 1, report, style));
  const short = !style.all && report.findings.some((finding) => !isMain(finding, report));
  return [...lines.flat(), ...(short ? ["   (--all tells all of these)"] : [])];
}

/** By what would capture it: one command often serves several causes. */
function notAssessedLines(notAssessed: readonly NotAssessed[], style: Style): string[] {
  if (style.all) {
    return notAssessed.map(({ cause, missing, howToCapture }) =>
      wrap(
        `${cause}: needs ${missing.map(printable).join(", ")}${
          howToCapture.length === 0 ? "" : `; capture: ${howToCapture.map(printable).join("; ")}`
        }`,
        style.width,
        "  ",
      )
    );
  }
  const needed = [...captures(notAssessed)];
  const shown = needed.slice(0, CAPTURES_SHOWN);
  const named = new Set(shown.flatMap(([, causes]) => causes));
  const others = notAssessed.map(({ cause }) => cause).filter((cause) => !named.has(cause));
  return [
    ...shown.flatMap(([how, causes]) => [`  ${style.strong(printable(how))}`, forCauses(causes, style)]),
    ...more(needed, shown, "  "),
    ...(others.length === 0 ? [] : [forCauses(others, style)]),
  ];
}

function forCauses(causes: readonly string[], style: Style): string {
  return wrap(`for ${causes.join(", ")}`, style.width, "      ");
}

function ruledOutLines({ ruledOut }: Report, style: Style): string[] {
  if (style.all) {
    return ruledOut.map(({ cause, because }) => wrap(`${cause}: ${printable(because)}`, style.width, "  "));
  }
  return ruledOut.length === 0 ? [] : [wrap(ruledOut.map(({ cause }) => cause).join(", "), style.width, "  ")];
}

function eventLines({ events }: Report, style: Style): string[] {
  const shown = style.all ? events : events.slice(-EVENTS_SHOWN);
  return [
    ...(shown.length < events.length
      ? [`  ${formatQuantity(events.length - shown.length, "earlier event")} (--all)`]
      : []),
    ...shown.map((event) => wrap(`${eventTime(event)}: ${printable(event.title)}`, style.width, "  ")),
  ];
}

/**
 * Only the answer: who holds how much, and what to do now. For many bundles at once.
 *
 * @example
 * ```ts
 * import { analyze, openBundle, renderAnswer } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * match(renderAnswer(report), /./);
 * ```
 */
export function renderAnswer(report: Report, options: TextOptions = {}): string {
  return `${answer(report, styleOf(options.width ?? 80, false, options.color ?? false))}\n`;
}

/**
 * The report as text for a terminal: the answer first, then where the memory is, the findings, what was ruled out and what could not be told.
 *
 * @example
 * ```ts
 * import { analyze, openBundle, renderText } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * match(renderText(report), /MemTotal/);
 * ```
 *
 * @param report From `analyze`.
 */
export function renderText(report: Report, options: TextOptions = {}): string {
  const style = styleOf(options.width ?? 80, options.all ?? false, options.color ?? false);
  const { because } = report.pressure;
  const captured = report.notAssessed.length === 0
    ? ""
    : `Could not be assessed: ${formatQuantity(report.notAssessed.length, "cause")}, for want of`;
  return [
    `${answer(report, style)}\n\n${wrapItems(hostFacts(report).map(printable), style.width)}\n`,
    `${wrap(`pressure ${pressureText(report.pressure, report.host)}: ${printable(because)}`, style.width)}\n`,
    section("Where all of MemTotal is", ledgerLines(report, style), style),
    section("Since when", timelineLines(report, style), style),
    section("What the kernel did", eventLines(report, style), style),
    section("Findings", findings(report, style), style),
    section(captured, notAssessedLines(report.notAssessed, style), style),
    section("Warnings", report.warnings.map((w) => wrap(printable(w), style.width, "  ")), style),
    section(`Ruled out${style.all ? "" : " (--all tells why)"}`, ruledOutLines(report, style), style),
  ].join("");
}
