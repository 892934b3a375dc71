/** Lines over time as SVG, without a library: at most a dozen small charts of one kind, drawn at the size they are read at. */
import { formatBytes } from "../core/format.ts";
import type { Exhaustion, Report, TimelinePoint } from "../core/report.ts";
import { type Axis, bytesAxis, timeAxis } from "./_axis.ts";
import { duration, instant } from "../core/duration.ts";
import { availableSeries, MIN_MOVED_BYTES, movedSeries, type Series, type SeriesPoint, thinned } from "./_history.ts";
import { type Content, type Markup, markup } from "./_html.ts";
import { isAccusation, spanSeconds } from "./_summary.ts";

const WIDTH = 360;
const HEIGHT = 168;
const PLOT = { left: 66, right: WIDTH - 12, top: 8, bottom: HEIGHT - 24 };
const BYTE_TICKS = 4;
const TIME_TICKS = 4;
/** What is less than this share of MemTotal apart is drawn as a flat line. */
const LEAST_RANGE_SHARE = 0.002;
/** More dots than this are a line already. */
const MAX_DOTS = 30;
const CHARTS_OPEN = 6;
/** A forecast is drawn this many times as far as its near end, at most: what is beyond is not in sight. */
const FORECAST_REACH = 3;
const TABLE_ROWS = 12;
/** Half the width of a label of the time axis. */
const LABEL_HALF = 26;

interface Scale {
  readonly x: (time: number) => number;
  readonly y: (bytes: number) => number;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function scale(times: Axis, bytes: Axis): Scale {
  const along = (axis: Axis, value: number): number =>
    axis.to === axis.from ? 0.5 : (value - axis.from) / (axis.to - axis.from);
  return {
    x: (time) => PLOT.left + along(times, time) * (PLOT.right - PLOT.left),
    y: (value) => PLOT.bottom - along(bytes, value) * (PLOT.bottom - PLOT.top),
  };
}

/** A label that is centred near the edge would be cut off. */
function anchor(x: number): string {
  return x > WIDTH - LABEL_HALF ? "end" : x < PLOT.left + LABEL_HALF / 2 ? "start" : "middle";
}

function axes(times: Axis, bytes: Axis, { x, y }: Scale): Content {
  const { left, right, bottom } = PLOT;
  return [
    bytes.ticks.map(({ value, label }) => {
      const at = round(y(value));
      return markup`<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/><text x="${left - 6}" y="${
        round(y(value) + 4)
      }" text-anchor="end">${label}</text>`;
    }),
    times.ticks.map(({ value, label }) => {
      const at = round(x(value));
      return markup`<line class="mark" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/><text x="${at}" y="${
        HEIGHT - 6
      }" text-anchor="${anchor(x(value))}">${label}</text>`;
    }),
  ];
}

function line(points: readonly SeriesPoint[], { x, y }: Scale): Content {
  const path = points.map(({ time, bytes }) => `${round(x(time))},${round(y(bytes))}`).join(" ");
  const dots = points.length <= MAX_DOTS ? points : points.slice(-1);
  return [
    markup`<polyline class="line" points="${path}"/>`,
    dots.map(({ time, bytes }) =>
      markup`<circle class="dot" cx="${round(x(time))}" cy="${round(y(bytes))}" r="2.5"><title>${
        instant(new Date(time).toISOString())
      }: ${formatBytes(bytes)}</title></circle>`
    ),
  ];
}

function figure(title: string, caption: string, drawing: Content): Markup {
  return markup`<figure><figcaption><strong>${title}</strong> <span>${caption}</span></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}: ${caption}">${drawing}</svg></figure>
`;
}

function change(points: readonly SeriesPoint[]): string {
  const [first, last] = [points[0] as SeriesPoint, points.at(-1) as SeriesPoint];
  const moved = last.bytes - first.bytes;
  return `${formatBytes(first.bytes)} → ${formatBytes(last.bytes)} (${moved < 0 ? "−" : "+"}${
    formatBytes(Math.abs(moved))
  })`;
}

function seriesChart(title: string, points: readonly SeriesPoint[], totalBytes: number, times: Axis): Markup {
  const bytes = bytesAxis(points.map((point) => point.bytes), BYTE_TICKS, totalBytes * LEAST_RANGE_SHARE);
  const at = scale(times, bytes);
  return figure(title, change(points), [axes(times, bytes, at), line(points, at)]);
}

/** When memory is used up, as the first accusation that grows until then has it. */
function forecastOf({ findings }: Report): Exhaustion | undefined {
  const untilThen = findings.find((finding) =>
    isAccusation(finding) && finding.exhaustion !== null && finding.exhaustion.limit === undefined
  );
  return untilThen?.exhaustion ?? undefined;
}

function forecastText({ atLow, atHigh }: Exhaustion, from: number): string {
  const left = (at: string): string => duration((Date.parse(at) - from) / 1000);
  return atHigh === null
    ? `used up ${left(atLow)} after the last look, or later (${instant(atLow)})`
    : `used up ${left(atLow)} to ${left(atHigh)} after the last look (${instant(atLow)} to ${instant(atHigh)})`;
}

/** Available memory, and the wedge between the earliest and the latest time at which it is used up. */
function forecastChart(points: readonly SeriesPoint[], forecast: Exhaustion, totalBytes: number): Markup {
  const [first, last] = [points[0] as SeriesPoint, points.at(-1) as SeriesPoint];
  const low = Date.parse(forecast.atLow);
  const high = forecast.atHigh === null ? Infinity : Date.parse(forecast.atHigh);
  const end = Math.min(high, last.time + (low - last.time) * FORECAST_REACH);
  const times = timeAxis(first.time, end, TIME_TICKS);
  const bytes = bytesAxis([0, ...points.map((point) => point.bytes)], BYTE_TICKS, totalBytes * LEAST_RANGE_SHARE);
  const at = scale(times, bytes);
  const point = (time: number, value: number): string => `${round(at.x(time))},${round(at.y(value))}`;
  const leftAtEnd = last.bytes * Math.max(0, 1 - (end - last.time) / (high - last.time));
  const start = point(last.time, last.bytes);
  const far = point(end, leftAtEnd);
  const near = point(low, 0);
  const wedge = leftAtEnd > 0 ? `${start} ${far} ${point(end, 0)} ${near}` : `${start} ${far} ${near}`;
  return figure("available, and when it runs out", forecastText(forecast, last.time), [
    axes(times, bytes, at),
    markup`<polygon class="wedge" points="${wedge}"/><polyline class="forecast" points="${start} ${near}"/><polyline class="forecast" points="${start} ${far}"/>`,
    line(points, at),
  ]);
}

/** The same in figures: for whoever cannot see the charts, or wants to copy. */
function historyTable({ timeline }: Report, shown: readonly Series[]): Markup {
  const cell = (bytes: number | null | undefined): Markup =>
    markup`<td class="number">${typeof bytes === "number" ? formatBytes(bytes) : "not known"}</td>`;
  const row = ({ at, availableBytes, accounts }: TimelinePoint): Markup =>
    markup`<tr><th scope="row">${instant(at)}</th>${cell(availableBytes)}${
      shown.map(({ id }) => cell(accounts[id]))
    }</tr>
`;
  return markup`<details><summary>The same in figures</summary>
<div class="scroll" role="region" aria-label="Memory over time" tabindex="0"><table>
<thead><tr><th scope="col">Time (UTC)</th><th scope="col" class="number">available</th>${
    shown.map(({ title }) => markup`<th scope="col" class="number">${title}</th>`)
  }</tr></thead>
<tbody>
${thinned(timeline, TABLE_ROWS).map(row)}</tbody></table></div></details>
`;
}

/** Since when: available memory, its forecast, and the accounts that moved; undefined where there is one look only. */
export function timelineSection(report: Report): Markup | undefined {
  const seconds = spanSeconds(report);
  if (seconds === undefined) return undefined;
  const totalBytes = report.host.totalBytes ?? 0;
  const from = Date.parse(report.timeline[0]?.at as string);
  const times = timeAxis(from, from + seconds * 1000, TIME_TICKS);
  const available = availableSeries(report);
  const forecast = forecastOf(report);
  const moved = movedSeries(report);
  const charts = [
    ...(available.length >= 2 && forecast !== undefined ? [forecastChart(available, forecast, totalBytes)] : []),
    ...(available.length >= 2 ? [seriesChart("available", available, totalBytes, times)] : []),
    ...moved.map(({ title, points }) => seriesChart(title, points, totalBytes, times)),
  ];
  const least = formatBytes(MIN_MOVED_BYTES);
  const still = moved.length === 0
    ? `No account moved by ${least} or more.`
    : `Drawn is what moved by ${least} or more.`;
  const more = charts.length > CHARTS_OPEN && markup`<details><summary>${charts.length - CHARTS_OPEN} more</summary>
<div class="charts">
${charts.slice(CHARTS_OPEN)}</div></details>
`;
  return markup`<p>${report.timeline.length} looks over ${duration(seconds)}, times in UTC. ${still}</p>
<div class="charts">
${charts.slice(0, CHARTS_OPEN)}</div>
${more}${historyTable(report, moved)}`;
}
