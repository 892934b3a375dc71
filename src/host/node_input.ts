/** Bundles from this machine's file system: archives as streams, directories as entries. */
import type { Dirent, Stats } from "node:fs";
import { constants, createReadStream } from "node:fs";
import { open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import { constants as zlib, createGunzip } from "node:zlib";
import { CONDENSE_FROM_BYTES, type Condenser, type Decompress, type Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";
import { BundleError } from "../core/errors.ts";

/** zlib's streams are four to six times as fast with pieces of this size as with their default of 16 KiB, and less often waited for than with half of it. */
const CHUNK_BYTES = 2 ** 19;
/** So much is decompressed ahead, on another core, while a piece is looked at. */
const AHEAD_BYTES = 2 * CHUNK_BYTES;
/** Most files of a folder are small. */
const READ_BYTES = 2 ** 18;

/** Milliseconds. Node loads a module for `performance`, and none for this. */
export function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Whether it is read from its beginning to its end: a file, or what a shell makes of `<(command)`. */
export function isReadable(stat: Stats): boolean {
  return stat.isFile() || stat.isFIFO() || stat.isCharacterDevice();
}

/** The bytes of a file, as a stream. */
export function fileChunks(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: CHUNK_BYTES });
}

/** gunzip by the runtime's own zlib: what can be read of a cut-off or damaged stream is given before `broken` is told. */
export const nodeGunzip: Decompress = async function* (chunks, broken) {
  // Without finishFlush zlib throws away the last block of a stream that was cut off.
  const options = { finishFlush: zlib.Z_SYNC_FLUSH, chunkSize: CHUNK_BYTES, readableHighWaterMark: AHEAD_BYTES };
  const stream = createGunzip(options);
  const source = Readable.from(chunks, { highWaterMark: 1 });
  source.on("error", (error) => stream.destroy(error));
  source.pipe(stream);
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (error instanceof BundleError) throw error;
    broken(`the compressed data is damaged (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    source.destroy();
  }
};

// O_NONBLOCK: what was a file when its folder was read may be a FIFO by now, or a link out of the directory.
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

async function readUpTo(path: string, maxBytes: number, condenser?: Condenser): ReturnType<Entry["read"]> {
  const file = await open(path, OPEN_FLAGS);
  try {
    const condense = (await file.stat()).size > Math.min(CONDENSE_FROM_BYTES, maxBytes) ? condenser : undefined;
    const parts: Uint8Array[] = [];
    let room = maxBytes;
    for (;;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(Math.min(READ_BYTES, room + 1)), 0);
      const read = buffer.subarray(0, bytesRead);
      const isEnd = bytesRead === 0;
      const kept = condense === undefined ? read : isEnd ? condense.end() : condense.push(read);
      parts.push(kept.subarray(0, room));
      room -= kept.length;
      if (isEnd || room < 0) return { bytes: concatBytes(parts), truncated: room < 0 };
    }
  } finally {
    await file.close();
  }
}

/** Of the errors of the system those that are about one file, and leave the others readable. */
const ONE_FILE = new Set(["EACCES", "EPERM", "EIO", "ELOOP", "ENOENT", "ENAMETOOLONG", "ESTALE", "ENXIO"]);

function isAboutOneFile(error: unknown): error is Error {
  return error instanceof Error && ONE_FILE.has((error as NodeJS.ErrnoException).code ?? "");
}

/**
 * A directory's files and links, depth first in the order of their names. No link is followed.
 *
 * @param broken Told of each file and folder below that cannot be read.
 */
export async function* directoryEntries(
  root: string,
  broken: (message: string) => void,
  below = "",
): AsyncGenerator<Entry> {
  const read = async (path: string, maxBytes: number, condenser?: Condenser): ReturnType<Entry["read"]> => {
    try {
      return await readUpTo(join(root, path), maxBytes, condenser);
    } catch (error) {
      if (!isAboutOneFile(error)) throw error;
      broken(error.message);
      return { bytes: new Uint8Array(0), truncated: true };
    }
  };
  let children: Dirent[];
  try {
    children = await readdir(join(root, below), { withFileTypes: true });
  } catch (error) {
    if (below === "" || !isAboutOneFile(error)) throw error;
    broken(error.message);
    return;
  }
  children.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const child of children) {
    const path = below === "" ? child.name : `${below}/${child.name}`;
    const entry = { path, read: (max: number, condenser?: Condenser) => read(path, max, condenser) };
    if (child.isDirectory()) yield* directoryEntries(root, broken, path);
    else if (child.isSymbolicLink()) {
      yield { ...entry, kind: "link", linkTarget: await readlink(join(root, path)) };
    } else yield { ...entry, kind: child.isFile() ? "file" : "other", chunks: () => fileChunks(join(root, path)) };
  }
}
