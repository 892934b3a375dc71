// sos_commands/process/descriptor_contents: nailhouse's own list of how full the pipes are, each once, as FIONREAD and F_GETPIPE_SZ tell. Of queues
// of events, which have no capacity: event_queues.ts
//
//   # bytes capacity inode descriptor
//   1048576 1048576 3112347 /proc/17235/fd/3
//   229152 - inotify /proc/17240/fd/3
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { pidOf } from "./_groups.ts";
import { columns, ownRows, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One pipe. */
export interface Pipe {
  /** What was written and not read. */
  readonly bytes: number;
  readonly capacityBytes: number;
  readonly inode: number;
  /** One of the processes that have an end of it. */
  readonly pid: number;
  readonly line: number;
}

/**
 * Parses the list.
 *
 * @throws {ParseError} if there is neither its first line nor a pipe.
 *
 * @example
 * ```ts
 * import { parsePipeContents } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [pipe] = parsePipeContents("4096 65536 3112347 /proc/17235/fd/3\n", { facts: {}, warn() {} });
 * strictEqual(pipe?.bytes, 4096);
 * ```
 */
export function parsePipeContents(text: string, context: ParseContext): readonly Pipe[] {
  return ownRows(text, "descriptor_contents", "a pipe", (line, number) => {
    const [first, second, third, path = ""] = columns(line);
    // A queue of events.
    if (second === "-") return undefined;
    const [bytes, capacityBytes, inode] = [parseCount(first), parseCount(second), parseCount(third)];
    const pid = pidOf(path);
    if (bytes !== undefined && capacityBytes !== undefined && inode !== undefined && pid !== undefined) {
      return { bytes, capacityBytes, inode, pid, line: number };
    }
    context.warn(number, `not a pipe: ${quote(line)}`);
    return undefined;
  });
}

/** A snapshot's file, as {@linkcode parsePipeContents} reads it. */
export const pipeContents: Source<Parsed<readonly Pipe[]>> = defineArtifact({
  name: "pipe_contents",
  // Bundles of nailhouse 0.1 before it looked at queues of events have the second one.
  paths: ["sos_commands/process/descriptor_contents", "sos_commands/process/pipe_contents"],
  howToCapture: "nailhouse collect (needs perl or python3, and Linux 5.6)",
  parse: parsePipeContents,
});
