/** The real host: Linux, through node: modules, which Deno and Bun have as well. */
import * as fs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { FolderResult, Host, Limits, MachineFacts, ReadResult } from "../core/host.ts";
import { readWithCat, runProgram } from "./node_child.ts";
import { failureOf, readOnThread, readSync } from "./node_read.ts";

export interface NodeHost extends Host {
  /**
   * How many reads have not come back yet. Each keeps a thread that nothing can end: then process.exit() blocks, and only SIGKILL ends this
   * process.
   */
  readonly stuckReads: () => number;
}

/** Entries of the auxiliary vector (getauxval(3)). */
const AT_PAGESZ = 6;
const AT_CLKTCK = 17;

/** Page size and clock ticks as the kernel told them to this process: no child, no guess. */
function auxiliaryVector(): Map<number, number> {
  const read = readSync("/proc/self/auxv", 4096);
  if (read.status !== "ok") throw new Error(`Cannot read /proc/self/auxv (${read.status}): is this Linux, with /proc mounted?`);
  const wide = !["arm", "ia32", "mips", "mipsel", "ppc"].includes(process.arch);
  const words = wide ? new BigUint64Array(read.bytes.slice().buffer) : new Uint32Array(read.bytes.slice().buffer);
  const values = new Map<number, number>();
  for (let i = 0; i + 1 < words.length; i += 2) values.set(Number(words[i]), Number(words[i + 1]));
  return values;
}

/** Counts a kernel list such as "0-3,8". */
function countList(list: string): number {
  return list.trim().split(",").reduce((sum, range) => {
    const [first, last = first] = range.split("-").map(Number);
    return sum + (last as number) - (first as number) + 1;
  }, 0);
}

function text(path: string): string | undefined {
  const read = readSync(path, 64 * 1024);
  return read.status === "ok" ? new TextDecoder().decode(read.bytes).trim() : undefined;
}

function machineFacts(root: string): MachineFacts {
  const vector = auxiliaryVector();
  const pageSizeBytes = vector.get(AT_PAGESZ);
  const userHz = vector.get(AT_CLKTCK);
  if (pageSizeBytes === undefined || userHz === undefined) {
    throw new Error("Cannot find the page size and the clock tick in /proc/self/auxv");
  }
  const online = text(join(root, "sys/devices/system/cpu/online"));
  return {
    // In a container, the system's own name is the container's.
    hostname: (root === "/" ? undefined : text(join(root, "etc/hostname"))) ?? os.hostname(),
    kernelRelease: os.release(),
    machine: os.machine(),
    pageSizeBytes,
    userHz,
    cpus: online === undefined ? os.cpus().length : countList(online),
    euid: process.geteuid?.() ?? -1,
  };
}

async function folder(path: string): Promise<FolderResult> {
  try {
    const entries = await fs.promises.readdir(path, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
    const stats = await Promise.all(names.map((name) => fs.promises.stat(join(path, name))));
    return { status: "ok", files: stats.map((stat, i) => ({ name: names[i] as string, bytes: stat.size, mtimeMs: stat.mtimeMs })) };
  } catch (error) {
    return failureOf(error);
  }
}

/** The first `max` names; a large folder is not read to its end. */
function firstNames(path: string, max: number): string[] {
  const names: string[] = [];
  const folder = fs.opendirSync(path);
  try {
    for (let entry = folder.readSync(); entry !== null && names.length < max; entry = folder.readSync()) names.push(entry.name);
  } finally {
    folder.closeSync();
  }
  return names;
}

/**
 * This machine.
 *
 * @param options.root Where the host's root directory is mounted, for a collector in a container.
 */
export function nodeHost(options: { readonly root?: string } = {}): NodeHost {
  const root = options.root ?? "/";
  const localPath = (path: string) => root === "/" ? path : join(root, path);
  let stuck = 0;

  const inChild = async (path: string, limits: Limits): Promise<ReadResult> => {
    for await (const { result } of readWithCat([path], limits)) return result;
    return { status: "missing" };
  };
  /** What the pool answers, or `otherwise` when it does not in time. */
  const inTime = <T>(answer: Promise<T>, otherwise: T, limits: Omit<Limits, "maxBytes">): Promise<T> =>
    new Promise((resolve) => {
      let late = false;
      const giveUp = () => {
        late = true;
        stuck++;
        limits.signal?.removeEventListener("abort", giveUp);
        resolve(otherwise);
      };
      const timer = setTimeout(giveUp, limits.timeoutMs);
      limits.signal?.addEventListener("abort", giveUp);
      answer.then((result) => {
        clearTimeout(timer);
        limits.signal?.removeEventListener("abort", giveUp);
        if (late) stuck--;
        resolve(result);
      });
    });
  const hung: ReadResult = { status: "hung", bytes: new Uint8Array(0) };

  return {
    facts: machineFacts(root),
    localPath,
    stuckReads: () => stuck,
    now: () => Date.now(),
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const wake = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const timer = setTimeout(wake, milliseconds);
        signal?.addEventListener("abort", wake);
      }),
    readNow: (path, maxBytes) => readSync(localPath(path), maxBytes),
    listNow(path, { max, only } = {}) {
      const local = localPath(path);
      try {
        if (only === "folders") {
          const folders = fs.readdirSync(local, { withFileTypes: true }).filter((entry) => entry.isDirectory());
          return { status: "ok", names: folders.map((entry) => entry.name) };
        }
        return { status: "ok", names: max === undefined ? fs.readdirSync(local) : firstNames(local, max) };
      } catch (error) {
        return failureOf(error);
      }
    },
    readlinkNow(path) {
      try {
        return fs.readlinkSync(localPath(path));
      } catch {
        // The interface's answer: a link that cannot be read (its process ended, or is another user's) tells nothing.
        return undefined;
      }
    },
    // The pool has four threads, and compression needs one of them: after a first one is lost, no more are risked.
    readFile: (path, limits) =>
      stuck > 0 ? inChild(localPath(path), limits) : inTime(readOnThread(localPath(path), limits.maxBytes), hung, limits),
    async *readInChild(paths, limits, via) {
      const asked = new Map(paths.map((path) => [localPath(path), path]));
      for await (const { path, result } of readWithCat([...asked.keys()], limits, via)) {
        yield { path: asked.get(path) as string, result };
      }
    },
    folder: (path, timeoutMs) => inTime(folder(localPath(path)), { status: "hung" }, { timeoutMs }),
    openRange(path) {
      try {
        const fd = fs.openSync(localPath(path), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
        return {
          read: (buffer, position) => fs.readSync(fd, buffer, 0, buffer.length, position),
          close: () => fs.closeSync(fd),
        };
      } catch (error) {
        return failureOf(error);
      }
    },
    run: (argv, limits) => runProgram(argv, limits),
  };
}
