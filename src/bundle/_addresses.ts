/** IP addresses as bytes, in the spellings of text and of /proc/net. */

const QUAD = /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/;

/** `10.0.0.1`; undefined when a number is above 255. */
export function parseIpv4(text: string): readonly number[] | undefined {
  if (!QUAD.test(text)) return undefined;
  const bytes = text.split(".").map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** `fe80::1`, `::ffff:10.0.0.1`. */
export function parseIpv6(text: string): readonly number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => half === "" ? [] : groupBytes(half));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 16 ? head : undefined;
  const gap = 16 - head.length - tail.length;
  return gap < 2 ? undefined : [...head, ...new Array<number>(gap).fill(0), ...tail];
}

function groupBytes(text: string): readonly number[] | undefined {
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    const quad = i === groups.length - 1 ? parseIpv4(group) : undefined;
    if (quad !== undefined) bytes.push(...quad);
    else if (/^[0-9A-Fa-f]{1,4}$/.test(group)) bytes.push(parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff);
    else return undefined;
  }
  return bytes;
}

/** The IPv4 address that an IPv4-mapped IPv6 one holds. */
export function mappedIpv4(bytes: readonly number[]): readonly number[] | undefined {
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12) : undefined;
}

/** IPv4 with dots; IPv6 in lower case, the first longest run of zero groups as `::`, an IPv4-mapped address with dots. */
export function formatAddress(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const ipv4 = mappedIpv4(bytes);
  if (ipv4 !== undefined) return `::ffff:${ipv4.join(".")}`;
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) * 256 + (bytes[i + 1] as number)).toString(16));
  const runs = groups.join(":").match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  if (longest === "") return groups.join(":");
  const [head = "", ...tail] = groups.join(":").split(new RegExp(`(?:^|:)${longest}(?:$|:)`));
  return `${head}::${tail.join(`:${longest}:`)}`;
}

/** As /proc/net prints them: 32-bit words, each as a number of the host. */
export function parseHexAddress(hex: string, bigEndian: boolean): readonly number[] {
  const bytes = (hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16));
  return bigEndian ? bytes : swapWords(bytes);
}

/** The inverse of {@linkcode parseHexAddress}. */
export function formatHexAddress(bytes: readonly number[], bigEndian: boolean): string {
  const ordered = bigEndian ? bytes : swapWords(bytes);
  return ordered.map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
}

function swapWords(bytes: readonly number[]): readonly number[] {
  return bytes.map((_, i) => bytes[i - (i % 4) + 3 - (i % 4)] as number);
}
