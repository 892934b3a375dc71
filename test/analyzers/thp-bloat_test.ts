import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const CONTENTS = "sos_commands/process/huge_page_contents";
const HEADER = "# AnonHugePages 524288000 bytes\n# pid bytes_in_huge_pages looked_at all_zero pages_of_the_others zero_pages_of_the_others\n";

const memory = (hugeBytes: number, anonBytes: number, total?: number): string =>
  meminfoText({ AnonPages: anonBytes, AnonHugePages: hugeBytes }, total);
const status = (name: string, anonBytes: number): string => `Name:\t${name}\nRssAnon:\t${anonBytes / 1024} kB\nVmSwap:\t0 kB\n`;

/** As captured on Linux 6.18 while 500 MiB were held, one page of 512 touched, and while all were. */
const bundle = (rows: string, hugeBytes = 500 * MIB, total?: number): { [path: string]: string } => ({
  "proc/meminfo": memory(hugeBytes, hugeBytes + 32 * MIB, total),
  "proc/8865/status": status("sparse", 500 * MIB),
  "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
  [CONTENTS]: `${HEADER}${rows}`,
});

describe("thp-bloat", () => {
  it("is confirmed when most of the huge pages is zeros", async () => {
    const report = await analyzeFiles(bundle("8865 524288000 32 0 16384 16352\n"));
    const finding = findingOf(report, "thp-bloat");
    expect(finding).toMatchObject({ confidence: "confirmed", material: true, owners: [{ pid: 8865, comm: "sparse" }] });
    expect(finding?.bytes.low).toBeGreaterThan(485 * MIB);
    expect(finding?.bytes.high).toBe(500 * MIB);
    expect(report.verdict).toBe("cause-found");
    expect(report.findings[0]?.cause).toBe("thp-bloat");
  });

  it("claims what is not used: an eighth is in use", async () => {
    const finding = findingOf(await analyzeFiles(bundle("8865 524288000 32 0 16384 14336\n")), "thp-bloat");
    expect(finding?.bytes.low).toBeLessThan(437.5 * MIB);
    expect(finding?.bytes.high).toBeGreaterThan(437.5 * MIB);
  });

  it("accuses no program that uses its huge pages, or most of them", async () => {
    expect(findingOf(await analyzeFiles(bundle("8865 524288000 32 0 16384 0\n")), "thp-bloat")).toBeUndefined();
    const report = await analyzeFiles(bundle("8865 524288000 32 0 16384 6000\n"));
    expect(findingOf(report, "thp-bloat")).toBeUndefined();
    expect(report.ruledOut.find(({ cause }) => cause === "thp-bloat")?.because).toContain("are in use");
    expect(report.verdict).toBe("healthy");
  });

  it("accuses no heap that was touched in advance: its huge pages are zeros as a whole", async () => {
    expect(findingOf(await analyzeFiles(bundle("8865 8589934592 32 28 2048 1500\n", 8 * GIB, 16 * GIB)), "thp-bloat")).toBeUndefined();
    expect(findingOf(await analyzeFiles(bundle("8865 8589934592 32 32 0 0\n", 8 * GIB, 16 * GIB)), "thp-bloat")).toBeUndefined();
  });

  it("adds up several processes", async () => {
    const rows = "8865 104857600 32 0 16384 16352\n8866 104857600 32 0 16384 16352\n";
    expect(findingOf(await analyzeFiles(bundle(rows, 200 * MIB)), "thp-bloat")?.owners).toHaveLength(2);
  });

  it("is only possible without a look at the contents, and nothing where there are few huge pages", async () => {
    const report = await analyzeFiles({ "proc/meminfo": memory(500 * MIB, 600 * MIB) });
    expect(findingOf(report, "thp-bloat")).toMatchObject({ confidence: "possible", bytes: { low: 0 }, owners: [{ pid: null }] });
    expect(report.verdict).toBe("healthy");
    expect(findingOf(await analyzeFiles({ "proc/meminfo": memory(60 * MIB, 100 * MIB) }), "thp-bloat")).toBeUndefined();
    expect(findingOf(await analyzeFiles({ "proc/meminfo": memory(500 * MIB, 2000 * MIB) }), "thp-bloat")).toBeUndefined();
  });

  it("measures by the host", async () => {
    const rows = "8865 83886080 32 0 16384 16352\n";
    expect(findingOf(await analyzeFiles(bundle(rows, 80 * MIB, GIB / 2)), "thp-bloat")?.confidence).toBe("confirmed");
    expect(findingOf(await analyzeFiles(bundle(rows, 80 * MIB, 128 * GIB)), "thp-bloat")).toBeUndefined();
  });

  it("passes hostile rows over, with a warning", async () => {
    const report = await analyzeFiles(bundle("8865 524288000 0 0 16384 16352\n1 2 3\n8865 524288000 32 0 1 16352\n"));
    expect(findingOf(report, "thp-bloat")).toBeUndefined();
    expect(report.warnings.filter((warning) => warning.includes("huge_page_contents"))).toHaveLength(3);
  });

  it("is not assessed without meminfo; a kernel without huge pages has none", async () => {
    const report = await analyzeFiles({ [CONTENTS]: HEADER });
    expect(report.notAssessed.find(({ cause }) => cause === "thp-bloat")?.missing).toContain("proc/meminfo");
    const none = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(none.ruledOut.find(({ cause }) => cause === "thp-bloat")?.because).toContain("no transparent huge pages");
  });
});
