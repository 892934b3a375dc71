import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseOomReports } from "../../src/parsers/oom_report.ts";
import { parseClean } from "./_context.ts";

describe("parseOomReports()", () => {
  it("reads totals, zones and the size of memory", () => {
    const text = `[ 1.0] Mem-Info:
[ 1.0] active_anon:10 inactive_anon:2
 slab_unreclaimable:3 free:4
[ 1.0] Node 0 active_anon:40kB inactive_anon:8kB
[ 1.0] Node 0 Normal free:16kB min:4kB
[ 1.0] Node 0 Normal: 14*4kB (UE) 0*8kB 2*16kB (M) = 88kB
[ 1.0] Node 1 hugepages_total=3 hugepages_free=3 hugepages_surp=0 hugepages_size=2048kB
[ 1.0] 1000 pages RAM
[ 1.0] 10 pages reserved
`;
    const [report] = parseClean(parseOomReports, text);
    expect([...(report?.bytes ?? [])].map(([name, { bytes, line }]) => [name, bytes, line])).toEqual([
      ["active_anon", 40_960, 2],
      ["inactive_anon", 8192, 2],
      ["slab_unreclaimable", 12_288, 3],
      ["free", 16_384, 3],
      ["hugetlb", 3 * 2 ** 21, 7],
      ["RAM", 4_096_000, 8],
      ["reserved", 40_960, 9],
    ]);
    expect(report?.zones).toEqual([{ zone: "node 0 Normal", blocks: [14, 0, 2], line: 6 }]);
  });

  it("reads what a control group was charged, and an unlimited one's limit as unknown", () => {
    const [report] = parseClean(parseOomReports, "<4>[ 1.0] memory: usage 204800kB, limit 204800kB, failcnt 19\n");
    expect(report).toMatchObject({ usageBytes: 209_715_200, limitBytes: 209_715_200, line: 1 });
    const [unlimited] = parseClean(parseOomReports, "memory: usage 4kB, limit 9007199254740988kB, failcnt 0\n");
    expect(unlimited).toMatchObject({ usageBytes: 4096, limitBytes: undefined });
  });

  it("knows no totals without the page size, and nothing in a quiet log", () => {
    expect(parseClean(parseOomReports, "Mem-Info:\nactive_anon:1\n", {})[0]?.bytes.size).toBe(0);
    expect(parseClean(parseOomReports, "[ 1.0] all is well\n")).toEqual([]);
    expect(() => parseClean(parseOomReports, "\n")).toThrow(ParseError);
  });
});
