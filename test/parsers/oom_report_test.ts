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
    expect(report?.zones).toEqual([{ zone: "node 0 Normal", blocks: [14, 0, 2], pageBytes: 4096, line: 6 }]);
  });

  it("reads what the kernel's own code allocated most, from 6.10 on", () => {
    // https://github.com/koverstreet/bcachefs/issues/1158
    const [report] = parseClean(
      parseOomReports,
      `[ 1163.051648]     1.19 GiB   310794 mm/mempool.c:638 func:mempool_kvmalloc
[ 1163.051656]      513 MiB   131329 fs/bcachefs/btree/cache.c:254 [bcachefs] func:__btree_node_data_alloc
[ 1163.051660] ${"9".repeat(400)} TiB   131329 fs/no.c:1 func:no_size_that_a_kernel_writes
[ 1163.051670] Unreclaimable slab info:
[ 1163.051672] Name                      Used          Total
[ 1163.051678] bio-1432                1486KB       1644KB
`,
    );
    expect(report?.allocations).toEqual([
      { bytes: Math.round(1.19 * 2 ** 30), place: "mm/mempool.c:638", func: "mempool_kvmalloc", line: 1 },
      {
        bytes: 513 * 2 ** 20,
        place: "fs/bcachefs/btree/cache.c:254 [bcachefs]",
        func: "__btree_node_data_alloc",
        line: 2,
      },
    ]);
    expect(report?.slabs.map(({ name }) => name)).toEqual(["bio-1432"]);
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
    expect(parseClean(parseOomReports, old)).toMatchObject([{
      tasks: [{ ...largest, line: 4 }, { pid: 91 }, { pid: 783, oomScoreAdj: 1000 }],
    }]);
    expect(parseClean(parseOomReports, journal)).toMatchObject([{ tasks: [{ ...largest, line: 3 }] }]);
    expect(parseClean(parseOomReports, "[ 1.0] Mem-Info:\n")).toMatchObject([{ tasks: [] }]);
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

  it("reads columns, swap, stacks and slab, with another CPU's lines between", () => {
    const text = `Mem-Info:
active_anon:10 inactive_anon:2
audit: type=1400
 slab_unreclaimable:3 free:4
Node 0 active_anon:40kB kernel_stack:16kB Balloon:8kB
Node 0 Normal free:16kB min:4kB managed:100kB zspages:12kB
Node 0 DMA32 free:16kB managed:50kB zspages:0kB
Node 0 Normal: 4*4kB (U) = 16kB
Free swap  = 20kB
Total swap = 60kB
Unreclaimable slab info:
Name                      Used          Total
kmalloc-64                 1KB          2KB
kmalloc-2k                30KB         40KB
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
[     91]     0    91      100       50       30       10        10     4096        3         -1000 db
ata1: link is slow to respond
[    170]     0   170      100       20       20        0         0     8192        0             0 leaker
Out of memory: Killed process 170 (leaker) total-vm:1kB
[    999]     0   999      100      900       20        0         0     8192        0             0 not in the table
`;
    const [report] = parseClean(parseOomReports, text);
    expect(
      ["slab_unreclaimable", "kernel_stack", "managed", "zspages", "Balloon", "swap_total", "swap_free"].map((name) =>
        report?.bytes.get(name)?.bytes
      ),
    ).toEqual([12_288, 16_384, 153_600, 12_288, 8192, 61_440, 20_480]);
    expect(report?.slabs).toEqual([
      { name: "kmalloc-2k", bytes: 40_960, line: 14 },
      { name: "kmalloc-64", bytes: 2048, line: 13 },
    ]);
    expect(report?.tasks).toEqual([
      {
        pid: 91,
        comm: "db",
        rssBytes: 204_800,
        anonBytes: 122_880,
        swapBytes: 12_288,
        pageTableBytes: 4096,
        oomScoreAdj: -1000,
        line: 17,
      },
      {
        pid: 170,
        comm: "leaker",
        rssBytes: 81_920,
        anonBytes: 81_920,
        swapBytes: 0,
        pageTableBytes: 8192,
        oomScoreAdj: 0,
        line: 19,
      },
    ]);
  });

  it("reads totals that follow the per-CPU lists (up to 4.1)", () => {
    // RHEL 6; those of other zones and CPUs left out.
    const text = `Mem-Info:
Node 0 DMA per-cpu:
CPU    0: hi:    0, btch:   1 usd:   0
active_anon:6434276 inactive_anon:1 isolated_anon:0
 active_file:4209869 inactive_file:5472663 isolated_file:0
 free:48236 slab_reclaimable:183007 slab_unreclaimable:14023
Node 0 DMA free:15700kB min:8kB low:8kB high:12kB present:15304kB all_unreclaimable? yes
`;
    const bytes = parseClean(parseOomReports, text)[0]?.bytes;
    expect(bytes?.get("active_anon")).toEqual({ bytes: 6_434_276 * 4096, line: 4 });
    expect(bytes?.get("slab_unreclaimable")).toEqual({ bytes: 14_023 * 4096, line: 6 });
  });

  it.each(["#012", "\\x0a"])("reads lines that a log joined with %s", (newline) => {
    const lines = [
      "active_anon:3001240 isolated_anon:0",
      " slab_reclaimable:15633 slab_unreclaimable:17532",
      " free:45962",
    ];
    const [report] = parseClean(parseOomReports, `Mem-Info:\n${lines.join(newline)}\n`);
    expect([...(report?.bytes ?? [])].map(([name, { bytes, line }]) => [name, bytes / 4096, line])).toEqual([
      ["active_anon", 3_001_240, 2],
      ["isolated_anon", 0, 2],
      ["slab_reclaimable", 15_633, 2],
      ["slab_unreclaimable", 17_532, 2],
      ["free", 45_962, 2],
    ]);
    const group =
      `memory: usage 8kB, limit 8kB, failcnt 1\nMemory cgroup stats for /a:${newline}anon 4096${newline}file 0\n`;
    expect(parseClean(parseOomReports, group)[0]?.groupBytes.get("anon")).toEqual({ bytes: 4096, line: 2 });
  });

  it("keeps the host's dump with the control group's that it follows (up to 3.8)", () => {
    const text = `memory: usage 8kB, limit 8kB, failcnt 1
memory+swap: usage 8kB, limit 9007199254740988kB, failcnt 0
Mem-Info:
active_anon:3 inactive_anon:1 isolated_anon:0
x invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=0, oom_score_adj=0
Mem-Info:
active_anon:5 inactive_anon:1 isolated_anon:0
`;
    expect(
      parseClean(parseOomReports, text).map(({ line, usageBytes, bytes }) => [
        line,
        usageBytes,
        bytes.get("active_anon")?.bytes,
      ]),
    ).toEqual([[1, 8192, 3 * 4096], [6, undefined, 5 * 4096]]);
  });

  it("begins a dump with its totals where the console leaves out the line before them (2.6.32)", () => {
    // https://github.com/openzfs/zfs/issues/131
    const dump = (anon: number, free: number) =>
      `crond invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=0
Node 0 DMA per-cpu:
CPU    0: hi:    0, btch:   1 usd:   0
active_anon:${anon} inactive_anon:5 isolated_anon:0
 free:${free} slab_reclaimable:7 slab_unreclaimable:8
Node 0 DMA free:${free * 4}kB min:4kB active_anon:${anon * 4}kB pagetables:4kB
Node 0 DMA: ${free}*4kB 0*8kB = ${free * 4}kB
`;
    const reports = parseClean(parseOomReports, dump(2, 3) + dump(4, 5));
    expect(reports.map(({ bytes }) => [bytes.get("active_anon")?.bytes, bytes.get("free")?.bytes])).toEqual([
      [8192, 12_288],
      [16_384, 20_480],
    ]);
    expect(reports.map(({ zones }) => zones.length)).toEqual([1, 1]);
  });

  it("reads the size of memory as ARM wrote it (up to 3.15)", () => {
    // arch/arm/mm/init.c show_mem(); the numbers are made up.
    const text = `Mem-info:
Normal per-cpu:
active_anon:438 inactive_anon:30 isolated_anon:0
 free:50315 slab_reclaimable:305 slab_unreclaimable:635
Normal: 1*4kB 2*8kB = 20kB
57344 pages of RAM
50560 free pages
1408 reserved pages
`;
    const bytes = parseClean(parseOomReports, text)[0]?.bytes;
    expect([bytes?.get("RAM"), bytes?.get("reserved")]).toEqual([
      { bytes: 57_344 * 4096, line: 6 },
      { bytes: 1408 * 4096, line: 8 },
    ]);
  });

  it("tells which limit a control group of v1 was at", () => {
    const of = (rest: string) =>
      parseClean(parseOomReports, `memory: usage 32kB, limit 33kB, failcnt 0\n${rest}`).map((report) => [
        report.usageBytes,
        report.limitBytes,
        report.limitOf,
        report.isCgroupV1,
      ]);
    expect(of("memory+swap: usage 35kB, limit 35kB, failcnt 2\nkmem: usage 4kB, limit 90kB, failcnt 0\n"))
      .toEqual([[35 * 1024, 35 * 1024, "memory+swap", true]]);
    expect(of("kmem: usage 4kB, limit 4kB, failcnt 9\n")).toEqual([[4096, 4096, "kmem", true]]);
    expect(of("swap: usage 35kB, limit 35kB, failcnt 0\n")).toEqual([[32 * 1024, 33 * 1024, "memory", false]]);
    expect(of("")).toEqual([[32 * 1024, 33 * 1024, "memory", undefined]]);
  });

  it("adds up what a control group of v1 and those below it were charged for", () => {
    // https://github.com/kubernetes/ingress-nginx/issues/4756; each line is without what is in the groups below.
    const text = `memory: usage 8kB, limit 8kB, failcnt 1
Memory cgroup stats for /pod: cache:0KB rss:0KB
Memory cgroup stats for /pod/a: cache:0KB rss:40KB
Memory cgroup stats for /pod/b: cache:264KB rss:868KB
`;
    const [report] = parseClean(parseOomReports, text);
    expect(report?.groupBytes.get("rss")?.bytes).toBe(908 * 1024);
    expect(report?.groupBytes.get("cache")?.bytes).toBe(264 * 1024);
  });

  it("reads what a control group was charged for, of both versions", () => {
    const v2 =
      "memory: usage 8kB, limit 8kB, failcnt 1\nMemory cgroup stats for /a:\nanon 4096\nslab_unreclaimable 100\n";
    expect([...(parseClean(parseOomReports, v2)[0]?.groupBytes ?? [])]).toEqual([
      ["anon", { bytes: 4096, line: 3 }],
      ["slab_unreclaimable", { bytes: 100, line: 4 }],
    ]);
    const v1 =
      "memory: usage 8kB, limit 8kB, failcnt 1\nMemory cgroup stats for /a: cache:4KB rss:204796KB rss_huge:0KB\n";
    expect(parseClean(parseOomReports, v1)[0]?.groupBytes.get("rss")).toEqual({ bytes: 204_796 * 1024, line: 2 });
  });
});
