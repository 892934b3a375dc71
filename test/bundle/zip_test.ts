/** Zip archives: what people make of a folder on Windows and macOS, whole, cut off and hostile. */
import { strToU8, Zip, ZipDeflate, ZipPassThrough, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import type { BundleLimits } from "../../src/bundle/limits.ts";
import { archiveEntries, openArchive, readBundles } from "../../src/bundle/open.ts";
import { concatBytes } from "../../src/core/bytes.ts";
import { meminfo } from "../../src/parsers/meminfo.ts";
import { processStatus } from "../../src/parsers/process_status.ts";
import { vmstat } from "../../src/parsers/vmstat.ts";
import { pieces, tar, tarEntry } from "./_archive.ts";

const sources = [meminfo, processStatus, vmstat];
const MEMINFO = `MemTotal: 1024 kB\n${"MemFree: 512 kB\n".repeat(100)}`;
const VMSTAT = "nr_free_pages 7\n";

/** As programs write it that cannot go back: the sizes stand behind each file. */
function streamed(files: { readonly [path: string]: string }, stored = false): Uint8Array {
  const parts: Uint8Array[] = [];
  const zip = new Zip((error, part) => {
    if (error) throw error;
    parts.push(part);
  });
  for (const [path, text] of Object.entries(files)) {
    const file = stored ? new ZipPassThrough(path) : new ZipDeflate(path);
    zip.add(file);
    file.push(strToU8(text), true);
  }
  zip.end();
  return concatBytes(parts);
}

const written = (files: { readonly [path: string]: string }, level: 0 | 6 = 6): Uint8Array =>
  zipSync(Object.fromEntries(Object.entries(files).map(([path, text]) => [path, strToU8(text)])), { level });

async function open(archive: Uint8Array, limits: Partial<BundleLimits> = {}, size?: number) {
  const { files, warnings } = await openArchive(pieces(archive, size), { sources, limits });
  const texts = [...files].map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]);
  return { files: Object.fromEntries(texts) as Record<string, string>, warnings };
}

describe("a zip archive", () => {
  const inside = { "case/proc/meminfo": MEMINFO, "case/proc/vmstat": VMSTAT };
  const outside = { "proc/meminfo": MEMINFO, "proc/vmstat": VMSTAT };

  it.each<[string, Uint8Array]>([
    ["compressed", written(inside)],
    ["stored", written(inside, 0)],
    ["with sizes behind the files", streamed(inside)],
    ["stored with sizes behind the files", streamed(inside, true)],
    ["as PowerShell writes it", written({ "case\\proc\\meminfo": MEMINFO, "case\\proc\\vmstat": VMSTAT })],
    ["with folders", written({ "case/": "", "case/proc/": "", "case/old.zip/": "", ...inside })],
  ])("is read: %s", async (_, archive) => {
    expect(await open(archive)).toEqual({ files: outside, warnings: [] });
    // However it comes.
    expect(await open(archive, {}, 7)).toEqual({ files: outside, warnings: [] });
  });

  it("may hold saved files, and bundles that are archives", async () => {
    const loose = await open(written({ "meminfo.txt": MEMINFO, "notes.txt": "hello" }));
    expect(loose.files).toEqual({ "proc/meminfo": MEMINFO });
    const bundle = tar(tarEntry("host-1/proc/meminfo", MEMINFO));
    const archive = zipSync({ "host-1.tar": bundle, "host-2.zip": written(inside) });
    const paths: string[] = [];
    const entries = await archiveEntries(pieces(archive), {}, () => {});
    for await (const { path, bundle: { files } } of readBundles(entries, { sources }, () => {})) {
      paths.push(`${path}: ${files.size}`);
    }
    expect(paths).toEqual(["host-1.tar: 1", "host-2.zip: 2"]);
  });

  it("that is cut off is read up to the cut", async () => {
    for (const archive of [written(inside, 0), streamed(inside, true)]) {
      const { files, warnings } = await open(archive.subarray(0, 1000));
      expect(MEMINFO.startsWith(files["proc/meminfo"] as string)).toBe(true);
      expect(files["proc/meminfo"]?.length).toBeGreaterThan(900);
      expect(warnings.join("\n")).toMatch(/cut off inside case\/proc\/meminfo/);
      expect(warnings.join("\n")).toMatch(/proc\/meminfo is (?:incomplete|cut off)/);
    }
  });

  it("with files that cannot be unpacked keeps the others, and says so once", async () => {
    const archive = written({
      "case/proc/vmstat": VMSTAT,
      "case/proc/1/status": "Name:\tx\n",
      "case/proc/meminfo": MEMINFO,
    });
    // The method of the first one: AES.
    archive[8] = 99;
    const aes = await open(archive);
    expect(aes.files["proc/meminfo"]).toBe(MEMINFO);
    expect(aes.warnings.join("\n")).toMatch(/case\/proc\/vmstat cannot be unpacked: damaged, encrypted/);
    const damaged = written(inside);
    damaged.fill(0xff, 60, 80);
    const { files, warnings } = await open(damaged);
    expect(files["proc/vmstat"]).toBe(VMSTAT);
    expect(warnings.filter((warning) => warning.includes("cannot be unpacked"))).toHaveLength(1);
  });

  it("is held to the limits", async () => {
    const bomb = zipSync({ "proc/meminfo": new Uint8Array(65 * 2 ** 20) });
    await expect(open(bomb, { maxFileBytes: 2 ** 30 })).rejects.toThrow("maxRatio");
    await expect(open(bomb, { maxUnpackedBytes: 2 ** 20 })).rejects.toThrow("maxUnpackedBytes");
    await expect(open(written(inside), { maxEntries: 1 })).rejects.toThrow("maxEntries");
    const { files, warnings } = await open(written({ ...inside, "../etc/proc/meminfo": "x", "case/../../y": "y" }));
    expect(Object.keys(files)).toEqual(Object.keys(outside));
    expect(warnings).toHaveLength(2);
  });

  it("that is empty is no bundle", async () => {
    expect((await open(written({}))).files).toEqual({});
  });
});
