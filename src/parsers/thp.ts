// sys/kernel/mm/transparent_hugepage/enabled: the setting in brackets is in force.
// https://docs.kernel.org/admin-guide/mm/transhuge.html
//
//   always [madvise] never
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import type { TextAtLine } from "./_values.ts";

/**
 * Parses the file: `always`, `madvise` or `never`.
 *
 * @throws {ParseError} if no word is in brackets.
 *
 * @example
 * ```ts
 * import { parseThp } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseThp("always [madvise] never\n").text, "madvise");
 * ```
 */
export function parseThp(text: string): TextAtLine {
  const chosen = /^[a-z ]{0,99}\[([a-z]{1,20})\]/.exec(text)?.[1];
  if (chosen === undefined) throw new ParseError("Cannot parse transparent_hugepage/enabled", { line: 1, text });
  return { text: chosen, line: 1 };
}

/** A snapshot's file, as {@linkcode parseThp} reads it. */
export const thp: Source<Parsed<TextAtLine>> = defineArtifact({
  name: "transparent_hugepage",
  paths: ["sys/kernel/mm/transparent_hugepage/enabled"],
  howToCapture: "cat /sys/kernel/mm/transparent_hugepage/enabled",
  parse: parseThp,
});
