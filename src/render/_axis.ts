/** Axes: round amounts of memory and round times, in UTC. */
export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** Where an axis begins and ends, and its marks. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly Tick[];
}

const STEPS = [1, 2, 5, 10];

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A round step, of which about `count` fit into `range`. */
function roundStep(range: number, count: number): number {
  const power = 10 ** Math.floor(Math.log10(range / count));
  return (STEPS.find((each) => each * power * count >= range * (1 - 1e-9)) ?? 10) * power;
}

/**
 * An axis of bytes that holds all the values, in the unit of the largest. It begins at zero unless the values lie close together far above it: a
 * line, unlike a bar, may.
 *
 * @param leastRange What is less than this apart is shown as a flat line, so that noise does not look like growth.
 */
export function bytesAxis(values: readonly number[], count: number, leastRange: number): Axis {
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const spread = Math.max(high - low, leastRange, 1);
  const start = low >= 0 && low < 2 * spread ? 0 : Math.min(low, (low + high - spread) / 2);
  const end = Math.max(high, start + spread);
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(end, -start, 1)) / 10));
  const unit = 1024 ** power;
  const step = roundStep((end - start) / unit, count);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks: Tick[] = [];
  const [first, last] = [Math.floor(start / unit / step + 1e-9), Math.ceil(end / unit / step - 1e-9)];
  for (let i = first; i <= last; i++) {
    ticks.push({ value: i * step * unit, label: i === 0 ? "0" : `${(i * step).toFixed(digits)} ${UNITS[power]}` });
  }
  return { from: first * step * unit, to: last * step * unit, ticks };
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIME_STEPS = [
  ...[1, 2, 5, 10, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((n) => n * DAY),
];

/** "07:21:36", "07:21" or "11-23", as fine as the step. */
function timeLabel(time: number, step: number): string {
  const iso = new Date(time).toISOString();
  if (step >= DAY) return step >= 100 * DAY ? iso.slice(0, 7) : iso.slice(5, 10);
  return step < MINUTE ? iso.slice(11, 19) : iso.slice(11, 16);
}

/** An axis of time from exactly `from` to `to` (milliseconds since 1970) with at most `count` marks; dates are told where days change. */
export function timeAxis(from: number, to: number, count: number): Axis {
  const step = TIME_STEPS.find((each) => (to - from) / each <= count) ?? TIME_STEPS.at(-1) as number;
  const ticks: Tick[] = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
    const midnight = step < DAY && step >= HOUR && time % DAY === 0;
    ticks.push({ value: time, label: timeLabel(time, midnight ? DAY : step) });
  }
  return { from, to, ticks };
}
