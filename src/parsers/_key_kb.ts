// `Name:   123 kB` lines, the format of meminfo, /proc/PID/status and smaps_rollup.
import { parseKib } from "./_numbers.ts";

/** A line's name and what follows the colon without the blanks around it; undefined when there is no colon. */
export function splitKey(line: string): { key: string; value: string } | undefined {
  const colon = line.indexOf(":");
  if (colon < 1) return undefined;
  return { key: line.slice(0, colon), value: line.slice(colon + 1).trim() };
}

/** Bytes of a `123 kB` value (the kernel's kB are KiB); undefined for anything else. */
export function parseKb(value: string): number | undefined {
  if (!value.endsWith(" kB")) return undefined;
  return parseKib(value.slice(0, -3));
}
