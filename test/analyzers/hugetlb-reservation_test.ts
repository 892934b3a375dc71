import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const POOL = "sys/kernel/mm/hugepages/hugepages-2048kB/";

function pool(total: number, free: number, reserved: number, totalBytes: number = 8 * GIB): { [path: string]: string } {
  return {
    "proc/meminfo": meminfoText({ Hugetlb: total * 2 * MIB }, totalBytes),
    [`${POOL}nr_hugepages`]: `${total}\n`,
    [`${POOL}free_hugepages`]: `${free}\n`,
    [`${POOL}resv_hugepages`]: `${reserved}\n`,
    [`${POOL}surplus_hugepages`]: "0\n",
  };
}

describe("hugetlb-reservation", () => {
  it("names what is set aside and neither used nor promised", async () => {
    const finding = findingOf(await analyzeFiles(pool(300, 250, 50)), "hugetlb-reservation");
    expect(finding).toMatchObject({
      confidence: "confirmed",
      material: true,
      bytes: { low: 400 * MIB, high: 400 * MIB },
    });
    expect(finding?.remedies[0]?.commands).toEqual([`echo 100 > /${POOL}nr_hugepages`]);
  });

  it("accuses no pool that is in use, or promised", async () => {
    expect(findingOf(await analyzeFiles(pool(300, 0, 0)), "hugetlb-reservation")).toBeUndefined();
    expect(findingOf(await analyzeFiles(pool(300, 300, 300)), "hugetlb-reservation")).toBeUndefined();
  });

  it("leaves a pool in use its headroom: a twentieth, on a large host gigabytes", async () => {
    expect(findingOf(await analyzeFiles(pool(30_720, 1_000, 0, 128 * GIB)), "hugetlb-reservation")).toBeUndefined();
    expect(findingOf(await analyzeFiles(pool(30_720, 6_000, 0, 128 * GIB)), "hugetlb-reservation")?.confidence).toBe(
      "confirmed",
    );
  });

  it("weighs the same pages against the size of the host", async () => {
    expect(findingOf(await analyzeFiles(pool(20, 20, 0, 512 * MIB)), "hugetlb-reservation")).toBeDefined();
    expect(findingOf(await analyzeFiles(pool(100, 100, 0, 128 * GIB)), "hugetlb-reservation")).toBeUndefined();
  });

  it("is not assessed without the pools", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(report.notAssessed.map(({ cause }) => cause)).toContain("hugetlb-reservation");
  });
});
