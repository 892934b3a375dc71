/** The real host: Linux, through node: modules, which Deno and Bun have as well. */
import * as fs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";
import process from "node:process";
import { HostError } from "../core/errors.ts";
import type { Failure, Host, Limits, ListResult, MachineFacts, RangeReader, ReadResult } from "../core/host.ts";
import { readWithCat } from "./node_cat.ts";
import { Programs } from "./node_program.ts";
import { failureOf, readOnThread, readSync, whenOver } from "./node_read.ts";

/** This machine, as {@linkcode nodeHost} gives it. */
export interface NodeHost extends Host {
  /**
   * How many reads have not come back yet. Each keeps a thread that nothing can end: then process.exit() blocks, and
   * only SIGKILL ends this process.
   */
  readonly stuckReads: () => number;
}

/** Entries of the auxiliary vector (getauxval(3)). */
const AT_PAGESZ = 6;
const AT_CLKTCK = 17;

/** Page size and clock ticks as the kernel told them to this process: no child, no guess. */
function auxiliaryVector(): Map<number, number> {
  const read = readSync("/proc/self/auxv", 4096);
  if (read.status !== "ok") {
    const hint = "is this Linux, with /proc mounted, and on Deno with all permissions (deno run -A)?";
    throw new HostError(`Cannot look at this host: /proc/self/auxv is ${read.status}: ${hint}`);
  }
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

function trimmed(read: ReadResult): string | undefined {
  return read.status === "ok" ? new TextDecoder().decode(read.bytes).trim() : undefined;
}

function machineFacts(root: string, hostname: string): MachineFacts {
  const vector = auxiliaryVector();
  const pageSizeBytes = vector.get(AT_PAGESZ);
  const userHz = vector.get(AT_CLKTCK);
  if (pageSizeBytes === undefined || userHz === undefined) {
    throw new HostError("Cannot find the page size and the clock tick in /proc/self/auxv");
  }
  const online = trimmed(readSync(join(root, "sys/devices/system/cpu/online"), 4096));
  return {
    hostname,
    kernelRelease: os.release(),
    machine: os.machine(),
    pageSizeBytes,
    userHz,
    cpus: online === undefined ? os.cpus().length : countList(online),
    euid: process.geteuid?.() ?? -1,
  };
}

/** Of all hosts that are asked for: idle shells stay as long as this process does. */
const programs = new Programs();

/** Lists with `ls`, which can be given up on, unlike a thread that waits for a disk. */
async function listNewest(path: string, limits: Limits): ReturnType<Host["listNewest"]> {
  const listed = await programs.run(["ls", "-1t", path], limits);
  if (listed.status === "failed" && listed.message.includes("No such file")) return { status: "missing" };
  if (listed.status !== "ok") return listed;
  return { status: "ok", names: new TextDecoder().decode(listed.bytes).split("\n").filter((name) => name !== "") };
}

/** The first `max` names; a large folder is not read to its end. */
function firstNames(path: string, max: number): string[] {
  const names: string[] = [];
  const folder = fs.opendirSync(path);
  try {
    for (let entry = folder.readSync(); entry !== null && names.length < max; entry = folder.readSync()) {
      names.push(entry.name);
    }
  } finally {
    folder.closeSync();
  }
  return names;
}

/**
 * Numbers of the kernel's, of which there are hundreds: reading one takes no lock that a stuck task can hold. The way to the pool of threads and back takes three times
 * as long as to read it, and on a busy host twenty times.
 */
const NUMBERS = /^\/(?:proc\/sys|sys\/fs\/cgroup|sys\/kernel\/mm)\//;

/** A file of the kernel's, as this process or the host calls it. */
const KERNEL_FILE = /^\/(?:proc|sys)\//;

/** Whether all of /proc and /sys is the kernel's: a file server (FUSE: lxcfs in a container) that stands in for some files may never answer. */
function isAllKernels(): boolean {
  const mounts = readSync("/proc/self/mountinfo", 2 ** 24);
  const ofFileServer = /^(?:\S+ ){4}\/(?:proc|sys)[/ ].* - fuse(?!ctl)/m;
  return mounts.status === "ok" && !mounts.truncated && !ofFileServer.test(new TextDecoder().decode(mounts.bytes));
}

/** Files whose size and time to answer nobody can promise. */
class Files {
  #stuck = 0;
  // Files whose reader never came back. No other one is sent after it: a recorder would leave thousands behind.
  readonly #unanswered: Set<string> = new Set();
  #isAllKernels: boolean | undefined;

  get stuckReads(): number {
    return this.#stuck;
  }

  /**
   * Reads one file.
   *
   * @param isKernels Whether it is one of /proc or /sys.
   */
  read(path: string, isKernels: boolean, limits: Limits): Promise<ReadResult> {
    if (this.#unanswered.has(path)) return Promise.resolve({ status: "hung", bytes: new Uint8Array(0) });
    const isSure = KERNEL_FILE.test(path) && (this.#isAllKernels ??= isAllKernels());
    if (isSure && NUMBERS.test(path)) return Promise.resolve(readSync(path, limits.maxBytes));
    // A thread that waits for a disk or a network may be beyond SIGKILL, and this process with it: that is left to a
    // child. The pool has four threads, of which compression needs one: after a first one is lost, no more are risked.
    const direct = this.#stuck === 0 && isKernels;
    return direct
      ? this.#inTime(path, readOnThread(path, limits.maxBytes, isSure), limits)
      : this.#inChild(path, limits);
  }

  async #inChild(path: string, limits: Limits): Promise<ReadResult> {
    const onHung = (gone: Promise<void>) => {
      this.#unanswered.add(path);
      gone.then(() => this.#unanswered.delete(path));
    };
    for await (const { result } of readWithCat([path], limits, [], onHung)) return result;
    return { status: "missing" };
  }

  #inTime(path: string, answer: Promise<ReadResult>, limits: Limits): Promise<ReadResult> {
    return new Promise((resolve) => {
      let late = false;
      const callOff = whenOver(limits, () => {
        late = true;
        this.#stuck++;
        this.#unanswered.add(path);
        resolve({ status: "hung", bytes: new Uint8Array(0) });
      });
      answer.then((result) => {
        callOff();
        if (late) {
          this.#stuck--;
          this.#unanswered.delete(path);
        }
        resolve(result);
      });
    });
  }
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    else whenOver({ timeoutMs: milliseconds, signal }, resolve);
  });
}

function list(path: string, { max, only }: NonNullable<Parameters<Host["listNow"]>[1]>): ListResult {
  try {
    if (only === "folders") {
      const folders = fs.readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
      return { status: "ok", names: folders.map((entry) => entry.name) };
    }
    return { status: "ok", names: max === undefined ? fs.readdirSync(path) : firstNames(path, max) };
  } catch (error) {
    return failureOf(error);
  }
}

/** The interface's answer: a link that cannot be read (its process ended, or is another user's) tells nothing. */
function readlink(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch {
    return undefined;
  }
}

function openRange(path: string): RangeReader | Failure {
  try {
    const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    return {
      read: (buffer, position) => fs.readSync(fd, buffer, 0, buffer.length, position),
      close: () => fs.closeSync(fd),
    };
  } catch (error) {
    return failureOf(error);
  }
}

/**
 * This machine.
 *
 * @example
 * ```ts
 * import { nodeHost } from "nailhouse/host";
 * import { ok } from "node:assert";
 * import { platform } from "node:os";
 *
 * if (platform() === "linux") {
 *   const host = await nodeHost();
 *   ok(host.readNow("/proc/meminfo", 4096).status === "ok");
 * }
 * ```
 *
 * @param options.root Where the host's root directory is mounted, for a collector in a container.
 */
export async function nodeHost(options: { readonly root?: string } = {}): Promise<NodeHost> {
  const root = options.root ?? "/";
  const localPath = (path: string) => root === "/" ? path : join(root, path);
  const files = new Files();
  const readFile = (path: string, limits: Limits): Promise<ReadResult> =>
    files.read(localPath(path), KERNEL_FILE.test(path), limits);
  // In a container, the system's own name is the container's.
  const named = root === "/" ? undefined : trimmed(await readFile("/etc/hostname", { maxBytes: 256, timeoutMs: 5000 }));

  let entered: Promise<ReadResult> | undefined;
  /** Whether programs of the host can be run: their loader and libraries are in its root, and chroot is allowed. */
  const inRoot = async () => {
    if (root === "/") return false;
    entered ??= programs.run(["chroot", root, "sh", "-c", "echo entered"], { maxBytes: 256, timeoutMs: 5000 });
    return (await entered).status === "ok";
  };

  return {
    facts: machineFacts(root, named ?? os.hostname()),
    localPath,
    stuckReads: () => files.stuckReads,
    now: () => Date.now(),
    sleep,
    readNow: (path, maxBytes) => readSync(localPath(path), maxBytes),
    listNow: (path, options = {}) => list(localPath(path), options),
    readlinkNow: (path) => readlink(localPath(path)),
    readFile,
    async *readInChild(paths, limits, via) {
      const asked = new Map(paths.map((path) => [localPath(path), path]));
      for await (const { path, result } of readWithCat([...asked.keys()], limits, via)) {
        yield { path: asked.get(path) as string, result };
      }
    },
    listNewest: (path, limits) => listNewest(localPath(path), limits),
    openRange: (path) => openRange(localPath(path)),
    async run(argv, limits, via = []) {
      if (await inRoot()) {
        const result = await programs.run([...via, "chroot", root, ...argv], limits);
        if (result.status !== "missing") return result;
      }
      return await programs.run([...via, ...argv], limits);
    },
  };
}
