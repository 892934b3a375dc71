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

  it("claims no rate from one snapshot", async () => {
    const { [`${LATER}proc/vmstat`]: _, ...one } = host(1, 1, 40);
    expect(findingOf(await analyzeFiles(one), "swap-thrash")).toBeUndefined();
  });
});
