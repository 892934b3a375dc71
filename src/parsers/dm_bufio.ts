// sys/module/dm_bufio/parameters/allocated_get_free_pages_bytes: blocks that targets of the device mapper (thin, snapshot, integrity, verity)
// cache in whole pages. Those of other sizes are in slab and vmalloc. They are given back under pressure.
// https://docs.kernel.org/admin-guide/device-mapper/, drivers/md/dm-bufio.c
//
//   52428800
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { parseCount } from "./_numbers.ts";
import type { BytesAtLine } from "./_values.ts";

/**
 * Parses allocated_get_free_pages_bytes.
 *
 * @throws {ParseError} if it is no number.
 *
 * @example
 * ```ts
 * import { parseDmBufio } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseDmBufio("52428800\n").bytes, 52_428_800);
 * ```
 */
export function parseDmBufio(text: string): BytesAtLine {
  const bytes = parseCount(text.trim());
  if (bytes === undefined) throw new ParseError("Cannot parse the bytes of dm-bufio", { line: 1, text });
  return { bytes, line: 1 };
}

/** The file, as {@linkcode parseDmBufio} reads it. */
export const dmBufio: Source<Parsed<BytesAtLine>> = defineArtifact({
  name: "dm-bufio",
  paths: ["sys/module/dm_bufio/parameters/allocated_get_free_pages_bytes"],
  howToCapture: "cat /sys/module/dm_bufio/parameters/allocated_get_free_pages_bytes",
  parse: parseDmBufio,
});
