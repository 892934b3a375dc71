/** A comparison for a ticket. */
import type { Comparison } from "../core/comparison.ts";
import { accountRows, findingRows, rateRows, sideText } from "./compare_text.ts";
import { collapsed, inline } from "./_markdown.ts";

/** Rows of a name and what is known of it: words are aligned left, numbers right. */
function tableOf(head: readonly string[], kind: "words" | "numbers", rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(inline).join(" | ")} |`;
  const align = head.map((_, i) => (i === 0 || kind === "words" ? " --- |" : " ---: |"));
  return [line(head), `|${align.join("")}`, ...rows.map(line)].join("\n");
}

/**
 * A comparison as Markdown: the answer first, tables in collapsed blocks.
 *
 * @example
 * ```ts
 * import { compare, observe, openBundle, renderComparisonMarkdown } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const side = observe(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * match(renderComparisonMarkdown(compare(side, side)), /nobody/i);
 * ```
 *
 * @param comparison From `compare`.
 */
export function renderComparisonMarkdown(comparison: Comparison): string {
  const { headline, because, before, after, warnings } = comparison;
  const found = findingRows(comparison);
  const rates = rateRows(comparison);
  const accounts = accountRows(comparison, false);
  const parts = [
    `## ${inline(headline)}`,
    ...(because.length === 0 ? [] : [because.map((each) => `- ${inline(each)}`).join("\n")]),
    `Before: ${inline(sideText(before))}  \nAfter: ${inline(sideText(after))}`,
    ...(accounts.length === 0 ? [] : [tableOf(["account", "before", "after", "change"], "numbers", accounts)]),
    ...(found.length === 0
      ? []
      : [collapsed("Findings", tableOf(["change", "finding", "before", "after"], "words", found))]),
    ...(rates.length === 0
      ? []
      : [collapsed("Packets a second", tableOf(["counter", "before", "after"], "numbers", rates))]),
    ...warnings.map((warning) => `> ${inline(warning)}`),
  ];
  return `${parts.join("\n\n")}\n`;
}
