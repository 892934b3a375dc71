/** Writes archives of any size with little memory: what is large in them is made while it is written. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import type { Writable } from "node:stream";
import { createGzip } from "node:zlib";
import { type ByteOutput, tarHeader, tarSink } from "../../../src/bundle/tar_write.ts";

/** What a file holds: a text, bytes, or the pieces of a text that is too long to be held at once, made anew at each call. */
export type Content = string | Uint8Array | (() => Iterable<string>);

/** One entry of an archive that is made. */
export type Made =
  | { readonly path: string; readonly content: Content }
  | { readonly path: string; readonly linkTarget: string };

/** All entries have the time of the captures that they are scaled from, so that an archive is the same whenever it is made. */
const TIME = Date.UTC(2026, 10, 23, 8, 13);
const BLOCK = 512;
const PIECE_BYTES = 2 ** 20;
const utf8 = new TextEncoder();

function length(pieces: Iterable<string>): number {
  let bytes = 0;
  for (const piece of pieces) bytes += Buffer.byteLength(piece);
  return bytes;
}

interface Packer {
  readonly input: Writable;
  /** Resolves once all is in the file. */
  readonly done: Promise<unknown>;
}

/** Level 3 is what `nailhouse collect` uses; xz at its fastest. */
function packer(path: string): Packer {
  const file = createWriteStream(path);
  const done = once(file, "close");
  if (path.includes(".tar.xz")) {
    const xz = spawn("xz", ["-1", "--threads=2"], { stdio: ["pipe", "pipe", "inherit"] });
    xz.stdout.pipe(file);
    const ended = once(xz, "exit").then(([code]) => {
      if (code !== 0) throw new Error(`xz failed with ${code}`);
    });
    return { input: xz.stdin, done: Promise.all([done, ended]) };
  }
  const gzip = createGzip({ level: 3, chunkSize: PIECE_BYTES });
  gzip.pipe(file);
  return { input: gzip, done };
}

function outputInto(input: Writable): ByteOutput {
  return {
    async write(bytes) {
      if (!input.write(bytes)) await once(input, "drain");
    },
    flush: () => Promise.resolve(),
  };
}

/**
 * Writes a .tar.gz, or a .tar.xz, of the entries below one root directory. The file is there once it is whole.
 */
export async function writeArchive(path: string, root: string, entries: AsyncIterable<Made>): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.partial`;
  const { input, done } = packer(partial);
  const output = outputInto(input);
  const tar = tarSink(root, output);
  for await (const entry of entries) {
    if ("linkTarget" in entry) await tar.link(entry.path, entry.linkTarget, TIME);
    else if (typeof entry.content === "string") await tar.file(entry.path, utf8.encode(entry.content), TIME);
    else if (typeof entry.content !== "function") await tar.file(entry.path, entry.content, TIME);
    else {
      await tar.flush();
      const size = length(entry.content());
      await output.write(tarHeader(`${root}/${entry.path}`, size, TIME));
      for (const piece of entry.content()) await output.write(utf8.encode(piece));
      await output.write(new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK));
    }
  }
  await tar.end();
  input.end();
  await done;
  renameSync(partial, path);
}
