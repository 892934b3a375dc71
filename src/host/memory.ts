/**
 * A machine that consists of a few paths, for tests: a file further down in its description is newer. Its clock stands
 * still except while something waits.
 */
import type { Failure, Host, Limits, MachineFacts, ReadResult } from "../core/host.ts";

/** What a path or program of the in-memory host gives: content, or what goes wrong. */
export type MemoryContent = string | Uint8Array | Failure | { readonly status: "hung" };

/** What a machine in memory consists of. A path that is not here is missing on it. */
export interface MemoryMachine {
  /** By absolute path. */
  readonly files: Readonly<Record<string, MemoryContent>>;
  /** Symbolic links of /proc, by path. */
  readonly links?: Readonly<Record<string, string>>;
  /** What programs print, by their words joined with spaces; one that is not here is not installed. */
  readonly commands?: Readonly<Record<string, MemoryContent>>;
  readonly facts?: Partial<MachineFacts>;
  /** Milliseconds since 1970 at the start. */
  readonly now?: number;
}

const facts: MachineFacts = {
  hostname: "memory",
  kernelRelease: "6.18.0",
  machine: "x86_64",
  pageSizeBytes: 4096,
  userHz: 100,
  cpus: 2,
  euid: 0,
};

/** 2026-11-23T06:01:02Z. */
const START = 1795413662000;

const utf8 = new TextEncoder();

/**
 * Makes a host of a description.
 *
 * @example
 * ```ts
 * import { memoryHost } from "nailhouse/host";
 * import { deepEqual } from "node:assert";
 *
 * const host = memoryHost({ files: { "/proc/uptime": { status: "denied" } } });
 * deepEqual(host.readNow("/proc/uptime", 4096), { status: "denied" });
 * deepEqual(host.readNow("/proc/meminfo", 4096), { status: "missing" });
 * ```
 */
export function memoryHost(machine: MemoryMachine): Host {
  const links = machine.links ?? {};
  let now = machine.now ?? START;

  const give = (content: MemoryContent | undefined, limits: Limits): ReadResult => {
    if (content === undefined) return { status: "missing" };
    if (typeof content === "object" && "status" in content) {
      if (content.status !== "hung") return content;
      now += limits.timeoutMs;
      return { status: "hung", bytes: new Uint8Array(0) };
    }
    const bytes = typeof content === "string" ? utf8.encode(content) : content;
    return { status: "ok", bytes: bytes.slice(0, limits.maxBytes), truncated: bytes.length > limits.maxBytes };
  };
  const read = (path: string, limits: Limits): ReadResult => give(machine.files[path], limits);
  const below = (path: string): string[] =>
    [...Object.keys(machine.files), ...Object.keys(links)].filter((each) => each.startsWith(`${path}/`)).map((each) =>
      each.slice(path.length + 1)
    );

  return {
    facts: { ...facts, ...machine.facts },
    localPath: (path) => path,
    now: () => now,
    sleep: (milliseconds, signal) => {
      if (signal?.aborted !== true) now += milliseconds;
      return Promise.resolve();
    },
    readNow: (path, maxBytes) => read(path, { maxBytes, timeoutMs: 0 }),
    listNow(path, { max = Infinity, only } = {}) {
      const paths = below(path);
      if (paths.length === 0) return { status: "missing" };
      const wanted = only === "folders" ? paths.filter((each) => each.includes("/")) : paths;
      return { status: "ok", names: [...new Set(wanted.map((each) => each.split("/")[0] as string))].slice(0, max) };
    },
    readlinkNow: (path) => links[path],
    readFile: (path, limits) => Promise.resolve(read(path, limits)),
    async *readInChild(paths, limits) {
      for (const path of paths) yield { path, result: await Promise.resolve(read(path, limits)) };
    },
    listNewest(path) {
      const names = below(path).filter((each) => !each.includes("/"));
      return Promise.resolve(names.length === 0 ? { status: "missing" } : { status: "ok", names: names.reverse() });
    },
    openRange(path) {
      const whole = read(path, { maxBytes: Infinity, timeoutMs: 0 });
      if (whole.status === "hung") return { status: "missing" };
      if (whole.status !== "ok") return whole;
      return {
        read(buffer, position) {
          const part = whole.bytes.subarray(position, position + buffer.length);
          buffer.set(part);
          return part.length;
        },
        close() {},
      };
    },
    run: (argv, limits, via = []) => Promise.resolve(give(machine.commands?.[[...via, ...argv].join(" ")], limits)),
  };
}
