// sadf -j: what sysstat recorded, as JSON. It is gone through piece by piece, because a bundle may be cut off anywhere.
// https://github.com/sysstat/sysstat, json_stats.c json_print_memory_stats()
//
//   "nodename": "vm",
//   "timestamp": {"date": "2026-11-23", "time": "09:43:06", "utc": 1, "interval": 1},
//   "memory": {"memfree": 22015900, "avail": 24162184, "memused": 139452, "memused-percent": 0.56, "buffers": 49156, ...}
//   "boot": {"date": "2026-11-23", "time": "02:00:00", "utc": 1, "cpu_count": 2}
import type { ParseContext } from "../core/source.ts";
import { quote } from "./_lines.ts";
import { parseKib } from "./_numbers.ts";
import {
  dateTime,
  lineCounter,
  type RecordedMemory,
  type RecordedPoint,
  someRecorded,
  SYSSTAT_FIELDS,
} from "./_recorded_memory.ts";

/**
 * Parses what `sadf -j` prints, of one day or of several one after the other.
 *
 * @throws {ParseError} if there is no memory in it.
 *
 * @example
 * ```ts
 * import { parseSadfJson } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = '"timestamp": {"date": "2026-11-23", "time": "09:43:06", "utc": 1, "interval": 1},\n"memory": {"memfree": 4, "slab": 2}';
 * const [point] = parseSadfJson(text, { facts: {}, warn() {} }).points;
 * strictEqual(point?.bytes.get("Slab"), 2048);
 * ```
 */
export function parseSadfJson(text: string, context: ParseContext): RecordedMemory {
  const points: RecordedPoint[] = [];
  const restarts: { time: number; line: number }[] = [];
  const lineAt = lineCounter(text);
  let hostname: string | undefined;
  let clock: RecordedMemory["clock"] = "utc";
  let time: number | undefined;
  for (const match of text.matchAll(/"(nodename|timestamp|boot|memory)"\s*:\s*("[^"\\\n]*"|\{[^{}]*\})/g)) {
    const [, name, value] = match as unknown as [string, string, string];
    const line = lineAt(match.index);
    if (name === "nodename") {
      hostname ??= value.slice(1, -1);
      continue;
    }
    const members = membersOf(value);
    if (name === "memory") {
      const bytes = new Map<string, number>();
      for (const [key, kib] of members) {
        const field = SYSSTAT_FIELDS.get(key);
        const amount = field === undefined ? undefined : parseKib(kib);
        if (field !== undefined && amount !== undefined) bytes.set(field, amount);
        else if (field !== undefined) context.warn(line, `not an amount in kB: ${quote(`${key}: ${kib}`)}`);
      }
      if (time === undefined) context.warn(line, "memory without a time before it");
      else if (bytes.size > 0) points.push({ time, line, bytes });
      continue;
    }
    const at = dateTime(members.get("date"), members.get("time"));
    if (at === undefined) context.warn(line, `not a date and a time: ${quote(value)}`);
    else if (!isUtc(members)) clock = "local";
    if (name === "timestamp") time = at;
    else if (at !== undefined) restarts.push({ time: at, line });
  }
  return someRecorded(
    { recorder: "sysstat", hostname, clock, points, restarts },
    "Cannot parse sadf -j: no memory in it (sadf -j FILE -- -r ALL)",
    text,
  );
}

/** `utc` until sysstat 12.6, `tz` after it. */
function isUtc(members: ReadonlyMap<string, string>): boolean {
  return members.get("utc") === "1" || members.get("tz") === "UTC";
}

/** The members of an object without objects inside. */
function membersOf(object: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  for (const [, key, text, other] of object.matchAll(/"([\w-]+)"\s*:\s*(?:"([^"]*)"|([^",{}\s]+))/g)) {
    members.set(key as string, (text ?? other) as string);
  }
  return members;
}
