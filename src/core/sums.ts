import type { ByteRange } from "./report.ts";

/** What the parts come to together, of what each has. */
export function sumOf<T>(parts: readonly T[], amount: (part: T) => number): number {
  return parts.reduce((sum, part) => sum + amount(part), 0);
}

export function sum(numbers: readonly number[]): number {
  return sumOf(numbers, (number) => number);
}

export function sumBytes(parts: readonly { readonly bytes: number }[]): number {
  return sumOf(parts, ({ bytes }) => bytes);
}

/** The same of what is only known to be between two amounts. */
export function sumRanges(parts: readonly { readonly bytes: ByteRange }[]): ByteRange {
  return { low: sumOf(parts, ({ bytes }) => bytes.low), high: sumOf(parts, ({ bytes }) => bytes.high) };
}
