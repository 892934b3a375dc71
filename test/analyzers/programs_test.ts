/** The causes that many threads, processes and page tables make. */
import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const times = ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"];

function status(name: string, threads: number, anonBytes: number, pageTableBytes: number): string {
  return `Name:\t${name}\nVmRSS:\t${anonBytes / 1024} kB\nRssAnon:\t${anonBytes / 1024} kB\nVmPTE:\t${pageTableBytes / 1024} kB\nThreads:\t${threads}\n`;
}

describe("kernel-stack-leak", () => {
  const host = (threads: number): { [path: string]: string } => ({
    "proc/meminfo": meminfoText({ KernelStack: threads * 16_384, VmallocUsed: threads * 16_384 + 12 * MIB }),
    "proc/900/status": status("server", threads, 100 * MIB, MIB),
  });

  it("names the program with thousands of threads", async () => {
    const finding = findingOf(await analyzeFiles(host(15_000)), "kernel-stack-leak");
    expect(finding).toMatchObject({ confidence: "likely", material: true, owners: [{ pid: 900, comm: "server", count: 15_000 }] });
    expect(finding?.bytes.high).toBe(15_000 * 16_384);
  });

  it("accuses no server with as many threads as a service is usually let have", async () => {
    expect(findingOf(await analyzeFiles(host(4_000)), "kernel-stack-leak")).toBeUndefined();
  });
});

describe("page-table-bloat", () => {
  function host(processes: number, each: number, mappedBytes: number): { [path: string]: string } {
    const files: { [path: string]: string } = {
      "proc/meminfo": meminfoText({ PageTables: processes * each, AnonPages: 32 * MIB }, 64 * GIB) + `Mapped: ${mappedBytes / 1024} kB\n`,
    };
    for (let pid = 100; pid < 100 + processes; pid++) files[`proc/${pid}/status`] = status("postgres", 1, MIB, each);
    return files;
  }

  it("names processes that each map the same large memory with small pages", async () => {
    const finding = findingOf(await analyzeFiles(host(200, 16 * MIB, 8 * GIB)), "page-table-bloat");
    expect(finding).toMatchObject({ confidence: "confirmed", owners: [{ comm: "postgres", count: 200, bytes: 3200 * MIB }] });
  });

  it("accuses no process whose tables fit what it maps", async () => {
    expect(findingOf(await analyzeFiles(host(1, 120 * MIB, 56 * GIB)), "page-table-bloat")).toBeUndefined();
  });

  it("accuses no host of many small processes", async () => {
    expect(findingOf(await analyzeFiles(host(2000, 100 * 1024, GIB)), "page-table-bloat")).toBeUndefined();
  });
});

describe("process-proliferation", () => {
  function host(processes: number, each: number, threads: readonly number[], totalBytes: number = 8 * GIB): { [path: string]: string } {
    const files: { [path: string]: string } = { "proc/meminfo": meminfoText({ AnonPages: 32 * MIB + processes * each }, totalBytes) };
    for (let pid = 100; pid < 100 + processes; pid++) files[`proc/${pid}/status`] = status("cron-job", 1, each, 64 * 1024);
    for (const [i, count] of threads.entries()) files[`${times[i]}proc/loadavg`] = `0.10 0.20 0.30 1/${count} 4711\n`;
    return files;
  }

  it("is likely when there are ever more of them", async () => {
    const finding = findingOf(await analyzeFiles(host(400, MIB, [600, 625, 650])), "process-proliferation");
    expect(finding).toMatchObject({ confidence: "likely", material: true, owners: [{ comm: "cron-job", count: 400 }] });
    expect(finding?.growthBytesPerSecond?.low).toBeGreaterThan(0);
  });

  it("accuses no pool of a fixed size, however large", async () => {
    expect(findingOf(await analyzeFiles(host(400, 10 * MIB, [600, 600, 600])), "process-proliferation")).toBeUndefined();
  });

  it("is at most possible with one snapshot, and only where it dominates the host", async () => {
    expect(findingOf(await analyzeFiles(host(400, 4 * MIB, [600])), "process-proliferation")).toMatchObject({ confidence: "possible" });
    expect(findingOf(await analyzeFiles(host(400, MIB, [600])), "process-proliferation")).toBeUndefined();
  });

  it("quotes a hostile name for the shell", async () => {
    const files = Object.fromEntries(Object.entries(host(400, MIB, [600, 625, 650])).map(([path, text]) => [path, text.replace("cron-job", "a;b")]));
    const finding = findingOf(await analyzeFiles(files), "process-proliferation");
    expect(finding?.remedies[0]?.commands).toEqual(["pkill -TERM -x 'a;b'"]);
  });
});
