/** Where all of MemTotal is, for a terminal: a bar, what is in use of it magnified, and a table. */
import { getBorderCharacters, table } from "table";
import { formatBytes, formatQuantity, formatShare } from "../core/format.ts";
import type { Report, ReportAccount } from "../core/report.ts";
import { sum, sumBytes, sumOf } from "../core/sums.ts";
import { type AccountGroup, accountGroups, heldOf, usedGroups, usedTitle } from "./_accounts.ts";
import { printable, wrap, wrapItems } from "./_printable.ts";
import { GROUP_LETTERS, HELD_LETTER, type Style } from "./_text_style.ts";

/** Accounts below this share are folded into one line: they decide nothing. */
const SMALL_SHARE = 0.002;
/** What is in use is magnified when it is less than this of the whole. */
const MAGNIFIED_SHARE = 0.6;
const MAX_BAR_WIDTH = 100;
const INDENT = "  ";
const PADDING = 2;

interface Part {
  readonly letter: string;
  readonly bytes: number;
  readonly paint: (text: string) => string;
}

function partsOf(groups: readonly AccountGroup[], style: Style): readonly Part[] {
  return groups.flatMap(({ id, bytes, heldBytes }) => [
    { letter: HELD_LETTER, bytes: heldBytes, paint: style.alarm },
    {
      letter: GROUP_LETTERS[id],
      bytes: Math.max(0, bytes - heldBytes),
      paint: (text: string) => style.group(id, text),
    },
  ]).filter(({ bytes }) => bytes > 0);
}

/** Letters in proportion: what is there has one at least, as long as there is room. */
function bar(parts: readonly Part[], width: number): string {
  const whole = sumBytes(parts);
  const wanted = parts.map(({ bytes }) => Math.max(1, Math.round(width * bytes / whole)));
  const widest = wanted.indexOf(Math.max(...wanted));
  const excess = sum(wanted) - width;
  return `[${
    parts.map(({ letter, paint }, i) =>
      paint(letter.repeat(Math.max(1, (wanted[i] as number) - (i === widest ? excess : 0))))
    ).join("")
  }]`;
}

function legend(groups: readonly AccountGroup[], width: number): string {
  const held = sumOf(groups, (each) => each.heldBytes);
  const others = groups.filter(({ bytes }) => bytes > 0).map(({ id, title, bytes, heldBytes }) =>
    `${GROUP_LETTERS[id]} ${title}${heldBytes > 0 ? ", other" : ""} ${formatBytes(Math.max(0, bytes - heldBytes))}`
  );
  return wrapItems(
    [...(held > 0 ? [`${HELD_LETTER} held by findings ${formatBytes(held)}`] : []), ...others],
    width,
    "  ",
  );
}

function bars(report: Report, style: Style): string[] {
  const groups = accountGroups(report);
  const width = Math.min(style.width - 4, MAX_BAR_WIDTH);
  const all = partsOf(groups, style);
  const used = partsOf(usedGroups(groups), style);
  const bytesOf = (parts: readonly Part[]): number => sumBytes(parts);
  const lines = [`  ${bar(all, width)}`];
  if (used.length > 0 && bytesOf(used) < MAGNIFIED_SHARE * bytesOf(all)) {
    lines.push(`  of it ${formatBytes(bytesOf(used))} ${usedTitle(groups)}:`, `  ${bar(used, width)}`);
  }
  return [...lines, legend(groups, style.width), ""];
}

/** The folder of a snapshot, which all sources of a ledger share but where it is the bundle's first one. */
const SNAPSHOT = /^history\/[^/]+\//;

/** The snapshot that the ledger is of, if it is not the bundle's first one. */
function snapshotOf(accounts: readonly ReportAccount[]): string | undefined {
  const folders = new Set(accounts.flatMap(({ sources }) => sources.map(({ path }) => SNAPSHOT.exec(path)?.[0])));
  return folders.size === 1 ? [...folders][0] : undefined;
}

/** Who holds what of the account, else where its amount stands: in the snapshot, whose folder is told once. */
function note(account: ReportAccount, report: Report, snapshot: string | undefined): string {
  const holders = heldOf(account.id, report).map(({ finding, number }) => `#${number} ${finding.cause}`);
  const [source] = account.sources;
  if (holders.length > 0) return holders.join(", ");
  if (source === undefined) return "";
  // The library refuses control characters.
  return printable(`${snapshot === undefined ? source.path : source.path.slice(snapshot.length)}:${source.line}`);
}

/** The accounts as a table, the largest first. */
export function ledgerLines(report: Report, style: Style): string[] {
  const { ledger } = report;
  if (ledger === null) return [];
  const sorted = [...ledger.accounts].sort((a, b) => b.bytes - a.bytes);
  const isShown = (a: ReportAccount): boolean =>
    style.all || a.id === "unaccounted" || Math.abs(a.bytes) >= SMALL_SHARE * ledger.totalBytes ||
    heldOf(a.id, report).length > 0;
  const folded = sorted.filter((a) => !isShown(a));
  const snapshot = snapshotOf(ledger.accounts);
  const row = (title: string, bytes: number, text: string): string[] => [
    title,
    formatBytes(bytes),
    formatShare(bytes, ledger.totalBytes),
    text,
  ];
  const rows = sorted.filter(isShown).map((account) =>
    row(printable(account.title), account.bytes, note(account, report, snapshot))
  );
  if (folded.length > 0) {
    rows.push(row(formatQuantity(folded.length, "smaller account"), sumBytes(folded), ""));
  }
  rows.push(row("MemTotal", ledger.totalBytes, ""));
  const widthOf = (column: number): number => Math.max(...rows.map((cells) => (cells[column] as string).length));
  const others = [0, 1, 2].reduce((sum, column) => sum + widthOf(column) + PADDING, INDENT.length + PADDING);
  const text = table(rows, {
    border: getBorderCharacters("void"),
    columnDefault: { paddingLeft: 0, paddingRight: PADDING },
    columns: [{}, { alignment: "right" }, { alignment: "right" }, {
      width: Math.max(20, style.width - others),
      wrapWord: true,
    }],
    drawHorizontalLine: () => false,
  });
  const missing = ledger.missing.map((term) => `not in this bundle, so still inside unaccounted: ${printable(term)}`);
  return [
    ...bars(report, style),
    ...text.trimEnd().split("\n").map((line) => `${INDENT}${line.trimEnd()}`),
    ...(snapshot === undefined ? [] : [wrap(`paths are within ${printable(snapshot)}`, style.width, INDENT)]),
    ...missing.map((line) => wrap(line, style.width, "  ")),
  ];
}
