// sos_commands/process/aio_rings: nailhouse's own sum of the rings of Linux AIO (io_setup) that a process has mapped, as /proc/PID/maps lists them: how many, and
// their bytes. A ring that several processes have mapped is counted with the first of them.
//
//   # process contexts bytes
//   /proc/3310/maps 600 307200000
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { pidOf } from "./_groups.ts";
import { columns, ownRows, quote } from "./_lines.ts";
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
  return ownRows(text, "aio_rings", "a process", (line, number) => {
    const [path = "", count, size] = columns(line);
    const [pid, contexts, bytes] = [pidOf(path), parseCount(count), parseCount(size)];
    if (pid !== undefined && contexts !== undefined && bytes !== undefined) {
      return { pid, contexts, bytes, line: number };
    }
    context.warn(number, `not the rings of a process: ${quote(line)}`);
    return undefined;
  });
}

/** A snapshot's file, as {@linkcode parseAioRings} reads it. */
export const aioRings: Source<Parsed<readonly AioRings[]>> = defineArtifact({
  name: "aio_rings",
  paths: ["sos_commands/process/aio_rings"],
  howToCapture: "grep -F '/[aio]' /proc/[0-9]*/maps",
  parse: parseAioRings,
});
