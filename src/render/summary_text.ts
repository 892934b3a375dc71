/** A summary of many bundles, for a terminal. */
import { getBorderCharacters, table } from "table";
import type { FleetSummary, HostDigest } from "../core/summary.ts";
import { causeRow, fleetAnswer, hostName, isQuiet, names, outlierText, verdictText } from "./_fleet.ts";
import { more, printable, wrap } from "./_printable.ts";
import { styleOf } from "./_text_style.ts";
import type { TextOptions } from "./text.ts";

const HOSTS_SHOWN = 20;
/** What the table takes besides the programs. */
const TABLE_COLUMNS = 52;
const LEAST_COLUMN = 20;

function hostText(host: HostDigest): string {
  return `${hostName(host)}: ${host.headline}`;
}

function causeLines({ causes }: FleetSummary, width: number): string[] {
  if (causes.length === 0) return [];
  const rows = causes.map((cause) => [...causeRow(cause).slice(0, 3), names(cause.programs)].map(printable));
  return table([["cause", "hosts", "held in all", "programs"], ...rows], {
    border: getBorderCharacters("void"),
    columnDefault: { paddingLeft: 0, paddingRight: 2 },
    columns: [{}, { alignment: "right" }, { alignment: "right" }, {
      width: Math.max(LEAST_COLUMN, width - TABLE_COLUMNS),
      wrapWord: true,
    }],
    drawHorizontalLine: () => false,
  }).trimEnd().split("\n").map((line) => `  ${line.trimEnd()}`);
}

/** The hosts with something to be told of, or all of them. */
function hostLines({ hosts }: FleetSummary, all: boolean, width: number): string[] {
  const shown = all ? hosts : hosts.filter((host) => !isQuiet(host)).slice(0, HOSTS_SHOWN);
  return shown.length === 0
    ? []
    : [...shown.map((host) => wrap(printable(hostText(host)), width, "  ")), ...more(hosts, shown, "  ")];
}

/**
 * A summary as text.
 *
 * @example
 * ```ts
 * import { analyze, digest, openBundle, renderSummaryText, summarize } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * const summary = summarize([digest("web1.tgz", report, "All is well")], []);
 * match(renderSummaryText(summary), /web1.tgz/);
 * ```
 *
 * @param summary From `summarize`.
 */
export function renderSummaryText(summary: FleetSummary, options: TextOptions = {}): string {
  const style = styleOf(options.width ?? 80, options.all ?? false, options.color ?? false);
  const { causes, outOfMemory, unreadable } = summary;
  const isBad = causes.length + outOfMemory.host + outOfMemory["control-group"] > 0;
  const [first, second] = fleetAnswer(summary);
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", style.strong(title), ...lines];
  const items = (texts: readonly string[]): string[] => texts.map((text) => wrap(printable(text), style.width, "  "));
  const kernels = causes.filter((cause) => cause.kernels.length > 0).map((cause) =>
    `${cause.cause}: ${names(cause.kernels)}`
  );
  const outliers = outlierText(summary).slice(0, style.all ? undefined : HOSTS_SHOWN);
  const lines = [
    (isBad ? style.alarm : style.strong)(wrap(printable(first), style.width)),
    wrap(printable(second), style.width),
    "",
    wrap(`verdicts: ${verdictText(summary)}`, style.width),
    ...section("Causes", causeLines(summary, style.width)),
    ...section("Kernels", items(kernels)),
    ...section("Hosts, the worst first", hostLines(summary, style.all, style.width)),
    ...section("Unlike the others", [...items(outliers), ...more(summary.outliers, outliers, "  ")]),
    ...section("Could not be read", items(unreadable.map(({ path, problem }) => `${path}: ${problem}`))),
  ];
  return `${lines.join("\n")}\n`;
}
