/** How amounts are written for people: no locale, no time zone, the same bytes everywhere. */
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/**
 * Bytes with three significant digits and a binary unit.
 *
 * @example
 * ```ts
 * import { formatBytes } from "nailhouse";
 * formatBytes(8_912_896); // "8.50 MiB"
 * ```
 */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  // 999.5 would be written with four digits.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${bytes < 0 ? "-" : ""}${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A whole number with commas between its thousands. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A share of a whole in per cent, one decimal. */
export function formatShare(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

/** "1 socket", "100 sockets". */
export function formatQuantity(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}
