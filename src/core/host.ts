/** How the engine touches a machine: always through this interface, which is handed to it. */

/** Constants and names of the machine. */
export interface MachineFacts {
  readonly hostname: string;
  readonly kernelRelease: string;
  /** As `uname -m` prints it. */
  readonly machine: string;
  readonly pageSizeBytes: number;
  /** Clock ticks a second, the unit of times in /proc/PID/stat. */
  readonly userHz: number;
  /** Online CPUs. */
  readonly cpus: number;
  /** Effective user id of the collector. */
  readonly euid: number;
}

/** Limits of one read or one program. */
export interface Limits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** Ends a waiting read or a running program at once. */
  readonly signal?: AbortSignal | undefined;
}

/** Why there is no content. `missing` covers a process that ended while it was read. */
export type Failure =
  | { readonly status: "missing" }
  | { readonly status: "denied" }
  /** A folder, FIFO, device or socket, which is not opened: reading it may block for ever. */
  | { readonly status: "not-regular" }
  | { readonly status: "failed"; readonly message: string };

/** What became of reading a file or running a program. */
export type ReadResult =
  | { readonly status: "ok"; readonly bytes: Uint8Array; readonly truncated: boolean }
  /** Given up after the time limit; `bytes` is what came until then. */
  | { readonly status: "hung"; readonly bytes: Uint8Array }
  | Failure;

/** What became of listing a folder: its names without the path, or why there are none. */
export type ListResult = { readonly status: "ok"; readonly names: readonly string[] } | Failure;

/** An open file that is read at chosen places. */
export interface RangeReader {
  /**
   * Fills the buffer from this position; returns how many bytes there were, 0 past the end. Throws what the system
   * says.
   */
  read(buffer: Uint8Array, position: number): number;
  close(): void;
}

/**
 * A machine that is looked at: `nodeHost()` is this one, `memoryHost()` one for tests. Paths are absolute; what a path or a program does wrong is a
 * result, never an error.
 */
export interface Host {
  readonly facts: MachineFacts;
  /** Milliseconds since 1970. */
  now(): number;
  /** Ends early, without an error, when the signal is given. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;

  /**
   * Reads a file of /proc or /sys that the kernel answers without waiting for a lock. Many times cheaper than
   * {@linkcode readFile} (8 against 190 microseconds), and cannot be given up on.
   */
  readNow(path: string, maxBytes: number): ReadResult;
  /** The names in a folder of /proc or /sys: at most `max` of them, only those that are folders themselves. */
  listNow(path: string, options?: { readonly max?: number; readonly only?: "folders" }): ListResult;
  /** Where a symbolic link of /proc points; undefined when that cannot be told. */
  readlinkNow(path: string): string | undefined;

  /** Reads any file, and gives up on one that does not answer. The size that the system reports is never trusted. */
  readFile(path: string, limits: Limits): Promise<ReadResult>;
  /**
   * Reads files one after the other in one child process, which is killed when a file does not answer; another goes on
   * behind it. Results come in any order.
   *
   * @param via A command that the reader is run through, such as `nsenter --net=...`.
   */
  readInChild(
    paths: readonly string[],
    limits: Limits,
    via?: readonly string[],
  ): AsyncIterable<{ readonly path: string; readonly result: ReadResult }>;
  /** The names in any folder, the newest file first. */
  listNewest(path: string, limits: Limits): Promise<ListResult | { readonly status: "hung" }>;
  openRange(path: string): RangeReader | Failure;
  /**
   * What a program prints on its standard output. `missing` when it is not installed; `failed` only when it printed
   * nothing at all, because many programs return an error for one line out of a thousand.
   *
   * In a container the host's own program is run, if there is one: it sees the host's files and processes.
   *
   * @param via A command that the program is run through, such as `nsenter --net=...`.
   */
  run(argv: readonly string[], limits: Limits, via?: readonly string[]): Promise<ReadResult>;
  /** How programs on this machine reach a path of the host, which may be mounted below some folder. */
  localPath(path: string): string;
}

/** Takes what is captured, entry by entry. */
export interface Sink {
  /** `path` is relative to the bundle's root directory. The bytes may be changed after the promise is fulfilled. */
  file(path: string, bytes: Uint8Array, mtimeMs: number): Promise<void>;
  /** Everything so far can be read back, even if nothing follows. */
  flush(): Promise<void>;
}
