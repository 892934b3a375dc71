import type { Failure, Host, Limits, ReadResult, Sink } from "../core/host.ts";
import type { CollectorStatus } from "../core/manifest.ts";
import { queuedInodes } from "./_queued_inodes.ts";

/**
 * Longer files and outputs are cut here: what matters of a host with a hundred thousand sockets fits, and a collector
 * with a few of them in memory is still small beside the host.
 */
const MAX_FILE_BYTES = 32 * 2 ** 20;
/** A file of the kernel answers within a millisecond, or its lock is held by something stuck. */
const FILE_TIMEOUT_MS = 5_000;
/** With less room than this left, the rest is not tried any more. */
const MIN_ROOM_BYTES = 64 * 1024;

/** Collecting ends here, in an orderly way: the bundle says why and is complete up to this point. */
export class Stopped extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "Stopped";
  }
}

/** Which limits hold for the whole. */
export interface WholeLimits {
  readonly timeoutSeconds: number;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** A process, with its size as far as it can be told. */
export interface ProcessSize {
  readonly pid: string;
  /**
   * Resident, swapped and huge-page memory; undefined for a kernel thread, and for a process whose status cannot be
   * read.
   */
  readonly bytes: number | undefined;
}

/** A network namespace other than the first one. */
export interface Namespace {
  /** As `ip netns` calls it, else `net-INODE`. */
  readonly name: string;
  /** Some processes in it. */
  readonly pids: readonly string[];
  /** What keeps it without a process, a bind mount or a descriptor; undefined where nothing does. */
  readonly keeper: string | undefined;
}

interface Tally {
  files: number;
  bytes: number;
  milliseconds: number;
  readonly problems: Map<string, { readonly path: string; readonly reason: string; times: number }>;
}

/** One run of collecting: what the captures share. */
export class Run {
  readonly host: Host;
  /** Sockets with at least this many queued bytes are noted; undefined when nobody asks for their owners. */
  readonly minQueuedBytes: number | undefined;
  readonly queued: Set<number> = new Set();
  /** Of the running snapshot, found when first needed. */
  processes: readonly ProcessSize[] | undefined;
  namespaces: readonly Namespace[] | undefined;
  /** Descriptors of network namespaces, by the link, as the first snapshot found them. */
  heldNamespaces: ReadonlyMap<string, string> = new Map();
  /** Whether this is the first snapshot. */
  first = true;

  readonly #sink: Sink;
  readonly #whole: WholeLimits;
  readonly #deadline: number;
  readonly #tallies: Map<string, Tally> = new Map();
  #tally: Tally | undefined;
  #prefix = "";
  #bytes = 0;
  #files = 0;

  constructor(host: Host, sink: Sink, whole: WholeLimits, minQueuedBytes: number | undefined) {
    this.host = host;
    this.#sink = sink;
    this.#whole = whole;
    this.#deadline = host.now() + whole.timeoutSeconds * 1000;
    this.minQueuedBytes = minQueuedBytes;
  }

  /** Captured bytes, and the files they are in. */
  get captured(): { files: number; bytes: number } {
    return { files: this.#files, bytes: this.#bytes };
  }

  /** Begins a snapshot whose files are stored below a folder, "" for the first one. */
  startSnapshot(prefix: string): void {
    this.first = prefix === "";
    this.#prefix = prefix;
    this.processes = this.namespaces = undefined;
  }

  /** Does a collector's work and books it under its id. */
  async as(id: string, work: () => Promise<void>): Promise<void> {
    const tally = this.#tallies.get(id) ?? { files: 0, bytes: 0, milliseconds: 0, problems: new Map() };
    this.#tallies.set(id, tally);
    this.#tally = tally;
    const start = this.host.now();
    try {
      await work();
    } finally {
      tally.milliseconds += this.host.now() - start;
      this.#tally = undefined;
    }
  }

  /** @throws {Stopped} When the whole may not go on. */
  checkpoint(): void {
    if (this.#whole.signal?.aborted === true) throw new Stopped("interrupted");
    if (this.host.now() >= this.#deadline) {
      throw new Stopped(`the time limit of ${this.#whole.timeoutSeconds} s for the whole was reached`);
    }
    if (this.room < MIN_ROOM_BYTES) {
      throw new Stopped(`the size limit of ${this.#whole.maxBytes} bytes for the whole was reached`);
    }
  }

  /** Bytes that may still be captured. */
  get room(): number {
    return this.#whole.maxBytes - this.#bytes;
  }

  /** The limits of one file or program. */
  limits(maxBytes: number = MAX_FILE_BYTES, timeoutMs: number = FILE_TIMEOUT_MS): Limits {
    this.checkpoint();
    return {
      // At most half of what is left: one huge file leaves room for all the small ones.
      maxBytes: Math.min(maxBytes, Math.floor(this.room / 2)),
      timeoutMs: Math.min(timeoutMs, this.#deadline - this.host.now()),
      signal: this.#whole.signal,
    };
  }

  /** Waits, but not beyond the end of the whole. */
  async sleepUntil(time: number): Promise<void> {
    await this.host.sleep(Math.max(0, Math.min(time, this.#deadline) - this.host.now()), this.#whole.signal);
    this.checkpoint();
  }

  /** Writes a file of the running snapshot. */
  async store(path: string, bytes: Uint8Array): Promise<void> {
    const { minQueuedBytes } = this;
    if (minQueuedBytes !== undefined && this.first) {
      for (const inode of queuedInodes(path, bytes, minQueuedBytes)) this.queued.add(inode);
    }
    await this.#sink.file(this.#prefix + path, bytes, this.host.now());
    this.#bytes += bytes.length;
    this.#files++;
    if (this.#tally !== undefined) {
      this.#tally.files++;
      this.#tally.bytes += bytes.length;
    }
  }

  /**
   * Stores what was read, or notes why there is nothing.
   *
   * @param group Problems are noted under this path: a thousand processes are one line.
   */
  async keep(path: string, result: ReadResult, group: string = path): Promise<void> {
    switch (result.status) {
      case "ok":
        await this.store(path, result.bytes);
        if (result.truncated) this.problem(group, `longer than its limit: cut to its first bytes`);
        return;
      case "hung":
        if (result.bytes.length > 0) await this.store(path, result.bytes);
        this.checkpoint();
        // Each one by its own name: which file hung tells which process is stuck.
        this.problem(
          path,
          "did not answer in time" + (result.bytes.length > 0 ? ": what came until then is kept" : ""),
        );
        return;
      default:
        this.fail(group, result);
    }
  }

  /** Notes why something is not there. What does not exist, or does not any more, is no problem. */
  fail(path: string, failure: Failure): void {
    if (failure.status === "missing") return;
    if (failure.status === "denied") {
      this.problem(path, this.host.facts.euid === 0 ? "permission denied" : "permission denied: not root");
    } else if (failure.status === "not-regular") this.problem(path, "not a regular file: not opened");
    else this.problem(path, failure.message);
  }

  problem(path: string, reason: string): void {
    const problems = this.#tally?.problems;
    const key = `${path}\n${reason}`;
    const known = problems?.get(key);
    if (known !== undefined) known.times++;
    else problems?.set(key, { path, reason, times: 1 });
  }

  statuses(): CollectorStatus[] {
    return [...this.#tallies].map(([id, tally]) => ({
      id,
      files: tally.files,
      bytes: tally.bytes,
      milliseconds: Math.round(tally.milliseconds),
      problems: [...tally.problems.values()].map(({ path, reason, times }) => ({
        path,
        reason: times === 1 ? reason : `${reason} (${times} times)`,
      })),
    }));
  }

  async flush(): Promise<void> {
    await this.#sink.flush();
  }
}
