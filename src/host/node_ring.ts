/**
 * The recorder's ring: a folder of bundles without a first snapshot, one an hour, of which the oldest are deleted.
 *
 * Each sample is a gzip member of its own, on the disk before the next one is taken. A file is only ever continued by the process that began
 * it: what a crash cut off stays at the end of a file, where it does no harm.
 */
import * as fs from "node:fs/promises";
import { Buffer } from "node:buffer";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { HostError } from "../core/errors.ts";
import { sumBytes } from "../core/sums.ts";

/** `ring-20261123T060102Z.tar.gz`; with a number where two would have one name. */
const FILE = /^ring-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(?:-(\d+))?\.tar\.gz$/;
/** A symbolic link to nowhere: made in one step, with its content, even on a full disk. */
const LOCK = "lock";
const HOUR_MS = 3_600_000;
/** A small ring has smaller files, so that deleting one leaves most of it. */
const FILES_AT_LEAST = 8;

export interface RingOptions {
  readonly maxBytes: number;
  readonly keepMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What each file starts with. */
  readonly head: () => Promise<readonly Uint8Array[]>;
}

/** Takes tar entries. */
export interface Ring {
  write(bytes: Uint8Array): Promise<void>;
  /** What was written since the last time is one sample, and on the disk. Throws what the system says; the ring is as it was then. */
  flush(): Promise<void>;
  /** Gives the ring free for another recorder. */
  close(): Promise<void>;
}

interface RingFile {
  readonly name: string;
  readonly startMs: number;
  bytes: number;
}

function code(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

/** The files of a ring, the oldest first. */
async function listFiles(dir: string): Promise<RingFile[]> {
  const files: (RingFile & { readonly number: number })[] = [];
  for (const name of await fs.readdir(dir)) {
    const match = FILE.exec(name);
    if (match === null) continue;
    const [year, month, day, hour, minute, second, number = 1] = match.slice(1).map((digits) =>
      digits === undefined ? undefined : Number(digits)
    ) as [number, number, number, number, number, number, number?];
    let size: number;
    try {
      ({ size } = await fs.lstat(join(dir, name)));
    } catch (error) {
      // The recorder deleted it meanwhile.
      if (code(error) === "ENOENT") continue;
      throw error;
    }
    files.push({ name, startMs: Date.UTC(year, month - 1, day, hour, minute, second), number, bytes: size });
  }
  return files.sort((a, b) => a.startMs - b.startMs || a.number - b.number);
}

/** The paths of a ring's files, the newest first. */
export async function ringFiles(dir: string): Promise<string[]> {
  return (await listFiles(dir)).reverse().map(({ name }) => join(dir, name));
}

/** Process, its start in clock ticks since boot, and the boot: no other process ever has all three. */
async function identity(pid: number | "self"): Promise<string | undefined> {
  try {
    const stat = await fs.readFile(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may have any characters in it.
    const [number] = stat.split(" ", 1);
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    const boot = await fs.readFile("/proc/sys/kernel/random/boot_id", "utf8");
    return `${number} ${start} ${boot.trim()}`;
  } catch (error) {
    if (code(error) === "ENOENT" || code(error) === "ESRCH") return undefined;
    throw error;
  }
}

async function lockHolder(path: string): Promise<string | undefined> {
  try {
    return await fs.readlink(path);
  } catch (error) {
    if (code(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** @throws {HostError} If another recorder has it. */
async function lock(dir: string): Promise<string> {
  const path = join(dir, LOCK);
  const own = await identity("self");
  if (own === undefined) throw new HostError("Cannot lock the ring: /proc/self/stat is missing: is /proc mounted?");
  for (;;) {
    try {
      await fs.symlink(own, path);
      return own;
    } catch (error) {
      if (code(error) !== "EEXIST") throw error;
    }
    const holder = await lockHolder(path);
    if (holder === undefined) continue;
    const pid = parseInt(holder, 10);
    if (await identity(pid) === holder) {
      throw new HostError(
        `Cannot record into ${dir}: process ${pid} does already; give each recorder a folder of its own`,
      );
    }
    // That one was killed.
    await fs.rm(path, { force: true });
  }
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await fs.open(dir);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The file that is written now. */
interface Open {
  readonly handle: fs.FileHandle;
  readonly file: RingFile;
}

/** All of it, or none: what stands behind half a member could not be read. */
async function append({ handle, file }: Open, member: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < member.length;) at += (await handle.write(member, at)).bytesWritten;
    await handle.datasync();
    file.bytes += member.length;
  } catch (error) {
    await handle.truncate(file.bytes);
    throw error;
  }
}

async function create(dir: string, startMs: number): Promise<Open> {
  const time = new Date(startMs).toISOString().replace(/\.\d+|[-:]/g, "");
  for (let i = 1;; i++) {
    const name = `ring-${time}${i === 1 ? "" : `-${i}`}.tar.gz`;
    try {
      return { handle: await fs.open(join(dir, name), "ax", 0o600), file: { name, startMs, bytes: 0 } };
    } catch (error) {
      if (code(error) !== "EEXIST") throw error;
    }
  }
}

class FolderRing implements Ring {
  readonly #dir: string;
  readonly #options: RingOptions;
  /** What its lock says as long as it is this recorder's. */
  readonly #own: string;
  /** The oldest first. */
  readonly #files: RingFile[];
  #current: Open | undefined;
  #pending: Uint8Array[] = [];

  constructor(dir: string, options: RingOptions, own: string, files: RingFile[]) {
    this.#dir = dir;
    this.#options = options;
    this.#own = own;
    this.#files = files;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#pending.push(bytes);
    return Promise.resolve();
  }

  async flush(): Promise<void> {
    const member = gzipSync(Buffer.concat(this.#pending));
    this.#pending = [];
    if (!(await this.#isOwn())) throw new HostError(`Another recorder took ${this.#dir} over`);
    for (;;) {
      try {
        return await this.#store(member);
      } catch (error) {
        // Others may have filled the disk: the oldest samples are worth less than this one.
        if (code(error) !== "ENOSPC" || this.#files.length <= 1) throw error;
        await this.#removeOldest();
      }
    }
  }

  async close(): Promise<void> {
    await this.#closeCurrent();
    if (await this.#isOwn()) await fs.rm(join(this.#dir, LOCK), { force: true });
  }

  async #isOwn(): Promise<boolean> {
    return await lockHolder(join(this.#dir, LOCK)) === this.#own;
  }

  async #store(member: Uint8Array): Promise<void> {
    await this.#makeRoom(member.length);
    if (this.#current !== undefined && this.#isDone(this.#current.file, member.length)) await this.#closeCurrent();
    await append(this.#current ?? await this.#begin(), member);
  }

  /** Whether the next bytes belong into a new file. */
  #isDone({ startMs, bytes }: RingFile, more: number): boolean {
    const { maxBytes, now } = this.#options;
    return Math.floor(now() / HOUR_MS) !== Math.floor(startMs / HOUR_MS) || bytes + more > maxBytes / FILES_AT_LEAST;
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { maxBytes, keepMs, now } = this.#options;
    const isOld = (file: RingFile | undefined) => file !== undefined && file.startMs + HOUR_MS < now() - keepMs;
    const total = () => sumBytes(this.#files);
    while (isOld(this.#files[0]) || (this.#files.length > 0 && total() + bytes > maxBytes)) await this.#removeOldest();
  }

  async #removeOldest(): Promise<void> {
    const oldest = this.#files.shift() as RingFile;
    if (oldest === this.#current?.file) await this.#closeCurrent();
    await fs.rm(join(this.#dir, oldest.name), { force: true });
  }

  async #begin(): Promise<Open> {
    const { now, head } = this.#options;
    const created = await create(this.#dir, now());
    try {
      await append(created, gzipSync(Buffer.concat(await head())));
      await syncFolder(this.#dir);
    } catch (error) {
      await created.handle.close();
      await fs.rm(join(this.#dir, created.file.name));
      throw error;
    }
    this.#files.push(created.file);
    return this.#current = created;
  }

  async #closeCurrent(): Promise<void> {
    const handle = this.#current?.handle;
    this.#current = undefined;
    await handle?.close();
  }
}

/** Node's own way tries for ever where nothing can be made: in /proc and /sys there is no such file whoever asks. */
async function makeFolder(path: string): Promise<void> {
  const make = () => fs.mkdir(path, { mode: 0o700 });
  try {
    await make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT") throw error;
    await makeFolder(dirname(path));
    await make();
  }
}

/**
 * Opens a folder as a ring, and makes it if need be.
 *
 * @throws {HostError} If another recorder uses it.
 */
export async function openRing(dir: string, options: RingOptions): Promise<Ring> {
  await makeFolder(resolve(dir));
  const own = await lock(dir);
  return new FolderRing(dir, options, own, await listFiles(dir));
}
