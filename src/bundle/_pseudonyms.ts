import { formatAddress, mappedIpv4, parseIpv4, parseIpv6 } from "./_addresses.ts";

/** What is replaced. */
export type SecretKind = "host" | "user" | "address" | "mac" | "path" | "argument" | "secret" | "mail" | "id";

/** Original to pseudonym, by kind: what the owner of a redacted bundle keeps. */
export type Mapping = { readonly [K in SecretKind]?: { readonly [original: string]: string } };

/** Accounts that every host has say nothing about anybody. */
const COMMON_USERS: ReadonlySet<string> = new Set(["root", "nobody", "daemon", "bin", "sys"]);

/**
 * Pseudonyms are numbers in the order of appearance: nothing can be computed back from them, as it could from a hash of
 * something as short as an address.
 */
export class Pseudonyms {
  readonly #known = new Map<SecretKind, Map<string, string>>();
  readonly #counts = new Map<string, number>();

  #get(kind: SecretKind, original: string, make: (count: number) => string, series: string = kind): string {
    let known = this.#known.get(kind);
    if (known === undefined) this.#known.set(kind, known = new Map());
    let pseudonym = known.get(original);
    if (pseudonym === undefined) {
      const count = (this.#counts.get(series) ?? 0) + 1;
      this.#counts.set(series, count);
      known.set(original, pseudonym = make(count));
    }
    return pseudonym;
  }

  /** A short name and a full one of the same first label are one host. */
  host(name: string): string {
    const short = name.toLowerCase().split(".", 1)[0] as string;
    if (short === "localhost" || short === "") return name;
    const pseudonym = this.#get("host", short, (count) => `host-${count}`);
    if (name !== short) this.#get("host", name, () => pseudonym);
    return pseudonym;
  }

  user(name: string): string {
    if (COMMON_USERS.has(name) || /^\d+$/.test(name)) return name;
    return this.#get("user", name, (count) => `user-${count}`);
  }

  mail(address: string): string {
    return this.#get("mail", address, (count) => `mail-${count}@redacted.invalid`);
  }

  pathSegment(name: string): string {
    return this.#get("path", name, (count) => `p-${count}`);
  }

  argument(text: string): string {
    return text === "" ? "" : this.#get("argument", text, (count) => `arg-${count}`);
  }

  secret(text: string): string {
    return this.#get("secret", text, (count) => `secret-${count}`);
  }

  serial(text: string): string {
    return this.#get("id", text, (count) => `id-${count}`);
  }

  /** A UUID or machine id: hexadecimal digits, between which only the separators of the original stand. */
  uuid(text: string): string {
    const digits = text.replaceAll(/\\x2d|[-_]/g, "").toLowerCase();
    if (/^0+$/.test(digits)) return text;
    const made = this.#get("id", digits, (count) => `1d${String(count).padStart(30, "0")}`);
    const separator = /\\x2d|[-_]/.exec(text)?.[0];
    return separator === undefined
      ? made
      : made.replace(/^(.{8})(.{4})(.{4})(.{4})/, `$1-$2-$3-$4-`).replaceAll("-", separator);
  }

  /** Locally administered; all zeros and all ones (broadcast) stay. */
  mac(text: string): string {
    const separator = text.includes("-") ? "-" : ":";
    const digits = text.toLowerCase().replaceAll(/[-:]/g, "");
    if (/^(?:0+|f+)$/.test(digits)) return text;
    const made = this.#get("mac", digits, (count) => `02${count.toString(16).padStart(digits.length - 2, "0")}`);
    return (made.match(/../g) as string[]).join(separator);
  }

  /** What tells a kind of address apart stays: any-address, loopback, link-local, multicast, netmasks. */
  address(bytes: readonly number[]): readonly number[] {
    const ipv4 = bytes.length === 4 ? bytes : mappedIpv4(bytes);
    if (ipv4 === undefined) return this.#ipv6(bytes);
    return [...bytes.slice(0, -4), ...this.#ipv4(ipv4)];
  }

  #ipv4(bytes: readonly number[]): readonly number[] {
    const [a = 0, b = 0, c = 0] = bytes;
    if (a === 127 || bytes.every((byte) => byte === 0) || isNetmask(bytes)) return bytes;
    if (a === 224 && b === 0 && c === 0) return bytes;
    const linkLocal = a === 169 && b === 254;
    // 240.0.0.0/4 is reserved: no real address looks like these.
    const prefix = linkLocal ? [169, 254] : a >= 224 && a < 240 ? [239] : [240];
    return this.#numbered(bytes, `ipv4 ${prefix.join(".")}`, prefix, 4);
  }

  #ipv6(bytes: readonly number[]): readonly number[] {
    const [a = 0, b = 0] = bytes;
    const last = bytes[15] as number;
    if (bytes.slice(0, 15).every((byte) => byte === 0) && last <= 1) return bytes;
    if (a === 0xff && bytes.slice(2, 15).every((byte) => byte === 0)) return bytes;
    const linkLocal = a === 0xfe && (b & 0xc0) === 0x80;
    // 2001:db8::/32 is for documentation (RFC 3849).
    const prefix = linkLocal ? [0xfe, 0x80] : a === 0xff ? [0xff, b] : [0x20, 0x01, 0x0d, 0xb8];
    return this.#numbered(bytes, `ipv6 ${prefix.join(".")}`, prefix, 16);
  }

  #numbered(bytes: readonly number[], series: string, prefix: readonly number[], size: number): readonly number[] {
    const text = this.#get("address", formatAddress(bytes), (count) => {
      const room = size - prefix.length;
      const number = Array.from({ length: room }, (_, i) => Math.floor(count / 256 ** (room - 1 - i)) % 256);
      return formatAddress([...prefix, ...number]);
    }, series);
    return (size === 4 ? parseIpv4(text) : parseIpv6(text)) as readonly number[];
  }

  /** All that was replaced so far. */
  mapping(): Mapping {
    return Object.fromEntries([...this.#known].map(([kind, known]) => [kind, Object.fromEntries(known)]));
  }
}

/** 255.255.252.0 and the broadcast address. */
function isNetmask([a = 0, b = 0, c = 0, d = 0]: readonly number[]): boolean {
  const word = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const inverse = ~word >>> 0;
  return a === 255 && (inverse & (inverse + 1)) === 0;
}
