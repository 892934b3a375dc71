/** Paths that come again in each snapshot of a long history: hundreds of thousands, of which a few dozen differ in more than the snapshot's name. */
import type { Entry } from "../core/bundle.ts";
import { isSurelyShort, type PlacedEntry } from "./_places.ts";
import type { BundleLimits } from "./limits.ts";

/** More are of thousands of processes, or of a hostile bundle: those are placed one by one. */
const MAX_PATHS = 10_000;

/** What holds of a path in each snapshot. */
export interface Recurring {
  /** Below the snapshot's folder. */
  readonly below: string;
  readonly isWanted: boolean;
}

/** Remembers what was found out of files in snapshots. */
export class RecurringPaths {
  readonly #limits: BundleLimits;
  readonly #known: Map<string, Recurring> = new Map();
  /** How paths of the last snapshot begin in the archive. */
  #start: string | undefined;
  /** The name of the last snapshot. */
  snapshot = "";

  constructor(limits: BundleLimits) {
    this.#limits = limits;
  }

  /** Of a file in the last snapshot; undefined for an entry that is to be placed. */
  of({ path, kind }: Entry): Recurring | undefined {
    const start = this.#start;
    if (start === undefined || kind !== "file" || !path.startsWith(start)) return undefined;
    return isSurelyShort(path, this.#limits) ? this.#known.get(path.slice(start.length)) : undefined;
  }

  /** A file of a snapshot was placed by its path in the archive. */
  add({ path, entry }: PlacedEntry, snapshot: string, file: Recurring): void {
    // Where `./` or the like stands in it, it may be written in another way than the others.
    if (!entry.path.endsWith(path)) return;
    this.snapshot = snapshot;
    this.#start = entry.path.slice(0, entry.path.length - file.below.length);
    if (this.#known.size < MAX_PATHS) this.#known.set(file.below, file);
  }
}
