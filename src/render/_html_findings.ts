/** Findings with their owners, evidence and remedies. */
import { formatBytes, formatCount, formatQuantity } from "../core/format.ts";
import type { Confidence, Evidence, Finding, Owner, Remedy, Report } from "../core/report.ts";
import { type Content, type Markup, markup, prose } from "./_html.ts";
import { growthText, holdingOf, isMain, ownersTitle } from "./_summary.ts";

/** A form for each, so that it is not told by colour alone. */
const FORM: { readonly [C in Confidence]: string } = { confirmed: "●", likely: "◐", possible: "○" };
const WHEN: readonly (readonly [Remedy["when"], string])[] = [
  ["now", "Now"],
  ["fix", "Fix the cause"],
  ["prevent", "Keep it from coming back"],
];

/** How sure a finding is. */
export function badge(confidence: Confidence): Markup {
  return markup`<span class="badge ${confidence}"><span aria-hidden="true">${
    FORM[confidence]
  }</span> ${confidence}</span>`;
}

/** Commands that can be copied as a whole. */
export function commandBlock(commands: readonly string[]): Content {
  if (commands.length === 0) return undefined;
  return markup`<div class="commands"><pre tabindex="0"><code>${
    commands.join("\n")
  }</code></pre><button type="button" data-do="copy">Copy</button></div>
`;
}

/** A column of the owners' table: what it is sorted by, and what it shows. */
interface Column {
  readonly title: string;
  readonly value: (owner: Owner) => string | number | null;
  readonly shown?: (value: number) => string;
}

const COLUMNS: readonly Column[] = [
  { title: "Program", value: ({ comm }) => comm },
  { title: "PID", value: ({ pid }) => pid },
  { title: "Bytes", value: ({ bytes }) => bytes, shown: formatBytes },
  { title: "Objects", value: ({ count }) => count, shown: formatCount },
  { title: "Detail", value: ({ detail }) => detail },
];
/** Reports have owners in this order. */
const SORTED_BY = "Bytes";

function headCell({ title }: Column): Markup {
  const isText = title === "Program" || title === "Detail";
  const sorted = title === SORTED_BY && markup` aria-sort="descending"`;
  return markup`<th scope="col"${
    !isText && markup` class="number"`
  }${sorted}><button type="button" data-do="sort">${title}</button></th>`;
}

function cell({ value, shown = String }: Column, owner: Owner): Markup {
  const found = value(owner);
  if (found === null) return markup`<td class="number" data-value="-1">\u2013</td>`;
  if (typeof found === "string") return markup`<td data-value="${found}">${found}</td>`;
  return markup`<td class="number" data-value="${found}">${shown(found)}</td>`;
}

function ownersTable(finding: Finding, number: number): Content {
  const { owners } = finding;
  if (owners.length === 0) return undefined;
  return markup`<h4>${ownersTitle(finding) === "owners" ? "Who holds it" : "Who is involved"}</h4>
<div class="scroll" role="region" aria-label="Owners of finding ${number}" tabindex="0"><table class="owners">
<thead><tr>${COLUMNS.map(headCell)}</tr></thead>
<tbody>
${
    owners.map((owner) =>
      markup`<tr>${COLUMNS.map((column) => cell(column, owner))}</tr>
`
    )
  }</tbody></table></div>
`;
}

/** Lines of the bundle and why they matter. */
export function evidenceList(evidence: readonly Evidence[]): Markup {
  return markup`<ol class="evidence">
${
    evidence.map(({ path, line, text, because }) =>
      markup`<li><p>${prose(because)}</p><pre tabindex="0"><code class="where">${path}:${line}</code>
<code>${text.trim()}</code></pre></li>
`
    )
  }</ol>
`;
}

function remedyItem({ text, commands, verify }: Remedy): Markup {
  return markup`<li><p>${prose(text)}</p>${commandBlock(commands)}<p class="check">Check: ${prose(verify)}</p></li>
`;
}

function remediesPart(remedies: readonly Remedy[]): Content {
  if (remedies.length === 0) return undefined;
  const parts = WHEN.map(([when, title]) => {
    const of = remedies.filter((remedy) => remedy.when === when);
    return of.length > 0 && markup`<h5>${title}</h5>
<ul class="remedies">
${of.map(remedyItem)}</ul>
`;
  });
  return markup`<h4>What to do</h4>
${parts}`;
}

function body(finding: Finding, number: number, report: Report): Markup {
  const { symptomOf, claims, evidence, remedies, material } = finding;
  const { amount, rest } = holdingOf(finding);
  const facts: Content[] = [
    markup`holds ${amount !== "" && markup`<strong>${amount}</strong>`}${rest}`,
    growthText(finding, report),
    symptomOf !== null && `a symptom of ${symptomOf}`,
    !material && claims.length > 0 && "no more than healthy hosts may hold",
  ];
  return markup`<ul class="facts">
${
    facts.filter(Boolean).map((fact) =>
      markup`<li>${fact}</li>
`
    )
  }</ul>
${ownersTable(finding, number)}${remediesPart(remedies)}<details${
    isMain(finding, report) && markup` open`
  }><summary><h4>Evidence (${formatQuantity(evidence.length, "line")})</h4></summary>
${evidenceList(evidence)}</details>
`;
}

/** One finding: open when readers came for it, otherwise its title, which opens. */
export function findingArticle(finding: Finding, number: number, report: Report, prefix: string): Markup {
  const id = `${prefix}finding-${number}`;
  const heading = markup`<h3 id="${id}"><span class="cause">${number}. ${finding.cause} ${
    badge(finding.confidence)
  }</span> ${finding.title}</h3>`;
  if (isMain(finding, report)) {
    return markup`<article class="finding" aria-labelledby="${id}">
${heading}
${body(finding, number, report)}</article>
`;
  }
  return markup`<article class="finding lesser" aria-labelledby="${id}"><details><summary>${heading}</summary>
${body(finding, number, report)}</details></article>
`;
}
