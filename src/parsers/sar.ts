// sar -r, sar -A: what sysstat recorded, as text. Columns depend on the version and on `-r ALL`, times and numbers on the locale.
// https://github.com/sysstat/sysstat, pr_stats.c stub_print_memory_stats()
//
//   Linux 6.18.44 (vm) 	11/23/26 	_x86_64_	(2 CPU)
//
//   02:00:00     LINUX RESTART	(2 CPU)
//
//   02:00:01    kbmemfree   kbavail kbmemused  %memused kbbuffers  kbcached  kbcommit   %commit  kbactive   kbinact   kbdirty
//   02:10:01     22673728  23555816    749572      3.04     14784    773200    625104      2.53    269804    926172      4108
//   Average:     22562424  23444814    860651      3.49     14784    773342    884784      3.58    269863   1208883      4211
import { ParseError } from "../core/errors.ts";
import type { HostFacts, ParseContext } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseKib } from "./_numbers.ts";
import { dayOf, type RecordedMemory, type RecordedPoint, someRecorded, SYSSTAT_FIELDS } from "./_recorded_memory.ts";

const DAY_MS = 86_400_000;

/** Where the fields stand in the rows below a header. */
interface Layout {
  readonly columns: number;
  readonly fields: ReadonlyMap<number, string>;
}

/**
 * Parses the memory tables of what `sar -r` or `sar -A` prints, of one day or of several one after the other.
 *
 * @throws {ParseError} if the first line with the date is missing, or there is no memory table.
 *
 * @example
 * ```ts
 * import { parseSar } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "Linux 6.1.0 (vm) \t11/23/26 \t_x86_64_\t(2 CPU)\n\n" +
 *   "09:40:01    kbmemfree   kbavail kbmemused  %memused\n09:50:01     22015900  24162184    139452      0.56\n";
 * const [point] = parseSar(text, { facts: {}, warn() {} }).points;
 * strictEqual(point?.time, Date.UTC(2026, 10, 23, 9, 50, 1));
 * strictEqual(point?.bytes.get("MemAvailable"), 24_162_184 * 1024);
 * ```
 */
export function parseSar(text: string, context: ParseContext): RecordedMemory {
  const points: RecordedPoint[] = [];
  const restarts = new Map<number, number>();
  let hostname: string | undefined;
  let midnight: number | undefined;
  let layout: Layout | undefined;
  let previous: number | undefined;
  forEachLine(text, (line, number) => {
    if (line === "") {
      layout = undefined;
      return;
    }
    const head = /^Linux \S+ \(([^()]*)\)\s+(\S+)/.exec(line);
    if (head !== null) {
      hostname ??= head[1];
      midnight = dateOf(head[2] as string, context.facts);
      if (midnight === undefined) context.warn(number, `not a date: ${quote(head[2] as string)}`);
      layout = previous = undefined;
      return;
    }
    const words = columns(line);
    const [clock, skip] = clockOf(words);
    if (clock === undefined || midnight === undefined) return;
    // The last row of a day may be one second into the next, and a file in another time zone than the host's goes over midnight.
    const today = midnight + clock;
    const time = previous !== undefined && today < previous - DAY_MS / 2 ? today + DAY_MS : today;
    if (line.includes("LINUX RESTART")) {
      // It is in every table of sar -A.
      if (!restarts.has(time)) restarts.set(time, number);
      return;
    }
    const values = words.slice(skip);
    if (values.includes("kbmemfree")) layout = layoutOf(values);
    else if (layout !== undefined) {
      const bytes = values.length === layout.columns ? bytesOf(values, layout) : undefined;
      if (bytes === undefined) {
        context.warn(number, `not a row of the memory table (sar must be run without -h): ${quote(line)}`);
        return;
      }
      previous = time;
      points.push({ time, line: number, bytes });
    }
  });
  if (midnight === undefined) {
    throw new ParseError('Cannot parse sar: no line like "Linux 6.1.0 (HOST) 11/23/26" tells the day', { text });
  }
  return someRecorded(
    {
      recorder: "sysstat",
      hostname,
      clock: "local",
      points,
      restarts: [...restarts].map(([time, line]) => ({ time, line })),
    },
    "Cannot parse sar: no table with kbmemfree (sar -r and sar -A print it)",
    text,
  );
}

function layoutOf(names: readonly string[]): Layout {
  const fields = new Map<number, string>();
  for (const [i, name] of names.entries()) {
    const field = name.startsWith("kb") ? SYSSTAT_FIELDS.get(name.slice(2)) : undefined;
    if (field !== undefined) fields.set(i, field);
  }
  return { columns: names.length, fields };
}

function bytesOf(values: readonly string[], { fields }: Layout): ReadonlyMap<string, number> | undefined {
  const bytes = new Map<string, number>();
  for (const [i, field] of fields) {
    const amount = parseKib(values[i]);
    if (amount === undefined) return undefined;
    bytes.set(field, amount);
  }
  return bytes;
}

/** The time of day in milliseconds at the start of a row (`09:43:06`, `09:43:06 PM`, `09時43分06秒`), and how many words it takes. */
function clockOf(words: readonly string[]): readonly [number | undefined, number] {
  const [, hours, minutes, seconds] = /^(\d\d)\D(\d\d)\D(\d\d)\D?$/.exec(words[0] ?? "") ?? [];
  if (hours === undefined) return [undefined, 0];
  const half = words[1] === "AM" ? 0 : words[1] === "PM" ? 12 : undefined;
  const hour = half === undefined ? Number(hours) : (Number(hours) % 12) + half;
  return [((hour * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000, half === undefined ? 1 : 2];
}

/**
 * The day in the first line, as the locale writes it. 03/04/26 is the fourth of March in America and in the C locale, and the third of
 * April in Britain: the one that is closer before the capture is taken.
 */
function dateOf(text: string, { capturedAt }: HostFacts): number | undefined {
  const parts = text.split(/\D+/).filter((part) => part !== "").map(Number);
  if (parts.length !== 3) return undefined;
  const [a, b, c] = parts as [number, number, number];
  if (a > 31) return dayOf(a, b, c);
  const year = c < 100 ? 2000 + c : c;
  if (text.includes(".")) return dayOf(year, b, a);
  const days = [dayOf(year, a, b), dayOf(year, b, a)].filter((day) => day !== undefined);
  if (capturedAt === undefined) return days[0];
  const distance = (day: number): number => (day <= capturedAt + DAY_MS ? capturedAt - day : Infinity);
  return days.sort((x, y) => distance(x) - distance(y))[0];
}
