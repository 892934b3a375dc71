/** A summary of many bundles, for a terminal and for a ticket. */
import { getBorderCharacters, table } from "table";
import { formatBytes, formatQuantity, formatShare } from "../core/format.ts";
import type { CauseSummary, FleetSummary, HostCount, HostDigest } from "../core/summary.ts";
import { collapsed, inline } from "./_markdown.ts";
import { printable, wrap } from "./_printable.ts";
import { styleOf } from "./_text_style.ts";
import type { TextOptions } from "./text.ts";

const HOSTS_SHOWN = 20;
const NAMES_SHOWN = 3;

function names(counts: readonly HostCount[]): string {
  const shown = counts.slice(0, NAMES_SHOWN).map(({ name, hosts }) => (hosts === 1 ? name : `${name} (${hosts})`));
  return [...shown, ...(counts.length > NAMES_SHOWN ? [`${counts.length - NAMES_SHOWN} more`] : [])].join(", ");
}

/** The two lines the reader came for. */
function answer({ hosts, causes, verdicts, unreadable }: FleetSummary): readonly [string, string] {
  const accused = verdicts["cause-found"] ?? 0;
  const [first] = causes;
  const [worst] = hosts;
  const all = formatQuantity(hosts.length, "bundle");
  const unread = unreadable.length === 0 ? "" : `; ${unreadable.length} could not be read`;
  if (first === undefined || worst === undefined) {
    return [`No cause found in ${all}${unread}.`, `Verdicts: ${verdictText(verdicts)}.`];
  }
  return [
    `A cause in ${accused} of ${all}, most often ${first.cause} (${first.hosts})${unread}.`,
    `Worst: ${worst.path}: ${worst.headline}`,
  ];
}

function verdictText(verdicts: FleetSummary["verdicts"]): string {
  return Object.entries(verdicts).map(([verdict, hosts]) => `${verdict} ${hosts}`).join(", ");
}

function causeRow({ cause, hosts, bytes, worst, kernels, programs }: CauseSummary): string[] {
  return [
    cause,
    String(hosts),
    formatBytes(bytes),
    `${formatBytes(worst.bytes)}: ${worst.path}`,
    names(programs),
    names(kernels),
  ];
}

const HEAD = ["cause", "hosts", "held in all", "most", "programs", "kernels"];

function outlierText(summary: FleetSummary): string[] {
  return summary.outliers.map(({ path, account, share, medianShare }) =>
    `${path}: ${formatShare(share, 1)} of MemTotal is ${account}, against ${formatShare(medianShare, 1)} usually`
  );
}

function hostText({ path, hostname, headline }: HostDigest): string {
  return `${path}${hostname === null ? "" : ` (${hostname})`}: ${headline}`;
}

/**
 * A summary as text.
 *
 * @param summary From `summarize`.
 */
export function renderSummaryText(summary: FleetSummary, options: TextOptions = {}): string {
  const style = styleOf(options.width ?? 80, options.all ?? false, options.color ?? false);
  const { causes, hosts, unreadable, verdicts } = summary;
  const [first, second] = answer(summary);
  const accused = hosts.filter(({ accusations }) => accusations.length > 0);
  const shown = style.all ? hosts : accused.slice(0, HOSTS_SHOWN);
  const more = style.all || accused.length <= HOSTS_SHOWN ? [] : [`  and ${accused.length - HOSTS_SHOWN} more (--all)`];
  const rows = causes.map((cause) => causeRow(cause).slice(0, 3).concat(names(cause.programs)).map(printable));
  const tableLines = rows.length === 0 ? [] : table([["cause", "hosts", "held in all", "programs"], ...rows], {
    border: getBorderCharacters("void"),
    columnDefault: { paddingLeft: 0, paddingRight: 2 },
    columns: [{}, { alignment: "right" }, { alignment: "right" }, {
      width: Math.max(20, style.width - 52),
      wrapWord: true,
    }],
    drawHorizontalLine: () => false,
  }).trimEnd().split("\n").map((line) => `  ${line.trimEnd()}`);
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", style.strong(title), ...lines];
  const items = (texts: readonly string[]): string[] => texts.map((text) => wrap(printable(text), style.width, "  "));
  const kernels = causes.filter((cause) => cause.kernels.length > 0).map((cause) =>
    `${cause.cause}: ${names(cause.kernels)}`
  );
  const lines = [
    (causes.length > 0 ? style.alarm : style.strong)(wrap(printable(first), style.width)),
    wrap(printable(second), style.width),
    "",
    wrap(`verdicts: ${verdictText(verdicts)}`, style.width),
    ...section("Causes", tableLines),
    ...section("Kernels", items(kernels)),
    ...section(
      style.all ? "Hosts, the worst first" : "Hosts with a cause, the worst first",
      items(shown.map(hostText)),
    ),
    ...more,
    ...section("Unlike the others", items(outlierText(summary))),
    ...section("Could not be read", items(unreadable.map(({ path, problem }) => `${path}: ${problem}`))),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * A summary as Markdown.
 *
 * @param summary From `summarize`.
 */
export function renderSummaryMarkdown(summary: FleetSummary): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(inline).join(" | ")} |`;
  const [first, second] = answer(summary);
  const list = (title: string, items: readonly string[]): string[] =>
    items.length === 0
      ? []
      : [collapsed(`${title} (${items.length})`, items.map((each) => `- ${inline(each)}`).join("\n"))];
  const parts = [
    `**${inline(first)}**`,
    inline(second),
    ...(summary.causes.length === 0 ? [] : [
      [line(HEAD), `|${HEAD.map(() => " --- |").join("")}`, ...summary.causes.map((cause) => line(causeRow(cause)))]
        .join("\n"),
    ]),
    ...list("Hosts, the worst first", summary.hosts.map(hostText)),
    ...list("Unlike the others", outlierText(summary)),
    ...list("Could not be read", summary.unreadable.map(({ path, problem }) => `${path}: ${problem}`)),
  ];
  return `${parts.join("\n\n")}\n`;
}
