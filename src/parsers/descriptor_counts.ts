// sos_commands/process/descriptor_counts: st_size of /proc/PID/fd of each process, which is the number of its open descriptors from
// Linux 6.2 on (commit f1f1f2569901) and 0 before.
//
//   281 /proc/1/fd
//   15032 /proc/19340/fd
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { pidOf } from "./_groups.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One process. */
export interface DescriptorCount {
  readonly pid: number;
  readonly count: number;
  readonly line: number;
}

/**
 * Parses the list. Processes without a descriptor are left out: kernel threads, and all of them before Linux 6.2.
 *
 * @throws {ParseError} if no line is a count and a folder.
 *
 * @example
 * ```ts
 * import { parseDescriptorCounts } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseDescriptorCounts("281 /proc/1/fd\n", { facts: {}, warn() {} })[0]?.count, 281);
 * ```
 */
export function parseDescriptorCounts(text: string, context: ParseContext): readonly DescriptorCount[] {
  const counts: DescriptorCount[] = [];
  let rows = 0;
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const [size, path = ""] = columns(line);
    const count = parseCount(size);
    const pid = pidOf(path);
    if (count === undefined || pid === undefined) {
      return context.warn(number, `not a count and a folder: ${quote(line)}`);
    }
    rows++;
    if (count > 0) counts.push({ pid, count, line: number });
  });
  if (rows === 0) throw new ParseError("Cannot parse descriptor_counts: no line is a count and a folder", { text });
  return counts;
}

/** A snapshot's file, as {@linkcode parseDescriptorCounts} reads it. */
export const descriptorCounts: Source<Parsed<readonly DescriptorCount[]>> = defineArtifact({
  name: "descriptor_counts",
  paths: ["sos_commands/process/descriptor_counts"],
  howToCapture: "stat -c '%s %n' /proc/[0-9]*/fd",
  parse: parseDescriptorCounts,
});
