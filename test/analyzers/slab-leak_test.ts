import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, manifest, meminfoText, prometheusText, udpText } from "./_bundle.ts";
import { aliasesText, later, slabinfoText } from "./_kernel.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** What a host that does nothing has, and `objects` of a cache of 384 bytes. */
function slab(objects: number, name = "mnt_cache", totalBytes = 24 * GIB): { [path: string]: string } {
  return {
    "proc/meminfo": meminfoText({ SUnreclaim: 14 * MIB + objects * 386, SReclaimable: 146 * MIB }, totalBytes),
    "proc/slabinfo": slabinfoText([
      { name, size: 384, objects },
      { name: "ext4_inode_cache", size: 1128, objects: 134_912 },
      { name: "kmalloc-192", size: 192, objects: 40_000 },
      { name: "task_struct", size: 8192, objects: 500 },
    ]),
  };
}

const aliases = {
  "sos_commands/memory/ls_-l_.sys.kernel.slab": aliasesText({
    mnt_cache: ":A-0000384",
    posix_timers_cache: ":A-0000384",
  }),
};
const status = (pid: number, uid: number, queued: number): { [path: string]: string } => ({
  [`proc/${pid}/status`]:
    `Name:\tposix_timers\nPid:\t${pid}\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nRssAnon:\t 100 kB\nSigQ:\t${queued}/96364\n`,
});

/** The same cache, seen three times. */
function watched(counts: readonly [number, number, number], seconds: number): { [path: string]: string } {
  const [first, second, third] = counts.map((count) => slab(count));
  return { ...first, ...later(seconds, second ?? {}), ...later(2 * seconds, third ?? {}) };
}

describe("slab-leak", () => {
  it("is likely when one cache has most of SUnreclaim, and claims what the cache has", async () => {
    const report = await analyzeFiles(slab(540_000));
    expect(report.findings[0]).toMatchObject({ cause: "slab-leak", confidence: "likely", material: true });
    expect(report.findings[0]?.bytes.high).toBeCloseTo(540_000 * 384, -7);
    expect(report.findings[0]?.growthBytesPerSecond).toBeNull();
    expect(report.findings[0]?.remedies[1]?.commands[0]).toContain("slub_debug=U,mnt_cache");
    expect(report.verdict).toBe("cause-found");
  });

  it("tells that slab caches themselves are those of control groups (up to 5.8)", async () => {
    // https://github.com/kubernetes-retired/kube-aws/issues/954
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SUnreclaim: 1_470_000 * 1024 }, 4 * GIB),
      "sos_commands/memory/slabtop_-o": `  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME
1159809 1159809 100%    0.38K  55229       21    441832K kmem_cache
2467360 2467314  99%    0.12K  77105       32    308420K kmalloc-128
`,
    });
    expect(report.findings[0]?.owners[0]?.detail).toContain("grep -e num_cgroups -e memory /proc/cgroups");
  });

  it("names who does not reap completions of an io_uring, and takes other objects of that size for none", async () => {
    const files = (overflow: number): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 20 * MIB + 6_000_000 * 32 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([{ name: "kmalloc-cg-32", size: 32, objects: 6_000_000 }, {
        name: "task_struct",
        size: 8192,
        objects: 500,
      }]),
      "proc/7/status": "Name:\tlazy\nPid:\t7\nRssAnon:\t100 kB\n",
      "sos_commands/process/descriptor_counts": "4 /proc/7/fd\n",
      "sos_commands/process/descriptor_samples":
        "lrwx------ 1 0 0 64 Nov 23 07:13 /proc/7/fd/3 -> anon_inode:[io_uring]\n/proc/7/fdinfo/3: CqMask:\t0x1fff\n" +
        `/proc/7/fdinfo/3: overflow ${overflow}\n`,
    });
    const finding = findingOf(await analyzeFiles(files(5_990_000)), "slab-leak");
    expect(finding?.title).toContain("lazy (pid 7)");
    expect(finding?.owners[0]).toMatchObject({ pid: 7, comm: "lazy" });
    expect(finding?.evidence.map(({ because }) => because).join()).toContain("5,990,000 completions did not fit");
    // Beside another leak each is named once.
    const both = await analyzeFiles({
      ...files(5_990_000),
      "proc/meminfo": meminfoText({ SUnreclaim: 20 * MIB + 6_000_000 * 32 + 450_000 * 384 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-cg-32", size: 32, objects: 6_000_000 },
        { name: "mnt_cache", size: 384, objects: 450_000 },
        { name: "task_struct", size: 8192, objects: 500 },
      ]),
    });
    expect(both.findings.filter(({ cause }) => cause === "slab-leak").map(({ title }) => title).sort()).toEqual([
      expect.stringContaining("slab cache kmalloc-cg-32"),
      expect.stringContaining("slab cache mnt_cache"),
    ]);
    const others = findingOf(await analyzeFiles(files(1000)), "slab-leak");
    expect(others?.title).not.toContain("lazy");
  });

  it("names who has requests of io_uring that do not end, where all were looked at and nobody else has a ring", async () => {
    const files = (others: string) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 20 * MIB + 819_200 * 256 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([{ name: "io_kiocb", size: 256, objects: 819_200 }]),
      "proc/7/status": "Name:\tserver\nPid:\t7\nRssAnon:\t100 kB\n",
      "proc/8/status": "Name:\tother\nPid:\t8\nRssAnon:\t100 kB\n",
      "sos_commands/process/descriptor_counts": "4 /proc/7/fd\n4 /proc/8/fd\n",
      "sos_commands/process/descriptor_samples":
        `lrwx------ 1 0 0 64 Nov 23 07:13 /proc/7/fd/3 -> anon_inode:[io_uring]\n${others}`,
    });
    const other = (target: string) => `lrwx------ 1 0 0 64 Nov 23 07:13 /proc/8/fd/3 -> ${target}\n`;
    const named = async (others: string) => findingOf(await analyzeFiles(files(others)), "slab-leak")?.owners[0]?.comm;
    expect(await named(other("/dev/null"))).toBe("server");
    expect(await named(other("anon_inode:[io_uring]"))).toBe("io_kiocb");
    expect(await named("")).toBe("io_kiocb");
  });

  it("does not take what ZFS caches for a leak in many caches", async () => {
    // Debian 12: https://github.com/openzfs/zfs/issues/15637; MemTotal and SUnreclaim, most of which these rows have, are made up.
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SUnreclaim: 5_800_000 * 1024 }, 16 * GIB),
      "sos_commands/memory/slabtop_-o": `  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME
1364020 1364020 100%    1.11K  48715       28   1558880K zfs_znode_cache
1524032 1518497  99%    0.96K  95252       16   1524032K dnode_t
1786656 1678433  93%    0.50K 111666       16    893328K kmalloc-512
 48530  48340  99%   16.00K  24265        2    776480K zio_buf_comb_16384
1656560 1652037  99%    0.38K  82828       20    662624K dmu_buf_impl_t
1364048 1364048 100%    0.24K  85253       16    341012K sa_cache
`,
    });
    expect(findingOf(report, "slab-leak")).toBeUndefined();
    expect(report.ruledOut.find(({ cause }) => cause === "slab-leak")?.because).toContain(
      "of which 4.64 GiB are in caches of ZFS, XFS, long file names, KSM or zram",
    );
  });

  it("takes no objects that lie beside inodes and names for a leak", async () => {
    // linux-xfs on 5.4.54 ("shrinker semaphore"): xfs_ili is merged into bio_integrity_payload. https://lore.kernel.org/linux-xfs, 2020-07-31
    const files = (payloads: number): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 8_600_000 * 1024, SReclaimable: 40_000_000 * 1024 }, 64 * GIB),
      "proc/slabinfo": `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
xfs_buf           3523341 3550020    384   10    1 : tunables   54   27    8 : slabdata 355002 355002      0
xfs_inode         30978282 31196832    960    4    1 : tunables   54   27    8 : slabdata 7799208 7799208    434
bio_integrity_payload ${payloads} 30203481    192   21    1 : tunables  120   60    8 : slabdata 1438261 1438261    480
dentry            35011852 35447601    192   21    1 : tunables  120   60    8 : slabdata 1687981 1687981    480
kmalloc-32        30700000 30800000     32  124    1 : tunables  120   60    8 : slabdata 248388 248388    480
kmalloc-64        34900000 35000000     64   63    1 : tunables  120   60    8 : slabdata 555556 555556    480
`,
    });
    const report = await analyzeFiles(files(29_644_966));
    expect(findingOf(report, "slab-leak")).toBeUndefined();
    // As many as nothing else.
    const leak = findingOf(await analyzeFiles(files(25_000_000)), "slab-leak");
    expect(leak?.owners.map(({ comm }) => comm)).toEqual(["bio_integrity_payload"]);
  });

  it("takes no long names of dentries for a leak before 4.20, which has caches for them", async () => {
    // linux-mm, 2014 (xfs livelock): as many in kmalloc-64 as there are dentries.
    const files = (last: string): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 6_400_000 * 1024, SReclaimable: 20 * GIB }, 64 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "dentry", size: 216, objects: 100_000_000 },
        { name: "kmalloc-64", size: 64, objects: 99_000_000 },
        { name: last, size: 64, objects: 100 },
      ]),
    });
    expect(findingOf(await analyzeFiles(files("task_struct")), "slab-leak")).toBeUndefined();
    expect(findingOf(await analyzeFiles(files("kmalloc-rcl-64")), "slab-leak")?.owners[0]?.comm).toBe("kmalloc-64");
  });

  it("takes what one screen of slabtop does not show for nobody's", async () => {
    // https://github.com/coreos/bugs/issues/2637: SELinux' leak of 4.19; what is in no row is made up.
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SUnreclaim: 47_000_000 * 1024 }, 64 * GIB),
      "sos_commands/memory/slabtop_-o": `  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME
734506368 734506368 100%    0.06K 11476662       64  45906648K ebitmap_node
328160  80830  24%    0.50K  10255       32    164080K kmalloc-512
`,
    });
    expect(report.findings[0]).toMatchObject({ cause: "slab-leak", confidence: "likely" });
    expect(report.findings[0]?.owners.map(({ comm }) => comm)).toEqual(["ebitmap_node"]);
    expect(report.findings[0]?.bytes.high).toBe(45_906_648 * 1024);
  });

  it("claims what may come along with the leaked objects, and no cache that has fewer of its own", async () => {
    const report = await analyzeFiles({
      ...slab(540_000),
      "proc/meminfo": meminfoText({ SUnreclaim: 284 * MIB, SReclaimable: 4 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "mnt_cache", size: 384, objects: 540_000 },
        { name: "kmalloc-64", size: 64, objects: 545_000 },
        { name: "kmalloc-192", size: 192, objects: 250_000 },
      ]),
    });
    expect(report.findings[0]?.bytes.high).toBeCloseTo(540_000 * 384 + 545_000 * 64, -7);
    expect(report.findings[0]?.owners.map(({ comm }) => comm)).toEqual(["mnt_cache", "kmalloc-64"]);
  });

  it("is confirmed, with a rate, when it grew in every snapshot", async () => {
    const finding = findingOf(await analyzeFiles(watched([540_000, 550_000, 560_000], 1)), "slab-leak");
    expect(finding).toMatchObject({ confidence: "confirmed" });
    expect(finding?.growthBytesPerSecond?.low).toBeGreaterThan(3_000_000);
    expect(finding?.exhaustion).not.toBeNull();
  });

  it.each([
    ["SUnreclaim", 14 * MIB + 540_000 * 386],
    ["Slab", 160 * MIB + 540_000 * 386],
  ])("says since when %s of the host grew, if it was recorded", async (field, now) => {
    const hours = Array.from({ length: 12 }, (_, i) => now - (11 - i) * 8 * MIB);
    const report = await analyzeFiles({ ...slab(540_000), "history_imported/a.json": prometheusText(field, hours) });
    const finding = findingOf(report, "slab-leak");
    expect(finding).toMatchObject({ confidence: "likely", growthBytesPerSecond: null });
    expect(finding?.evidence.map(({ because }) => because).join("\n")).toContain(
      `${field} of the whole host grew from`,
    );
  });

  it("is to be watched when it grows beside another tenant that is as large", async () => {
    const held = (objects: number) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 14 * MIB + (450_000 + objects) * 386 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "mnt_cache", size: 384, objects },
        { name: "biovec-max", size: 4096, objects: 42_000 },
        { name: "task_struct", size: 8192, objects: 500 },
      ]),
    });
    const report = (last: number) =>
      analyzeFiles({ ...held(450_000), ...later(5, held((450_000 + last) / 2)), ...later(10, held(last)) });
    const grown = await report(470_000);
    expect(findingOf(grown, "slab-leak")).toMatchObject({ confidence: "possible", material: false });
    expect(findingOf(grown, "slab-leak")?.title).toMatch(/mostly in the slab cache mnt_cache.*, and grow by /);
    expect(grown.verdict).toBe("healthy");
    expect(findingOf(await report(450_000), "slab-leak")).toBeUndefined();
  });

  it("is only possible when it did not grow in an hour", async () => {
    const report = await analyzeFiles(watched([540_000, 540_000, 540_000], 1800));
    expect(findingOf(report, "slab-leak")).toMatchObject({ confidence: "possible", material: false });
    expect(report.verdict).toBe("healthy");
  });

  it("names the caches that are merged with it, and the users whose timers they are", async () => {
    const users = { ...status(901, 60_001, 270_000), ...status(902, 60_002, 270_000) };
    const finding = findingOf(await analyzeFiles({ ...slab(540_000), ...aliases, ...users }), "slab-leak");
    expect(finding?.title).toContain("POSIX timers or queued signals of posix_timers (2 processes)");
    expect(finding?.owners[0]).toMatchObject({ comm: "posix_timers", pid: 901, count: 540_000 });
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 901 902"]);
  });

  it("does not name a program whose user's count is that of nothing in the cache", async () => {
    const finding = findingOf(
      await analyzeFiles({ ...slab(540_000), ...aliases, ...status(901, 0, 1000) }),
      "slab-leak",
    );
    expect(finding?.title).toContain("Unreclaimable kernel objects");
    expect(finding?.owners[0]?.detail).toContain("also: posix_timers_cache");
  });

  it("recognizes neighbours by their number", async () => {
    const files = {
      ...slab(500_000, "kmalloc-384"),
      "proc/net/stat/arp_cache": "entries  allocs\n0007a120 002105ef\n",
    };
    expect(findingOf(await analyzeFiles(files), "slab-leak")?.title).toMatch(/^Neighbours/);
  });

  it("names each of several leaks that are counted elsewhere, too, none of which stands out", async () => {
    // Timers of 201 MiB, neighbours of 391, 900 network namespaces of 184: as they were held together on 6.18.
    const files = {
      "proc/meminfo": meminfoText({ SUnreclaim: 836 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-512", size: 512, objects: 800_000 },
        { name: "mnt_cache", size: 384, objects: 548_000 },
        { name: "net_namespace", size: 4288, objects: 900 },
        { name: "kmalloc-2k", size: 2048, objects: 16_200 },
      ]),
      "proc/net/stat/arp_cache": "entries  allocs\n000c3500 002105ef\n",
      ...aliases,
      ...status(901, 60_001, 548_000),
    };
    const findings = (await analyzeFiles(files)).findings.filter(({ cause }) => cause === "slab-leak");
    expect(findings.map(({ title }) => title.replace(/ hold .*/, ""))).toEqual([
      "Neighbours (ip neigh)",
      "POSIX timers or queued signals of posix_timers (pid 901)",
      "900 network namespaces",
    ]);
    expect(findings[1]?.bytes.high).toBeCloseTo(548_000 * 386, -6);
  });

  it("takes what descriptors hold out of what came along with counted objects, and not out of these", async () => {
    // 2,000,000 marks of inotify and 430,000 open files are in caches of their own, of the first as many objects as timers, at the least.
    const marks = 2_000_000;
    const files = {
      "proc/meminfo": meminfoText({ SUnreclaim: 470 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "mnt_cache", size: 384, objects: 548_000 },
        { name: "inotify_inode_mark", size: 80, objects: marks },
        { name: "filp", size: 192, objects: 430_000 },
      ]),
      "sos_commands/process/descriptor_counts": "1 /proc/7/fd\n430000 /proc/8/fd\n",
      "sos_commands/process/descriptor_samples":
        `lr-x------ 1 root root 64 Nov 23 07:13 /proc/7/fd/3 -> anon_inode:inotify\n/proc/7/fdinfo/3: inotify ${marks}\n` +
        "lrwx------ 1 root root 64 Nov 23 07:13 /proc/8/fd/3 -> anon_inode:[eventfd]\n",
      "proc/8/status": "Name:\topener\nState:\tS (sleeping)\nPid:\t8\nPPid:\t1\nRssAnon:\t 100 kB\n",
      "proc/7/status": "Name:\twatcher\nState:\tS (sleeping)\nPid:\t7\nPPid:\t1\nRssAnon:\t 100 kB\n",
      ...aliases,
      ...status(901, 60_001, 548_000),
    };
    const report = await analyzeFiles(files);
    const opened = report.findings.filter(({ cause }) => cause === "fd-leak").map(({ title }) => title);
    expect(opened.join("\n")).toMatch(/2,000,000 inotify watches[^]*430,000 open descriptors/);
    expect(findingOf(report, "slab-leak")?.title).toMatch(/^POSIX timers/);
  });

  it("tells of whom zombies are, and what objects are whose cache is no other one's", async () => {
    const tasks = {
      "proc/meminfo": meminfoText({ SUnreclaim: 200 * MIB }, 8 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "task_struct", size: 6016, objects: 20_100 },
        { name: "sighand_cache", size: 2112, objects: 20_100 },
      ]),
      "proc/7/status": "Name:\tspawner\nState:\tS (sleeping)\nPid:\t7\nPPid:\t1\nRssAnon:\t 100 kB\n",
    };
    const zombies = Object.fromEntries(
      Array.from({ length: 15_000 }, (_, i) => [
        `proc/${1000 + i}/status`,
        `Name:\tchild\nState:\tZ (zombie)\nPid:\t${1000 + i}\nPPid:\t7\n`,
      ]),
    );
    // Another script of its interpreter has one child to wait for just now.
    const other = {
      "proc/8/status": "Name:\tspawner\nState:\tS (sleeping)\nPid:\t8\nPPid:\t1\nRssAnon:\t 100 kB\n",
      "proc/900/status": "Name:\tchild\nState:\tZ (zombie)\nPid:\t900\nPPid:\t8\n",
    };
    const finding = findingOf(await analyzeFiles({ ...tasks, ...zombies, ...other }), "slab-leak");
    expect(finding?.title).toMatch(/^Zombies of spawner \(pid 7\) hold/);
    expect(finding?.owners[0]).toMatchObject({ pid: 7, comm: "spawner", count: 15_001 });
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 7"]);
    const threads = findingOf(await analyzeFiles(tasks), "slab-leak");
    expect(threads?.title).toMatch(/^Unreclaimable kernel objects \(threads\) hold/);
    const merged = {
      "sos_commands/memory/ls_-l_.sys.kernel.slab": aliasesText({ task_struct: ":0006016", other: ":0006016" }),
    };
    expect(findingOf(await analyzeFiles({ ...tasks, ...merged }), "slab-leak")?.title).toMatch(
      /^Unreclaimable kernel objects hold/,
    );
  });

  it("tells of SysV messages that nobody receives, in parts of a page each, and how the queues are removed", async () => {
    // 5,000 bytes are a page with 4,048 of them, and a part of 960.
    const queues = (messages: number): string =>
      `key msqid perms cbytes qnum lspid lrpid\n0 5 600 ${
        5000 * messages
      } ${messages} 7 9\n0 6 600 ${10_000_000} 2000 8 0\n`;
    const files = (messages: number) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 360 * MIB }, 8 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-cg-4k", size: 4096, objects: 72_000 },
        { name: "kmalloc-cg-1k", size: 1024, objects: 72_000 },
      ]),
      "proc/sysvipc/msg": queues(messages),
      "proc/7/status": "Name:\tsender\nState:\tS (sleeping)\nPid:\t7\nPPid:\t1\nRssAnon:\t 100 kB\n",
    });
    const finding = findingOf(await analyzeFiles(files(70_000)), "slab-leak");
    expect(finding?.title).toMatch(/^SysV messages of sender \(pid 7\) hold 352 MiB/);
    // The process that sent the others has ended.
    expect(finding?.owners[0]).toMatchObject({ pid: 7, count: 70_000 });
    expect(finding?.evidence.map(({ because }) => because).join("\n")).toContain(
      "that nobody receives (process 9 did so last), in one of 2 queues of this kind: with 72,000 messages in all",
    );
    expect(finding?.remedies[0]?.commands).toContain("ipcrm -q 5");
    expect(finding?.remedies.flatMap(({ commands }) => commands)).not.toContain("kill -TERM 7");
    // Fewer messages than objects: these are somebody else's.
    const posix = findingOf(
      await analyzeFiles({
        ...files(0),
        "proc/slabinfo": slabinfoText([{ name: "msg_msg-4k", size: 4096, objects: 90_000 }]),
      }),
      "slab-leak",
    );
    expect(posix?.title).toMatch(/^Unreclaimable kernel objects \(messages in queues\) hold/);
    expect(posix?.remedies[0]?.commands[0]).toMatch(/find \/proc\/\[0-9\]\*\/fd .* grep -Hs \^QSIZE$/);
    const others = findingOf(await analyzeFiles(files(30_000)), "slab-leak");
    expect(others?.title).toMatch(/^Unreclaimable kernel objects hold/);
    expect(others?.remedies[0]?.commands).toEqual(["slabtop -o -s c | head -20"]);
  });

  it("tells whose SysV semaphores and keys are, where there are as many as objects", async () => {
    const held = (name: string, size: number, objects: number) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: MIB + objects * size }, 8 * GIB),
      "proc/slabinfo": slabinfoText([{ name, size, objects }]),
    });
    const of = async (files: { readonly [path: string]: string }) => findingOf(await analyzeFiles(files), "slab-leak");
    // 256 bytes and 64 for each semaphore: 6,656.
    const sets = Array.from({ length: 45_000 }, (_, i) => `0 ${i} 600 100 0 0 1000 1000 0 1`).join("\n");
    const sem = {
      "proc/sysvipc/sem": `key semid perms nsems uid gid cuid cgid otime ctime\n0 9 600 1 0 0 0 0 0 1\n${sets}\n`,
    };
    const semaphores = await of({ ...held("kmalloc-cg-8k", 8192, 45_000), ...sem });
    expect(semaphores?.title).toMatch(/^Sets of SysV semaphores of user 1000 hold 352 MiB/);
    expect(semaphores?.remedies[0]?.text).toContain("ipcrm -s");
    // Of another size, or fewer than there are objects.
    expect((await of({ ...held("kmalloc-cg-4k", 4096, 90_000), ...sem }))?.title).toMatch(/^Unreclaimable kernel/);
    expect((await of({ ...held("kmalloc-cg-8k", 8192, 60_000), ...sem }))?.title).toMatch(/^Unreclaimable kernel/);
    const users = {
      "proc/key-users": "    0:     9 1500000/8 3/1000000 65576/25000000\n 1000: 2 9/9 9/200 99/20000\n",
    };
    const keys = await of({ ...held("key_jar", 256, 1_500_000), ...users });
    expect(keys?.title).toMatch(/^Keys of user 0 hold 366 MiB/);
    expect(keys?.remedies[0]?.text).toContain("keyctl unlink");
    expect((await of({ ...held("key_jar", 256, 3_000_000), ...users }))?.title).toMatch(/^Unreclaimable kernel/);
  });

  describe("file events that nobody reads", () => {
    const contents = (rows: readonly string[]) => ({
      "sos_commands/process/descriptor_contents": `# bytes capacity inode descriptor\n${rows.join("\n")}\n`,
      "proc/7/status": "Name:\twatcher\nState:\tS (sleeping)\nPid:\t7\nPPid:\t1\nRssAnon:\t 100 kB\n",
      "proc/8/status": "Name:\twatcher\nState:\tS (sleeping)\nPid:\t8\nPPid:\t7\nRssAnon:\t 100 kB\n",
    });
    // 900,000 events with names of 200 bytes: 224 to be read of each, which is in an object of 256.
    const caches = (events: number, size = 256) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: MIB + events * size }, 8 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: `kmalloc-cg-${size < 1024 ? size : `${size / 1024}k`}`, size, objects: events },
      ]),
    });
    const title = async (files: { readonly [path: string]: string }) =>
      findingOf(await analyzeFiles(files), "slab-leak")?.title;

    it("are those of who asked for them", async () => {
      const rows = [`${700_000 * 224} - inotify /proc/7/fd/3`, `${200_000 * 224} - inotify /proc/7/fd/4`];
      const finding = findingOf(await analyzeFiles({ ...caches(900_000), ...contents(rows) }), "slab-leak");
      expect(finding?.title).toMatch(/^Unread file events \(inotify\) of watcher \(pid 7\) hold 220 MiB/);
      expect(finding?.owners[0]).toMatchObject({ pid: 7, comm: "watcher", count: 900_000 });
      expect(finding?.evidence.map(({ because }) => because).join("\n")).toContain(
        "150 MiB of events are to be read here, the most of 2 queues of inotify with 192 MiB",
      );
      expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 7"]);
    });

    it("are counted exactly for fanotify", async () => {
      const held = (events: number) => ({
        ...caches(500_000, 512),
        ...contents([`${events * 24} - fanotify /proc/7/fd/3`]),
      });
      expect(await title(held(500_000))).toMatch(/^Unread file events \(fanotify\) of watcher \(pid 7\) hold/);
      // Half of the objects are somebody else's.
      expect(await title(held(250_000))).toMatch(/^Unreclaimable kernel objects hold/);
    });

    it("are in no object larger than a name and file handles: packets are nobody's events", async () => {
      const files = (size: number) => ({
        ...caches(284_000, size),
        ...contents([`${400_000 * 24} - fanotify /proc/7/fd/3`]),
      });
      expect(await title(files(1024))).toBeDefined();
      expect(findingOf(await analyzeFiles(files(2048)), "slab-leak")?.owners.map(({ comm }) => comm)).not.toContain(
        "watcher",
      );
    });

    it("are not taken for it when they are too few, or many more than the objects, or the cache is none of theirs", async () => {
      for (const bytes of [40 * MIB, 500 * MIB]) {
        const files = { ...caches(900_000), ...contents([`${bytes} - inotify /proc/7/fd/3`]) };
        expect(await title(files)).toMatch(/^Unreclaimable kernel objects hold/);
      }
      const own = slabinfoText([{ name: "bio-256", size: 256, objects: 900_000 }]);
      const rows = [`${900_000 * 224} - inotify /proc/7/fd/3`];
      expect(await title({ ...caches(900_000), ...contents(rows), "proc/slabinfo": own })).toMatch(
        /^Unreclaimable kernel objects hold/,
      );
    });

    it("count once where a process inherited the queue", async () => {
      const rows = [`${700_000 * 224} - inotify /proc/7/fd/3`, `${700_000 * 224} - inotify /proc/8/fd/3`];
      expect(await title({ ...caches(1_700_000), ...contents(rows) })).toMatch(/^Unreclaimable kernel objects hold/);
      expect(await title({ ...caches(700_000), ...contents(rows) })).toMatch(
        /^Unread file events \(inotify\) of watcher \(pid 7\)/,
      );
    });

    it("count all where each process has its own, as full as the others'", async () => {
      const rows = [8, 9, 10].map((pid) => `${300_000 * 224} - inotify /proc/${pid}/fd/3`);
      const workers = Object.fromEntries(
        [9, 10].map((pid) => [`proc/${pid}/status`, `Name:\twatcher\nPid:\t${pid}\nPPid:\t7\nRssAnon:\t 100 kB\n`]),
      );
      expect(await title({ ...caches(900_000), ...contents(rows), ...workers })).toMatch(
        /^Unread file events \(inotify\) of watcher \(3 processes\)/,
      );
    });

    it("are in no cache of marks, which say what to look at", async () => {
      const files = {
        ...caches(900_000),
        "proc/slabinfo": slabinfoText([{ name: "fanotify_mark", size: 256, objects: 900_000 }]),
        ...contents([`${900_000 * 24} - fanotify /proc/7/fd/3`]),
      };
      expect(await title(files)).toMatch(/^Unreclaimable kernel objects \(file watches\) hold/);
    });
  });

  describe("control groups that are there, whether a process is in them or not", () => {
    const held = (bytes: number) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 60 * MIB + bytes }, 8 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kernfs_node_cache", size: 128, objects: bytes / 512 },
        { name: "kmalloc-4k", size: 4096, objects: bytes / 8192 },
        { name: "kmalloc-192", size: 192, objects: bytes / 768 },
      ]),
    });
    const v1 = (memory: number, others: number, folders: number) => ({
      "proc/cgroups":
        `#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t${others}\t1\ncpuacct\t1\t${others}\t1\nmemory\t4\t${memory}\t1\n`,
      "sos_commands/cgroups/find_.sys.fs.cgroup.memory": Array.from(
        { length: folders },
        (_, i) => `/sys/fs/cgroup/memory/${i}\n`,
      )
        .join(""),
    });

    it("are told of with the places where they are left behind", async () => {
      const finding = findingOf(await analyzeFiles({ ...held(300 * MIB), ...v1(12_000, 5000, 12_000) }), "slab-leak");
      expect(finding).toMatchObject({ confidence: "likely", material: true });
      expect(finding?.title).toMatch(/^17,000 control groups hold about \d{3} MiB, spread over many slab caches/);
      expect(finding?.evidence.map(({ because }) => because).join("\n")).toContain(
        "12,000 control groups here, the most of 2 hierarchies",
      );
      expect(finding?.remedies[0]?.commands[0]).toContain("cgroup.procs");
    });

    it("are counted by cgroup v2 itself", async () => {
      const stat = { "sys/fs/cgroup/cgroup.stat": "nr_descendants 30000\nnr_dying_descendants 0\n" };
      expect(findingOf(await analyzeFiles({ ...held(600 * MIB), ...stat }), "slab-leak")?.title).toMatch(
        /^30,000 control groups hold about/,
      );
    });

    it("are not those that were removed, nor few among much else", async () => {
      const removed = await analyzeFiles({ ...held(300 * MIB), ...v1(12_000, 50, 100) });
      expect(findingOf(removed, "slab-leak")?.title).not.toMatch(/control groups/);
      const few = await analyzeFiles({ ...held(900 * MIB), ...v1(12_000, 50, 12_000) });
      expect(findingOf(few, "slab-leak")?.title).not.toMatch(/control groups/);
    });
  });

  describe("network devices that are there, whether one of them is used or not", () => {
    const table = (names: readonly string[]) =>
      `Inter-|   Receive\n face |bytes    packets\n${names.map((name) => `${name.padStart(6)}: 0 0\n`).join("")}`;
    const numbered = (count: number) => Array.from({ length: count }, (_, i) => `veth${i}`);
    const host = (bytes: number) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 60 * MIB + bytes }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kernfs_node_cache", size: 128, objects: bytes / 512 },
        { name: "kmalloc-cg-4k", size: 4096, objects: bytes / 16_384 },
      ]),
    });
    const namespace = (inode: number) => `sos_commands/networking/namespaces/net-${inode}/proc/net/dev`;

    it("are told of with the namespace that has most of them, where they are listed", async () => {
      const report = await analyzeFiles({
        ...host(270 * MIB),
        "proc/net/dev": table(["lo", "eth0"]),
        [namespace(4_026_532_179)]: table(["lo", ...numbered(6000)]),
      });
      const finding = findingOf(report, "slab-leak");
      expect(finding).toMatchObject({ confidence: "likely", material: true });
      expect(finding?.title).toMatch(/^6,001 network devices hold about \d{3} MiB, spread over many slab caches/);
      expect(finding?.evidence).toContainEqual(expect.objectContaining({ path: namespace(4_026_532_179), line: 4 }));
      expect(finding?.remedies[0]?.commands[0]).toMatch(/^nsenter .* 4026532179 .*ip -br link/);
    });

    it("are not named where they are few among much else, nor by their loopback devices", async () => {
      const few = await analyzeFiles({ ...host(900 * MIB), "proc/net/dev": table(["lo", ...numbered(5000)]) });
      expect(findingOf(few, "slab-leak")?.title).not.toMatch(/network devices/);
      const none = Object.fromEntries(
        Array.from({ length: 4000 }, (_, i) => [namespace(4_026_532_000 + i), table(["lo"])]),
      );
      const loopback = await analyzeFiles({ ...host(270 * MIB), ...none });
      expect(findingOf(loopback, "slab-leak")?.title).not.toMatch(/network devices/);
    });
  });

  it.each([
    ["maple_node", "memory mappings"],
    ["tw_sock_TCPv6", "connections that are closed (TIME_WAIT)"],
    ["request_sock_TCP", "connections that are being opened"],
    ["AF_VSOCK", "sockets"],
    ["TCPv6", "sockets"],
    ["xfrm_state", "states of IPsec"],
    ["bridge_fdb_cache", "addresses behind bridges"],
    ["user_namespace", "namespaces"],
    ["kernfs_node_cache", "files of /sys, some for each device and control group"],
    ["fuse_request", "requests that a FUSE file system has not answered"],
    ["pte_list_desc", "page tables of virtual machines"],
    ["Acpi-Operand", "objects of the firmware's program (ACPI)"],
    ["vmap_area", "areas of vmalloc"],
    ["io_kiocb", "requests of io_uring that have not ended"],
  ])("tells what the objects of %s are", async (name, objects) => {
    const finding = findingOf(await analyzeFiles(slab(1_000_000, name)), "slab-leak");
    expect(finding?.title).toContain(`Unreclaimable kernel objects (${objects}) hold`);
    expect(finding?.remedies[0]?.commands[0]).toBe(finding?.owners[0]?.detail?.split("whose: ")[1]);
  });

  describe("objects that come and go together", () => {
    const host = (trie: { size: number; objects: number }) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 330 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "ip_fib_alias", size: 56, objects: 3_000_000 },
        { name: "ip_fib_trie", ...trie },
        { name: "kmalloc-512", size: 512, objects: 60_000 },
      ]),
    });

    it("dominate together", async () => {
      const finding = findingOf(await analyzeFiles(host({ size: 48, objects: 2_999_990 })), "slab-leak");
      expect(finding?.title).toMatch(/^Unreclaimable kernel objects \(routes\) hold 298 MiB/);
    });

    it("do not where one cache has many more than the other", async () => {
      expect(findingOf(await analyzeFiles(host({ size: 60, objects: 2_400_000 })), "slab-leak")).toBeUndefined();
    });
  });

  describe("sockets that are in use", () => {
    const host = (sockets: number, cache = "TCP") => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 30 * MIB + sockets * 2368 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([{ name: cache, size: 2368, objects: sockets }]),
    });
    const sockstat = (alloc: number) => `sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc ${alloc} mem 1\n`;

    it("are no leak, however many", async () => {
      const report = await analyzeFiles({ ...host(400_000), "proc/net/sockstat": sockstat(400_003) });
      expect(report.verdict).toBe("healthy");
      expect(report.ruledOut.find(({ cause }) => cause === "slab-leak")?.because).toMatch(
        /9\d\d MiB are sockets in use/,
      );
      const sum = { "proc/net/sockstat": "UDP: inuse 1\n", "proc/net/sockstat6": "UDP6: inuse 399999\n" };
      expect((await analyzeFiles({ ...host(400_000, "UDPv6"), ...sum })).verdict).toBe("healthy");
    });

    it("are not those that the kernel does not count", async () => {
      const lost = await analyzeFiles({ ...host(400_000), "proc/net/sockstat": sockstat(1200) });
      expect(findingOf(lost, "slab-leak")?.title).toMatch(/^Unreclaimable kernel objects \(sockets\) hold 9\d\d MiB/);
    });

    it("hide no leak beside them", async () => {
      const { "proc/slabinfo": _, ...rest } = host(400_000);
      const report = await analyzeFiles({
        ...rest,
        "proc/meminfo": meminfoText({ SUnreclaim: 30 * MIB + 400_000 * 2368 + 540_000 * 386 }, 24 * GIB),
        "proc/slabinfo": slabinfoText([
          { name: "TCP", size: 2368, objects: 400_000 },
          { name: "mnt_cache", size: 384, objects: 540_000 },
        ]),
        "proc/net/sockstat": sockstat(400_000),
      });
      expect(findingOf(report, "slab-leak")?.title).toContain("(mounts) hold 199 MiB");
    });
  });

  describe("what descriptors stand for", () => {
    const held = (
      cache: { name: string; size: number; objects: number },
      target: string,
      counts: readonly number[],
    ) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: MIB + cache.size * cache.objects }, 8 * GIB),
      "proc/slabinfo": slabinfoText([cache]),
      "sos_commands/process/descriptor_counts": counts.map((count, i) => `${count} /proc/${7 + i}/fd\n`).join(""),
      "sos_commands/process/descriptor_samples": counts.map((_, i) =>
        `lrwx------ 1 0 0 64 Nov 23 07:13 /proc/${7 + i}/fd/3 -> ${target}\n`
      ).join(""),
      ...Object.fromEntries(
        counts.map((_, i) => [`proc/${7 + i}/status`, `Name:\topener\nPid:\t${7 + i}\nRssAnon:\t 100 kB\n`]),
      ),
    });
    const files = { name: "filp", size: 256, objects: 800_000 };
    const inodes = { name: "shmem_inode_cache", size: 752, objects: 250_000 };

    it("names whose the open files are, of which none is known to be too many", async () => {
      const finding = findingOf(await analyzeFiles(held(files, "/dev/null", [400_000, 300_000])), "slab-leak");
      expect(finding?.title).toMatch(/^Open descriptors of opener \(2 processes\) hold/);
      expect(finding?.owners[0]).toMatchObject({ pid: 7, comm: "opener", count: 700_000 });
      expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 7 8"]);
      const few = findingOf(await analyzeFiles(held(files, "/dev/null", [200_000, 100_000])), "slab-leak");
      expect(few?.title).toMatch(/^Unreclaimable kernel objects \(open files\) hold/);
    });

    // 200 workers have the 4,500 connections of their parent: 900,000 descriptors of 4,500 files.
    it("does not take descriptors that were inherited for as many open files", async () => {
      const workers = await analyzeFiles(held(files, "/dev/null", Array.from({ length: 200 }, () => 4500)));
      expect(findingOf(workers, "slab-leak")?.title).toMatch(/^Unreclaimable kernel objects \(open files\) hold/);
      const few = await analyzeFiles(held(files, "/dev/null", [700_000, 700_000]));
      expect(findingOf(few, "slab-leak")?.owners[0]).toMatchObject({ comm: "opener", count: 700_000 });
    });

    it("does not take memfds for files that somebody has to delete", async () => {
      const finding = findingOf(await analyzeFiles(held(inodes, "/memfd:x (deleted)", [250_000])), "slab-leak");
      expect(finding?.title).toMatch(/^Memfds of opener \(pid 7\) hold/);
      expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 7"]);
    });
  });

  describe("files on tmpfs", () => {
    const files = (inodes: string) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 252 * MIB }, 8 * GIB),
      "proc/slabinfo": slabinfoText([{ name: "shmem_inode_cache", size: 752, objects: 350_000 }]),
      "proc/mounts": "spool /my\\040spool tmpfs rw 0 0\n/dev/vda /data ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n",
      "sos_commands/filesys/df_-ali_-x_autofs": `Filesystem Inodes IUsed IFree IUse% Mounted on\n${inodes}`,
    });

    it("are told of with where they are: they stay whatever program ends", async () => {
      const inodes =
        "spool 1000000 349000 651000 35% /my spool\n/dev/vda 9000000 800000 8200000 9% /data\ntmpfs 1000000 900 999100 1% /run\n";
      const finding = findingOf(await analyzeFiles(files(inodes)), "slab-leak");
      expect(finding?.title).toMatch(/^Files on tmpfs in \/my spool hold 252 MiB/);
      expect(finding?.remedies[0]).toMatchObject({
        text: expect.stringMatching(/^Delete the files/),
        commands: ["du --inodes -x '/my spool' | sort -rn | head"],
      });
    });

    it("are looked for where df does not count them", async () => {
      const finding = findingOf(await analyzeFiles(files("spool 0 0 0 - /my spool\n")), "slab-leak");
      expect(finding?.title).toMatch(/^Unreclaimable kernel objects \(files on tmpfs, memfds or shared memory\) hold/);
      expect(finding?.remedies[0]?.commands[0]).toMatch(/^df -i -t tmpfs; /);
    });
  });

  it("tells of network namespaces, which are in no cache that stands out", async () => {
    const many = (count: number): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 40 * MIB + count * 209 * 1024 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "net_namespace", size: 4288, objects: count },
        { name: "kmalloc-2k", size: 2048, objects: 18 * count },
        { name: "kmalloc-cg-4k", size: 4096, objects: 9 * count },
        { name: "kmalloc-8k", size: 8192, objects: 2 * count },
      ]),
    });
    const finding = findingOf(await analyzeFiles(many(2500)), "slab-leak");
    expect(finding).toMatchObject({ confidence: "likely", material: true });
    expect(finding?.title).toMatch(/^2,500 network namespaces hold about \d{3} MiB, spread over many slab caches/);
    expect(finding?.remedies[0]?.commands[0]).toContain("lsns -t net");
    // These have ended, but for an object each: nothing else of them is left.
    const ended = {
      "proc/meminfo": meminfoText({ SUnreclaim: 200 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "net_namespace", size: 4288, objects: 2500 },
        { name: "proc_dir_entry", size: 192, objects: 3000 },
      ]),
    };
    expect(findingOf(await analyzeFiles(ended), "slab-leak")?.title ?? "").not.toContain("network namespaces hold");
    expect(findingOf(await analyzeFiles(many(100)), "slab-leak")).toBeUndefined();
  });

  it("tells of a tenth of memory that is spread over many caches, and of no less", async () => {
    const spread = (totalBytes: number): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 800 * MIB }, totalBytes),
      "proc/slabinfo": slabinfoText([
        { name: "most", size: 1024, objects: 60_000 },
        ...Array.from({ length: 40 }, (_, i) => ({ name: `cache_${i}`, size: 2048, objects: 9000 })),
      ]),
    });
    const finding = findingOf(await analyzeFiles(spread(4 * GIB)), "slab-leak");
    expect(finding?.title).toMatch(/^Unreclaimable kernel objects hold about 7\d\d MiB, spread over many slab caches/);
    expect(finding?.bytes).toEqual({ low: 700 * MIB, high: 800 * MIB });
    expect(findingOf(await analyzeFiles(spread(24 * GIB)), "slab-leak")).toBeUndefined();
    const small = { ...spread(512 * MIB), "proc/meminfo": meminfoText({ SUnreclaim: 60 * MIB }, 512 * MIB) };
    expect(findingOf(await analyzeFiles(small), "slab-leak")?.title ?? "").not.toContain("spread");
  });

  it("leaves to sockets what packets hold", async () => {
    const packets = {
      "proc/meminfo": meminfoText({ SUnreclaim: 460 * MIB }, 8 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-2k", size: 2048, objects: 190_000 },
        { name: "skbuff_head_cache", size: 256, objects: 190_000 },
      ]),
      "proc/net/udp": udpText([{ bytes: 420 * MIB, drops: 7 }]),
    };
    const report = await analyzeFiles(packets);
    expect(report.findings[0]?.cause).toBe("socket-backlog-udp");
    expect(findingOf(report, "slab-leak")).toBeUndefined();
  });

  it("takes no packets for lost that are in sockets which are read", async () => {
    // 60 sockets of 4 MiB that nobody reads, beside 50 that are read late: slabinfo is of another moment than the sockets.
    const unread = Array.from({ length: 60 }, () => ({ bytes: 4 * MIB, drops: 7 }));
    const look = (read: number) => ({
      "proc/net/udp": udpText([...unread, ...Array.from({ length: 50 }, () => ({ bytes: read * MIB, drops: 0 }))]),
    });
    const packets = {
      "proc/meminfo": meminfoText({ SUnreclaim: 400 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-2k", size: 2048, objects: 165_000 },
        { name: "skbuff_head_cache", size: 256, objects: 165_000 },
      ]),
    };
    const report = await analyzeFiles({ ...packets, ...look(1), ...later(2, look(3)), ...later(4, look(2)) });
    expect(findingOf(report, "socket-backlog-udp")?.bytes.high).toBe(240 * MIB);
    expect(findingOf(report, "slab-leak")).toBeUndefined();
    // Large datagrams lie in pages, and hide no leak of other objects.
    const large = { "proc/net/udp": udpText(Array.from({ length: 60 }, () => ({ bytes: 16 * MIB, drops: 7 }))) };
    const timers = {
      "proc/meminfo": meminfoText({ SUnreclaim: 225 * MIB, SReclaimable: 0 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "mnt_cache", size: 384, objects: 548_000 },
        { name: "kmalloc-2k", size: 2048, objects: 5000 },
        { name: "skbuff_head_cache", size: 256, objects: 30_000 },
      ]),
    };
    const both = await analyzeFiles({ ...timers, ...large });
    expect(findingOf(both, "slab-leak")?.title).toContain("mostly in the slab cache mnt_cache");
  });

  it("is not meant of what unix sockets have in slab, also those that are read", async () => {
    // Linux 6.18: 2,400 pairs of stream sockets that are read in turns, each with some hundred writes of 600 bytes.
    const look = (bytes: number): { [path: string]: string } => ({
      "sos_commands/networking/ss_-xanm": `Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port\n${
        Array.from(
          { length: 2400 },
          (_, i) =>
            `u_str ESTAB 0 ${bytes} * ${2 * i + 1} * ${
              2 * i + 2
            } skmem:(r0,rb212992,t${bytes},tb212992,f0,w0,o0,bl0,d0)\n`,
        ).join("")
      }`,
    });
    const slab = (cg: string): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 349 * MIB, SReclaimable: 0 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: cg, size: 1024, objects: 223_832 },
        { name: "skbuff_head_cache", size: 256, objects: 222_560 },
        { name: "kmalloc-cg-4k", size: 4096, objects: 100 },
        { name: "kmalloc-192", size: 192, objects: 40_000 },
      ]),
    });
    const busy = [look(119_040), later(2, look(60_160)), later(4, look(119_040))];
    const report = await analyzeFiles(Object.assign(slab("kmalloc-cg-1k"), ...busy));
    expect(findingOf(report, "slab-leak")).toBeUndefined();
    // Their data are never here: what is in pages hides no packets of others.
    const others = await analyzeFiles(Object.assign(slab("kmalloc-1k"), ...busy));
    expect(findingOf(others, "slab-leak")?.title).toContain("Network packets in no socket that is known");
  });

  it("is likely of packets in no socket where all sockets were captured, else only possible", async () => {
    const packets = {
      "proc/meminfo": meminfoText({ SUnreclaim: 460 * MIB }, 8 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-2k", size: 2048, objects: 190_000 },
        { name: "skbuff_head_cache", size: 256, objects: 190_000 },
      ]),
    };
    const sockets = { "proc/net/udp": udpText([]) };
    const finding = findingOf(await analyzeFiles({ ...packets, ...sockets }), "slab-leak");
    expect(finding).toMatchObject({ confidence: "likely", material: true });
    expect(finding?.title).toMatch(/^Network packets in no socket that is known hold 4\d\d MiB/);
    // In whichever network namespace they wait.
    expect(finding?.owners[0]?.detail).toMatch(/lsns -t net .*nsenter -t \$pid -n .*nfnetlink_queue/);
    expect(finding?.owners[0]?.detail).toContain("^iff:");
    // What MPTCP sockets are charged for lies in pages.
    const streams = {
      ...sockets,
      "sos_commands/networking/ss_-peaonmi":
        `Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\nmptcp ESTAB 422576128 0 127.0.0.1:42539 127.0.0.1:37350 ino:7206869 sk:23965 cgroup:/ <->\n\t skmem:(r422576128,rb629145600,t0,tb3943936,f102336,w0,o0,bl0,d0) subflows_max:2\n`,
    };
    expect(findingOf(await analyzeFiles({ ...packets, ...streams }), "slab-leak")?.bytes).toEqual(finding?.bytes);
    const unprivileged = { "nailhouse.json": JSON.stringify({ ...manifest, privileged: false }) };
    for (const files of [packets, { ...packets, ...sockets, ...unprivileged }]) {
      expect(findingOf(await analyzeFiles(files), "slab-leak")?.confidence).toBe("possible");
    }
    // From inside of a container, whose processes have no kthreadd, the host's sockets are looked for first.
    const status = (pid: number, name: string) => ({ [`proc/${pid}/status`]: `Name:\t${name}\nPid:\t${pid}\n` });
    const [inside, outside] = await Promise.all(
      [status(1, "sh"), status(2, "kthreadd")].map(async (seen) =>
        findingOf(await analyzeFiles({ ...packets, ...sockets, ...seen }), "slab-leak")?.remedies[0]?.commands[0]
      ),
    );
    expect(inside).toContain("nsenter --net");
    expect(outside).not.toContain("nsenter --net");
    // Without a list of sockets they may be in any.
    const unlisted = findingOf(await analyzeFiles({ ...packets, ...status(2, "kthreadd") }), "slab-leak");
    expect(unlisted?.remedies[0]?.commands[0]).toContain("ss -anpm");
  });

  it("finds a leak beside queued packets that are larger", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SUnreclaim: 622 * MIB }, 8 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-2k", size: 2048, objects: 190_000 },
        { name: "skbuff_head_cache", size: 256, objects: 190_000 },
        { name: "foo", size: 384, objects: 540_000 },
      ]),
      "proc/net/udp": udpText([{ bytes: 420 * MIB, drops: 7 }]),
    });
    expect(report.findings.map(({ cause }) => cause)).toEqual(["socket-backlog-udp", "slab-leak"]);
    expect(findingOf(report, "slab-leak")?.bytes.high).toBeLessThan(1.15 * 540_000 * 384);
    expect(findingOf(report, "slab-leak")?.owners[0]?.comm).toBe("foo");
  });

  it("finds a leak beside packets of twenty times its size", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SUnreclaim: 4563 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-2k", size: 2048, objects: 1_900_000 },
        { name: "skbuff_head_cache", size: 256, objects: 1_900_000 },
        { name: "foo", size: 384, objects: 540_000 },
      ]),
      "proc/net/udp": udpText(Array.from({ length: 7 }, () => ({ bytes: 620 * MIB, drops: 7 }))),
    });
    expect(findingOf(report, "slab-leak")?.owners[0]?.comm).toBe("foo");
  });

  it("finds kmalloc of whole pages, which is in no cache", async () => {
    const files = {
      ...slab(0),
      "proc/meminfo": meminfoText({ SUnreclaim: 414 * MIB, SReclaimable: 146 * MIB }, 24 * GIB),
    };
    const [owner] = findingOf(await analyzeFiles(files), "slab-leak")?.owners ?? [];
    expect(owner?.comm).toContain("kmalloc of more than two pages");
    // SLUB keeps no callers of what it passes on to the page allocator.
    expect(owner?.detail).toContain("vm.mem_profiling=1");
    expect(owner?.detail).not.toContain("slub_debug");
  });

  it("takes nothing that a slabinfo leaves out, cut off or filtered, for kmalloc of whole pages", async () => {
    // grep -e skb -e kmalloc-1k: https://github.com/raspberrypi/linux/issues/6549
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ SUnreclaim: 9 * GIB }, 24 * GIB),
      "proc/slabinfo":
        "kmalloc-1k           661    670   3072   10    8 : tunables    0    0    0 : slabdata     67     67      0\n",
    });
    expect(findingOf(report, "slab-leak")).toBeUndefined();
    expect(report.notAssessed).toContainEqual(
      expect.objectContaining({ cause: "slab-leak", missing: [expect.stringContaining("cut off, or filtered")] }),
    );
  });

  it("quotes what slub_debug, kmemleak and allocation profiling say", async () => {
    const finding = findingOf(
      await analyzeFiles({
        ...slab(540_000),
        "sys/kernel/debug/slab/mnt_cache/alloc_traces": "  539000 foo_alloc+0x1/0x2 age=1/2/3\n",
        "sys/kernel/debug/kmemleak":
          "unreferenced object 0xffff (size 384):\n  backtrace:\n    foo_open+0x1/0x2 [foo]\n",
        "proc/allocinfo": "allocinfo - version: 1.0\n 207360000 540000 drivers/foo/a.c:12 [foo] func:foo_alloc\n",
      }),
      "slab-leak",
    );
    expect(finding?.evidence.map(({ path }) => path)).toEqual([
      "proc/meminfo",
      "proc/slabinfo",
      "sys/kernel/debug/slab/mnt_cache/alloc_traces",
      "sys/kernel/debug/kmemleak",
      "proc/allocinfo",
    ]);
  });

  it.each([512 * MIB, 128 * GIB])("accuses no host of %i bytes with a normal slab", async (totalBytes) => {
    const files = {
      "proc/meminfo": meminfoText({ SUnreclaim: 0.03 * totalBytes }, totalBytes),
      "proc/slabinfo": slabinfoText(Array.from({ length: 100 }, (_, i) => ({
        name: `kmalloc-${i}`,
        size: 512,
        objects: Math.round((0.0003 * totalBytes) / 512),
      }))),
    };
    const report = await analyzeFiles(files);
    expect(findingOf(report, "slab-leak")).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("finds a leak on a host of 512 MB, and gigabytes on one of 128 GB", async () => {
    expect(findingOf(await analyzeFiles(slab(200_000, "foo", 512 * MIB)), "slab-leak")).toMatchObject({
      confidence: "likely",
    });
    expect(findingOf(await analyzeFiles(slab(40_000_000, "foo", 128 * GIB)), "slab-leak")).toMatchObject({
      confidence: "likely",
    });
  });

  it("accuses neither ZFS nor KSM of what follows from their work", async () => {
    for (const name of ["dnode_t", "ksm_rmap_item"]) {
      expect(findingOf(await analyzeFiles(slab(2_000_000, name)), "slab-leak")).toBeUndefined();
    }
  });

  it("accuses nobody of what XFS keeps of the inodes that were changed, and of what is beyond that", async () => {
    // Linux 6.18, after 200,000 files were written: two vectors of its log for some of the inodes, which go with them.
    const xfs = (inThousandBytes: number): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 84 * MIB + inThousandBytes * 1024, SReclaimable: 242 * MIB }),
      "proc/slabinfo": slabinfoText([
        { name: "xfs_inode", size: 1024, objects: 200_016 },
        { name: "xfs_ili", size: 208, objects: 200_013 },
        { name: "kmalloc-1k", size: 1024, objects: inThousandBytes },
        { name: "kmalloc-512", size: 512, objects: 121_952 },
        { name: "kmalloc-192", size: 192, objects: 54_894 },
      ]),
    });
    expect(findingOf(await analyzeFiles(xfs(119_840)), "slab-leak")).toBeUndefined();
    const more = findingOf(await analyzeFiles(xfs(1_600_000)), "slab-leak");
    expect(more).toMatchObject({ confidence: "likely", material: true });
    expect(more?.bytes.high).toBeCloseTo((1_600_000 - 2 * 200_013) * 1024, -7);
  });

  it("does not take a few objects for a leak", async () => {
    expect(findingOf(await analyzeFiles(slab(6000)), "slab-leak")).toBeUndefined();
  });

  it("is not assessed without slabinfo, which only root may read", async () => {
    const { "proc/slabinfo": _, ...rest } = slab(540_000);
    expect((await analyzeFiles(rest)).notAssessed).toContainEqual(
      expect.objectContaining({ cause: "slab-leak", missing: ["proc/slabinfo"] }),
    );
  });

  // https://github.com/samber/awesome-prometheus-alerts/pull/50: a fifth of memory, and meminfo alone.
  it("without slabinfo calls no host healthy that has a tenth of memory in it", async () => {
    const verdict = async (bytes: number): Promise<string> =>
      (await analyzeFiles({ "proc/meminfo": meminfoText({ SUnreclaim: bytes }, 16 * GIB) })).verdict;
    expect(await verdict(3.2 * GIB)).toBe("insufficient-evidence");
    expect(await verdict(0.8 * GIB)).toBe("healthy");
  });

  // https://github.com/coreos/bugs/issues/2637: slabtop alone, of a leak in SELinux' policy code.
  const EBITMAP = ` Active / Total Size (% used)       : 47121380.33K / 47376581.93K (99.5%)

  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME
734506368 734506368 100%    0.06K 11476662       64  45906648K ebitmap_node
328160  80830  24%    0.50K  10255       32    164080K kmalloc-512
382641 323093  84%    0.19K   9125       42     73000K dentry
`;

  it("without meminfo names the largest caches, and accuses nobody", async () => {
    const report = await analyzeFiles({ "sos_commands/memory/slabtop_-o": EBITMAP });
    expect(report.verdict).toBe("insufficient-evidence");
    expect(findingOf(report, "slab-leak")).toMatchObject({
      title:
        "the slab cache ebitmap_node has 43.8 GiB in use that cannot be reclaimed; the size of the host is not told",
      confidence: "possible",
      material: false,
    });
  });

  const free = (total: number): { [path: string]: string } => ({
    "sos_commands/memory/free":
      `               total        used        free      shared  buff/cache   available\nMem:           ${total}Gi        50Gi       504Mi       1.0Mi       474Mi       320Mi\n`,
  });

  it("beside free judges the largest caches by the size of the host", async () => {
    const of = async (total: number, slabtop: string) =>
      findingOf(await analyzeFiles({ "sos_commands/memory/slabtop_-o": slabtop, ...free(total) }), "slab-leak");
    expect(await of(62, EBITMAP)).toMatchObject({
      title: "the slab cache ebitmap_node has 43.8 GiB (70.6 % of memory) in use that cannot be reclaimed",
      confidence: "likely",
      material: true,
    });
    // Less than a tenth of memory.
    expect(await of(900, EBITMAP)).toMatchObject({ confidence: "possible", material: false });
    // github.com/xmm7360/xmm7360-pci#131: packets, which may be in sockets as well as lost.
    const packets = EBITMAP.replace("ebitmap_node", "kmalloc-2k");
    expect(await of(62, packets)).toMatchObject({ confidence: "possible", material: false });
  });

  it("is not assessed where neither meminfo nor a large cache is there", async () => {
    const small = EBITMAP.replace(/^734.*\n/m, "");
    for (const meminfo of [{}, { "proc/meminfo": "MemTotal: 1000000 kB\nMemFree: 900000 kB\n" }]) {
      const report = await analyzeFiles({ "sos_commands/memory/slabtop_-o": small, ...meminfo });
      expect(report.notAssessed).toContainEqual(
        expect.objectContaining({ cause: "slab-leak", missing: ["proc/meminfo"] }),
      );
    }
  });

  it("survives hostile numbers and names", async () => {
    const files = slab(540_000, "mnt$(reboot)");
    const report = await analyzeFiles({
      ...files,
      "proc/slabinfo": `${files["proc/slabinfo"]}x 1 1 9007199254740993 1 1 : tunables 0 0 0 : slabdata 1 1 0\n`,
    });
    expect(findingOf(report, "slab-leak")?.remedies.flatMap(({ commands }) => commands).join("\n")).not.toContain(
      "$(reboot)",
    );
    expect(report.warnings.filter((warning) => warning.includes("slabinfo"))).toHaveLength(1);
  });
});
