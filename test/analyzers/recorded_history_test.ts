import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText, udpText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const MINUTE = 60_000;
const HOUR = 3_600_000;
/** When the first whole snapshot was taken. */
const CAPTURED = Date.parse("2026-01-01T00:00:00Z");

type Files = { [path: string]: string };

/** A bundle with three snapshots of its own, five seconds apart, and samples before it, a minute apart; each has what `filesAt` gives. */
function recorded(minutes: number, filesAt: (time: number) => Files): Files {
  const files: Files = {};
  const put = (prefix: string, time: number): void => {
    for (const [path, text] of Object.entries(filesAt(time))) files[prefix + path] = text;
  };
  for (let i = minutes; i > 0; i--) {
    const time = CAPTURED - i * MINUTE;
    put(`history/${new Date(time).toISOString()}/`, time);
  }
  put("", CAPTURED);
  for (const seconds of [5, 10]) {
    const time = CAPTURED + seconds * 1000;
    put(`history/${new Date(time).toISOString()}/`, time);
  }
  return files;
}

/** One process and the host, whose other anonymous memory stands still. */
function leaky(anonBytes: number, bootId = "a"): Files {
  const kib = Math.round(anonBytes / 1024);
  return {
    "proc/700/status": `Name:\tleaky\nRssAnon:\t${kib} kB\nVmSwap:\t0 kB\n`,
    "proc/meminfo": meminfoText({ AnonPages: 32 * MIB + kib * 1024 }),
    "proc/sys/kernel/random/boot_id": `${bootId}\n`,
  };
}

describe("recorded history", () => {
  it("shows a leak that is too slow for the seconds of a capture, at its rate over hours", async () => {
    const rate = 0.2 * GIB / HOUR;
    const report = await analyzeFiles(recorded(600, (time) => leaky(3 * GIB + (time - CAPTURED) * rate)));
    const finding = findingOf(report, "user-leak");
    expect(finding).toMatchObject({ confidence: "confirmed", owners: [{ pid: 700 }] });
    expect(finding?.growthBytesPerSecond?.low).toBeCloseTo(rate * 1000, -3);
    // About 5 GiB are available.
    const hours = (Date.parse(finding?.exhaustion?.atHigh ?? "") - CAPTURED) / HOUR;
    expect(hours).toBeGreaterThan(20);
    expect(hours).toBeLessThan(30);
    expect(report.pressure.level).toBe("rising");
    expect(report.timeline).toHaveLength(500);
    expect(report.timeline[0]?.at).toBe("2025-12-31T14:00:00.000Z");
  });

  it("takes the rate of a leak from when it began, not from the days before", async () => {
    const begun = CAPTURED - 40 * MINUTE;
    const rate = 1 * GIB / HOUR;
    const sizeAt = (time: number) => 0.5 * GIB + Math.max(0, time - begun) * rate;
    const finding = findingOf(await analyzeFiles(recorded(900, (time) => leaky(sizeAt(time)))), "user-leak");
    expect(finding?.growthBytesPerSecond?.low).toBeGreaterThan(rate * 1000 * 0.9);
    expect(finding?.growthBytesPerSecond?.high).toBeLessThan(rate * 1000 * 1.1);
  });

  it("does not foretell the end of memory from growth that has stopped", async () => {
    const sizeAt = (time: number) => 3 * GIB + Math.min(0, time - (CAPTURED - HOUR)) * 0.3 * GIB / HOUR;
    const report = await analyzeFiles(recorded(600, (time) => leaky(sizeAt(time))));
    expect(findingOf(report, "user-leak")).toBeUndefined();
    expect(report.pressure.level).toBe("none");
  });

  it("makes no leak of a heap that warms up, nor of one allocation", async () => {
    const started = CAPTURED - 10 * HOUR;
    const warm = (time: number) => 1 * GIB + 3 * GIB * Math.log1p(20 * (time - started) / (10 * HOUR)) / 3;
    const once = (time: number) => 1 * GIB + (time > CAPTURED - 5 * HOUR ? 3 * GIB : 0);
    for (const sizeAt of [warm, once]) {
      const report = await analyzeFiles(recorded(600, (time) => leaky(sizeAt(time))));
      expect(findingOf(report, "user-leak")).toBeUndefined();
      expect(report.pressure.level).toBe("none");
    }
  });

  it("makes no leak of the little that a program grows in hours", async () => {
    const rate = 6 * MIB / HOUR;
    const report = await analyzeFiles(recorded(600, (time) => leaky(0.5 * GIB + (time - CAPTURED) * rate)));
    expect(findingOf(report, "user-leak")).toBeUndefined();
  });

  it("compares nothing with what was before the last start of the host, and still shows it", async () => {
    const started = CAPTURED - 30 * MINUTE;
    const sizeAt = (time: number) => time < started ? 5 * GIB + (time - CAPTURED) * 0.2 * GIB / HOUR : 0.6 * GIB;
    const files = recorded(300, (time) => leaky(sizeAt(time), time < started ? "before" : "now"));
    const report = await analyzeFiles(files);
    expect(findingOf(report, "user-leak")).toBeUndefined();
    expect(report.pressure.level).toBe("none");
    expect(report.timeline).toHaveLength(303);
    expect(report.host.snapshots).toBe(33);
    expect(report.warnings).toContainEqual(
      expect.stringContaining("270 snapshots, the last one of 2025-12-31T23:29:00.000Z, are from before the host was"),
    );
  });

  it("would take a fall of memory at the start of the host for growth without that", async () => {
    // What the test before this one is worth: the same growth within one start is a leak.
    const files = recorded(300, (time) => leaky(5 * GIB + (time - CAPTURED) * 0.2 * GIB / HOUR, "now"));
    expect(findingOf(await analyzeFiles(files), "user-leak")).toBeDefined();
  });

  it("alone is read from its last sample: what a host that never came back still tells", async () => {
    const files = Object.fromEntries(
      Object.entries(recorded(120, (time) => leaky(4 * GIB + (time - CAPTURED) * 1 * GIB / HOUR)))
        .filter(([path]) => path.startsWith("history/")),
    );
    const report = await analyzeFiles(files);
    expect(report.host.capturedAt).toBe("2026-01-01T00:00:10.000Z");
    expect(findingOf(report, "user-leak")).toMatchObject({ confidence: "confirmed" });
    expect(report.ledger?.accounts.find(({ id }) => id === "anon")?.sources[0]?.path).toBe(
      "history/2026-01-01T00:00:10.000Z/proc/meminfo",
    );
  });

  it("does not take stalls and reclaim of some earlier hour for what goes on", async () => {
    const stalled = CAPTURED - 3 * HOUR;
    const vmstat = (time: number) =>
      `allocstall_normal ${time < stalled ? 0 : 5000}\npswpin ${time < stalled ? 0 : 9e8}\npswpout ${
        time < stalled ? 0 : 9e8
      }\n`;
    const report = await analyzeFiles(
      recorded(400, (time) => ({ "proc/meminfo": meminfoText(), "proc/vmstat": vmstat(time) })),
    );
    expect(report.pressure.level).toBe("none");
    expect(findingOf(report, "swap-thrash")).toBeUndefined();
  });

  it("accuses nobody of queues that were read minutes ago, and does when that was hours ago", async () => {
    const report = async (read: number) => {
      const queued = (time: number) => time < read ? 1 * MIB : (time - read) / MINUTE * 64 * 1024;
      const table = (time: number) => udpText(Array.from({ length: 300 }, () => ({ bytes: Math.round(queued(time)) })));
      return findingOf(
        await analyzeFiles(recorded(300, (time) => ({ "proc/meminfo": meminfoText(), "proc/net/udp": table(time) }))),
        "socket-backlog-udp",
      );
    };
    expect(await report(CAPTURED - 5 * MINUTE)).toBeUndefined();
    expect(await report(CAPTURED - 2 * HOUR)).toMatchObject({ confidence: "confirmed" });
  });

  it("of more samples than are needed is thinned out, the newest kept", async () => {
    const report = await analyzeFiles(recorded(3000, () => ({ "proc/meminfo": meminfoText() })));
    expect(report.host.snapshots).toBe(884);
    expect(report.warnings).toContain("history: 883 of 3002 snapshots are used, the newest ones among them");
    expect(report.timeline[0]?.at).toBe("2025-12-29T22:00:00.000Z");
    expect(report.timeline.at(-1)?.at).toBe("2026-01-01T00:00:10.000Z");
  });
});
