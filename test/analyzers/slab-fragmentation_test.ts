import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { later, slabinfoText } from "./_kernel.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ID = "slab-fragmentation";

/** One object in twenty lives, as after 300,000 descriptors of which 18,750 are left. */
function sparse(active: number, objects = 300_000, totalBytes = 24 * GIB): { [path: string]: string } {
  const caches = [
    { name: "dentry", size: 192, objects, active },
    { name: "kmalloc-256", size: 256, objects, active },
    { name: "filp", size: 192, objects, active },
    { name: "eventpoll_epi", size: 128, objects, active },
    { name: "buffer_head", size: 104, objects: 80_000, active: 8897 },
  ];
  return {
    "proc/meminfo": meminfoText(
      { SUnreclaim: 40 * MIB + objects * 576, SReclaimable: 20 * MIB + objects * 192 },
      totalBytes,
    ),
    "proc/slabinfo": slabinfoText(caches),
  };
}

describe(ID, () => {
  it("is likely in one snapshot, and claims the room of what is gone", async () => {
    const report = await analyzeFiles(sparse(18_750));
    expect(report.findings[0]).toMatchObject({ cause: ID, confidence: "likely", material: true });
    expect(report.findings[0]?.bytes.high).toBeGreaterThan(0.85 * 281_250 * 768);
    expect(report.findings[0]?.bytes.high).toBeLessThan(1.15 * 281_250 * 768);
    expect(report.findings[0]?.claims.map(({ account }) => account)).toEqual([
      "slab-unreclaimable",
      "slab-reclaimable",
    ]);
    expect(findingOf(report, "slab-leak")).toBeUndefined();
  });

  it("is confirmed when it stays", async () => {
    const files = { ...sparse(18_750), ...later(1, sparse(18_700)), ...later(2, sparse(18_800)) };
    expect(findingOf(await analyzeFiles(files), ID)).toMatchObject({ confidence: "confirmed" });
  });

  it("leaves caches alone that are three quarters full, or small", async () => {
    expect(findingOf(await analyzeFiles(sparse(220_000)), ID)).toBeUndefined();
    expect(findingOf(await analyzeFiles(sparse(600, 10_000)), ID)).toBeUndefined();
  });

  it("accuses nobody of room that dentries and inodes left after reclaim", async () => {
    const caches = [{ name: "dentry", size: 192, objects: 4_000_000, active: 900_000 }];
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SReclaimable: 900 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText(caches),
    });
    expect(findingOf(report, ID)).toMatchObject({ confidence: "likely", material: false });
    expect(report.verdict).toBe("healthy");
  });

  it("makes sense on hosts of 512 MB and 128 GB", async () => {
    expect(findingOf(await analyzeFiles(sparse(5000, 100_000, 512 * MIB)), ID)).toMatchObject({ material: true });
    expect(findingOf(await analyzeFiles(sparse(2_000_000, 40_000_000, 128 * GIB)), ID)).toMatchObject({
      material: true,
    });
  });

  it("quotes a cache's name for the shell, and takes more objects in use than there are for a full cache", async () => {
    const files = sparse(18_750);
    const hostile = { ...files, "proc/slabinfo": (files["proc/slabinfo"] ?? "").replace("kmalloc-256", "a;reboot") };
    expect(findingOf(await analyzeFiles(hostile), ID)?.remedies[0]?.commands[0]).toBe(
      "echo 1 > '/sys/kernel/slab/a;reboot/shrink'",
    );
    expect(findingOf(await analyzeFiles(sparse(9_000_000)), ID)).toBeUndefined();
  });

  it("is not assessed without slabinfo or meminfo", async () => {
    const cutOff = {
      ...sparse(300_000),
      "proc/slabinfo": "kmalloc-1k 661 670 3072 10 8 : tunables 0 0 0 : slabdata 67 67 0\n",
    };
    expect((await analyzeFiles(cutOff)).notAssessed).toContainEqual(
      expect.objectContaining({ cause: ID, missing: [expect.stringContaining("cut off, or filtered")] }),
    );
    for (const path of ["proc/slabinfo", "proc/meminfo"]) {
      const { [path]: _, ...rest } = sparse(18_750);
      expect((await analyzeFiles(rest)).notAssessed).toContainEqual(
        expect.objectContaining({ cause: ID, missing: [path] }),
      );
    }
  });
});
