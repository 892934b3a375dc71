/**
 * A captured file is not what its name says. Thrown only when nothing of the file can be used; a bad row among
 * good ones is a warning (see {@linkcode ParseContext}).
 */
export class ParseError extends SyntaxError {
  /** Line number in the file, from 1; undefined when the file as a whole is wrong. */
  readonly line: number | undefined;
  /** The offending text. */
  readonly text: string | undefined;

  constructor(message: string, where: { line?: number; text?: string } = {}) {
    const at = where.line === undefined ? "" : ` at line ${where.line}`;
    const quoted = where.text === undefined ? "" : `: "${where.text.slice(0, 120)}"`;
    super(`${message}${at}${quoted}`);
    this.name = "ParseError";
    this.line = where.line;
    this.text = where.text;
  }
}

/** What was given to be analyzed cannot be read as a bundle. The command line exits with 3. */
export class BundleError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BundleError";
  }
}

/** What was given is larger than it may be, or meant to do harm. The limit can be raised: `OpenOptions.limits`, `--limit` of the command line. */
export class LimitError extends BundleError {
  /** The limit's name. */
  readonly limit: string;

  constructor(message: string, limit: string) {
    super(`${message} (limit ${limit})`);
    this.name = "LimitError";
    this.limit = limit;
  }
}

/** This machine cannot be looked at (no Linux, no /proc, no permission). The command line exits with 3. */
export class HostError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "HostError";
  }
}
