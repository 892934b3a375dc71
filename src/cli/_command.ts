import type { ParseArgsConfig } from "node:util";

/** What may be typed at a place of the command line, for completion: one of these words, or a path. */
export type Words = readonly string[] | "paths";

/** One command of the command line. */
export interface Command {
  /** What `run` takes, as parseArgs() wants it. */
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  /** Of its options those whose value is one of some words, or a path. */
  readonly optionWords?: Readonly<Record<string, Words>>;
  /** What else it takes. */
  readonly words: Words;
  /** Carries it out; the result is the exit code. */
  readonly run: (args: string[]) => Promise<number>;
  readonly help: string;
}

/** A command line that cannot be carried out as it is written. The command line exits with 2. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}
