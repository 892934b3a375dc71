import { formatDuration } from "date-fns/formatDuration";

const UNITS = [
  ["years", 365 * 86_400],
  ["days", 86_400],
  ["hours", 3_600],
  ["minutes", 60],
  ["seconds", 1],
] as const;

/** A span of time in its two largest units: "3 hours 12 minutes". Own division, because date-fns divides by the local calendar. */
export function duration(seconds: number): string {
  let rest = Math.round(Math.max(0, seconds));
  const first = UNITS.findIndex(([, size]) => rest >= size);
  if (first === -1) return "0 seconds";
  const parts: { [unit: string]: number } = {};
  for (const [unit, size] of UNITS.slice(first, first + 2)) {
    parts[unit] = Math.floor(rest / size);
    rest %= size;
  }
  return formatDuration(parts);
}

/** `2026-11-23 06:01:02Z` from an ISO 8601 time: seconds are fine enough to read. */
export function instant(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}Z`;
}
