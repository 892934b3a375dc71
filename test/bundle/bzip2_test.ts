import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bunzip2 } from "../../src/bundle/bzip2.ts";
import { openArchive } from "../../src/bundle/open.ts";
import { concatBytes } from "../../src/core/bytes.ts";
import { meminfo } from "../../src/parsers/meminfo.ts";
import { pieces, tar, tarEntry } from "./_archive.ts";

const folder = mkdtempSync(join(tmpdir(), "nailhouse-bzip2-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** By the real program. From a file: Deno writes all of a program's input before it reads what the program writes. */
function bzip2(bytes: Uint8Array, level = 9): Uint8Array {
  const path = join(folder, "input");
  writeFileSync(path, bytes);
  return new Uint8Array(execFileSync("bzip2", [`-${level}`, "-c", path], { maxBuffer: 2 ** 28 }));
}

async function read(packed: Uint8Array, size = 65_536): Promise<{ out: Uint8Array; broken: string[] }> {
  const broken: string[] = [];
  const out: Uint8Array[] = [];
  for await (const chunk of bunzip2(pieces(packed, size), (message) => broken.push(message))) out.push(chunk);
  return { out: concatBytes(out), broken };
}

/** The same bytes every time. */
function noise(size: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: size }, () => (state = (state * 48_271) % 0x7fffffff) & 0xff);
}

const text = new TextEncoder().encode(Array.from({ length: 60_000 }, (_, i) => `line ${i % 977} of ${i}\n`).join(""));
const runs = concatBytes(
  [3, 4, 5, 254, 255, 256, 258, 259, 260, 100_000].map((length, i) => new Uint8Array(length).fill(i)),
);
const CONTENTS: readonly (readonly [string, Uint8Array])[] = [
  ["nothing", new Uint8Array(0)],
  ["one byte", Uint8Array.of(7)],
  ["text of several blocks", text],
  ["runs", runs],
  ["noise of several blocks", noise(250_000)],
];

describe.each(CONTENTS)("bunzip2() of %s", (_, content) => {
  it.each([[1, 65_536], [9, 777], [1, 1]])("packed with -%d, in pieces of %d bytes", async (level, size) => {
    const { out, broken } = await read(bzip2(content, level), size);
    expect(broken).toEqual([]);
    expect(out.length).toBe(content.length);
    expect(out.every((byte, i) => byte === content[i])).toBe(true);
  });
});

describe("bunzip2()", () => {
  const packed = bzip2(text, 1);

  it("reads several streams, as parallel compressors write them", async () => {
    const { out, broken } = await read(concatBytes([packed, bzip2(new Uint8Array(0)), packed]));
    expect(out.length).toBe(2 * text.length);
    expect(broken).toEqual([]);
  });

  it("gives the blocks before a cut or a flipped bit, and says that it is damaged", async () => {
    for (let at = 1; at < packed.length; at += Math.floor(packed.length / 23)) {
      const flipped = packed.slice();
      flipped[at] = (flipped[at] as number) ^ 0x10;
      expect((await read(flipped)).broken, `bit in byte ${at} of ${packed.length}`).toHaveLength(1);
      const { out, broken } = await read(packed.subarray(0, at));
      expect(broken, `cut at byte ${at} of ${packed.length}`).toHaveLength(1);
      expect(out.every((byte, i) => byte === text[i])).toBe(true);
    }
  });

  it("does not run for ever on a run length of more than 32 bits", async () => {
    // One byte in the alphabet; two codes: 0 (a run's digit), 10, 11 (the end); the block is forty of those digits.
    const bits = "0".repeat(32) + "0" + "0".repeat(24) + "0000001000000000" + "0100000000000000" + "010" +
      "000000000000001" + "0" + "00001".concat("0", "100", "0").repeat(2) + "0".repeat(40) + "11";
    const block = bits.padEnd(Math.ceil(bits.length / 8) * 8, "0").match(/.{8}/g) as string[];
    const head = [0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
    const { broken } = await read(Uint8Array.from([...head, ...block.map((byte) => parseInt(byte, 2))]));
    expect(broken).toEqual(["the compressed data is damaged or cut off (a block is too long)"]);
  });

  it("is used for a .tar.bz2", async () => {
    const archive = bzip2(tar(tarEntry("root/proc/meminfo", "MemTotal: 1024 kB\n")));
    const bundle = await openArchive(pieces(archive, 50), { sources: [meminfo] });
    expect(bundle.files.get("proc/meminfo")?.length).toBe(18);
    expect(bundle.warnings).toEqual([]);
  });
});
