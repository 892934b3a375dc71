/**
 * Whether what waits in pipes and sockets may be read, and written anew as fast: then it is as much at each look, but not without those who do so computing for
 * as long as it takes to copy it.
 */
import type { SourceLine } from "../core/ledger.ts";
import { sumOf } from "../core/sums.ts";
import type { ProcessLife } from "./process_lives.ts";

/**
 * No processor copies faster than the first. Who does something with what it reads, or reads by the page, is slower than the second (64 KiB at a time: 7
 * GiB a second are written and read, 4 KiB: 3.5, 512 bytes: 0.6, measured).
 */
export const FASTEST_COPY_BYTES_PER_SECOND: number = 10 * 2 ** 30;
export const USUAL_COPY_BYTES_PER_SECOND: number = 2 ** 30;

/** By pid. */
export type Lives = ReadonlyMap<number, ProcessLife>;

/** How long processes computed while they were watched, with where the first of them is listed; undefined where they were not. */
export function workOf(
  pids: readonly number[],
  lives: Lives | undefined,
): (SourceLine & { readonly cpuSeconds: number }) | undefined {
  const known = pids.flatMap((pid) => lives?.get(pid) ?? []).filter((life) => life.cpuSeconds !== undefined);
  const [first] = known;
  return first && {
    path: first.path,
    line: first.line,
    cpuSeconds: sumOf(known, ({ cpuSeconds = 0 }) => cpuSeconds),
  };
}

/** Whether processes computed long enough to copy as much; undefined where they were not watched. */
export function mayHaveCopied(
  bytes: number,
  pids: readonly number[],
  lives: Lives | undefined,
  bytesPerSecond: number,
): boolean | undefined {
  const work = workOf(pids, lives);
  return work && work.cpuSeconds * bytesPerSecond >= bytes;
}
