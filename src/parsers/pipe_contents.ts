// sos_commands/process/descriptor_contents: nailhouse's own list of how full the pipes are, each once, as FIONREAD and F_GETPIPE_SZ tell. Of queues
// of events, which have no capacity: event_queues.ts
//
//   # bytes capacity inode descriptor
//   1048576 1048576 3112347 /proc/17235/fd/3
//   229152 - inotify /proc/17240/fd/3
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { pidOf } from "./_groups.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
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
  const pipes: Pipe[] = [];
  let header = false;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    if (line.startsWith("#")) {
      header = true;
      return;
    }
    const [bytes, capacityBytes, inode, path = ""] = columns(line);
    if (capacityBytes === "-") return;
    const pipe = {
      bytes: parseCount(bytes),
      capacityBytes: parseCount(capacityBytes),
      inode: parseCount(inode),
      pid: pidOf(path),
    };
    if (
      pipe.bytes === undefined || pipe.capacityBytes === undefined || pipe.inode === undefined || pipe.pid === undefined
    ) {
      context.warn(number, `not a pipe: ${quote(line)}`);
    } else {pipes.push({
        bytes: pipe.bytes,
        capacityBytes: pipe.capacityBytes,
        inode: pipe.inode,
        pid: pipe.pid,
        line: number,
      });}
  });
  if (pipes.length === 0 && !header) {
    throw new ParseError("Cannot parse descriptor_contents: it has no header, and no line is a pipe", { text });
  }
  return pipes;
}

/** A snapshot's file, as {@linkcode parsePipeContents} reads it. */
export const pipeContents: Source<Parsed<readonly Pipe[]>> = defineArtifact({
  name: "pipe_contents",
  // Bundles of nailhouse 0.1 before it looked at queues of events have the second one.
  paths: ["sos_commands/process/descriptor_contents", "sos_commands/process/pipe_contents"],
  howToCapture: "nailhouse collect (needs perl and Linux 5.6)",
  parse: parsePipeContents,
});
