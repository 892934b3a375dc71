import { describe, expect, it } from "vitest";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";

const GIB = 2 ** 30;
const stalled =
  "some avg10=90.00 avg60=80.00 avg300=10.00 total=9\nfull avg10=70.00 avg60=60.00 avg300=10.00 total=9\n";
const times = ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"];

async function level(files: { [path: string]: string }): Promise<string> {
  return (await analyzeFiles(files)).pressure.level;
}

describe("pressure", () => {
  it("is none on a host with much available", async () =>
    expect(await level({ "proc/meminfo": meminfoText() })).toBe("none"));

  it("is short when a twentieth is available", async () => {
    expect(await level({ "proc/meminfo": meminfoText({ AnonPages: 7.8 * GIB }) })).toBe("short");
  });

  it("is exhausted when the kernel log has an OOM of the whole host", async () => {
    const log = "[ 100.0] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n" +
      "[ 100.1] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=hog,pid=7,uid=0\n" +
      "[ 100.2] Out of memory: Killed process 7 (hog) total-vm:1000kB, anon-rss:900kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:10kB oom_score_adj:0\n";
    expect(await level({ "proc/meminfo": meminfoText(), "sos_commands/kernel/dmesg": log })).toBe("exhausted");
  });

  it("takes stalls for the host's only when the host has little left", async () => {
    expect(await level({ "proc/meminfo": meminfoText(), "proc/pressure/memory": stalled })).toBe("none");
    expect(await level({ "proc/meminfo": meminfoText({ AnonPages: 7 * GIB }), "proc/pressure/memory": stalled })).toBe(
      "short",
    );
  });

  it("is rising when what is available falls towards an end that is near", async () => {
    const falling = Object.fromEntries(
      times.map((prefix, i) => [`${prefix}proc/meminfo`, meminfoText({ AnonPages: (4 + i) * GIB })]),
    );
    expect(await level(falling)).toBe("rising");
  });

  it("forecasts no end far beyond what was watched", async () => {
    const slowly = Object.fromEntries(
      times.map((prefix, i) => [`${prefix}proc/meminfo`, meminfoText({ AnonPages: GIB + i * 2 ** 26 })]),
    );
    expect(await level(slowly)).toBe("none");
  });
});
