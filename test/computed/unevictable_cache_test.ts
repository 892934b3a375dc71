import { describe, expect, it } from "vitest";
import { readEntries } from "../../src/bundle/open.ts";
import { type UnevictableCache, unevictableCache } from "../../src/computed/unevictable_cache.ts";
import { openSnapshots } from "../../src/engine/reader.ts";

const MIB = 2 ** 20;

async function cacheOf(files: { readonly [path: string]: string }): Promise<UnevictableCache | undefined> {
  const entries = Object.entries(files).map(([path, text]) => {
    const bytes = new TextEncoder().encode(text);
    return { path, kind: "file" as const, read: () => Promise.resolve({ bytes, truncated: false }) };
  });
  const read = openSnapshots(await readEntries(entries, { sources: [unevictableCache] })).base.read(unevictableCache);
  if (read.status !== "ok") throw new Error(read.status);
  return read.value;
}

/** In MiB. */
const meminfo = (fields: { readonly [field: string]: number }): { readonly [path: string]: string } => ({
  "proc/meminfo": Object.entries(fields).map(([name, mib]) => `${name}: ${mib * 1024} kB\n`).join(""),
});

const LIST = "sos_commands/filesys/tmpfs_files";
const host = { Cached: 600, Shmem: 50, Unevictable: 410, Mlocked: 10 };

describe("unevictableCache", () => {
  it("lies between what cannot be shared memory and all that is not mlocked", async () => {
    expect(await cacheOf(meminfo(host))).toEqual({
      countedBytes: 400 * MIB,
      bytes: { low: 350 * MIB, high: 400 * MIB },
      unevictable: { path: "proc/meminfo", line: 3 },
      mlocked: { path: "proc/meminfo", line: 4 },
      ramfs: undefined,
    });
  });

  it("is told closer by the file pages that are on no list to reclaim, less the mlocked ones", async () => {
    const lists = { Buffers: 5, "Active(file)": 60, "Inactive(file)": 90 };
    expect((await cacheOf(meminfo({ ...host, ...lists })))?.bytes.low).toBe(395 * MIB);
  });

  it("is never below 0, nor above the page cache", async () => {
    expect((await cacheOf(meminfo({ ...host, Unevictable: 9 })))?.bytes).toEqual({ low: 0, high: 0 });
    expect((await cacheOf(meminfo({ ...host, Cached: 150 })))?.bytes).toEqual({ low: 100 * MIB, high: 100 * MIB });
  });

  it("leaves locked SysV segments out, but nothing that is listed", async () => {
    const shm = { "proc/sysvipc/shm": `key shmid perms size nattch rss\n0 7 3600 ${300 * MIB} 1 ${300 * MIB}\n` };
    const locked = { ...meminfo({ ...host, Shmem: 350 }), ...shm };
    expect((await cacheOf(locked))?.bytes).toEqual({ low: 50 * MIB, high: 100 * MIB });
    const list = { "proc/mounts": "x /mnt ramfs rw 0 0\n", [LIST]: `${240 * 2048} 512 40 1 1 /mnt\n` };
    expect((await cacheOf({ ...locked, ...list }))?.bytes).toEqual({ low: 240 * MIB, high: 240 * MIB });
  });

  it("gives each file to the mount that it is in, the fullest first", async () => {
    const mounts =
      "a /a ramfs rw 0 0\nt /a/t tmpfs rw 0 0\nb /a/b ramfs rw 0 0\nd /d ramfs rw 0 0\ne /d ext4 rw 0 0\n" +
      "c /run/credentials/x.service ramfs ro 0 0\nr / ramfs rw 0 0\n";
    const list = "8 512 1 1 1 /a/b\n4 512 1 2 1 /a/b/f\n4 512 2 1 1 /a\n4 512 3 5 1 /a/t/f\n4 512 4 9 1 /d/f\n";
    expect((await cacheOf({ ...meminfo(host), "proc/mounts": mounts, [LIST]: list }))?.ramfs).toMatchObject([
      {
        mount: "/a/b",
        path: "proc/mounts",
        line: 3,
        listed: { bytes: 4096, path: LIST, line: 1 },
        largest: [{ path: "/a/b/f" }],
      },
      { mount: "/a", line: 1, listed: { bytes: 2048, line: 3 }, largest: [] },
    ]);
    const without = await cacheOf({ ...meminfo(host), "proc/mounts": mounts });
    expect(without?.ramfs?.map(({ listed }) => listed)).toEqual([undefined, undefined]);
  });

  it("counts a ramfs once of which a folder is mounted elsewhere, too", async () => {
    const mounts = "a /c/part ramfs rw 0 0\na /a ramfs rw 0 0\n";
    const list = `${200 * 2048} 512 1 1 1 /a\n${90 * 2048} 512 1 7 1 /c/part\n`;
    const ramfs = (await cacheOf({ ...meminfo(host), "proc/mounts": mounts, [LIST]: list }))?.ramfs;
    expect(ramfs?.map(({ mount }) => mount)).toEqual(["/a"]);
  });

  // With a look through all mounts for each, this takes minutes.
  it("is told of a hundred thousand mounts", async () => {
    const numbers = Array.from({ length: 100_000 }, (_, i) => i);
    const mounts = numbers.map((i) => `r /m/${i} ramfs rw 0 0\n`).join("");
    const list = numbers.map((i) => `8 512 ${i} 1 1 /m/${i}\n`).join("");
    expect((await cacheOf({ ...meminfo(host), "proc/mounts": mounts, [LIST]: list }))?.ramfs).toHaveLength(100_000);
  });

  it("is only what is listed where the host runs from its initramfs", async () => {
    const root = { ...meminfo(host), "proc/mounts": "rootfs / rootfs rw 0 0\n" };
    expect((await cacheOf(root))?.bytes).toEqual({ low: 0, high: 400 * MIB });
  });

  it("is undefined where a counter is missing", async () => {
    expect(await cacheOf(meminfo({ Cached: 600, Unevictable: 410 }))).toBeUndefined();
  });
});
