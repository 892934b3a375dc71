import { describe, expect, it } from "vitest";
import { answerOf } from "../../src/render/_summary.ts";
import { analyzeFiles, findingOf, meminfoText, udpText } from "./_bundle.ts";
import { tcpText } from "./_sockets.ts";
import { later, slabinfoText, VMSTAT, ZONEINFO } from "./_kernel.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ID = "unattributed-kernel";

function hidden(bytes: number, totalBytes = 24 * GIB): { [path: string]: string } {
  return { "proc/meminfo": meminfoText({}, totalBytes, bytes), "proc/vmstat": VMSTAT, "proc/zoneinfo": ZONEINFO };
}

describe("unattributed-kernel", () => {
  it("sizes what nobody has, and says what to switch on", async () => {
    const report = await analyzeFiles({
      ...hidden(400 * MIB),
      "proc/net/sockstat": "TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 2\nUDP: inuse 0 mem 0\n",
      "proc/modules": "virtio_balloon 28672 0 - Live 0x0000000000000000\n",
    });
    const finding = findingOf(report, ID);
    expect(finding).toMatchObject({
      confidence: "possible",
      material: false,
      bytes: { low: 400 * MIB, high: 400 * MIB },
    });
    expect(finding?.remedies.flatMap(({ commands }) => commands)).toEqual(
      expect.arrayContaining(["sysctl vm.mem_profiling=1"]),
    );
    expect(finding?.evidence.map(({ because }) => because).join("\n")).toMatch(
      /TCP sockets are charged 8\.00 KiB[^]*no zram[^]*no balloon/,
    );
  });

  describe("of free and a list of processes, which is all that many have", () => {
    const free = `               total        used        free      shared  buff/cache   available
Mem:           15885       14012         431          12        1441        1502
Swap:           2047           0        2047
`;
    const [kthreadd, itself] = [
      "root 2 0.0 0.0 0 0 ? S Nov20 0:00 [kthreadd]",
      "root 999 0.0 0.0 9000 4000 pts/0 R+ 12:00 0:00 ps aux",
    ];
    const ps = (...rows: string[]) => `USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n${rows.join("\n")}\n`;
    const mysqld = (rssKib: number) => `mysql 1201 2.0 6.1 9999999 ${rssKib} ? Ssl Nov20 301:11 /usr/sbin/mysqld`;
    const analyzed = async (table: string) =>
      await analyzeFiles({ "sos_commands/memory/free": free, "sos_commands/process/ps_auxwww": table });

    it("tells how much is in no process", async () => {
      const report = await analyzed(ps(kthreadd as string, mysqld(1_000_000), itself as string));
      const [unaccounted, rss] = [13.668 * GIB, 1_004_000 * 1024];
      expect(report).toMatchObject({ verdict: "insufficient-evidence" });
      expect(findingOf(report, ID)).toMatchObject({ confidence: "possible", material: true });
      expect(findingOf(report, ID)?.bytes.low).toBeCloseTo(unaccounted - rss, -8);
      expect(findingOf(report, ID)?.title).toBe(
        "12.7 GiB or more of the memory in use is in no process: all 2 that ps lists have 980 MiB (RSS)",
      );
      expect(answerOf(report)).toMatchObject({
        finding: { cause: ID },
        otherwise: expect.stringMatching(/^Capture more .*nailhouse collect.*12\.7 GiB or more/) as string,
      });
      const own = report.notAssessed.map((each) => ({ ...each, howToCapture: ["nailhouse collect as root"] }));
      expect(answerOf({ ...report, notAssessed: own }).otherwise).toMatch(/^See the candidates, below\. /);
    });

    it("tells it of smem -w, which sums up the processes, and that a host of processes has little", async () => {
      const smem = (kernel: number, anon: number): string =>
        "Area                           Used      Cache   Noncache\n" +
        `kernel dynamic memory ${kernel + 2_000_000} 2000000 ${kernel}\nuserspace memory ${
          anon + 200_000
        } 200000 ${anon}\n` +
        "free memory 4000000 4000000 0\n";
      const of = async (text: string) => await analyzeFiles({ "sos_commands/memory/free": text });
      const report = await of(smem(8_000_000, 1_000_000));
      expect(findingOf(report, ID)).toMatchObject({ bytes: { low: 8_000_000 * 1024, high: 8_000_000 * 1024 } });
      expect(findingOf(report, ID)?.title).toBe(
        "7.63 GiB of the memory in use is in no process: all of them have 977 MiB of their own",
      );
      expect(report.ledger?.missing).toEqual([
        "all of the kernel's (free and top do not tell them; cat /proc/meminfo)",
      ]);
      expect(findingOf(await of(smem(400_000, 8_600_000)), ID)).toBeUndefined();
    });

    it.each([
      ["a process has it", ps(kthreadd as string, mysqld(13_900_000), itself as string)],
      ["the list was cut off: it lacks ps itself", ps(kthreadd as string, mysqld(1_000_000))],
      ["the list is a container's: it lacks the kernel's threads", ps(mysqld(1_000_000), itself as string)],
    ])("tells nothing where %s", async (_, table) => {
      expect(findingOf(await analyzed(table), ID)).toBeUndefined();
    });
  });

  it("is of sockets that the bundle does not show where the kernel counts as much for them", async () => {
    // Linux 6.18: a sosreport of 150 connections in a namespace that `ip netns` does not list.
    const files = (received: number): { [path: string]: string } => ({
      ...hidden(587 * MIB),
      "proc/net/sockstat": "TCP: inuse 1 orphan 0 tw 0 alloc 302 mem 145777\nUDP: inuse 0 mem 0\n",
      "proc/net/tcp": tcpText([{ local: 1, remote: 2, rx: received, inode: 7 }]),
    });
    const finding = findingOf(await analyzeFiles(files(0)), ID);
    expect(finding).toMatchObject({ confidence: "possible", material: true, bytes: { low: 145_777 * 4096 } });
    expect(finding?.title).toMatch(/^TCP sockets that this bundle does not show hold 569 MiB/);
    expect(finding?.evidence.map(({ because }) => because).join()).not.toContain("no socket buffers: all TCP");
    expect(finding?.remedies[0]?.commands[0]).toContain("ss -tanpm");
    // Shown, and read: a slow reader's.
    const read = {
      ...files(500 * MIB),
      "history/2026-01-01T00:00:05.000Z/proc/net/tcp": files(400 * MIB)["proc/net/tcp"] as string,
    };
    const report = await analyzeFiles(read);
    expect(findingOf(report, ID)).toBeUndefined();
    expect(report.ruledOut.find(({ cause }) => cause === ID)?.because).toContain(
      "up to 569 MiB of it by queues of TCP",
    );
  });

  it("leaves out what streams have on their way, and none of what others hold, or nobody reads", async () => {
    // Linux 6.18: 150 connections of a server whose clients are slow, 1.68 GiB in no account, as much as TCP is charged.
    const connections = (rx: number): string =>
      tcpText(Array.from({ length: 150 }, (_, i) => ({ local: 7300, remote: 30_000 + i, rx, inode: 9000 + i })));
    const host = (rest: number, ...looks: readonly number[]): { [path: string]: string } => ({
      ...hidden(rest, 8 * GIB),
      ...Object.fromEntries(
        looks.map((rx, i) => [
          i === 0 ? "proc/net/tcp" : `history/2026-01-01T00:00:0${i}.000Z/proc/net/tcp`,
          connections(rx),
        ]),
      ),
    });
    const busy = await analyzeFiles(host(1720 * MIB, 12 * MIB, 11 * MIB, 12 * MIB));

    expect(busy).toMatchObject({ verdict: "healthy", findings: [] });
    // Beside a driver's gigabytes they are told, and what remains is still too much.
    const beside = await analyzeFiles(host(3 * GIB, 12 * MIB, 11 * MIB, 12 * MIB));
    expect(findingOf(beside, ID)).toMatchObject({ material: true, bytes: { high: 3 * GIB - 1800 * MIB } });
    expect(findingOf(beside, ID)?.evidence.map(({ because }) => because)).toContain(
      "up to 1.76 GiB are left out: queues of TCP and unix sockets",
    );
    // Nobody reads: another cause's, and not left out twice.
    const stuck = await analyzeFiles(host(3 * GIB, 12 * MIB, 12 * MIB, 12 * MIB));
    expect(findingOf(stuck, "socket-backlog-tcp-recv")?.bytes.high).toBe(1800 * MIB);
    expect(findingOf(stuck, ID)?.bytes.high).toBe(3 * GIB - 1800 * MIB);
  });

  it("is material from a tenth of memory on: then the verdict is that it is unexplained", async () => {
    const report = await analyzeFiles(hidden(4 * GIB));
    expect(findingOf(report, ID)).toMatchObject({ confidence: "possible", material: true });
    expect(report.verdict).toBe("unexplained");
  });

  it("is not assessed where the rest may be what vmalloc has, unless it is a tenth of memory", async () => {
    // Linux 4.18: pcp's qa/linux/meminfo-root-006.tgz, 93 MiB of 3.7 GiB.
    const old = { VmallocUsed: 0, VmallocChunk: 0 };
    const files = (rest: number): { [path: string]: string } => ({
      ...hidden(rest),
      "proc/meminfo": meminfoText(old, 3871596 * 1024, rest),
    });
    const report = await analyzeFiles(files(93 * MIB));
    expect(findingOf(report, ID)).toBeUndefined();
    expect(report.notAssessed.find(({ cause }) => cause === ID)?.missing).toEqual(["proc/vmallocinfo"]);
    expect(findingOf(await analyzeFiles(files(GIB)), ID)).toMatchObject({ material: true });
  });

  it("gets only what other causes leave, whatever their confidence", async () => {
    // A census without fragment blocks: then nothing is amplified.
    const files = {
      "proc/net/udp": udpText([{ bytes: 500 * MIB, drops: 3 }]),
      "proc/slabinfo": slabinfoText([{ name: "kmalloc-2k", size: 2048, objects: 16 }]),
      "sos_commands/memory/page_flags":
        "# nailhouse page-flags census\n# pages_total 16\n# pages_read 16\n0 0x0400 16 BUDDY\n",
    };
    const report = await analyzeFiles({ ...hidden(1000 * MIB), ...files });
    expect(report.findings[0]?.cause).toBe("socket-backlog-udp");
    expect(findingOf(report, ID)?.bytes.high).toBeGreaterThan(490 * MIB);
    expect(findingOf(report, ID)?.bytes.high).toBeLessThanOrEqual(520 * MIB);
    expect(findingOf(await analyzeFiles({ ...hidden(500 * MIB), ...files }), ID)).toBeUndefined();
  });

  it("grows when it grew in every snapshot", async () => {
    const files = { ...hidden(400 * MIB), ...later(60, hidden(700 * MIB)), ...later(120, hidden(1000 * MIB)) };
    const finding = findingOf(await analyzeFiles(files), ID);
    expect(finding).toMatchObject({
      confidence: "possible",
      material: true,
      growthBytesPerSecond: { low: 5 * MIB, high: 5 * MIB },
    });
  });

  it("is likely when allocation profiling names the caller of most of it", async () => {
    const finding = findingOf(
      await analyzeFiles({
        ...hidden(500 * MIB),
        "proc/allocinfo": `allocinfo - version: 1.0
  900000000 219726 mm/filemap.c:1950 func:__filemap_get_folio
  800000256 3 drivers/net/bar.c:3 func:not_whole_pages
  ${12 * MIB} 3072 drivers/net/foo/tx.c:80 [foo] func:foo_alloc_tx
  ${480 * MIB} 122880 drivers/net/foo/rx.c:114 [foo] func:foo_alloc_rx
`,
      }),
      ID,
    );
    expect(finding).toMatchObject({
      confidence: "likely",
      material: true,
      bytes: { high: 480 * MIB },
      owners: [{ comm: "foo_alloc_rx [foo]" }],
    });
    expect(finding?.title).toMatch(/^foo_alloc_rx \[foo\] holds 480 MiB/);
  });

  it("is likely when page_owner names the call stack of most of it", async () => {
    const finding = findingOf(
      await analyzeFiles({
        ...hidden(500 * MIB),
        "sys/kernel/debug/page_owner_stacks/show_stacks":
          " post_alloc_hook+0x1/0x2\n get_page_from_freelist+0x1/0x2\n alloc_pages_noprof+0x1/0x2\n foo_alloc_rx+0x4a/0x120 [foo]\n foo_poll+0x1/0x2 [foo]\nnr_base_pages: 122880\n\n" +
          " __alloc_pages+0x1/0x2\n new_slab+0x1/0x2\n kmem_cache_alloc+0x1/0x2\nnr_base_pages: 400000\n\n",
      }),
      ID,
    );
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ comm: "foo_alloc_rx [foo]", bytes: 480 * MIB }] });
  });

  it("leaves out what ZFS and XFS cache, which they give back", async () => {
    const zfs = await analyzeFiles({
      ...hidden(6 * GIB),
      "proc/spl/kstat/zfs/arcstats": `name type data\nsize 4 ${6 * GIB}\n`,
    });
    expect(findingOf(zfs, ID)).toBeUndefined();
    expect(zfs.verdict).toBe("healthy");
    expect(zfs.ruledOut).toContainEqual(
      expect.objectContaining({ cause: ID, because: expect.stringContaining("ARC of ZFS") }),
    );
    const xfs = await analyzeFiles({
      ...hidden(600 * MIB),
      "proc/slabinfo": slabinfoText([{ name: "xfs_buf", size: 384, objects: 150_000 }]),
    });
    expect(findingOf(xfs, ID)).toBeUndefined();
  });

  it("names buffers that tell their own size, and how they are made smaller", async () => {
    const buffers = {
      "sys/kernel/tracing/buffer_total_size_kb": `${100 * 1024}\n`,
      "sys/kernel/debug/tracing/buffer_total_size_kb": `${100 * 1024}\n`,
      "sys/kernel/tracing/instances/agent/buffer_total_size_kb": `${200 * 1024}\n`,
      "proc/7/status": `Name:\tagent\nVmPin:\t${60 * 1024} kB\nVmRSS:\t${20 * 1024} kB\nRssAnon:\t${10 * 1024} kB\n`,
      "sys/block/md0/md/stripe_cache_size": "8192\n",
      "sys/block/md0/md/raid_disks": "4 (3)\n",
    };
    const finding = findingOf(await analyzeFiles({ ...hidden(500 * MIB), ...buffers }), ID);
    expect(finding).toMatchObject({
      title:
        "ftrace's instance agent and 3 others hold 478 MiB of kernel pages in buffers that are in no account of /proc/meminfo",
      confidence: "likely",
      material: true,
      bytes: { low: 478 * MIB, high: 478 * MIB },
      owners: [
        { comm: "ftrace's instance agent", bytes: 200 * MIB },
        { comm: "md0", bytes: 128 * MIB, count: 8192 },
        { comm: "ftrace", bytes: 100 * MIB },
        // Of what it pins, not what is its own.
        { comm: "agent", pid: 7, bytes: 50 * MIB },
      ],
    });
    expect(finding?.remedies.flatMap(({ commands }) => commands)).toEqual(
      expect.arrayContaining([
        "echo 1408 > /sys/kernel/tracing/instances/agent/buffer_size_kb",
        "echo 1408 > /sys/kernel/tracing/buffer_size_kb",
        "echo 256 > /sys/block/md0/md/stripe_cache_size",
        "kill -TERM 7",
      ]),
    );
  });

  it("names many small buffers of one kind together, and how all of them are made smaller", async () => {
    const traced: { [path: string]: string } = {};
    for (let i = 0; i < 20; i++) {
      traced[`sys/kernel/tracing/instances/a${i}/buffer_total_size_kb`] = `${20 * 1024}\n`;
    }
    const instances = findingOf(await analyzeFiles({ ...hidden(400 * MIB), ...traced }), ID);
    expect(instances).toMatchObject({
      title:
        "ftrace's 20 instances hold 400 MiB of kernel pages in their ring buffers that are in no account of /proc/meminfo",
      confidence: "likely",
      owners: [{ pid: null, comm: "ftrace's 20 instances", bytes: 400 * MIB, count: 20 }],
    });
    expect(instances?.remedies[0]?.commands[1]).toMatch(
      /^for f in \/sys\/kernel\/tracing\/instances\/a0 .*\/a9; do echo 1408 > "\$f"\/buffer_size_kb; done$/,
    );
    const pinned: { [path: string]: string } = {};
    for (let pid = 10; pid < 30; pid++) {
      pinned[`proc/${pid}/status`] = `Name:\tagent\nPid:\t${pid}\nVmPin:\t${
        20 * 1024
      } kB\nVmRSS:\t100 kB\nRssAnon:\t0 kB\n`;
    }
    expect(findingOf(await analyzeFiles({ ...hidden(400 * MIB), ...pinned }), ID)).toMatchObject({
      title:
        "agent (20 processes) hold 400 MiB of kernel pages in the ring buffers of their perf events that are in no account of /proc/meminfo",
      confidence: "likely",
      owners: [{ pid: 10, comm: "agent", bytes: 400 * MIB, count: 20 }],
      remedies: [{ commands: [expect.stringMatching(/^pkill -TERM -x agent$/)] }, {}],
    });
  });

  it("takes all that a process pins for perf's where it has such descriptors, and nothing where io_uring may have it", async () => {
    const status = `Name:\tagent\nVmPin:\t${400 * 1024} kB\nVmRSS:\t${90 * 1024} kB\nRssAnon:\t${90 * 1024} kB\n`;
    const bytesOf = async (kind: string) => {
      const link = `lrwx------ 1 0 0 64 Nov 29 12:41 /proc/7/fd/3 -> anon_inode:[${kind}]\n`;
      const files = { "proc/7/status": status, "sos_commands/process/descriptor_samples": link };
      return findingOf(await analyzeFiles({ ...hidden(400 * MIB), ...files }), ID)?.owners[0];
    };
    expect(await bytesOf("perf_event")).toMatchObject({ comm: "agent", bytes: 400 * MIB });
    expect(await bytesOf("eventpoll")).toMatchObject({ comm: "agent", bytes: 310 * MIB });
    expect(await bytesOf("io_uring")).toMatchObject({ comm: "unknown" });
  });

  it("leaves buffers out that are the smaller part, and those that are larger than all there is", async () => {
    const traced = (mib: number) => ({ "sys/kernel/tracing/buffer_total_size_kb": `${mib * 1024}\n` });
    const smaller = findingOf(await analyzeFiles({ ...hidden(1000 * MIB), ...traced(300) }), ID);
    expect(smaller).toMatchObject({ confidence: "possible", bytes: { high: 700 * MIB } });
    expect(smaller?.evidence.map(({ because }) => because)).toContainEqual(
      "300 MiB are left out, which ftrace has: the ring buffers of all CPUs, full or not",
    );
    const larger = findingOf(await analyzeFiles({ ...hidden(1000 * MIB), ...traced(3000) }), ID);
    expect(larger).toMatchObject({
      confidence: "possible",
      bytes: { high: 1000 * MIB },
      owners: [{ comm: "unknown" }],
    });
  });

  it("leaves out what network cards receive into, at most", async () => {
    const ethtool = (rings: number): { [path: string]: string } => ({
      "sos_commands/networking/ethtool_-g_eth0":
        "Ring parameters for eth0:\nPre-set maximums:\nRX:\t\t8192\nTX:\t\t8192\nCurrent hardware settings:\nRX:\t\t4096\nRX Mini:\tn/a\nTX:\t\t1024\n",
      "sos_commands/networking/ethtool_-l_eth0":
        `Channel parameters for eth0:\nPre-set maximums:\nCombined:\t64\nCurrent hardware settings:\nRX:\t\tn/a\nCombined:\t${rings}\n`,
    });
    const report = await analyzeFiles({ ...hidden(500 * MIB), ...ethtool(32) });
    expect(report.ruledOut.find(({ cause }) => cause === ID)?.because).toContain(
      "up to 512 MiB of it by the receive rings of eth0: 32 rings of 4,096 packets, each with a page",
    );
    const finding = findingOf(await analyzeFiles({ ...hidden(500 * MIB), ...ethtool(4) }), ID);
    expect(finding?.bytes.high).toBe(436 * MIB);
  });

  it("leaves out what the device mapper caches", async () => {
    const files = { "sys/module/dm_bufio/parameters/allocated_get_free_pages_bytes": `${450 * MIB}\n` };
    const report = await analyzeFiles({ ...hidden(500 * MIB), ...files });
    expect(report.ruledOut.find(({ cause }) => cause === ID)?.because).toContain("up to 450 MiB of it by blocks");
  });

  it.each([[512 * MIB, 40 * MIB], [24 * GIB, 200 * MIB], [128 * GIB, 1200 * MIB]])(
    "leaves a host of %i bytes alone when its drivers hold %i",
    async (totalBytes, bytes) => {
      const report = await analyzeFiles(hidden(bytes, totalBytes));
      expect(findingOf(report, ID)).toBeUndefined();
      expect(report.verdict).toBe("healthy");
    },
  );

  it("is not assessed where free per-CPU lists or zspages would be taken for it", async () => {
    for (const path of ["proc/zoneinfo", "proc/vmstat", "proc/meminfo"]) {
      const { [path]: _, ...rest } = hidden(4 * GIB);
      expect((await analyzeFiles(rest)).notAssessed).toContainEqual(
        expect.objectContaining({ cause: ID, missing: [path] }),
      );
    }
  });

  it("is not assessed where the page size is not known", async () => {
    const report = await analyzeFiles({ ...hidden(4 * GIB), "nailhouse.json": "{}" });
    expect(report.notAssessed).toContainEqual(expect.objectContaining({ cause: ID, missing: ["the page size"] }));
  });

  it("says nothing of a ledger that is overdrawn", async () => {
    expect(findingOf(await analyzeFiles(hidden(-300 * MIB)), ID)).toBeUndefined();
  });

  it("takes what ZFS tells for usual where nothing else tells of pages: grep of arcstats, and arc_summary", async () => {
    const memory = { "proc/meminfo": meminfoText({}, 16 * GIB, 6 * GIB) };
    for (
      const text of [
        "c_max 4 8589934592\nsize                 4    6442450944\n",
        "ARC size (current):     99.9 %   6.0 GiB\n",
      ]
    ) {
      const report = await analyzeFiles({ ...memory, "proc/spl/kstat/zfs/arcstats": text });
      expect(report.verdict).toBe("healthy");
      expect(report.notAssessed.find(({ cause }) => cause === ID)?.missing).toEqual(["proc/zoneinfo", "proc/vmstat"]);
    }
    expect((await analyzeFiles(memory)).verdict).toBe("unexplained");
  });
});
