import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const LATER = "history/2026-01-01T00:00:05.000Z/";

function host(pagesIn: number, pagesOut: number, fullAvg10: number): { [path: string]: string } {
  return {
    "proc/meminfo": meminfoText(),
    "proc/vmstat": "pswpin 1000\npswpout 2000\n",
    [`${LATER}proc/vmstat`]: `pswpin ${1000 + pagesIn}\npswpout ${2000 + pagesOut}\n`,
    "proc/pressure/memory": `some avg10=50.00 avg60=1.00 avg300=0.00 total=1\nfull avg10=${
      fullAvg10.toFixed(2)
    } avg60=1.00 avg300=0.00 total=1\n`,
    "proc/300/status": "Name:\thog\nRssAnon:\t102400 kB\nVmSwap:\t204800 kB\n",
  };
}

describe("swap-thrash", () => {
  it("is confirmed when pages come and go and everybody waits", async () => {
    const report = await analyzeFiles(host(100_000, 100_000, 40));
    expect(findingOf(report, "swap-thrash")).toMatchObject({
      confidence: "confirmed",
      claims: [],
      owners: [{ pid: 300, comm: "hog" }],
    });
    expect(report.verdict).toBe("cause-found");
  });

  it("is likely without stalls", async () => {
    expect(findingOf(await analyzeFiles(host(100_000, 100_000, 0)), "swap-thrash")?.confidence).toBe("likely");
  });

  it("accuses no host whose pages only go out, or only come back", async () => {
    expect(findingOf(await analyzeFiles(host(0, 100_000, 40)), "swap-thrash")).toBeUndefined();
    expect(findingOf(await analyzeFiles(host(100_000, 0, 40)), "swap-thrash")).toBeUndefined();
  });

  // As people paste it: https://serverdevworker.com/8144435ad has one row, of the time since the start.
  const vmstat = (...rows: readonly (readonly [number, number])[]): { [path: string]: string } => ({
    "sos_commands/memory/vmstat":
      "procs -----------memory---------- ---swap--\n r  b   swpd   free   buff  cache   si   so\n" +
      [[120, 340], ...rows].map(([si, so]) => ` 1 2 24580 102340 45288 654320 ${si} ${so}\n`).join(""),
  });

  it("reads the table of vmstat alone, but not its first row", async () => {
    const report = await analyzeFiles(vmstat([9120, 8340], [11_120, 12_340]));
    expect(findingOf(report, "swap-thrash")).toMatchObject({
      title: "The host swaps 9.88 MiB a second in and 10.1 MiB out: what is in use does not fit into memory",
      confidence: "likely",
    });
    expect((await analyzeFiles(vmstat([0, 9999]))).ruledOut.map(({ cause }) => cause)).toContain("swap-thrash");
    expect((await analyzeFiles(vmstat())).notAssessed.map(({ cause }) => cause)).toContain("swap-thrash");
  });

  it("claims no rate from one snapshot", async () => {
    const { [`${LATER}proc/vmstat`]: _, ...one } = host(1, 1, 40);
    expect(findingOf(await analyzeFiles(one), "swap-thrash")).toBeUndefined();
  });

  /** `total` of some and full in microseconds, five seconds apart. */
  const psi = (some: number, full: number): string =>
    `some avg10=9.81 avg60=4.94 avg300=2.48 total=${some}\nfull avg10=9.81 avg60=4.58 avg300=2.25 total=${full}\n`;

  it("goes by the time waited while it was watched, not by averages that lag", async () => {
    const watched = (some: number, full: number): { [path: string]: string } => ({
      ...host(100_000, 100_000, 0),
      "proc/pressure/memory": psi(1_000_000, 1_000_000),
      [`${LATER}proc/pressure/memory`]: psi(1_000_000 + some, 1_000_000 + full),
    });
    expect(findingOf(await analyzeFiles(watched(3_750_000, 3_500_000)), "swap-thrash")?.confidence).toBe("confirmed");
    expect(findingOf(await analyzeFiles(watched(1_000_000, 100_000)), "swap-thrash")?.confidence).toBe("likely");
    const report = await analyzeFiles(watched(0, 0));
    expect(findingOf(report, "swap-thrash")).toBeUndefined();
    expect(report.ruledOut.find(({ cause }) => cause === "swap-thrash")?.because).toContain("nobody waited");
  });

  it("works without PSI (before 4.20), and accuses no host whose swap is full and quiet", async () => {
    const { ["proc/pressure/memory"]: _, ...old } = host(100_000, 100_000, 0);
    expect(findingOf(await analyzeFiles(old), "swap-thrash")?.confidence).toBe("likely");
    expect(findingOf(await analyzeFiles(host(0, 0, 0)), "swap-thrash")).toBeUndefined();
  });
});
