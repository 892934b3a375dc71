/** The census of page flags against the kernel's own counters. Here, because nothing else may move memory meanwhile. */
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
    const counter = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text("proc/meminfo"))?.[1]) * 1024;
    const size = host.facts.pageSizeBytes;
    const noise = 64 * 2 ** 20;
    // A huge page that is partly unmapped is whole in the census and on the LRU lists, but only what is mapped is in AnonPages.
    const anon = pages((symbols) => symbols.includes("ANON")) * size;
    expect(anon).toBeGreaterThan(counter("AnonPages") - noise);
    expect(anon).toBeLessThan(
      counter("Active\\(anon\\)") + counter("Inactive\\(anon\\)") + counter("Unevictable") + noise,
    );
    const lru = counter("Active") + counter("Inactive") + counter("Unevictable");
    expect(Math.abs(pages((symbols) => symbols.includes("LRU")) * size / lru - 1)).toBeLessThan(0.02);
  });
});
