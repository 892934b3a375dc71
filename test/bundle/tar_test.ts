import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTar } from "../../src/bundle/tar.ts";
import { BundleError } from "../../src/core/errors.ts";

const LONG = `root/${"d".repeat(90)}/${"e".repeat(120)}/${"f".repeat(200)}`;
const files: ReadonlyMap<string, string> = new Map([
  ["root/a", "alpha\n"],
  ["root/empty", ""],
  ["root/exactly-one-block", "x".repeat(512)],
  [LONG, "long name\n"],
  ["root/ümläut", "utf-8\n"],
]);

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readAll(
  bytes: Uint8Array,
  size = 65536,
): Promise<{ files: Map<string, string>; links: string[]; broken: string[] }> {
  const read = new Map<string, string>();
  const links: string[] = [];
  const broken: string[] = [];
  for await (const entry of readTar(pieces(bytes, size), (message) => broken.push(message))) {
    if (entry.kind === "file") read.set(entry.path, new TextDecoder().decode((await entry.read(1e7)).bytes));
    if (entry.kind === "link") links.push(`${entry.path} -> ${entry.linkTarget}`);
  }
  return { files: read, links, broken };
}

describe("readTar()", () => {
  let folder: string;
  const archives = new Map<string, Uint8Array>();

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "nailhouse-tar-"));
    for (const [path, text] of files) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    symlinkSync("a", join(folder, "root/link"));
    for (const format of ["gnu", "pax"]) {
      archives.set(
        format,
        new Uint8Array(execFileSync("tar", [`--format=${format}`, "-b1", "-cf", "-", "root"], { cwd: folder })),
      );
    }
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  for (const format of ["gnu", "pax"]) {
    for (const size of [1, 511, 65536]) {
      it(`reads what GNU tar wrote as ${format}, in pieces of ${size} bytes`, async () => {
        const read = await readAll(archives.get(format) as Uint8Array, size);
        expect(read.files).toEqual(new Map(files));
        expect(read.links).toEqual(["root/link -> a"]);
        expect(read.broken).toEqual([]);
      });
    }
  }

  it("gives every whole entry before a cut, and says where the cut is", async () => {
    const whole = archives.get("gnu") as Uint8Array;
    for (let cut = 512; cut <= whole.length - 1024; cut += 256) {
      const read = await readAll(whole.subarray(0, cut));
      expect(read.broken.length, `cut at ${cut}`).toBe(1);
      for (const [path, text] of read.files) expect(files.get(path)?.startsWith(text)).toBe(true);
    }
  });

  it("stops at a damaged header and keeps what was before it", async () => {
    const damaged = (archives.get("gnu") as Uint8Array).slice();
    // The first header is the directory's, which has no content.
    damaged.fill(0xff, 512, 612);
    const read = await readAll(damaged);
    expect(read.broken[0]).toMatch(/damaged at byte 512/);
  });

  it("does not wait for, or allocate, what a header promises and the archive does not have", async () => {
    const lying = (archives.get("gnu") as Uint8Array).slice(0, 1024);
    lying[156] = "0".charCodeAt(0);
    lying.set(new TextEncoder().encode("77777777777\0"), 124);
    lying.fill(0x20, 148, 156);
    const sum = lying.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    lying.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
    const read = await readAll(lying);
    expect(read.broken[0]).toMatch(/cut off inside root/);
  });

  it.each([["gnu", "0.0"], ["posix", "0.1"], ["posix", "1.0"]])(
    "fills the holes of sparse files, as GNU tar wrote them as %s (version %s)",
    async (format, version) => {
      // More parts than the first block of a header has room for, and than the second one has.
      const holed = Array.from({ length: 40 }, (_, i) => `part ${i}`.padEnd(4096, ".") + "\0".repeat(61_440)).join("");
      writeFileSync(join(folder, "holed"), holed);
      execFileSync("fallocate", ["--dig-holes", join(folder, "holed")]);
      writeFileSync(join(folder, "after"), "after\n");
      const options = [`--format=${format}`, ...(format === "posix" ? [`--sparse-version=${version}`] : [])];
      const archive = execFileSync("tar", [...options, "-S", "-cf", "-", "holed", "after"], { cwd: folder });
      expect(archive.length).toBeLessThan(holed.length / 4);
      const { files: read, broken } = await readAll(new Uint8Array(archive), 700);
      expect(read.get("holed")).toBe(holed);
      expect(read.get("after")).toBe("after\n");
      expect(broken).toEqual([]);
    },
  );

  it("refuses what is not a tar archive", async () => {
    await expect(readAll(new Uint8Array(1024).fill(0x41))).rejects.toThrow(BundleError);
  });
});
