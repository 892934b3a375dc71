/** Of each kind of thing that can be wrong a thousand times in a hostile bundle, this many are told. */
const MAX_ALIKE = 5;

/** Collects warnings, and of those of one kind only the first few. */
export class FewWarnings {
  readonly #into: string[];
  readonly #counts = new Map<string, number>();

  constructor(into: string[]) {
    this.#into = into;
  }

  /** @param kind What the warnings have in common, in words. */
  add(kind: string, message: string): void {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    if (count <= MAX_ALIKE) this.#into.push(message);
  }

  /** Tells how many were not told. */
  end(): void {
    for (const [kind, count] of this.#counts) {
      if (count > MAX_ALIKE) this.#into.push(`${count - MAX_ALIKE} more entries like these: ${kind}`);
    }
  }
}

/** An entry's name for a warning: what follows 200 characters tells nothing. */
export function shortName(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}...` : path;
}

/** Says that a file is not whole. */
export function incomplete(path: string, bytes: Uint8Array): string {
  return bytes.length === 0
    ? `${shortName(path)} cannot be read: left out`
    : `${shortName(path)} is incomplete: its first ${bytes.length} bytes are used`;
}
