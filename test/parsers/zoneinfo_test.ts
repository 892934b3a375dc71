import { describe, expect, it } from "vitest";
import { parseZoneinfo } from "../../src/parsers/zoneinfo.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

// 6.18, shortened
const FIXTURE = `Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 1595
      nr_free_cma 0
  pages free     3840
        boost    0
        min      57
        low      71
        high     85
        promo    99
        spanned  4095
        present  3998
        managed  3840
        cma      0
        protection: (0, 3018, 4426, 4426, 4426)
      nr_free_pages 3840
      nr_zspages   0
  pagesets
    cpu: 0
              count:    3
              high:     0
              batch:    1
              high_min: 35
              high_max: 240
  vm stats threshold: 4
    cpu: 1
              count:    4
              high:     0
              batch:    1
              high_min: 35
              high_max: 240
  vm stats threshold: 4
  node_unreclaimable:  0
  start_pfn:           1
Node 0, zone  Movable
  pages free     0
        boost    0
        min      32
        low      32
        high     32
        promo    32
        spanned  0
        present  0
        managed  0
        cma      0
        protection: (0, 0, 0, 0, 0)
`;

describe("parseZoneinfo()", () => {
  itIsRobust("parseZoneinfo", FIXTURE, parseZoneinfo);

  it("gives sizes, watermarks and the sum of the per-CPU lists, with lines", () => {
    expect(parseClean(parseZoneinfo, FIXTURE)).toEqual([
      {
        node: 0,
        name: "DMA",
        line: 1,
        free: { bytes: 3840 * 4096, line: 5 },
        min: { bytes: 57 * 4096, line: 7 },
        low: { bytes: 71 * 4096, line: 8 },
        high: { bytes: 85 * 4096, line: 9 },
        spanned: { bytes: 4095 * 4096, line: 11 },
        present: { bytes: 3998 * 4096, line: 12 },
        managed: { bytes: 3840 * 4096, line: 13 },
        pcpBytes: 7 * 4096,
        pcpLine: 20,
      },
      expect.objectContaining({
        name: "Movable",
        managed: { bytes: 0, line: 44 },
        pcpBytes: undefined,
        pcpLine: undefined,
      }),
    ]);
  });

  it("reads pagesets without high_min and high_max (before 6.18)", () => {
    const text = FIXTURE.replaceAll(/ +high_m..: \d+\n/g, "").replaceAll("count:    ", "count: ");
    expect(parseClean(parseZoneinfo, text)[0]).toMatchObject({ high: { bytes: 85 * 4096 }, pcpBytes: 7 * 4096 });
  });

  it("reads colons after every name (7.2)", () => {
    const text = FIXTURE.replaceAll(/^( +)(pages free|[a-z_]+) +(\d+)$/gm, "$1$2: $3");
    expect(text).toContain("managed: 3840");
    expect(parseClean(parseZoneinfo, text)).toEqual(parseClean(parseZoneinfo, FIXTURE));
  });

  it("takes no amount when the page size is not known, and does not warn", () => {
    const [zone] = parseClean(parseZoneinfo, FIXTURE, {});
    expect(zone).toMatchObject({ name: "DMA", managed: undefined, pcpBytes: undefined, pcpLine: undefined });
  });

  it("keeps the zones of several nodes apart", () => {
    const zones = parseClean(parseZoneinfo, FIXTURE + FIXTURE.replaceAll("Node 0", "Node 1"));
    expect(zones.map(({ node, name, pcpBytes }) => [node, name, pcpBytes])).toEqual([
      [0, "DMA", 28_672],
      [0, "Movable", undefined],
      [1, "DMA", 28_672],
      [1, "Movable", undefined],
    ]);
  });

  it("leaves a bad count out with a warning", () => {
    const { value, warnings } = parseWithWarnings(parseZoneinfo, FIXTURE.replace("count:    3", "count:    -3"));
    expect(value[0]).toMatchObject({ pcpBytes: 4 * 4096, pcpLine: 27 });
    expect(warnings).toEqual([expect.stringMatching(/^20: not a number of pages: .*-3/)]);
  });

  const text = live("/proc/zoneinfo");
  it.skipIf(text === undefined)("adds up all counts of this machine's", () => {
    const sum = [...(text as string).matchAll(/^ +count: +(\d+)$/gm)].reduce(
      (all, [, count]) => all + Number(count),
      0,
    );
    const zones = parseClean(parseZoneinfo, text as string);
    expect(zones.reduce((all, { pcpBytes = 0 }) => all + pcpBytes, 0)).toBe(sum * 4096);
    expect(zones.every(({ managed, present, low }) => managed && present && low)).toBe(true);
  });
});
