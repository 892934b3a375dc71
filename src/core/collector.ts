/**
 * A file of the host, stored under the same path without the leading slash. `*` matches within one path segment. A file
 * that this host does not have is skipped: what its absence means is told by the analysis.
 */
export interface FileCapture {
  readonly kind: "file";
  readonly path: string;
  /** Read again in every snapshot. */
  readonly changing?: true;
  /** The recorder reads it as well, every minute for days: small, cheap, and worth it over time. */
  readonly recorded?: true;
  readonly maxBytes?: number;
}

/** What a program prints, stored under `as`. A program that is not installed is skipped without a warning. */
export interface CommandCapture {
  readonly kind: "command";
  readonly argv: readonly string[];
  /** Path in the bundle, as sosreport names it. */
  readonly as: string;
  readonly changing?: true;
  /** The recorder reads it as well, every minute for days: small, cheap, and worth it over time. */
  readonly recorded?: true;
  readonly timeoutSeconds?: number;
  readonly maxBytes?: number;
  /** Used instead of `argv` on a host with more open files than this (first field of /proc/sys/fs/file-nr). */
  readonly aboveOpenFiles?: { readonly count: number; readonly argv: readonly string[] };
  /** What it prints is of the network namespace it runs in: it is run in that of process 1. */
  readonly network?: true;
}

/** On a host with more open files not every descriptor of every process is looked at, which costs 0.9 KB of kernel memory each: `ss -p` does, and netstat. */
export const MANY_OPEN_FILES = 50_000;

/**
 * Files of every network namespace, from /proc/PID/net of one of its processes, or through nsenter when it has none: then a bind mount keeps it, or a descriptor
 * (looked for where there are no more than {@linkcode MANY_OPEN_FILES}, and not by the recorder).
 */
export interface NetnsCapture {
  readonly kind: "netns";
  /** Names below /proc/net. */
  readonly files: readonly string[];
  /** Run inside each namespace but the first one (which `command` covers); `as` is below the namespace's folder. */
  readonly commands: readonly { readonly argv: readonly string[]; readonly as: string }[];
  readonly changing?: true;
  /** The recorder reads it as well, every minute for days: small, cheap, and worth it over time. */
  readonly recorded?: true;
  readonly maxNamespaces: number;
  readonly maxBytes?: number;
}

/** Files below /proc/PID. */
export interface ProcessCapture {
  readonly kind: "process";
  readonly files: readonly string[];
  /** Only the processes with the most resident and swapped memory. */
  readonly largest?: number;
  /** Read again in every later snapshot, of this many processes with the most memory then. */
  readonly changing?: { readonly largest: number };
  /** The recorder reads them, too, of this many. */
  readonly recorded?: { readonly largest: number };
  /**
   * Reading takes a lock that a stuck process may hold for ever (its mmap_lock, cgroup_mutex): such files are read by a
   * child that can be given up on. Kernel threads, which have no memory of their own, are left out.
   */
  readonly mayHang?: true;
  readonly maxBytes?: number;
}

/**
 * Which processes hold the sockets that hold memory: `/proc/PID/fd/N -> socket:[INODE]` lines, sought no further than
 * needed.
 */
export interface SocketOwnersCapture {
  readonly kind: "socket-owners";
  readonly as: string;
  /** Sockets with fewer queued bytes are not looked up. */
  readonly minQueuedBytes: number;
  /** Give up after this many descriptors: each costs the kernel about 0.9 KB of dentries and inodes. */
  readonly maxDescriptors: number;
}

/**
 * A count of pages by flags and compound order, from /proc/kpageflags: of all pages where some that nothing owns are found in a sample, otherwise
 * of the sample; the census says how many were read. The one thing digested at capture: raw it is gigabytes.
 */
export interface PageFlagsCapture {
  readonly kind: "page-flags";
  readonly as: string;
  /** On a larger host evenly spread blocks are read. */
  readonly maxPages: number;
}

/** The files in a folder, the newest first, up to a total size: for history that other tools keep. */
export interface FolderCapture {
  readonly kind: "folder";
  readonly path: string;
  readonly maxBytes: number;
}

/** The same few files in a folder and in the largest of the folders below it. */
export interface TreeCapture {
  readonly kind: "tree";
  readonly path: string;
  /** The folder is passed over unless it has this file: tells the hierarchies of cgroup v1 and v2 apart. */
  readonly having: string;
  readonly files: readonly string[];
  /** A file with one number: folders below are taken in descending order of it, and passed over where there is none. */
  readonly largestBy: string;
  /** 0 is the folder itself. */
  readonly maxDepth: number;
  readonly maxFolders: number;
}

/** One thing to capture. */
export type Capture =
  | FileCapture
  | CommandCapture
  | NetnsCapture
  | ProcessCapture
  | SocketOwnersCapture
  | PageFlagsCapture
  | FolderCapture
  | TreeCapture;

/** What to capture for one subject: data only, so that it can run here, run as a shell script, or be read. */
export interface Collector {
  readonly id: string;
  readonly title: string;
  /** What the captured files are for. */
  readonly why: string;
  /**
   * Collectors run in ascending order of this: what has to agree with each other is read close together, and memory
   * counters are read before collecting itself moves them.
   */
  readonly priority: number;
  readonly captures: readonly Capture[];
}

/**
 * Declares a collector. Its file and its id have the same name.
 *
 * @example
 * ```ts
 * import { defineCollector } from "nailhouse";
 * import { collect, memoryHost, memorySink } from "nailhouse/host";
 * import { deepEqual } from "node:assert";
 *
 * const cached = defineCollector({
 *   id: "cached",
 *   title: "The counters of cached",
 *   why: "Its memory is a cache that it promises to bound.",
 *   priority: 50,
 *   captures: [{ kind: "file", path: "/run/cached/counters", changing: true }],
 * });
 * const sink = memorySink();
 * await collect(memoryHost({ files: { "/run/cached/counters": "cache_bytes 1\n" } }), [cached], sink, { snapshots: 1 });
 * deepEqual([...sink.files.keys()], ["nailhouse.json", "run/cached/counters", "nailhouse-status.json"]);
 * ```
 */
export function defineCollector(collector: Collector): Collector {
  return collector;
}

/**
 * Several files that are captured alike.
 *
 * @example
 * ```ts
 * import { files } from "nailhouse";
 * import { deepEqual } from "node:assert";
 *
 * deepEqual(files(["/proc/meminfo"], { changing: true }), [{ kind: "file", path: "/proc/meminfo", changing: true }]);
 * ```
 */
export function files(paths: readonly string[], options: Omit<FileCapture, "kind" | "path"> = {}): FileCapture[] {
  return paths.map((path) => ({ kind: "file", path, ...options }));
}
