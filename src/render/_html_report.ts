/** The parts of a report's page. */
import { formatBytes, formatQuantity } from "../core/format.ts";
import type { KernelEvent, Report, Verdict } from "../core/report.ts";
import { version } from "../core/version.ts";
import { duration, instant } from "../core/duration.ts";
import { type Content, type Markup, markup, prose } from "./_html.ts";
import { timelineSection } from "./_html_charts.ts";
import { badge, commandBlock, evidenceList, findingArticle } from "./_html_findings.ts";
import { ledgerSection } from "./_html_ledger.ts";
import { answerOf, captures, eventTime, pressureText, spanSeconds } from "./_summary.ts";

/** The style of a verdict. */
export const MOOD: { readonly [V in Verdict]: string } = {
  "cause-found": "found",
  healthy: "healthy",
  unexplained: "unclear",
  "insufficient-evidence": "unclear",
};

/** A term and what it is here. */
export function fact(term: Content, value: Content, style = ""): Markup {
  return markup`<div class="${style}"><dt>${term}</dt><dd>${value}</dd></div>
`;
}

function hostList(report: Report): Markup {
  const { hostname, kernelRelease, totalBytes, capturedAt, snapshots } = report.host;
  const { because, evidence } = report.pressure;
  const seconds = spanSeconds(report);
  const looks = `${formatQuantity(snapshots, "snapshot")}${seconds === undefined ? "" : ` in ${duration(seconds)}`}`;
  const proof = evidence.length > 0 && markup`<details><summary>Evidence</summary>
${evidenceList(evidence)}</details>`;
  return markup`<dl class="facts-list">
${fact("Verdict", report.verdict)}${fact("Host", hostname ?? "unknown")}${fact("Kernel", kernelRelease ?? "unknown")}${
    fact("MemTotal", totalBytes === null ? "unknown" : formatBytes(totalBytes))
  }${fact("Captured", `${capturedAt === null ? "at an unknown time" : instant(capturedAt)}, ${looks}`, "double")}${
    fact(
      "Pressure",
      [markup`<strong>${pressureText(report.pressure, report.host)}</strong>: ${because}`, proof],
      "wide",
    )
  }</dl>
`;
}

function masthead(report: Report): Markup {
  const { headline, confidence, remedy, otherwise } = answerOf(report);
  const action = remedy === null
    ? markup`<p class="answer">${otherwise}</p>
`
    : markup`<p class="answer"><strong>Now:</strong> ${prose(remedy.text)}</p>
${commandBlock(remedy.commands.slice(0, 1))}`;
  return markup`<header class="masthead ${MOOD[report.verdict]}">
<h1>${headline} ${confidence !== null && badge(confidence)}</h1>
${action}${hostList(report)}</header>
`;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Markup;
}

/** A list without numbers. */
export function list(items: readonly Content[]): Markup {
  return markup`<ul class="others">
${
    items.map((item) =>
      markup`<li>${item}</li>
`
    )
  }</ul>
`;
}

/** One command often serves several causes. No table: commands and causes are too long to stand side by side on a phone. */
function notAssessedList(notAssessed: Report["notAssessed"]): Markup {
  return markup`<p>What would capture it, and for which causes:</p>
<dl class="captures">
${[...captures(notAssessed)].map(([how, causes]) => fact(markup`<code>${how}</code>`, causes.join(", ")))}</dl>
`;
}

const EVENT_FORM: { readonly [K in KernelEvent["kind"]]: string } = {
  "global-oom": "■",
  "memcg-oom": "◧",
  "allocation-failure": "□",
  "daemon-kill": "◇",
};

function eventList(events: readonly KernelEvent[]): Markup {
  const item = (event: KernelEvent): Markup =>
    markup`<li class="${event.kind}"><span class="when"><span aria-hidden="true">${EVENT_FORM[event.kind]}</span> ${
      eventTime(event)
    }</span> ${event.title} <small><code>${event.path}:${event.line}</code></small></li>
`;
  return markup`<ol class="events">
${events.map(item)}</ol>
`;
}

function sections(report: Report, prefix: string): readonly Section[] {
  const { events, findings, ruledOut, notAssessed, warnings } = report;
  const since = timelineSection(report);
  const all: readonly (Section | false | undefined)[] = [
    { id: "ledger", title: "Where all of MemTotal is", body: ledgerSection(report, prefix) },
    since && { id: "since", title: "Since when", body: since },
    events.length > 0 && { id: "events", title: "What the kernel did", body: eventList(events) },
    findings.length > 0 && {
      id: "findings",
      title: "Findings",
      body: markup`${findings.map((finding, i) => findingArticle(finding, i + 1, report, prefix))}`,
    },
    notAssessed.length > 0 && {
      id: "not-assessed",
      title: "Could not be assessed",
      body: notAssessedList(notAssessed),
    },
    warnings.length > 0 && { id: "warnings", title: "Warnings", body: list(warnings) },
    ruledOut.length > 0 && {
      id: "ruled-out",
      title: "Ruled out",
      body: markup`<details><summary>${formatQuantity(ruledOut.length, "cause")}</summary>
${list(ruledOut.map(({ cause, because }) => markup`<strong>${cause}</strong>: ${because}`))}</details>
`,
    },
  ];
  return all.filter((each) => each !== false && each !== undefined);
}

/** A report as one `article`; `prefix` keeps the names of several reports in one page apart. */
export function reportMarkup(report: Report, prefix: string): Markup {
  const parts = sections(report, prefix);
  const contents = parts.map(({ id, title }) =>
    markup`<a href="#${prefix}${id}">${title}</a>
`
  );
  const bodies = parts.map(({ id, title, body }) =>
    markup`<section aria-labelledby="${prefix}${id}">
<h2 id="${prefix}${id}">${title}</h2>
${body}</section>
`
  );
  const isPart = prefix !== "";
  return markup`<article${!isPart && markup` class="report"`} id="${prefix}report">
${
    !isPart && markup`<p class="brand">nailhouse ${version}: who holds the memory</p>
`
  }${masthead(report)}<nav class="contents" aria-label="Parts of this report">
${contents}</nav>
${bodies}${
    !isPart &&
    markup`<footer>Made by nailhouse ${version} from the bundle alone. This page loads nothing and sends nothing.</footer>
`
  }</article>
`;
}
