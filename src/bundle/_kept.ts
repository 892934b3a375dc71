/** What is kept of a bundle while it is read. */
import { CONDENSE_FROM_BYTES, type Entry } from "../core/bundle.ts";
import { FewWarnings, incomplete } from "./_few.ts";
import { belowSnapshot, HistoryThinner, snapshotOf } from "./_history.ts";
import { IdleSockets } from "./_idle_sockets.ts";
import { PackedFiles } from "./_packed_files.ts";
import { linkDestination } from "./_places.ts";
import type { BundleLimits } from "./limits.ts";
import { newestOf } from "./log.ts";

/** Small files are copied into blocks: an array of its own costs each some hundred bytes and a microsecond. */
const BLOCK_BYTES = 16 * 1024;

/** Copies files of snapshots after the first out of the chunk that they came in, which is larger. */
class Copies {
  /** Blocks in use, by the group that they were begun for. */
  readonly #blocks: Map<string, Uint8Array[]> = new Map();
  /** By size. The collector of garbage would be late: it does not see how large they are. */
  readonly #free: Map<number, Uint8Array[]> = new Map();
  #group: string | undefined;
  #block: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** @param group What lies together, and may be given up as a whole: a snapshot. */
  of(bytes: Uint8Array, group: string): Uint8Array {
    const isLarge = bytes.length > BLOCK_BYTES / 4;
    const block = isLarge
      ? this.#take(Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES, group)
      : this.#room(bytes.length, group);
    const from = isLarge ? 0 : this.#used;
    if (!isLarge) this.#used += bytes.length;
    const copy = block.subarray(from, from + bytes.length);
    copy.set(bytes);
    return copy;
  }

  /** The block that has so much room behind what is used of it. */
  #room(size: number, group: string): Uint8Array {
    if (group !== this.#group || this.#used + size > this.#block.length) {
      this.#block = this.#take(BLOCK_BYTES, group);
      this.#group = group;
      this.#used = 0;
    }
    return this.#block;
  }

  #take(size: number, group: string): Uint8Array {
    const block = this.#free.get(size)?.pop() ?? new Uint8Array(size);
    const blocks = this.#blocks.get(group);
    if (blocks === undefined) this.#blocks.set(group, [block]);
    else blocks.push(block);
    return block;
  }

  /** Its copies are used no longer. */
  giveUp(group: string): void {
    for (const block of this.#blocks.get(group) ?? []) {
      const free = this.#free.get(block.length);
      if (free === undefined) this.#free.set(block.length, [block]);
      else free.push(block);
    }
    this.#blocks.delete(group);
  }
}

/** The files of one bundle, within its limits. */
export class Kept {
  readonly files: PackedFiles = new PackedFiles();
  /** Those of snapshots after the first, by its name. */
  readonly #snapshots = new Map<string, { readonly files: Map<string, Uint8Array>; bytes: number }>();
  readonly links: Map<string, string> = new Map();
  readonly #limits: BundleLimits;
  readonly #warnings: string[];
  readonly #few: FewWarnings;
  readonly #idle: IdleSockets = new IdleSockets();
  readonly #copies: Copies = new Copies();
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

  /** False for a file of a snapshot that is left out of a long history. */
  admits(path: string): boolean {
    const name = snapshotOf(path);
    return name === undefined || this.#history.admits(name);
  }

  #drop(isKept: (name: string) => boolean): number {
    let left = 0;
    for (const [name, snapshot] of this.#snapshots) {
      if (isKept(name)) left += snapshot.bytes;
      else {
        this.#snapshots.delete(name);
        this.#copies.giveUp(name);
        this.#room += snapshot.bytes;
      }
    }
    return left;
  }

  addLink(path: string, target: string): void {
    const destination = linkDestination(path, target);
    if (destination !== undefined && this.#take(path.length + destination.length)) this.links.set(path, destination);
  }

  /** Keeps a file: a promise when it must be read first. */
  addFile(path: string, entry: Entry): Promise<void> | undefined {
    if (!this.#take(path.length)) return undefined;
    const maxBytes = Math.min(this.#limits.maxFileBytes, this.#room);
    const { bytes } = entry;
    if (bytes === undefined || bytes.length > Math.min(maxBytes, CONDENSE_FROM_BYTES)) {
      return this.#read(path, entry, maxBytes);
    }
    this.#add(path, bytes, true);
    return undefined;
  }

  async #read(path: string, entry: Entry, maxBytes: number): Promise<void> {
    const limit = maxBytes === this.#limits.maxFileBytes ? "maxFileBytes" : "maxTotalBytes";
    const condenser = this.#idle.condenser(path, (rows) => {
      this.#few.add("rows of sockets", `${path} is large: ${rows} rows of sockets that hold nothing are passed over`);
    }) ?? newestOf(belowSnapshot(path), maxBytes, (keptBytes) => {
      const why = `${path} is longer than ${keptBytes} bytes${keptBytes === maxBytes ? ` (limit ${limit})` : ""}`;
      this.#few.add("is long", `${why}: its newest part is used, and its lines are counted from there`);
    });
    const { bytes, truncated } = await entry.read(maxBytes, condenser);
    if (truncated) {
      const isLimit = bytes.length === maxBytes;
      this.#few.add("is incomplete", incomplete(path, bytes) + (isLimit ? ` (limit ${limit})` : ""));
      if (bytes.length === 0) return;
    }
    this.#add(path, bytes, false);
  }

  /** @param isBorrowed Whether the array is a part of something larger. */
  #add(path: string, bytes: Uint8Array, isBorrowed: boolean): void {
    this.#take(bytes.length);
    const name = snapshotOf(path);
    if (name !== undefined) this.#addLater(name, path, isBorrowed ? this.#copies.of(bytes, name) : bytes);
    else {
      const { size } = this.files;
      if (isBorrowed) this.files.copy(path, bytes);
      else this.files.set(path, bytes);
      if (this.files.size === size) this.#warnTwice(path);
    }
  }

  #addLater(name: string, path: string, bytes: Uint8Array): void {
    let snapshot = this.#snapshots.get(name);
    if (snapshot === undefined) this.#snapshots.set(name, snapshot = { files: new Map(), bytes: 0 });
    if (snapshot.files.has(path)) this.#warnTwice(path);
    snapshot.files.set(path, bytes);
    snapshot.bytes += path.length + bytes.length;
    this.#history.add(name, bytes.length);
  }

  #warnTwice(path: string): void {
    this.#few.add("is in the bundle twice", `${path} is in the bundle twice: the last one is used`);
  }

  end(): void {
    const thinned = this.#history.end();
    if (thinned !== undefined) this.#warnings.push(thinned);
    for (const { files } of this.#snapshots.values()) for (const [path, bytes] of files) this.files.set(path, bytes);
    this.#few.end();
  }
}
