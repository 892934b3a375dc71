/** One command of the command line. */
export interface Command {
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
