// proc/mounts: what is mounted where, as seen by the process that read it. Blanks in names are written as \040.
//
//   tmpfs /dev/shm tmpfs rw,relatime,size=24683656k 0 0
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";

/** One mount. */
export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly options: readonly string[];
  readonly line: number;
}

/**
 * Parses /proc/mounts.
 *
 * @throws {ParseError} if no line is a mount.
 *
 * @example
 * ```ts
 * import { parseMounts } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [mount] = parseMounts("tmpfs /dev/shm tmpfs rw 0 0\n", { facts: {}, warn() {} });
 * strictEqual(mount?.type, "tmpfs");
 * ```
 */
export function parseMounts(text: string, context: ParseContext): readonly Mount[] {
  const mounts: Mount[] = [];
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const [, path, type, options] = columns(line);
    if (path === undefined || type === undefined || options === undefined) {
      context.warn(number, `not a mount: ${quote(line)}`);
    } else mounts.push({ path: unescapePath(path), type, options: options.split(","), line: number });
  });
  if (mounts.length === 0) throw new ParseError('Cannot parse mounts: no line like "proc /proc proc rw 0 0"', { text });
  return mounts;
}

/** Blank, tab, newline and backslash are written in octal (fs/proc_namespace.c, mangle). */
function unescapePath(path: string): string {
  return path.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** A snapshot's file, as {@linkcode parseMounts} reads it. */
export const mounts: Source<Parsed<readonly Mount[]>> = defineArtifact({
  name: "mounts",
  // In a sosreport proc/mounts is a link to those of the process that captured it.
  paths: ["proc/mounts", "proc/*/mounts"],
  howToCapture: "cat /proc/mounts",
  parse: parseMounts,
});
