// proc/pressure/{memory,io,cpu} (4.20): the share of time that tasks waited. `full`, when all of them did, is not printed for cpu
// before 5.13.
// https://docs.kernel.org/accounting/psi.html
//
//   some avg10=0.00 avg60=0.12 avg300=0.05 total=123456
//   full avg10=0.00 avg60=0.00 avg300=0.00 total=0
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One line: per cent of the last 10, 60 and 300 seconds, and the total since boot. */
export interface PressureShare {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalMicroseconds: number;
  readonly line: number;
}

/** Pressure on one resource. */
export interface Pressure {
  /** Some task waited. */
  readonly some: PressureShare | undefined;
  /** All tasks that were not idle waited at once. */
  readonly full: PressureShare | undefined;
}

/**
 * Parses a file of /proc/pressure, or a cgroup's memory.pressure.
 *
 * @throws {ParseError} if there is neither a `some` nor a `full` line.
 *
 * @example
 * ```ts
 * import { parsePressure } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "some avg10=0.00 avg60=0.12 avg300=0.05 total=123456\n";
 * strictEqual(parsePressure(text, { facts: {}, warn() {} }).some?.avg60, 0.12);
 * ```
 */
export function parsePressure(text: string, context: ParseContext): Pressure {
  const shares = new Map<string, PressureShare>();
  forEachLine(text, (line, number) => {
    const [kind, ...words] = columns(line);
    if (kind === undefined) return;
    const value = (key: string): string | undefined => words.find((word) => word.startsWith(key))?.slice(key.length);
    const [avg10, avg60, avg300] = ["avg10=", "avg60=", "avg300="].map((key) => parsePercent(value(key)));
    const totalMicroseconds = parseCount(value("total="));
    if (avg10 === undefined || avg60 === undefined || avg300 === undefined || totalMicroseconds === undefined) {
      context.warn(number, `not a line of pressure: ${quote(line)}`);
    } else shares.set(kind, { avg10, avg60, avg300, totalMicroseconds, line: number });
  });
  const [some, full] = [shares.get("some"), shares.get("full")];
  if (some === undefined && full === undefined) {
    throw new ParseError('Cannot parse pressure: no line like "some avg10=0.00 avg60=0.00 avg300=0.00 total=0"', {
      text,
    });
  }
  return { some, full };
}

function parsePercent(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,3}\.\d{1,4}$/.test(text) ? Number(text) : undefined;
}

function pressureOf(resource: string): Source<Parsed<Pressure>> {
  return defineArtifact({
    name: `pressure/${resource}`,
    paths: [`proc/pressure/${resource}`],
    howToCapture: `cat /proc/pressure/${resource}`,
    parse: parsePressure,
  });
}

/** proc/pressure/memory. */
export const memoryPressure: Source<Parsed<Pressure>> = pressureOf("memory");
/** proc/pressure/io. */
export const ioPressure: Source<Parsed<Pressure>> = pressureOf("io");
/** proc/pressure/cpu. */
export const cpuPressure: Source<Parsed<Pressure>> = pressureOf("cpu");
