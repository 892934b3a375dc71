import { describe, expect, it } from "vitest";
import { digest } from "../../src/engine/summarize.ts";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const ID = "global-oom";

/** As 6.12 writes it (a guest of 768 MB whose UDP queues ate the memory); shortened. */
const SLAB_LOG =
  `[   21.3] hog invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0
[   21.3] Mem-Info:
[   21.3] active_anon:38912 inactive_anon:2 isolated_anon:0
 active_file:12 inactive_file:40 isolated_file:0
 unevictable:0 dirty:0 writeback:0
 slab_reclaimable:2500 slab_unreclaimable:130816
 mapped:10 shmem:16 pagetables:300
 sec_pagetables:0 bounce:0
 kernel_misc_reclaimable:0
 free:3000 free_pcp:20 free_cma:0
[   21.3] Node 0 active_anon:155648kB inactive_anon:8kB all_unreclaimable? yes
[   21.3] Node 0 DMA32: 14*4kB (UE) 3*8kB (M) 0*16kB = 80kB
[   21.3] Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB
[   21.3] 196470 pages RAM
[   21.3] 0 pages HighMem/MovableOnly
[   21.3] 13100 pages reserved
[   21.3] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=innocent,pid=116,uid=0
[   21.3] Out of memory: Killed process 116 (innocent) total-vm:160000kB, anon-rss:153600kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:360kB oom_score_adj:0
`;
/** As 3.10 writes it: no summary line, totals on fewer lines. */
const OLD_LOG = `[  100.5] mysqld invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0
[  100.5] Mem-Info:
[  100.5] active_anon:900000 inactive_anon:2000 isolated_anon:0
 active_file:12 inactive_file:40 isolated_file:0
 unevictable:0 dirty:0 writeback:0 unstable:0
 free:21000 slab_reclaimable:2500 slab_unreclaimable:9000
 mapped:10 shmem:160 pagetables:3000 bounce:0
 free_cma:0
[  100.5] 1000000 pages RAM
[  100.5] 15000 pages reserved
[  100.5] Out of memory: Kill process 2300 (mysqld) score 905 or sacrifice child
[  100.5] Killed process 2300 (mysqld) total-vm:4000000kB, anon-rss:3500000kB, file-rss:0kB
`;
const log = (text: string): { [path: string]: string } => ({
  "proc/meminfo": meminfoText(),
  "sos_commands/kernel/dmesg": text,
});

describe(ID, () => {
  it("reads a journal with its newest line first the right way round", async () => {
    let second = 0;
    const journal = (text: string): string[] =>
      text.trimEnd().split("\n[").map((each) =>
        `Nov 23 08:${String(10 + Math.floor(++second / 60))}:${String(second % 60).padStart(2, "0")} web kernel: ${
          each.replace(/^\[? *[\d.]+\] /, "")
        }`
      );
    const lines = [...journal(OLD_LOG), ...journal(SLAB_LOG)].reverse().join("\n");
    const finding = findingOf(await analyzeFiles({ "sos_commands/kernel/dmesg": `${lines}\n` }), ID);
    expect(finding?.title).toBe(
      "The host ran out of memory, and the kernel killed innocent (pid 116), the last of 2 times; most of it was unreclaimable slab: 511 MiB of 716 MiB",
    );
    const raw = lines.split("\n");
    for (const { line, text } of finding?.evidence ?? []) expect(raw[(line ?? 0) - 1]).toBe(text);
    expect(finding?.evidence[0]?.text).toContain("hog invoked oom-killer");
  });

  it.each([
    ["packets", 55_592, "socket-backlog-udp", "about 220,000 network packets (most likely unread in sockets)"],
    // What a busy host has on its way; the slab is something else.
    ["something else", 8_000, "slab-leak", "433 MiB of it in the slab cache kmalloc-2k"],
  ])("says whether the slab was %s", async (_, headsKb, symptomOf, said) => {
    const slabs = `[   21.3] Unreclaimable slab info:
[   21.3] Name                      Used          Total
[   21.3] skbuff_head_cache      ${headsKb}KB      ${headsKb}KB
[   21.3] kmalloc-2k            443624KB     443624KB
`;
    const text = SLAB_LOG.replace("[   21.3] oom-kill:", `${slabs}[   21.3] oom-kill:`);
    const finding = findingOf(await analyzeFiles(log(text)), ID);
    expect(finding?.symptomOf).toBe(symptomOf);
    expect(finding?.title).toContain(said);
    expect(finding?.remedies[0]?.commands[0]).toBe(
      headsKb > 10_000 ? "ss -Huanp | sort -rnk2 | head -5" : "nailhouse collect",
    );
  });

  it("names the victim, and what most of the memory was: slab, not the victim's", async () => {
    const report = await analyzeFiles(log(SLAB_LOG));
    const finding = findingOf(report, ID);
    expect(finding).toMatchObject({
      confidence: "confirmed",
      symptomOf: "slab-leak",
      claims: [],
      owners: [{ pid: 116, comm: "innocent" }],
    });
    expect(finding?.title).toBe(
      "The host ran out of memory, and the kernel killed innocent (pid 116); most of it was unreclaimable slab: 511 MiB of 716 MiB",
    );
    expect(finding?.evidence.map(({ line }) => line)).toEqual([1, 18, 6, 3, 14]);
    expect(report.pressure.level).toBe("exhausted");
  });

  it("reads the text of 3.10", async () => {
    const finding = findingOf(await analyzeFiles(log(OLD_LOG)), ID);
    expect(finding).toMatchObject({ symptomOf: "user-leak", owners: [{ pid: 2300, comm: "mysqld" }] });
    expect(finding?.title).toContain("processes' own memory: 3.44 GiB of 3.76 GiB");
  });

  it("tells of an OOM whose dump is not in the log any more", async () => {
    const text = SLAB_LOG.split("\n").slice(-3).join("\n");
    expect(findingOf(await analyzeFiles(log(text)), ID)).toMatchObject({
      symptomOf: null,
      material: false,
      owners: [{ pid: 116 }],
    });
  });

  it("says when only a cpuset's nodes were full", async () => {
    const text = SLAB_LOG.replace("CONSTRAINT_NONE", "CONSTRAINT_CPUSET");
    const report = await analyzeFiles(log(text));
    expect(findingOf(report, ID)?.title).toMatch(/^\S+ ran out of memory in its cpuset/);
    // Of the other nodes, which may have much, the kernel was not to take.
    expect(report.pressure.level).toBe("none");
    expect(report.events[0]?.title).toContain("the nodes that a cpuset or NUMA policy allows were out of memory");
    const alone = await analyzeFiles({ "sos_commands/kernel/dmesg": text });
    expect(alone.pressure.because).toContain("the nodes that a cpuset or NUMA policy allows were used up");
  });

  it("makes no sum of all nodes' memory and of some nodes' size", async () => {
    // linux-mm on 5.8.2, a cpuset of a movable node: https://lore.kernel.org/linux-mm/YT8WygPhuORJC6Pn@dhcp22.suse.cz
    const text =
      `runc:[2:INIT] invoked oom-killer: gfp_mask=0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT), order=0, oom_score_adj=0
Mem-Info:
active_anon:392832 inactive_anon:182 isolated_anon:0
 active_file:68130 inactive_file:151527 isolated_file:0
 unevictable:2701 dirty:0 writeback:7
 slab_reclaimable:51418 slab_unreclaimable:116300
 mapped:45825 shmem:735 pagetables:2540 bounce:0
 free:159849484 free_pcp:73 free_cma:0
Node 4 Movable free:130021408kB min:9140kB low:139160kB high:269180kB active_anon:1448kB present:130023424kB managed:130023424kB mlocked:0kB
oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=docker-9976.scope,mems_allowed=4,global_oom,task_memcg=/,task=containerd,pid=4100,uid=0
Out of memory: Killed process 4100 (containerd) total-vm:4077036kB, anon-rss:51184kB, file-rss:26016kB, shmem-rss:0kB, UID:0 pgtables:676kB
`;
    expect((await analyzeFiles({ "sos_commands/kernel/dmesg": text })).ledger).toBeNull();
    // What is free on other nodes is not in pieces.
    const whole = await analyzeFiles(log(text.replace("oom-kill:", "170000000 pages RAM\noom-kill:")));
    const finding = findingOf(whole, ID);
    expect(finding).toMatchObject({ material: false, symptomOf: null });
    expect(finding?.title).toMatch(/^runc:\[2:INIT\] ran out of memory in its cpuset, .*; yet .* were free/);
  });

  it("has the caches that the kernel lists, where the log has no totals", async () => {
    // https://lore.kernel.org/linux-btrfs/13f94633dcf04d29aaf1f0a43d42c55e@amazon.com
    const text =
      `[49689.294138] ip invoked oom-killer: gfp_mask=0xc2cc0(GFP_KERNEL|__GFP_NOWARN|__GFP_COMP|__GFP_NOMEMALLOC), order=3, oom_score_adj=0
[49689.294425] Unreclaimable slab info:
[49689.294426] Name                      Used          Total
[49689.329363] btrfs_extent_map     3207098KB    3375622KB
`;
    const report = await analyzeFiles({ "sos_commands/kernel/dmesg": text });
    const finding = findingOf(report, ID);
    expect(finding).toMatchObject({ material: true, symptomOf: "slab-leak" });
    expect(finding?.title).toContain(
      "unreclaimable slab had more than all processes and page cache, 3.22 GiB of it in the slab cache btrfs_extent_map",
    );
    // Of a control group the kernel does not list them.
    expect(report.pressure.level).toBe("exhausted");
  });

  it("tells what the kernel's own code allocated, but for what has an account", async () => {
    // https://github.com/koverstreet/bcachefs/issues/1158
    const rows = `[   21.3]     1.19 GiB   310794 mm/memory.c:1063 func:folio_prealloc
[   21.3]      513 MiB   131329 fs/bcachefs/btree/cache.c:254 func:__btree_node_data_alloc
`;
    const text = SLAB_LOG.replace("[   21.3] oom-kill:", `${rows}[   21.3] oom-kill:`);
    const because = findingOf(await analyzeFiles(log(text)), ID)?.evidence.map((each) => each.because).join("\n");
    expect(because).toContain(
      "513 MiB were allocated by __btree_node_data_alloc (fs/bcachefs/btree/cache.c:254)",
    );
    expect(because).not.toContain("folio_prealloc");
  });

  it("tells of a panic in which nobody was killed, and whose memory it was", async () => {
    const table = `[   21.3] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[   21.3] [     91]     0    91     1000      500     4096        0             0 small
[   21.3] [    116]     0   116    40000    38400     4096        0             0 innocent
`;
    const end = (message: string): string =>
      `${SLAB_LOG.split("\n").slice(0, -3).join("\n")}\n${table}[   21.3] Kernel panic - not syncing: ${message}\n`;
    const finding = findingOf(
      await analyzeFiles(log(end("Out of memory: system-wide panic_on_oom is enabled"))),
      ID,
    );
    expect(finding?.title).toContain("and the kernel panicked, as vm.panic_on_oom says; most of it was unreclaimable");
    expect(finding?.owners).toMatchObject([{ pid: 116, comm: "innocent", bytes: 38_400 * 4096 }]);
    expect(finding?.evidence.map(({ text }) => text)).toEqual(expect.arrayContaining([
      expect.stringContaining("Kernel panic"),
      expect.stringContaining("innocent"),
    ]));
    const deadlock = await analyzeFiles(log(end("System is deadlocked on memory")));
    expect(findingOf(deadlock, ID)?.title).toContain("found nobody more to kill and panicked");
  });

  const PACKETS = SLAB_LOG.replace(
    "[   21.3] oom-kill:",
    `[   21.3] Unreclaimable slab info:
[   21.3] Name                      Used          Total
[   21.3] skbuff_head_cache      55592KB      55592KB
[   21.3] oom-kill:`,
  );
  const PANIC = "[   22.0] Kernel panic - not syncing: System is deadlocked on memory\n";
  const NEXT_START = "[    0.0] Linux version 6.12.0 (builder@host)\n";
  const NOW_GONE = "nailhouse record --dir /var/lib/nailhouse/ring &";

  it.each([
    ["the host goes on", PACKETS, "ss -Huanp | sort -rnk2 | head -5"],
    ["the host panicked", PACKETS + PANIC, NOW_GONE],
    ["the host was started anew", PACKETS + NEXT_START, NOW_GONE],
    ["the host goes on, without packets", SLAB_LOG, "nailhouse collect"],
    ["the host was started anew, without packets", SLAB_LOG + NEXT_START, NOW_GONE],
  ])("advises to look at what is held only where it is still held: %s", async (_, text, command) => {
    const now = findingOf(await analyzeFiles(log(text)), ID)?.remedies.filter(({ when }) => when === "now") ?? [];
    expect(now.map(({ commands }) => commands[0])).toEqual([command]);
  });

  it("says once to record, into the folder that collect looks into", async () => {
    for (const text of [SLAB_LOG, PACKETS + PANIC]) {
      const remedies = findingOf(await analyzeFiles(log(text)), ID)?.remedies ?? [];
      const folders = remedies.flatMap(({ commands }) => commands)
        .flatMap((each) => / record --dir (\S+)/.exec(each)?.[1] ?? []);
      expect(folders).toEqual(["/var/lib/nailhouse/ring"]);
      expect(remedies.filter((remedy) => /\brecord\b/i.test(remedy.text))).toHaveLength(1);
    }
  });

  it("accuses nobody of what is only the beginning of an OOM", async () => {
    const report = await analyzeFiles({
      "sos_commands/kernel/dmesg": "[ 1.0] a invoked oom-killer: gfp_mask=0xcc0, order=0\n",
    });
    // Neither is it ruled out: the rest of the log tells which of the two it was.
    for (const cause of [ID, "memcg-oom"]) {
      expect(report.notAssessed).toContainEqual(
        expect.objectContaining({ cause, missing: ["sos_commands/kernel/dmesg"], howToCapture: ["dmesg"] }),
      );
    }
    expect(report.pressure.level).not.toBe("exhausted");
    expect(report.events).toEqual([]);
  });

  it.each([
    [
      "below its totals",
      "<4>[ 1771.42] lowmem_reserve[]: 0 0 0\n<4>[ 1771.49] 32768 pages RAM\n<4>[ 1771.51] 1830 pages reserved\n",
    ],
    ["at its node", "[  492.65] Node 0 active_anon:968kB inactive_anon:32280kB active_file:101656kB\n"],
    ["at its table", "[  492.67] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n"],
    [
      "within its table",
      "Jun 13 09:14:58 host kernel: [   3275]     0  3275   384842      499   229376      205          -998 containerd-shim\n",
    ],
    [
      "within the table of an old kernel",
      "Sun Mar  8 12:23:14 2020 kern.info kernel: [  413.018653] [  273]     0   273      176        0       4       0        9             0 askfirst\n",
    ],
  ])("rules nothing out by a log that begins within a dump: %s", async (_, text) => {
    const report = await analyzeFiles({ "sos_commands/kernel/dmesg": text });
    for (const cause of [ID, "memcg-oom", "buddy-fragmentation"]) {
      expect(report.notAssessed).toContainEqual(expect.objectContaining({ cause, howToCapture: ["dmesg"] }));
    }
    expect(report.findings).toEqual([]);
  });

  it("takes no other rows of numbers for a dump's", async () => {
    const report = await analyzeFiles({
      "sos_commands/kernel/dmesg":
        "[    1.0] [ 17]     0    18    12467     2052    94208        0             0 ports\n",
    });
    expect(report.ruledOut.map(({ cause }) => cause)).toContain(ID);
  });

  const kill = (pid: number, comm: string): string =>
    `[   20.${pid}] a invoked oom-killer: gfp_mask=0xcc0, order=0\n[   20.${pid}] Out of memory: Killed process ${pid} (${comm}) total-vm:9kB, anon-rss:9kB\n`;
  const deadlock = `[   22.0] a invoked oom-killer: gfp_mask=0xcc0, order=0\n${PANIC}`;
  it.each([
    ["none before it", deadlock, "and the kernel found nobody more to kill and panicked"],
    [
      "one before it",
      kill(7, "hog") + deadlock,
      "and the kernel killed hog (pid 7), then found nobody more to kill and panicked, the last of 2 times",
    ],
    [
      "several before it",
      kill(6, "b") + kill(7, "hog") + deadlock,
      "and the kernel killed hog (pid 7) and 1 other, then found nobody more",
    ],
    [
      "only before an earlier start",
      kill(7, "hog") + NEXT_START + deadlock + NEXT_START,
      "and the kernel found nobody more to kill and panicked",
    ],
    [
      "only before an earlier panic",
      kill(7, "hog") + deadlock + deadlock,
      "and the kernel found nobody more to kill and panicked",
    ],
    [
      "in a log that ends before the kill",
      `${kill(7, "hog").split("\n", 1)[0]}\n[   20.7] Mem-Info:\n`,
      "and the kernel looked for a process to kill (whom, is not in the log)",
    ],
  ])("tells of a panic who was killed: %s", async (_, text, said) => {
    const finding = findingOf(await analyzeFiles(log(text)), ID);
    expect(finding?.title).toContain(said);
    expect(JSON.stringify(finding)).not.toMatch(/nobody was killed/i);
  });

  it("says that the host was started anew only where the log shows it", async () => {
    const because = async (text: string): Promise<string | undefined> =>
      findingOf(await analyzeFiles(log(text)), ID)?.evidence.find((each) => each.text.includes("panic"))?.because;
    expect(await because(deadlock)).toBe("the kernel stopped");
    expect(await because(deadlock + NEXT_START)).toBe("the kernel stopped, and the host was started anew later");
  });

  it("tells from the kernel log alone that the host was short, and what the memory was", async () => {
    const report = await analyzeFiles({ "sos_commands/kernel/dmesg": SLAB_LOG });
    expect(report.pressure.level).toBe("exhausted");
    expect(report.verdict).toBe("insufficient-evidence");
    expect(findingOf(report, ID)?.title).toContain("unreclaimable slab: 511 MiB of 716 MiB");
  });

  it.each([
    [-1000, "but has oom_score_adj -1000"],
    // Its own is 300, so this one was to be killed first.
    [300, "and why it was spared the log does not tell"],
  ])("says why this victim: its score, and who was larger and spared with oom_score_adj %d", async (adj, why) => {
    const table = `[   21.3] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[   21.3] [     91]     0    91    60000    50000     4096        0         ${adj} database
[   21.3] [    116]     0   116    40000    38400   368640        0           300 innocent
`;
    const text = SLAB_LOG.replace("[   21.3] oom-kill:", `${table}[   21.3] oom-kill:`);
    const finding = findingOf(await analyzeFiles(log(text)), ID);
    expect(finding?.evidence.map(({ because }) => because)).toContainEqual(
      "why this one: it had 150 MiB of RSS, swap and page tables, with oom_score_adj 300 counted as 365 MiB; " +
        `database (pid 91) was larger with 195 MiB, ${why}`,
    );
  });

  it("prefers what the host says now to what the log says of some day", async () => {
    const report = await analyzeFiles(log(SLAB_LOG));
    expect(report.ledger?.totalBytes).toBe(8 * 2 ** 30);
    expect(report.notAssessed.map(({ cause }) => cause)).toContain("user-leak");
  });

  it("accuses nobody when a person asked for the kill, or a control group was at its limit", async () => {
    for (
      const text of [
        "[ 1.0] sysrq: Manual OOM execution\n[ 1.0] kworker/0:1 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0\n",
        "[ 1.0] a invoked oom-killer: gfp_mask=0xcc0, order=0\n[ 1.0] Memory cgroup out of memory: Killed process 1 (a) total-vm:1kB, anon-rss:1kB\n",
        "[ 1.0] all is well\n",
      ]
    ) expect(findingOf(await analyzeFiles(log(text)), ID)).toBeUndefined();
  });

  it("is not assessed without the kernel log", async () => {
    expect((await analyzeFiles({ "proc/meminfo": meminfoText() })).notAssessed).toContainEqual(
      expect.objectContaining({ cause: ID, missing: ["sos_commands/kernel/dmesg"] }),
    );
  });

  it("tells what a dump of 2.6.28 to 2.6.31 tells, and of older ones nothing", async () => {
    const dump = (totals: string): string =>
      `httpd invoked oom-killer: gfp_mask=0x201da, order=0, oomkilladj=0
Mem-Info:
Node 0 DMA per-cpu:
CPU    0: hi:    0, btch:   1 usd:   0
${totals}Node 0 DMA free:9000kB min:28kB low:32kB high:40kB active_anon:0kB present:9668kB
lowmem_reserve[]: 0 2003 2003 2003
Node 0 DMA: 14*4kB 3*8kB 0*16kB = 80kB
524288 pages RAM
24288 pages reserved
Out of memory: kill process 2300 (httpd) score 9050 or a child
Killed process 2300 (httpd)
`;
    const since = dump(`Active_anon:20000 active_file:1000 inactive_anon:10000
 inactive_file:2000 unevictable:0 dirty:0 writeback:0 unstable:0
 free:2500 slab:400000 mapped:10 pagetables:3000 bounce:0
`);
    const report = await analyzeFiles({ "sos_commands/kernel/dmesg": since });
    expect(findingOf(report, ID)).toMatchObject({ symptomOf: "slab-leak", owners: [] });
    expect(findingOf(report, ID)?.title).toContain("; most of it was slab: 1.53 GiB of 1.91 GiB");
    expect(report.verdict).toBe("insufficient-evidence");
    const accounts = new Map(report.ledger?.accounts.map(({ id, bytes }) => [id, bytes / 4096]));
    expect(accounts.get("anon")).toBe(30_000);
    expect(accounts.get("page-cache")).toBe(3_000);
    expect(accounts.has("slab-unreclaimable")).toBe(false);
    expect(accounts.get("unaccounted")).toBe(500_000 - 38_500);
    const before = dump(`Active:300000 inactive:10000 dirty:0 writeback:0 unstable:0
 free:2500 slab:40000 mapped:10 pagetables:3000 bounce:0
`);
    const old = await analyzeFiles({ "sos_commands/kernel/dmesg": before });
    expect(old.ledger).toBeNull();
    expect(findingOf(old, ID)).toMatchObject({ symptomOf: null, material: false });
  });

  it("claims nothing of a victim of which the log has no sizes", async () => {
    const report = await analyzeFiles({
      "sos_commands/kernel/dmesg": "[  100.5] Out of memory: Kill process 2300 (mysqld) score 905 or sacrifice child\n",
    });
    const finding = findingOf(report, ID);
    expect(finding).toMatchObject({ symptomOf: null, material: false, owners: [] });
    expect(finding?.title).toBe("The host ran out of memory, and the kernel killed mysqld (pid 2300)");
    expect(finding?.evidence[0]?.because).toContain("; what all memory was then, the log does not tell");
    expect(report.verdict).toBe("insufficient-evidence");
  });

  it("survives hostile numbers", async () => {
    const text = SLAB_LOG.replace("slab_unreclaimable:130816", "slab_unreclaimable:99999999999999999999").replace(
      "196470 pages RAM",
      "0 pages RAM",
    );
    expect(findingOf(await analyzeFiles(log(text)), ID)).toMatchObject({ symptomOf: null });
  });
});

// docker/for-linux#1001: a fork bomb in a container with a limit of kernel memory, on 5.4.
describe("a page fault that failed", () => {
  const log = (fileKb: number): string =>
    `[Thu May 14 23:17:24 2020] SLUB: Unable to allocate memory on node -1, gfp=0xdc0(GFP_KERNEL|__GFP_ZERO)
[Thu May 14 23:17:24 2020]   cache: signal_cache(632851:3a166877f910), object size: 1056, buffer size: 1088, default order: 3, min order: 0
[Thu May 14 23:17:24 2020] python3 invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0
[Thu May 14 23:17:24 2020] Mem-Info:
[Thu May 14 23:17:24 2020] active_anon:57988 inactive_anon:147 isolated_anon:0
                            active_file:${fileKb / 4} inactive_file:0 isolated_file:0
                            unevictable:4579 dirty:120 writeback:0 unstable:0
                            slab_reclaimable:559 slab_unreclaimable:198012
                            mapped:44734 shmem:289 pagetables:2081 bounce:0
                            free:8211 free_pcp:600 free_cma:0
[Thu May 14 23:17:24 2020] Node 0 DMA32: 2*4kB (UE) 3*8kB (UE) = 32kB
[Thu May 14 23:17:24 2020] 16777047 pages RAM
[Thu May 14 23:17:24 2020] 0 pages HighMem/MovableOnly
[Thu May 14 23:17:24 2020] 295017 pages reserved
[Thu May 14 23:17:24 2020] Out of memory: Killed process 2077 (mysqld) total-vm:4000kB, anon-rss:2000kB, file-rss:0kB, shmem-rss:0kB
`;

  it("need not be the host's", async () => {
    const report = await analyzeFiles({ "sos_commands/kernel/dmesg": log(48_000_000) });
    expect(report.pressure).toMatchObject({
      level: "none",
      because: expect.stringContaining("whether the host or a control group was short"),
    });
    expect(findingOf(report, "global-oom")).toMatchObject({
      confidence: "possible",
      material: false,
      title:
        "A page fault found no memory, and the kernel killed mysqld (pid 2077); 45.8 GiB of 62.9 GiB were free or in caches: a control group at its limit of kernel memory is enough for that, the host need not have been short",
    });
    expect(report.notAssessed.map(({ cause }) => cause)).toContain("memcg-oom");
    expect(digest("a.tgz", report, "").outOfMemory).toBeNull();
    expect(report.events.at(-1)?.title).toContain(
      "a page fault of python3 found no memory: the kernel killed mysqld",
    );
  });

  it("is the host's where nothing was left there, and where the kernel asked for memory besides", async () => {
    const short = await analyzeFiles({ "sos_commands/kernel/dmesg": log(40_000) });
    expect(short.pressure.level).toBe("exhausted");
    expect(findingOf(short, "global-oom")?.confidence).toBe("confirmed");
    const other =
      "[Thu May 14 23:10:00 2020] app invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0\n" +
      "[Thu May 14 23:10:00 2020] Out of memory: Killed process 7 (app) total-vm:4000kB, anon-rss:2000kB\n";
    const both = await analyzeFiles({ "sos_commands/kernel/dmesg": other + log(48_000_000) });
    expect(findingOf(both, "global-oom")?.title).toMatch(
      /^The host ran out of memory, and the kernel killed app \(pid 7\)$/,
    );
  });
});
