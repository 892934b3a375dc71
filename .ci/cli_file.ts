/** Puts the command line together: one file, whose program stands in a comment. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { answers } from "../src/cli/_help.ts";

/** What stands in the program for the end of a comment: of the same length, so that it is put back where it stands. */
const ESCAPE = "*@";

/**
 * The whole file.
 *
 * @param program The program, built as CommonJS: ASCII, one character a byte.
 */
export function cliFile(program: string): string {
  if (program.includes(ESCAPE)) {
    throw new RangeError(`The program contains ${ESCAPE}, which stands for the end of a comment`);
  }
  const other = /.{0,20}[^\0-\x7f]/.exec(program);
  if (other !== null) {
    throw new RangeError(`The program is not ASCII, which esbuild makes of all but tagged templates: ${other[0]}`);
  }
  const wrapped = `(function(require,programUrl){${program}\n})`;
  const start = readFileSync(".ci/cli_start.js", "utf8");
  const before = `#!/usr/bin/env node\n${start}\n/*program\n`;
  const built: Readonly<Record<string, string | number>> = {
    PROGRAM_HASH: createHash("sha256").update(program).digest("hex").slice(0, 16),
    PROGRAM_LENGTH: wrapped.length,
    PROGRAM_LINE: before.split("\n").length - 1,
    ESCAPE,
    ANSWERS: `new Map(${JSON.stringify([...answers])})`,
  };
  const filled = before.replace(/\b(?:PROGRAM_(?:HASH|LENGTH|LINE)|ESCAPE|ANSWERS)\b/g, (name) => String(built[name]));
  return `${filled}${wrapped.replaceAll("*/", ESCAPE)}*/\n`;
}
