/** A comparison as a page. */
import type { ComparedSide, Comparison, ComparisonOutcome } from "../core/comparison.ts";
import { version } from "../core/version.ts";
import { accountRows, findingRows, rateRows, sideText } from "./compare_text.ts";
import { type Markup, markup } from "./_html.ts";
import { stillPage } from "./_html_page.ts";

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

/** A number stays with its unit where a column is narrow. */
function unbroken(amount: string): string {
  return amount.replaceAll(/(?<=\d) /g, "\u00a0");
}

/** Rows of a name and what is known of it. */
interface Table {
  readonly title: string;
  readonly caption: string;
  readonly columns: readonly string[];
  readonly kind: "words" | "numbers";
  readonly rows: readonly (readonly string[])[];
}

/** Nothing where it has no rows. */
function tableSection({ title, caption, columns: [name, ...columns], kind, rows }: Table): Markup | false {
  const style = kind === "numbers" && markup` class="number"`;
  return rows.length > 0 && section(
    title,
    markup`<div class="scroll" role="region" aria-label="${title}" tabindex="0"><table class="compared ${kind}">
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
`,
  );
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
  const { outcome, headline, because, before, after, warnings } = comparison;
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
    tableSection({
      title: "Accounts that changed",
      caption: "In bytes and shares of MemTotal.",
      columns: ["account", "before", "after", "change"],
      kind: "numbers",
      rows: accountRows(comparison, false),
    })
  }${
    tableSection({
      title: "Findings",
      caption: "Those that made the verdicts first.",
      columns: ["change", "finding", "before", "after"],
      kind: "words",
      rows: findingRows(comparison),
    })
  }${
    tableSection({
      title: "Packets a second",
      caption: "Of all network namespaces.",
      columns: ["counter", "before", "after"],
      kind: "numbers",
      rows: rateRows(comparison),
    })
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
  return stillPage(comparison.headline, bodyOf(comparison));
}
