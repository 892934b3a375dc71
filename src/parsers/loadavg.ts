// proc/loadavg: load over 1, 5 and 15 minutes, runnable and all threads, the last pid given out.
//
//   3.85 1.43 0.50 4/88 6658
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** The one line. */
export interface Loadavg {
  readonly load1: number;
  readonly load5: number;
  readonly load15: number;
  readonly runnableThreads: number;
  /** All threads of the host, the kernel's own included. */
  readonly threads: number;
  readonly line: number;
}

/**
 * Parses /proc/loadavg.
 *
 * @throws {ParseError} if it is anything else.
 *
 * @example
 * ```ts
 * import { parseLoadavg } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseLoadavg("3.85 1.43 0.50 4/88 6658\n").threads, 88);
 * ```
 */
export function parseLoadavg(text: string): Loadavg {
  const words = columns(text.split("\n", 1)[0] as string);
  const [load1, load5, load15] = words.slice(0, 3).map((word) =>
    /^\d{1,9}\.\d\d$/.test(word) ? Number(word) : undefined
  );
  const [runnableThreads, threads] = (words[3] ?? "").split("/").map(parseCount);
  if (
    load1 === undefined || load5 === undefined || load15 === undefined || runnableThreads === undefined ||
    threads === undefined
  ) throw new ParseError("Cannot parse loadavg", { line: 1, text });
  return { load1, load5, load15, runnableThreads, threads, line: 1 };
}

/** A snapshot's file, as {@linkcode parseLoadavg} reads it. */
export const loadavg: Source<Parsed<Loadavg>> = defineArtifact({
  name: "loadavg",
  paths: ["proc/loadavg"],
  howToCapture: "cat /proc/loadavg",
  parse: parseLoadavg,
});
