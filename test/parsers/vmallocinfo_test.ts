import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseVmallocinfo } from "../../src/parsers/vmallocinfo.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

const FIXTURE = `0x00000000cb6f2b61-0x00000000abd8f0d0   20480 irq_init_percpu_irqstack+0xed/0x120 vmap
0x00000000abd8f0d0-0x0000000053216a0b    8192 acpi_os_map_iomem+0x1bc/0x1e0 phys=0x00000000000a0000 ioremap
0x000000002cf0d929-0x00000000556da78b   20480 kernel_clone+0xb8/0x400 pages=4 vmalloc N0=4
0xffffc90000209000-0xffffc9000020b000    8192 load_module.isra.0+0x1c2/0x20 [nf_tables] pages=1 vmalloc vpages N0=1
0x000000004e662a0b-0x000000009a444132    8192 unpurged vm_area
0x0000000000000000-0x0000000000000000   20480 vm_map_ram
0x0000000000000000-0x0000000000000000  135168 0xffffffff81234567 pages=32 vmalloc user N0=32
`;

describe("parseVmallocinfo()", () => {
  itIsRobust("parseVmallocinfo", FIXTURE, parseVmallocinfo);

  it("reads size, pages, caller, module and flags", () => {
    const areas = parseClean(parseVmallocinfo, FIXTURE);
    expect(areas.map(({ bytes, pagesBytes, caller, module, flags }) => [bytes, pagesBytes, caller, module, flags]))
      .toEqual([
        [20_480, undefined, "irq_init_percpu_irqstack", undefined, ["vmap"]],
        [8192, undefined, "acpi_os_map_iomem", undefined, ["ioremap"]],
        [20_480, 16_384, "kernel_clone", undefined, ["vmalloc"]],
        [8192, 4096, "load_module.isra.0", "nf_tables", ["vmalloc", "vpages"]],
        [8192, undefined, undefined, undefined, ["unpurged", "vm_area"]],
        [20_480, undefined, undefined, undefined, ["vm_map_ram"]],
        [135_168, 131_072, "0xffffffff81234567", undefined, ["vmalloc", "user"]],
      ]);
    expect(areas.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("does not tell pages without the page size", () => {
    expect(parseClean(parseVmallocinfo, FIXTURE, {})[2]).toMatchObject({ bytes: 20_480, pagesBytes: undefined });
  });

  it("keeps an area whose number of pages is bad, without it", () => {
    const { value, warnings } = parseWithWarnings(parseVmallocinfo, "0x0-0x1 8192 f+0x1/0x2 pages=-1 vmalloc\n");
    expect(value).toMatchObject([{ bytes: 8192, pagesBytes: undefined }]);
    expect(warnings).toEqual(['1: not a number of pages: "pages=-1"']);
  });

  it("keeps rows after a malformed one", () => {
    const { value, warnings } = parseWithWarnings(parseVmallocinfo, `0x0-0x1 -8192 f\n${FIXTURE}`);
    expect(value).toHaveLength(7);
    expect(warnings).toEqual(['1: not a vmalloc area: "0x0-0x1 -8192 f"']);
  });

  it("reads a line as it would alone, whatever is like it in those before", () => {
    const starts = [
      "0x1-0x2",
      "0x0000000000000000-0x00000000abd8f0d0",
      " 0x3-0x4",
      "0x5-0x6\t",
      "\t0x7-",
      "0x8",
      "9-9",
      "0x-",
      "",
    ];
    const ends = [
      " 8192 f+0x1/0x2 pages=1 vmalloc",
      " 8192 f+0x1/0x2 pages=x pages=2 vmalloc",
      " x f",
      "",
      "  ",
      "\t4096 [m] vmap user",
    ];
    const lines = fc.array(
      fc.tuple(fc.constantFrom(...starts), fc.constantFrom(...ends)).map((parts) => parts.join("")),
    );
    fc.assert(fc.property(lines, (all) => {
      const alone = all.map((_, i) =>
        parseWithWarnings(parseVmallocinfo, `${"\n".repeat(i)}${all[i]}\n${"\n".repeat(all.length)}0x0-0x1 1\n`)
      );
      const together = parseWithWarnings(parseVmallocinfo, `${all.join("\n")}\n0x0-0x1 1\n`);
      expect(together.value.slice(0, -1)).toEqual(alone.flatMap(({ value }) => value.slice(0, -1)));
      expect(together.warnings).toEqual(alone.flatMap(({ warnings }) => warnings));
    }));
  });

  const text = live("/proc/vmallocinfo");
  it.skipIf(!text)("reads every line of this machine's", () => {
    const areas = parseClean(parseVmallocinfo, text as string);
    expect(areas).toHaveLength((text as string).trimEnd().split("\n").length);
    const pages = [...(text as string).matchAll(/ pages=(\d+) vmalloc/g)].reduce((all, [, n]) => all + Number(n), 0);
    const held = areas.filter(({ flags }) => flags.includes("vmalloc"));
    expect(held.reduce((all, { pagesBytes = 0 }) => all + pagesBytes, 0)).toBe(pages * 4096);
  });
});
