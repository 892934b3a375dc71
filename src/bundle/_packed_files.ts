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
/** Three numbers of at most two bytes. */
const MAX_STEP_BYTES = 6;
/** A number's first byte when a second one follows. */
const MORE = 0x80;

const NEWLINE = 0x0a;

/** The end of the line that `at` is in, or of all. */
function lineEnd({ bytes, length }: Words, at: number): number {
  while (at < length && bytes[at] !== NEWLINE) at++;
  return at;
}

/** Writes a number below 2^15 and returns where the next one begins. */
function putNumber(into: Uint8Array, at: number, value: number): number {
  if (value < MORE) {
    into[at] = value;
    return at + 1;
  }
  into[at] = MORE | (value >> 8);
  into[at + 1] = value & 0xff;
  return at + 2;
}

/** Bytes that are also at hand as words of four. */
class Words {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  length = 0;

  constructor(room: number) {
    this.words = new Uint32Array(Math.ceil(room / 4));
    this.bytes = new Uint8Array(this.words.buffer);
  }

  set(bytes: Uint8Array): this {
    this.bytes.set(bytes);
    this.length = bytes.length;
    return this;
  }
}

/** Where two files that are the same before `at` first differ, or the shorter one ends. */
function differAt(a: Words, b: Words, at: number): number {
  const end = Math.min(a.length, b.length);
  while (at < end && at % 4 !== 0 && a.bytes[at] === b.bytes[at]) at++;
  if (at % 4 === 0) {
    const words = end >> 2;
    let word = at >> 2;
    while (word < words && a.words[word] === b.words[word]) word++;
    at = 4 * word;
  }
  while (at < end && a.bytes[at] === b.bytes[at]) at++;
  return at;
}

/**
 * Writes what makes `file` of `template`, in steps: so many bytes as there, so many of its bytes left out, so many others. Line by line, as
 * lines of one name follow each other in the same order.
 *
 * @param most Undefined is returned if it would take more.
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
    const same = at;
    // Nearly always: numbers are mostly as wide.
    if (at === from) at = from = differAt(template, file, at);
    while (at < length && from < template.length && bytes[at] === template.bytes[from]) {
      at++;
      from++;
    }
    const end = lineEnd(file, at);
    const templateEnd = lineEnd(template, from);
    if (to - start + MAX_STEP_BYTES + end - at > most) return undefined;
    to = putNumber(into, to, at - same);
    to = putNumber(into, to, templateEnd - from);
    to = putNumber(into, to, end - at);
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
  /** By file: where it stands, counted through all blocks; its length; its template, or -1. */
  #places: Float64Array = new Float64Array(3 * 256);
  #packed = 0;
  readonly #blocks: Uint8Array[] = [];
  #used: number = BLOCK_BYTES;
  readonly #templates: Words[] = [];
  /** What is being compared. */
  readonly #file: Words = new Words(MAX_PACKED_BYTES);
  readonly #templatesByName: Map<string, number[]> = new Map();
  /** What was unpacked last: a block, and how much of it is used. */
  #out: Uint8Array = new Uint8Array(0);
  #outUsed = 0;

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
    const file = this.#packed++;
    if (3 * file === this.#places.length) {
      const longer = new Float64Array(2 * this.#places.length);
      longer.set(this.#places);
      this.#places = longer;
    }
    this.#places[3 * file] = (this.#blocks.length - 1) * BLOCK_BYTES + this.#used;
    this.#places[3 * file + 1] = length;
    this.#places[3 * file + 2] = template;
    this.#used += size;
    return file;
  }

  #unpack(file: number): Uint8Array {
    const place = this.#places[3 * file] as number;
    const length = this.#places[3 * file + 1] as number;
    const template = this.#places[3 * file + 2] as number;
    const block = this.#blocks[Math.floor(place / BLOCK_BYTES)] as Uint8Array;
    const at = place % BLOCK_BYTES;
    if (template === -1) return block.subarray(at, at + length);
    return this.#apply(this.#templates[template] as Words, block, at, length);
  }

  /** The opposite of {@linkcode difference}. */
  #apply({ bytes: template }: Words, steps: Uint8Array, at: number, length: number): Uint8Array {
    const size = Math.max(length, template.length);
    if (this.#outUsed + size > this.#out.length) {
      this.#out = new Uint8Array(BLOCK_BYTES);
      this.#outUsed = 0;
    }
    const out = this.#out;
    const start = this.#outUsed;
    const end = start + length;
    const number = (): number => {
      const first = steps[at++] as number;
      return first < MORE ? first : ((first - MORE) << 8) | (steps[at++] as number);
    };
    // What stands where it stands in the template is copied at once: nearly all, as numbers are mostly as wide.
    out.set(template, start);
    let from = 0;
    for (let to = start; to < end;) {
      const same = number();
      if (to - start !== from) { for (let i = 0; i < same; i++) out[to + i] = template[from + i] as number; }
      to += same;
      from += same;
      from += number();
      for (let left = number(); left > 0; left--) out[to++] = steps[at++] as number;
    }
    this.#outUsed = end;
    return out.subarray(start, end);
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
