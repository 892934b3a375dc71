/** Archives made by hand, for what no tar program writes. */
import { concatBytes } from "../../src/core/bytes.ts";

const BLOCK = 512;
const encoder = new TextEncoder();

export interface HeaderFields {
  readonly name: string;
  /** `0` a file, `1` a hard link, `5` a folder, `x` PAX records, ... */
  readonly type?: string;
  /** The size's field, as it stands there. */
  readonly size: string | Uint8Array;
  readonly link?: string;
}

export function tarHeader({ name, type = "0", size, link = "" }: HeaderFields): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string | Uint8Array, most: number): void =>
    block.set((typeof text === "string" ? encoder.encode(text) : text).subarray(0, most), at);
  put(0, name, 100);
  put(100, "0000600\0", 8);
  put(124, size, 12);
  put(148, " ".repeat(8), 8);
  put(156, type, 1);
  put(157, link, 100);
  put(257, "ustar\x0000", 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `, 8);
  return block;
}

function padded(body: Uint8Array): Uint8Array {
  return concatBytes([body, new Uint8Array((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}

/** A header and its content. */
export function tarEntry(
  name: string,
  content: string | Uint8Array,
  rest: Partial<HeaderFields> = {},
): Uint8Array {
  const body = typeof content === "string" ? encoder.encode(content) : content;
  const size = `${body.length.toString(8).padStart(11, "0")}\0`;
  return concatBytes([tarHeader({ name, size, ...rest }), padded(body)]);
}

/** A header with PAX records; the lengths are right. */
export function paxEntry(records: { readonly [key: string]: string }): Uint8Array {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = encoder.encode(` ${key}=${value}\n`).length;
    let length = rest + String(rest).length;
    if (String(length).length > String(rest).length) length = rest + String(length).length;
    return `${length} ${key}=${value}\n`;
  });
  return tarEntry("pax", lines.join(""), { type: "x" });
}

/** An archive with these parts, and its end. */
export function tar(...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes([...parts, new Uint8Array(2 * BLOCK)]);
}

export async function* pieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
