// sadf -d: what sysstat recorded, as rows for a database.
// https://github.com/sysstat/sysstat, rndr_stats.c render_memory_stats()
//
//   # hostname;interval;timestamp;kbmemfree;kbavail;kbmemused;%memused;kbbuffers;kbcached;kbcommit;%commit;kbactive;kbinact;kbdirty
//   vm;600;2026-11-23 09:43:06 UTC;22015900;24162184;139452;0.56;49156;1981888;68076;0.28;389004;1644968;7872
//   vm;-1;2026-11-23 02:00:00 UTC;LINUX-RESTART	(2 CPU)
import type { ParseContext } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";
import { parseCount, parseKib } from "./_numbers.ts";
import {
  dateTime,
  plausibleTime,
  type RecordedMemory,
  type RecordedPoint,
  someRecorded,
  SYSSTAT_FIELDS,
} from "./_recorded_memory.ts";

/**
 * Parses what `sadf -d` prints.
 *
 * @throws {ParseError} if there is no memory table.
 *
 * @example
 * ```ts
 * import { parseSadfTable } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "# hostname;interval;timestamp;kbmemfree;kbavail\nvm;600;2026-11-23 09:43:06 UTC;4;8\n";
 * const [point] = parseSadfTable(text, { facts: {}, warn() {} }).points;
 * strictEqual(point?.bytes.get("MemAvailable"), 8192);
 * ```
 */
export function parseSadfTable(text: string, context: ParseContext): RecordedMemory {
  const points: RecordedPoint[] = [];
  const restarts: { time: number; line: number }[] = [];
  let hostname: string | undefined;
  let clock: RecordedMemory["clock"] = "utc";
  let names: readonly string[] | undefined;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const cells = line.split(";");
    if (line.startsWith("# hostname;")) {
      names = cells.includes("kbmemfree") ? cells : undefined;
      return;
    }
    const restart = cells[3]?.startsWith("LINUX-RESTART") === true;
    if (names === undefined && !restart) return;
    const at = timeOf(cells[2]);
    if (at === undefined) {
      context.warn(number, `not a row with a time: ${quote(line)}`);
      return;
    }
    if (!at.utc) clock = "local";
    hostname ??= cells[0];
    if (restart) {
      restarts.push({ time: at.time, line: number });
      return;
    }
    const bytes = bytesOf(names as readonly string[], cells);
    if (bytes === undefined) context.warn(number, `not a row of the memory table: ${quote(line)}`);
    else points.push({ time: at.time, line: number, bytes });
  });
  return someRecorded(
    { recorder: "sysstat", hostname, clock, points, restarts },
    "Cannot parse sadf -d: no table with kbmemfree (sadf -d FILE -- -r ALL)",
    text,
  );
}

function bytesOf(names: readonly string[], cells: readonly string[]): ReadonlyMap<string, number> | undefined {
  if (cells.length !== names.length) return undefined;
  const bytes = new Map<string, number>();
  for (const [i, name] of names.entries()) {
    const field = name.startsWith("kb") ? SYSSTAT_FIELDS.get(name.slice(2)) : undefined;
    if (field === undefined) continue;
    const amount = parseKib(cells[i]);
    if (amount === undefined) return undefined;
    bytes.set(field, amount);
  }
  return bytes;
}

/** `2026-11-23 09:43:06 UTC`, without the UTC of local time, or seconds since 1970. */
function timeOf(text: string | undefined): { readonly time: number; readonly utc: boolean } | undefined {
  const seconds = parseCount(text);
  const [date, clock, zone] = (text ?? "").split(" ");
  const time = seconds === undefined ? dateTime(date, clock) : plausibleTime(seconds * 1000);
  return time === undefined ? undefined : { time, utc: seconds !== undefined || zone === "UTC" };
}
