/** A comparison as a page. */
import type { ComparedSide, Comparison, ComparisonOutcome } from "../core/comparison.ts";
import type { Finding } from "../core/report.ts";
import { version } from "../core/version.ts";
import { accountRows, findingState, rateRows, sideText } from "./compare_text.ts";
import { type Markup, markup } from "./_html.ts";
import { REPORT_STYLE } from "./_html_style.ts";

const MOOD: { readonly [O in ComparisonOutcome]: string } = {
  fixed: "healthy",
  "no-cause": "healthy",
  unproven: "unclear",
  improved: "unclear",
  moved: "unclear",
  unclear: "unclear",
  unchanged: "found",
  worse: "found",
};

/** Nothing is loaded, sent or run. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A number stays with its unit where a column is narrow. */
function unbroken(amount: string): string {
  return amount.replaceAll(/(?<=\d) /g, "\u00a0");
}

/** Rows of a name and what is known of it. */
function tableOf(
  title: string,
  caption: string,
  head: readonly string[],
  kind: "words" | "numbers",
  rows: readonly (readonly string[])[],
): Markup {
  const style = kind === "numbers" && markup` class="number"`;
  const [name, ...columns] = head;
  return markup`<div class="scroll" role="region" aria-label="${title}" tabindex="0"><table class="compared ${kind}">
<caption class="caption">${caption}</caption>
<thead><tr><th scope="col">${name}</th>${
    columns.map((each) => markup`<th scope="col"${style}>${each}</th>`)
  }</tr></thead>
<tbody>
${
    rows.map(([first, ...others]) =>
      markup`<tr><th scope="row">${first}</th>${
        others.map((each) => markup`<td${style}>${kind === "numbers" ? unbroken(each) : each}</td>`)
      }</tr>
`
    )
  }</tbody></table></div>
`;
}

function section(title: string, body: Markup): Markup {
  return markup`<section><h2>${title}</h2>
${body}</section>
`;
}

function sideMarkup(name: string, side: ComparedSide): Markup {
  return markup`<div class="wide"><dt>${name}</dt><dd>${sideText(side)}</dd></div>
`;
}

function bodyOf(comparison: Comparison): Markup {
  const { outcome, headline, because, before, after, findings, warnings } = comparison;
  const accounts = accountRows(comparison, false);
  const found = findings.map((pair) => [
    pair.change,
    `${pair.cause}: ${(pair.before ?? pair.after as Finding).title}`,
    findingState(pair, "before"),
    findingState(pair, "after"),
  ]);
  const rates = rateRows(comparison);
  return markup`<main><article class="report">
<p class="brand">nailhouse ${version}: before and after</p>
<header class="masthead ${MOOD[outcome]}">
<h1>${headline}</h1>
${
    because.map((each) =>
      markup`<p class="answer">${each}</p>
`
    )
  }<dl class="facts-list">
${sideMarkup("Before", before)}${sideMarkup("After", after)}</dl>
</header>
${
    accounts.length > 0 &&
    section(
      "Accounts that changed",
      tableOf(
        "Accounts that changed",
        "In bytes and shares of MemTotal.",
        ["account", "before", "after", "change"],
        "numbers",
        accounts,
      ),
    )
  }${
    found.length > 0 &&
    section(
      "Findings",
      tableOf(
        "Findings",
        "Those that made the verdicts first.",
        ["change", "finding", "before", "after"],
        "words",
        found,
      ),
    )
  }${
    rates.length > 0 &&
    section(
      "Packets a second",
      tableOf("Packets a second", "Of all network namespaces.", ["counter", "before", "after"], "numbers", rates),
    )
  }${
    warnings.length > 0 &&
    section(
      "Mind",
      markup`<ul class="others">${warnings.map((warning) => markup`<li>${warning}</li>`)}</ul>
`,
    )
  }<footer>Made by nailhouse ${version}. This page loads nothing and sends nothing.</footer>
</article></main>`;
}

/**
 * A comparison as one self-contained page.
 *
 * @example
 * ```ts
 * import { compare, observe, openBundle, renderComparisonHtml } from "nailhouse";
 * import { match } from "node:assert";
 *
 * const side = observe(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * match(renderComparisonHtml(compare(side, side)), /<html/i);
 * ```
 *
 * @param comparison From `compare`.
 */
export function renderComparisonHtml(comparison: Comparison): string {
  const head = markup`<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${comparison.headline}</title>`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
${head.text}
<style>${REPORT_STYLE}</style>
</head>
<body>
${bodyOf(comparison).text}
</body>
</html>
`;
}
