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

  it("is short when tasks had to free memory themselves while it was watched, of whatever zone", async () => {
    const vmstat = (dma32: number, normal: number): string =>
      `nr_free_pages 1000\nallocstall_dma32 ${dma32}\nallocstall_normal ${normal}\n`;
    const files = (...looks: readonly string[]): { [path: string]: string } => ({
      "proc/meminfo": meminfoText(),
      ...Object.fromEntries(looks.map((text, i) => [`${times[i]}proc/vmstat`, text])),
    });
    expect((await analyzeFiles(files(vmstat(5, 7), vmstat(8, 7), vmstat(9, 17)))).pressure).toMatchObject({
      level: "short",
      because: "tasks had to free memory themselves 14 times while it was watched (direct reclaim)",
      evidence: [{ text: "allocstall_dma32 9" }],
    });
    expect(await level(files(vmstat(5, 7), vmstat(5, 7)))).toBe("none");
  });

  it("is rising when what is available falls towards an end that is near", async () => {
    const falling = Object.fromEntries(
      times.map((prefix, i) => [`${prefix}proc/meminfo`, meminfoText({ AnonPages: (4 + i) * GIB })]),
    );
    expect(await level(falling)).toBe("rising");
  });

  const because = async (files: { [path: string]: string }): Promise<string> =>
    (await analyzeFiles(files)).pressure.because;
  // https://martincarstenbach.wordpress.com/2010/04/19/: 40 GiB of the caches are a database's shared memory.
  const top = (left: number): { [path: string]: string } => ({
    "sos_commands/memory/free":
      `Mem:  66068664k total, 65992772k used,    75892k free,    43168k buffers\nSwap:  2096472k total,  2096472k used,        ${left}k free, 40782300k cached\n`,
  });

  it("sees no absence of shortage where swap is used up and nothing tells what is available", async () => {
    expect(await because(top(0))).toBe(
      "swap is used up, and nothing tells what is available (74.1 MiB free, 38.9 GiB in caches)",
    );
    expect(await because(top(2_096_472))).toContain("no sign of shortage");
    expect(await because({ "sos_commands/memory/free": "MiB Mem :   3915.3 total,   2571.7 free\n" })).toBe(
      "no sign of shortage in the bundle (2.51 GiB free)",
    );
  });

  it("is short where all that is free or cached is little, though nothing tells what is available", async () => {
    // As before Linux 3.14.
    const old = (anonBytes: number): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ AnonPages: anonBytes }).replace(/^MemAvailable:.*\n/m, ""),
    });
    expect(await because(old(7.8 * GIB))).toMatch(/^at most \d+ MiB \(\d\.\d %\) is available: what is free, and all/);
    expect(await level(old(7.8 * GIB))).toBe("short");
    expect(await level(old(7 * GIB))).toBe("none");
    // The caches that nobody tells of may be large.
    const untold = old(7.8 * GIB)["proc/meminfo"]?.replace(/^(?:SReclaimable|Slab):.*\n/gm, "") as string;
    expect(await level({ "proc/meminfo": untold })).toBe("none");
  });

  // https://github.com/netdata/netdata/issues/3726
  it("says what rows that grep picked out of meminfo tell", async () => {
    expect(await because({ "proc/meminfo": "SUnreclaim:     42964948 kB\n" })).toBe(
      "no ledger could be made of its /proc/meminfo, which tells SUnreclaim of 41.0 GiB, but not the size of the host",
    );
    expect(await because({ "proc/meminfo": "SReclaimable:     42964948 kB\n" })).toBe(
      "no ledger could be made of its /proc/meminfo",
    );
  });

  it("tells of an OOM of which the log has the beginning alone", async () => {
    const log = (order: number): { [path: string]: string } => ({
      "sos_commands/kernel/dmesg": `[ 1.0] sshd invoked oom-killer: gfp_mask=0x201da, order=${order}, oom_adj=-17\n`,
    });
    expect(await because({ ...top(2_096_472), ...log(0) })).toContain("whether the host or a control group was short");
    expect(await because(log(0))).toContain("whether the host or a control group was short");
    const killed = "[ 1.0] Killed process 7 (db) total-vm:9000kB, anon-rss:2048kB, file-rss:0kB\n";
    expect(await because({ "sos_commands/kernel/dmesg": killed })).toBe(
      "the kernel killed db (pid 7, 2.00 MiB of its own); whether the host or a control group was short the log does not tell",
    );
    // Somebody asked for the kill (sysrq).
    expect(await because({ ...top(2_096_472), ...log(-1) })).toContain("no sign of shortage");
  });

  it("forecasts no end far beyond what was watched", async () => {
    const slowly = Object.fromEntries(
      times.map((prefix, i) => [`${prefix}proc/meminfo`, meminfoText({ AnonPages: GIB + i * 2 ** 26 })]),
    );
    expect(await level(slowly)).toBe("none");
  });
});
