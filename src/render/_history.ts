/** The report's timeline as one series an account. */
import { append } from "../core/group_by.ts";
import type { AccountId } from "../core/ledger.ts";
import type { Report } from "../core/report.ts";
import { GROUP_OF } from "./_groups.ts";

export interface SeriesPoint {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly bytes: number;
}

/** One account over time, where it is known. */
export interface Series {
  readonly id: AccountId;
  readonly title: string;
  readonly points: readonly SeriesPoint[];
  /** The largest minus the smallest. */
  readonly movedBytes: number;
}

/** The largest minus the smallest; of none -Infinity. */
export function movedBytes(points: readonly SeriesPoint[]): number {
  const bytes = points.map((point) => point.bytes);
  return Math.max(...bytes) - Math.min(...bytes);
}

/** From its first point to its last one. */
export function grownBytes(points: readonly SeriesPoint[]): number {
  return (points.at(-1) as SeriesPoint).bytes - (points[0] as SeriesPoint).bytes;
}

/** The available memory over time, where it is known. */
export function availableSeries({ timeline }: Report): readonly SeriesPoint[] {
  return timeline.flatMap(({ at, availableBytes }) =>
    availableBytes === null ? [] : [{ time: Date.parse(at), bytes: availableBytes }]
  );
}

/** Every account that is known at two times at least, what moved most first. */
export function accountSeries({ timeline, ledger }: Report): readonly Series[] {
  const titles = new Map<string, string>(ledger?.accounts.map(({ id, title }) => [id, title]));
  const byId = new Map<string, SeriesPoint[]>();
  for (const { at, accounts } of timeline) {
    for (const [id, bytes] of Object.entries(accounts)) {
      append(byId, id, { time: Date.parse(at), bytes });
    }
  }
  return [...byId]
    .filter(([, points]) => points.length >= 2)
    .map(([id, points]) => ({
      id: id as AccountId,
      title: titles.get(id) ?? id,
      points,
      movedBytes: movedBytes(points),
    }))
    .sort((a, b) => b.movedBytes - a.movedBytes || (a.id < b.id ? -1 : 1));
}

/** An account that moved by less tells nothing. */
export const MIN_MOVED_BYTES: number = 16 * 2 ** 20;

/** What moved. Of free memory, also that on per-CPU lists, the available tells. */
export function movedSeries(report: Report): readonly Series[] {
  return accountSeries(report).filter(({ id, movedBytes }) => GROUP_OF[id] !== "free" && movedBytes >= MIN_MOVED_BYTES);
}

/** At most so many, evenly, with the first and the last. */
export function thinned<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))] as T);
}
