/**
 * Writes the tar archive of a bundle (ustar, with PAX headers for names that do not fit) as a stream, without any file
 * beside it.
 */
import { concatBytes } from "../core/bytes.ts";
import type { Sink } from "../core/host.ts";

const BLOCK = 512;
/** Handed on in pieces of this size: each piece costs the compressor a trip to another thread. */
const PIECE = 64 * 1024;
const utf8 = new TextEncoder();

/** Where the bytes of an archive go. */
export interface ByteOutput {
  /** The bytes must not be changed afterwards. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything so far can be read back, even if nothing follows. */
  flush(): Promise<void>;
}

const ZERO = 0x30;

/** Octal digits up to a NUL, as many as fit. */
function putOctal(block: Uint8Array, at: number, size: number, value: number): void {
  let rest = value;
  for (let digit = at + size - 2; digit >= at; digit--) {
    block[digit] = ZERO + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}

/** What all headers have: mode, user 0, group 0, blanks instead of the sum, and the format. */
const COMMON = new Uint8Array(BLOCK);
putOctal(COMMON, 100, 8, 0o600);
putOctal(COMMON, 108, 8, 0);
putOctal(COMMON, 116, 8, 0);
COMMON.fill(0x20, 148, 156);
utf8.encodeInto("ustar\0" + "00", COMMON.subarray(257));
/** There is nothing behind the format. */
const USED = 265;

function headerBlock(
  name: Uint8Array,
  type: "0" | "2" | "x",
  size: number,
  mtimeSeconds: number,
  target = "",
): Uint8Array {
  const block = COMMON.slice();
  block.set(name.length > 100 ? name.subarray(0, 100) : name);
  putOctal(block, 124, 12, size);
  putOctal(block, 136, 12, mtimeSeconds);
  block[156] = type.charCodeAt(0);
  if (target !== "") block.set(utf8.encode(target).subarray(0, 100), 157);
  let sum = 0;
  for (let at = 0; at < USED; at++) sum += block[at] as number;
  putOctal(block, 148, 7, sum);
  return block;
}

/** One PAX record, whose length counts its own digits. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = utf8.encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return utf8.encode(`${length} ${key}=${value}\n`);
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/**
 * The header of one regular file: one block, or three and more when the name is longer than 100 bytes or not ASCII.
 *
 * @example
 * ```ts
 * import { tarHeader } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * equal(tarHeader("host/proc/meminfo", 0, 0).length, 512);
 * ```
 */
export function tarHeader(path: string, size: number, mtimeMs: number): Uint8Array {
  const name = utf8.encode(path);
  const seconds = Math.floor(mtimeMs / 1000);
  const header = headerBlock(name, "0", size, seconds);
  if (path.length <= 100 && name.length === path.length) return header;
  return withRecords([paxRecord("path", path)], header, seconds);
}

function fits(text: string): boolean {
  return text.length <= 100 && utf8.encode(text).length === text.length;
}

/** The header of a symbolic link. */
function linkHeader(path: string, target: string, mtimeMs: number): Uint8Array {
  const seconds = Math.floor(mtimeMs / 1000);
  const header = headerBlock(utf8.encode(path), "2", 0, seconds, target);
  const records = [
    ...(fits(path) ? [] : [paxRecord("path", path)]),
    ...(fits(target) ? [] : [paxRecord("linkpath", target)]),
  ];
  return records.length === 0 ? header : withRecords(records, header, seconds);
}

/** A header, with what does not fit into it before it. */
function withRecords(records: readonly Uint8Array[], header: Uint8Array, mtimeSeconds: number): Uint8Array {
  const body = concatBytes(records);
  const fill = new Uint8Array(padding(body.length));
  return concatBytes([headerBlock(utf8.encode("PaxHeader"), "x", body.length, mtimeSeconds), body, fill, header]);
}

/** A tar archive that is being written. */
export interface TarSink extends Sink {
  /** A symbolic link. `path` is relative to the root directory. */
  link(path: string, target: string, mtimeMs: number): Promise<void>;
  /** Writes the end of the archive. */
  end(): Promise<void>;
}

/**
 * Writes files into a tar archive.
 *
 * @example
 * ```ts
 * import { openBundle, tarSink } from "nailhouse";
 * import { ok } from "node:assert";
 *
 * const parts: Uint8Array<ArrayBuffer>[] = [];
 * const output = { write: async (bytes: Uint8Array) => void parts.push(bytes.slice()), flush: async () => {} };
 * const tar = tarSink("host-1", output);
 * await tar.file("proc/meminfo", new TextEncoder().encode("MemTotal: 1000 kB\n"), Date.UTC(2026, 10, 23));
 * await tar.end();
 * ok((await openBundle(new Blob(parts))).files.has("proc/meminfo"));
 * ```
 *
 * @param root The one root directory of the archive.
 */
export function tarSink(root: string, output: ByteOutput): TarSink {
  let piece = new Uint8Array(PIECE);
  let used = 0;
  const handOn = async (): Promise<void> => {
    if (used === 0) return;
    const full = piece.subarray(0, used);
    piece = new Uint8Array(PIECE);
    used = 0;
    await output.write(full);
  };
  const put = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytes.length - at, PIECE - used);
      piece.set(bytes.subarray(at, at + count), used);
      used += count;
      at += count;
      if (used === PIECE) await handOn();
    }
  };
  return {
    async file(path, bytes, mtimeMs) {
      const header = tarHeader(`${root}/${path}`, bytes.length, mtimeMs);
      const size = header.length + bytes.length + padding(bytes.length);
      if (size < PIECE - used) {
        // As nearly always: there is nothing to wait for, and what is not used of the piece is zeros.
        piece.set(header, used);
        piece.set(bytes, used + header.length);
        used += size;
        return;
      }
      await put(header);
      await put(bytes);
      await put(new Uint8Array(padding(bytes.length)));
    },
    async link(path, target, mtimeMs) {
      await put(linkHeader(`${root}/${path}`, target, mtimeMs));
    },
    async flush() {
      await handOn();
      await output.flush();
    },
    async end() {
      await put(new Uint8Array(2 * BLOCK));
      await handOn();
    },
  };
}
