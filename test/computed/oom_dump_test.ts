import { describe, expect, it } from "vitest";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";
import { reportOf } from "../../src/computed/oom_dump.ts";
import { parseKernelLog } from "../../src/parsers/kernel_log.ts";
import { parseOomReports } from "../../src/parsers/oom_report.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const KILL = `[    1.0] a invoked oom-killer: gfp_mask=0x1, order=0
[    1.0] memory: usage 4kB, limit 4kB, failcnt 1
[    1.0] Memory cgroup out of memory: Killed process 7 (a) total-vm:1kB, anon-rss:1kB
`;

it("reportOf() finds each event's dump in time in proportion to the log's length", async () => {
  const context = { facts: { pageSizeBytes: 4096 }, warn() {} };
  // 3.6 billion steps for 60,000 if each search began at the first one.
  const find = (kills: number) => {
    const text = KILL.repeat(kills);
    const events = parseKernelLog(text, context);
    const reports = parseOomReports(text, context);
    expect(events.every((event, i) => reportOf(event, events, reports) === reports[i])).toBe(true);
    const line = 3 * kills + 1;
    expect(reportOf({ ...events[0] as typeof events[number], line }, events, reports)).toBeUndefined();
  };
  expect(await growth(find, 4000)).toBeLessThan(IN_PROPORTION);
}, 60_000);

// https://github.com/openwrt/openwrt/pull/3507: a driver lost packets. What was posted begins within the call trace, and ends before the kill.
const OPENWRT_3507 = `[<8001623c>] tlb_do_page_fault_0+0x10c/0x114
Mem-Info:
active_anon:1 inactive_anon:1 isolated_anon:0
 active_file:97 inactive_file:133 isolated_file:0
 unevictable:0 dirty:0 writeback:0 unstable:0
 slab_reclaimable:277 slab_unreclaimable:7509
 mapped:22 shmem:0 pagetables:136 bounce:0
 free:5554 free_pcp:41 free_cma:0
Normal free:22216kB min:24576kB low:28672kB high:32768kB present:131072kB managed:123648kB mlocked:0kB kernel_stack:576kB pagetables:544kB
Normal: 144*4kB (UMEH) 161*8kB (UMH) 124*16kB (UMEH) 72*32kB (UMH) 69*64kB (UMH) 37*128kB (UM) 9*256kB (UM) 5*512kB (UM) 2*1024kB (UM) 0*2048kB 0*4096kB = 22216kB
230 total pagecache pages
32768 pages RAM
0 pages HighMem/MovableOnly
1856 pages reserved
`;

it("processes of an OOM are none of a host that was looked at later", async () => {
  const table = `[ 100.0] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[ 100.0] Mem-Info:
[ 100.0] active_anon:900000 inactive_anon:1 isolated_anon:0
[ 100.0]  slab_reclaimable:277 slab_unreclaimable:7509
[ 100.0] 1048576 pages RAM
[ 100.0] 0 pages reserved
[ 100.0] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[ 100.0] [      7]     0     7   900000   890000     4096        0             0 hog
[ 100.1] Out of memory: Killed process 7 (hog) total-vm:3600000kB, anon-rss:3560000kB, file-rss:0kB, shmem-rss:0kB
`;
  const causes = async (files: { [path: string]: string }) =>
    (await analyzeFiles({ "sos_commands/kernel/dmesg": table, ...files })).notAssessed.map(({ cause }) => cause);
  expect(await causes({})).not.toContain("user-leak");
  expect(await causes({ "proc/meminfo": meminfoText() })).toContain("user-leak");
});

describe("a dump of a log that tells of no kill", () => {
  it("gives the ledger, and is no sign that nothing was short", async () => {
    const report = await analyzeFiles({ "sos_commands/kernel/dmesg": OPENWRT_3507 });
    expect(report.ledger?.totalBytes).toBe((32_768 - 1856) * 4096);
    expect(report.ledger?.accounts.find(({ id }) => id === "slab-unreclaimable")?.bytes).toBe(7509 * 4096);
    expect(report.verdict).toBe("unexplained");
    expect(report.pressure.because).toBe(
      "the kernel wrote what its memory is used for (Mem-Info), as it does when an allocation fails (21.7 MiB free, 920 KiB in caches)",
    );
  });

  it("rules out neither an OOM of the host nor of a group, nor a lack of large pieces", async () => {
    const { notAssessed, ruledOut } = await analyzeFiles({ "sos_commands/kernel/dmesg": OPENWRT_3507 });
    for (const cause of ["global-oom", "memcg-oom", "buddy-fragmentation"]) {
      expect(ruledOut.map((each) => each.cause)).not.toContain(cause);
      expect(notAssessed).toContainEqual({ cause, missing: ["sos_commands/kernel/dmesg"], howToCapture: ["dmesg"] });
    }
  });

  // https://github.com/Nossiac/mtk-openwrt-feeds/issues/67
  it("takes from the nodes what stands above where the log begins", async () => {
    const cutOff = `<4>[ 1771.264287]  slab_reclaimable:354 slab_unreclaimable:2158
<4>[ 1771.264287]  mapped:1 shmem:137 pagetables:9 bounce:0
<4>[ 1771.264287]  free:3622 free_pcp:45 free_cma:0
<4>[ 1771.326758] Node 0 active_anon:204kB inactive_anon:508kB active_file:16kB inactive_file:48kB unevictable:0kB isolated(anon):0kB isolated(file):0kB mapped:4kB shmem:548kB all_unreclaimable? yes
<4>[ 1771.370367] Normal free:14456kB min:16384kB low:20480kB high:24576kB active_anon:204kB present:131072kB managed:123752kB kernel_stack:480kB
<4>[ 1771.431623] Normal: 136*4kB (UM) 165*8kB (UM) = 14456kB
<4>[ 1771.497022] 32768 pages RAM
<4>[ 1771.510188] 1830 pages reserved
`;
    const report = await analyzeFiles({ "sos_commands/kernel/dmesg": cutOff });
    const bytesOf = (id: string) => report.ledger?.accounts.find((account) => account.id === id)?.bytes;
    expect(bytesOf("page-cache")).toBe((16 + 48) * 1024);
    expect(bytesOf("anon")).toBe((204 + 508 - 548) * 1024);
    // Told once, by the totals.
    expect(bytesOf("shmem")).toBe(137 * 4096);
    expect(report.verdict).toBe("unexplained");
    expect(report.notAssessed.map(({ cause }) => cause)).toEqual(expect.arrayContaining(["global-oom", "memcg-oom"]));
  });

  it("is what an allocation that failed wrote, where nothing else tells", async () => {
    // linux-renesas-soc on 4.9.123, a board of 64 MB.
    const text = `[  775.947949] nc.traditional: page allocation failure: order:0, mode:0x2080020(GFP_ATOMIC)
[  776.174308] Mem-Info:
[  776.176650] active_anon:2037 inactive_anon:23 isolated_anon:0
[  776.176650]  active_file:2636 inactive_file:7391 isolated_file:32
[  776.176650]  unevictable:0 dirty:1366 writeback:1281 unstable:0
[  776.176650]  slab_reclaimable:719 slab_unreclaimable:724
[  776.176650]  mapped:1990 shmem:26 pagetables:159 bounce:0
[  776.176650]  free:373 free_pcp:6 free_cma:0
[  776.298421] 16384 pages RAM
[  776.305052] 1558 pages reserved
`;
    const { ledger } = await analyzeFiles({ "sos_commands/kernel/dmesg": text });
    expect(ledger?.totalBytes).toBe((16_384 - 1558) * 4096);
    expect(ledger?.accounts.find(({ id }) => id === "page-cache")?.bytes).toBe((2636 + 7391 + 32) * 4096);
  });

  it("is the last one of several, and none where a control group was at its limit", async () => {
    const later = OPENWRT_3507.replace("slab_unreclaimable:7509", "slab_unreclaimable:8000");
    const two = await analyzeFiles({ "sos_commands/kernel/dmesg": `${OPENWRT_3507}${later}` });
    expect(two.ledger?.accounts.find(({ id }) => id === "slab-unreclaimable")?.bytes).toBe(8000 * 4096);
    expect((await analyzeFiles({ "sos_commands/kernel/dmesg": KILL })).ledger).toBeNull();
  });
});
