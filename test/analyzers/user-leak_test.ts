import { describe, expect, it } from "vitest";
import type { Report } from "../../src/core/report.ts";
import { analyze as analyzeBundle, openBundle } from "../../src/mod.ts";
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

  describe("of huge pages", () => {
    /** Two processes have these amounts of huge pages, and the host as many, or what is set aside for them. */
    const huge = (amounts: readonly number[], others: readonly number[], pool?: number): { [path: string]: string } =>
      Object.fromEntries(times.flatMap((prefix, i) => {
        const [mine, other] = [amounts[i] as number, others[i] as number];
        const text = (name: string, bytes: number): string =>
          `${status(name, 10 * MIB)}HugetlbPages:\t${bytes / 1024} kB\n`;
        return [
          [`${prefix}proc/700/status`, text("hugeleak", mine)],
          [`${prefix}proc/701/status`, text("database", other)],
          [`${prefix}proc/meminfo`, meminfoText({ Hugetlb: pool ?? mine + other })],
        ];
      }));

    it("tells who makes them grow", async () => {
      const report = await analyzeFiles(huge([300 * MIB, 320 * MIB, 340 * MIB], [2 * GIB, 2 * GIB, 2 * GIB]));
      expect(findingOf(report, "user-leak")).toMatchObject({
        confidence: "possible",
        bytes: { low: 300 * MIB, high: 300 * MIB },
        claims: [{ account: "hugetlb" }],
        growthBytesPerSecond: { low: 4 * MIB, high: 4 * MIB },
        owners: [{ pid: 700, comm: "hugeleak" }],
        evidence: [{ text: expect.stringContaining("HugetlbPages") }],
      });
    });

    it("says nothing of who takes them from a pool that was made before, nor of who did little of the growth", async () => {
      const taken = huge([300 * MIB, 320 * MIB, 340 * MIB], [0, 0, 0], 600 * MIB);
      expect(findingOf(await analyzeFiles(taken), "user-leak")).toBeUndefined();
      const both = huge([300 * MIB, 320 * MIB, 340 * MIB], [GIB, GIB + 80 * MIB, GIB + 160 * MIB]);
      expect(findingOf(await analyzeFiles(both), "user-leak")?.owners[0]?.comm).toBe("database");
    });
  });

  it("accuses no large process that is steady", async () => {
    const report = await analyzeFiles(watched("database", [5 * GIB, 5 * GIB, 5 * GIB]));
    expect(findingOf(report, "user-leak")).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("accuses no large process to which a few huge pages come while it is watched", async () => {
    const report = await analyzeFiles(watched("java", [2 * GIB, 2 * GIB + 4 * MIB, 2 * GIB + 8 * MIB]));
    expect(findingOf(report, "user-leak")).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("names who has more than is left on a host that is short, though it grew hours ago", async () => {
    const held = (availableBytes: number) => {
      const files = watched("app", [6 * GIB, 6 * GIB, 6 * GIB]);
      for (const prefix of times) {
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: 6 * GIB, MemAvailable: availableBytes });
      }
      return analyzeFiles(files);
    };
    const short = await held(100 * MIB);
    expect(short.verdict).toBe("insufficient-evidence");
    expect(findingOf(short, "user-leak")).toMatchObject({ confidence: "possible", owners: [{ comm: "app" }] });
    expect(findingOf(short, "user-leak")?.remedies[0]?.commands[0]).toMatch(/^kill -TERM /);
    expect(findingOf(await held(2 * GIB), "user-leak")).toBeUndefined();
  });

  it("asks to look again at the largest process of one look, and to end nobody on a healthy host", async () => {
    const files = {
      "proc/meminfo": meminfoText({ AnonPages: 2 * GIB }, 24 * GIB),
      "proc/7/status": `Name:\tapp\nPid:\t7\nVmRSS:\t${2 ** 21} kB\nRssAnon:\t${2 ** 21} kB\n`,
    };
    const report = await analyzeFiles(files);
    expect(report.verdict).toBe("healthy");
    expect(findingOf(report, "user-leak")).toMatchObject({
      confidence: "possible",
      material: false,
      remedies: [{ when: "now", commands: ["nailhouse collect --snapshots 6 --interval 30"] }],
    });
  });

  it("judges by the size of a small host: a router has no 128 MiB to spare", async () => {
    const router = (...amounts: readonly number[]) => {
      const files = watched("leaky", amounts);
      for (const [i, prefix] of times.entries()) {
        files[`${prefix}proc/meminfo`] = meminfoText(
          { AnonPages: 8 * MIB + (amounts[i] as number), Cached: 16 * MIB, MemAvailable: 80 * MIB },
          160 * MIB,
        );
      }
      return analyzeFiles(files);
    };
    expect(findingOf(await router(40 * MIB, 44 * MIB, 48 * MIB), "user-leak")).toMatchObject({ confidence: "likely" });
    // A sixteenth of memory fills no host, nor does what comes and goes.
    expect(findingOf(await router(6 * MIB, 8 * MIB, 10 * MIB), "user-leak")).toBeUndefined();
    expect(findingOf(await router(40 * MIB, 41 * MIB, 42 * MIB), "user-leak")).toBeUndefined();
  });

  it("judges by the size of a container: a leak of less than 128 MiB fills one of 256", async () => {
    const held = async (limitBytes: number) => {
      const files = {
        ...watched("small", [60 * MIB, 80 * MIB, 100 * MIB]),
        "proc/700/cgroup": "0::/box\n",
        "sys/fs/cgroup/box/memory.max": `${limitBytes}\n`,
        "sys/fs/cgroup/box/memory.current": `${64 * MIB}\n`,
        "sys/fs/cgroup/box/memory.stat": `anon ${60 * MIB}\ninactive_file 0\nactive_file 0\n`,
      };
      return findingOf(await analyzeFiles(files), "user-leak");
    };
    const finding = await held(256 * MIB);
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ pid: 700, comm: "small" }] });
    expect(finding?.exhaustion?.limit).toBe("memory.max of /box (256 MiB)");
    expect(await held(4 * GIB)).toBeUndefined();
  });

  it("names who grew most where the host is out of memory before another look ends, and accuses it of nothing", async () => {
    const held = (available: readonly [number, number, number]) => {
      const files = watched("leaker", [183 * MIB, 247 * MIB, 247 * MIB]);
      for (
        const [i, prefix] of ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"].entries()
      ) {
        const amount = available[i] as number;
        const anon = (i === 0 ? 187 : 251) * MIB;
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: anon, MemAvailable: amount }, 1300 * MIB);
        files[`${prefix}sos_commands/process/process_list`] = `700 (leaker) S 1 1 ${60_000} 0 0\n900 (sh) S 1 1 ${
          61_000 + 500 * i
        } 0 0\n`;
      }
      return analyzeFiles(files);
    };
    const report = await held([943 * MIB, 880 * MIB, 875 * MIB]);
    expect(report).toMatchObject({ verdict: "healthy", pressure: { level: "rising" } });
    expect(findingOf(report, "user-leak")).toMatchObject({
      confidence: "possible",
      material: false,
      owners: [{ pid: 700 }],
      title:
        "leaker (pid 700) grew most, by 64.0 MiB in 10 s to 247 MiB of its own; started 20 s ago, it may be starting up",
      remedies: [{ commands: ["nailhouse collect --snapshots 6 --interval 2"] }],
    });
    expect(findingOf(await held([943 * MIB, 943 * MIB, 943 * MIB]), "user-leak")).toBeUndefined();
  });

  it("accuses no process that starts up", async () => {
    // At this rate the host would last for minutes: it is told who grew, and no more.
    const report = await analyzeFiles(watched("starting", [100 * MIB, 300 * MIB, 340 * MIB]));
    expect(report.verdict).toBe("healthy");
    expect(findingOf(report, "user-leak")).toMatchObject({ confidence: "possible", material: false });
  });

  describe("of a process that has just been started", () => {
    const USER_HZ = 100;
    /** One that was started so many seconds before the first snapshot, and computes for so much of the time. */
    function started(
      ageSeconds: number,
      cpuShare: number,
      amounts: readonly number[],
      state = cpuShare < 0.5 ? "S" : "R",
    ): { [path: string]: string } {
      const files = watched("node", amounts);
      for (const [i, prefix] of times.entries()) {
        const now = 1000 + 5 * i;
        const ticks = (seconds: number): number => Math.round(seconds * USER_HZ);
        files[`${prefix}sos_commands/process/process_list`] = [
          `1 (init) S 0 1 12 40 50`,
          `700 (node) ${state} 1 8 ${ticks(1000 - ageSeconds)} ${ticks((ageSeconds + 5 * i) * cpuShare)} 0`,
          `900 (sh) S 1 1 ${ticks(now)} 0 0`,
        ].join("\n") + "\n";
      }
      return files;
    }
    const small = [100 * MIB, 160 * MIB, 220 * MIB];
    const large = [300 * MIB, 400 * MIB, 500 * MIB];

    it("says that it may be starting up while it is no larger than that takes, and what would tell", async () => {
      const report = await analyzeFiles(started(2, 0.1, small));
      expect(findingOf(report, "user-leak")).toMatchObject({
        confidence: "possible",
        material: false,
        title: expect.stringContaining("started 12 s ago") as unknown,
        growthBytesPerSecond: { low: 12 * MIB, high: 12 * MIB },
        remedies: [{ commands: [expect.stringContaining("collect")] }],
      });
      expect(report.verdict).toBe("healthy");
    });

    it("says so, too, where most of memory is in processes that are not in the list", async () => {
      const files = started(2, 0.1, small);
      for (const [i, prefix] of times.entries()) {
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: 4 * GIB + (small[i] as number) });
      }
      expect(findingOf(await analyzeFiles(files), "user-leak")?.confidence).toBe("possible");
    });

    it("says so of a larger one that computes all the time, and of none that waits in between", async () => {
      const busy = findingOf(await analyzeFiles(started(2, 0.9, large)), "user-leak");
      expect(busy).toMatchObject({ confidence: "possible", material: false });
      expect(busy?.evidence.map(({ because }) => because)).toContain(
        "it was started 12 s before the last snapshot, and computed 90.0 % of the time",
      );
      expect(findingOf(await analyzeFiles(started(2, 0.1, large)), "user-leak")?.confidence).toBe("likely");
    });

    // A test runner had 243 MiB after 39 s, and 267 MiB ten seconds later; it mostly waited for its workers.
    it("says so of a larger one whose runtime collects garbage, and of no compiled one", async () => {
      const of = async (program: string, amounts: readonly number[]) => {
        const files = { ...started(39, 0.1, amounts), "proc/700/cmdline": `${program}\0a\0` };
        return findingOf(await analyzeFiles(files), "user-leak")?.confidence;
      };
      expect(await of("/usr/bin/node", large)).toBe("possible");
      expect(await of("/usr/sbin/named", large)).toBe("likely");
      // A heap is collected before most of it is garbage.
      expect(await of("/usr/bin/node", large.map((bytes) => 2 * bytes))).toBe("likely");
    });

    it("says so of a larger one that runs or waits for a CPU whenever it is looked at", async () => {
      expect(findingOf(await analyzeFiles(started(2, 0.4, large, "R")), "user-leak"))
        .toMatchObject({ confidence: "possible", material: false });
      expect(findingOf(await analyzeFiles(started(2, 0.4, large, "S")), "user-leak")?.confidence).toBe("likely");
    });

    it("says so of a larger one that gets its share of CPUs that many want", async () => {
      const loaded = (load: string) => ({
        ...started(2, 0.4, large, "S"),
        "proc/loadavg": `${load} 4.00 2.00 9/300 900\n`,
      });
      const manifest = { "proc/cpuinfo": "processor\t: 0\n\nprocessor\t: 1\n" };
      const finding = findingOf(await analyzeFiles({ ...loaded("8.00"), ...manifest }), "user-leak");
      expect(finding).toMatchObject({ confidence: "possible", material: false });
      expect(finding?.evidence.map(({ because }) => because)).toContain(
        "it was started 12 s before the last snapshot, and computed 40.0 % of the time, where each of those that want a CPU could get 25.0 %",
      );
      expect(findingOf(await analyzeFiles({ ...loaded("1.00"), ...manifest }), "user-leak")?.confidence).toBe("likely");
      // Who waits for a disk, or for a file server that is gone, wants no CPU.
      const stuck: { [path: string]: string } = { ...loaded("8.00"), ...manifest };
      for (const path of Object.keys(stuck).filter((each) => each.endsWith("process_list"))) {
        stuck[path] += Array.from({ length: 6 }, (_, i) => `${800 + i} (ls) D 1 1 100 0 0\n`).join("");
      }
      expect(findingOf(await analyzeFiles(stuck), "user-leak")?.confidence).toBe("likely");
    });

    it("takes it for a leak where one that has worked for long goes beyond all that it had before", async () => {
      const of = async (ageSeconds: number, peakBytes: number) => {
        const files: { [path: string]: string } = {
          ...started(ageSeconds, 0.9, large),
          "proc/700/cmdline": "/usr/bin/node\0a\0",
        };
        for (const [i, prefix] of times.entries()) {
          const bytes = large[i] as number;
          files[`${prefix}proc/700/status`] = `Name:\tnode\nVmHWM:\t${Math.max(peakBytes, bytes) / 1024} kB\nVmRSS:\t${
            bytes / 1024
          } kB\nRssAnon:\t${bytes / 1024} kB\nVmSwap:\t0 kB\n`;
        }
        return findingOf(await analyzeFiles(files), "user-leak");
      };
      // It has worked for ten minutes before, and most of the 200 MiB are more than it ever had.
      expect(await of(900, 350 * MIB)).toMatchObject({ confidence: "likely", material: true });
      expect(await of(900, 450 * MIB)).toMatchObject({ confidence: "possible" });
      const young = await of(500, 300 * MIB);
      expect(young).toMatchObject({ confidence: "possible", material: false });
      // Until it was watched for so long it stays a doubt.
      expect(young?.remedies[0]?.commands).toEqual(["nailhouse collect --snapshots 12 --interval 60 --timeout 900"]);
    });

    it("takes what grows in seconds in a runtime that works all the time for garbage, and not where it mostly waits", async () => {
      const of = async (cpuShare: number, program: string) =>
        findingOf(
          await analyzeFiles({ ...started(500, cpuShare, large), "proc/700/cmdline": `/usr/bin/${program}\0a\0` }),
          "user-leak",
        );
      expect(await of(0.9, "node")).toMatchObject({
        confidence: "possible",
        title: expect.stringContaining("garbage that its runtime has not collected yet") as unknown,
      });
      expect(await of(0.1, "node")).toMatchObject({ confidence: "likely" });
      expect(await of(0.9, "worker")).toMatchObject({ confidence: "likely" });
    });

    // A build of 770 MiB that computed, and test runners of 50 to 270 MiB, of which none was 90 s old.
    it("accuses no program of which a large process computes and small ones start up", async () => {
      const files: { [path: string]: string } = {};
      for (const [i, prefix] of times.entries()) {
        const sizes = [[600, 30, 20], [670, 60, 50], [690, 120, 95]][i] as number[];
        for (const [n, mib] of sizes.entries()) files[`${prefix}proc/${700 + n}/status`] = status("node", mib * MIB);
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: (682 + 128 * i) * MIB });
        files[`${prefix}sos_commands/process/process_list`] = sizes.map((_, n) =>
          `${700 + n} (node) S 1 1 ${(980 + n) * USER_HZ} ${(n === 0 ? 4 : 1) * i * USER_HZ} 0\n`
        ).join("") + `900 (sh) R 1 1 ${(1000 + 5 * i) * USER_HZ} 0 0\n`;
      }
      const report = await analyzeFiles(files);
      expect(findingOf(report, "user-leak")).toMatchObject({
        confidence: "possible",
        material: false,
        title: expect.stringMatching(/^node \(3 processes\).*starting up/) as unknown,
      });
      expect(report.verdict).toBe("healthy");
    });

    it("accuses what was started longer ago than starting up takes, however small and busy", async () => {
      for (const cpuShare of [0.1, 0.9]) {
        const finding = findingOf(await analyzeFiles(started(80, cpuShare, small)), "user-leak");
        expect(finding).toMatchObject({ confidence: "likely", material: true });
      }
    });

    it("accuses it all the same on a host that is short of memory", async () => {
      const files = started(2, 0.1, small);
      files["history/2026-01-01T00:00:10.000Z/proc/pressure/memory"] =
        files["proc/pressure/memory"] =
          "some avg10=50.00 avg60=50.00 avg300=9.00 total=9\nfull avg10=40.00 avg60=40.00 avg300=8.00 total=8\n";
      for (const prefix of times) {
        files[`${prefix}proc/meminfo`] = (files[`${prefix}proc/meminfo`] as string)
          .replace(/MemAvailable: +\d+/, "MemAvailable: 100000");
      }
      expect(findingOf(await analyzeFiles(files), "user-leak")?.confidence).toBe("likely");
    });

    it("takes processes of one name that are just being started for no part of those that were there before", async () => {
      const files: { [path: string]: string } = {};
      for (const [i, prefix] of times.entries()) {
        const sizes = [90, 30 + 45 * i, 20 + 45 * i];
        for (const [n, mib] of sizes.entries()) files[`${prefix}proc/${700 + n}/status`] = status("node", mib * MIB);
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: (172 + 90 * i) * MIB });
        files[`${prefix}sos_commands/process/process_list`] = [50, 998, 999, 1000 + 5 * i].map((start, n) =>
          `${n === 3 ? "900 (sh)" : `${700 + n} (node)`} S 1 1 ${start * USER_HZ} 0 0\n`
        ).join("");
      }
      const report = await analyzeFiles(files);
      expect(findingOf(report, "user-leak")).toMatchObject({ confidence: "possible", owners: [{ count: 2 }] });
      expect(report.verdict).toBe("healthy");
    });

    it("does not hide a leak behind what starts up meanwhile", async () => {
      const files = started(2, 0.9, [300 * MIB, 800 * MIB, 1300 * MIB]);
      for (const [i, prefix] of times.entries()) {
        files[`${prefix}proc/701/status`] = status("leaky", (300 + 50 * i) * MIB);
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: (632 + 550 * i) * MIB });
      }
      const findings = (await analyzeFiles(files)).findings.filter(({ cause }) => cause === "user-leak");
      expect(findings.map(({ confidence, owners }) => [confidence, owners[0]?.pid])).toEqual([
        ["likely", 701],
        ["possible", 700],
      ]);
    });

    it("has nothing to claim of one that was started after the first snapshot", async () => {
      const files = { ...watched("late", [100 * MIB, 300 * MIB, 400 * MIB], { 1: [MIB, MIB, MIB] }) };
      delete files["proc/700/status"];
      for (const [seconds, bytes] of [[15, 500], [20, 600]] as const) {
        const prefix = `history/2026-01-01T00:00:${seconds}.000Z/`;
        files[`${prefix}proc/700/status`] = status("late", bytes * MIB);
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: (32 + bytes) * MIB });
      }
      expect(findingOf(await analyzeFiles(files), "user-leak")).toMatchObject({
        bytes: { low: 0, high: 0 },
        owners: [{ pid: 700, comm: "late", bytes: 600 * MIB }],
      });
    });
  });

  describe("of a process that had more before", () => {
    function peaked(peakBytes: number, amounts: readonly number[], swapBytes = 0): { [path: string]: string } {
      const files = watched("heap", amounts);
      for (const [i, prefix] of times.entries()) {
        files[`${prefix}proc/700/status`] = `Name:\theap\nVmHWM:\t${peakBytes / 1024} kB\nVmRSS:\t${
          (amounts[i] as number) / 1024
        } kB\nRssAnon:\t${(amounts[i] as number) / 1024} kB\nVmSwap:\t${swapBytes / 1024} kB\n`;
      }
      return files;
    }
    const amounts = [300 * MIB, 400 * MIB, 500 * MIB];

    it("says that it may be a heap that is swept", async () => {
      const report = await analyzeFiles(peaked(800 * MIB, amounts));
      const finding = findingOf(report, "user-leak");
      expect(finding).toMatchObject({ confidence: "possible", material: false });
      expect(finding?.title).toContain("it had 300 MiB more before");
      expect(report.verdict).toBe("healthy");
    });

    it("accuses one that goes beyond all before, but for what comes and goes, or was swapped out", async () => {
      const beyond = [peaked(500 * MIB, amounts), peaked(530 * MIB, amounts), peaked(800 * MIB, amounts, 300 * MIB)];
      for (const files of beyond) {
        expect(findingOf(await analyzeFiles(files), "user-leak")).toMatchObject({
          confidence: "likely",
          material: true,
        });
      }
    });

    it("does not hide a leak beside it that is slower", async () => {
      const files = peaked(800 * MIB, amounts);
      for (const [i, prefix] of times.entries()) {
        files[`${prefix}proc/701/status`] = status("leaky", (300 + 20 * i) * MIB);
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: (632 + 120 * i) * MIB });
      }
      const findings = (await analyzeFiles(files)).findings.filter(({ cause }) => cause === "user-leak");
      expect(findings.map(({ confidence, owners }) => [confidence, owners[0]?.pid])).toEqual([
        ["likely", 701],
        ["possible", 700],
      ]);
    });
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

  it("names each of many programs that leak at once, none of which is a quarter of the host's growth", async () => {
    const sizes = [300 * MIB, 350 * MIB, 400 * MIB];
    const files = watched("one", sizes, { 701: sizes, 702: sizes, 703: sizes, 704: sizes, 705: sizes });
    const causes = (await analyzeFiles(files)).findings.filter(({ cause }) => cause === "user-leak");
    expect(causes.map(({ owners }) => owners[0]?.pid).sort()).toEqual([700, 701, 702, 703, 704, 705]);
  });

  describe("of a program with many processes", () => {
    /** Processes from 800 on with these amounts, beside one that leaks. */
    function beside(amounts: readonly (readonly number[])[]): { [path: string]: string } {
      const files = watched("leaky", [300 * MIB, 400 * MIB, 500 * MIB]);
      for (const [i, prefix] of times.entries()) {
        for (const [n, mib] of amounts.entries()) {
          files[`${prefix}proc/${800 + n}/status`] = status("worker", (mib[i] as number) * MIB);
        }
        const sum = amounts.reduce((total, mib) => total + (mib[i] as number), 0);
        files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: (332 + 100 * i + sum) * MIB });
      }
      return files;
    }
    async function leaks(amounts: readonly (readonly number[])[]): Promise<unknown[]> {
      const { findings } = await analyzeFiles(beside(amounts));
      return findings.filter(({ cause }) => cause === "user-leak").map(({ owners }) => [
        owners[0]?.comm,
        owners[0]?.count,
      ]);
    }

    it("names it although one other process leaks more than each of them", async () => {
      const found = await leaks(Array.from({ length: 30 }, () => [6, 12, 18]));
      expect(found).toEqual([["leaky", 1], ["worker", 30]]);
    });

    it("takes those that leak together, and leaves out those that do not", async () => {
      const found = await leaks([[200, 250, 300], [200, 250, 300], [200, 260, 320], ...Array(9).fill([50, 50, 50])]);
      expect(found).toEqual([["worker", 3], ["leaky", 1]]);
    });
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

  it("tells of a process that took its name away", async () => {
    const [finding] = (await analyzeFiles(watched("", [300 * MIB, 400 * MIB, 500 * MIB]))).findings;
    expect(finding?.title).toMatch(/^\(no name\) \(pid 700\) has/);
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

  it("is not assessed, nor is a crowd, where the list lacks who has the memory: a container's, or one with hidepid", async () => {
    const hidden = { "proc/meminfo": meminfoText({ AnonPages: 6 * GIB }), "proc/700/status": status("sh", 4 * MIB) };
    const causes = ({ notAssessed }: Report): string[] => notAssessed.map(({ cause }) => cause);
    const report = await analyzeFiles(hidden);
    expect(causes(report)).toEqual(expect.arrayContaining(["process-proliferation", "user-leak"]));
    expect(report.notAssessed.find(({ cause }) => cause === "user-leak")?.missing[0]).toContain("6.00 GiB");
    // A leak of 20 MiB a second.
    const growing = (mib: number): string => meminfoText({ AnonPages: mib * MIB });
    const files = Object.fromEntries(
      times.flatMap((prefix, i) => [[`${prefix}proc/meminfo`, growing(300 + 100 * i)], [
        `${prefix}proc/700/status`,
        status("sh", 4 * MIB),
      ]]),
    );
    expect(causes(await analyzeFiles(files))).toContain("user-leak");
    // Steady, and too little to dominate.
    const steady = Object.fromEntries(
      Object.entries(files).map(([path, text]) => [path, path.endsWith("meminfo") ? growing(300) : text]),
    );
    expect(causes(await analyzeFiles(steady))).not.toContain("user-leak");
  });

  it("leaves the host unjudged where the collector could not see who has most of its memory", async () => {
    const files = (hidden: number) => ({
      "proc/meminfo": meminfoText({ AnonPages: hidden }),
      "proc/700/status": status("sh", 4 * MIB),
    });
    const { verdict } = await analyzeFiles(files(6 * GIB));
    expect(verdict).toBe("insufficient-evidence");
    expect((await analyzeFiles(files(400 * MIB))).verdict).toBe("healthy");
    // The list of another program's bundle lacks what its author left out.
    expect(analyzeBundle(await openBundle(files(6 * GIB))).verdict).toBe("healthy");
  });

  it("counts what comes back from swap as seen", async () => {
    const amounts = [100, 200, 300];
    const files = Object.fromEntries(times.flatMap((prefix, i) => [
      [`${prefix}proc/meminfo`, meminfoText({ AnonPages: (200 + (amounts[i] as number)) * MIB })],
      [
        `${prefix}proc/700/status`,
        `Name:\tback\nRssAnon:\t${(amounts[i] as number) * 1024} kB\nVmSwap:\t${
          (400 - (amounts[i] as number)) * 1024
        } kB\n`,
      ],
    ]));
    expect((await analyzeFiles(files)).ruledOut.map(({ cause }) => cause)).toContain("user-leak");
  });

  it("is not assessed without processes", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(report.notAssessed.find(({ cause }) => cause === "user-leak")?.missing).toEqual(["proc/PID/status"]);
  });
});
