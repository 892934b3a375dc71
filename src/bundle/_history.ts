/** Of the snapshots of a long history those that are kept: it may be of months, of which no trend gets better. */

/** The folder of snapshots after the first, each in one that is called by its time. */
const HISTORY = "history/";
/** Each costs a millisecond to analyze. */
const MAX_SNAPSHOTS = 1_000;
/** A thousand samples of an ordinary host have 7 MB; of one with thousands of processes and slab caches some hundred are kept. */
const MAX_BYTES = 24 * 2 ** 20;
/** So much more is let in before it is thinned out, that it is seldom done. */
const SLACK = 1.25;

/** The name of the snapshot that a path is in; undefined for the first snapshot. */
export function snapshotOf(path: string): string | undefined {
  if (!path.startsWith(HISTORY)) return undefined;
  const end = path.indexOf("/", HISTORY.length);
  return end > HISTORY.length ? path.slice(HISTORY.length, end) : undefined;
}

/** A path within its snapshot, whose name is `name`. */
export function belowSnapshot(path: string, name: string | undefined): string {
  return name === undefined ? path : path.slice(HISTORY.length + name.length + 1);
}

/** The opposite of {@linkcode belowSnapshot}. */
export function pathInBundle(below: string, name: string | undefined): string {
  return name === undefined ? below : `${HISTORY}${name}/${below}`;
}

/** The length of what {@linkcode pathInBundle} gives. */
export function pathLength(below: string, name: string | undefined): number {
  return name === undefined ? below.length : HISTORY.length + name.length + 1 + below.length;
}

/** The newer half, for the rates of what goes on, and of the older ones one in so much time that there are no more than `most`. */
function chosen(names: Iterable<string>, most: number): Set<string> {
  // By the clock of one host, written alike: in order of time.
  const sorted = [...names].sort();
  const newest = Math.ceil(most / 2);
  let older = sorted.slice(0, -newest).map((name) => ({ name, time: Date.parse(name) }));
  // Powers of two, so that what is left out once is not missed later.
  for (let gapMs = 1024; older.length > most - newest; gapMs *= 2) {
    const taken = new Set<number>();
    older = older.filter(({ time }) => {
      const slot = Math.floor(time / gapMs);
      const isFirst = !taken.has(slot);
      taken.add(slot);
      return isFirst;
    });
  }
  return new Set([...older.map(({ name }) => name), ...sorted.slice(-newest)]);
}

/** Decides of each snapshot whether it is kept, while they come. */
export class HistoryThinner {
  #kept: Set<string> = new Set();
  readonly #dropped: Set<string> = new Set();
  #bytes = 0;
  readonly #drop: (isKept: (name: string) => boolean) => number;

  /** @param drop Told, whenever there are too many, whose files go after all; gives the number of bytes that stay. */
  constructor(drop: (isKept: (name: string) => boolean) => number) {
    this.#drop = drop;
  }

  /** Whether a snapshot's files are to be kept. */
  admits(name: string): boolean {
    return !this.#dropped.has(name);
  }

  /** A file of a snapshot was kept. */
  add(name: string, bytes: number): void {
    this.#bytes += bytes;
    if (this.#kept.has(name)) return;
    this.#kept.add(name);
    this.#thin(SLACK);
  }

  #thin(slack: number): void {
    const most = Math.floor(Math.min(MAX_SNAPSHOTS, MAX_BYTES / (this.#bytes / Math.max(1, this.#kept.size))));
    if (this.#kept.size <= slack * Math.max(2, most)) return;
    const kept = chosen(this.#kept, Math.max(2, most));
    for (const name of this.#kept) if (!kept.has(name)) this.#dropped.add(name);
    this.#kept = kept;
    this.#bytes = this.#drop((name) => kept.has(name));
  }

  /** When there are no more. A warning, when some were left out. */
  end(): string | undefined {
    this.#thin(1);
    const all = this.#kept.size + this.#dropped.size;
    return this.#dropped.size === 0
      ? undefined
      : `history: ${this.#kept.size} of ${all} snapshots are used, the newest ones among them`;
  }
}
