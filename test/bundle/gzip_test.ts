import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { gunzip } from "../../src/bundle/gzip.ts";
import { nodeGunzip } from "../../src/host/node_input.ts";

const text = new TextEncoder().encode(Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join(""));
const packed = new Uint8Array(gzipSync(text));

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function read(
  decompress: typeof gunzip,
  bytes: Uint8Array,
  size = 1000,
): Promise<{ out: Uint8Array; broken: string[] }> {
  const broken: string[] = [];
  const out: Uint8Array[] = [];
  for await (const chunk of decompress(pieces(bytes, size), (message) => broken.push(message))) out.push(chunk.slice());
  return { out: new Uint8Array(await new Blob(out as BlobPart[]).arrayBuffer()), broken };
}

describe.each([["gunzip()", gunzip], ["nodeGunzip()", nodeGunzip]])("%s", (_, decompress) => {
  it.each([1, 7, 65_536])("reads a stream in pieces of %d bytes", async (size) => {
    const { out, broken } = await read(decompress, packed.slice(), size);
    expect(broken).toEqual([]);
    expect(out).toEqual(text);
  });

  it("reads what Node's streams give, of which a slice is no copy", async () => {
    expect((await read(decompress, Buffer.from(packed), packed.length)).broken).toEqual([]);
  });

  it("reads several members, as `cat a.gz b.gz` makes them", async () => {
    const both = new Uint8Array([...packed, ...packed]);
    expect((await read(decompress, both)).out.length).toBe(2 * text.length);
  });

  it("gives what it could read of a stream that is cut off", async () => {
    const { out } = await read(decompress, packed.slice(0, packed.length / 2));
    expect(out.length).toBeGreaterThan(text.length / 4);
    expect(out).toEqual(text.slice(0, out.length));
  });

  // Some flips read as an early end: the archive inside is then cut off, which the tar reader tells.
  it("does not give a whole stream as good that has one flipped bit, wherever it is", async () => {
    for (let at = 20; at < packed.length; at += Math.floor(packed.length / 50)) {
      const damaged = packed.slice();
      damaged[at] = (damaged[at] as number) ^ 0x04;
      const { out, broken } = await read(decompress, damaged);
      expect(broken.length === 1 || out.length < text.length, `bit in byte ${at} of ${packed.length}`).toBe(true);
    }
  });
});
