// sos_commands/process/descriptor_contents: nailhouse's own list of descriptors that have something unread, as FIONREAD tells. Of pipes, which have a
// capacity and an inode: pipe_contents.ts
//
//   # bytes capacity inode descriptor
//   229152 - inotify /proc/17240/fd/3
//   2400000 - fanotify /proc/1207/fd/5
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { pidOf } from "./_groups.ts";
import { columns, ownRows, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** File events that a program asked to be told of, and has not read. */
export interface EventQueue {
  readonly kind: "inotify" | "fanotify";
  /** As read() would give them: of fanotify 24 an event, without what may follow it. The kernel keeps each in an object of its own. */
  readonly bytes: number;
  /** One that several processes have open is listed with each. */
  readonly pid: number;
  readonly fd: number;
  readonly line: number;
}

/**
 * Parses the list.
 *
 * @throws {ParseError} if there is neither its first line nor a queue.
 *
 * @example
 * ```ts
 * import { parseEventQueues } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [queue] = parseEventQueues("229152 - inotify /proc/17240/fd/3\n", { facts: {}, warn() {} });
 * strictEqual(queue?.pid, 17_240);
 * ```
 */
export function parseEventQueues(text: string, context: ParseContext): readonly EventQueue[] {
  return ownRows(text, "descriptor_contents", "a queue of events", (line, number): EventQueue | undefined => {
    const [first, capacity, kind, path = ""] = columns(line);
    if (capacity !== "-") return undefined;
    const bytes = parseCount(first);
    const pid = pidOf(path);
    const fd = parseCount(path.split("/").at(-1));
    if (bytes !== undefined && (kind === "inotify" || kind === "fanotify") && pid !== undefined && fd !== undefined) {
      return { kind, bytes, pid, fd, line: number };
    }
    context.warn(number, `not a queue of events: ${quote(line)}`);
    return undefined;
  });
}

/** A snapshot's file, as {@linkcode parseEventQueues} reads it. */
export const eventQueues: Source<Parsed<readonly EventQueue[]>> = defineArtifact({
  name: "event_queues",
  paths: ["sos_commands/process/descriptor_contents"],
  howToCapture: "nailhouse collect (needs perl or python3, and Linux 5.6)",
  parse: parseEventQueues,
});
