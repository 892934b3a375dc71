/** An amount of memory and the line that tells it. */
export interface BytesAtLine {
  readonly bytes: number;
  /** From 1. */
  readonly line: number;
}

/** A plain number (a count of pages, events, objects) and the line that tells it. */
export interface NumberAtLine {
  readonly value: number;
  /** From 1. */
  readonly line: number;
}

/** A text and the line it stands in. */
export interface TextAtLine {
  readonly text: string;
  /** From 1. */
  readonly line: number;
}
