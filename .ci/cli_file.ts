/** Puts the command line together: one file, whose program stands in a comment. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** What stands in the program for the end of a comment. */
const ESCAPE = "*@/";

/**
 * The whole file.
 *
 * @param program The program, built as CommonJS: ASCII, one character a byte.
 */
export function cliFile(program: string): string {
  if (program.includes(ESCAPE)) {
    throw new RangeError(`The program contains ${ESCAPE}, which stands for the end of a comment`);
  }
  const hash = createHash("sha256").update(program).digest("hex").slice(0, 16);
  const start = readFileSync(".ci/cli_start.js", "utf8").replace("PROGRAM_HASH", hash);
  return `#!/usr/bin/env node\n${start}\n/*program\n${program.replaceAll("*/", ESCAPE)}*/\n`;
}
