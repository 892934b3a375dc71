// sos_commands/filesys/df_-al_-x_autofs: what each mounted file system holds, in KiB. The header is in the captor's language.
//
//   Filesystem              1K-blocks     Used Available Use% Mounted on
//   proc                            0        0         0    - /proc
//   tmpfs                    24683656   409600  24274056   2% /dev/shm
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** One mount. What df could not learn is undefined. */
export interface DfMount {
  readonly filesystem: string;
  readonly sizeBytes: number | undefined;
  readonly usedBytes: number | undefined;
  readonly mount: string;
  readonly line: number;
}

/**
 * Parses the output of df. Lines that are no mount (the header, messages) are passed over.
 *
 * @throws {ParseError} if no line is a mount.
 *
 * @example
 * ```ts
 * import { parseDf } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseDf("tmpfs 1024 512 512 50% /dev/shm\n")[0]?.usedBytes, 524_288);
 * ```
 */
export function parseDf(text: string): readonly DfMount[] {
  const mounts: DfMount[] = [];
  forEachLine(text, (line, number) => {
    const words = columns(line);
    // Names of file systems and of mounts may hold blanks: the column that is a percentage or a dash stands between them.
    const at = words.findIndex((word, i) => i >= 4 && /^(?:\d{1,3}%|-)$/.test(word) && words[i + 1]?.startsWith("/"));
    if (at === -1) return;
    const kib = (word: string | undefined): number | undefined => multiply(parseCount(word), 1024);
    mounts.push({
      filesystem: words.slice(0, at - 3).join(" "),
      sizeBytes: kib(words[at - 3]),
      usedBytes: kib(words[at - 2]),
      mount: words.slice(at + 1).join(" "),
      line: number,
    });
  });
  if (mounts.length === 0) {
    throw new ParseError('Cannot parse df: no line like "tmpfs 1024 512 512 50% /dev/shm"', { text });
  }
  return mounts;
}

/** A snapshot's file, as {@linkcode parseDf} reads it. */
export const df: Source<Parsed<readonly DfMount[]>> = defineArtifact({
  name: "df",
  paths: ["sos_commands/filesys/df_-al_-x_autofs", "sos_commands/filesys/df_-al*"],
  howToCapture: "df -al -x autofs",
  parse: parseDf,
});
