// The blocks of a tar archive that tell of entries.

export const BLOCK = 512;

const utf8 = new TextDecoder();

/** A field's text up to its first NUL. */
export function fieldText(block: Uint8Array, from: number, size: number): string {
  const field = block.subarray(from, from + size);
  const end = field.indexOf(0);
  return utf8.decode(end === -1 ? field : field.subarray(0, end));
}

/** Octal, or GNU's base-256 for sizes from 8 GiB. Undefined when it is neither. */
export function fieldNumber(block: Uint8Array, from: number, size: number): number | undefined {
  const first = block[from] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = first & 0x7f;
    for (let i = from + 1; i < from + size; i++) value = value * 256 + (block[i] ?? 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const digits = fieldText(block, from, size).trim();
  return digits === "" ? 0 : /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : undefined;
}

/** A decimal number of a PAX record or a map of sparse files: no sign, no exponent, nothing above 2^53. */
export function decimal(digits: string | undefined): number | undefined {
  if (digits === undefined || !/^\d{1,16}$/.test(digits)) return undefined;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Whether a block is a header: its checksum is right. */
export function isHeader(block: Uint8Array): boolean {
  if (block.length < BLOCK) return false;
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
  return sum === fieldNumber(block, 148, 8);
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
