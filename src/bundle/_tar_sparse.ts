// Files with holes, as GNU tar --sparse stores them: a map of the parts that have data, then the data of all parts.
// https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html
import { BLOCK, decimal, fieldNumber } from "./_tar_header.ts";

/** A part of a file that has data. */
export interface SparsePart {
  readonly offset: number;
  readonly size: number;
}

/** A file with holes. */
export interface SparseFile {
  /** With its holes. */
  readonly size: number;
  readonly parts: readonly SparsePart[];
  /** What its map takes after the entry's first header. */
  readonly headerBytes?: number;
}

/** More parts than any file of a bundle has; each costs memory before anything of the file is read. */
const MAX_PARTS = 2_000;
const DIGITS_AND_NEWLINE = 17;

/** Whether the parts follow one another within the file. */
function inOrder({ size, parts }: SparseFile): boolean {
  let end = 0;
  for (const part of parts) {
    if (part.offset < end || part.offset + part.size > size) return false;
    end = part.offset + part.size;
  }
  return true;
}

/** Adds the parts of one block's table; false when one of them is impossible. */
function addParts(block: Uint8Array, from: number, count: number, into: SparsePart[]): boolean {
  for (let at = from; at < from + count * 24; at += 24) {
    const offset = fieldNumber(block, at, 12);
    const size = fieldNumber(block, at + 12, 12);
    if (offset === undefined || size === undefined) return false;
    if (size > 0) into.push({ offset, size });
  }
  return true;
}

/**
 * The map of an entry of type S, whose header may go on in further blocks. Undefined when it is damaged.
 *
 * @param next Reads the next block.
 */
export async function oldGnuSparse(
  header: Uint8Array,
  next: () => Promise<Uint8Array>,
): Promise<SparseFile | undefined> {
  const size = fieldNumber(header, 483, 12);
  const parts: SparsePart[] = [];
  let headerBytes = 0;
  let good = size !== undefined && addParts(header, 386, 4, parts);
  for (let more = header[482] !== 0; good && more;) {
    const block = await next();
    headerBytes += BLOCK;
    good = block.length === BLOCK && parts.length < MAX_PARTS && addParts(block, 0, 21, parts);
    more = block[504] !== 0;
  }
  const file = { size: size ?? 0, parts, headerBytes };
  return good && inOrder(file) ? file : undefined;
}

/** Pairs of offset and size. */
function pairs(numbers: readonly (number | undefined)[]): SparsePart[] | undefined {
  const parts: SparsePart[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const offset = numbers[i];
    const size = numbers[i + 1];
    if (offset === undefined || size === undefined) return undefined;
    if (size > 0) parts.push({ offset, size });
  }
  return parts;
}

/** PAX 0.1: the map is in the header. */
export function paxSparse(pax: ReadonlyMap<string, string>): SparseFile | undefined {
  const numbers = pax.get("GNU.sparse.map")?.split(",", 2 * MAX_PARTS).map(decimal);
  const size = decimal(pax.get("GNU.sparse.size"));
  const parts = numbers && pairs(numbers);
  if (parts === undefined || size === undefined) return undefined;
  const file = { size, parts };
  return inOrder(file) ? file : undefined;
}

/**
 * PAX 1.0: the map stands before the data, a number a line and their count in the first, filled up to whole blocks.
 *
 * @param size The file's, from its header.
 * @param next Reads the next block of the entry.
 */
export async function paxSparseBefore(size: number, next: () => Promise<Uint8Array>): Promise<SparseFile | undefined> {
  let text = "";
  while (text.length <= MAX_PARTS * 2 * DIGITS_AND_NEWLINE) {
    const block = await next();
    if (block.length < BLOCK) return undefined;
    text += String.fromCharCode(...block);
    const lines = text.split("\n");
    const count = decimal(lines[0]);
    if (count === undefined || count > MAX_PARTS) return undefined;
    if (lines.length <= 1 + 2 * count) continue;
    const parts = pairs(lines.slice(1, 1 + 2 * count).map(decimal));
    return parts !== undefined && inOrder({ size, parts }) ? { size, parts } : undefined;
  }
  return undefined;
}
