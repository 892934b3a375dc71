import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { slabinfoText } from "./_kernel.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ID = "slab-reclaimable";

function dentries(all: number, negative: number, totalBytes = 24 * GIB): { [path: string]: string } {
  return {
    "proc/meminfo": meminfoText({ SReclaimable: 150 * MIB + all * 192 + negative * 256 }, totalBytes),
    "proc/slabinfo": slabinfoText([
      { name: "kmalloc-rcl-256", size: 256, objects: negative },
      { name: "dentry", size: 192, objects: all },
      { name: "ext4_inode_cache", size: 1128, objects: 134_912 },
    ]),
    "proc/sys/fs/dentry-state": `${all}\t${all - 2000}\t45\t0\t${negative}\t0\n`,
  };
}

describe(ID, () => {
  it("names negative dentries, but accuses nobody: the kernel gives them back", async () => {
    const report = await analyzeFiles(dentries(857_134, 714_414));
    expect(findingOf(report, ID)).toMatchObject({ confidence: "likely", material: false });
    expect(findingOf(report, ID)?.bytes.high).toBeGreaterThan(0.85 * 714_414 * 448);
    expect(findingOf(report, ID)?.bytes.high).toBeLessThan(1.15 * 714_414 * 448);
    expect(report.verdict).toBe("healthy");
  });

  it("never proposes to drop caches", async () => {
    const finding = findingOf(await analyzeFiles(dentries(8_000_000, 7_000_000)), ID);
    expect(JSON.stringify(finding?.remedies)).not.toContain("drop_caches");
  });

  it("says possible of a large cache of files, whose names exist", async () => {
    const report = await analyzeFiles(dentries(6_000_000, 1000, 16 * GIB));
    expect(findingOf(report, ID)).toMatchObject({ confidence: "possible", material: false });
  });

  it("names none where slabinfo has no cache of its kind", async () => {
    // github.com/prometheus/procfs testdata/fixtures.ttar: its slabinfo is of another host than its meminfo.
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SReclaimable: 1738124 * 1024 }, 15666184 * 1024),
      "proc/slabinfo": slabinfoText([{ name: "tw_sock_TCP", size: 240, objects: 864 }]),
    });
    expect(findingOf(report, ID)?.title).toBe(
      "Caches in slab that can be given back take 1.66 GiB (11.1 % of memory); the kernel does so when memory is short",
    );
  });

  it("counts no negative ones before 4.20, where the number is a constant 0", async () => {
    expect(findingOf(await analyzeFiles(dentries(857_134, 0)), ID)).toBeUndefined();
  });

  it.each([[512 * MIB, 60_000], [24 * GIB, 200_000], [128 * GIB, 5_000_000]])(
    "says nothing of a host of %i bytes with %i names",
    async (totalBytes, count) => {
      const files = {
        ...dentries(count, 100, totalBytes),
        "proc/meminfo": meminfoText({ SReclaimable: 20 * MIB + count * 192 }, totalBytes),
      };
      expect(findingOf(await analyzeFiles(files), ID)).toBeUndefined();
    },
  );

  it("does without dentry-state, and is not assessed without slabinfo", async () => {
    const files = dentries(6_000_000, 5_000_000, 16 * GIB);
    const { "proc/sys/fs/dentry-state": _, ...rest } = files;
    expect(findingOf(await analyzeFiles(rest), ID)).toMatchObject({ confidence: "possible" });
    const { "proc/slabinfo": __, ...others } = files;
    expect((await analyzeFiles(others)).notAssessed).toContainEqual(
      expect.objectContaining({ cause: ID, missing: ["proc/slabinfo"] }),
    );
  });

  // https://www.toofishes.net/blog/linux-command-day-slabtop/
  it.each([
    ["11418016 10634618  93%    0.94K 671648       17  10746368K ext4_inode_cache", {
      title: expect.stringMatching(
        /^Remembered names and inodes of files \(ext4_inode_cache\) take 10\.2 GiB; the kernel/,
      ),
      material: false,
    }],
    ["  4725   4198  88%    0.62K    189       25      3024K inode_cache", undefined],
  ])("without meminfo tells the size of large caches: %s", async (row, expected) => {
    const text = `  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME\n${row}\n`;
    const report = await analyzeFiles({ "sos_commands/memory/slabtop_-o": text });
    if (expected !== undefined) expect(findingOf(report, ID)).toMatchObject(expected);
    else {
      expect(report.notAssessed).toContainEqual(expect.objectContaining({ cause: ID, missing: ["proc/meminfo"] }));
    }
  });

  it("survives counters that cannot be", async () => {
    const files = { ...dentries(857_134, 714_414), "proc/sys/fs/dentry-state": "857134\t-3\t45\t0\t714414\t0\n" };
    expect(findingOf(await analyzeFiles(files), ID)).toBeUndefined();
  });
});
