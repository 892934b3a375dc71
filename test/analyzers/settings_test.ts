/** oom-policy and thp-bloat: what settings do to memory. */
import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe("oom-policy", () => {
  const host = (settings: string, extra = ""): { [path: string]: string } => ({
    "proc/meminfo": meminfoText() + extra,
    "sos_commands/kernel/sysctl_-a": settings,
  });

  it("tells that programs are refused memory while some is free", async () => {
    const extra = `CommitLimit: ${4 * GIB / 1024} kB\nCommitted_AS: ${Math.round(3.95 * GIB / 1024)} kB\n`;
    const finding = findingOf(await analyzeFiles(host("vm.overcommit_memory = 2\n", extra)), "oom-policy");
    expect(finding).toMatchObject({ confidence: "likely", claims: [] });
  });

  it("does not mind the same promises where they are not limited", async () => {
    const extra = `CommitLimit: ${4 * GIB / 1024} kB\nCommitted_AS: ${9 * GIB / 1024} kB\n`;
    expect(findingOf(await analyzeFiles(host("vm.overcommit_memory = 0\n", extra)), "oom-policy")).toBeUndefined();
  });

  it("names a min_free_kbytes that keeps much from everybody", async () => {
    expect(findingOf(await analyzeFiles(host("vm.min_free_kbytes = 1048576\n")), "oom-policy")?.title).toContain(
      "1.00 GiB",
    );
    expect(findingOf(await analyzeFiles(host("vm.min_free_kbytes = 67584\n")), "oom-policy")).toBeUndefined();
    // As the kernel itself sets it for huge pages, before a balloon takes 45 % of the host.
    expect(findingOf(await analyzeFiles(host("vm.min_free_kbytes = 738000\n")), "oom-policy")).toBeUndefined();
  });

  it("mentions that a bystander is killed, and is not assessed without the settings", async () => {
    const report = await analyzeFiles(host("vm.oom_kill_allocating_task = 1\n"));
    expect(findingOf(report, "oom-policy")).toMatchObject({
      confidence: "possible",
      material: false,
      evidence: [{ path: "sos_commands/kernel/sysctl_-a", line: 1, text: "vm.oom_kill_allocating_task = 1" }],
    });
    expect(report.verdict).toBe("healthy");
    const without = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(without.notAssessed.find(({ cause }) => cause === "oom-policy")?.missing).toContain(
      "sos_commands/kernel/sysctl_-a",
    );
  });

  it("mentions panic_on_oom, and accuses nobody for it", async () => {
    const report = await analyzeFiles(host("vm.panic_on_oom = 1\n"));
    expect(findingOf(report, "oom-policy")).toMatchObject({ confidence: "possible", material: false });
    expect(report.verdict).toBe("healthy");
  });
});

describe("thp-bloat", () => {
  it("is never more than possible: no file tells used huge pages from unused ones", async () => {
    const meminfo = meminfoText({ AnonPages: 600 * MIB }) + `AnonHugePages: ${500 * 1024} kB\n`;
    const report = await analyzeFiles({
      "proc/meminfo": meminfo,
      "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
    });
    expect(findingOf(report, "thp-bloat")).toMatchObject({
      confidence: "possible",
      bytes: { low: 0, high: 500 * MIB },
    });
    expect(report.verdict).toBe("healthy");
    expect(findingOf(report, "thp-bloat")?.remedies[0]?.commands[0]).toContain("madvise");
  });

  it("does not recommend the setting that is in force", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ AnonPages: 600 * MIB }) + `AnonHugePages: ${500 * 1024} kB\n`,
      "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    });
    expect(findingOf(report, "thp-bloat")?.remedies[0]?.commands[0]).toContain("never");
  });

  it("says nothing where huge pages are the smaller part", async () => {
    const meminfo = meminfoText({ AnonPages: 2000 * MIB }) + `AnonHugePages: ${500 * 1024} kB\n`;
    expect(findingOf(await analyzeFiles({ "proc/meminfo": meminfo }), "thp-bloat")).toBeUndefined();
  });
});
