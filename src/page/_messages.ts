/** What the page and its worker say to each other. The page sends one Blob; the worker answers with these, the last of them "ended" or "failed". */

export interface ProgressMessage {
  readonly kind: "progress";
  /** Bytes of the bundle read so far. */
  readonly readBytes: number;
}

/** All that the page shows and saves of one bundle, made in the worker so that the page stays responsive. */
export interface DoneMessage {
  readonly kind: "done";
  /** Where in the file the bundle is: empty, or the path of an archive in it. */
  readonly path: string;
  readonly headline: string;
  /** As `analyze -f json` prints it, byte for byte. */
  readonly json: string;
  /** As `analyze -f html` prints it. */
  readonly html: string;
  /** The report to be put into the page. */
  readonly markup: string;
}

/** All bundles of the file have been told. */
export interface EndedMessage {
  readonly kind: "ended";
  /** What was wrong that is in no report. */
  readonly problems: readonly string[];
}

export interface FailedMessage {
  readonly kind: "failed";
  readonly message: string;
}

export type WorkerMessage = ProgressMessage | DoneMessage | EndedMessage | FailedMessage;
