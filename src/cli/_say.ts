/** What commands print, and what they say besides. */
import process from "node:process";
import { UsageError } from "./_command.ts";

/** Whoever reads what is printed wants no more of it: `nailhouse analyze bundle.tgz -f json | head`. */
export class ReaderGoneError extends Error {
  /** What a shell tells of a program that SIGPIPE ended (128 + 13), as it ends most programs then. */
  static readonly exitCode = 141;
}

const ignore = (): void => {};

/**
 * Writes to standard output.
 *
 * @throws {ReaderGoneError} If nobody reads it any more.
 * @throws {UsageError} If it cannot be written: a file on a full disk.
 */
export function print(text: string): Promise<void> {
  const { stdout } = process;
  // The callback is told the same. Without a listener of ours an error would end the program, with its stack: those of threads' output leave.
  if (!stdout.listeners("error").includes(ignore)) stdout.on("error", ignore);
  return new Promise((done, fail) => {
    stdout.write(text, (error) => {
      if (error === null || error === undefined) done();
      else if ((error as NodeJS.ErrnoException).code === "EPIPE") fail(new ReaderGoneError());
      else fail(new UsageError(`Cannot write to standard output: ${error.message}`, { cause: error }));
    });
  });
}

/** How wide a result is printed. A terminal whose size nobody has set (`ssh -tt` from a job, a container) says 0. */
export function columnsOf(toFile: boolean): number {
  return !toFile && process.stdout.columns > 0 ? process.stdout.columns : 80;
}

let hasSaid = false;

/** Writes a line to standard error. */
export function say(text: string): void {
  hasSaid = true;
  console.error(text);
}

/** Waits until all that was said has left this process. Without a word standard error is not even opened: for a pipe that takes Node milliseconds. */
export async function allIsSaid(): Promise<void> {
  if (hasSaid) await new Promise((done) => process.stderr.write("", done));
}
