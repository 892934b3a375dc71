// date, date -u: together they tell the host's time zone, in which sar prints. Always in the C locale: the collectors set it.
//
//   Mon Nov 23 10:43:05 CET 2026
//   Mon Nov 23 09:43:05 UTC 2026
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns } from "./_lines.ts";
import { dateTime } from "./_recorded_memory.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Parses what `date` prints.
 *
 * @returns Milliseconds since 1970, as if the time were UTC.
 * @throws {ParseError} if it is no date in the C locale.
 *
 * @example
 * ```ts
 * import { parseDate } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const time = parseDate("Mon Nov 23 10:43:05 CET 2026\n", { facts: {}, warn() {} });
 * strictEqual(time, Date.UTC(2026, 10, 23, 10, 43, 5));
 * ```
 */
export function parseDate(text: string, _context: ParseContext): number {
  const [, month, day, clock, ...rest] = columns(text.trim());
  const number = (MONTHS.indexOf(month ?? "") + 1).toString().padStart(2, "0");
  const time = dateTime(`${rest.at(-1)}-${number}-${day?.padStart(2, "0")}`, clock);
  if (time === undefined) throw new ParseError('Cannot parse date: not like "Mon Nov 23 10:43:05 CET 2026"', { text });
  return time;
}

/** In the host's time zone. */
export const localDate: Source<Parsed<number>> = defineArtifact({
  name: "date",
  paths: ["sos_commands/date/date", "sos_commands/general/date"],
  howToCapture: "LC_ALL=C date",
  parse: parseDate,
});

/** The same moment in UTC. */
export const utcDate: Source<Parsed<number>> = defineArtifact({
  name: "date -u",
  paths: ["sos_commands/date/date_--utc"],
  howToCapture: "LC_ALL=C date -u",
  parse: parseDate,
});
