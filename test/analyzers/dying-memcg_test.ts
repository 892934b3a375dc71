import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { later, slabinfoText } from "./_kernel.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ID = "dying-memcg";

/** Captured on 6.18 with 12,000 groups removed. */
const memory = (totalBytes = 24 * GIB, cachedBytes = 397 * MIB) => ({
  "proc/meminfo": meminfoText({
    SUnreclaim: 183 * MIB,
    Percpu: 49 * MIB,
    VmallocUsed: 64 * MIB,
    Shmem: 55 * MIB,
    Cached: cachedBytes,
  }, totalBytes),
});
const cgroups = (memcgs: number, hierarchy = 4): string =>
  `#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t${hierarchy}\t${memcgs}\t1\n`;
const folders = (count: number): string =>
  Array.from({ length: count }, (_, i) => `/sys/fs/cgroup/memory${i === 0 ? "" : `/${i}`}\n`).join("");
const stat = (dying: number): string => `nr_descendants 63\nnr_dying_descendants ${dying}\n`;

const v1 = (memcgs: number, living = 8): { [path: string]: string } => ({
  ...memory(),
  "proc/cgroups": cgroups(memcgs),
  "sos_commands/cgroups/find_.sys.fs.cgroup.memory": folders(living),
});
const v2 = (dying: number): { [path: string]: string } => ({
  ...memory(),
  "proc/cgroups": cgroups(63, 0),
  "sys/fs/cgroup/cgroup.stat": stat(dying),
});

describe(ID, () => {
  it("takes the folders of cgroup v1 from the number of groups", async () => {
    const finding = findingOf(await analyzeFiles(v1(12_049)), ID);
    expect(finding).toMatchObject({ confidence: "likely", material: true, owners: [{ count: 12_041 }] });
    expect(finding?.bytes.low).toBeGreaterThan(230e6);
    expect(finding?.bytes.high).toBeLessThan(310e6);
  });

  it("is confirmed when as many structures are in use", async () => {
    const files = {
      ...v1(12_049),
      "proc/slabinfo": slabinfoText([{ name: "mem_cgroup", size: 2240, objects: 12_040 }]),
    };
    expect(findingOf(await analyzeFiles(files), ID)).toMatchObject({ confidence: "confirmed" });
  });

  it("believes cgroup v2, which counts itself", async () => {
    const finding = findingOf(await analyzeFiles(v2(12_000)), ID);
    expect(finding).toMatchObject({ confidence: "confirmed", owners: [{ count: 12_000 }] });
    expect(finding?.evidence[0]).toMatchObject({ path: "sys/fs/cgroup/cgroup.stat", line: 2 });
  });

  it("counts the folders of a sosreport, which has their files", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`sys/fs/cgroup/memory/a/b${i}/memory.usage_in_bytes`, "0\n"]),
    );
    const finding = findingOf(await analyzeFiles({ ...memory(), "proc/cgroups": cgroups(12_020), ...files }), ID);
    expect(finding).toMatchObject({ owners: [{ count: 12_000 }] });
  });

  it("grows by what a group holds", async () => {
    const files = {
      ...v1(12_049),
      ...later(1, { "proc/cgroups": cgroups(12_099) }),
      ...later(2, { "proc/cgroups": cgroups(12_149) }),
    };
    const growth = findingOf(await analyzeFiles(files), ID)?.growthBytesPerSecond;
    expect(growth?.low).toBeGreaterThan(50 * 12_600);
    expect(growth?.low).toBeLessThan(50 * 25_000);
  });

  it("accuses no host with a few removed groups, or with many that are in use", async () => {
    for (const files of [v1(58), v2(300), v1(9000, 9000)]) {
      const report = await analyzeFiles(files);
      expect(findingOf(report, ID)).toBeUndefined();
      expect(report.ruledOut).toContainEqual(expect.objectContaining({ cause: ID }));
    }
  });

  it("judges by the size of the host", async () => {
    const small = { ...v2(4000), ...memory(512 * MIB, 97 * MIB) };
    expect(findingOf(await analyzeFiles(small), ID)).toMatchObject({ material: true });
    expect(findingOf(await analyzeFiles({ ...v2(4000), ...memory(128 * GIB) }), ID)).toBeUndefined();
  });

  it("is not assessed without the folders or the count", async () => {
    const missing = async (files: { [path: string]: string }): Promise<unknown> =>
      (await analyzeFiles(files)).notAssessed.find(({ cause }) => cause === ID)?.missing;
    expect(await missing(memory())).toEqual(["sys/fs/cgroup/cgroup.stat"]);
    expect(await missing({ ...memory(), "proc/cgroups": cgroups(12_049) })).toEqual([
      "sos_commands/cgroups/find_.sys.fs.cgroup.memory",
    ]);
  });

  it("claims no more than there is when the number is hostile", async () => {
    const report = await analyzeFiles(v2(9_000_000_000));
    for (const { account, bytes } of findingOf(report, ID)?.claims ?? []) {
      expect(bytes.high).toBeLessThanOrEqual(report.ledger?.accounts.find(({ id }) => id === account)?.bytes ?? 0);
    }
  });
});
