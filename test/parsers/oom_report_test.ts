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

  it("finds the largest process, whatever columns and prefixes there are", () => {
    const old = `Mem-Info:
[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
[   91]     0    91    38649    38577      88        0             0 database
[  170]     0   170   512249   124080     600        0             0 leak er
[  783]     0   783      567      360       5        0          1000 sleep
Out of memory: Kill process 170
[  999]     0   999      999   999999       5        0             0 not in the table
`;
    // As journalctl -k shows it.
    const journal = `Nov 23 16:00:00 host kernel: Mem-Info:
Nov 23 16:00:00 host kernel: [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
Nov 23 16:00:00 host kernel: [    170]     0   170   512249   124080   123917        1       162  1036288        0             0 leak er
`;
    const largest = { pid: 170, comm: "leak er", rssBytes: 124_080 * 4096 };
    expect(parseClean(parseOomReports, old)).toMatchObject([{ largest: { ...largest, line: 4 } }]);
    expect(parseClean(parseOomReports, journal)).toMatchObject([{ largest: { ...largest, line: 3 } }]);
    expect(parseClean(parseOomReports, "[ 1.0] Mem-Info:\n")).toMatchObject([{ largest: undefined }]);
  });

  it("takes the page size from the smallest free blocks where the bundle does not tell it", () => {
    const text = "Mem-Info:\nactive_anon:2\nNode 0 Normal: 3*64kB (U) 0*128kB = 192kB\n5 pages RAM\n";
    const [report] = parseClean(parseOomReports, text, {});
    expect(report?.bytes.get("active_anon")?.bytes).toBe(2 * 65_536);
    expect(report?.bytes.get("RAM")?.bytes).toBe(5 * 65_536);
  });

  it("knows no totals without the page size, and nothing in a quiet log", () => {
    expect(parseClean(parseOomReports, "Mem-Info:\nactive_anon:1\n", {})[0]?.bytes.size).toBe(0);
    expect(parseClean(parseOomReports, "[ 1.0] all is well\n")).toEqual([]);
    expect(() => parseClean(parseOomReports, "\n")).toThrow(ParseError);
  });
});
