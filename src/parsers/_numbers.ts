// Numbers as kernel files print them. Whatever is not exactly one, or is above 2^53, is undefined: the caller warns.

/** Decimal digits only. */
export function parseCount(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Decimal digits, perhaps after a minus sign. */
export function parseInteger(text: string | undefined): number | undefined {
  if (text === undefined || !text.startsWith("-")) return parseCount(text);
  const value = parseCount(text.slice(1));
  return value === undefined ? undefined : 0 - value;
}

/** Hexadecimal digits without a prefix. */
export function parseHex(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9A-Fa-f]{1,14}$/.test(text)) return undefined;
  const value = parseInt(text, 16);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `count` times `unit`, undefined when either is unknown or the product is no longer exact. */
export function multiply(count: number | undefined, unit: number | undefined): number | undefined {
  if (count === undefined || unit === undefined) return undefined;
  const product = count * unit;
  return Number.isSafeInteger(product) ? product : undefined;
}

/** What a program for people prints of `unit`: `1.9`, `1,9` as some locales have it. Rounded; undefined when it is none, or no longer exact. */
export function parseAmount(text: string | undefined, unit: number | undefined): number | undefined {
  if (text === undefined || unit === undefined || !/^\d{1,16}(?:[.,]\d{1,9})?$/.test(text)) return undefined;
  const amount = Math.round(Number(text.replace(",", ".")) * unit);
  return Number.isSafeInteger(amount) ? amount : undefined;
}

/** Bytes of a number of KiB; undefined when it is none, or the bytes are no longer exact. */
export function parseKib(text: string | undefined): number | undefined {
  return multiply(parseCount(text), 1024);
}

/** What programs for people write behind a number, in small letters. */
export const BINARY_UNITS: ReadonlyMap<string, number> = new Map([
  ["b", 1],
  ["k", 2 ** 10],
  ["m", 2 ** 20],
  ["g", 2 ** 30],
  ["t", 2 ** 40],
  ["p", 2 ** 50],
]);
