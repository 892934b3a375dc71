// sos_commands/process/aio_rings: nailhouse's own sum of the rings of Linux AIO (io_setup) that a process has mapped, as /proc/PID/maps lists them: how many, and
// their bytes. A ring that several processes have mapped is counted with the first of them.
//
//   # process contexts bytes
//   /proc/3310/maps 600 307200000
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { pidOf } from "./_groups.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** The rings of one process. */
export interface AioRings {
  readonly pid: number;
  readonly contexts: number;
  readonly bytes: number;
  readonly line: number;
}

/**
 * Parses the list.
 *
 * @throws {ParseError} if there is neither its first line nor a process.
 *
 * @example
 * ```ts
 * import { parseAioRings } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [rings] = parseAioRings("/proc/3310/maps 600 307200000\n", { facts: {}, warn() {} });
 * strictEqual(rings?.contexts, 600);
 * ```
 */
export function parseAioRings(text: string, context: ParseContext): readonly AioRings[] {
  const rings: AioRings[] = [];
  let header = false;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    if (line.startsWith("#")) {
      header = true;
      return;
    }
    const [path = "", count, size] = columns(line);
    const [pid, contexts, bytes] = [pidOf(path), parseCount(count), parseCount(size)];
    if (pid === undefined || contexts === undefined || bytes === undefined) {
      context.warn(number, `not the rings of a process: ${quote(line)}`);
    } else rings.push({ pid, contexts, bytes, line: number });
  });
  if (rings.length === 0 && !header) {
    throw new ParseError("Cannot parse aio_rings: it has no header, and no line is a process", { text });
  }
  return rings;
}

/** A snapshot's file, as {@linkcode parseAioRings} reads it. */
export const aioRings: Source<Parsed<readonly AioRings[]>> = defineArtifact({
  name: "aio_rings",
  paths: ["sos_commands/process/aio_rings"],
  howToCapture: "grep -F '/[aio]' /proc/[0-9]*/maps",
  parse: parseAioRings,
});
