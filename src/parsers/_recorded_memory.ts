// What the recorders of memory have in common: points in time, with fields by the kernel's names.
import { ParseError } from "../core/errors.ts";

/** The host's memory at one time, as far as a recorder kept it. */
export interface RecordedPoint {
  /** Milliseconds since 1970; see {@linkcode RecordedMemory.clock}. */
  readonly time: number;
  readonly line: number;
  /** By the name that /proc/meminfo has for it. What the recorder does not keep is not in it. */
  readonly bytes: ReadonlyMap<string, number>;
}

/** A file in which another program recorded a host's memory. */
export interface RecordedMemory {
  readonly recorder: "sysstat" | "atop" | "prometheus";
  /** Which host it says it is of. */
  readonly hostname: string | undefined;
  /** `local`: times of day of the host's own time zone, which the file does not tell; they are given as if they were UTC. */
  readonly clock: "utc" | "local";
  /** In the file's order. */
  readonly points: readonly RecordedPoint[];
  /** When the host was started, as far as the recorder noticed. */
  readonly restarts: readonly { readonly time: number; readonly line: number }[];
}

/** sysstat's names without their `kb`. Its %memused and kbmemused mean something else in every few versions, and are not read. */
export const SYSSTAT_FIELDS: ReadonlyMap<string, string> = new Map([
  ["memfree", "MemFree"],
  ["avail", "MemAvailable"],
  ["buffers", "Buffers"],
  ["cached", "Cached"],
  ["anonpg", "AnonPages"],
  ["slab", "Slab"],
  ["kstack", "KernelStack"],
  ["pgtbl", "PageTables"],
]);

/** No recorder is older, and later times do not fit into a date of four digits. */
const EARLIEST = Date.UTC(1990, 0, 1);
const LATEST = Date.UTC(2200, 0, 1);

/** The time, if memory can have been recorded then. */
export function plausibleTime(milliseconds: number): number | undefined {
  return milliseconds >= EARLIEST && milliseconds < LATEST ? milliseconds : undefined;
}

/** Midnight, if there is such a day. */
export function dayOf(year: number, month: number, day: number): number | undefined {
  const time = Date.UTC(year, month - 1, day);
  const date = new Date(time);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? plausibleTime(time) : undefined;
}

/** `2026-11-23` and `09:43:06` (sysstat 10.1: `09-43-06`) as if they were UTC. */
export function dateTime(date: string | undefined, time: string | undefined): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date ?? "") ?? [];
  const [, hours, minutes, seconds] = /^(\d\d)[:-](\d\d)[:-](\d\d)$/.exec(time ?? "") ?? [];
  const midnight = dayOf(Number(year), Number(month), Number(day));
  const clock = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return midnight === undefined || Number.isNaN(clock) ? undefined : midnight + clock * 1000;
}

/** Counts lines while a text is gone through from its start to its end. */
export function lineCounter(text: string): (index: number) => number {
  let line = 1;
  let next = text.indexOf("\n");
  return (index) => {
    for (; next !== -1 && next < index; next = text.indexOf("\n", next + 1)) line++;
    return line;
  };
}

/** @throws {ParseError} If nothing at all was found. */
export function someRecorded(recorded: RecordedMemory, expected: string, text: string): RecordedMemory {
  if (recorded.points.length === 0 && recorded.restarts.length === 0) throw new ParseError(expected, { text });
  return recorded;
}
