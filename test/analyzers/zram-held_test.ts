import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ID = "zram-held";

const held = (bytes: number, totalBytes = 24 * GIB, more = {}): { [path: string]: string } => ({
  "proc/meminfo": meminfoText(more, totalBytes, bytes),
  "proc/vmstat": `nr_free_pages 1\nnr_zspages ${bytes / 4096}\n`,
});
const mmStat = (stored: number, used: number): string => `${stored} ${used} ${used} 0 ${used} 0 0 0 0\n`;
const SWAPS = (used: number): string =>
  `Filename Type Size Used Priority\n/dev/zram0 partition 8388604 ${used / 1024} 100\n`;

describe(ID, () => {
  it("confirms a zram device that is full of what does not compress", async () => {
    const report = await analyzeFiles({
      ...held(300 * MIB),
      "sys/block/zram1/mm_stat": mmStat(300 * MIB, 300 * MIB),
      "sys/block/zram0/mm_stat": mmStat(0, 0),
    });
    expect(report.findings[0]).toMatchObject({
      cause: ID,
      confidence: "confirmed",
      material: true,
      bytes: { high: 300 * MIB },
      owners: [{ comm: "zram1" }],
    });
    expect(report.verdict).toBe("cause-found");
  });

  it("names the device that stores most", async () => {
    const report = await analyzeFiles({
      ...held(300 * MIB),
      "sys/block/zram0/mm_stat": mmStat(40 * MIB, 40 * MIB),
      "sys/block/zram1/mm_stat": mmStat(260 * MIB, 260 * MIB),
    });
    expect(report.findings[0]?.title).toMatch(/^zram1 and 1 more/);
    expect(report.findings[0]?.owners.map(({ comm }) => comm)).toEqual(["zram1", "zram0"]);
  });

  it("accuses no swap that compresses well, however large", async () => {
    const report = await analyzeFiles({
      ...held(2 * GIB, 16 * GIB),
      "sys/block/zram0/mm_stat": mmStat(6 * GIB, 2 * GIB),
      "proc/swaps": SWAPS(6 * GIB),
    });
    expect(findingOf(report, ID)).toMatchObject({ confidence: "confirmed", material: false });
    expect(report.verdict).toBe("healthy");
  });

  it("accuses swap that saves little", async () => {
    const files = {
      ...held(2 * GIB, 16 * GIB),
      "sys/block/zram0/mm_stat": mmStat(2.4 * GIB, 2 * GIB),
      "proc/swaps": SWAPS(2.4 * GIB),
    };
    expect(findingOf(await analyzeFiles(files), ID)).toMatchObject({ material: true });
  });

  it("knows what is stored from /proc/swaps in a sosreport, which has no mm_stat", async () => {
    expect(findingOf(await analyzeFiles({ ...held(GIB), "proc/swaps": SWAPS(3 * GIB) }), ID)).toMatchObject({
      confidence: "likely",
      material: false,
    });
    expect(findingOf(await analyzeFiles(held(GIB)), ID)).toMatchObject({
      confidence: "likely",
      material: true,
      owners: [{ comm: "zram or zswap" }],
    });
  });

  it("knows zswap", async () => {
    const files = held(GIB, 24 * GIB, { Zswap: GIB, Zswapped: 3 * GIB });
    expect(findingOf(await analyzeFiles(files), ID)).toMatchObject({ material: false, owners: [{ comm: "zswap" }] });
  });

  it.each([[512 * MIB, 40 * MIB], [128 * GIB, 100 * MIB], [24 * GIB, 4 * MIB]])(
    "says nothing of a host of %i bytes with %i",
    async (totalBytes, bytes) => {
      expect(
        findingOf(
          await analyzeFiles({ ...held(bytes, totalBytes), "sys/block/zram0/mm_stat": mmStat(bytes, bytes) }),
          ID,
        ),
      ).toBeUndefined();
    },
  );

  it("rules itself out on a kernel without zsmalloc, and is not assessed without vmstat or meminfo", async () => {
    const old = await analyzeFiles({ "proc/meminfo": meminfoText(), "proc/vmstat": "nr_free_pages 1\n" });
    expect(old.ruledOut).toContainEqual(expect.objectContaining({ cause: ID }));
    for (const path of ["proc/vmstat", "proc/meminfo"]) {
      const { [path]: _, ...rest } = held(GIB);
      expect((await analyzeFiles(rest)).notAssessed).toContainEqual(
        expect.objectContaining({ cause: ID, missing: [path] }),
      );
    }
  });

  it("survives an mm_stat that is none", async () => {
    const report = await analyzeFiles({ ...held(GIB), "sys/block/zram0/mm_stat": "99999999999999999999 1\n" });
    expect(findingOf(report, ID)).toMatchObject({ confidence: "likely" });
    expect(report.warnings.some((warning) => warning.includes("mm_stat"))).toBe(true);
  });
});
