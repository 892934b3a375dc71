/**
 * Reads tar archives (ustar, GNU and PAX, with long names, large sizes and sparse files) as a stream of entries. Nothing is ever extracted.
 *
 * An own reader because a bundle that was cut off anywhere must be read up to the cut and say so; the libraries
 * that were tried end silently there or fail as a whole.
 */
import { CONDENSE_FROM_BYTES, type Condenser, type Entry } from "../core/bundle.ts";
import { concatBytes } from "../core/bytes.ts";
import { BundleError } from "../core/errors.ts";
import { shortName } from "./_few.ts";
import { readCondensed } from "./_streams.ts";
import { BLOCK, Chunk, decimal, fieldNumber, fieldText, paxRecords } from "./_tar_header.ts";
import { oldGnuSparse, paxSparse, paxSparseBefore, type SparseFile } from "./_tar_sparse.ts";

/** A header that is longer holds no name: the longest of Linux has 4 KiB, and its attributes 64 KiB each. */
const MAX_META_BYTES = 2 ** 20;

/** Tar pads an archive with zeros to a multiple of its record size, 10 KiB unless asked otherwise. */
const MAX_PADDING_BYTES = 2 ** 20;

/** A block, in whatever it came in. */
interface Block {
  readonly chunk: Chunk;
  readonly at: number;
}

/** Reads exact amounts from a stream of chunks. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #whole: Chunk = new Chunk(new Uint8Array(0));
  #chunk: Uint8Array = this.#whole.bytes;
  #at = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Whether so much has come and is not read. */
  has(size: number): boolean {
    return this.#chunk.length - this.#at >= size;
  }

  /** The next `size` bytes, which have come: a view, that keeps the whole chunk in memory. */
  take(size: number): Uint8Array {
    this.#at += size;
    return this.#chunk.subarray(this.#at - size, this.#at);
  }

  /** Passes over bytes that have come. */
  pass(size: number): void {
    this.#at += size;
  }

  /** The next block, a copy: fewer bytes at the end of the stream. */
  async block(): Promise<Block> {
    return { chunk: new Chunk(await this.read(BLOCK)), at: 0 };
  }

  /** The next block, which has come. */
  blockNow(): Block {
    this.#at += BLOCK;
    return { chunk: this.#whole, at: this.#at - BLOCK };
  }

  async #more(): Promise<boolean> {
    while (this.#at >= this.#chunk.length) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      const { buffer, byteOffset, length } = next.value;
      // Parts of a Buffer of Node are Buffers, which take several times as long to make.
      this.#whole = new Chunk(new Uint8Array(buffer, byteOffset, length));
      this.#chunk = this.#whole.bytes;
      this.#at = 0;
    }
    return true;
  }

  /** What has come and is not read, at most `size` bytes of it: fewer if more is to come, none only at the end of the stream. */
  async some(size: number): Promise<Uint8Array> {
    if (size === 0 || !(await this.#more())) return new Uint8Array(0);
    const part = this.#chunk.subarray(this.#at, this.#at + size);
    this.#at += part.length;
    return part;
  }

  /** A copy of the next `size` bytes, fewer only at the end of the stream: the chunk itself would stay in memory as long as they do. */
  async read(size: number): Promise<Uint8Array> {
    // Grows with what really arrives: a header may promise gigabytes that never come.
    const parts: Uint8Array[] = [];
    for (let got = 0; got < size;) {
      const part = await this.some(size - got);
      if (part.length === 0) break;
      parts.push(part);
      got += part.length;
    }
    return concatBytes(parts);
  }

  /** No more is wanted: whatever the chunks come from may be closed. */
  async end(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Passes over bytes; the number passed is smaller only at the end of the stream. */
  async skip(size: number): Promise<number> {
    for (let passed = 0; passed < size;) {
      const part = await this.some(size - passed);
      if (part.length === 0) return passed;
      passed += part.length;
    }
    return size;
  }
}

/** Types of headers that tell of the entry after them. */
const META: ReadonlySet<string> = new Set("LKxg");

/** Whether these bytes begin a tar archive: a header whose checksum is right. */
export function isTar(head: Uint8Array): boolean {
  return new Chunk(head).isHeader(0);
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function entryKind(type: string): Entry["kind"] {
  if (type === "0" || type === "\0" || type === "7" || type === "S") return "file";
  return type === "1" ? "hard-link" : type === "2" ? "link" : "other";
}

/** What the headers before an entry's own say of it. */
interface Meta {
  readonly longName?: string;
  readonly longLink?: string;
  readonly pax?: ReadonlyMap<string, string>;
}

const NO_META: Meta = {};

/** An entry, and how much of the archive it takes. */
interface Header {
  readonly path: string;
  readonly type: string;
  readonly kind: Entry["kind"];
  readonly linkTarget: string;
  /** Of what is stored: without the holes of a sparse file. */
  readonly size: number;
}

/** The entry that a header is about; undefined when its size is impossible. */
function headerOf({ chunk: { bytes }, at }: Block, { longName, longLink, pax }: Meta): Header | undefined {
  const type = String.fromCharCode(bytes[at + 156] as number);
  const stored = pax?.has("size") && !META.has(type) ? decimal(pax.get("size")) : fieldNumber(bytes, at + 124, 12);
  if (stored === undefined) return undefined;
  const hasPrefix = bytes[at + 345] !== 0 && fieldText(bytes, at + 257, 6) === "ustar";
  const prefix = hasPrefix ? fieldText(bytes, at + 345, 155) : "";
  const name = fieldText(bytes, at, 100);
  return {
    path: pax?.get("GNU.sparse.name") ?? pax?.get("path") ?? longName ?? (prefix === "" ? name : `${prefix}/${name}`),
    type,
    kind: entryKind(type),
    linkTarget: pax?.get("linkpath") ?? longLink ?? fieldText(bytes, at + 157, 100),
    // Links, devices, folders and FIFOs have none, whatever their header says.
    size: type >= "1" && type <= "6" ? 0 : stored,
  };
}

/** The content of one entry, which is read at most once. */
class Content {
  readonly #reader: ChunkReader;
  /** Bytes of the archive up to the next entry's header, padding not included. */
  left: number;

  constructor(reader: ChunkReader, size: number) {
    this.#reader = reader;
    this.left = size;
  }

  async #take(size: number): Promise<Uint8Array> {
    const bytes = await this.#reader.read(Math.min(size, this.left));
    this.left -= bytes.length;
    return bytes;
  }

  async read(maxBytes: number, condenser?: Condenser): Promise<{ bytes: Uint8Array; truncated: boolean }> {
    if (condenser !== undefined && this.left > Math.min(CONDENSE_FROM_BYTES, maxBytes)) {
      return await this.#condense(maxBytes, condenser);
    }
    const wanted = Math.min(this.left, maxBytes);
    const isLonger = this.left > maxBytes;
    const bytes = await this.#take(wanted);
    return { bytes, truncated: isLonger || bytes.length < wanted };
  }

  async #condense(maxBytes: number, condenser: Condenser): Promise<{ bytes: Uint8Array; truncated: boolean }> {
    const { bytes, truncated } = await readCondensed(this.chunks(), maxBytes, condenser);
    return { bytes, truncated: truncated || this.left > 0 };
  }

  /** With the holes filled, as the file was. */
  async readSparse(
    { size, parts }: SparseFile,
    maxBytes: number,
  ): Promise<{ bytes: Uint8Array; truncated: boolean }> {
    const bytes = new Uint8Array(Math.min(size, maxBytes));
    for (const part of parts) {
      const wanted = Math.min(part.size, bytes.length - part.offset);
      if (wanted <= 0) break;
      const data = await this.#take(wanted);
      bytes.set(data, part.offset);
      if (data.length < wanted) return { bytes: bytes.slice(0, part.offset + data.length), truncated: true };
    }
    return { bytes, truncated: size > maxBytes };
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    while (this.left > 0) {
      const part = await this.#reader.some(this.left);
      if (part.length === 0) return;
      this.left -= part.length;
      yield part;
    }
  }

  nextBlock(): Promise<Uint8Array> {
    return this.#take(BLOCK);
  }
}

/** How a sparse file's content is read; undefined for a file that has no holes. */
function sparseOf(
  old: SparseFile | undefined,
  { pax }: Meta,
  content: Content,
): (() => Promise<SparseFile | undefined>) | undefined {
  if (old !== undefined) return () => Promise.resolve(old);
  if (pax === undefined) return undefined;
  if (pax.get("GNU.sparse.major") === "1") {
    const size = decimal(pax.get("GNU.sparse.realsize"));
    return size === undefined
      ? () => Promise.resolve(undefined)
      : () => paxSparseBefore(size, () => content.nextBlock());
  }
  return pax.has("GNU.sparse.size") ? () => Promise.resolve(paxSparse(pax)) : undefined;
}

/** An entry that is read while it comes. */
function streamEntry(
  { path, kind, linkTarget }: Header,
  content: Content,
  sparse: (() => Promise<SparseFile | undefined>) | undefined,
): Entry {
  return {
    path,
    kind,
    ...(linkTarget === "" ? {} : { linkTarget }),
    ...(sparse === undefined && kind === "file" ? { chunks: () => content.chunks() } : {}),
    async read(maxBytes, condenser) {
      if (sparse === undefined) return await content.read(maxBytes, condenser);
      const file = await sparse();
      return file === undefined
        ? { bytes: new Uint8Array(0), truncated: true }
        : await content.readSparse(file, maxBytes);
    },
  };
}

/** An entry that has come as a whole. */
class WholeEntry implements Entry {
  readonly path: string;
  readonly kind: Entry["kind"];
  readonly linkTarget?: string;
  readonly bytes: Uint8Array;

  constructor({ path, kind, linkTarget }: Header, bytes: Uint8Array) {
    this.path = path;
    this.kind = kind;
    if (linkTarget !== "") this.linkTarget = linkTarget;
    this.bytes = bytes;
  }

  read(maxBytes: number, condenser?: Condenser): ReturnType<Entry["read"]> {
    const bytes = condenser !== undefined && this.bytes.length > Math.min(CONDENSE_FROM_BYTES, maxBytes)
      ? concatBytes([condenser.push(this.bytes), condenser.end()])
      : this.bytes;
    return Promise.resolve({ bytes: bytes.slice(0, maxBytes), truncated: bytes.length > maxBytes });
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    yield this.bytes;
  }
}

/** The entries of an archive, in order. An entry's content is passed over unless it is read before the next one is asked for. */
export interface TarEntries extends AsyncIterable<Entry> {
  /** The same, together as they come: several hundred thousand small files are read in a tenth of the time. */
  batches(): AsyncIterable<readonly Entry[]>;
}

/**
 * The entries of a tar archive.
 *
 * @param chunks The archive, uncompressed, in pieces of any size.
 * @param broken Told, in words, when the archive ends too early or is damaged; the entries before that are good.
 * @throws {BundleError} While it is read, if the very first block is not a tar header.
 */
export function readTar(chunks: AsyncIterable<Uint8Array>, broken: (message: string) => void): TarEntries {
  async function* batches(): AsyncGenerator<readonly Entry[]> {
    const reader = new ChunkReader(chunks);
    try {
      yield* readBatches(reader, broken);
    } finally {
      await reader.end();
    }
  }
  return {
    batches,
    async *[Symbol.asyncIterator]() {
      for await (const batch of batches()) yield* batch;
    },
  };
}

/** What is known of the next entry, with what one of the entries before it tells. */
function withMeta(meta: Meta, type: string, bytes: Uint8Array): Meta {
  switch (type) {
    case "L":
      return { ...meta, longName: fieldText(bytes, 0, bytes.length) };
    case "K":
      return { ...meta, longLink: fieldText(bytes, 0, bytes.length) };
    case "x":
      return { ...meta, pax: paxRecords(bytes) };
    default:
      return meta;
  }
}

/** What is wrong with a block where a header or the archive's end must stand. */
function problemOf({ chunk, at }: Block, offset: number, last: string): string | undefined {
  if (chunk.bytes.length - at < BLOCK) {
    return `the archive is cut off after ${offset + chunk.bytes.length} bytes (last entry: ${shortName(last)})`;
  }
  if (chunk.isHeader(at) || chunk.isZero(at)) return undefined;
  if (offset === 0) throw new BundleError("Cannot read the archive: it does not start with a tar header");
  return `the archive is damaged at byte ${offset} (last good entry: ${shortName(last)})`;
}

async function* readBatches(
  reader: ChunkReader,
  broken: (message: string) => void,
): AsyncGenerator<readonly Entry[], void, undefined> {
  let batch: Entry[] = [];
  let offset = 0;
  let meta = NO_META;
  let last = "none";
  /** What to say when the archive ends here. */
  let problem: string | undefined;
  while (problem === undefined) {
    // Whoever reads this is not kept waiting for more.
    if (!reader.has(BLOCK) && batch.length > 0) {
      yield batch;
      batch = [];
    }
    const block = reader.has(BLOCK) ? reader.blockNow() : await reader.block();
    const { chunk, at } = block;
    problem = problemOf(block, offset, last);
    // Two zero blocks end an archive; one is enough to know that no header follows.
    if (problem !== undefined || chunk.isZero(at)) break;
    const header = headerOf(block, meta);
    const old = header?.type === "S"
      ? await oldGnuSparse(chunk.bytes.slice(at, at + BLOCK), () => reader.read(BLOCK))
      : undefined;
    if (header === undefined || (header.type === "S" && old === undefined)) {
      problem = `the archive has an entry of impossible size at byte ${offset} (last good entry: ${shortName(last)})`;
      break;
    }
    offset += BLOCK + (old?.headerBytes ?? 0);

    const { size, type } = header;
    const stored = size + padding(size);
    if (META.has(type)) {
      if (size > MAX_META_BYTES) {
        problem = `the archive has a name of ${size} bytes at byte ${offset} (last good entry: ${shortName(last)})`;
        break;
      }
      meta = withMeta(meta, type, await reader.read(size));
      await reader.skip(padding(size));
      offset += stored;
      continue;
    }

    const content = new Content(reader, size);
    const sparse = sparseOf(old, meta, content);
    meta = NO_META;
    last = header.path;
    offset += stored;
    if (sparse === undefined && reader.has(stored)) {
      batch.push(new WholeEntry(header, reader.take(size)));
      reader.pass(stored - size);
      continue;
    }
    yield [...batch, streamEntry(header, content, sparse)];
    batch = [];
    if (await reader.skip(content.left + padding(size)) < content.left) {
      problem = `the archive is cut off inside ${shortName(last)}`;
    }
  }
  if (batch.length > 0) yield batch;
  if (problem !== undefined) return broken(problem);
  // To its end, so that a checksum which stands there is verified.
  await reader.skip(MAX_PADDING_BYTES);
}
