/**
 * Reads tar archives (ustar, GNU and PAX long names) as a stream of entries. Nothing is ever extracted.
 *
 * An own reader because a bundle that was cut off anywhere must be read up to the cut and say so; the libraries
 * that were tried end silently there or fail as a whole.
 */
import type { Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";
import { BundleError } from "../core/errors.ts";

const BLOCK = 512;
/** A name longer than any PATH_MAX times ten is an attack on memory, not a path. */
const MAX_META_BYTES = 64 * 1024;

/** Tar pads an archive with zeros to a multiple of its record size, 10 KiB unless asked otherwise. */
const MAX_PADDING_BYTES = 2 ** 20;

/** Reads exact amounts from a stream of chunks. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  ended = false;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    while (this.#at >= this.#chunk.length) {
      const next = await this.#chunks.next();
      if (next.done === true) {
        this.ended = true;
        return false;
      }
      this.#chunk = next.value;
      this.#at = 0;
    }
    return true;
  }

  /** The next `size` bytes, fewer only at the end of the stream. */
  async read(size: number): Promise<Uint8Array> {
    if (this.#chunk.length - this.#at >= size) {
      this.#at += size;
      return this.#chunk.subarray(this.#at - size, this.#at);
    }
    // Grows with what really arrives: a header may promise gigabytes that never come.
    const parts: Uint8Array[] = [];
    let got = 0;
    while (got < size && (await this.#more())) {
      const part = this.#chunk.subarray(this.#at, Math.min(this.#chunk.length, this.#at + size - got));
      parts.push(part);
      got += part.length;
      this.#at += part.length;
    }
    return concatBytes(parts);
  }

  /** Passes over bytes; the number passed is smaller only at the end of the stream. */
  async skip(size: number): Promise<number> {
    let passed = 0;
    while (passed < size && (await this.#more())) {
      const step = Math.min(this.#chunk.length - this.#at, size - passed);
      this.#at += step;
      passed += step;
    }
    return passed;
  }
}

const utf8 = new TextDecoder();

function text(block: Uint8Array, from: number, size: number): string {
  const field = block.subarray(from, from + size);
  const end = field.indexOf(0);
  return utf8.decode(end === -1 ? field : field.subarray(0, end));
}

/** Octal, or GNU's base-256 for sizes from 8 GiB. Undefined when it is neither. */
function number(block: Uint8Array, from: number, size: number): number | undefined {
  const first = block[from] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = first & 0x7f;
    for (let i = from + 1; i < from + size; i++) value = value * 256 + (block[i] ?? 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const digits = text(block, from, size).trim();
  return digits === "" ? 0 : /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : undefined;
}

function checksumMatches(block: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
  return sum === number(block, 148, 8);
}

/** PAX records: `LENGTH KEY=VALUE\n`, the length counting the whole record in bytes. */
function paxRecords(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = space === -1 ? NaN : Number(utf8.decode(bytes.subarray(at, space)));
    if (!Number.isSafeInteger(length) || length <= space - at || at + length > bytes.length) break;
    const record = utf8.decode(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf("=");
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

/** Whether these bytes begin a tar archive: a header whose checksum is right. */
export function isTar(head: Uint8Array): boolean {
  return head.length >= BLOCK && checksumMatches(head);
}

function entryKind(type: string): Entry["kind"] {
  if (type === "0" || type === "\0" || type === "7" || type === "") return "file";
  return type === "1" || type === "2" ? "link" : "other";
}

/**
 * The entries of a tar archive, in order. An entry's content is passed over unless it is read before the next one is asked for.
 *
 * @param chunks The archive, uncompressed, in pieces of any size.
 * @param broken Told once, in words, when the archive ends too early or is damaged; the entries before that are good.
 * @throws {BundleError} If the very first block is not a tar header.
 */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
  broken: (message: string) => void,
): AsyncGenerator<Entry, void, undefined> {
  const reader = new ChunkReader(chunks);
  let offset = 0;
  let longName: string | undefined;
  let longLink: string | undefined;
  let pax = new Map<string, string>();
  let last = "";
  for (;;) {
    const block = await reader.read(BLOCK);
    if (block.length < BLOCK) {
      broken(
        `the archive is cut off after ${offset + block.length} bytes (last entry: ${last === "" ? "none" : last})`,
      );
      return;
    }
    // Two zero blocks end an archive; one is enough to know that no header follows.
    if (block.every((byte) => byte === 0)) {
      // To its end, so that a checksum which stands there is verified.
      await reader.skip(MAX_PADDING_BYTES);
      return;
    }
    if (!checksumMatches(block)) {
      if (offset === 0) throw new BundleError("Cannot read the archive: it does not start with a tar header");
      broken(`the archive is damaged at byte ${offset} (last good entry: ${last})`);
      return;
    }
    offset += BLOCK;
    const type = String.fromCharCode(block[156] ?? 0);
    const paxSize = pax.get("size");
    const size = paxSize === undefined ? number(block, 124, 12) : Number(paxSize);
    if (size === undefined || !Number.isSafeInteger(size) || size < 0) {
      broken(`the archive has an entry of impossible size at byte ${offset - BLOCK} (last good entry: ${last})`);
      return;
    }
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    offset += size + padding;

    if (type === "L" || type === "K" || type === "x" || type === "g") {
      const meta = await reader.read(Math.min(size, MAX_META_BYTES));
      await reader.skip(size - meta.length + padding);
      if (type === "L") longName = text(meta, 0, meta.length);
      else if (type === "K") longLink = text(meta, 0, meta.length);
      else if (type === "x") pax = paxRecords(meta);
      continue;
    }

    const prefix = text(block, 257, 5) === "ustar" ? text(block, 345, 155) : "";
    const name = text(block, 0, 100);
    const path = pax.get("path") ?? longName ?? (prefix === "" ? name : `${prefix}/${name}`);
    const linkTarget = pax.get("linkpath") ?? longLink ?? text(block, 157, 100);
    longName = longLink = undefined;
    pax = new Map();
    last = path;

    let left = size;
    yield {
      path,
      kind: entryKind(type),
      ...(linkTarget === "" ? {} : { linkTarget }),
      async read(maxBytes) {
        const wanted = Math.min(left, maxBytes);
        const bytes = await reader.read(wanted);
        left -= bytes.length;
        // A copy: the chunk it is cut from would stay in memory as long as the file.
        return { bytes: bytes.slice(), truncated: size > maxBytes || bytes.length < wanted };
      },
    };
    const passed = await reader.skip(left + padding);
    if (passed < left) {
      broken(`the archive is cut off inside ${path}`);
      return;
    }
  }
}
