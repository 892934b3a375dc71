/** Where all of MemTotal is: one bar, what is in use of it magnified, and the accounts below. */
import { formatBytes, formatShare } from "../core/format.ts";
import type { Report, ReportAccount } from "../core/report.ts";
import { sumBytes } from "../core/sums.ts";
import { type AccountGroup, accountGroups, heldOf, usedGroups, usedTitle } from "./_accounts.ts";
import { type Content, type Markup, markup } from "./_html.ts";

/** Of a bar this part is wide enough to be written into. */
const LABELLED_SHARE = 0.16;
/** What is in use is magnified when it is less than this of the whole. */
const MAGNIFIED_SHARE = 0.6;

interface Segment {
  readonly style: string;
  readonly title: string;
  readonly bytes: number;
}

/** Each group in two parts: what findings hold of it, and the rest. */
function segments(groups: readonly AccountGroup[]): readonly Segment[] {
  return groups.flatMap(({ id, title, bytes, heldBytes }) => [
    ...(heldBytes > 0 ? [{ style: `${id} held`, title: `${title}, held by findings`, bytes: heldBytes }] : []),
    { style: id, title: heldBytes > 0 ? `${title}, other` : title, bytes: Math.max(0, bytes - heldBytes) },
  ]).filter(({ bytes }) => bytes > 0);
}

function percent(part: number, whole: number): string {
  return `${(100 * part / whole).toFixed(3)}%`;
}

function segmentMarkup({ style, title, bytes }: Segment, whole: number): Markup {
  const label = bytes >= LABELLED_SHARE * whole && markup`<b>${title} <i>${formatBytes(bytes)}</i></b>`;
  return markup`<span class="segment ${style}" style="width:${percent(bytes, whole)}" title="${title}: ${
    formatBytes(bytes)
  }">${label}</span>`;
}

function bar(parts: readonly Segment[], label: string): Markup {
  const whole = sumBytes(parts);
  const text = parts.map(({ title, bytes }) => `${title} ${formatBytes(bytes)}`).join("; ");
  return markup`<div class="bar" role="img" aria-label="${label}: ${text}">${
    parts.map((part) => segmentMarkup(part, whole))
  }</div>
`;
}

/** The whole, and below it the part in use stretched to the same width. */
function bars(groups: readonly AccountGroup[], totalBytes: number): Content {
  const whole = bar(segments(groups), `All of MemTotal, ${formatBytes(totalBytes)}`);
  const used = segments(usedGroups(groups));
  const usedBytes = sumBytes(used);
  const share = usedBytes / sumBytes(segments(groups));
  if (usedBytes === 0 || share >= MAGNIFIED_SHARE) return whole;
  const edge = (100 * share).toFixed(3);
  return [
    whole,
    markup`<svg class="magnifier" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><polygon points="0,0 ${edge},0 100,10 0,10"/></svg>
<p class="caption">of these, ${usedTitle(groups)}: <strong>${formatBytes(usedBytes)}</strong></p>
`,
    bar(used, `${usedTitle(groups)}, ${formatBytes(usedBytes)}`),
  ];
}

function legendItem({ id, title, bytes, heldBytes }: AccountGroup, totalBytes: number): Markup {
  const held = heldBytes > 0 &&
    markup`, of it <span class="swatch held"></span>held by findings <strong>${formatBytes(heldBytes)}</strong>`;
  return markup`<li><span class="swatch ${id}"></span>${title} <strong>${formatBytes(bytes)}</strong> ${
    formatShare(bytes, totalBytes)
  }${held}</li>
`;
}

function sourceNote({ sources }: ReportAccount): Content {
  const [first] = sources;
  if (first === undefined) return undefined;
  const more = sources.length > 1 && ` and ${sources.length - 1} more`;
  return markup`<small><code>${first.path}:${first.line}</code> <code>${
    first.text.trim().replace(/\s+/g, " ")
  }</code>${more}</small>`;
}

function accountRow(account: ReportAccount, { id }: AccountGroup, report: Report, prefix: string): Markup {
  const { title, bytes } = account;
  const totalBytes = report.ledger?.totalBytes as number;
  const holders = heldOf(account.id, report);
  const held = sumBytes(holders);
  const links = holders.map(({ finding: { cause }, number, bytes }) =>
    markup`<small class="holder"><a href="#${prefix}finding-${number}">${number}. ${cause}</a> holds ${
      formatBytes(bytes)
    }</small>`
  );
  const width = (part: number): string => percent(Math.max(0, part), totalBytes);
  return markup`<tr><th scope="row"><span class="swatch ${id}"></span>${title}${sourceNote(account)}${links}</th>
<td class="number">${formatBytes(bytes)}</td><td class="number">${formatShare(bytes, totalBytes)}</td>
<td class="share" aria-hidden="true"><span class="held" style="width:${
    width(held)
  }"></span><span class="${id}" style="width:${width(bytes - held)}"></span></td></tr>
`;
}

/** The ledger; `prefix` keeps the names of several reports in one page apart. */
export function ledgerSection(report: Report, prefix: string): Markup {
  const { ledger } = report;
  if (ledger === null) {
    return markup`<p>The bundle has no <code>/proc/meminfo</code>: where the memory is cannot be told.</p>
`;
  }
  const groups = accountGroups(report);
  const rows = groups.map((group) =>
    group.accounts.filter(({ bytes }) => bytes !== 0).map((account) => accountRow(account, group, report, prefix))
  );
  const missing = ledger.missing.map((term) =>
    markup`<p>Not in this bundle, so still inside unaccounted: ${term}.</p>
`
  );
  return markup`${bars(groups, ledger.totalBytes)}<ul class="legend">
${groups.filter(({ bytes }) => bytes !== 0).map((group) => legendItem(group, ledger.totalBytes))}</ul>
<details open><summary>All accounts</summary>
<div class="scroll" role="region" aria-label="All accounts" tabindex="0"><table class="accounts">
<thead><tr><th scope="col">Account</th><th scope="col" class="number">Bytes</th><th scope="col" class="number">Share</th><td class="share"></td></tr></thead>
<tbody>
${rows}</tbody>
<tfoot><tr><th scope="row">MemTotal</th><td class="number">${
    formatBytes(ledger.totalBytes)
  }</td><td class="number">100.0 %</td><td class="share"></td></tr></tfoot>
</table></div></details>
${missing}`;
}
