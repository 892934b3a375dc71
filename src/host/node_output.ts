/**
 * Where a bundle is written: gzip into a file or standard output, complete up to the last flush whatever happens then.
 */
import * as fs from "node:fs";
import process from "node:process";
import { constants, createGzip } from "node:zlib";

/** Level 3 takes half the time of the default for 5 % more bytes; a dying host has no CPU to spare. */
const LEVEL = 3;
const CHUNK = 32 * 1024;

/** Writes all of the bytes, which a pipe may take in several parts. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (error) {
      // A pipe that somebody else made non-blocking, and whose reader is slow.
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

/** A gzip stream into an open file. What could not be written makes the call fail during which it is noticed. */
export interface GzipOutput {
  write(bytes: Uint8Array): Promise<void>;
  flush(): Promise<void>;
  /** Ends the stream and closes the file, unless it is standard output. */
  close(): Promise<void>;
  /** Compressed bytes so far. */
  size(): number;
}

/**
 * Compresses into an open file descriptor.
 *
 * @example
 * ```ts
 * import { openBundle, tarSink } from "nailhouse";
 * import { gzipOutput } from "nailhouse/host";
 * import { ok } from "node:assert";
 * import { mkdtempSync, openSync, rmSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const folder = mkdtempSync(join(tmpdir(), "nailhouse-"));
 * const path = join(folder, "bundle.tgz");
 * const output = gzipOutput(openSync(path, "w"));
 * const tar = tarSink("host-1", output);
 * await tar.file("proc/meminfo", new TextEncoder().encode("MemTotal: 1000 kB\n"), 0);
 * await tar.end();
 * await output.close();
 * ok((await openBundle(path)).files.has("proc/meminfo"));
 * rmSync(folder, { recursive: true });
 * ```
 */
export function gzipOutput(fd: number): GzipOutput {
  const gzip = createGzip({ level: LEVEL, chunkSize: CHUNK });
  let size = 0;
  let failure: unknown;
  gzip.on("data", (chunk: Uint8Array) => {
    if (failure !== undefined) return;
    try {
      writeAll(fd, chunk);
      size += chunk.length;
    } catch (error) {
      failure = error;
    }
  });
  gzip.on("error", (error) => failure ??= error);
  const check = () => {
    if (failure !== undefined) throw failure;
  };
  // One piece is compressed, on another thread, while the next one is read.
  let last: Promise<void> = Promise.resolve();
  return {
    async write(bytes) {
      await last;
      check();
      last = new Promise((resolve) => gzip.write(bytes, () => resolve()));
    },
    async flush() {
      await last;
      await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, resolve));
      check();
    },
    async close() {
      await last;
      const ended = new Promise<void>((resolve) => gzip.on("close", resolve));
      gzip.end();
      await ended;
      if (fd !== process.stdout.fd) fs.closeSync(fd);
      check();
    },
    size: () => size,
  };
}
