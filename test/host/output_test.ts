import { execFileSync } from "node:child_process";
import { constants, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import { tarSink } from "../../src/bundle/tar_write.ts";
import { gzipOutput } from "../../src/host/node_output.ts";

const utf8 = new TextEncoder();
const AT = Date.UTC(2026, 10, 23, 6, 1, 2);

/** Names that ustar holds, and names for which it does not suffice. */
const names = [
  "proc/meminfo",
  `proc/${"a".repeat(92)}`,
  `proc/${"b".repeat(93)}`,
  `${"c".repeat(120)}/${"d".repeat(120)}/${"e".repeat(120)}`,
  "sos_commands/networking/namespaces/büro-蓝/proc/net/udp",
  "history/2026-11-23T06:01:02.123Z/proc/net/udp",
];

describe.skipIf(process.platform === "win32")("tarSink() and gzipOutput()", () => {
  let folder: string;
  const bundle = () => join(folder, "b.tgz");
  const tar = (...args: string[]) =>
    execFileSync("tar", [...args], { encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8" } });

  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nailhouse-output-"))));
  afterAll(() => rmSync(folder, { recursive: true }));

  async function write(files: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    const gzip = gzipOutput(openSync(bundle(), "w", 0o600));
    const sink = tarSink("root", gzip);
    for (const [path, bytes] of files) await sink.file(path, bytes, AT);
    await sink.end();
    await gzip.close();
    expect(gzip.size()).toBe(statSync(bundle()).size);
  }

  it("writes what GNU tar reads: names long and not ASCII, contents of all sizes", async () => {
    const files = names.map((name, i) => [name, utf8.encode(`${i}`.repeat(i * 511))] as const);
    await write(files);
    const listed = tar("--quoting-style=literal", "-tzf", bundle()).trimEnd().split("\n");
    expect(listed).toEqual(names.map((name) => `root/${name}`));
    for (const [name, bytes] of files) expect(tar("-xzOf", bundle(), `root/${name}`).length).toBe(bytes.length);
    expect(tar("-tvzf", bundle(), "--full-time", "--utc", "root/proc/meminfo")).toMatch(
      /^-rw------- 0\/0 +0 2026-11-23 06:01:02 root\/proc\/meminfo$/m,
    );
  });

  it("writes what our own reader reads", async () => {
    await write(names.map((name) => [name, utf8.encode(name)]));
    const source = { name: "all", patterns: ["*", "*/*", "*/*/*", "*/*/*/*/*/*"], read: () => ({}) as never };
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(readFileSync(bundle()));
    }
    const { files, warnings } = await openArchive(chunks(), { sources: [source] });
    expect([...files].map(([path, bytes]) => [path, new TextDecoder().decode(bytes)])).toEqual(
      names.filter((name) => files.has(name)).map((name) => [name, name]),
    );
    expect(files.size).toBeGreaterThan(3);
    expect(warnings).toEqual([]);
  });

  it("copies what it is given: the caller's buffer may change", async () => {
    const bytes = utf8.encode("before");
    const gzip = gzipOutput(openSync(bundle(), "w"));
    const sink = tarSink("root", gzip);
    await sink.file("a", bytes, AT);
    bytes.fill(0x78);
    await sink.end();
    await gzip.close();
    expect(tar("-xzOf", bundle(), "root/a")).toBe("before");
  });

  it("can be read up to the last flush when it is cut off", async () => {
    const gzip = gzipOutput(openSync(bundle(), "w"));
    const sink = tarSink("root", gzip);
    await sink.file("first", utf8.encode("1\n".repeat(100_000)), AT);
    await sink.flush();
    const flushed = statSync(bundle()).size;
    await sink.file("second", utf8.encode("2\n".repeat(100_000)), AT);
    await sink.flush();
    writeFileSync(bundle(), readFileSync(bundle()).subarray(0, flushed));
    const plain = execFileSync("sh", [
      "-c",
      `gzip -dc "$0" 2>/dev/null | tar -xOf - root/first 2>/dev/null; true`,
      bundle(),
    ]);
    expect(plain.toString()).toBe("1\n".repeat(100_000));
    // Everything before the flush is there, to the byte, and the block behind it.
    const image = gunzipSync(readFileSync(bundle()), { finishFlush: 2 });
    expect(image.length % 512).toBe(0);
    await gzip.close();
  });

  it("says that the disk is full", async () => {
    const gzip = gzipOutput(openSync("/dev/full", constants.O_WRONLY));
    const sink = tarSink("root", gzip);
    await expect((async () => {
      for (let i = 0; i < 100; i++) {
        await sink.file("noise", crypto.getRandomValues(new Uint8Array(65_536)), AT);
        await sink.flush();
      }
    })()).rejects.toThrow("ENOSPC");
    await expect(gzip.close()).rejects.toThrow("ENOSPC");
  });
});
