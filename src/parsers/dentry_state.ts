// proc/sys/fs/dentry-state: names that the kernel remembers. nr_dentry, nr_unused, age_limit, want_pages, nr_negative (of the unused ones,
// from 4.20 on, a constant 0 before), dummy.
// https://docs.kernel.org/admin-guide/sysctl/fs.html#dentry-state
//
//   857134	855092	45	0	714414	0
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns } from "./_lines.ts";
import { parseInteger } from "./_numbers.ts";

/** Counts of dentries. */
export interface DentryState {
  readonly all: number;
  /** Given back under pressure. */
  readonly unused: number;
  /** Names that do not exist. */
  readonly negative: number;
  readonly line: number;
}

/**
 * Parses /proc/sys/fs/dentry-state.
 *
 * @throws {ParseError} if it is not six numbers, or one is below zero: the counters of several CPUs do not always add up.
 *
 * @example
 * ```ts
 * import { parseDentryState } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseDentryState("857134\t855092\t45\t0\t714414\t0\n").negative, 714_414);
 * ```
 */
export function parseDentryState(text: string): DentryState {
  const numbers = columns(text.split("\n", 1)[0] ?? "").map(parseInteger);
  const [all, unused, , , negative] = numbers;
  if (
    all === undefined || unused === undefined || negative === undefined || numbers.length !== 6 || all < 0 ||
    unused < 0 || negative < 0
  ) throw new ParseError("Cannot parse dentry-state", { line: 1, text });
  return { all, unused, negative, line: 1 };
}

/** A snapshot's file, as {@linkcode parseDentryState} reads it. */
export const dentryState: Source<Parsed<DentryState>> = defineArtifact({
  name: "dentry-state",
  paths: ["proc/sys/fs/dentry-state"],
  howToCapture: "cat /proc/sys/fs/dentry-state",
  parse: parseDentryState,
});
