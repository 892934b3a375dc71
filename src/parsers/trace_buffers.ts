// sys/kernel/tracing/buffer_total_size_kb: what the ring buffers of ftrace take, of all CPUs together; those of an instance stand in its own
// folder. Before they are used for the first time the kernel keeps one page for each CPU, and tells what it will be then.
// https://docs.kernel.org/trace/ftrace.html
//
//   14 (expanded: 2816)
//   524294
import { ParseError } from "../core/errors.ts";
import { defineArtifacts, type Parsed, type Source } from "../core/source.ts";
import { parseKib } from "./_numbers.ts";
import type { BytesAtLine } from "./_values.ts";

const FILE = "buffer_total_size_kb";
/** Where debugfs is mounted, tracefs may be seen below it, too. */
const FOLDERS = ["sys/kernel/tracing", "sys/kernel/debug/tracing"];

/**
 * Parses buffer_total_size_kb.
 *
 * @throws {ParseError} if it does not begin with a number.
 *
 * @example
 * ```ts
 * import { parseTraceBuffer } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseTraceBuffer("14 (expanded: 2816)\n").bytes, 14_336);
 * ```
 */
export function parseTraceBuffer(text: string): BytesAtLine {
  const bytes = parseKib(/^(\d+)(?: \(expanded: \d+\))?\n?$/.exec(text)?.[1]);
  if (bytes === undefined) throw new ParseError("Cannot parse the size of the ring buffers", { line: 1, text });
  return { bytes, line: 1 };
}

/** Those of the whole host and of each instance, by path. */
export const traceBuffers: Source<readonly Parsed<BytesAtLine>[]> = defineArtifacts({
  name: FILE,
  paths: FOLDERS.flatMap((folder) => [`${folder}/${FILE}`, `${folder}/instances/*/${FILE}`]),
  howToCapture: `cat /sys/kernel/tracing/${FILE} /sys/kernel/tracing/instances/*/${FILE}`,
  parse: parseTraceBuffer,
});
