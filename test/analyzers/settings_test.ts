import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

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
    expect(findingOf(await analyzeFiles(host("vm.min_free_kbytes = 1048576\n")), "oom-policy")?.title).toContain("1.00 GiB");
    expect(findingOf(await analyzeFiles(host("vm.min_free_kbytes = 67584\n")), "oom-policy")).toBeUndefined();
  });

  it("mentions panic_on_oom, and accuses nobody for it", async () => {
    const report = await analyzeFiles(host("vm.panic_on_oom = 1\n"));
    expect(findingOf(report, "oom-policy")).toMatchObject({ confidence: "possible", material: false });
    expect(report.verdict).toBe("healthy");
  });
});
