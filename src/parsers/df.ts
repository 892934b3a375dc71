// sos_commands/filesys/df_-al_-x_autofs: what each mounted file system holds, in KiB; df_-ali_-x_autofs: how many files, in the same columns. The header
// is in the captor's language.
//
//   Filesystem              1K-blocks     Used Available Use% Mounted on
//   proc                            0        0         0    - /proc
//   tmpfs                    24683656   409600  24274056   2% /dev/shm
//
// People paste `df -h`, whose amounts are rounded up to two digits: tmpfs 12G 400M 12G 4% /dev/shm.
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { multiply, parseAmount, parseCount } from "./_numbers.ts";

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
  return rows(text).map(({ size, used, ...row }) => ({ ...row, sizeBytes: amountOf(size), usedBytes: amountOf(used) }));
}

const UNITS = "KMGTPE";

/** KiB, or with a unit as -h has it. */
function amountOf(word: string | undefined): number | undefined {
  const [, number, unit] = /^(\d{1,4}(?:[.,]\d)?)([KMGTPE])i?$/.exec(word ?? "") ?? [];
  if (number === undefined || unit === undefined) return multiply(parseCount(word), 1024);
  return parseAmount(number, 1024 ** (UNITS.indexOf(unit) + 1));
}

/** How many files one mount has. */
export interface DfInodes {
  readonly filesystem: string;
  /** Files, folders and links; undefined where df could not learn it. */
  readonly usedInodes: number | undefined;
  readonly mount: string;
  readonly line: number;
}

/**
 * Parses the output of df -i. Lines that are no mount (the header, messages) are passed over.
 *
 * @throws {ParseError} if no line is a mount.
 *
 * @example
 * ```ts
 * import { parseDfInodes } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseDfInodes("tmpfs 3085457 300301 2785156 10% /spool\n")[0]?.usedInodes, 300_301);
 * ```
 */
export function parseDfInodes(text: string): readonly DfInodes[] {
  return rows(text).map(({ filesystem, used, mount, line }) => ({
    filesystem,
    usedInodes: parseCount(used),
    mount,
    line,
  }));
}

interface Row {
  readonly filesystem: string;
  readonly size: string | undefined;
  readonly used: string | undefined;
  readonly mount: string;
  readonly line: number;
}

function rows(text: string): Row[] {
  const found: Row[] = [];
  forEachLine(text, (line, number) => {
    const words = columns(line);
    // Names of file systems and of mounts may hold blanks: the column that is a percentage or a dash stands between them.
    const at = words.findIndex((word, i) => i >= 4 && /^(?:\d{1,3}%|-)$/.test(word) && words[i + 1]?.startsWith("/"));
    if (at === -1) return;
    found.push({
      filesystem: words.slice(0, at - 3).join(" "),
      size: words[at - 3],
      used: words[at - 2],
      mount: words.slice(at + 1).join(" "),
      line: number,
    });
  });
  if (found.length === 0) {
    throw new ParseError('Cannot parse df: no line like "tmpfs 1024 512 512 50% /dev/shm"', { text });
  }
  return found;
}

/** A snapshot's file, as {@linkcode parseDf} reads it. */
export const df: Source<Parsed<readonly DfMount[]>> = defineArtifact({
  name: "df",
  paths: [
    "sos_commands/filesys/df_-al_-x_autofs",
    "sos_commands/filesys/df_-al",
    "sos_commands/filesys/df_-al_*",
    // insights-client: -P writes another header.
    "sos_commands/filesys/df_-alP*",
  ],
  howToCapture: "df -al -x autofs",
  parse: parseDf,
});

/** A snapshot's file, as {@linkcode parseDfInodes} reads it. */
export const dfInodes: Source<Parsed<readonly DfInodes[]>> = defineArtifact({
  name: "df -i",
  paths: [
    "sos_commands/filesys/df_-ali_-x_autofs",
    "sos_commands/filesys/df_-ali*",
    // insights-client, and supportconfig.
    "sos_commands/filesys/df_-li*",
    "sos_commands/filesys/df_-i",
  ],
  howToCapture: "df -ali -x autofs",
  parse: parseDfInodes,
});
