// The blocks of a tar archive that tell of entries.

export const BLOCK = 512;

const utf8 = new TextDecoder();

/** A field's text up to its first NUL. */
export function fieldText(block: Uint8Array, from: number, size: number): string {
  const most = Math.min(from + size, block.length);
  let end = from;
  while (end < most && block[end] !== 0) end++;
  return end === from ? "" : utf8.decode(block.subarray(from, end));
}

/** The number of octal digits between blanks; undefined when there is anything else. 0 for an empty field. */
function octal(block: Uint8Array, from: number, size: number): number | undefined {
  const end = from + size;
  let at = from;
  while (at < end && isBlank(block[at])) at++;
  let value = 0;
  for (; at < end && isOctal(block[at]); at++) value = value * 8 + (block[at] as number) - 0x30;
  while (at < end && isBlank(block[at])) at++;
  return at === end || block[at] === 0 ? value : undefined;
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
const isOctal = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte < 0x38;

/** Octal, or GNU's base-256 for sizes from 8 GiB. Undefined when it is neither. */
export function fieldNumber(block: Uint8Array, from: number, size: number): number | undefined {
  const first = block[from] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = first & 0x7f;
    for (let i = from + 1; i < from + size; i++) value = value * 256 + (block[i] ?? 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  return octal(block, from, size);
}

/** A decimal number of a PAX record or a map of sparse files: no sign, no exponent, nothing above 2^53. */
export function decimal(digits: string | undefined): number | undefined {
  if (digits === undefined || !/^\d{1,16}$/.test(digits)) return undefined;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A chunk of an archive, as bytes and as words of four, wherever they begin: there may be a million of blocks to be summed up. */
export class Chunk {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The sum of a block's bytes. */
  #sum(at: number): number {
    // Two sums of 16 bits each, which 2 * 128 bytes cannot overflow.
    let sums = 0;
    for (let i = at; i < at + BLOCK; i += 4) {
      const word = this.#view.getInt32(i, true);
      sums = (sums + (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)) | 0;
    }
    return (sums & 0xffff) + (sums >>> 16);
  }

  /** Whether the block that begins there is a header: its checksum is right. */
  isHeader(at: number): boolean {
    const { bytes } = this;
    if (bytes.length - at < BLOCK) return false;
    // Its own field counts as eight blanks.
    let sum = this.#sum(at) + 8 * 0x20;
    for (let i = at + 148; i < at + 156; i++) sum -= bytes[i] as number;
    return sum === fieldNumber(bytes, at + 148, 8);
  }

  /** Whether the block that begins there is all zeros. */
  isZero(at: number): boolean {
    return this.bytes[at] === 0 && this.#sum(at) === 0;
  }
}

/** PAX records: `LENGTH KEY=VALUE\n`, the length counting the whole record in bytes. An empty value takes a record back. */
export function paxRecords(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    // A length has at most seven digits here.
    const space = bytes.subarray(at, at + 8).indexOf(0x20);
    const length = space === -1 ? undefined : decimal(utf8.decode(bytes.subarray(at, at + space)));
    if (length === undefined || length <= space || bytes[at + length - 1] !== 0x0a) break;
    const record = utf8.decode(bytes.subarray(at + space + 1, at + length - 1));
    const equals = record.indexOf("=");
    const key = record.slice(0, Math.max(0, equals));
    if (equals === record.length - 1) records.delete(key);
    else if (equals > 0) records.set(key, record.slice(equals + 1));
    at += length;
  }
  return records;
}
