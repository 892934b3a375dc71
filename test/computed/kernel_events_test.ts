import { describe, expect, it } from "vitest";
import { parseReport } from "../../src/engine/report_schema.ts";
import { renderHtml } from "../../src/render/html.ts";
import { renderMarkdown } from "../../src/render/markdown.ts";
import { renderText } from "../../src/render/text.ts";
import { analyzeFiles } from "../analyzers/_bundle.ts";

const LOG = `[ 8123.1] friend invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0
[ 8123.3] Out of memory: Killed process 116 (hog) total-vm:812000kB, anon-rss:51200kB, file-rss:4kB, shmem-rss:0kB, UID:0
[ 8200.3] swapper/0: page allocation failure: order:4, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)
Nov 23 08:00:00 host kernel: Memory cgroup out of memory: Killed process 7 (web) total-vm:812kB, anon-rss:512kB
`;

// https://github.com/raspberrypi/linux/issues/95
it("tells addresses that were wanting from memory", async () => {
  const report = await analyzeFiles({
    "sos_commands/kernel/dmesg":
      "[ 1.0] vmalloc: allocation failure: 32768 bytes\n[ 1.0] a: page allocation failure: order:0, mode:0xd2\n",
  });
  expect(report.events.map(({ title }) => title)).toEqual([
    "a found no addresses (vmalloc) for 32.0 KiB: what is short is not memory",
  ]);
});

describe("the report's events", () => {
  const report = analyzeFiles({ "sos_commands/kernel/dmesg": LOG });

  it("tell what the kernel did, when, and where that stands", async () => {
    const { events } = await report;
    expect(events.map(({ kind, secondsSinceBoot, title, line }) => [kind, secondsSinceBoot, title, line])).toEqual([
      [
        "global-oom",
        8123.1,
        "the host was out of memory when friend asked for memory: the kernel killed hog (pid 116, 50.0 MiB of its own)",
        1,
      ],
      ["allocation-failure", 8200.3, "swapper/0 found no 16 pages in one piece", 3],
      ["memcg-oom", null, expect.stringContaining("killed web (pid 7, 512 KiB of its own)"), 4],
    ]);
    expect(events[0]?.text).toBe(LOG.split("\n")[0]);
    expect(parseReport(JSON.stringify(await report))).toEqual(await report);
  });

  it("tell of a single page that was not free, and of a kill that somebody asked for", async () => {
    const log = `[ 1.0] a: page allocation failure: order:0, mode:0x20\n[ 2.0] SysRq : Manual OOM execution
[ 2.0] Out of memory: Kill process 7 (a) score 9 or sacrifice child\n`;
    const { events, pressure } = await analyzeFiles({ "sos_commands/kernel/dmesg": log });
    expect(events.map(({ title }) => title)).toEqual([
      "a found no free page",
      "somebody had the kernel look for a process to kill (sysrq f): the kernel killed a (pid 7)",
    ]);
    expect(pressure.level).toBe("none");
  });

  it("stand in every format", async () => {
    for (const render of [renderText, renderMarkdown, renderHtml]) {
      expect(render(await report)).toContain("2 hours 15 minutes after boot");
    }
  });

  it("are the last hundred", async () => {
    const line = (i: number): string =>
      `[ ${i}.0] Out of memory: Killed process ${i} (hog) total-vm:1kB, anon-rss:1kB\n`;
    const invoked = (i: number): string => `[ ${i}.0] friend invoked oom-killer: order=0\n${line(i)}`;
    const log = Array.from({ length: 150 }, (_, i) => invoked(i + 1)).join("");
    const { events } = await analyzeFiles({ "sos_commands/kernel/dmesg": log });
    expect(events.map(({ secondsSinceBoot }) => secondsSinceBoot)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 51),
    );
  });
});

describe("pressure", () => {
  it("is what the kernel log tells, where there is nothing else", async () => {
    const { pressure } = await analyzeFiles({ "sos_commands/kernel/dmesg": LOG });
    expect(pressure).toMatchObject({ level: "exhausted", because: "the kernel log has an OOM of the whole host" });
    expect(pressure.evidence[0]).toMatchObject({ line: 1 });
    const quiet = await analyzeFiles({ "sos_commands/kernel/dmesg": "[ 1.0] all is well\n" });
    expect(quiet.pressure).toMatchObject({ level: "none", because: "the bundle has no /proc/meminfo" });
  });
});
