// proc/sys/fs/file-nr: open files of the host, always 0, the limit.
// https://docs.kernel.org/admin-guide/sysctl/fs.html
//
//   1312	0	9223372036854775807
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** The one line. */
export interface FileNr {
  /** Open files. One that several descriptors share counts once. */
  readonly allocated: number;
  /** Undefined when there is none: the kernel's largest number, which is above 2^53. */
  readonly max: number | undefined;
  readonly line: number;
}

/**
 * Parses /proc/sys/fs/file-nr.
 *
 * @throws {ParseError} if it does not begin with a number.
 *
 * @example
 * ```ts
 * import { parseFileNr } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseFileNr("1312\t0\t9223372036854775807\n").allocated, 1312);
 * ```
 */
export function parseFileNr(text: string): FileNr {
  const words = columns(text.split("\n", 1)[0] as string);
  const allocated = parseCount(words[0]);
  if (allocated === undefined) throw new ParseError("Cannot parse file-nr", { line: 1, text });
  return { allocated, max: parseCount(words[2]), line: 1 };
}

/** A snapshot's file, as {@linkcode parseFileNr} reads it. */
export const fileNr: Source<Parsed<FileNr>> = defineArtifact({
  name: "file-nr",
  paths: ["proc/sys/fs/file-nr"],
  howToCapture: "cat /proc/sys/fs/file-nr",
  parse: parseFileNr,
});
