/**
 * Reads .bz2, as sosreport wrote by default for years. An own decoder: those of npm either take the whole file at once (bz2, wasm-bz2), or run
 * for ever on a run length that overflows (seek-bzip and unbzip2-stream count it in 32 bits with a sign).
 *
 * There is no specification but the program itself, https://sourceware.org/bzip2/
 */
import type { Decompress } from "../core/bundle.ts";

const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
/** Symbols that one Huffman table is used for. */
const GROUP_SYMBOLS = 50;
const MAX_CODE_BITS = 20;
/** What is given out at once: a block of runs unpacks to 46 MB. */
const PIECE_BYTES = 2 ** 18;

const CRC_TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80000000) !== 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

class DamagedError extends Error {}

/** Bits from a stream of chunks, the highest of a byte first. */
class BitReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #bits = 0;
  #count = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Makes at least `size` bytes readable without waiting, or all that are left. */
  async fill(size: number): Promise<void> {
    const parts = [this.#chunk.subarray(this.#at)];
    let got = this.#chunk.length - this.#at;
    if (got >= size) return;
    while (got < size) {
      const next = await this.#chunks.next();
      if (next.done === true) break;
      parts.push(next.value);
      got += next.value.length;
    }
    this.#chunk = new Uint8Array(got);
    this.#at = 0;
    for (const part of parts) {
      this.#chunk.set(part, this.#at);
      this.#at += part.length;
    }
    this.#at = 0;
  }

  /** At most 24 bits as a number. */
  read(count: number): number {
    while (this.#count < count) {
      const byte = this.#chunk[this.#at++];
      if (byte === undefined) throw new DamagedError("it is cut off");
      this.#bits = ((this.#bits << 8) | byte) >>> 0;
      this.#count += 8;
    }
    this.#count -= count;
    const value = this.#bits >>> this.#count;
    this.#bits &= (1 << this.#count) - 1;
    return value;
  }

  read48(): number {
    return this.read(24) * 2 ** 24 + this.read(24);
  }

  read32(): number {
    return (this.read(16) * 2 ** 16 + this.read(16)) >>> 0;
  }

  /** To the next whole byte. */
  align(): void {
    this.read(this.#count % 8);
  }

  get atEnd(): boolean {
    return this.#count === 0 && this.#at >= this.#chunk.length;
  }
}

/** A Huffman code in its canonical form. */
interface Code {
  readonly shortest: number;
  /** By length: the largest code of that length, left of which the code is shorter. */
  readonly limits: Int32Array;
  /** By length: what is to be taken from a code to find its place in `symbols`. */
  readonly offsets: Int32Array;
  readonly symbols: Uint16Array;
}

function codeOf(lengths: Uint8Array): Code {
  const limits = new Int32Array(MAX_CODE_BITS + 2).fill(-1);
  const offsets = new Int32Array(MAX_CODE_BITS + 2);
  const symbols = new Uint16Array(lengths.length);
  let place = 0;
  let code = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    offsets[bits] = code - place;
    lengths.forEach((length, symbol) => {
      if (length === bits) symbols[place++] = symbol;
    });
    code = place + (offsets[bits] as number);
    limits[bits] = code - 1;
    code <<= 1;
  }
  return { shortest: Math.min(...lengths), limits, offsets, symbols };
}

function readSymbol(bits: BitReader, { shortest, limits, offsets, symbols }: Code): number {
  let code = bits.read(shortest);
  for (let length = shortest; length <= MAX_CODE_BITS; length++) {
    if (code <= (limits[length] as number)) {
      const symbol = symbols[code - (offsets[length] as number)];
      if (symbol === undefined) break;
      return symbol;
    }
    code = (code << 1) | bits.read(1);
  }
  throw new DamagedError("it has an impossible code");
}

/** Moves what stands at `index` to the front, and gives it. */
function moveToFront(list: Uint8Array, index: number): number {
  const value = list[index] as number;
  list.copyWithin(1, 0, index);
  list[0] = value;
  return value;
}

/** The bytes that occur in a block, in order. */
function readAlphabet(bits: BitReader): Uint8Array {
  const rows = bits.read(16);
  const used: number[] = [];
  for (let row = 0; row < 16; row++) {
    if ((rows & (0x8000 >> row)) === 0) continue;
    const columns = bits.read(16);
    for (let column = 0; column < 16; column++) {
      if ((columns & (0x8000 >> column)) !== 0) used.push(row * 16 + column);
    }
  }
  return Uint8Array.from(used);
}

/** Which of the codes is used for which group of symbols. */
function readSelectors(bits: BitReader, codes: number): Uint8Array {
  const selectors = new Uint8Array(bits.read(15));
  const recent = Uint8Array.from({ length: codes }, (_, i) => i);
  for (let i = 0; i < selectors.length; i++) {
    let index = 0;
    while (bits.read(1) === 1) {
      if (++index >= codes) throw new DamagedError("it has an impossible table");
    }
    selectors[i] = moveToFront(recent, index);
  }
  return selectors;
}

function readCode(bits: BitReader, symbols: number): Code {
  const lengths = new Uint8Array(symbols);
  let length = bits.read(5);
  for (let i = 0; i < symbols; i++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_BITS) throw new DamagedError("it has an impossible table");
      if (bits.read(1) === 0) break;
      length += bits.read(1) === 0 ? 1 : -1;
    }
    lengths[i] = length;
  }
  return codeOf(lengths);
}

/** Undoes Huffman coding, run lengths and move-to-front: the block as it was sorted. Each element is a byte. */
function readSorted(bits: BitReader, maxBytes: number): Uint32Array {
  const alphabet = readAlphabet(bits);
  const codeCount = bits.read(3);
  if (alphabet.length === 0 || codeCount < 2 || codeCount > 6) throw new DamagedError("it has an impossible table");
  const selectors = readSelectors(bits, codeCount);
  const endOfBlock = alphabet.length + 1;
  const codes = Array.from({ length: codeCount }, () => readCode(bits, endOfBlock + 1));

  const block = new Uint32Array(maxBytes);
  let size = 0;
  let run = 0;
  let runUnit = 1;
  for (let read = 0;; read++) {
    const code = codes[selectors[Math.floor(read / GROUP_SYMBOLS)] ?? codeCount];
    if (code === undefined) throw new DamagedError("a block does not end");
    const symbol = readSymbol(bits, code);
    if (symbol < 2) {
      run += runUnit * (symbol + 1);
      runUnit *= 2;
      if (run > maxBytes) throw new DamagedError("a block is too long");
      continue;
    }
    if (size + run > maxBytes) throw new DamagedError("a block is too long");
    block.fill(alphabet[0] as number, size, size + run);
    size += run;
    run = 0;
    runUnit = 1;
    if (symbol === endOfBlock) return block.subarray(0, size);
    if (size === maxBytes) throw new DamagedError("a block is too long");
    block[size++] = moveToFront(alphabet, symbol - 1);
  }
}

/** Undoes the Burrows-Wheeler transform in place: above its byte each element gets the place of the next one. */
function unsort(block: Uint32Array): void {
  const places = new Uint32Array(256);
  for (const byte of block) places[byte] = (places[byte] as number) + 1;
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = places[byte] as number;
    places[byte] = sum;
    sum += count;
  }
  for (let i = 0; i < block.length; i++) {
    const byte = (block[i] as number) & 0xff;
    const place = places[byte] as number;
    places[byte] = place + 1;
    block[place] = (block[place] as number) | (i << 8);
  }
}

/** One block, in pieces. Returns its checksum. */
function* readBlock(bits: BitReader, maxBytes: number): Generator<Uint8Array, number> {
  const expected = bits.read32();
  if (bits.read(1) === 1) throw new DamagedError("it is of a version before 0.9.5");
  const origin = bits.read(24);
  const block = readSorted(bits, maxBytes);
  if (origin >= block.length) throw new DamagedError("a block does not begin");
  unsort(block);

  let piece = new Uint8Array(PIECE_BYTES);
  let used = 0;
  let crc = -1;
  let next = (block[origin] as number) >>> 8;
  let previous = -1;
  // Four equal bytes are followed by how many more there are.
  let alike = 0;
  for (let left = block.length; left > 0; left--) {
    const entry = block[next] as number;
    const byte = entry & 0xff;
    next = entry >>> 8;
    const isCount = alike === 4;
    const copies = isCount ? byte : 1;
    const value = isCount ? previous : byte;
    alike = isCount ? 0 : byte === previous ? alike + 1 : 1;
    previous = isCount ? -1 : byte;
    for (let i = 0; i < copies; i++) {
      piece[used++] = value;
      crc = (crc << 8) ^ (CRC_TABLE[(crc >>> 24) ^ value] as number);
      if (used === PIECE_BYTES) {
        yield piece;
        piece = new Uint8Array(PIECE_BYTES);
        used = 0;
      }
    }
  }
  yield piece.subarray(0, used);
  if (~crc >>> 0 !== expected) throw new DamagedError("its checksum is wrong");
  return expected;
}

/** All streams of a file, as `cat a.bz2 b.bz2` and parallel compressors make them. */
async function* readStreams(bits: BitReader): AsyncGenerator<Uint8Array> {
  for (let first = true;; first = false) {
    await bits.fill(4);
    if (!first && bits.atEnd) return;
    const isBzip2 = bits.read(24) === 0x425a68;
    const level = bits.read(8) - 0x30;
    if (!isBzip2 || level < 1 || level > 9) throw new DamagedError("a stream does not begin as one");
    let combined = 0;
    for (;;) {
      // A block that cannot be made smaller becomes one per cent larger.
      await bits.fill(level * 110_000 + 30_000);
      const magic = bits.read48();
      if (magic === END_MAGIC) break;
      if (magic !== BLOCK_MAGIC) throw new DamagedError("a block does not begin as one");
      const crc = yield* readBlock(bits, level * 100_000);
      combined = (((combined << 1) | (combined >>> 31)) ^ crc) >>> 0;
    }
    if (bits.read32() !== combined) throw new DamagedError("its checksum is wrong");
    bits.align();
  }
}

/** The portable bzip2 reader. What can be read of a cut-off or damaged stream is given before `broken` is told. */
export const bunzip2: Decompress = async function* (chunks, broken) {
  try {
    yield* readStreams(new BitReader(chunks));
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
    broken(`the compressed data is damaged or cut off (${error.message})`);
  }
};
