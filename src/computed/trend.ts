import type { Exhaustion } from "../core/report.ts";

/** One measurement of a series. */
export interface Measurement {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly bytes: number;
}

/** A robust straight line through a series. */
export interface Trend {
  readonly bytesPerSecond: number;
  /** The 95 % confidence interval of the slope; for fewer than nine points it is the range of all the slopes between two of them. */
  readonly low: number;
  readonly high: number;
  readonly points: number;
  readonly spanSeconds: number;
  /** Last minus first. */
  readonly changeBytes: number;
}

/** Fewer points than these have no trend: two make a line through any noise. */
export const MIN_TREND_POINTS = 3;
/** n points have n²/2 slopes: beyond this many the series is thinned out, which leaves the median slope as good as unchanged. */
const MAX_POINTS = 128;
/** From as many points on the interval is one of confidence, and two of them can be compared. */
const MIN_COMPARED_POINTS = 9;
/** By how much more of the past is looked at, as long as it tells the same. */
const LOOK_BACK = 1.5;
/** A rate that changed by less went on. */
const SAME_RATE = 1.25;
/** What starts up grows ever more slowly; a leak under a steady load goes on at its rate, within a factor of a few. */
export const MAX_RATE_SPREAD = 3;
/** Fewer earlier stretches do not tell what is usual. */
const MIN_STRETCHES = 3;
/** A stretch of what was watched is a third of it: its beginning, its middle and its end. */
const STRETCHES = 3;
/** So many points of a stretch lie below its floor. */
const FLOOR_SHARE = 0.1;
/** The normal distribution's 97.5 % quantile. */
const Z_95 = 1.959964;

/**
 * Theil-Sen regression: the median of the slopes between all pairs of points, with Sen's (1968) confidence interval. A third of the
 * points may be outliers without effect, so a burst while one snapshot is taken is no trend.
 *
 * A library does the median (ml-regression-theil-sen), none that was found gives the interval, which is what a forecast needs.
 *
 * @example
 * ```ts
 * import { theilSen } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const series = [0, 1, 2, 3].map((second) => ({ time: second * 1000, bytes: second * 4096 }));
 * equal(theilSen(series)?.bytesPerSecond, 4096);
 * equal(theilSen(series.slice(2)), undefined); // Two points make a line through any noise.
 * ```
 *
 * @param series In time order.
 * @returns Undefined for fewer than {@linkcode MIN_TREND_POINTS} points of different times.
 */
export function theilSen(series: readonly Measurement[]): Trend | undefined {
  const points = thin(series);
  const slopes = slopesOf(points);
  const first = series[0];
  const last = series.at(-1);
  if (
    points.length < MIN_TREND_POINTS || slopes.length < MIN_TREND_POINTS || first === undefined || last === undefined
  ) {
    return undefined;
  }
  const n = points.length;
  const spread = Z_95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const at = (index: number): number => nth(slopes, Math.min(slopes.length - 1, Math.max(0, index)));
  const middle = slopes.length / 2;
  return {
    bytesPerSecond: (at(Math.ceil(middle) - 1) + at(Math.floor(middle))) / 2,
    low: at(Math.floor((slopes.length - spread) / 2)),
    high: at(Math.ceil((slopes.length + spread) / 2)),
    points: series.length,
    spanSeconds: (last.time - first.time) / 1000,
    changeBytes: last.bytes - first.bytes,
  };
}

/** The slopes between all pairs of points of different times. */
function slopesOf(points: readonly Measurement[]): Float64Array {
  const times = Float64Array.from(points, ({ time }) => time);
  const bytes = Float64Array.from(points, (point) => point.bytes);
  const found = new Float64Array((points.length * (points.length - 1)) / 2);
  let count = 0;
  for (let i = 0; i < times.length; i++) {
    const [time, level] = [times[i] as number, bytes[i] as number];
    for (let j = i + 1; j < times.length; j++) {
      const later = times[j] as number;
      if (later > time) found[count++] = (((bytes[j] as number) - level) * 1000) / (later - time);
    }
  }
  return found.subarray(0, count);
}

/** The number that would stand at an index if the values were sorted (Hoare's selection): four of thousands are sooner found than all are sorted. */
function nth(values: Float64Array, index: number): number {
  let from = 0;
  let to = values.length - 1;
  while (from < to) {
    const pivot = values[(from + to) >> 1] as number;
    let low = from;
    let high = to;
    while (low <= high) {
      while ((values[low] as number) < pivot) low++;
      while ((values[high] as number) > pivot) high--;
      if (low > high) break;
      const value = values[low] as number;
      values[low++] = values[high] as number;
      values[high--] = value;
    }
    if (index <= high) to = high;
    else if (index >= low) from = low;
    else break;
  }
  return values[index] as number;
}

function sameRate(recent: Trend, whole: Trend): boolean {
  if (recent.low <= whole.high && whole.low <= recent.high) return true;
  const ratio = recent.bytesPerSecond / whole.bytesPerSecond;
  return ratio >= 1 / SAME_RATE && ratio <= SAME_RATE;
}

/** Whether growth goes beyond all that was there before it: a heap that is swept, or the load of every morning, only comes back to it. */
function isNewHigh(before: readonly Measurement[], part: readonly Measurement[], { changeBytes }: Trend): boolean {
  const level = (part.at(-1) as Measurement).bytes - changeBytes / 2;
  return before.every(({ bytes }) => bytes < level);
}

/** Whether stretches of this length were as flat and as steep before, now and then: a day's rise and fall. */
function isUsual(before: readonly Measurement[], length: number, { bytesPerSecond }: Trend): boolean {
  if (before.length < MIN_STRETCHES * length) return false;
  const alike = Math.abs(bytesPerSecond) * (1 - 1 / SAME_RATE);
  let [flatter, steeper] = [false, false];
  // They overlap: a day begins anywhere. Of many short ones some are enough.
  const step = Math.ceil(Math.max(length / STRETCHES, before.length / MAX_POINTS));
  for (let end = before.length; end >= length && !(flatter && steeper); end -= step) {
    const rate = rateOf(before.slice(end - length, end));
    flatter ||= rate - alike <= bytesPerSecond;
    steeper ||= rate + alike >= bytesPerSecond;
  }
  return flatter && steeper;
}

function secondsOf(points: readonly Measurement[]): number {
  return ((points.at(-1)?.time ?? 0) - (points[0]?.time ?? 0)) / 1000;
}

function rateOf(points: readonly Measurement[]): number {
  const [first, last] = [points[0] as Measurement, points.at(-1) as Measurement];
  return theilSen(points)?.bytesPerSecond ?? ((last.bytes - first.bytes) * 1000) / (last.time - first.time);
}

type Stretch = readonly Measurement[];

/** Equal parts of the time; neighbours share a point. */
function stretchesOf(part: readonly Measurement[]): Stretch[] {
  const [first, last] = [part[0] as Measurement, part.at(-1) as Measurement];
  const borders = Array.from({ length: STRETCHES + 1 }, (_, i) => {
    const time = first.time + ((last.time - first.time) * i) / STRETCHES;
    return part.findIndex((point) => point.time >= time);
  });
  return borders.slice(1).map((to, i) => part.slice(borders[i], to + 1));
}

/** Whether the newest of some stretches is slower than the oldest by more than a factor, and than noise explains. */
function slows(oldest: readonly Measurement[], newest: readonly Measurement[], factor: number): boolean {
  if (factor * rateOf(newest) >= rateOf(oldest)) return false;
  const [before, now] = [theilSen(oldest), theilSen(newest)];
  return before === undefined || now === undefined || now.points < MIN_COMPARED_POINTS || now.high < before.low;
}

/** What a heap that is swept, or the load of a day, falls back to: an outlier is lower. */
function floorOf(points: readonly Measurement[]): number {
  return nth(Float64Array.from(points, ({ bytes }) => bytes), Math.floor(FLOOR_SHARE * points.length));
}

/**
 * Whether nothing says that growth, which a trend is sure of, ends: what starts up, a cache or a heap that fills grow ever more slowly; what is swept, or a day's
 * load, falls back to where it was.
 */
function goesOn(before: readonly Measurement[], part: readonly Measurement[], trend: Trend): boolean {
  const [oldest, middle, newest] = stretchesOf(part) as [Stretch, Stretch, Stretch];
  const earlier = before.slice(-part.length);
  if (secondsOf(earlier) > 0 && slows(earlier, newest, MAX_RATE_SPREAD) && slows(middle, newest, SAME_RATE)) {
    return false;
  }
  const seconds = trend.spanSeconds * (1 - 1 / STRETCHES);
  return MAX_RATE_SPREAD * (floorOf(newest) - floorOf(oldest)) >= trend.bytesPerSecond * seconds;
}

/**
 * The line through the longest recent part of a series in which it went on at one rate: days of rest before a leak began, or a start-up long
 * ago, tell nothing of what comes. A short series is taken as a whole, and so is one that grows but was as high before, or does what it did now and
 * then before. Growth that comes to its end (a step, a cache that fills) has an interval that reaches zero.
 *
 * @example
 * ```ts
 * import { recentTrend } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * // At rest for a hundred seconds, then a leak.
 * const bytesAt = (second: number) => Math.max(0, second - 100) * 4096;
 * const series = Array.from({ length: 200 }, (_, second) => ({ time: second * 1000, bytes: bytesAt(second) }));
 * equal(recentTrend(series)?.bytesPerSecond, 4096);
 * ```
 *
 * @param series In time order.
 * @returns As {@linkcode theilSen}, of that part.
 */
export function recentTrend(series: readonly Measurement[]): Trend | undefined {
  if (series.length < 2 * MIN_COMPARED_POINTS) return theilSen(series);
  const { part, trend } = atOneRate(series) ?? { part: series, trend: theilSen(series) };
  if (trend === undefined || trend.low <= 0) return trend;
  return goesOn(series.slice(0, -part.length), part, trend) ? trend : { ...trend, low: 0 };
}

interface RecentPart {
  readonly part: readonly Measurement[];
  readonly trend: Trend;
}

/** The longest recent part in which it went on at one rate; undefined where it does what it did before. */
function atOneRate(series: readonly Measurement[]): RecentPart | undefined {
  let part = series.slice(-MIN_COMPARED_POINTS);
  let trend = theilSen(part);
  while (trend !== undefined && part.length < series.length) {
    const longer = series.slice(-Math.ceil(part.length * LOOK_BACK));
    const whole = theilSen(longer);
    if (whole === undefined || !sameRate(trend, whole)) break;
    part = longer;
    trend = whole;
  }
  if (trend === undefined) return undefined;
  const before = series.slice(0, -part.length);
  const isNew = (trend.low <= 0 || isNewHigh(before, part, trend)) && !isUsual(before, part.length, trend);
  return isNew ? { part, trend } : undefined;
}

/** One point in each of equal times: of a history that is dense at its end the noise of seconds would be most of the slopes. */
function thin(series: readonly Measurement[]): readonly Measurement[] {
  const [start, end] = [series[0]?.time ?? 0, series.at(-1)?.time ?? 0];
  if (start === end) return series;
  const slotOf = ({ time }: Measurement): number => Math.round(((time - start) * (MAX_POINTS - 1)) / (end - start));
  return series.filter((point, i) => {
    const next = series[i + 1];
    return next === undefined || slotOf(next) > slotOf(point);
  });
}

/** A date further away than this is no forecast. */
const MAX_FORECAST_SECONDS = 10 * 365 * 86_400;

/**
 * When the available memory is used up if growth goes on at the rate of the interval.
 *
 * @example
 * ```ts
 * import { exhaustion } from "nailhouse";
 * import { deepEqual } from "node:assert";
 *
 * const trend = { bytesPerSecond: 1000, low: 500, high: 2000, points: 9, spanSeconds: 8, changeBytes: 8000 };
 * deepEqual(exhaustion(trend, 60_000, Date.UTC(2026, 0, 1)), {
 *   atLow: "2026-01-01T00:00:30.000Z",
 *   atHigh: "2026-01-01T00:02:00.000Z",
 * });
 * ```
 *
 * @param trend Of what grows; its whole interval must be above zero, otherwise there is no end in sight.
 * @param availableBytes MemAvailable at `from`.
 * @param from Milliseconds since 1970.
 */
export function exhaustion(trend: Trend, availableBytes: number, from: number): Exhaustion | null {
  if (trend.low <= 0 || availableBytes < 0) return null;
  const at = (bytesPerSecond: number): string | null => {
    const seconds = availableBytes / bytesPerSecond;
    return seconds > MAX_FORECAST_SECONDS ? null : new Date(from + seconds * 1000).toISOString();
  };
  const atLow = at(trend.high);
  return atLow === null ? null : { atLow, atHigh: at(trend.low) };
}
