/**
 * Direct reads. Files are opened without blocking, looked at, and refused unless regular; the size that stat gives is
 * never used, because it is 0 for files of the kernel.
 */
import * as fs from "node:fs";
import type { Failure, Limits, ReadResult } from "../core/host.ts";

const CHUNK = 64 * 1024;
// Without O_NONBLOCK, opening a FIFO that nobody writes to blocks for ever, and with it the end of this process.
const OPEN_FLAGS = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY;

/** What an error of the system says, in the words of the interface. */
export function failureOf(error: unknown): Failure {
  const { code, message } = error as { code?: string; message: string };
  switch (code) {
    // ESRCH: the process ended. ENODEV and ENXIO: the device did.
    case "ENOENT":
    case "ENOTDIR":
    case "ESRCH":
    case "ENODEV":
    case "ENXIO":
      return { status: "missing" };
    case "EACCES":
    case "EPERM":
      return { status: "denied" };
    case "EISDIR":
      return { status: "not-regular" };
    default:
      return { status: "failed", message };
  }
}

/** Calls once when the time is over or the signal comes, unless it is called off by what this returns. */
export function whenOver({ timeoutMs, signal }: Pick<Limits, "timeoutMs" | "signal">, giveUp: () => void): () => void {
  const callOff = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", over);
  };
  const over = () => {
    callOff();
    giveUp();
  };
  const timer = setTimeout(over, timeoutMs);
  signal?.addEventListener("abort", over);
  return callOff;
}

/** Collects chunks up to a limit. */
export class Gathered {
  readonly #parts: Uint8Array[] = [];
  readonly #max: number;
  #size = 0;
  truncated = false;

  constructor(maxBytes: number) {
    this.#max = maxBytes;
  }

  get empty(): boolean {
    return this.#size === 0;
  }

  /** Keeps a copy of the chunk, or of what still fits. */
  add(chunk: Uint8Array): void {
    const room = this.#max - this.#size;
    if (chunk.length > room) this.truncated = true;
    if (room === 0 || chunk.length === 0) return;
    this.#parts.push(new Uint8Array(chunk.subarray(0, room)));
    this.#size += Math.min(chunk.length, room);
  }

  bytes(): Uint8Array {
    if (this.#parts.length === 1) return this.#parts[0] as Uint8Array;
    const whole = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts.splice(0)) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

const scratch = new Uint8Array(CHUNK);

/** Reads on the calling thread. */
export function readSync(path: string, maxBytes: number): ReadResult {
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, OPEN_FLAGS);
    if (!fs.fstatSync(fd).isFile()) return { status: "not-regular" };
    const content = new Gathered(maxBytes);
    for (;;) {
      const count = fs.readSync(fd, scratch, 0, CHUNK, null);
      if (count === 0) break;
      content.add(scratch.subarray(0, count));
      if (content.truncated) break;
    }
    return { status: "ok", bytes: content.bytes(), truncated: content.truncated };
  } catch (error) {
    return failureOf(error);
  } finally {
    close(fd);
  }
}

function close(fd: number | undefined): void {
  if (fd === undefined) return;
  try {
    fs.closeSync(fd);
  } catch {
    // Nothing was written: an error of closing (of a disk that went away) tells nothing that reading did not.
  }
}

/** A table of the kernel comes a page at a time: what is shorter is most likely all of it. */
const SHORT = 2048;

function call<T>(start: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, value) => error === null ? resolve(value) : reject(error)));
}

function readOnPool(fd: number, buffer: Uint8Array): Promise<number> {
  return call((done) => fs.read(fd, buffer, 0, CHUNK, null, done));
}

/** Buffers that no read uses: the recorder reads thousands of files an hour, and garbage of this size is given back late. */
const spare: Uint8Array[] = [];

/**
 * Reads on a thread of the pool: one that does not come back can be left behind, though its thread stays taken.
 *
 * @param isKernels Whether it is surely the kernel's own, and no file server's. Then what is open and has answered is asked from here for what it is, and whether
 *   that was all: to pass anything to the pool and back costs more than most reads do.
 */
export async function readOnThread(path: string, maxBytes: number, isKernels: boolean): Promise<ReadResult> {
  let fd: number | undefined;
  // Its own until it comes back, which may be long after it was given up.
  const buffer = spare.pop() ?? new Uint8Array(CHUNK);
  try {
    const open = fd = await call<number>((done) => fs.open(path, OPEN_FLAGS, done));
    const stat = isKernels ? fs.fstatSync(open) : await call<fs.Stats>((done) => fs.fstat(open, done));
    if (!stat.isFile()) return { status: "not-regular" };
    const content = new Gathered(maxBytes);
    let count = await readOnPool(open, buffer);
    while (count > 0) {
      content.add(buffer.subarray(0, count));
      if (content.truncated) break;
      const isEnd = isKernels && count < SHORT;
      count = isEnd ? fs.readSync(open, buffer, 0, CHUNK, null) : await readOnPool(open, buffer);
    }
    return { status: "ok", bytes: content.bytes(), truncated: content.truncated };
  } catch (error) {
    return failureOf(error);
  } finally {
    spare.push(buffer);
    close(fd);
  }
}
