import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import type { Bundle } from "../../src/core/bundle.ts";
import { presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield new TextEncoder().encode(text);
}

const open = (text: string): Promise<Bundle> => openArchive(chunksOf(text), { sources: presetSources(preset) });
const texts = ({ files }: Bundle): { [path: string]: string } =>
  Object.fromEntries([...files].map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]));

const MEMINFO = "MemTotal:        8000000 kB\nMemFree:         7000000 kB\n";
const SLABTOP = ` Active / Total Objects (% used)    : 1000 / 2000 (50.0%)

  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME
  1000   1000 100%    0.25K     10       16       160K kmalloc-256
`;
const BUDDYINFO = "Node 0, zone      DMA      1      1      1\nNode 0, zone    DMA32      1      1      1\n";
const LOG =
  "[   21.3] hog invoked oom-killer: gfp_mask=0x0, order=0\n[   21.3] Out of memory: Killed process 1 (hog)\n";
const PARTS = {
  "proc/meminfo": MEMINFO,
  "sos_commands/memory/slabtop_-o": SLABTOP,
  "proc/buddyinfo": BUDDYINFO,
  "sos_commands/kernel/dmesg": LOG,
};

describe("a text with several files", () => {
  it("tells the kernel and the host, where uname -a is among them", async () => {
    const uname =
      "Linux hawkeye 5.15.72-mb5421 #1 SMP PREEMPT Mon Apr 14 17:55:27 CST 2025 aarch64 aarch64 aarch64 GNU/Linux\n";
    const { facts } = await open(`\`\`\`\nroot@hawkeye:~# uname -a\n${uname}\n\`\`\`\n\n${MEMINFO}`);
    expect(facts).toMatchObject({ hostname: "hawkeye", kernelRelease: "5.15.72-mb5421", machine: "aarch64" });
  });

  it.each([
    ["one after the other", `${MEMINFO}${SLABTOP}\n${BUDDYINFO}\n${LOG}`],
    [
      "in a terminal",
      `root@host:~# cat /proc/meminfo\n${MEMINFO}[root@host ~]# slabtop -o\n${SLABTOP}$ cat /proc/buddyinfo\n${BUDDYINFO}~ # dmesg\n${LOG}bash-5.1# \n`
        .replace("bash-5.1# \n", ""),
    ],
    [
      "in fences, between words",
      `It is slow:\n\`\`\`\n${MEMINFO}\`\`\`\nand\n\`\`\`console\n# slabtop -o\n${SLABTOP}\`\`\`\n\nThen\n\n${
        BUDDYINFO.replaceAll(/^/gm, "    ").trimEnd()
      }\n\nand it says\n${LOG}\nThanks.\n`.replace("\nThanks.\n", ""),
    ],
    [
      "quoted",
      `On Monday you wrote:\n${`${MEMINFO}\n${SLABTOP}\n${BUDDYINFO}\n${LOG}`.trimEnd().replaceAll(/^/gm, "> ")}\n`,
    ],
    [
      "of head",
      `==> /proc/meminfo <==\n${MEMINFO}\n==> /tmp/slabtop <==\n${SLABTOP}\n==> /proc/buddyinfo <==\n${BUDDYINFO}\n==> /tmp/log <==\n${LOG}`,
    ],
    [
      "in a list",
      `1. Memory:\n   \\# cat /proc/meminfo\n${
        MEMINFO.replaceAll(/^(?=.)/gm, "   ")
      }   router / # slabtop -o\n${SLABTOP}\n2. And:\n\n   $ cat /proc/buddyinfo\n${
        BUDDYINFO.replaceAll(/^(?=.)/gm, "   ")
      }   $ dmesg\n${LOG}`,
    ],
  ])("is split: %s", async (_, text) => {
    const bundle = await open(text);
    expect(texts(bundle)).toEqual(PARTS);
    expect(bundle.warnings[0]).toBe("a text with several files: what is cited by path and line stands in its parts");
  });

  it.each<[string, (text: string) => string]>([
    ["other blanks", (text) => text.replaceAll("  ", "\u2002\u2002")],
    ["marks that cannot be seen", (text) => text.replaceAll(/^/gm, "\u200b")],
    ["a dash for two of ipcs' titles, and quotes", (text) => text.replaceAll("--", "\u2013")],
    ["tabs for blanks", (text) => text.replaceAll(/ {2,}/g, "\t")],
    ["a tag around each line", (text) => text.replaceAll(/^.*$/gm, '<div class="a">$&</div>')],
    ["a tag between them", (text) => `<p>${text.replaceAll("\n", "<br>\n")}</p>`],
    ["UTF-16 without a mark", (text) => [...text].map((letter) => `${letter}\0`).join("")],
    [
      "quoted-printable, as the mail's head says",
      (text) => `Content-Transfer-Encoding: quoted-printable\n\n${text.replaceAll(/^.{40}/gm, "$&=\n")}`,
    ],
  ])("is read with %s", async (_, made) => {
    const ipcs = "------ Shared Memory Segments --------\n" +
      "key        shmid      owner      perms      bytes      nattch     status      \n" +
      "0x00000000 262185     root       600        104857600  0                       \n";
    const { files } = await open(made(`$ cat /proc/meminfo\n${MEMINFO}$ ipcs -m\n\n${ipcs}`));
    const found = texts({ files } as Bundle);
    expect(found["proc/meminfo"]).toMatch(/^MemTotal:\s+8000000 kB *\nMemFree:\s+7000000 kB/);
    expect(found["sos_commands/sysvipc/ipcs"]).toMatch(/0x00000000 +262185 +root +600 +104857600 +0/);
  });

  it("has the sections of Proxmox' pvereport and of Android's bugreport", async () => {
    const pressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total=100\n";
    const pve =
      `==== general system info ====\n\n# hostname\npve1\n\n# head /proc/pressure/*\n==> /proc/pressure/memory <==\n${pressure}` +
      "\n==== info about storage ====\n\n# arcstat\n" +
      "    time  read  ddread  ddh%  dmread  dmh%  pread  ph%   size      c  avail\n" +
      "08:13:42     0       0     0       0     0      0    0   7.8G   7.8G    10G\n";
    const report = await open(pve);
    expect(report.facts.hostname).toBe("pve1");
    expect(texts(report)["proc/pressure/memory"]).toBe(pressure);
    expect(texts(report)["proc/spl/kstat/zfs/arcstats"]).toContain("7.8G");
    const android = `------ MEMORY INFO (/proc/meminfo: 2026-11-23 08:13:40) ------\n${MEMINFO}` +
      "------ 0.002s was the duration of 'MEMORY INFO' ------\n" +
      `------ BUDDYINFO (/proc/buddyinfo: 2026-11-23 08:13:40) ------\n${BUDDYINFO}------ KERNEL LOG (dmesg) ------\n${LOG}`;
    expect(texts(await open(android))).toEqual({
      "proc/meminfo": MEMINFO,
      "proc/buddyinfo": BUDDYINFO,
      "sos_commands/kernel/dmesg": LOG,
    });
  });

  it("says which lines are what, and what is passed over", async () => {
    const text =
      `Please help!\n\n$ cat /proc/meminfo\n${MEMINFO}$ ss -s\nTotal: 123\n\n${MEMINFO}\n$ cat /proc/loadavg\n`;
    const { warnings } = await open(text);
    expect(warnings.slice(1)).toEqual([
      "lines 4-5 are read as proc/meminfo, by what is in them",
      "lines 1, 7, 9-10 are passed over: nothing that is known, or something that other lines tell as well",
    ]);
  });

  it("takes slabinfo's two titles for one, and a second file for another", async () => {
    const slabinfo = "slabinfo - version: 2.1\n# name            <active_objs> <num_objs>\na 1 1 8 1 1\n";
    const bundle = await open(`$ cat /proc/slabinfo\n${slabinfo}${MEMINFO}${MEMINFO.replaceAll("7", "6")}`);
    expect(texts(bundle)).toEqual({ "proc/slabinfo": slabinfo, "proc/meminfo": MEMINFO });
  });

  it("has what a command shows of the kernel's files where the beginning does not tell", async () => {
    const text =
      `$ cat /proc/pagetypeinfo\nPage block order: 9\n\nFree pages count\n$ sudo cat /proc/meminfo\n${MEMINFO}
$ cat /proc/slabinfo\ncat: /proc/slabinfo: Permission denied\n$ cat /proc/../../etc/passwd\nroot\n`;
    const { files, warnings } = await open(text);
    expect([...files.keys()]).toEqual(["proc/meminfo"]);
    expect(warnings).toContain("lines 2, 4 are read as proc/pagetypeinfo, by what is in them");
    expect(warnings.join("\n")).toContain('the entry "proc/../../etc/passwd" points outside the bundle: passed over');
  });

  it("puts lists of sockets together, with the command above where there is no column for the family", async () => {
    const tcp = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\nESTAB 9 0 10.0.0.1:1 10.0.0.2:2\n";
    const all = `Netid ${tcp.replace("\n", "\ntcp ")}`;
    const netstat =
      "Active Internet connections (servers and established)\nProto Recv-Q Send-Q Local Address\ntcp 9 0 a b\n";
    const bundle = await open(
      `$ ss -tulpn\n${all}[root@host ~]# ss -tn\n${tcp}\n$ netstat -tn\n${netstat}\nand:\n\n${tcp}$ netstat -un\n${netstat}` +
        `$ ip netns exec blue ss -tan\n${tcp}$ ss -tnH | grep 10.0\n${tcp.split("\n")[1]}\n`,
    );
    expect(texts(bundle)).toEqual({
      "sos_commands/networking/ss_-peaonmi": [
        all,
        `$ ss -tn\n${tcp}`,
        tcp,
        `$ ss -tnH | grep 10.0\n${tcp.split("\n")[1]}\n`,
      ].join("\n"),
      "sos_commands/networking/netstat_-W_-neopa": [netstat, netstat].join("\n"),
      "sos_commands/networking/namespaces/blue/ss_-peaonmi": `$ ip netns exec blue ss -tan\n${tcp}`,
    });
    expect(bundle.warnings).toContain(
      "lines 2-3, 5-6, 15-16, 25 are read as sos_commands/networking/ss_-peaonmi, by what is in them",
    );
  });

  // Rows as people pick them out of it, with and without a command above.
  const NETDATA_3929 = `free && grep 'Slab\\|SReclaimable\\|Cache' /proc/meminfo
             total       used       free     shared    buffers     cached
Mem:     132178760  105858612   26320148   11323556     720948   35920948
-/+ buffers/cache:   69216716   62962044
Swap:      4200444        232    4200212
Cached:         34183672 kB
SwapCached:           24 kB
Slab:           67326708 kB
`;
  const XSOS_194 = `$ sudo sort -rnk2 /proc/slabinfo | head
dentry             47807  50589    192   21    1 : tunables    0    0    0 : slabdata   2409   2409      0
radix_tree_node    45266  45395    584   28    4 : tunables    0    0    0 : slabdata   1622   1622      0
`;
  const NETDATA_3461 = `cat /proc/meminfo |grep -i Hugep
**HugePages_Total:   53342
HugePages_Free:    11904**
`;
  const OPENZFS_10302 = "     0      0   0%    0.02K      0      256         0K jbd2_revoke_table_s\n";
  const TOP = `\tTasks: 127 total,   1 running, 126 sleeping,   0 stopped,   0 zombie
\tKiB Mem : 16266528 total,   184564 free,  7607364 used,  8474600 buff/cache
\tKiB Swap:        0 total,        0 free,        0 used.  8104800 avail Mem

\t  PID USER      PR  NI    VIRT    RES    SHR S  %CPU %MEM     TIME+ COMMAND
\t 3679 mysql     20   0 8715212   6.4g   6944 S  83.1 41.3 414:09.42 mysqld
`;
  const after = (text: string, lines: number): string => text.split("\n").slice(lines).join("\n");

  it.each([
    [NETDATA_3929, {
      "sos_commands/memory/free": `$ ${NETDATA_3929.split("\n").slice(0, 5).join("\n")}\n`,
      "proc/meminfo": after(NETDATA_3929, 5),
    }],
    [XSOS_194, { "proc/slabinfo": after(XSOS_194, 1) }],
    [NETDATA_3461, { "proc/meminfo": after(NETDATA_3461, 1) }],
    [OPENZFS_10302, { "sos_commands/memory/slabtop_-o": OPENZFS_10302 }],
    [TOP, {
      "sos_commands/memory/free": TOP.split("\n").slice(1, 3).map((line) => `${line}\n`).join(""),
      "sos_commands/process/ps_auxwww": after(TOP, 4),
    }],
    // Without the empty line above the table, as in many a blog.
    [TOP.replace("\n\n", "\n"), {
      "sos_commands/memory/free": TOP.split("\n").slice(1, 3).map((line) => `${line}\n`).join(""),
      "sos_commands/process/ps_auxwww": after(TOP, 4),
    }],
    [`$ slabtop\n${SLABTOP.replace("\n\n", "\n")}`, {
      "sos_commands/memory/slabtop_-o": SLABTOP.replace("\n\n", "\n"),
    }],
    ["and\n\n  free -m\n\n  total used free shared buff/cache available\n  Mem: 982 680 88 6 213 156\n", {
      "sos_commands/memory/free":
        "$ free -m\n  total used free shared buff/cache available\n  Mem: 982 680 88 6 213 156\n",
    }],
    // openbmc/openbmc#236: busybox's, without a column for caches.
    [
      "_root@barreleye:~# free\n total used free shared buffers\nMem: 254548 217692 36856 22944 10528\n\nand\n",
      { "sos_commands/memory/free": "$ free\n total used free shared buffers\nMem: 254548 217692 36856 22944 10528\n" },
    ],
  ])("has rows that were picked out, and what free and top print: %s", async (text, expected) => {
    expect(texts(await open(text))).toEqual(expected);
  });

  it("puts together what was picked out of one file, and keeps the first where rows are there twice", async () => {
    const slab = "Slab:  181700 kB\nSReclaimable:   97832 kB\n";
    const huge = "HugePages_Total:     512\nHugepagesize:       2048 kB\n";
    const bundle = await open(
      `$ grep -i slab /proc/meminfo\n${slab}\n$ grep Huge /proc/meminfo\n${huge}\nlater\n\n${slab}`,
    );
    expect(texts(bundle)).toEqual({ "proc/meminfo": `${slab}\n${huge}` });
    expect(bundle.warnings.at(-1)).toContain("lines 9, 11-12 are passed over");
  });

  // podman-container-tools/podman#19161: the same caches, an hour and 200 MiB later.
  it.each(["", "\n", "...\n"])(
    "takes slabtop's tables at several times for several, and keeps the first: %j",
    async (between) => {
      const table = SLABTOP.split("\n").slice(2).join("\n");
      const bundle = await open(`before\n\n${table}${between}${table.replaceAll("1000", "5000")}`);
      expect(texts(bundle)).toEqual({
        "sos_commands/memory/slabtop_-o": `${table}${between === "...\n" ? between : ""}`,
      });
    },
  );

  // https://github.com/ossrs/srs/issues/4526, https://github.com/aeron-io/aeron/issues/329
  it("has rows that grep picked out of netstat and lsof", async () => {
    const netstat =
      "udp   9383168   2304 0.0.0.0:8001            0.0.0.0:*\ntcp6       0      0 :::443                  :::*                    LISTEN      1/nginx\n";
    const lsof =
      "java      19293 19844  jenkins  377u      REG               0,18  50332096  304617838 /dev/shm/a.logbuffer (deleted)\n";
    expect(texts(await open(`netstat | grep 8001\n\n${netstat}\n\nlsof|grep deleted\n...\n${lsof}`))).toEqual({
      "sos_commands/networking/netstat_-W_-neopa": netstat,
      "sos_commands/process/lsof_": lsof,
    });
  });

  // https://www.mercemay.top/posts/tuning-zfs-arc-on-my-proxmox-box/, in part
  it("has what is shown as a comment, below the command", async () => {
    const free =
      "                total        used        free      shared  buff/cache   available\n Mem:            62Gi        56Gi       1.1Gi       312Mi       5.2Gi       4.8Gi\n";
    const commented = free.trimEnd().split("\n").map((line) => `#${line}\n`).join("");
    expect(texts(await open(`free -h\n${commented}\n# and a heading\n`))).toEqual({
      "sos_commands/memory/free": `$ free -h\n${free}`,
    });
    const slabinfo = "# name            <active_objs> <num_objs>\na 1 1 8 1 1 : tunables 0 0 0 : slabdata 1 1 0\n";
    expect(texts(await open(`see:\n\n${slabinfo}`))).toEqual({ "proc/slabinfo": slabinfo });
  });

  // https://github.com/vlsi/ksar/issues/259
  it("has what is marked within a row, what is commented without a title, and rows of meminfo in tables", async () => {
    // https://github.com/kubernetes/kubernetes/issues/112927
    const free =
      "        total  used  **free**  shared  buff/cache  available\nMem:    125G   22G   **57G**    4.0G   45G   96G\n";
    expect(texts(await open(`#free -h\n${free}`))["sos_commands/memory/free"]).toBe(
      `$ free -h\n${free.replaceAll("**", "")}`,
    );
    const arc = "ARC size (current):    98.1 %   39.7 GiB\n";
    expect(texts(await open(`$ arc_summary\n# ${arc}`))["proc/spl/kstat/zfs/arcstats"]).toContain(arc);
    const names = ["MemTotal", "Active(anon)", "SUnreclaim"];
    for (
      const row of [
        (name: string) => `| ${name}: | 8000000 kB | 9 kB |`,
        (name: string) => `|${name}|8000000 kB|`,
        (name: string) => `<tr><td>${name}</td><td>8000000 kB</td></tr>`,
      ]
    ) {
      const table = `|| Field || Value ||\n${names.map((name) => `${row(name)}\n`).join("")}`;
      expect(texts(await open(table))["proc/meminfo"]).toBe(names.map((name) => `${name}: 8000000 kB\n`).join(""));
    }
  });

  it("has sar's table of memory with the day above it, and no other of its tables", async () => {
    const head = "Linux 5.18.0-2-amd64 (opsproc3) \t10/08/22 \t_x86_64_\t(12 CPU)\n\n";
    const table =
      "00:00:02    kbmemfree   kbavail kbmemused\n00:10:01      2751536  20160848  11453448\n\nAverage:      2722236  20133256  11479196\n";
    const text = `$ sar -r -f /var/log/sysstat/sa10\n${head}${table}\n$ free\n`;
    const free =
      "              total        used        free      shared  buff/cache   available\nMem:       16268028     6917832      168252        3616     9181944     5733016\n";
    expect(texts(await open(`${text}${free}`))).toEqual({
      "sos_commands/sar/sar": `${head}${table}`,
      "sos_commands/memory/free": `$ free\n${free}`,
    });
    expect(Object.keys(texts(await open(`${head}00:00:02 CPU %user\n00:10:01 all 5\n\n${free}`)))).toEqual([
      "sos_commands/memory/free",
    ]);
  });

  it("has vmstat's table with the command, which tells the unit", async () => {
    const table =
      "procs -----------memory---------- ---swap-- -----io----\nr b swpd free buff cache si so bi bo\n1 2 24580 102340 45288 654320 120 340 1024 880\n";
    expect(texts(await open(`debian:~# vmstat -S M 1\n${table}${table}\nand\n`))).toEqual({
      "sos_commands/memory/vmstat": `$ vmstat -S M 1\n${table}${table}`,
    });
  });

  // https://it.megocollector.com/?p=3788
  it("knows what VMware's tools say by their command", async () => {
    expect(texts(await open("[root@server1~]# vmware-toolbox-cmd stat balloon\n17960 MB\n# ls\nx\n"))).toEqual({
      "sos_commands/vmware/vmware-toolbox-cmd_stat_balloon": "17960 MB\n",
    });
  });

  it("begins right behind a fence, and ends at a prompt where nothing was typed", async () => {
    const table =
      " Active / Total Objects (% used)    : 1000 / 2000 (50.0%)\n  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME\n";
    expect(texts(await open(`it grows\n\`\`\`${table}\`\`\`\n`))).toEqual({ "sos_commands/memory/slabtop_-o": table });
    expect(texts(await open(`\`\`\`$ cat /proc/meminfo\n${MEMINFO}[oracle@db01 ~]$\n`))).toEqual({
      "proc/meminfo": MEMINFO,
    });
  });

  it("begins right below a title, indented", async () => {
    const shown = MEMINFO.replaceAll(/^(?=.)/gm, "  ");
    expect(texts(await open(`memory info:\n Summary (from /proc/meminfo)\n${shown}`))).toEqual({
      "proc/meminfo": MEMINFO,
    });
  });

  it("tells what VMware's tools say of the machine from settings", async () => {
    const path = "sos_commands/vmware/vmware-toolbox-cmd_stat_raw_text_resources";
    const text = "vm.cpu.limit = -1\nguest.mem.mapped = 33030144\nguest.mem.ballooned = 16712052\n";
    expect(texts(await open(`# vmware-toolbox-cmd stat raw text resources\n${text}`))).toEqual({ [path]: text });
    expect(texts(await open("ballooned:\n\nguest.mem.ballooned = 16712052\n"))).toEqual({
      [path]: "guest.mem.ballooned = 16712052\n",
    });
  });

  it.each([
    ["as a web page has blanks", (text: string) => text.replaceAll(" ", "\u00a0")],
    ["as HTML quotes", (text: string) => text.replaceAll(/^(?=.)/gm, "&gt; ")],
  ])("has what was copied %s", async (_, copied) => {
    for (const [path, text] of Object.entries(PARTS)) {
      // A log is read as it is quoted.
      if (path.endsWith("dmesg") && copied(text).includes("&gt;")) continue;
      expect(texts(await open(copied(text)))).toEqual({ [path]: text });
    }
  });

  it("knows root's prompt without a blank behind it", async () => {
    const text = "sockets: used 39845\nTCP: inuse 125217 orphan 65738 tw 103758 alloc 121429 mem 22016\n";
    expect(texts(await open(`#cat /proc/net/sockstat\n${text}#ss -s\nTotal: 39845\n`))).toEqual({
      "proc/net/sockstat": text,
    });
  });

  it("takes no rows of a process's smaps for the host's", async () => {
    const smaps = "LazyFree:              0 kB\nAnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\n";
    expect(Object.keys(texts(await open(`${smaps}\n$ cat /proc/buddyinfo\n${BUDDYINFO}`)))).toEqual(["proc/buddyinfo"]);
  });

  it("is put together in time in proportion to what was picked out", async () => {
    const picked = async (size: number) => {
      const rows = Array.from({ length: size }, (_, i) => `a${i} 1 1 8 1 1 : tunables 0 0 0 : slabdata 1 1 0\n`);
      await open(rows.join("\nand\n\n"));
    };
    expect(await growth(picked, 1500)).toBeLessThan(IN_PROPORTION);
  });

  it("is none where it is one list of sockets, but is split where there are two", async () => {
    const list = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\nESTAB 9 0 10.0.0.1:1 10.0.0.2:2\n";
    expect((await open(list)).warnings).toEqual([]);
    const two = await open(`${list}$ ss -un\n${list}`);
    expect(texts(two)).toEqual({ "sos_commands/networking/ss_-peaonmi": `${list}\n$ ss -un\n${list}` });
    expect(two.warnings[0]).toContain("a text with several files");
  });

  it.each([
    ["a log, whatever stands in it", `${LOG}\n[   22.0] a: b\nvm.overcommit = 1\n\nNode 0, zone DMA 1 2\n`],
    ["a log between words", `It says\n\n${LOG}`],
    ["a log with prompts", `$ dmesg\n${LOG}$ dmesg -T\n${LOG}`],
  ])("is none: %s", async (_, text) => {
    const bundle = await open(text);
    expect(texts(bundle)).toEqual({ "sos_commands/kernel/dmesg": text });
    expect(bundle.warnings).toEqual([]);
  });

  it("is none when nothing in it is known", async () => {
    await expect(open("$ uname -a\nLinux\n```\nls\n```\n# name\n")).rejects.toThrow("nor a kernel log");
  });

  it("is split in no time, whatever is in it", async () => {
    const dots = `${"a.".repeat(2000)}\n\n`.repeat(250);
    const bundle = await open(`${dots}root@${"a".repeat(1000)}\n\n${MEMINFO}`);
    expect([...bundle.files.keys()]).toEqual(["proc/meminfo"]);
  });

  it.each([
    ["root@web1:~# ", "root@web2:~# "],
    ["[admin@web1.example.com log]$ ", "[admin@web2 ~]$ "],
    ["web1$ ", "web2$ "],
  ])("is of the first host of which something is known, where prompts tell of several: %s", async (first, second) => {
    const bundle = await open(
      `me@laptop:~$ ssh web1\n${first}cat /proc/meminfo\n${MEMINFO}\n${second}slabtop -o\n${SLABTOP}${first}cat /proc/buddyinfo\n${BUDDYINFO}`,
    );
    expect(Object.keys(texts(bundle))).toEqual(["proc/meminfo", "proc/buddyinfo"]);
    expect(bundle.warnings).toContain("what its prompts tell to be of other hosts than web1 is passed over");
    expect(bundle.warnings).toContain("lines 3-4 are read as proc/meminfo, by what is in them");
  });

  it("has an empty line below each line, colours, HTML's entities and Jira's fences", async () => {
    const double = await open(
      `It is slow\n\n$ free -g\n\n${
        "       total used free shared buff/cache available\nMem: 15 0 13 0 1 14\nSwap: 1 0 1".replaceAll("\n", "\n\n")
      }\n`,
    );
    expect(texts(double)).toEqual({
      "sos_commands/memory/free":
        "$ free -g\n       total used free shared buff/cache available\nMem: 15 0 13 0 1 14\nSwap: 1 0 1\n",
    });
    expect(double.warnings).toContain("lines 5-9 are read as sos_commands/memory/free, by what is in them");
    const coloured = await open(
      "$ grep M /proc/meminfo\n\u001b[01;31m\u001b[KMem\u001b[m\u001b[KTotal:  8000000 kB\nMemFree: 7000000 kB\n",
    );
    expect(texts(coloured)).toEqual({
      "proc/meminfo": "MemTotal:  8000000 kB\nMemFree: 7000000 kB\n",
    });
    const escaped = await open(
      "{code:java}\nState Recv-Q Send-Q Local Address:Port Peer Address:Port Process\nUNCONN 20971520 0 0.0.0.0:53 0.0.0.0:* users:((&quot;a&amp;b&quot;,pid=1,fd=5))\n{code}\n",
    );
    expect(texts(escaped)).toEqual({
      "sos_commands/networking/ss_-peaonmi":
        'State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\nUNCONN 20971520 0 0.0.0.0:53 0.0.0.0:* users:(("a&b",pid=1,fd=5))\n',
    });
  });

  it("has slabtop's table with decimal commas, below its command's words", async () => {
    // https://github.com/markfasheh/duperemove/issues/42
    const comma = SLABTOP.replaceAll(/(?<=\d)\.(?=\d)/g, ",");
    expect(texts(await open(`slabtop does not show anything special:\n\n${comma}`))).toEqual({
      "sos_commands/memory/slabtop_-o": comma,
    });
  });

  it("has a log whose lines a mail program broke, or encoded", async () => {
    // LKRG's list on 5.15.8: rsyslog writes a message of several lines in one, with #012.
    const broken = `Dec 15 13:08:23 surfplank2 kernel: Web Content: page allocation failure: 
order:7, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)
Dec 15 13:08:23 surfplank2 kernel: Mem-Info:
Dec 15 13:08:23 surfplank2 kernel: active_anon:8736 
inactive_anon:1702594 isolated_anon:0#012 active_file:841555 
inactive_file:4400633 free_cma:0
Dec 15 13:08:23 surfplank2 kernel: 8224289 pages RAM
`;
    const log = "sos_commands/kernel/dmesg";
    const whole = texts(await open(broken))[log]?.split("\n");
    expect(whole?.[0]).toBe(
      "Dec 15 13:08:23 surfplank2 kernel: Web Content: page allocation failure: order:7, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)",
    );
    // Each at its place.
    expect(whole?.[3]).toContain("active_anon:8736 inactive_anon:1702594 isolated_anon:0#012 active_file:841555");
    expect(whole?.[6]).toContain("8224289 pages RAM");
    // linux-renesas-soc on 4.9.123.
    const encoded = `# [  775.947949] nc: page allocation failure: order:0, mode:0x2=
080020(GFP_ATOMIC)
[  776.174308] Mem-Info:
[  776.295532] Total swap =3D 0kB
`;
    const decoded = texts(await open(encoded))[log];
    expect(decoded).toContain("order:0, mode:0x2080020(GFP_ATOMIC)\n");
    expect(decoded).toContain("Total swap = 0kB\n");
    // linux-mm on 5.8.2: quoted, and without times.
    const quoted =
      `>   runc:[2:INIT] invoked oom-killer: gfp_mask=0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT), order=0, oom_score_adj=0
>   Mem-Info:
>   active_anon:392832 inactive_anon:182 isolated_anon:0
`;
    expect(texts(await open(quoted))[log]).toMatch(/^ *runc:\[2:INIT\] invoked/);
    // Minutes for 300,000 if all were put to the first, one by one.
    const head = "Dec 15 13:08:23 host kernel: a invoked oom-killer: order=0\n";
    const times = await growth((size) => open(head + "inactive_anon:2 free:1kB\n".repeat(size)), 20_000);
    expect(times).toBeLessThan(IN_PROPORTION);
  });

  it("has a log with = at the end of a line and before what looks encoded, and short lines of a dump, as they are", async () => {
    // KASAN's line above its report, and a system call's arguments.
    const kasan = `[   20.0] ${"=".repeat(66)}
[   20.1] audit: type=1300 arch=c000003e a0=3D a1=2A pid=2310
[   21.3] hog invoked oom-killer: gfp_mask=0x0, order=0
`;
    const short = "hog invoked oom-killer: order=0\nMem-Info:\nactive_anon:1536 inactive_anon:2 isolated_anon:0\n";
    for (const log of [kasan, short]) {
      const bundle = await open(log);
      expect(texts(bundle)).toEqual({ "sos_commands/kernel/dmesg": log });
      expect(bundle.warnings).toEqual([]);
    }
  });

  it("is found far below other programs' lines: a file, and the kernel's log", async () => {
    const noise = "2023-11-22 10:00:00 INFO request 1 handled in 7 ms from 10.0.0.7 path=/api/v1/items/1\n".repeat(
      20_000,
    );
    expect(texts(await open(`${noise}\n$ cat /proc/meminfo\n${MEMINFO}\n${noise}`))).toEqual({
      "proc/meminfo": MEMINFO,
    });
    const log = texts(await open(noise + LOG + noise))["sos_commands/kernel/dmesg"];
    expect(log).toContain(LOG);
    await expect(open(noise)).rejects.toThrow("neither a tar archive");
  });

  it.each(["utf-16le", "utf-16be"])("is read as PowerShell writes it: %s", async (encoding) => {
    const bytes = new Uint8Array([..."\ufeff$ cat /proc/meminfo\r\n", ...MEMINFO].flatMap((char) => {
      const code = char.charCodeAt(0);
      return encoding === "utf-16le" ? [code & 255, code >> 8] : [code >> 8, code & 255];
    }));
    async function* odd(): AsyncGenerator<Uint8Array> {
      await Promise.resolve();
      yield bytes.subarray(0, 31);
      yield bytes.subarray(31);
    }
    const bundle = await openArchive(odd(), { sources: presetSources(preset) });
    expect(texts(bundle)).toEqual({ "proc/meminfo": MEMINFO });
  });

  it("has the status of a process by the number in it, and procrank's two tables", async () => {
    const status =
      "Name:\tnode\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t2314\nNgid:\t0\nPid:\t2314\nVmRSS:\t 1895444 kB\n";
    expect(texts(await open(status))).toEqual({ "proc/2314/status": status });
    const rank =
      "  PID      Vss      Rss      Pss      Uss  cmdline\n  890   84456K   48668K   25850K   21284K  system_server\n";
    const ram = "RAM: 229248K total, 4316K free, 1140K buffers, 53988K cached, 100K shmem, 9280K slab\n";
    expect(texts(await open(`${MEMINFO}\n${status}\n${rank}\n${ram}`))).toEqual({
      "proc/meminfo": MEMINFO,
      "proc/2314/status": status,
      "sos_commands/process/ps_auxwww": rank,
      "sos_commands/memory/free": ram,
    });
  });

  it("has what crash tells of a kernel that panicked", async () => {
    const kmem =
      "    PAGES        TOTAL      PERCENTAGE\n TOTAL MEM  8151424      31.1 GB         ----\n      FREE    74133     289.6 MB    0% of TOTAL MEM\n";
    const slabs =
      "CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME\nffff88081fc0f200      128  224301230 224301232 7009413   4k  kmalloc-128\n";
    const bundle = await open(
      `crash> kmem -i\n${kmem}\n   TOTAL SWAP        0            0         ----\ncrash> kmem -s | head -2\n${slabs}crash> log | tail -2\n${LOG}`,
    );
    expect(texts(bundle)).toEqual({
      "sos_commands/memory/free": `$ kmem -i\n${kmem}`,
      "sos_commands/memory/slabtop_-o": slabs,
      "sos_commands/kernel/dmesg": LOG,
    });
  });

  // https://adminforge.de/linux-allgemein/slab-memory-leeren/amp
  it("finds the rows of a meminfo that lost its line breaks", async () => {
    const bundle = await open(
      "see # cat /proc/meminfo MemTotal: 9 kB MemFree: 7 kB Buffers: 1 kB Active(anon): 2 kB HugePages_Total: 0 HugePages_Free: 0 and so on\n",
    );
    expect(texts(bundle)["proc/meminfo"]).toBe(
      "MemTotal: 9 kB\nMemFree: 7 kB\nBuffers: 1 kB\nActive(anon): 2 kB\nHugePages_Total: 0\nHugePages_Free: 0 and so on\n",
    );
  });
});

describe("memory that was looked at several times, and nothing tells when", () => {
  const look = (available: number, slab: number): string =>
    `MemTotal: 8000000 kB\nMemFree: ${available} kB\nMemAvailable: ${available} kB\nSUnreclaim: ${slab} kB\n`;
  const [before, after] = [look(7_000_000, 100_000), look(200_000, 6_000_000)];
  const cache = (name: string): string => SLABTOP.replace("kmalloc-256", name);

  it.each([
    ["before and after", `After boot:\n${before}\n${cache("good")}\nA week later:\n${after}\n${cache("bad")}`],
    ["after and before", `It looks so:\n${after}\n${cache("bad")}\nAfter a reboot:\n${before}\n${cache("good")}`],
  ])("is taken as it was when the least was available: %s", async (_, text) => {
    const bundle = await open(text);
    expect(texts(bundle)["proc/meminfo"]).toBe(after);
    expect(texts(bundle)["sos_commands/memory/slabtop_-o"]).toContain(" bad\n");
    expect(bundle.warnings).toContainEqual(expect.stringContaining("memory was looked at 2 times"));
  });

  it.each([
    [
      "free -h",
      "$ free -h\n       total used free shared buff/cache available\n",
      "Mem:    31G  12G  18G  123M 476M       18G\n",
      "Mem:    31G  27G  2.7G 123M 957M       3.1G\n",
    ],
    [
      "free of before 3.3.10",
      "$ free -m\n       total used free shared buffers cached\nMem: 16062 15391 671 0 0 43\n",
      "-/+ buffers/cache:      2347       13714\n",
      "-/+ buffers/cache:      12347       3714\n",
    ],
    [
      "top -b",
      "MiB Mem :  15884.4 total,   212.1 free,  5312.2 used,  1660.1 buff/cache\n",
      "MiB Swap:      0.0 total,      0.0 free,      0.0 used.  10212.1 avail Mem\n",
      "MiB Swap:      0.0 total,      0.0 free,      0.0 used.   1212.1 avail Mem\n",
    ],
  ])("also by %s", async (_, head, much, little) => {
    const bundle = await open(`${head}${much}\n${head}${little}\n${head}${much}`);
    expect(texts(bundle)["sos_commands/memory/free"]).toContain(little);
  });

  it("is no other one where free and top tell the same as meminfo", async () => {
    const bundle = await open(
      `${after}\n$ free -k\n total used free shared buff/cache available\nMem: 8000000 1 1 1 1 200000\n`,
    );
    expect(bundle.warnings.join()).not.toContain("looked at");
  });

  it("keeps the lines of a log in their order", async () => {
    const first = LOG.replaceAll("hog", "early");
    const bundle = await open(`${before}\n${first}\n${after}\n${LOG}`);
    expect(texts(bundle)["sos_commands/kernel/dmesg"]?.indexOf("early")).toBeLessThan(
      texts(bundle)["sos_commands/kernel/dmesg"]?.indexOf("hog") as number,
    );
  });
});
