/** Bundles from this machine's file system: archives as streams, directories as entries. */
import type { Dirent } from "node:fs";
import { createReadStream } from "node:fs";
import { open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { constants, createGunzip } from "node:zlib";
import type { Decompress, Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";

/** zlib's streams are four to six times as fast with pieces of this size as with their default of 16 KiB. */
const CHUNK_BYTES = 2 ** 20;

/** The bytes of a file, as a stream. */
export function fileChunks(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: CHUNK_BYTES });
}

/** gunzip by the runtime's own zlib: what can be read of a cut-off or damaged stream is given before `broken` is told. */
export const nodeGunzip: Decompress = async function* (chunks, broken) {
  // Without finishFlush zlib throws away the last block of a stream that was cut off.
  const stream = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH, chunkSize: CHUNK_BYTES });
  const source = Readable.from(chunks);
  source.on("error", (error) => stream.destroy(error));
  source.pipe(stream);
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    broken(`the compressed data is damaged (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    source.destroy();
  }
};

async function readUpTo(path: string, maxBytes: number): Promise<{ bytes: Uint8Array; truncated: boolean }> {
  const file = await open(path);
  try {
    const parts: Uint8Array[] = [];
    let got = 0;
    for (;;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(Math.min(CHUNK_BYTES, maxBytes - got + 1)), 0);
      if (bytesRead === 0) return { bytes: concatBytes(parts), truncated: false };
      if (got + bytesRead > maxBytes) {
        parts.push(buffer.subarray(0, maxBytes - got));
        return { bytes: concatBytes(parts), truncated: true };
      }
      parts.push(buffer.subarray(0, bytesRead));
      got += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** A directory's files and links, depth first in the order of their names. No link is followed. */
export async function* directoryEntries(root: string, below = ""): AsyncGenerator<Entry> {
  const children: Dirent[] = await readdir(join(root, below), { withFileTypes: true });
  children.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const child of children) {
    const path = below === "" ? child.name : `${below}/${child.name}`;
    const full = join(root, path);
    if (child.isDirectory()) yield* directoryEntries(root, path);
    else if (child.isSymbolicLink()) {
      yield { path, kind: "link", linkTarget: await readlink(full), read: (max) => readUpTo(full, max) };
    } else yield { path, kind: child.isFile() ? "file" : "other", read: (max) => readUpTo(full, max) };
  }
}
