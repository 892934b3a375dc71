import type { ByteRange } from "./report.ts";

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** What the parts come to together. */
export function sumBytes(parts: readonly { readonly bytes: number }[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The same of what is only known to be between two amounts. */
export function sumRanges(parts: readonly { readonly bytes: ByteRange }[]): ByteRange {
  return {
    low: parts.reduce((sum, { bytes }) => sum + bytes.low, 0),
    high: parts.reduce((sum, { bytes }) => sum + bytes.high, 0),
  };
}
