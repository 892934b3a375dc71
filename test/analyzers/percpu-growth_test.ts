import { describe, expect, it } from "vitest";
import { dyingMemcg } from "../../analyzers/dying-memcg.ts";
import { percpuGrowth } from "../../analyzers/percpu-growth.ts";
import type { Analyzer } from "../../src/core/analyzer.ts";
import { analyze, openBundle } from "../../src/sdk.ts";
import { analyzeFiles, findingOf, manifest, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIMES = ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"];
const watched = (...amounts: number[]): { [path: string]: string } =>
  Object.fromEntries(
    amounts.map((bytes, i) => [`${TIMES[i] as string}proc/meminfo`, meminfoText({ Percpu: bytes }, 24 * GIB)]),
  );

describe("percpu-growth", () => {
  it("is likely when it grows", async () => {
    const report = await analyzeFiles(watched(300 * MIB, 320 * MIB, 340 * MIB), [percpuGrowth]);
    expect(findingOf(report, "percpu-growth")).toMatchObject({
      confidence: "likely",
      material: true,
      bytes: { high: 300 * MIB },
      growthBytesPerSecond: { low: 4 * MIB, high: 4 * MIB },
    });
  });

  it("is only possible by its size, for the number of CPUs", async () => {
    const report = await analyzeFiles(watched(300 * MIB), [percpuGrowth]);
    expect(findingOf(report, "percpu-growth")?.confidence).toBe("possible");
    expect(report.verdict).toBe("healthy");
  });

  it("has the index of it in vmalloc, too, which is twice one CPU's share", async () => {
    const report = await analyzeFiles({
      "nailhouse.json": JSON.stringify({ ...manifest, host: { ...manifest.host, cpus: 2 } }),
      "proc/meminfo": meminfoText({ Percpu: 300 * MIB, VmallocUsed: 400 * MIB }, 2 * GIB),
      "proc/vmallocinfo": `0x01-0x02 ${400 * MIB + 4096} pcpu_mem_zalloc+0x3c/0x90 pages=${400 * 256} vmalloc N0=9\n`,
    }, [percpuGrowth]);
    const [finding] = report.findings;
    expect(finding?.claims).toEqual([
      { account: "percpu", bytes: { low: 268 * MIB, high: 300 * MIB } },
      { account: "vmalloc", bytes: { low: 268 * MIB, high: 300 * MIB } },
    ]);
    expect(finding?.owners[0]?.bytes).toBe(600 * MIB);
    expect(report.verdict).not.toBe("healthy");
  });

  it("is not assessed by its size where the number of CPUs is not known", async () => {
    const zones =
      `Node 0, zone Normal\n  pages free     9\n  pagesets\n    cpu: 0\n              count: 3\n  start_pfn:           1\n`;
    const assessed = async (bytes: number, others: { [path: string]: string } = {}) => {
      const bundle = await openBundle({ "proc/meminfo": meminfoText({ Percpu: bytes }, 2 * GIB), ...others });
      const { findings, notAssessed } = analyze(bundle);
      return [...findings, ...notAssessed].find(({ cause }) => cause === "percpu-growth");
    };
    expect(await assessed(544 * MIB)).toMatchObject({ missing: ["proc/zoneinfo"] });
    expect(await assessed(5 * MIB)).toBe(undefined);
    expect(await assessed(544 * MIB, { "proc/zoneinfo": zones })).toMatchObject({ confidence: "possible" });
  });

  it("leaves out what removed control groups have, and what those in use are to have", async () => {
    const host = {
      "nailhouse.json": JSON.stringify({ ...manifest, host: { ...manifest.host, cpus: 64 } }),
      "proc/meminfo": meminfoText({ Percpu: 2400 * MIB }, 256 * GIB),
    };
    const found = async (stat: string, analyzers: readonly Analyzer[]) =>
      findingOf(await analyzeFiles({ ...host, "sys/fs/cgroup/cgroup.stat": stat }, analyzers), "percpu-growth");
    const removed = "nr_descendants 100\nnr_dying_descendants 12000\n";
    const inUse = "nr_descendants 12000\nnr_dying_descendants 0\n";
    expect((await found(removed, [percpuGrowth]))?.confidence).toBe("possible");
    expect(await found(removed, [percpuGrowth, dyingMemcg])).toBeUndefined();
    expect(await found(inUse, [percpuGrowth])).toBeUndefined();
  });

  it("accuses no host of usual size, steady or wavering", async () => {
    for (const amounts of [[2 * MIB], [30 * MIB, 30 * MIB, 30 * MIB], [30 * MIB, 31 * MIB, 30 * MIB]]) {
      expect((await analyzeFiles(watched(...amounts), [percpuGrowth])).findings).toEqual([]);
    }
    expect((await analyzeFiles({ "proc/meminfo": meminfoText({ Percpu: 8 * MIB }, GIB / 2) }, [percpuGrowth])).findings)
      .toEqual([]);
  });

  it("is not assessed on kernels that do not count it, and without the whole of meminfo", async () => {
    const lines = meminfoText().split("\n").filter((line) => !/^(?:Percpu|Vmalloc)/.test(line)).join("\n");
    const on = async (files: { readonly [path: string]: string }) =>
      (await analyzeFiles(files, [percpuGrowth])).notAssessed[0]?.missing;
    expect(await on({ "proc/meminfo": `${lines}\nVmallocUsed: 0 kB\nVmallocChunk: 0 kB\n` })).toEqual([
      expect.stringContaining("4.20"),
    ]);
    // Cut off behind SUnreclaim.
    expect(await on({ "proc/meminfo": lines })).toEqual(["proc/meminfo"]);
    expect(await on({})).toEqual(["proc/meminfo"]);
  });
});
