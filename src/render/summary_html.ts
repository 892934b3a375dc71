/** A summary of many bundles as a page that has the report of each. */
import { formatBytes, formatQuantity } from "../core/format.ts";
import type { Report } from "../core/report.ts";
import type { FleetSummary, HostDigest } from "../core/summary.ts";
import { version } from "../core/version.ts";
import {
  CAUSE_COLUMNS,
  causeRow,
  fleetAnswer,
  hostName,
  isQuiet,
  outlierText,
  outOfMemoryText,
  verdictText,
} from "./_fleet.ts";
import { type Markup, markup } from "./_html.ts";
import { reportPage } from "./_html_page.ts";
import { fact, list, MOOD, reportMarkup } from "./_html_report.ts";

/** How the whole of them is. */
function mood({ causes, hosts }: FleetSummary): string {
  return causes.length > 0 ? "found" : hosts.every(isQuiet) ? "healthy" : "unclear";
}

function masthead(summary: FleetSummary): Markup {
  const [first, second] = fleetAnswer(summary);
  const memory = outOfMemoryText(summary);
  return markup`<header class="masthead ${mood(summary)}">
<h1>${first}</h1>
<p class="answer">${second}</p>
<dl class="facts-list">
${fact("Bundles", formatQuantity(summary.hosts.length, "bundle"))}${fact("Verdicts", verdictText(summary), "double")}${
    memory !== undefined && fact("Out of memory", memory, "double")
  }</dl>
</header>
`;
}

function causeTable({ causes }: FleetSummary): Markup {
  // On a phone each cell is a line, and says what it is.
  const cells = (row: readonly string[]): readonly Markup[] =>
    row.slice(1).map((cell, i) => markup`<td data-title="${CAUSE_COLUMNS[i + 1]}">${cell}</td>`);
  return markup`<div class="scroll" role="region" aria-label="Causes" tabindex="0"><table class="causes">
<thead><tr>${CAUSE_COLUMNS.map((title) => markup`<th scope="col">${title}</th>`)}</tr></thead>
<tbody>
${
    causes.map(causeRow).map((row) =>
      markup`<tr><th scope="row">${row[0]}</th>${cells(row)}</tr>
`
    )
  }</tbody></table></div>
`;
}

/** A host's headline, which opens its report. */
function hostDetails(host: HostDigest, report: Report | undefined, number: number): Markup {
  const { verdict, kernelRelease, totalBytes, headline } = host;
  const facts = [
    hostName(host),
    verdict,
    kernelRelease === null ? undefined : `Linux ${kernelRelease}`,
    totalBytes === null ? undefined : formatBytes(totalBytes),
  ].filter((each) => each !== undefined);
  const heading = markup`<h3><span class="cause">${
    facts.join(" · ")
  }</span> <span class="headline">${headline}</span></h3>`;
  const style = MOOD[verdict];
  return report === undefined
    ? markup`<article class="finding host ${style}">${heading}</article>
`
    : markup`<details class="finding host ${style}"><summary>${heading}</summary>
${reportMarkup(report, `${number}-`)}</details>
`;
}

/**
 * A summary as one self-contained page, in which each host's headline opens its report.
 *
 * @example
 * ```ts
 * import { analyze, digest, openBundle, renderSummaryHtml, summarize } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * const summary = summarize([digest("web1.tgz", report, "All is well")], []);
 * match(renderSummaryHtml(summary, new Map([["web1.tgz", report]])), /<html/);
 * ```
 *
 * @param summary From `summarize`.
 * @param reports By the paths of their bundles. Of a host without one there is only the headline.
 */
export function renderSummaryHtml(summary: FleetSummary, reports: ReadonlyMap<string, Report>): string {
  const { causes, hosts, unreadable } = summary;
  const outliers = outlierText(summary);
  const hostItems = hosts.map((host, i) => hostDetails(host, reports.get(host.path), i + 1));
  const section = (id: string, title: string, body: Markup): Markup =>
    markup`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${body}</section>
`;
  const body = markup`<main><article class="report">
<p class="brand">nailhouse ${version}: who holds the memory of many hosts</p>
${masthead(summary)}${causes.length > 0 && section("causes", "Causes", causeTable(summary))}${
    section("hosts", "Hosts, the worst first", markup`${hostItems}`)
  }${outliers.length > 0 && section("outliers", "Unlike the others", list(outliers))}${
    unreadable.length > 0 &&
    section(
      "unreadable",
      "Could not be read",
      list(unreadable.map(({ path, problem }) => markup`<strong>${path}</strong>: ${problem}`)),
    )
  }<footer>Made by nailhouse ${version} from the bundles alone. This page loads nothing and sends nothing.</footer>
</article></main>`;
  return reportPage(fleetAnswer(summary)[0], body);
}
