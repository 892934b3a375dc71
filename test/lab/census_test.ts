/** The census of page flags against the kernel's own counters. Here, because nothing else may move memory meanwhile. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { collect, memorySink } from "../../src/engine/collect.ts";
import { nodeHost } from "../../src/host/node.ts";
import { collectors } from "../../src/preset.ts";
import { labAvailable, withLabLock } from "./lab.ts";

describe.skipIf(!(await labAvailable()))("the census of page flags", () => {
  it("counts all pages", async () => {
    const host = await nodeHost();
    const sink = memorySink();
    await withLabLock(() => collect(host, collectors, sink, { only: ["memory", "page-flags"], snapshots: 1 }));
    const text = (path: string): string => new TextDecoder().decode(sink.files.get(path));
    // The census takes time, in which the collector's own memory grows.
    const meminfos = [text("proc/meminfo"), await readFile("/proc/meminfo", "utf8")];
    const census = text("sos_commands/memory/page_flags");
    const rows = census.split("\n").filter((line) => /^\d/.test(line)).map((line) => line.split(" "));
    const pages = (wanted: (symbols: string[]) => boolean) =>
      rows.filter(([, , , symbols = ""]) => wanted(symbols.split(","))).reduce(
        (sum, [, , count]) => sum + Number(count),
        0,
      );
    // Every page that exists. Page frames in holes between them may count as well: not every kernel marks those.
    const present = [...text("proc/zoneinfo").matchAll(/^\s+present\s+(\d+)/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
    const total = Number(/^# pages_total (\d+)$/m.exec(census)?.[1]);
    expect(pages(() => true)).toBeGreaterThan(present * 0.98);
    expect(pages(() => true)).toBeLessThanOrEqual(total);
    const counters = (...names: string[]) =>
      meminfos.map((meminfo) =>
        names.reduce((sum, name) => sum + Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(meminfo)?.[1]) * 1024, 0)
      );
    const size = host.facts.pageSizeBytes;
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
});
