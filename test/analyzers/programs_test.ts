/** The causes that many threads, processes and page tables make. */
import { describe, expect, it } from "vitest";
import type { Report } from "../../src/core/report.ts";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const times = ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"];

function status(name: string, threads: number, anonBytes: number, pageTableBytes: number): string {
  return `Name:\t${name}\nVmRSS:\t${anonBytes / 1024} kB\nRssAnon:\t${anonBytes / 1024} kB\nVmPTE:\t${
    pageTableBytes / 1024
  } kB\nThreads:\t${threads}\n`;
}

describe("kernel-stack-leak", () => {
  const host = (threads: number): { [path: string]: string } => ({
    "proc/meminfo": meminfoText({ KernelStack: threads * 16_384, VmallocUsed: threads * 16_384 + 12 * MIB }),
    "proc/900/status": status("server", threads, 100 * MIB, MIB),
  });

  it("names the program with thousands of threads", async () => {
    const finding = findingOf(await analyzeFiles(host(15_000)), "kernel-stack-leak");
    expect(finding).toMatchObject({
      confidence: "likely",
      material: true,
      owners: [{ pid: 900, comm: "server", count: 15_000 }],
    });
    expect(finding?.bytes.high).toBe(15_000 * 16_384);
  });

  it("ends the process that has the threads, and no other script of the same interpreter", async () => {
    const files = { ...host(15_000), "proc/901/status": status("server", 3, 100 * MIB, MIB) };
    const finding = findingOf(await analyzeFiles(files), "kernel-stack-leak");
    expect(finding?.title).toContain("server (pid 900) has");
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 900"]);
  });

  it("accuses no server with as many threads as large servers have", async () => {
    expect(findingOf(await analyzeFiles(host(6_000)), "kernel-stack-leak")).toBeUndefined();
  });

  it("says that threads are not known where `ps aux` alone tells of processes", async () => {
    // https://github.com/jds2001/coreos-sosreport-master1 sos_commands/process/ps_auxwww
    const ps = `USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
root      1057  0.8  1.2 1146788 104324 ?      Ssl  02:19   0:18 /usr/bin/crio --enable-metrics=true
`;
    const report = async (threads: number): Promise<Report> =>
      await analyzeFiles({
        "proc/meminfo": host(threads)["proc/meminfo"] as string,
        "sos_commands/process/ps_auxwww": ps,
      });
    const because = (await report(228)).ruledOut.find(({ cause }) => cause === "kernel-stack-leak")?.because;
    expect(because).toContain("how many threads there are is not known");
    const { notAssessed } = await report(15_000);
    expect(notAssessed.find(({ cause }) => cause === "kernel-stack-leak")?.missing).toEqual(["proc/PID/status"]);
  });

  it("is confirmed when there are ever more, and not by a burst of some", async () => {
    const growing = (step: number): { [path: string]: string } => ({
      ...host(15_000),
      ...Object.fromEntries(
        times.map((
          prefix,
          i,
        ) => [`${prefix}sos_commands/process/process_list`, `900 (server) S 1 ${15_000 + i * step}\n`]),
      ),
    });
    const finding = findingOf(await analyzeFiles(growing(500)), "kernel-stack-leak");
    expect(finding).toMatchObject({ confidence: "confirmed", growthBytesPerSecond: { low: 100 * 16_384 } });
    expect(findingOf(await analyzeFiles(growing(10)), "kernel-stack-leak")).toMatchObject({
      confidence: "likely",
      growthBytesPerSecond: null,
    });
  });

  it("needs fewer on a small host, and leaves a program of many processes to its processes", async () => {
    const small = {
      ...host(4_000),
      "proc/meminfo": meminfoText({ KernelStack: 4_000 * 16_384, VmallocUsed: 4_000 * 16_384 + 12 * MIB }, GIB / 2),
    };
    expect(findingOf(await analyzeFiles(small), "kernel-stack-leak")?.confidence).toBe("likely");
    const files: { [path: string]: string } = { "proc/meminfo": host(10_000)["proc/meminfo"] as string };
    for (let pid = 1000; pid < 11_000; pid++) files[`proc/${pid}/status`] = status("worker", 1, 64 * 1024, 4096);
    expect(findingOf(await analyzeFiles(files), "kernel-stack-leak")).toBeUndefined();
  });

  it("is not assessed without processes", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(report.notAssessed.find(({ cause }) => cause === "kernel-stack-leak")?.missing).toContain("proc/PID/status");
  });
});

describe("page-table-bloat", () => {
  function host(processes: number, each: number, mappedBytes: number): { [path: string]: string } {
    const files: { [path: string]: string } = {
      "proc/meminfo": meminfoText({ PageTables: processes * each, AnonPages: 32 * MIB }, 64 * GIB) +
        `Mapped: ${mappedBytes / 1024} kB\n`,
    };
    for (let pid = 100; pid < 100 + processes; pid++) files[`proc/${pid}/status`] = status("postgres", 1, MIB, each);
    return files;
  }

  it("names processes that each map the same large memory with small pages", async () => {
    const finding = findingOf(await analyzeFiles(host(200, 16 * MIB, 8 * GIB)), "page-table-bloat");
    expect(finding).toMatchObject({
      confidence: "confirmed",
      owners: [{ comm: "postgres", count: 200, bytes: 3200 * MIB }],
    });
  });

  it("ends the process that has them, and no other script of the same interpreter", async () => {
    const files = { ...host(1, 300 * MIB, MIB), "proc/99/status": status("postgres", 8, MIB, MIB) };
    const finding = findingOf(await analyzeFiles(files), "page-table-bloat");
    expect(finding?.title).toContain("postgres (pid 100): page tables");
    expect(finding?.owners).toMatchObject([{ pid: 100, count: 1 }]);
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 100"]);
  });

  it("names tables that are a tenth of what they map, on any host", async () => {
    expect(findingOf(await analyzeFiles(host(4, 75 * MIB, GIB)), "page-table-bloat")?.bytes.high).toBe(300 * MIB);
  });

  it("accuses no database of ordinary size: 400 MiB of tables for 8 GiB that 100 processes map", async () => {
    expect(findingOf(await analyzeFiles(host(100, 4 * MIB, 8 * GIB)), "page-table-bloat")).toBeUndefined();
  });

  it("is not assessed without processes", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(report.notAssessed.find(({ cause }) => cause === "page-table-bloat")?.missing).toContain("proc/PID/status");
  });

  it("accuses no process whose tables fit what it maps", async () => {
    expect(findingOf(await analyzeFiles(host(1, 120 * MIB, 56 * GIB)), "page-table-bloat")).toBeUndefined();
  });

  it("accuses no host of many small processes", async () => {
    expect(findingOf(await analyzeFiles(host(2000, 100 * 1024, GIB)), "page-table-bloat")).toBeUndefined();
  });
});

describe("process-proliferation", () => {
  /** `lists`: first and last number of the processes in each snapshot. */
  function host(
    processes: number,
    each: number,
    lists: readonly (readonly [number, number])[],
    totalBytes: number = 8 * GIB,
  ): { [path: string]: string } {
    const files: { [path: string]: string } = {
      "proc/meminfo": meminfoText({ AnonPages: 32 * MIB + processes * each }, totalBytes),
    };
    for (let pid = 100; pid < 100 + processes; pid++) {
      files[`proc/${pid}/status`] = status("cron-job", 1, each, 64 * 1024);
    }
    for (const [i, [from, to]] of lists.entries()) {
      let list = "1 (init) S 0 1\n90 (crond) S 1 1\n";
      for (let pid = from; pid < to; pid++) list += `${pid} (cron-job) S 90 1\n`;
      files[`${times[i]}sos_commands/process/process_list`] = list;
    }
    return files;
  }

  it("is likely when there are ever more of them, and none ends", async () => {
    const finding = findingOf(
      await analyzeFiles(host(400, MIB, [[100, 500], [100, 525], [100, 550]])),
      "process-proliferation",
    );
    expect(finding).toMatchObject({ confidence: "likely", material: true, owners: [{ comm: "cron-job", count: 400 }] });
    expect(finding?.owners[0]?.detail).toContain("started by crond (pid 90)");
    expect(finding?.growthBytesPerSecond?.low).toBeCloseTo(5 * (MIB + 64 * 1024), -3);
    expect(finding?.exhaustion).not.toBeNull();
  });

  it("counts them as they are at the end: what passes any pool's size while it is watched is no pool", async () => {
    const grown = async (last: number) =>
      findingOf(
        await analyzeFiles(host(153, MIB, [[100, 253], [100, 100 + (153 + last) / 2], [100, 100 + last]])),
        "process-proliferation",
      );
    expect(await grown(301)).toMatchObject({ confidence: "likely", material: true });
    // A web server that warms up: Apache's prefork has at most 256.
    expect(await grown(251)).toMatchObject({ confidence: "possible", material: false });
  });

  it("names those that pile up beside a build that takes much more, which starts up", async () => {
    const held = (compilerStart: number) => {
      const files = host(100, 4 * MIB, [[100, 200], [100, 212], [100, 224]]);
      for (const [i, time] of times.entries()) {
        const compiler = (100 + 400 * i) * MIB;
        files[`${time}proc/meminfo`] = meminfoText({ AnonPages: (432 + 48 * i) * MIB + compiler }, 8 * GIB);
        files[`${time}proc/90000/status`] = status("cc1plus", 1, compiler, MIB);
        files[`${time}sos_commands/process/process_list`] = "1 (init) S 0 1 1 0 0\n90 (crond) S 1 1 5 0 0\n" +
          Array.from({ length: 100 + 12 * i }, (_, n) => `${100 + n} (cron-job) S 90 1 6 0 0\n`).join("") +
          `90000 (cc1plus) R 1 1 ${compilerStart} 100 0\n90001 (sh) S 1 1 90000 0 0\n`;
      }
      return analyzeFiles(files);
    };
    expect(findingOf(await held(88_000), "process-proliferation")).toMatchObject({
      confidence: "possible",
      owners: [{ comm: "cron-job" }],
    });
    // What has lasted is what makes memory go.
    expect(findingOf(await held(10), "process-proliferation")).toBeUndefined();
  });

  it("accuses no pool of a fixed size, however large, and none whose workers end and are replaced", async () => {
    const steady = await analyzeFiles(host(400, 10 * MIB, [[100, 500], [100, 500], [100, 500]]));
    expect(findingOf(steady, "process-proliferation")).toBeUndefined();
    expect(
      findingOf(await analyzeFiles(host(400, 10 * MIB, [[100, 500], [150, 560], [200, 620]])), "process-proliferation"),
    ).toBeUndefined();
  });

  it("names fewer that pile up and make memory go: possible at first, as a load brings workers, likely in the long run", async () => {
    const lists = [[100, 200], [100, 212], [100, 224]] as const;
    const files = (minutes: number): { [path: string]: string } => {
      const held = host(100, 4 * MIB, lists);
      const found: { [path: string]: string } = {};
      for (const [path, text] of Object.entries(held)) {
        const i = times.findIndex((time) => time !== "" && path.startsWith(time));
        const at = `history/${new Date(Date.UTC(2026, 0, 1, 0, i * minutes, 5 * i)).toISOString()}/`;
        found[i > 0 ? path.replace(times[i] as string, at) : path] = text;
      }
      return found;
    };
    const soon = await analyzeFiles(files(0));
    expect(findingOf(soon, "process-proliferation")).toMatchObject({
      confidence: "possible",
      material: false,
      owners: [{ comm: "cron-job", count: 100 }],
    });
    expect(soon.verdict).toBe("healthy");
    const later = await analyzeFiles(files(6));
    expect(findingOf(later, "process-proliferation")).toMatchObject({ confidence: "likely", material: true });
  });

  it("is at most possible with one snapshot, and material only where it dominates the host", async () => {
    expect(findingOf(await analyzeFiles(host(400, 4 * MIB, [[100, 500]])), "process-proliferation")).toMatchObject({
      confidence: "possible",
      material: true,
    });
    expect(findingOf(await analyzeFiles(host(400, MIB, [])), "process-proliferation")).toMatchObject({
      confidence: "possible",
      material: false,
    });
  });

  it("measures by the host: 400 MiB on one of 128 GB are nothing yet", async () => {
    const lists = [[100, 500], [100, 525], [100, 550]] as const;
    expect(findingOf(await analyzeFiles(host(400, 256 * 1024, lists, 128 * GIB)), "process-proliferation"))
      .toBeUndefined();
    expect(findingOf(await analyzeFiles(host(400, 256 * 1024, lists, GIB / 2)), "process-proliferation")).toBeDefined();
  });

  it("counts nobody who has only not been taken notice of", async () => {
    const files = host(400, MIB, [[100, 500], [100, 525], [100, 550]]);
    const zombies = Object.fromEntries(
      Object.entries(files).map(([path, text]) => [path, text.replaceAll(") S 90", ") Z 90")]),
    );
    expect(findingOf(await analyzeFiles(zombies), "process-proliferation")?.confidence).toBe("possible");
  });

  it("counts once what many processes share: ps tells RSS alone", async () => {
    // As the servers of PostgreSQL in a sosreport of RHEL 7, whose RSS is mostly their shared buffers.
    const rows = Array.from(
      { length: 320 },
      (_, i) =>
        `postgres ${
          2000 + i
        }  0.1 7.1 17000000 4194304 ?        Ss   Jan10   6:52 postgres: app app 10.0.0.1(${i}) idle\n`,
    );
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText(
        { AnonPages: 4 * GIB, Cached: 20 * GIB, Mapped: 16 * GIB, Shmem: 16 * GIB },
        64 * GIB,
      ),
      "sos_commands/process/ps_auxwww": `USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n${
        rows.join("")
      }root 9000 0.0 0.0 9 1000 ? R 08:12 0:00 ps auxwww\n`,
    });
    expect(report.notAssessed.map(({ cause }) => cause)).not.toContain("process-proliferation");
    expect(findingOf(report, "process-proliferation")).toMatchObject({
      confidence: "possible",
      material: false,
      bytes: { low: 0, high: 4 * GIB },
    });
    expect(report.ruledOut.find(({ cause }) => cause === "user-leak")?.because).toBe(
      "the largest process, postgres, has 4.00 GiB, shared pages included: 6.3 % of memory",
    );
  });

  it("counts pages once that workers share since fork(), and does not end a pool that was seen once", async () => {
    // Linux 6.18: 600 children of a Python program, each with a RssAnon of 5 MiB, made AnonPages 436 MiB larger.
    const files = {
      ...host(600, 5 * MIB, []),
      "proc/meminfo": meminfoText({ AnonPages: 536 * MIB, PageTables: 48 * MIB }),
    };
    const finding = findingOf(
      await analyzeFiles({ ...files, "proc/90/status": status("node", 1, 100 * MIB, MIB) }),
      "process-proliferation",
    );
    const tables = 600 * 64 * 1024;
    expect(finding).toMatchObject({
      confidence: "possible",
      material: false,
      bytes: { low: 436 * MIB + tables, high: 536 * MIB + tables },
      owners: [{ bytes: 436 * MIB + tables, count: 600 }],
    });
    expect(finding?.evidence[0]?.because).toContain("at most 536 MiB of their own, in part the same pages (fork)");
    expect(finding?.remedies[0]?.text).toContain("Look again");
    expect(finding?.remedies.flatMap(({ commands }) => commands).join()).not.toContain("kill");
  });

  it("quotes a hostile name for the shell", async () => {
    const files = host(400, MIB, [[100, 500], [100, 525], [100, 550]]);
    const hostile = Object.fromEntries(
      Object.entries(files).map(([path, text]) => [path, text.replaceAll("cron-job", "a) S 1;b")]),
    );
    const finding = findingOf(await analyzeFiles(hostile), "process-proliferation");
    expect(finding?.remedies[0]?.commands).toEqual(["pkill -TERM -x 'a\\) S 1;b'"]);
  });

  it("is not assessed without processes", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(report.notAssessed.find(({ cause }) => cause === "process-proliferation")?.missing).toContain(
      "proc/PID/status",
    );
  });
});
