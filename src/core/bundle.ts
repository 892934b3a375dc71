import type { Manifest, Status } from "./manifest.ts";
import type { HostFacts } from "./source.ts";

/** Makes a long content shorter while it is read, piece by piece, so that the whole of it is never in memory. */
export interface Condenser {
  /** What is to be kept of the content so far that was not given before. */
  push(piece: Uint8Array): Uint8Array;
  /** The rest, when there is no more. */
  end(): Uint8Array;
}

/** One entry of an archive, a directory or a live host, before it is decided whether to keep it. */
export interface Entry {
  /** As the archive spells it. */
  readonly path: string;
  readonly kind: "file" | "link" | "hard-link" | "other";
  /** For a symbolic link as it was written; for a hard link the path, in the same archive, of the file that it shares. */
  readonly linkTarget?: string;
  /**
   * The content, at most `maxBytes` of it. Only valid until the next entry is asked for.
   *
   * @param condenser What is kept of a content that is longer than {@linkcode CONDENSE_FROM_BYTES} or `maxBytes`, where the entry is read piece by
   * piece.
   */
  read(maxBytes: number, condenser?: Condenser): Promise<{ readonly bytes: Uint8Array; readonly truncated: boolean }>;
  /** The whole content, where it is at hand without waiting. To be copied if it is kept: it may be a part of something larger. */
  readonly bytes?: Uint8Array;
  /** The content as a stream, instead: for an archive in an archive. */
  readonly chunks?: () => AsyncIterable<Uint8Array>;
}

/** Shorter contents are kept as they are: tens of thousands of sockets. */
export const CONDENSE_FROM_BYTES: number = 8 * 2 ** 20;

/** Says which start of the host a snapshot is from. */
export const BOOT_ID_PATH = "proc/sys/kernel/random/boot_id";

/** What was read of a bundle: the files that some source wants, and what is known about the whole. */
export interface Bundle {
  /** Undefined for a sosreport and for a directory that nailhouse did not make. */
  readonly manifest: Manifest | undefined;
  /** Undefined when the bundle was cut off, or is not nailhouse's. */
  readonly status: Status | undefined;
  readonly facts: HostFacts;
  /** By path without the bundle's root directory. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Symbolic links as data, by path without the root directory; targets as they were written. */
  readonly links: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/**
 * Turns a compressed stream into a plain one. What can be read of a cut-off or damaged stream is given before `broken` is told why it ends.
 */
export type Decompress = (
  chunks: AsyncIterable<Uint8Array>,
  broken: (message: string) => void,
) => AsyncIterable<Uint8Array>;
