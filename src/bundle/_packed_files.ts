/** Files in little room: of a hundred thousand processes the same file has the same words in each, and only the numbers differ. */

/** Small files are packed: an array of its own costs each some hundred bytes and a microsecond. */
const MAX_PACKED_BYTES = 4096;
/** What is packed lies in blocks. None is longer than a packed file that has nothing in common with another, so that there is room for each. */
const BLOCK_BYTES = 64 * 1024;
/** So many files, and no more, are not worth comparing: that takes longer to compile than they to read. */
const FEW_FILES = 2000;
/** Files of one name that others are compared with: those of kernel threads have fewer lines. */
const MAX_TEMPLATES_A_NAME = 3;
/** Compared with a template, a file may have at most this part of its size: otherwise it is kept as it is. */
const MAX_PACKED_SHARE = 0.6;
/** Three numbers of one byte, the first perhaps with two more. */
const MAX_STEP_BYTES = 5;
/** A number's byte when it stands in the two behind it. What differs in one line is shorter. */
const LONG = 255;

/** From as many bytes on a view of them is sooner made than they are copied word by word. */
const LONG_COPY_BYTES = 128;

const NEWLINE = 0x0a;

/** The end of the line that `at` is in, or of all. */
function lineEnd({ bytes, length }: Words, at: number): number {
  while (at < length && bytes[at] !== NEWLINE) at++;
  return at;
}

/** Bytes that are also at hand as words of four, wherever they begin. */
class Words {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  length = 0;

  constructor(room: number) {
    this.bytes = new Uint8Array(room);
    this.view = new DataView(this.bytes.buffer);
  }

  set(bytes: Uint8Array): this {
    this.bytes.set(bytes);
    this.length = bytes.length;
    return this;
  }
}

/** How many bytes are the same in both. */
function sameBytes(a: Words, at: number, b: Words, from: number): number {
  const most = Math.min(a.length - at, b.length - from);
  let same = 0;
  while (same + 4 <= most && a.view.getInt32(at + same, true) === b.view.getInt32(from + same, true)) same += 4;
  while (same < most && a.bytes[at + same] === b.bytes[from + same]) same++;
  return same;
}

function copy(from: Words, at: number, to: Words, start: number, size: number): void {
  if (size >= LONG_COPY_BYTES) return to.bytes.set(from.bytes.subarray(at, at + size), start);
  let i = 0;
  for (; i + 4 <= size; i += 4) to.view.setInt32(start + i, from.view.getInt32(at + i, true), true);
  for (; i < size; i++) to.bytes[start + i] = from.bytes[at + i] as number;
}

/**
 * Writes what makes `file` of `template`, in steps: so many bytes as there, so many of its bytes left out, so many others. Line by line, as
 * lines of one name follow each other in the same order.
 *
 * @param most Undefined is returned if it would take more, or a line has too much of its own.
 */
function difference(
  template: Words,
  file: Words,
  into: Uint8Array,
  start: number,
  most: number,
): number | undefined {
  const { bytes, length } = file;
  let to = start;
  let from = 0;
  for (let at = 0; at < length;) {
    const same = sameBytes(file, at, template, from);
    at += same;
    from += same;
    const end = lineEnd(file, at);
    const templateEnd = lineEnd(template, from);
    if (to - start + MAX_STEP_BYTES + end - at > most) return undefined;
    if (templateEnd - from >= LONG || end - at >= LONG) return undefined;
    if (same >= LONG) {
      into[to++] = LONG;
      into[to++] = same >> 8;
    }
    into[to++] = same & 0xff;
    into[to++] = templateEnd - from;
    into[to++] = end - at;
    while (at < end) into[to++] = bytes[at++] as number;
    from = templateEnd;
  }
  return to - start;
}

/** Where a packed file is. */
interface Spot {
  readonly block: Uint8Array;
  readonly at: number;
}

/** A map of files that keeps small ones packed. What is taken out of it is a copy, equal to what was put in. */
export class PackedFiles implements ReadonlyMap<string, Uint8Array> {
  /** A file as it is, or the number of a packed one. */
  readonly #files: Map<string, Uint8Array | number> = new Map();
  /** By file: the block that it stands in, and where; its length; its template, or -1. */
  #places: Int32Array = new Int32Array(4 * 256);
  #packed = 0;
  readonly #blocks: Uint8Array[] = [];
  #used: number = BLOCK_BYTES;
  readonly #templates: Words[] = [];
  /** What is being compared. */
  readonly #file: Words = new Words(MAX_PACKED_BYTES);
  readonly #templatesByName: Map<string, number[]> = new Map();
  /** What was unpacked last. */
  #out: Words = new Words(BLOCK_BYTES);

  get size(): number {
    return this.#files.size;
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  get(path: string): Uint8Array | undefined {
    const file = this.#files.get(path);
    return typeof file === "number" ? this.#unpack(file) : file;
  }

  /** Keeps the array itself. */
  set(path: string, bytes: Uint8Array): void {
    this.#files.set(path, bytes);
  }

  /** Keeps what stands in the array now. */
  copy(path: string, bytes: Uint8Array): void {
    this.#files.set(path, bytes.length > MAX_PACKED_BYTES ? bytes.slice() : this.#pack(path, bytes));
  }

  delete(path: string): void {
    this.#files.delete(path);
  }

  #room(): Spot {
    if (this.#used + MAX_PACKED_BYTES > BLOCK_BYTES) {
      this.#blocks.push(new Uint8Array(BLOCK_BYTES));
      this.#used = 0;
    }
    return { block: this.#blocks.at(-1) as Uint8Array, at: this.#used };
  }

  #pack(path: string, bytes: Uint8Array): number {
    const { block, at } = this.#room();
    if (this.#files.size < FEW_FILES) return this.#placeWhole(bytes, block, at);
    const known = this.#templatesOf(path);
    const most = Math.floor(bytes.length * MAX_PACKED_SHARE);
    const file = this.#file.set(bytes);
    for (const template of known) {
      const size = difference(this.#templates[template] as Words, file, block, at, most);
      if (size !== undefined) return this.#place(size, bytes.length, template);
    }
    if (known.length < MAX_TEMPLATES_A_NAME) {
      known.push(this.#templates.push(new Words(bytes.length).set(bytes)) - 1);
    }
    return this.#placeWhole(bytes, block, at);
  }

  #placeWhole(bytes: Uint8Array, block: Uint8Array, at: number): number {
    block.set(bytes, at);
    return this.#place(bytes.length, bytes.length, -1);
  }

  #templatesOf(path: string): number[] {
    const name = path.slice(path.lastIndexOf("/") + 1);
    let templates = this.#templatesByName.get(name);
    if (templates === undefined) this.#templatesByName.set(name, templates = []);
    return templates;
  }

  #place(size: number, length: number, template: number): number {
    const place = 4 * this.#packed;
    if (place === this.#places.length) {
      const longer = new Int32Array(2 * place);
      longer.set(this.#places);
      this.#places = longer;
    }
    this.#places[place] = this.#blocks.length - 1;
    this.#places[place + 1] = this.#used;
    this.#places[place + 2] = length;
    this.#places[place + 3] = template;
    this.#used += size;
    return this.#packed++;
  }

  #unpack(file: number): Uint8Array {
    const place = 4 * file;
    const block = this.#blocks[this.#places[place] as number] as Uint8Array;
    const at = this.#places[place + 1] as number;
    const length = this.#places[place + 2] as number;
    const template = this.#places[place + 3] as number;
    if (template === -1) return block.subarray(at, at + length);
    return this.#apply(this.#templates[template] as Words, block, at, length);
  }

  /** The opposite of {@linkcode difference}. */
  #apply(template: Words, steps: Uint8Array, at: number, length: number): Uint8Array {
    if (this.#out.length + length > BLOCK_BYTES) {
      this.#out = new Words(BLOCK_BYTES);
    }
    const out = this.#out;
    const { bytes } = out;
    const start = out.length;
    const end = start + length;
    let from = 0;
    for (let to = start; to < end;) {
      let same = steps[at++] as number;
      if (same === LONG) {
        same = ((steps[at] as number) << 8) | (steps[at + 1] as number);
        at += 2;
      }
      copy(template, from, out, to, same);
      to += same;
      from += same + (steps[at++] as number);
      const own = steps[at++] as number;
      for (let i = 0; i < own; i++) bytes[to + i] = steps[at + i] as number;
      to += own;
      at += own;
    }
    out.length = end;
    return bytes.subarray(start, end);
  }

  keys(): MapIterator<string> {
    return this.#files.keys();
  }

  *values(): MapIterator<Uint8Array> {
    for (const [, bytes] of this.entries()) yield bytes;
  }

  *entries(): MapIterator<[string, Uint8Array]> {
    for (const [path, file] of this.#files) yield [path, typeof file === "number" ? this.#unpack(file) : file];
  }

  [Symbol.iterator](): MapIterator<[string, Uint8Array]> {
    return this.entries();
  }

  forEach(each: (bytes: Uint8Array, path: string, files: ReadonlyMap<string, Uint8Array>) => void): void {
    for (const [path, bytes] of this.entries()) each(bytes, path, this);
  }
}
