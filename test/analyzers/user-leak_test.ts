import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const status = (name: string, anonBytes: number): string =>
  `Name:\t${name}\nRssAnon:\t${anonBytes / 1024} kB\nVmSwap:\t0 kB\n`;
const times = ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"];

/** Three snapshots in which one process has these amounts of anonymous memory, and the host as much more. */
function watched(
  name: string,
  amounts: readonly number[],
  others: { readonly [path: string]: readonly number[] } = {},
): { [path: string]: string } {
  const files: { [path: string]: string } = {};
  for (const [i, prefix] of times.entries()) {
    files[`${prefix}proc/700/status`] = status(name, amounts[i] as number);
    for (const [pid, series] of Object.entries(others)) {
      files[`${prefix}proc/${pid}/status`] = status(`p${pid}`, series[i] as number);
    }
    const anon = (amounts[i] as number) + Object.values(others).reduce((sum, series) => sum + (series[i] as number), 0);
    files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: 32 * MIB + anon });
  }
  return files;
}

describe("user-leak", () => {
  it("is likely when a process grows in every snapshot and makes up the host's growth", async () => {
    const report = await analyzeFiles(watched("leaky", [300 * MIB, 400 * MIB, 500 * MIB]));
    const finding = findingOf(report, "user-leak");
    expect(finding).toMatchObject({
      confidence: "likely",
      bytes: { low: 300 * MIB, high: 300 * MIB },
      growthBytesPerSecond: { low: 20 * MIB, high: 20 * MIB },
      owners: [{ pid: 700, comm: "leaky" }],
    });
    // 7.4 GiB are available after ten seconds, at 20 MiB a second.
    expect(Date.parse(finding?.exhaustion?.atLow ?? "")).toBeGreaterThan(Date.parse("2026-01-01T00:05:00Z"));
    expect(Date.parse(finding?.exhaustion?.atLow ?? "")).toBeLessThan(Date.parse("2026-01-01T00:08:00Z"));
    expect(report.verdict).toBe("cause-found");
  });

  it("accuses no large process that is steady", async () => {
    const report = await analyzeFiles(watched("database", [5 * GIB, 5 * GIB, 5 * GIB]));
    expect(findingOf(report, "user-leak")).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("accuses no process that starts up", async () => {
    expect(findingOf(await analyzeFiles(watched("starting", [100 * MIB, 300 * MIB, 340 * MIB])), "user-leak"))
      .toBeUndefined();
  });

  it("accuses no process that goes up and down", async () => {
    expect(findingOf(await analyzeFiles(watched("busy", [300 * MIB, 500 * MIB, 310 * MIB])), "user-leak"))
      .toBeUndefined();
  });

  it("names a program whose many processes grow together", async () => {
    const files: { [path: string]: string } = {};
    for (const [i, prefix] of times.entries()) {
      for (let pid = 700; pid < 750; pid++) files[`${prefix}proc/${pid}/status`] = status("worker", (4 + 2 * i) * MIB);
      files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: (232 + 100 * i) * MIB });
    }
    const finding = findingOf(await analyzeFiles(files), "user-leak");
    expect(finding).toMatchObject({
      confidence: "likely",
      bytes: { high: 200 * MIB },
      owners: [{ comm: "worker", count: 50 }],
    });
    expect(finding?.remedies[0]?.commands).toEqual(["pkill -TERM -x worker"]);
  });

  it("names two processes that leak at once", async () => {
    const files = watched("one", [300 * MIB, 400 * MIB, 500 * MIB], { 701: [200 * MIB, 300 * MIB, 410 * MIB] });
    const causes = (await analyzeFiles(files)).findings.filter(({ cause }) => cause === "user-leak");
    expect(causes.map(({ owners }) => owners[0]?.pid).sort()).toEqual([700, 701]);
  });

  it("accuses no process whose growth is a small part of the host's", async () => {
    const files = watched("small", [300 * MIB, 320 * MIB, 340 * MIB], { 701: [100 * MIB, 300 * MIB, 600 * MIB] });
    expect(findingOf(await analyzeFiles(files), "user-leak")?.owners).toMatchObject([{ pid: 701 }]);
  });

  it("is at most possible with one snapshot, and claims no growth", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ AnonPages: 6 * GIB }),
      "proc/700/status": status("java", 6 * GIB),
    });
    expect(findingOf(report, "user-leak")).toMatchObject({
      confidence: "possible",
      growthBytesPerSecond: null,
      exhaustion: null,
    });
    expect(report.verdict).toBe("healthy");
  });

  it("names the process to watch in one look, without an accusation, and leaves huge pages to thp-bloat", async () => {
    const look = (huge: number): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ AnonPages: 400 * MIB, AnonHugePages: huge }),
      "proc/700/status": status("java", 300 * MIB),
    });
    expect(findingOf(await analyzeFiles(look(0)), "user-leak")).toMatchObject({
      confidence: "possible",
      material: false,
    });
    expect(findingOf(await analyzeFiles(look(300 * MIB)), "user-leak")).toBeUndefined();
  });

  it("does not take another program with the same pid for growth", async () => {
    const files = watched("old", [100 * MIB, 300 * MIB, 600 * MIB]);
    files[`${times[1]}proc/700/status`] = status("new", 300 * MIB);
    expect(findingOf(await analyzeFiles(files), "user-leak")).toBeUndefined();
  });

  it("restarts the systemd unit where there is one", async () => {
    const files = {
      ...watched("leaky", [300 * MIB, 400 * MIB, 500 * MIB]),
      "proc/700/cgroup": "0::/system.slice/leaky.service\n",
    };
    expect(findingOf(await analyzeFiles(files), "user-leak")?.remedies[0]?.commands).toEqual([
      "systemctl restart leaky.service",
    ]);
  });

  it("is not assessed without processes", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(report.notAssessed.find(({ cause }) => cause === "user-leak")?.missing).toEqual(["proc/PID/status"]);
  });
});
