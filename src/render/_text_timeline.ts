/** Memory over time, for a terminal: small plots of what is left and of what moved most. */
import { getBorderCharacters, table } from "table";
import { formatBytes } from "../core/format.ts";
import type { Report } from "../core/report.ts";
import { bytesAxis } from "./_axis.ts";
import { duration, instant } from "../core/duration.ts";
import {
  availableSeries,
  grownBytes,
  MIN_MOVED_BYTES,
  movedBytes,
  movedSeries,
  type Series,
  type SeriesPoint,
  thinned,
} from "./_history.ts";
import { printable } from "./_printable.ts";
import { isAccusation, spanSeconds } from "./_summary.ts";
import type { Style } from "./_text_style.ts";

/** Without `--all`. */
const PLOTS = 2;
const PLOT_ROWS = 4;
const MAX_PLOT_WIDTH = 80;
const TABLE_ROWS = 12;
const TABLE_ACCOUNTS = 3;
/** What is less than this share of MemTotal apart is drawn as a flat line. */
const LEAST_RANGE_SHARE = 0.002;
/** A character of Braille has two dots side by side and four above each other: their bits, by column, from above. */
const DOTS = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]] as const;
const BRAILLE = 0x2800;

/** The value at a time, between the points on a straight line. */
function valueAt(points: readonly SeriesPoint[], time: number): number {
  const after = points.findIndex((point) => point.time >= time);
  const right = points[after] ?? points.at(-1) as SeriesPoint;
  const left = points[after - 1] ?? right;
  return right.time === left.time
    ? right.bytes
    : left.bytes + (right.bytes - left.bytes) * (time - left.time) / (right.time - left.time);
}

/** A line through heights (dots from above), one for each column of dots, as rows of Braille. */
function lineRows(heights: readonly number[]): string[] {
  const cells = Array.from({ length: PLOT_ROWS }, () => new Uint8Array(Math.ceil(heights.length / 2)));
  heights.forEach((y, x) => {
    const before = heights[x - 1] ?? y;
    // Steep parts are joined.
    for (let at = Math.min(y, before); at <= Math.max(y, before); at++) {
      const row = cells[Math.floor(at / 4)] as Uint8Array;
      row[x >> 1] = (row[x >> 1] as number) | DOTS[(x % 2) as 0 | 1][(at % 4) as 0 | 1 | 2 | 3];
    }
  });
  return cells.map((row) =>
    Array.from(row, (dots) => dots === 0 ? " " : String.fromCodePoint(BRAILLE + dots)).join("")
  );
}

/** A line with its scale on the left and its times below. */
function plot(points: readonly SeriesPoint[], totalBytes: number, style: Style): string[] {
  const axis = bytesAxis(points.map(({ bytes }) => bytes), 4, totalBytes * LEAST_RANGE_SHARE);
  const labels = [axis.ticks.at(-1)?.label ?? "", axis.ticks[0]?.label ?? ""] as const;
  const margin = Math.max(...labels.map((label) => label.length));
  const columns = Math.min(style.width - margin - 6, MAX_PLOT_WIDTH);
  const [from, to] = [(points[0] as SeriesPoint).time, (points.at(-1) as SeriesPoint).time];
  const heights = Array.from({ length: columns * 2 }, (_, i) => {
    const bytes = valueAt(points, from + (to - from) * i / (columns * 2 - 1));
    return Math.round((axis.to - bytes) / (axis.to - axis.from) * (PLOT_ROWS * 4 - 1));
  });
  const rows = lineRows(heights).map((line, row) => {
    const label = row === 0 ? labels[0] : row === PLOT_ROWS - 1 ? labels[1] : "";
    return `  ${label.padStart(margin)} |${line.trimEnd()}`;
  });
  const [start, end] = [from, to].map((time) => instant(new Date(time).toISOString())) as [string, string];
  const times = start.length + end.length + 2 > columns ? start : start + end.padStart(columns - start.length);
  return [...rows, `  ${"".padStart(margin)} +${"-".repeat(columns)}`, `  ${"".padStart(margin)}  ${times}`];
}

function change(points: readonly SeriesPoint[]): string {
  const [first, last] = [points[0] as SeriesPoint, points.at(-1) as SeriesPoint];
  const moved = grownBytes(points);
  return `${formatBytes(first.bytes)} to ${formatBytes(last.bytes)} (${moved < 0 ? "" : "+"}${formatBytes(moved)})`;
}

/** Available memory and the accounts that moved most, at a few times. */
function figures({ timeline }: Report, moved: readonly Series[]): string[] {
  const shown = moved.slice(0, TABLE_ACCOUNTS);
  const cell = (bytes: number | null | undefined): string => (typeof bytes === "number" ? formatBytes(bytes) : "-");
  const text = table([
    ["", "available", ...shown.map(({ id }) => id)],
    ...thinned(timeline, TABLE_ROWS).map(({ at, availableBytes, accounts }) => [
      instant(at),
      cell(availableBytes),
      ...shown.map(({ id }) => cell(accounts[id])),
    ]),
  ], {
    border: getBorderCharacters("void"),
    columnDefault: { paddingLeft: 0, paddingRight: 2, alignment: "right" },
    drawHorizontalLine: () => false,
  });
  return text.trimEnd().split("\n").map((line) => `  ${line.trimEnd()}`);
}

/** What moved, as plots; with `--all` more of them, and figures. Nothing where there is one look only, or nothing moved. */
export function timelineLines(report: Report, style: Style): string[] {
  const seconds = spanSeconds(report);
  if (seconds === undefined) return [];
  const moved = movedSeries(report);
  const available = availableSeries(report);
  if (moved.length === 0 && movedBytes(available) < MIN_MOVED_BYTES) {
    return [`  no account moved by ${formatBytes(MIN_MOVED_BYTES)} or more in ${duration(seconds)}`];
  }
  const accused = new Set(report.findings.filter(isAccusation).flatMap(({ claims }) => claims.map((c) => c.account)));
  // What is accused first, if it moved.
  const accounts = [...moved].sort((a, b) => Number(accused.has(b.id)) - Number(accused.has(a.id)));
  const series = [...(available.length >= 2 ? [{ title: "available", points: available }] : []), ...accounts];
  const shown = style.all ? series : series.slice(0, PLOTS);
  return [
    ...shown.flatMap(({ title, points }) => [
      `  ${style.strong(printable(title))}: ${change(points)}`,
      ...plot(points, report.host.totalBytes ?? 0, style),
    ]),
    ...series.slice(shown.length).map(({ title, points }) => `  ${style.strong(printable(title))}: ${change(points)}`),
    ...(style.all ? figures(report, moved) : []),
  ];
}
