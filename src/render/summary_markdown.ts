/** A summary of many bundles, for a ticket. */
import type { FleetSummary, HostDigest } from "../core/summary.ts";
import { CAUSE_COLUMNS, causeRow, fleetAnswer, hostName, isQuiet, outlierText, verdictText } from "./_fleet.ts";
import { collapsed, inline } from "./_markdown.ts";

/** So many stand in the open: a ticket is read in a minute. */
const HOSTS_SHOWN = 10;

function hostItem(host: HostDigest): string {
  return `- **${inline(hostName(host))}**: ${inline(host.headline)}`;
}

function list(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [collapsed(`${title} (${items.length})`, items.join("\n"))];
}

/**
 * A summary as Markdown.
 *
 * @example
 * ```ts
 * import { analyze, digest, openBundle, renderSummaryMarkdown, summarize } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * const summary = summarize([digest("web1.tgz", report, "All is well")], []);
 * match(renderSummaryMarkdown(summary), /web1.tgz/);
 * ```
 *
 * @param summary From `summarize`.
 */
export function renderSummaryMarkdown(summary: FleetSummary): string {
  const { causes, hosts, unreadable } = summary;
  const [first, second] = fleetAnswer(summary);
  const row = (cells: readonly string[]): string => `| ${cells.map(inline).join(" | ")} |`;
  const table = [
    row(CAUSE_COLUMNS),
    `|${CAUSE_COLUMNS.map(() => " --- |").join("")}`,
    ...causes.map((cause) => row(causeRow(cause))),
  ];
  const shown = hosts.filter((host) => !isQuiet(host)).slice(0, HOSTS_SHOWN);
  const parts = [
    `## ${inline(first)}`,
    inline(second),
    `Verdicts: ${inline(verdictText(summary))}`,
    ...(causes.length === 0 ? [] : [table.join("\n")]),
    ...(shown.length === 0 ? [] : ["### Hosts, the worst first", shown.map(hostItem).join("\n")]),
    ...list("The other hosts", hosts.filter((host) => !shown.includes(host)).map(hostItem)),
    ...list("Unlike the others", outlierText(summary).map((text) => `- ${inline(text)}`)),
    ...list("Could not be read", unreadable.map(({ path, problem }) => `- ${inline(path)}: ${inline(problem)}`)),
  ];
  return `${parts.join("\n\n")}\n`;
}
