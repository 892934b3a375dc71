// atop -r FILE -P MEM: what atop recorded, as text; its own files are compressed structures of one version. Amounts are in pages of the
// size in the row. A row after RESET is the first since the host, or atop, was started, and its interval is the time since boot.
// man 1 atop, PARSABLE OUTPUT
//
//   RESET
//   MEM vm 1795427256 2026/11/23 09:47:36 14514 4096 6170914 6019034 12010 1559 114544 1922 102510 0 2231 0 0 2097152 0 0 ...
//   SEP
import type { ParseContext } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";
import { plausibleTime, type RecordedMemory, type RecordedPoint, someRecorded } from "./_recorded_memory.ts";

/** Fields in pages, from the seventh word on; `undefined` is one that is not read. The later ones depend on atop's version. */
const PAGES = ["MemTotal", "MemFree", "Cached", "Buffers", "Slab", undefined, "SReclaimable", undefined, "Shmem"];
const FIRST = 7;
/** Up to the slab: atop 1.26 (2010) has these. */
const MIN_WORDS = FIRST + 5;

/**
 * Parses the MEM rows of atop's parsable output, among rows of other labels.
 *
 * @throws {ParseError} if there are none.
 *
 * @example
 * ```ts
 * import { parseAtopMemory } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "MEM vm 1795427256 2026/11/23 09:47:36 600 4096 100 50 10 5 8 0 6 0 2\n";
 * const [point] = parseAtopMemory(text, { facts: {}, warn() {} }).points;
 * strictEqual(point?.bytes.get("SUnreclaim"), 8192);
 * ```
 */
export function parseAtopMemory(text: string, context: ParseContext): RecordedMemory {
  const points: RecordedPoint[] = [];
  const restarts: { time: number; line: number }[] = [];
  let hostname: string | undefined;
  let reset = false;
  forEachLine(text, (line, number) => {
    if (line === "RESET") reset = true;
    if (!line.startsWith("MEM ")) return;
    const words = columns(line);
    const time = plausibleTime((parseCount(words[2]) ?? NaN) * 1000);
    const seconds = parseCount(words[5]);
    const bytes = bytesOf(words);
    if (time === undefined || seconds === undefined || bytes === undefined) {
      context.warn(number, `not a MEM row of atop -P: ${quote(line)}`);
      return;
    }
    hostname ??= words[1];
    const boot = time - seconds * 1000;
    if (reset && boot > (points.at(-1)?.time ?? Infinity)) restarts.push({ time: boot, line: number });
    reset = false;
    points.push({ time, line: number, bytes });
  });
  return someRecorded(
    { recorder: "atop", hostname, clock: "utc", points, restarts },
    "Cannot parse atop -P: no line with MEM (atop -r FILE -P MEM)",
    text,
  );
}

function bytesOf(words: readonly string[]): ReadonlyMap<string, number> | undefined {
  if (words.length < MIN_WORDS) return undefined;
  const pageBytes = parseCount(words[FIRST - 1]);
  const bytes = new Map<string, number>();
  for (const [i, field] of PAGES.entries()) {
    const word = words[FIRST + i];
    if (field === undefined || word === undefined) continue;
    const amount = multiply(parseCount(word), pageBytes);
    if (amount === undefined) return undefined;
    bytes.set(field, amount);
  }
  const [slab, reclaimable] = [bytes.get("Slab"), bytes.get("SReclaimable")];
  if (slab !== undefined && reclaimable !== undefined && slab >= reclaimable) {
    bytes.set("SUnreclaim", slab - reclaimable);
  }
  return bytes;
}
