/** What is kept of a bundle while it is read. */
import { CONDENSE_FROM_BYTES, type Entry } from "../core/bundle.ts";
import { FewWarnings, incomplete } from "./_few.ts";
import { HistoryThinner, pathInBundle, pathLength } from "./_history.ts";
import { IdleSockets } from "./_idle_sockets.ts";
import { PackedFiles } from "./_packed_files.ts";
import { linkDestination } from "./_places.ts";
import type { BundleLimits } from "./limits.ts";
import { newestOf } from "./log.ts";

/** Small files are copied into blocks: an array of its own costs each some hundred bytes and a microsecond. */
const BLOCK_BYTES = 16 * 1024;

/** Blocks that were given up, by size. The collector of garbage would be late: it does not see how large they are. */
class Blocks {
  readonly #free: Map<number, Uint8Array[]> = new Map();

  take(size: number): Uint8Array {
    return this.#free.get(size)?.pop() ?? new Uint8Array(size);
  }

  giveUp(block: Uint8Array): void {
    const free = this.#free.get(block.length);
    if (free === undefined) this.#free.set(block.length, [block]);
    else free.push(block);
  }
}

/** The files of one snapshot after the first, which may be given up as a whole. Most are: nothing is made of them before they are asked for. */
class SnapshotFiles {
  readonly #name: string;
  readonly #pool: Blocks;
  /** Below the snapshot's folder. */
  readonly #paths: string[] = [];
  /** What each file stands in, where it begins and where it ends. */
  readonly #arrays: Uint8Array[] = [];
  readonly #spots: number[] = [];
  readonly #blocks: Uint8Array[] = [];
  #block: Uint8Array = new Uint8Array(0);
  #used = 0;
  /** Of paths and contents. */
  bytes = 0;

  constructor(name: string, pool: Blocks) {
    this.#name = name;
    this.#pool = pool;
  }

  /** Keeps the array itself. */
  add(path: string, bytes: Uint8Array): void {
    this.#place(path, bytes, 0, bytes.length);
  }

  /** Keeps what stands in the array now. */
  copy(path: string, bytes: Uint8Array): void {
    const { length } = bytes;
    if (length > BLOCK_BYTES / 4) {
      const block = this.#take(Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES);
      block.set(bytes);
      return this.#place(path, block, 0, length);
    }
    if (this.#used + length > this.#block.length) {
      this.#block = this.#take(BLOCK_BYTES);
      this.#used = 0;
    }
    this.#block.set(bytes, this.#used);
    this.#place(path, this.#block, this.#used, length);
    this.#used += length;
  }

  #take(size: number): Uint8Array {
    const block = this.#pool.take(size);
    this.#blocks.push(block);
    return block;
  }

  #place(path: string, array: Uint8Array, from: number, length: number): void {
    this.#paths.push(path);
    this.#arrays.push(array);
    this.#spots.push(from, from + length);
    this.bytes += pathLength(path, this.#name) + length;
  }

  giveUp(): void {
    for (const block of this.#blocks) this.#pool.giveUp(block);
  }

  *entries(): Generator<[string, Uint8Array]> {
    for (const [i, path] of this.#paths.entries()) {
      yield [
        pathInBundle(path, this.#name),
        (this.#arrays[i] as Uint8Array).subarray(this.#spots[2 * i], this.#spots[2 * i + 1]),
      ];
    }
  }
}

/** The files of one bundle, within its limits. */
export class Kept {
  readonly files: PackedFiles = new PackedFiles();
  /** Those of snapshots after the first, by its name. */
  readonly #snapshots: Map<string, SnapshotFiles> = new Map();
  /** The files of one snapshot come one after the other. */
  #last: { readonly name: string; readonly files: SnapshotFiles } | undefined;
  readonly links: Map<string, string> = new Map();
  readonly #limits: BundleLimits;
  readonly #warnings: string[];
  readonly #few: FewWarnings;
  readonly #idle: IdleSockets = new IdleSockets();
  readonly #blocks: Blocks = new Blocks();
  readonly #history: HistoryThinner = new HistoryThinner((isKept) => this.#drop(isKept));
  #room: number;
  #isFull = false;

  constructor(limits: BundleLimits, warnings: string[]) {
    this.#limits = limits;
    this.#warnings = warnings;
    this.#few = new FewWarnings(warnings);
    this.#room = limits.maxTotalBytes;
  }

  /** Takes so much of the room, if there is as much. */
  #take(bytes: number): boolean {
    if (bytes <= this.#room) {
      this.#room -= bytes;
      return true;
    }
    if (!this.#isFull) {
      const { maxTotalBytes } = this.#limits;
      this.#warnings.push(`more than ${maxTotalBytes} bytes are of use: the rest is left out (limit maxTotalBytes)`);
    }
    this.#isFull = true;
    return false;
  }

  #drop(isKept: (name: string) => boolean): number {
    let left = 0;
    this.#last = undefined;
    for (const [name, snapshot] of this.#snapshots) {
      if (isKept(name)) left += snapshot.bytes;
      else {
        this.#snapshots.delete(name);
        snapshot.giveUp();
        this.#room += snapshot.bytes;
      }
    }
    return left;
  }

  /** False for a snapshot that is left out of a long history. */
  #admits(name: string): boolean {
    return this.#last?.name === name || this.#history.admits(name);
  }

  #snapshot(name: string): SnapshotFiles {
    if (this.#last?.name === name) return this.#last.files;
    let files = this.#snapshots.get(name);
    if (files === undefined) this.#snapshots.set(name, files = new SnapshotFiles(name, this.#blocks));
    this.#last = { name, files };
    return files;
  }

  addLink(path: string, target: string): void {
    const destination = linkDestination(path, target);
    if (destination !== undefined && this.#take(path.length + destination.length)) this.links.set(path, destination);
  }

  /**
   * Keeps a file: a promise when it must be read first.
   *
   * @param below Its path below its snapshot's folder.
   * @param snapshot The name of the one it is of; undefined for the first.
   */
  addFile(below: string, entry: Entry, snapshot: string | undefined): Promise<void> | undefined {
    if (snapshot !== undefined && !this.#admits(snapshot)) return undefined;
    if (!this.#take(pathLength(below, snapshot))) return undefined;
    const maxBytes = Math.min(this.#limits.maxFileBytes, this.#room);
    const { bytes } = entry;
    if (bytes === undefined || bytes.length > Math.min(maxBytes, CONDENSE_FROM_BYTES)) {
      return this.#read(below, entry, snapshot, maxBytes);
    }
    this.#add(below, bytes, snapshot, true);
    return undefined;
  }

  async #read(below: string, entry: Entry, snapshot: string | undefined, maxBytes: number): Promise<void> {
    const path = pathInBundle(below, snapshot);
    const limit = maxBytes === this.#limits.maxFileBytes ? "maxFileBytes" : "maxTotalBytes";
    const condenser = this.#idle.condenser(path, (rows) => {
      this.#few.add("rows of sockets", `${path} is large: ${rows} rows of sockets that hold nothing are passed over`);
    }) ?? newestOf(below, maxBytes, (keptBytes) => {
      const why = `${path} is longer than ${keptBytes} bytes${keptBytes === maxBytes ? ` (limit ${limit})` : ""}`;
      this.#few.add("is long", `${why}: its newest part is used, and its lines are counted from there`);
    });
    const { bytes, truncated } = await entry.read(maxBytes, condenser);
    if (truncated) {
      const isLimit = bytes.length === maxBytes;
      this.#few.add("is incomplete", incomplete(path, bytes) + (isLimit ? ` (limit ${limit})` : ""));
      if (bytes.length === 0) return;
    }
    this.#add(below, bytes, snapshot, false);
  }

  /** @param isBorrowed Whether the array is a part of something larger. */
  #add(below: string, bytes: Uint8Array, name: string | undefined, isBorrowed: boolean): void {
    this.#take(bytes.length);
    if (name !== undefined) {
      const snapshot = this.#snapshot(name);
      if (isBorrowed) snapshot.copy(below, bytes);
      else snapshot.add(below, bytes);
      return this.#history.add(name, bytes.length);
    }
    const { size } = this.files;
    if (isBorrowed) this.files.copy(below, bytes);
    else this.files.set(below, bytes);
    if (this.files.size === size) this.#warnTwice(below);
  }

  #warnTwice(path: string): void {
    this.#few.add("is in the bundle twice", `${path} is in the bundle twice: the last one is used`);
  }

  end(): void {
    const thinned = this.#history.end();
    if (thinned !== undefined) this.#warnings.push(thinned);
    for (const snapshot of this.#snapshots.values()) {
      for (const [path, bytes] of snapshot.entries()) {
        const { size } = this.files;
        this.files.set(path, bytes);
        if (this.files.size === size) this.#warnTwice(path);
      }
    }
    this.#few.end();
  }
}
