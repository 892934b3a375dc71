import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseMeminfo } from "../../src/parsers/meminfo.ts";
import { openBundle } from "../../src/sdk.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

// 6.18, x86-64
const FIXTURE = `MemTotal:       24683656 kB
MemFree:        24386932 kB
Active(anon):       1536 kB
VmallocTotal:   34359738367 kB
HugePages_Total:       2
HugePages_Free:        0
Hugepagesize:       2048 kB
Hugetlb:            4096 kB
`;

describe("parseMeminfo()", () => {
  itIsRobust("parseMeminfo", FIXTURE, parseMeminfo);

  // https://haomeiwen.com/subject/efrayctx.html
  it("reads rows that are explained", () => {
    const { bytes } = parseClean(parseMeminfo, "Slab: 70064 kB 内核数据结构缓存的大小\nSUnreclaim: 9988 kB // not\n");
    expect([...bytes.values()].map((each) => each.bytes / 1024)).toEqual([70_064, 9988]);
  });

  it("gives kB fields in bytes, huge pages as counts, each with its line", () => {
    const { bytes, counts } = parseClean(parseMeminfo, FIXTURE);
    expect(bytes.get("MemTotal")).toEqual({ bytes: 24_683_656 * 1024, line: 1 });
    expect(bytes.get("Active(anon)")).toEqual({ bytes: 1_572_864, line: 3 });
    expect(bytes.get("Hugepagesize")).toEqual({ bytes: 2_097_152, line: 7 });
    expect([...counts]).toEqual([["HugePages_Total", { value: 2, line: 5 }], [
      "HugePages_Free",
      { value: 0, line: 6 },
    ]]);
    expect(bytes.has("HugePages_Total")).toBe(false);
  });

  it("reads what node_exporter makes of it, among other things", async () => {
    const text = `# HELP go_threads Number of OS threads created.
go_threads 9
# HELP node_memory_Active_anon_bytes Memory information field Active_anon_bytes.
# TYPE node_memory_Active_anon_bytes gauge
node_memory_Active_anon_bytes 1.572864e+06
node_memory_HugePages_Total 2
node_memory_MemTotal_bytes 8.589934592e+09
node_memory_MemFree 4.294967296e+09
node_memory_Slab_bytes 9e+99
# HELP node_netstat_Icmp_InErrors Statistic IcmpInErrors.
node_netstat_Icmp_InErrors 0
`;
    const bundle = await openBundle({ "metrics.txt": text });
    const { bytes, counts } = parseClean(parseMeminfo, new TextDecoder().decode(bundle.files.get("proc/meminfo")));
    expect(Array.from(bytes, ([name, { bytes: amount }]) => [name, amount])).toEqual([
      ["Active(anon)", 1_572_864],
      ["MemTotal", 8 * 2 ** 30],
      ["MemFree", 4 * 2 ** 30],
    ]);
    expect(counts.get("HugePages_Total")?.value).toBe(2);
  });

  it("leaves absent fields undefined and accepts ones that are yet to come", () => {
    const { bytes } = parseClean(parseMeminfo, "MemTotal: 1 kB\nBalloon: 0 kB\nNewIn8: 5 kB\n");
    expect(bytes.get("SecPageTables")).toBeUndefined();
    expect(bytes.get("Balloon")?.bytes).toBe(0);
    expect(bytes.get("NewIn8")?.bytes).toBe(5120);
  });

  it("does not warn of VmallocTotal under five-level page tables, which is above 2^53 bytes", () => {
    const { bytes } = parseClean(parseMeminfo, "MemTotal: 1 kB\nVmallocTotal:   13743895347199 kB\n");
    expect(bytes.has("VmallocTotal")).toBe(false);
  });

  it("passes over the table in bytes that some kernels put above it", () => {
    // A router: github.com/shirou/gopsutil issue 1002, mem/testdata/linux/virtualmemory/issue1002/proc/meminfo
    const text = `        total:    used:    free:  shared: buffers:  cached:
Mem:  260579328 136073216 124506112        0  4915200 94064640
Swap:        0        0        0
MemTotal:       254472 kB
`;
    expect([...parseClean(parseMeminfo, text).bytes.keys()]).toEqual(["MemTotal"]);
  });

  it("does not warn of DirectMap of 2.6.27 and 2.6.28, which has no unit", () => {
    // https://bugzilla.kernel.org/show_bug.cgi?id=12832
    const text = "MemTotal:       509108 kB\nDirectMap4k:      2032\nDirectMap2M:  18446744073709551613\n";
    expect([...parseClean(parseMeminfo, text).bytes.keys()]).toEqual(["MemTotal"]);
  });

  it.each([
    "MemFree:  -4 kB",
    "MemFree:  9007199254740993 kB",
    "MemFree:  99999999999999999999 kB",
    "MemFree:  NaN kB",
    "MemFree:  1e3 kB",
    "MemFree:  0x10 kB",
    "MemFree:  12 MB",
    "MemFree:  12",
    "MemFree:",
    "MemFree",
    ": 5 kB",
    "HugePages_Total: -1",
    "HugePages_Total: 1.5",
  ])("skips %s with a warning", (line) => {
    const { value, warnings } = parseWithWarnings(parseMeminfo, `MemTotal: 8 kB\n${line}\nCached: 4 kB\n`);
    expect([...value.bytes.keys()]).toEqual(["MemTotal", "Cached"]);
    expect(value.counts.size).toBe(0);
    expect(warnings).toEqual([`2: not an amount in kB: ${JSON.stringify(line)}`]);
  });

  it("reads rows that people marked", () => {
    const text =
      "MemTotal:       32656556 kB        // all\n**Slab:  5 kB**\nSUnreclaim: 4 kB   <-- what?\n**HugePages_Total:   512\nHugePages_Free:  11**\n";
    const { bytes, counts } = parseClean(parseMeminfo, text);
    expect([...bytes].map(([name, { bytes: amount }]) => [name, amount / 1024])).toEqual([
      ["MemTotal", 32_656_556],
      ["Slab", 5],
      ["SUnreclaim", 4],
    ]);
    expect([...counts].map(([name, { value }]) => [name, value])).toEqual([
      ["HugePages_Total", 512],
      ["HugePages_Free", 11],
    ]);
  });

  it("takes __proto__ for a name like any other", () => {
    const { bytes } = parseClean(parseMeminfo, "__proto__: 1 kB\nconstructor: 2 kB\n");
    expect([...bytes.keys()]).toEqual(["__proto__", "constructor"]);
    expect(bytes.get("toString")).toBeUndefined();
  });

  it("throws ParseError when the file is empty", () => {
    expect(() => parseWithWarnings(parseMeminfo, "")).toThrow(ParseError);
  });

  const text = live("/proc/meminfo");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    const { bytes, counts } = parseClean(parseMeminfo, text as string);
    const lines = (text as string).trimEnd().split("\n");
    const vmallocTotal = bytes.has("VmallocTotal") ? 0 : 1;
    expect(bytes.size + counts.size).toBe(lines.length - vmallocTotal);
    const memFree = bytes.get("MemFree");
    expect(lines[(memFree?.line ?? 0) - 1]).toMatch(new RegExp(`^MemFree: +${(memFree?.bytes ?? 0) / 1024} kB$`));
  });
});
