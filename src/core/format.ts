/** How amounts are written for people: no locale, no time zone, the same bytes everywhere. */
import type { ByteRange } from "./report.ts";

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

/**
 * "400 MiB", or "380 MiB to 400 MiB".
 *
 * @example
 * ```ts
 * import { formatByteRange } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * equal(formatByteRange({ low: 1024, high: 2048 }), "1.00 KiB to 2.00 KiB");
 * ```
 */
export function formatByteRange({ low, high }: ByteRange): string {
  return formatBytes(low) === formatBytes(high) ? formatBytes(low) : `${formatBytes(low)} to ${formatBytes(high)}`;
}

const RATE_UNITS = [[1, "a second"], [60, "a minute"], [3600, "an hour"], [86_400, "a day"]] as const;
/** Less than this tells nobody how much comes together. */
const TELLING_BYTES = 2 ** 20;

/**
 * How fast it grows: by the second, or of what is slow by the minute, the hour or the day.
 *
 * @example
 * ```ts
 * import { formatRate } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * equal(formatRate(8_912_896), "8.50 MiB a second");
 * equal(formatRate(640), "2.20 MiB an hour");
 * ```
 *
 * @param low In bytes a second.
 * @param high Where it is a range, as a finding's `growthBytesPerSecond`.
 */
export function formatRate(low: number, high: number = low): string {
  const most = Math.max(Math.abs(low), Math.abs(high));
  const [seconds, unit] = RATE_UNITS.find(([each]) => most * each >= TELLING_BYTES) ?? RATE_UNITS[3];
  return `${formatByteRange({ low: low * seconds, high: high * seconds })} ${unit}`;
}

/**
 * A whole number with commas between its thousands.
 *
 * @example
 * ```ts
 * import { formatCount } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * equal(formatCount(1_234_567), "1,234,567");
 * ```
 */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/**
 * A share of a whole in per cent, one decimal.
 *
 * @example
 * ```ts
 * import { formatShare } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * equal(formatShare(1, 8), "12.5 %");
 * ```
 */
export function formatShare(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

/**
 * "1 socket", "100 sockets"; with its verb: "1 socket holds", "100 sockets hold".
 *
 * @example
 * ```ts
 * import { formatQuantity } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * equal(formatQuantity(1, "socket"), "1 socket");
 * equal(formatQuantity(2000, "process", "processes"), "2,000 processes");
 * equal(formatQuantity(2, "socket holds", "sockets hold"), "2 sockets hold");
 * ```
 */
export function formatQuantity(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}
