import { execFileSync } from "node:child_process";
import { describe, expect, it, vi } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import { unxz } from "../../src/bundle/xz.ts";
import { meminfo } from "../../src/parsers/meminfo.ts";

/** A tar archive with a proc/meminfo of two lines, by xz 5.4 and zstd 1.5. */
const ARCHIVES = {
  xz:
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Cf/AINdADgciiGnQOVg9QkdqgaDbjbZ98iWXrfkza7Jr8PQSpehhBMlLEDV+jgBYdeMm26sR2BhB2+in3D+/q00BTciYtS9zh2bDhmRPcCBR13CtwGtivjy3+mAuI/OwM5bLK+ere8YGYOu+bRPiVKtx8vkqqXR0t5EGltG5Xrcgs99uNQMe1TgAAC/fBu2bQtcCwABnwGAUAAAcMHgk7HEZ/sCAAAAAARZWg==",
  zstd:
    "KLUv/WQAJ2UDAAIFERaAaxsk9HqeSwZwpAxLioiasHE2i9NlQqZqF6sNIJT8j3JY3GNjteFjbsxs95wHn6jUEzpiYv//tdj/IyNMsrrBwd0EDgAUBXigsQ0FPMews1SQNQ1QMRQOgPADkBxgAK0GOFYugybwBW8CMOI=",
};

async function* chunks(bytes: Uint8Array, size = 50): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

describe.each(Object.entries(ARCHIVES))("a bundle compressed with %s", (_, base64) => {
  it("is read", async () => {
    const bundle = await openArchive(chunks(bytesOf(base64)), { sources: [meminfo] });
    expect(bundle.files.get("proc/meminfo")?.length).toBe(50);
    expect(bundle.warnings).toEqual([]);
  });

  it("is read as far as it goes, and says that it is damaged", async () => {
    const bytes = bytesOf(base64);
    const cut = openArchive(chunks(bytes.subarray(0, bytes.length - 40)), { sources: [meminfo] });
    const warnings = await cut.then((bundle) => bundle.warnings.join(), (error: Error) => error.message);
    expect(warnings).toMatch(/damaged or cut off|cut off before its first file/);
  });
});

it.each([
  ["lz4", '\x04"M\x18d@\xa7', "lz4 -d"],
  ["7-Zip", "7z\xbc\xaf'\x1c", "7z x"],
  ["RAR", "Rar!\x1a\x07", "unrar x"],
  ["LZMA", "]\0\0\x80\0\xff", "xz --format=lzma"],
  ["an archive of compress", "\x1f\x9d\x90", "gzip -dc"],
  ["what sysstat recorded", "\x96\xd5u!\0", "sadf -j"],
  ["what atop recorded", "\xef\xbe\xed\xfe", "atop -r"],
  ["a dump of the kernel's memory", "KDUMP   ", "crash"],
  ["a journal of systemd", "LPKSHHRH", "journalctl"],
  ["base64", "H4sIAAAAAAAAA", "base64 -d"],
])("%s is not read, and what makes of it something that is, is told", async (name, beginning, command) => {
  const bytes = Uint8Array.from(beginning.padEnd(600, "\x11"), (c) => c.charCodeAt(0));
  const opened = openArchive(chunks(bytes), { sources: [meminfo] });
  await expect(opened).rejects.toThrow(`it is ${name}`);
  await expect(openArchive(chunks(bytes), { sources: [meminfo] })).rejects.toThrow(command);
});

it("what is packed with xz is read while another is: what each has not read yet is not forgotten when the other takes memory", async () => {
  const text = (word: string): string =>
    Array.from({ length: 20_000 }, (_, i) => `${word} ${i * 7919 % 10_007}\n`).join("");
  const read = (word: string, preset: string): AsyncIterator<Uint8Array> => {
    const packed = new Uint8Array(execFileSync("xz", ["-c", preset], { input: text(word) }));
    const broken = (message: string): void => expect.unreachable(message);
    return unxz(chunks(packed, packed.length), broken)[Symbol.asyncIterator]();
  };
  const whole = async (first: Uint8Array, rest: AsyncIterator<Uint8Array>): Promise<string> => {
    const parts = [first];
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) parts.push(next.value);
    return Buffer.concat(parts).toString();
  };
  const outer = read("outer", "-6");
  const { value: first } = await outer.next();
  // Its dictionary has 32 MiB.
  expect(await whole(new Uint8Array(0), read("inner", "-8"))).toBe(text("inner"));
  expect(await whole(first, outer)).toBe(text("outer"));
});

it("one stream of xz that could not be begun leaves the next one as it is", async () => {
  const { XzReadableStream } = await import("xz-decompress");
  const begin = vi.spyOn(XzReadableStream as unknown as { _getModuleInstance(): Promise<void> }, "_getModuleInstance");
  begin.mockRejectedValueOnce(new RangeError("WebAssembly.Memory(): could not allocate memory"));
  const packed = bytesOf(ARCHIVES.xz);
  const read = async (): Promise<[bytes: number, broken: string[]]> => {
    const broken: string[] = [];
    let bytes = 0;
    for await (const chunk of unxz(chunks(packed), (message) => broken.push(message))) bytes += chunk.length;
    return [bytes, broken];
  };
  const failed = await read().then(([, [message]]) => message, (error: Error) => error.message);
  expect(failed).toContain("could not allocate memory");
  expect(await read()).toEqual([10_240, []]);
});
