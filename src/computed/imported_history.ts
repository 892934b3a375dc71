/** What other programs recorded of the host's memory before the capture, from whichever files there are, in one line of time. */
import type { EvidenceLine } from "../core/analyzer.ts";
import { formatBytes } from "../core/format.ts";
import type { Captured, Parsed, Reader, Source } from "../core/source.ts";
import { localDate, utcDate } from "../parsers/date.ts";
import { memoryHistory } from "../parsers/memory_history.ts";
import type { RecordedMemory, RecordedPoint } from "../parsers/mod.ts";
import { recentTrend, type Trend } from "./trend.ts";

/** The host's memory at one time. */
export interface ImportedPoint extends RecordedPoint {
  readonly path: string;
}

/** The points of all recorders. */
export interface ImportedHistory {
  /** In time order; no two of the same second. */
  readonly points: readonly ImportedPoint[];
  /** Those since the host was last started: only over these does growth mean anything. */
  readonly sinceBoot: readonly ImportedPoint[];
}

type File = Parsed<RecordedMemory>;

/** Time zones differ by whole quarters of an hour; `date` and `date -u` run a moment apart. */
const QUARTER_MS = 900_000;
const SECOND_MS = 1000;

/** What has to be added to the host's local time to get UTC; undefined when the bundle does not tell. */
function localToUtc(reader: Reader): number | undefined {
  const [local, utc] = [reader.read(localDate), reader.read(utcDate)];
  if (local.status !== "ok" || utc.status !== "ok") return undefined;
  return Math.round((utc.value.value - local.value.value) / QUARTER_MS) * QUARTER_MS;
}

function warn(reader: Reader, { path }: File, message: string): void {
  reader.parse(path, (_text, context) => context.warn(1, message));
}

function sameHost(a: string, b: string): boolean {
  return a.split(".")[0]?.toLowerCase() === b.split(".")[0]?.toLowerCase();
}

/** Files in local time become UTC where the bundle tells the time zone; where it does not, better ones are preferred. */
function inUtc(files: readonly File[], reader: Reader): File[] {
  const utc = files.filter(({ value }) => value.clock === "utc");
  const local = files.filter(({ value }) => value.clock === "local");
  const [first] = local;
  const offset = localToUtc(reader);
  if (first !== undefined && offset === undefined && utc.length > 0) {
    warn(reader, first, "its times are local, of an unknown time zone: not used, other history has UTC");
    return utc;
  }
  if (first !== undefined && offset === undefined) {
    warn(reader, first, "its times are local, and the bundle does not tell the time zone: taken for UTC");
  }
  const shift = <T extends { readonly time: number }>(each: T): T => ({ ...each, time: each.time + (offset ?? 0) });
  return [
    ...utc,
    ...local.map(({ path, value }) => ({
      path,
      value: { ...value, points: value.points.map(shift), restarts: value.restarts.map(shift) },
    })),
  ];
}

function merge(files: readonly File[]): ImportedHistory {
  const bySecond = new Map<number, ImportedPoint>();
  let boot = -Infinity;
  for (const { path, value } of files) {
    for (const point of value.points) {
      const second = Math.floor(point.time / SECOND_MS);
      if (!bySecond.has(second)) bySecond.set(second, { ...point, path });
    }
    for (const { time } of value.restarts) boot = Math.max(boot, time);
  }
  const points = [...bySecond.values()].sort((a, b) => a.time - b.time);
  return { points, sinceBoot: points.filter(({ time }) => time >= boot) };
}

function read(reader: Reader): Captured<ImportedHistory> {
  const captured = reader.read(memoryHistory);
  if (captured.status !== "ok") return captured;
  const { hostname } = reader.facts;
  for (const file of captured.value) {
    const of = file.value.hostname;
    if (of !== undefined && hostname !== undefined && !sameHost(of, hostname)) {
      warn(reader, file, `recorded on ${JSON.stringify(of.slice(0, 64))}, and the bundle is of ${hostname}`);
    }
  }
  return { status: "ok", value: merge(inUtc(captured.value, reader)) };
}

/** Empty when the bundle has no history but its own snapshots. */
export const importedHistory: Source<ImportedHistory> = {
  name: "imported history",
  patterns: [...memoryHistory.patterns, ...localDate.patterns, ...utcDate.patterns],
  read,
};

/** Shorter than this is no history: start-ups and bursts pass within minutes. */
const MIN_SPAN_SECONDS = 600;
/** As little as this comes and goes on any host. */
const MIN_GROWTH_BYTES = 16 * 2 ** 20;

/** How one of the host's amounts grew since it was started. */
export interface LongGrowth {
  /** Its name in /proc/meminfo. */
  readonly field: string;
  readonly trend: Trend;
  readonly first: ImportedPoint;
  readonly last: ImportedPoint;
}

/**
 * The growth of one of the host's amounts over hours or days, which snapshots a few seconds apart cannot show. It says since when, never
 * who: no process may be accused on it alone.
 *
 * @param field Its name in /proc/meminfo.
 * @param nowBytes The same amount at the capture: what has been given back since is no growth any more.
 * @returns Undefined when it did not grow steadily, or was not recorded for long enough.
 */
export function longGrowth(
  history: ImportedHistory | undefined,
  field: string,
  nowBytes: number | undefined,
): LongGrowth | undefined {
  const points = history?.sinceBoot ?? [];
  const recorded = points.filter(({ bytes }) => bytes.has(field));
  const trend = recentTrend(recorded.map(({ time, bytes }) => ({ time, bytes: bytes.get(field) as number })));
  if (trend === undefined || trend.spanSeconds < MIN_SPAN_SECONDS) return undefined;
  if (trend.low <= 0 || trend.changeBytes < MIN_GROWTH_BYTES) return undefined;
  const last = recorded.at(-1) as ImportedPoint;
  const first = recorded.find(({ time }) => time >= last.time - trend.spanSeconds * 1000) as ImportedPoint;
  if (nowBytes !== undefined && nowBytes < (last.bytes.get(field) as number) - trend.changeBytes / 2) return undefined;
  return { field, trend, first, last };
}

/** The growth as evidence of a finding; none where there is none. */
export function longGrowthEvidence(growth: LongGrowth | undefined): EvidenceLine[] {
  if (growth === undefined) return [];
  const { field, trend, first, last } = growth;
  const [before, after] = [first, last].map(({ bytes }) => formatBytes(bytes.get(field) as number));
  return [{
    path: last.path,
    line: last.line,
    because: `${field} of the whole host grew from ${before} to ${after} in ${
      (trend.spanSeconds / 3600).toFixed(1)
    } hours, from ${new Date(first.time).toISOString()} on: since when, but not by whom`,
  }];
}
