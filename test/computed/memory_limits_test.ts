import { describe, expect, it } from "vitest";
import type { Report } from "../../src/core/report.ts";
import { parseReport } from "../../src/engine/report_schema.ts";
import { renderHtml } from "../../src/render/html.ts";
import { renderJson } from "../../src/render/json.ts";
import { renderMarkdown } from "../../src/render/markdown.ts";
import { renderText } from "../../src/render/text.ts";
import { analyzeFiles, findingOf, meminfoText } from "../analyzers/_bundle.ts";

const MIB = 2 ** 20;
const TIMES = ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"];
const NO_LIMIT_V1 = "9223372036854771712\n";

type Files = { readonly [path: string]: string };

/** Processes of these groups that have 300 MiB, and take 20 MiB a second more each, on a host of 8 GiB. */
function leaks(cgroups: readonly string[], name: (i: number) => string = (i) => `leaky${i}`, extra = ""): Files {
  const files: { [path: string]: string } = {};
  for (const [at, prefix] of TIMES.entries()) {
    const each = (300 + 100 * at) * MIB;
    files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: 32 * MIB + cgroups.length * each }) + extra;
    for (const [i, cgroup] of cgroups.entries()) {
      files[`${prefix}proc/${700 + i}/status`] = `Name:\t${name(i)}\nRssAnon:\t${each / 1024} kB\nVmSwap:\t0 kB\n`;
      if (at === 0) files[`proc/${700 + i}/cgroup`] = cgroup;
    }
  }
  return files;
}

/** A group of cgroup v2: what is charged to it, and what of that is which, in MiB. */
function v2(group: string, limits: Files, charged: number, stat: { readonly [name: string]: number } = {}): Files {
  const folder = `sys/fs/cgroup${group}/`;
  const all = { anon: charged, inactive_file: 0, active_file: 0, ...stat };
  return {
    [`${folder}memory.current`]: `${charged * MIB}\n`,
    [`${folder}memory.stat`]: Object.entries(all).map(([name, mib]) => `${name} ${mib * MIB}\n`).join(""),
    ...Object.fromEntries(Object.entries(limits).map(([name, text]) => [`${folder}${name}`, text])),
  };
}

const max = (mib: number): Files => ({ "memory.max": `${mib * MIB}\n` });

async function endOf(files: Files, cause = "user-leak"): Promise<unknown> {
  return findingOf(await analyzeFiles(files), cause)?.exhaustion;
}

const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
const IN_BOX = leaks(["0::/box/inner\n"]);

describe("a leak below the limit of a control group", () => {
  it("ends when that is reached, not when the host's memory is used up, and it is said which limit", async () => {
    const report = await analyzeFiles({ ...IN_BOX, ...v2("/box", max(900), 300) });
    const finding = findingOf(report, "user-leak");
    // 600 MiB are left at 20 MiB a second, from when the group was read: within the first snapshot.
    expect(finding?.exhaustion).toEqual({ atLow: at(30), atHigh: at(35), limit: "memory.max of /box (900 MiB)" });
    expect(finding?.evidence.at(-1)).toEqual({
      path: "sys/fs/cgroup/box/memory.max",
      line: 1,
      text: String(900 * MIB),
      because: expect.stringMatching(/300 MiB are no cache.*at most 600 MiB are left; at it the kernel kills/),
    });
    const words = "memory.max of /box (900 MiB) is reached between 2026-01-01 00:00:30Z (20 seconds after the capture)";
    expect(renderText(report).replaceAll(/\s+/g, " ")).toContain(words);
    expect(renderMarkdown(report)).toContain("is reached between");
    const page = renderHtml(report);
    expect(page).toContain(words);
    expect(parseReport(renderJson(report))).toEqual(report);
    // What is available to the host does not end.
    expect(page).not.toContain("when it runs out");
  });

  it("has as much more as there is cache, which is given back first", async () => {
    const cached = v2("/box", max(900), 700, { anon: 300, inactive_file: 250, active_file: 100, slab_reclaimable: 50 });
    expect(await endOf({ ...IN_BOX, ...cached })).toMatchObject({ atLow: at(30) });
    // Shared memory is on no list of file pages.
    const shared = v2("/box", max(900), 700, { anon: 300, shmem: 400, file: 400 });
    expect(await endOf({ ...IN_BOX, ...shared })).toMatchObject({ atLow: at(10), atHigh: at(15) });
  });

  it("is the same on cgroup v1, whose own numbers are without the groups below", async () => {
    const v1 = (limit: string): Files => ({
      ...leaks(["4:memory:/box/inner\n0::/\n"]),
      "sys/fs/cgroup/memory/box/memory.limit_in_bytes": limit,
      "sys/fs/cgroup/memory/box/memory.usage_in_bytes": `${300 * MIB}\n`,
      "sys/fs/cgroup/memory/box/memory.stat": `rss 0\ninactive_file 0\nhierarchical_memory_limit ${NO_LIMIT_V1}` +
        `total_rss ${300 * MIB}\ntotal_inactive_file 0\ntotal_active_file 0\n`,
    });
    expect(await endOf(v1(`${900 * MIB}\n`))).toEqual({
      atLow: at(30),
      atHigh: at(35),
      limit: "memory.limit_in_bytes of /box (900 MiB)",
    });
    const unlimited = await analyzeFiles(v1(NO_LIMIT_V1));
    expect(unlimited.warnings).toEqual((await analyzeFiles(IN_BOX)).warnings);
    expect(findingOf(unlimited, "user-leak")?.exhaustion).toEqual(await endOf(IN_BOX));
  });

  it("takes the limit that is reached first, and memory.high only as long as it is to come", async () => {
    const both = { ...max(900), "memory.high": `${800 * MIB}\n` };
    const nested = {
      ...v2("/box", both, 300),
      ...v2("/box/inner", { "memory.max": "max\n", "memory.high": "max\n" }, 300),
    };
    const high = findingOf(await analyzeFiles({ ...IN_BOX, ...nested }), "user-leak");
    expect(high?.exhaustion).toMatchObject({ atLow: at(25), limit: "memory.high of /box (800 MiB)" });
    expect(high?.evidence.at(-1)?.because).toContain("beyond it the group is slowed down");
    const beyond = v2("/box", { ...max(900), "memory.high": `${200 * MIB}\n` }, 300);
    expect(await endOf({ ...IN_BOX, ...beyond })).toMatchObject({ limit: "memory.max of /box (900 MiB)" });
  });

  it.each<[string, Files]>([
    ["a limit that the host is short of before", v2("/box", max(16_000), 300)],
    ["a group that it is not in", v2("/bo", max(900), 300)],
    ["a group whose charges are not told", { "sys/fs/cgroup/box/memory.max": `${900 * MIB}\n` }],
    ["a group that it was moved to, and has not grown in", v2("/box", max(900), 300, { anon: 10 })],
    ["cgroup v1's group of that name", {
      "sys/fs/cgroup/memory/box/memory.limit_in_bytes": `${900 * MIB}\n`,
      "sys/fs/cgroup/memory/box/memory.usage_in_bytes": `${300 * MIB}\n`,
      "sys/fs/cgroup/memory/box/memory.stat": `total_rss ${300 * MIB}\ntotal_inactive_file 0\ntotal_active_file 0\n`,
    }],
  ])("leaves the report as it is with %s", async (_what, files) => {
    expect(await analyzeFiles({ ...IN_BOX, ...files })).toEqual(await analyzeFiles(IN_BOX));
  });

  it("is told by no limit that is not a number", async () => {
    const report = await analyzeFiles({ ...IN_BOX, ...v2("/box", { "memory.max": "much\n" }, 300) });
    expect(findingOf(report, "user-leak")?.exhaustion).toEqual(await endOf(IN_BOX));
    expect(report.warnings.filter((text) => text.includes("memory.max"))).toHaveLength(1);
  });

  it("of one program in several groups ends at a limit that all are below", async () => {
    const replicas = leaks(["0::/pods/a\n", "0::/pods/b\n"], () => "replica");
    const own = { ...v2("/pods/a", max(400), 300), ...v2("/pods/b", max(400), 300) };
    expect(await endOf({ ...replicas, ...own })).toEqual(await endOf(replicas));
    expect(await endOf({ ...replicas, ...own, ...v2("/pods", max(1800), 600) })).toMatchObject({
      atLow: at(30),
      limit: "memory.max of /pods (1.76 GiB)",
    });
  });

  it("of several programs is reached by them together, and not by those of other groups", async () => {
    const three = leaks(["0::/box/a\n", "0::/box/b\n", "0::/other\n"]);
    const report = await analyzeFiles({ ...three, ...v2("/box", max(1800), 600), ...v2("/other", max(900), 300) });
    const ends = report.findings.map((
      { exhaustion, owners },
    ) => [owners[0]?.comm, exhaustion?.limit, exhaustion?.atLow]);
    expect(ends.sort()).toEqual([
      // 50 s after the last look alone.
      ["leaky0", "memory.max of /box (1.76 GiB)", at(35)],
      ["leaky1", "memory.max of /box (1.76 GiB)", at(35)],
      ["leaky2", "memory.max of /other (900 MiB)", at(30)],
    ]);
  });

  it("of several programs is the one that they are all below, where they reach that before one of their own", async () => {
    const two = leaks(["0::/box/a\n", "0::/box/b\n"]);
    // 1,400 MiB are left of the box, which is 35 s at 40 MiB a second, and 900 of the first one's own: 45 s.
    const report = await analyzeFiles({ ...two, ...v2("/box", max(2000), 600), ...v2("/box/a", max(1200), 300) });
    const ends = report.findings.map(({ exhaustion }) => exhaustion);
    expect(ends.map((each) => each?.limit)).toEqual(Array(2).fill("memory.max of /box (1.95 GiB)"));
    expect(new Set(ends.map((each) => each?.atLow)).size).toBe(1);
    expect(Date.parse(ends[0]?.atLow ?? "")).toBeLessThan(Date.parse(at(45)));
  });

  it("counts for the host's memory together with what has none, which may end before it", async () => {
    const both = leaks(["0::/box\n", "0::/other\n"]);
    const together = (await analyzeFiles(both)).findings.map(({ exhaustion }) => exhaustion);
    const seconds = (Date.parse(together[0]?.atLow ?? "") - Date.parse(at(0))) / 1000;
    // The two use up twice as much: alone it would be reached long before the host's memory ends.
    const report = await analyzeFiles({ ...both, ...v2("/box", max(300 + Math.round(20 * seconds * 1.5)), 300) });
    expect(together).toHaveLength(2);
    expect(report.findings.map(({ exhaustion }) => exhaustion)).toEqual(together);
  });

  describe("of which the root has it, as a container's own hierarchy", () => {
    const container = v2("", max(900), 300);
    const kthreadd = { "proc/2/status": "Name:\tkthreadd\n" };

    it.each<[string, Files]>([
      ["in a control group namespace", { ...leaks(["0::/\n"]), ...kthreadd }],
      ["where the host's path is told, and no other processes are seen", leaks(["0::/docker/abc\n"])],
    ])("holds for who is in it, %s", async (_how, files) => {
      expect(await endOf({ ...files, ...container })).toMatchObject({ limit: "memory.max of / (900 MiB)" });
    });

    it("does not hold for the host's other processes, where those are seen", async () => {
      for (const path of ["/docker/other", "/../other"]) {
        const files = { ...leaks([`0::${path}\n`]), ...kthreadd };
        expect(await endOf({ ...files, ...container })).toEqual(await endOf(files));
      }
    });
  });

  it("tells of the swap that is free then, unless the group may have none", async () => {
    const because = async (limits: Files): Promise<string | undefined> => {
      const files = leaks(["0::/box\n"], undefined, "SwapTotal: 4194304 kB\nSwapFree: 2097152 kB\n");
      const report: Report = await analyzeFiles({ ...files, ...v2("/box", { ...max(900), ...limits }, 300) });
      return findingOf(report, "user-leak")?.evidence.at(-1)?.because;
    };
    const swap = "what processes have may go to swap then, of which 2.00 GiB are free";
    expect(await because({})).toContain(swap);
    expect(await because({ "memory.swap.max": "max\n" })).toContain(swap);
    expect(await because({ "memory.swap.max": "0\n" })).toContain("at it the kernel kills");
  });

  it("reads each group's own files, whatever its name", async () => {
    const files = { ...leaks(["0::/b*x\n"]), ...v2("/b*x", max(900), 300), ...v2("/b!x", max(800), 700) };
    expect(await endOf(files)).toMatchObject({ atLow: at(30), limit: "memory.max of /b*x (900 MiB)" });
  });

  it("lets a group's name be no markup", async () => {
    const name = "/b<img src=x>[a](javascript:b)";
    const report = await analyzeFiles({ ...leaks([`0::${name}\n`]), ...v2(name, max(900), 300) });
    expect(findingOf(report, "user-leak")?.exhaustion?.limit).toContain(name);
    expect(renderHtml(report)).not.toContain("<img");
    expect(renderMarkdown(report).replaceAll(/`[^`]*`/g, "")).not.toMatch(/(?<!\\)<img|(?<!\\)\]\(javascript/);
  });

  it("does not let a group's name into the terminal", async () => {
    const files = { ...leaks(["0::/b\u001b[31mx\n"]), ...v2("/b\u001b[31mx", max(900), 300) };
    const text = renderText(await analyzeFiles(files));
    expect(text.replaceAll(/\s+/g, " ")).toMatch(/memory\.max of \/b\S+x \(900 MiB\) is reached/);
    expect(text).not.toContain("\u001b");
  });
});

describe("shared memory of which nobody is known", () => {
  const shmem = (limit: Files): Files => ({
    ...limit,
    "proc/5/status": "Name:\tidle\nRssAnon:\t8192 kB\nRssShmem:\t0 kB\nVmSwap:\t0 kB\n",
    ...Object.fromEntries(
      [0, 30, 60, 90, 120].map((seconds, i) => [
        seconds === 0 ? "proc/meminfo" : `history/${at(seconds)}/proc/meminfo`,
        meminfoText({ Shmem: (400 + 60 * i) * MIB, Cached: (500 + 60 * i) * MIB }),
      ]),
    ),
  });

  it("is a group's where too little is left for anybody else", async () => {
    const box = (mib: number): Files => v2("/box", max(2000), mib, { anon: 0, shmem: mib });
    const end = await endOf(shmem(box(390)), "shmem-leak");
    // 1,610 MiB at 2 a second.
    expect(end).toMatchObject({ atLow: at(805), limit: "memory.max of /box (1.95 GiB)" });
    // A database beside it, say.
    expect(await endOf(shmem(box(150)), "shmem-leak")).toEqual(await endOf(shmem({}), "shmem-leak"));
  });
});

describe("a leak on a host that promises no more than it has (vm.overcommit_memory 2)", () => {
  /** 3 GiB may be promised, and so much is at each look, in MiB. */
  const host = (mode: number, committed: readonly number[]): Files => {
    const files = leaks(["0::/\n"]);
    const lines = (mib: number): string => `CommitLimit: 3145728 kB\nCommitted_AS: ${mib * 1024} kB\n`;
    return {
      ...files,
      ...Object.fromEntries(
        TIMES.map((
          prefix,
          i,
        ) => [`${prefix}proc/meminfo`, files[`${prefix}proc/meminfo`] + lines(committed[i] as number)]),
      ),
      "sos_commands/kernel/sysctl_-a": `vm.overcommit_memory = ${mode}\n`,
    };
  };

  it("ends when that is promised, if it is promised as it grows", async () => {
    const finding = findingOf(await analyzeFiles(host(2, [2072, 2172, 2272])), "user-leak");
    // 1,000 MiB at 20 MiB a second.
    expect(finding?.exhaustion).toEqual({ atLow: at(50), atHigh: at(55), limit: "CommitLimit (3.00 GiB)" });
    expect(finding?.evidence.at(-1)).toMatchObject({
      text: "CommitLimit: 3145728 kB",
      because: expect.stringContaining("grows by 20.0 MiB a second), and at most 0.98 GiB are left"),
    });
  });

  it.each<[string, Files]>([
    ["the kernel promises more", host(0, [2072, 2172, 2272])],
    ["a heap was promised at the start", host(2, [2072, 2072, 2072])],
  ])("does not where %s", async (_what, files) => {
    expect(await endOf(files)).toEqual(await endOf(leaks(["0::/\n"])));
  });
});

describe("a leak that may go to swap", () => {
  const because = async (extra: string, more: Files = {}): Promise<string | undefined> =>
    findingOf(await analyzeFiles({ ...leaks(["0::/\n"], undefined, extra), ...more }), "user-leak")?.evidence.at(-1)
      ?.because;
  const swap = "SwapTotal: 4194304 kB\nSwapFree: 2097152 kB\n";

  it("is told with what is free of it, which zram takes from memory itself", async () => {
    const text = "what processes have may go to swap when memory is used up: 2.00 GiB of it are free";
    expect(await because(swap)).toBe(text);
    const table = (name: string): Files => ({
      "proc/swaps": `Filename Type Size Used Priority\n${name} partition 4194304 2097152 100\n`,
    });
    expect(await because(swap, table("/dev/sda2"))).toBe(text);
    expect(await because(swap, table("/dev/zram0"))).toBe(`${text}, but zram lies in memory itself`);
  });

  it("says nothing of swap where there is none", async () => {
    expect(await because("SwapTotal: 0 kB\nSwapFree: 0 kB\n")).toContain("grew by");
  });
});
