/**
 * Reads zip archives as a stream of entries: what people make of a folder on Windows and macOS, and what issue trackers ask for. Nothing is ever
 * extracted.
 *
 * An own reader, of which fflate unpacks the files, because its own looks at no checksum.
 */
import type { Entry } from "../core/bundle.ts";
import { concatBytes, slices } from "../core/bytes.ts";
import { shortName } from "./_few.ts";
import { crc32 } from "./_crc32.ts";
import { readStream } from "./_streams.ts";

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT: 4.3.7 local file header, 4.3.9 data descriptor, 4.5.3 zip64.
const FILE = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
/** What follows the last file: the directory, in one of its forms, or what is encrypted of it. */
const AT_THE_END: readonly number[] = [0x02014b50, 0x06054b50, 0x06064b50, 0x08064b50];
const HEADER_BYTES = 30;
/** With sizes of 4 and of 8 bytes. */
const SHORT_DESCRIPTOR = 16;
const LONG_DESCRIPTOR = 24;
/** What tells a descriptor: its signature, checksum and packed size. */
const TELLING_BYTES = 12;
/** A descriptor, and how what follows begins: `PK`. */
const LOOK_BYTES = LONG_DESCRIPTOR + 4;
const HEADERS = 0x4b50;
const ENCRYPTED = 1;
const SIZES_BEHIND = 8;
const UTF_8 = 2048;
const STORED = 0;
const DEFLATED = 8;
const ZIP64 = 1;
const IN_ZIP64 = 0xffffffff;

/** At most a thousand times as much comes out at once. */
const SLICE_BYTES = 16 * 1024;

const utf8 = new TextDecoder();
const latin1 = new TextDecoder("latin1");

/** Whether these bytes begin a zip archive, with a file or without any. */
export function isZip(head: Uint8Array): boolean {
  const [p, k, a, b] = head;
  return p === 0x50 && k === 0x4b && ((a === 3 && b === 4) || (a === 5 && b === 6));
}

/** Bytes that have come, and those after them. */
class Queue {
  readonly #slices: AsyncIterator<Uint8Array>;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#slices = slices(chunks, SLICE_BYTES)[Symbol.asyncIterator]();
  }

  /** At least `size` bytes, if there are as many: not taken yet. */
  async look(size: number): Promise<Uint8Array> {
    while (this.#bytes.length < size) {
      const next = await this.#slices.next();
      if (next.done === true) break;
      this.#bytes = this.#bytes.length === 0 ? next.value : concatBytes([this.#bytes, next.value]);
    }
    return this.#bytes;
  }

  take(size: number): Uint8Array {
    const taken = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return taken;
  }

  async end(): Promise<void> {
    await this.#slices.return?.();
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * PowerShell writes the folders of Windows. A name of Linux may have a backslash, too: systemd's units have `\x2d` for a dash, which is in a
 * folder then.
 */
function pathOf(name: string): string {
  return name.includes("/") || /\\x[\da-f]{2}/.test(name) ? name : name.replaceAll("\\", "/");
}

interface Header {
  readonly path: string;
  readonly flags: number;
  readonly method: number;
  /** Undefined where it stands behind the file. */
  readonly crc: number | undefined;
  readonly size: number | undefined;
}

/** The packed size of a large file. */
function zip64Size(extra: Uint8Array): number | undefined {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    // The size before it was packed comes first.
    if (view.getUint16(at, true) === ZIP64 && at + 20 <= extra.length) return Number(view.getBigUint64(at + 12, true));
  }
  return undefined;
}

/** The next file's header; undefined where none follows, or not all of it. */
async function readHeader(queue: Queue): Promise<Header | undefined> {
  const fixed = viewOf(await queue.look(HEADER_BYTES));
  if (fixed.byteLength < HEADER_BYTES || fixed.getUint32(0, true) !== FILE) return undefined;
  const [flags, method] = [fixed.getUint16(6, true), fixed.getUint16(8, true)];
  const [nameBytes, extraBytes] = [fixed.getUint16(26, true), fixed.getUint16(28, true)];
  const bytes = await queue.look(HEADER_BYTES + nameBytes + extraBytes);
  if (bytes.length < HEADER_BYTES + nameBytes + extraBytes) return undefined;
  queue.take(HEADER_BYTES);
  const name = ((flags & UTF_8) === 0 ? latin1 : utf8).decode(queue.take(nameBytes));
  const extra = queue.take(extraBytes);
  const size = fixed.getUint32(18, true);
  const isBehind = (flags & SIZES_BEHIND) !== 0;
  return {
    path: pathOf(name),
    flags,
    method,
    crc: isBehind ? undefined : fixed.getUint32(14, true),
    size: isBehind ? undefined : size === IN_ZIP64 ? zip64Size(extra) : size,
  };
}

/** Where the descriptor begins that tells of as many packed bytes as come before it; -1 where it is not among these. */
function descriptorIn(bytes: Uint8Array, before: number): number {
  const view = viewOf(bytes);
  for (
    let at = bytes.indexOf(0x50);
    at !== -1 && at + TELLING_BYTES <= bytes.length;
    at = bytes.indexOf(0x50, at + 1)
  ) {
    // Of a size of 8 bytes these are the lower half.
    if (view.getUint32(at, true) === DESCRIPTOR && view.getUint32(at + 8, true) === (before + at) >>> 0) return at;
  }
  return -1;
}

/** How much of what has come can be no descriptor: unless nothing more comes, one may begin at the end. */
function withoutDescriptor(bytes: Uint8Array): number {
  return bytes.length < LOOK_BYTES ? bytes.length : bytes.length - TELLING_BYTES;
}

/** One file of an archive, of which the content is taken as it comes. */
class Member {
  readonly header: Header;
  readonly #queue: Queue;
  readonly #unpacked: (bytes: number) => void;
  #packedBytes = 0;
  #crc = 0;
  #expectedCrc: number | undefined;
  isWhole = false;
  /** Whether it was seen not to be what was packed. */
  isDamaged: boolean;

  constructor(header: Header, queue: Queue, unpacked: (bytes: number) => void) {
    this.header = header;
    this.#queue = queue;
    this.#unpacked = unpacked;
    this.#expectedCrc = header.crc;
    this.isDamaged = (header.flags & ENCRYPTED) !== 0 || (header.method !== STORED && header.method !== DEFLATED);
  }

  /** What is packed, to its end. */
  async *#packed(): AsyncGenerator<Uint8Array> {
    const { size } = this.header;
    while (!this.isWhole && (size === undefined || this.#packedBytes < size)) {
      const bytes = await this.#queue.look(size === undefined ? LOOK_BYTES : 1);
      if (bytes.length === 0) return;
      const end = size === undefined ? descriptorIn(bytes, this.#packedBytes) : -1;
      if (end === 0) {
        await this.#readDescriptor();
        this.isWhole = true;
        return;
      }
      const part = this.#queue.take(
        size === undefined
          ? end === -1 ? withoutDescriptor(bytes) : end
          : Math.min(bytes.length, size - this.#packedBytes),
      );
      this.#packedBytes += part.length;
      yield part;
    }
    this.isWhole = true;
  }

  /** Its sizes have 4 bytes or, in zip64, 8: what follows begins as all headers do. */
  async #readDescriptor(): Promise<void> {
    const view = viewOf(await this.#queue.look(LOOK_BYTES));
    this.#expectedCrc = view.getUint32(4, true);
    const isLong = view.byteLength >= LOOK_BYTES && view.getUint16(SHORT_DESCRIPTOR, true) !== HEADERS &&
      view.getUint16(LONG_DESCRIPTOR, true) === HEADERS;
    this.#queue.take(isLong ? LONG_DESCRIPTOR : SHORT_DESCRIPTOR);
  }

  /** Goes to the end, whatever was read. */
  async passOver(): Promise<void> {
    for await (const _ of this.#packed()) continue;
  }

  async *content(): AsyncGenerator<Uint8Array> {
    for await (const part of this.#unpack()) {
      this.#crc = crc32(part, this.#crc);
      this.#unpacked(part.length);
      yield part;
    }
    if (this.isWhole && this.#crc !== this.#expectedCrc) this.isDamaged = true;
  }

  async *#unpack(): AsyncGenerator<Uint8Array> {
    if (this.header.method === STORED || this.isDamaged) {
      for await (const part of this.#packed()) if (!this.isDamaged) yield part;
      return;
    }
    // Few bundles are a zip archive.
    const { Inflate } = await import("fflate");
    let out: Uint8Array[] = [];
    const inflate = new Inflate((part) => void out.push(part));
    for await (const part of this.#packed()) {
      if (!this.isDamaged) this.#push(() => inflate.push(part));
      yield* out.filter(({ length }) => length > 0);
      out = [];
    }
    if (this.isWhole && !this.isDamaged) this.#push(() => inflate.push(new Uint8Array(0), true));
    yield* out.filter(({ length }) => length > 0);
  }

  #push(push: () => void): void {
    try {
      push();
    } catch {
      // What fflate says of damaged data tells nobody anything.
      this.isDamaged = true;
    }
  }
}

/**
 * The entries of a zip archive, each to be read before the next one is asked for. Links are files here: only the directory at the end would tell.
 *
 * @param unpacked Told how many bytes were unpacked; what it throws ends the reading.
 * @param broken Told what is wrong when the archive is cut off, or has files that cannot be unpacked; the others are good.
 */
export async function* readZip(
  chunks: AsyncIterable<Uint8Array>,
  unpacked: (bytes: number) => void,
  broken: (message: string) => void,
): AsyncGenerator<Entry> {
  const queue = new Queue(chunks);
  let damaged = 0;
  let firstDamaged = "";
  let last = "none";
  try {
    for (let header = await readHeader(queue); header !== undefined; header = await readHeader(queue)) {
      const member = new Member(header, queue, unpacked);
      last = header.path;
      yield entryOf(member);
      await member.passOver();
      if (member.isDamaged && damaged++ === 0) firstDamaged = shortName(last);
      if (!member.isWhole) return broken(`the archive is cut off inside ${shortName(last)}`);
    }
    const end = await queue.look(4);
    if (end.length < 4) broken(`the archive is cut off (last entry: ${shortName(last)})`);
    else if (!AT_THE_END.includes(viewOf(end).getUint32(0, true))) {
      broken(`the archive is damaged (last good entry: ${shortName(last)})`);
    }
  } finally {
    await queue.end();
    if (damaged > 0) {
      const others = damaged === 1 ? "" : ` and ${damaged - 1} others`;
      broken(`${firstDamaged}${others} cannot be unpacked: damaged, encrypted, or compressed in a way of its own`);
    }
  }
}

function entryOf(member: Member): Entry {
  const { path } = member.header;
  const isFile = !path.endsWith("/");
  const chunks = () => member.content();
  return {
    path,
    kind: isFile ? "file" : "other",
    ...(isFile ? { chunks } : {}),
    async read(maxBytes, condenser) {
      const { bytes, truncated } = await readStream(chunks(), maxBytes, condenser);
      return { bytes, truncated: truncated || member.isDamaged || !member.isWhole };
    },
  };
}
