// Memory events of control groups: memory.events of cgroup v2 (with those of the groups below), memory.oom_control of v1 (the group's own;
// oom_kill from 4.13 on).
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
//
//   low 0
//   max 12345
//   oom 12
//   oom_kill 3
import { defineArtifacts, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { parseNamedNumbers } from "./_named_numbers.ts";
import type { NumberAtLine } from "./_values.ts";

/** The counters by name; v1 has states (`oom_kill_disable`, `under_oom`) among them. */
export type MemoryEvents = ReadonlyMap<string, NumberAtLine>;

/**
 * Parses memory.events or memory.oom_control.
 *
 * @throws {ParseError} if no line is a name and a number.
 *
 * @example
 * ```ts
 * import { parseMemoryEvents } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseMemoryEvents("max 5\noom_kill 3\n", { facts: {}, warn() {} }).get("oom_kill")?.value, 3);
 * ```
 */
export function parseMemoryEvents(text: string, context: ParseContext): MemoryEvents {
  return parseNamedNumbers(text, context, "memory.events", "oom_kill 0");
}

/** `*` is one path segment: groups are captured down to this depth. */
const DEPTHS = ["", "*/", "*/*/", "*/*/*/", "*/*/*/*/", "*/*/*/*/*/"];

/** One entry a group that was captured; the path tells which. */
export const memoryEvents: Source<readonly Parsed<MemoryEvents>[]> = defineArtifacts({
  name: "memory.events",
  paths: [
    ...DEPTHS.map((depth) => `sys/fs/cgroup/${depth}memory.events`),
    ...DEPTHS.map((depth) => `sys/fs/cgroup/memory/${depth}memory.oom_control`),
  ],
  howToCapture: "cat /sys/fs/cgroup/*/memory.events",
  parse: parseMemoryEvents,
});
