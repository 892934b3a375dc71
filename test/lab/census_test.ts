/** The census of page flags against the kernel's own counters. Here, because nothing else may move memory meanwhile. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { collect, memorySink } from "../../src/engine/collect.ts";
import { nodeHost } from "../../src/host/node.ts";
import { collectors } from "../../src/preset.ts";
import { labAvailable, withFault, withLabLock } from "./lab.ts";

/** The census, what it counts by the names of flags, and the kernel's counters before and after. */
async function take() {
  const host = await nodeHost();
  const sink = memorySink();
  await collect(host, collectors, sink, { only: ["memory", "page-flags"], snapshots: 1 });
  const text = (path: string): string => new TextDecoder().decode(sink.files.get(path));
  // The census takes time, in which the collector's own memory grows.
  const meminfos = [text("proc/meminfo"), await readFile("/proc/meminfo", "utf8")];
  const census = text("sos_commands/memory/page_flags");
  const [total, read] = ["total", "read"].map((name) =>
    Number(new RegExp(`^# pages_${name} (\\d+)$`, "m").exec(census)?.[1])
  );
  const rows = census.split("\n").filter((line) => /^\d/.test(line)).map((line) => line.split(" "));
  return {
    total: total as number,
    read: read as number,
    zoneinfo: text("proc/zoneinfo"),
    pages: (wanted: (symbols: string[]) => boolean) =>
      rows.filter(([, , , symbols = ""]) => wanted(symbols.split(","))).reduce(
        (sum, [, , count]) => sum + Number(count),
        0,
      ),
    size: host.facts.pageSizeBytes,
    counters: (...names: string[]) =>
      meminfos.map((meminfo) =>
        names.reduce((sum, name) => sum + Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(meminfo)?.[1]) * 1024, 0)
      ),
  };
}

describe.skipIf(!(await labAvailable()))("the census of page flags", () => {
  it("counts all pages where some have no owner", async () => {
    const { total, read, pages, counters, size, zoneinfo } = await withFault("packet_ring", {}, take);
    expect(read).toBe(total);
    // Every page that exists. Page frames in holes between them may count as well: not every kernel marks those.
    const present = [...zoneinfo.matchAll(/^\s+present\s+(\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    expect(pages(() => true)).toBeGreaterThan(present * 0.98);
    expect(pages(() => true)).toBeLessThanOrEqual(total);
    const noise = 64 * 2 ** 20;
    // A huge page that is partly unmapped is whole in the census and on the LRU lists, but only what is mapped is in AnonPages.
    // ANON is a bit of page->mapping, which a slab (6.18) uses for something else.
    const anon = pages((symbols) => symbols.includes("ANON") && !symbols.includes("SLAB")) * size;
    expect(anon).toBeGreaterThan(Math.min(...counters("AnonPages")) - noise);
    expect(anon).toBeLessThan(Math.max(...counters("Active\\(anon\\)", "Inactive\\(anon\\)", "Unevictable")) + noise);
    const lru = counters("Active", "Inactive", "Unevictable");
    const onLists = pages((symbols) => symbols.includes("LRU")) * size;
    expect(onLists).toBeGreaterThan(Math.min(...lru) * 0.98);
    expect(onLists).toBeLessThan(Math.max(...lru) * 1.02);
  });

  it("takes a sample where none has, that is like all pages", async ({ skip }) => {
    const { total, read, pages, counters, size } = await withLabLock(take);
    skip(total <= 2 ** 19, "a host of up to 2 GiB is always counted");
    expect(read).toBeLessThan(total / 31);
    const lru = counters("Active", "Inactive", "Unevictable");
    const onLists = pages((symbols) => symbols.includes("LRU")) * size * (total / read);
    // A GiB that lies anywhere is 128 blocks of the sample, give or take their root.
    expect(onLists).toBeGreaterThan(Math.min(...lru) * 0.8 - 128 * 2 ** 20);
    expect(onLists).toBeLessThan(Math.max(...lru) * 1.2 + 128 * 2 ** 20);
  });
});
