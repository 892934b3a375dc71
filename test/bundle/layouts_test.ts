/** Archives of other tools: what they have in common with a sosreport is found where they keep it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openArchive, openArchives } from "../../src/bundle/open.ts";
import type { Bundle } from "../../src/core/bundle.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { parseLsof } from "../../src/parsers/lsof.ts";
import { preset } from "../../src/preset.ts";
import { findingOf, meminfoText } from "../analyzers/_bundle.ts";
import { pieces, tar, tarEntry } from "./_archive.ts";

const PS = "USER       PID  PPID %CPU %MEM    VSZ   RSS STAT     TIME CMD\n" +
  "root         1     0  0.0  0.1  22000 12000 Ss   00:00:01 /sbin/init\n" +
  "app        777     1  9.0 60.0 6400000 5242880 Sl  01:00:00 java -jar shop.jar\n";
const MEMINFO = meminfoText({ AnonPages: 5 * 2 ** 30 });
const UNAME = "Linux shop 5.14.21-150500-default #1 SMP PREEMPT_DYNAMIC x86_64 x86_64 x86_64 GNU/Linux\n";

async function open(archive: Uint8Array): Promise<Bundle> {
  return await openArchive(pieces(archive), { sources: presetSources(preset) });
}

function expectShop(bundle: Bundle): void {
  const report = analyze(bundle, preset);
  expect(report.host).toMatchObject({ hostname: "shop", totalBytes: 8 * 2 ** 30 });
  expect(report.host.kernelRelease).toBe("5.14.21-150500-default");
  const finding = findingOf(report, "user-leak");
  expect(finding?.owners[0]).toMatchObject({ pid: 777, bytes: 5 * 2 ** 30 });
}

function expectShopsMemory(bundle: Bundle): void {
  const { host } = analyze(bundle, preset);
  expect(host).toMatchObject({ hostname: "shop", totalBytes: 8 * 2 ** 30 });
}

function section(kind: string, title: string, text: string): string {
  return `#==[ ${kind} ]${"=".repeat(43 - kind.length)}#\n# ${title}\n${text}\n`;
}

describe("a supportconfig", () => {
  // The texts of bin/supportconfig and its functions log_cmd, conf_files and log_files, which leave out what begins with # or is empty.
  const header = `${"=".repeat(77)}\n                     Support Utilities - Supportconfig\n${"=".repeat(77)}\n\n`;
  const files = {
    "basic-environment.txt": header + section("Command", "/bin/date", "Mon Nov 23 13:00:00 UTC 2026\n") +
      section("Command", "/bin/uname -a", UNAME),
    "basic-health-check.txt": header +
      section("Command", "/bin/ps axwwo user,pid,ppid,%cpu,%mem,vsz,rss,stat,time,cmd", PS),
    "boot.txt": section("Command", "/bin/uname -a", "Linux twice 1\n") + section("Command", "/bin/dmesg -T", "[x] y\n"),
    "env.txt": section("Command", "/sbin/sysctl -a 2>/dev/null", "net.ipv4.udp_mem = 1\t2\t3\n"),
    "memory.txt": header +
      section("Command", "/usr/bin/free -k", "  total used free shared buff/cache available\nMem: 1 1 0 0 0 0\n") +
      section("Configuration File", "/proc/meminfo", MEMINFO) +
      section("Command", "sysctl -a 2>/dev/null | grep ^vm", "vm.swappiness = 1\n") +
      section("Configuration File", "/proc/zoneinfo - File not found", "") +
      section("Configuration File", "/proc/slabinfo", "slabinfo - version: 2.1\n"),
  };
  const archive = (root: string): Uint8Array =>
    tar(...Object.entries(files).map(([name, text]) => tarEntry(`${root}${name}`, text)));

  it.each(["scc_shop_261123_1300/", ""])(
    "in the folder %j: its sections are the files of a sosreport",
    async (root) => {
      const bundle = await open(archive(root));
      expect([...bundle.files.keys()].sort()).toEqual([
        "proc/meminfo",
        "proc/slabinfo",
        "sos_commands/date/date",
        "sos_commands/kernel/dmesg_-T",
        "sos_commands/kernel/sysctl_-a",
        "sos_commands/kernel/uname_-a",
        "sos_commands/memory/free",
        "sos_commands/process/ps_axwwo_user,pid,ppid,%cpu,%mem,vsz,rss,stat,time,cmd",
      ]);
      expect(bundle.warnings).toEqual([expect.stringContaining("a supportconfig")]);
      expectShop(bundle);
    },
  );

  it("whose section's line is its file's last is read, too", async () => {
    const bundle = await open(tar(tarEntry("memory.txt", "#==[ Configuration File ]====#\n# /proc/meminfo")));
    expect(bundle.files.get("proc/meminfo")?.length).toBe(0);
  });

  it("is none when a file only has such a name", async () => {
    const bundle = await open(tar(tarEntry("root/memory.txt", "#==[ nonsense\n#==\n#=="), tarEntry("root/proc/x", "")));
    expect(bundle.files.size).toBe(0);
    expect(bundle.warnings).toEqual([]);
  });
});

describe("their ss", () => {
  const rows = "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port\n" +
    'nl UNCONN 0 0 0:967 *\nudp UNCONN 212992000 0 *:514 *:* users:(("rsyslogd",pid=1013,fd=5))\n';

  it.each([
    ["a supportconfig", {
      "memory.txt": section("Configuration File", "/proc/meminfo", MEMINFO),
      // net_info() of bin/supportconfig 3.1.16
      "network.txt": section("Command", "/usr/sbin/ss -nap", rows),
    }],
    ["an insights archive", {
      "insights-shop/data/proc/meminfo": MEMINFO,
      "insights-shop/data/insights_commands/ss_-tupna": rows,
    }],
  ])("of %s tells of queues and owners", async (_, files) => {
    const bundle = await open(tar(...Object.entries(files).map(([name, text]) => tarEntry(name, text))));
    expect(findingOf(analyze(bundle, preset), "socket-backlog-udp")?.owners[0]).toMatchObject({ pid: 1013 });
  });
});

describe("a supportconfig's logs", () => {
  const oom = readFileSync("samples/oom-6.12-journal.txt", "utf8");

  it.each([
    ["messages.txt", "Command", "/usr/bin/journalctl --no-pager --output=short-iso --lines 200000"],
    ["boot.txt", "Command", "/usr/bin/journalctl --no-pager --boot 0"],
    ["crash.txt", "Configuration File", "/var/crash/2026-11-22-10:00/vmcore-dmesg.txt"],
  ])("tell of an OOM: %s, %s %s", async (file, kind, title) => {
    const bundle = await open(tar(
      tarEntry("memory.txt", section("Configuration File", "/proc/meminfo", MEMINFO)),
      tarEntry(file, section(kind, title, oom)),
    ));
    expect(findingOf(analyze(bundle, preset), "global-oom")?.confidence).toBe("confirmed");
  });

  it.each(["--disk-usage", "--list-boots"])(
    "are none where journalctl tells of its files: sosreport's %s",
    async (option) => {
      const bundle = await open(
        tar(
          tarEntry("sosreport-a/proc/meminfo", MEMINFO),
          tarEntry(`sosreport-a/sos_commands/logs/journalctl_${option}`, "x\n"),
        ),
      );
      const { ruledOut } = analyze(bundle, preset);
      expect(ruledOut.map(({ cause }) => cause)).not.toContain("global-oom");
    },
  );

  it("are none where journalctl tells of its files", async () => {
    const bundle = await open(tar(
      tarEntry("memory.txt", section("Configuration File", "/proc/meminfo", MEMINFO)),
      tarEntry(
        "boot.txt",
        section("Command", "/usr/bin/journalctl --no-pager --disk-usage", "Journals take up 1.1G\n"),
      ),
    ));
    const { ruledOut, notAssessed } = analyze(bundle, preset);
    expect(ruledOut.map(({ cause }) => cause)).not.toContain("global-oom");
    expect(notAssessed.map(({ cause }) => cause)).toContain("global-oom");
  });

  it("of sysstat are its history", async () => {
    const bundle = await open(tar(tarEntry("scc_a_1/sar/sar20261123", "x"), tarEntry("scc_a_1/sar/sa20261123", "x")));
    expect([...bundle.files.keys()]).toEqual(["var/log/sa/sar20261123", "var/log/sa/sa20261123"]);
  });
});

describe("a supportconfig's shared memory", () => {
  const meminfo = section(
    "Configuration File",
    "/proc/meminfo",
    meminfoText({ Shmem: 600 * 2 ** 20, Cached: 2 ** 30 }),
  );

  it.each([
    ["a supportconfig", "env.txt", section("Command", "/usr/bin/ipcs -a", "%")],
    ["an insights archive", "insights-a/data/insights_commands/ipcs_-m", "%"],
  ])("in SysV segments: ipcs of %s", async (_, path, text) => {
    const ipcs = "\n------ Shared Memory Segments --------\nkey shmid owner perms bytes nattch status\n" +
      "0x00000000 7          root       600        524288000  0                       \n";
    const proc = path.startsWith("insights")
      ? tarEntry("insights-a/data/proc/meminfo", meminfoText({ Shmem: 600 * 2 ** 20, Cached: 2 ** 30 }))
      : tarEntry("memory.txt", meminfo);
    const bundle = await open(tar(proc, tarEntry(path, text.replace("%", ipcs))));
    expect(findingOf(analyze(bundle, preset), "shmem-leak")?.bytes.high).toBe(524_288_000);
  });

  it("in deleted files: its lsof has a column of flags", async () => {
    const lsof =
      "COMMAND     PID   TID TASKCMD       USER   FD      TYPE      FILE-FLAG             DEVICE  SIZE/OFF     NODE NAME\n" +
      "bash      12620                        0    9w      REG           W,LG               0,27 524288000   102643 /dev/shm/x (deleted)\n" +
      "bash      12620                        0   10u  a_inode          RW,LG               0,16         0     1038 [eventpoll:4]\n";
    const bundle = await open(tar(
      tarEntry("memory.txt", meminfo),
      tarEntry("fs-diskio.txt", section("Configuration File", "/proc/mounts", "tmpfs /dev/shm tmpfs rw 0 0\n")),
      tarEntry("open-files.txt", section("Command", "/usr/bin/lsof -b +M -n -l +fg -P 2>/dev/null", lsof)),
    ));
    expect(findingOf(analyze(bundle, preset), "shmem-leak")?.owners[0]).toMatchObject({ pid: 12620, comm: "bash" });
    expect(parseLsof(lsof)[0]?.kinds.get("eventpoll")?.count).toBe(1);
  });
});

describe("a supportconfig's ss, which lists no inodes, beside the kernel's table, which names no process", () => {
  const table =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n" +
    "    1: 00000000:0202 00000000:0000 07 00000000:0CB20800 00:00000000 00000000     0        0 4711 2 0000000000000000 9\n";
  const ss = (...pids: number[]): string =>
    "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port\nnl UNCONN 0 0 0:967 *\n" +
    pids.map((pid) => `udp UNCONN 212992000 0 *:514 *:* users:(("syslog",pid=${pid},fd=5))\n`).join("");

  it.each([[[1013], 1013], [[1013, 1014], undefined]])("of processes %j: %j is the owner", async (pids, owner) => {
    const bundle = await open(tar(
      tarEntry("memory.txt", section("Configuration File", "/proc/meminfo", MEMINFO)),
      tarEntry("network.txt", section("Command", "/usr/sbin/ss -nap", ss(...pids))),
      tarEntry("proc.txt", section("Configuration File", "/proc/net/udp", table)),
    ));
    const finding = findingOf(analyze(bundle, preset), "socket-backlog-udp");
    expect(finding?.owners[0]?.bytes).toBeGreaterThan(0);
    expect(finding?.owners[0]?.pid ?? undefined).toBe(owner);
  });
});

describe("a supportconfig's files of network namespaces", () => {
  const row = (pid: number): string =>
    `Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port\nnl UNCONN 0 0 0:967 *\nudp UNCONN ${
      pid * 100_000_000
    } 0 *:514 *:* users:(("syslog${pid}",pid=${pid},fd=5))\n`;

  it("tell of the namespaces' sockets, of the same lines as the host's, and of nothing else", async () => {
    const files = {
      "memory.txt": section("Configuration File", "/proc/meminfo", MEMINFO),
      "network-blue.txt": section("Command", "/usr/sbin/ss -nap", row(9)) +
        section("Command", "/usr/sbin/ip netns exec blue ss -nap", row(2)) +
        section("Command", "/usr/sbin/ip netns exec blue ss -s", "Total: 9\n"),
      "network.txt": section("Command", "/usr/sbin/ss -nap", row(1)),
    };
    const bundle = await open(tar(...Object.entries(files).map(([name, text]) => tarEntry(name, text))));
    expect(findingOf(analyze(bundle, preset), "socket-backlog-udp")?.owners).toMatchObject([
      { pid: 2, bytes: 200_000_000 },
      { pid: 1, bytes: 100_000_000 },
    ]);
  });

  it("are something else where there is no supportconfig", async () => {
    const bundle = await open(tar(tarEntry("network-blue.txt", row(3))));
    expect([...bundle.files.keys()]).toEqual(["sos_commands/networking/ss_-peaonmi"]);
  });
});

describe("their other commands", () => {
  it.each(["ethtool_-g_eth0", "lsmod", "netstat_-neopa", "df_-alP_-x_autofs", "df_-li_-x_autofs"])(
    "of an insights archive: %s",
    async (name) => {
      const bundle = await open(tar(tarEntry(`insights-shop/data/insights_commands/${name}`, "x")));
      expect([...bundle.files.keys()]).toEqual([expect.stringMatching(new RegExp(`^sos_commands/\\w+/${name}$`))]);
    },
  );

  it("of a supportconfig: modules, rings of cards, inodes", async () => {
    const bundle = await open(tar(
      tarEntry("modules.txt", section("Command", "/usr/sbin/lsmod", "Module Size Used by\n")),
      tarEntry("network.txt", section("Command", "/usr/sbin/ethtool -g eth0", "Ring parameters for eth0:\n")),
      tarEntry("basic-health-check.txt", section("Command", "/usr/bin/df -i", "x\n")),
      tarEntry("fs-diskio.txt", section("Configuration File", "/proc/mounts", "tmpfs /run tmpfs rw 0 0\n")),
    ));
    expect([...bundle.files.keys()].sort()).toEqual([
      "proc/mounts",
      "sos_commands/filesys/df_-i",
      "sos_commands/kernel/lsmod",
      "sos_commands/networking/ethtool_-g_eth0",
    ]);
  });
});

describe("what Amazon's log collectors pack", () => {
  const TOP = "top - 08:13:42 up 1 min,  0 users,  load average: 0.00, 0.00, 0.00\n" +
    "MiB Mem :   8192.0 total,    500.0 free,   6692.0 used,   1000.0 buff/cache\n";
  const NETSTAT = "Active Internet connections (servers and established)\n" +
    "Proto Recv-Q Send-Q Local Address Foreign Address State PID/Program name\n" +
    "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 9/sshd\n";
  const LOG = "[1.0] Out of memory: Kill process 7 (hog) score 900 or sacrifice child\n";
  // eks-log-collector.sh 0.7.3 of awslabs/amazon-eks-ami: tar --directory=/tmp/eks-log-collector .
  const eks = (root: string, ...first: string[]): Uint8Array[] => {
    const files = {
      "system/ps.txt": PS,
      // A line for each thread.
      "system/ps-threads.txt": PS,
      "system/top.txt": TOP,
      "system/netstat.txt": NETSTAT,
      "kernel/dmesg.current": LOG,
      "kernel/uname.txt": UNAME,
      "sysctls/sysctl_all.txt": "vm.swappiness = 60\n",
      "var_log/messages": "",
      "var_log/aws-node/containers/0.log": LOG,
    };
    return [...first, ...Object.keys(files).map((name) => `${root}${name}`)].map((path) =>
      tarEntry(path, files[path.slice(root.length) as keyof typeof files] ?? "", {
        type: path.endsWith("/") ? "5" : "0",
      })
    );
  };
  // ecs-logs-collector.sh of aws/amazon-ecs-logs-collector: tar ./collect
  const ecs = [
    tarEntry("./collect/", "", { type: "5" }),
    tarEntry("./collect/system/", "", { type: "5" }),
    tarEntry("./collect/system/ps.txt", PS),
    tarEntry("./collect/system/top.txt", TOP),
    tarEntry("./collect/system/kernel/dmesg.current", LOG),
    tarEntry("./collect/system/var_log/messages", ""),
  ];

  it.each([
    ["EKS", eks("./", "./", "./system/")],
    ["EKS, in another order", eks("./", "./", "./cni/", "./kernel/")],
    ["EKS, in a folder", eks("eks_i-0123/", "eks_i-0123/")],
    ["ECS", ecs],
  ])("has ps, top's sums, the kernel's log and more: %s", async (_, entries) => {
    const bundle = await open(tar(...entries));
    expect([...bundle.files.keys()]).toEqual(expect.arrayContaining([
      "sos_commands/kernel/dmesg",
      "sos_commands/memory/free",
      "sos_commands/process/ps_auxwww",
      "var/log/messages",
    ]));
    const report = analyze(bundle, preset);
    expect(report.host.totalBytes).toBe(8 * 2 ** 30);
    expect(findingOf(report, "global-oom")).toBeDefined();
    expect(findingOf(report, "user-leak")?.owners[0]).toMatchObject({ pid: 777 });
  });

  it("has names that a bundle's folder may have, too", async () => {
    const bundle = await open(tar(tarEntry("system/proc/meminfo", MEMINFO), tarEntry("system/etc/hostname", "shop")));
    expectShopsMemory(bundle);
  });
});

describe("the folders around a bundle", () => {
  const folder = (path: string): Uint8Array => tarEntry(path, "", { type: "5" });
  const shop = (root: string): Uint8Array[] => [
    tarEntry(`${root}proc/meminfo`, MEMINFO),
    tarEntry(`${root}etc/hostname`, "shop"),
  ];

  it.each<[string, Uint8Array[]]>([
    ["tar -C CASE .", [folder("./"), folder("./sosreport-shop/"), ...shop("./sosreport-shop/")]],
    ["tar -C sosreport-shop .", [folder("./"), folder("./proc/"), ...shop("./")]],
    ["tar /tmp/sosreport-shop", [folder("tmp/sosreport-shop/"), ...shop("tmp/sosreport-shop/")]],
    ["tar /var/tmp/sosreport-shop", [folder("var/tmp/sosreport-shop/"), ...shop("var/tmp/sosreport-shop/")]],
    ["tar case/shop/proc case/shop/etc", [folder("case/shop/proc/"), ...shop("case/shop/")]],
    ["tar case/notes case/etc case/proc", [folder("case/notes/"), ...shop("case/")]],
    ["tar var/log etc proc", [folder("var/log/"), ...shop("")]],
  ])("are those that %s writes", async (_, entries) => expectShopsMemory(await open(tar(...entries))));

  // Folders come in any order, and what zip packs has none.
  it.each<[string, Uint8Array[]]>([
    ["a case's folder", [
      ...["case/", "case/1/", "case/1/shop/", "case/1/shop/proc/"].map(folder),
      ...shop("case/1/shop/"),
      tarEntry("case/1/shop/proc/9/status", "Name:\tmeminfo.txt\n"),
    ]],
    ["a named folder that begins with another file", [
      folder("case/"),
      folder("case/1/"),
      folder("case/1/sosreport-shop/"),
      tarEntry("case/1/sosreport-shop/etc/hostname", "shop"),
      ...shop("case/1/sosreport-shop/").slice(0, 1),
    ]],
    ["zip", [
      tarEntry("case/1/nailhouse-shop-20261130T144543Z/etc/hostname", "shop"),
      tarEntry("case/1/nailhouse-shop-20261130T144543Z/proc/meminfo", MEMINFO),
    ]],
  ])("may be several: %s", async (_, entries) => {
    const bundle = await open(tar(...entries));
    expectShopsMemory(bundle);
    expect(bundle.warnings).toEqual([]);
  });

  it("may have those of another bundle beside them, and it is said that it is passed over", async () => {
    const bundle = await open(
      tar(
        ...["case/", "case/a/", "case/a/sosreport-shop/"].map(folder),
        ...shop("case/a/sosreport-shop/"),
        ...shop("case/b/sosreport-other/"),
      ),
    );
    expectShopsMemory(bundle);
    expect(bundle.warnings).toEqual(['"b/sosreport-other" is another bundle: passed over']);
  });

  it("has another bundle beside it, and others' files in it, of which nothing is said", async () => {
    const bundle = await open(
      tar(
        ...shop("sosreport-shop/"),
        tarEntry("sosreport-shop/sos_containers/web/proc/meminfo", "MemTotal: 1 kB\n"),
        ...shop("sosreport-other/"),
      ),
    );
    expectShopsMemory(bundle);
    expect(bundle.warnings).toEqual(['"sosreport-other" is another bundle: passed over']);
  });

  it("may be those of files as people save them", async () => {
    const bundle = await open(tar(folder("home/me/case/"), tarEntry("home/me/case/meminfo.txt", MEMINFO)));
    expect([...bundle.files.keys()]).toEqual(["proc/meminfo"]);
  });

  it("are of one host: another's files stay where they are", async () => {
    const other = MEMINFO.replaceAll(/MemTotal: +\d+/g, "MemTotal: 1");
    const bundle = await open(
      tar(folder("x/a/"), ...shop("x/a/"), folder("x/b/"), tarEntry("x/b/proc/meminfo", other)),
    );
    expectShopsMemory(bundle);
  });
});

describe("a host without a manifest", () => {
  it.each([
    // arm64: of a public note on leaked huge pages, in which minutes lie between the two files.
    [
      "Active(file):     175680 kB\nSReclaimable:     248384 kB\nSUnreclaim:      2679552 kB\nPageTables:        57280 kB\n",
      "nr_page_table_pages 919\nnr_active_file 4437\nnr_slab_reclaimable 3840\nnr_slab_unreclaimable 42011\n",
      65_536,
    ],
    // Linux 2.6.28, which has no lists of files: https://bugzilla.kernel.org/show_bug.cgi?id=12832
    ["Active:          32544 kB\nPageTables:       3324 kB\n", "nr_page_table_pages 831\n", 4096],
    ["PageTables:          0 kB\n", "nr_page_table_pages 0\n", undefined],
  ])("tells its page size by what meminfo and vmstat both count: %j", async (amounts, vmstat, size) => {
    const meminfo = `MemTotal:       509108 kB\n${amounts}`;
    const bundle = await open(tar(tarEntry("h/proc/meminfo", meminfo), tarEntry("h/proc/vmstat", vmstat)));
    expect(bundle.facts.pageSizeBytes).toBe(size);
  });

  it.each([["Jan  2 03:04:05 web1", "web1"], ["Jan  2 03:04:05 2013", undefined]])(
    "tells its name by its log: %s",
    async (prefix, hostname) => {
      const bundle = await open(tar(tarEntry("h/sos_commands/kernel/dmesg", `${prefix} kernel: [1.0] Mem-Info:\n`)));
      expect(bundle.facts.hostname).toBe(hostname);
    },
  );

  it.each([
    ["Mon Nov 23 09:43:05 UTC 2026\n", Date.UTC(2026, 10, 23, 9, 43, 5)],
    ["Tue Dec  1 06:23:00 UTC 2026\n", Date.UTC(2026, 11, 1, 6, 23)],
    ["Mon Nov 23 10:43:05 CET 2026\n", undefined],
    ["Mon Nov 99 10:43:05 UTC 2026\n", undefined],
  ])("tells when it was looked at by date --utc, as sos collects it: %s", async (date, time) => {
    const bundle = await open(
      tar(tarEntry("h/proc/meminfo", MEMINFO), tarEntry("h/sos_commands/date/date_--utc", date)),
    );
    expect(bundle.facts.capturedAt).toBe(time);
  });

  it("tells its CPUs by the lists of free pages that zones have for each", async () => {
    const zone = (name: string): string =>
      `Node 0, zone ${name}\n  pages free     9\n  pagesets\n    cpu: 0\n              count: 3\n    cpu: 2\n              count: 4\n  start_pfn:           1\n`;
    const read = async (zoneinfo: string) => await open(tar(tarEntry("h/proc/zoneinfo", zoneinfo)));
    expect((await read(zone("DMA") + zone("Normal"))).facts.cpus).toBe(2);
    expect((await read("Node 0, zone DMA\n  pages free     9\n")).facts).not.toHaveProperty("cpus");
    const cut = zone("DMA").slice(0, zone("DMA").indexOf("    cpu: 2"));
    expect((await read(cut)).facts).not.toHaveProperty("cpus");
    // A virtual machine may be given more while it runs.
    const log = "[0.0] setup_percpu: NR_CPUS:8192 nr_cpumask_bits:128 nr_cpu_ids:128 nr_node_ids:1\n";
    const both = tar(tarEntry("h/proc/zoneinfo", zone("DMA")), tarEntry("h/sos_commands/kernel/dmesg", log));
    expect((await open(both)).facts.cpus).toBe(128);
  });
});

describe("an old sosreport", () => {
  it("has the kernel's log (up to sos 3.2) and lsof elsewhere", async () => {
    const oom = "[1.0] Out of memory: Kill process 7 (hog) score 900 or sacrifice child\n";
    const lsof =
      `COMMAND PID USER FD TYPE DEVICE SIZE/OFF NODE NAME\nhog 7 0 1196u a_inode 0,16 0 1038 [eventpoll:4]\n`;
    const report = analyze(
      await open(tar(
        tarEntry("host/proc/meminfo", MEMINFO),
        tarEntry("host/sos_commands/general/dmesg", oom),
        tarEntry("host/sos_commands/filesys/lsof_-b_M_-n_-l_-P", lsof),
      )),
      preset,
    );
    expect(findingOf(report, "global-oom")).toBeDefined();
    expect(report.ruledOut.find(({ cause }) => cause === "fd-leak")?.because).toContain("hog");
  });
});

describe("what kdump kept of a kernel that panicked", () => {
  const oom = (comm: string): string => `[9.0] Out of memory: Kill process 7 (${comm}) score 900 or sacrifice child\n`;

  it.each(["vmcore-dmesg.txt", "dmesg.202611230812"])(
    "is read where no newer log tells of an OOM, of several the newest: %s",
    async (name) => {
      const files = {
        "host/proc/meminfo": MEMINFO,
        "host/sos_commands/kernel/dmesg": "[    0.000000] Linux version 5.14.0\n[1.0] usb 1-1: new device\n",
        [`host/var/crash/202511230812/${name}`]: oom("older"),
        [`host/var/crash/202611230812/${name}`]: oom("newer"),
      };
      const report = analyze(
        await open(tar(...Object.entries(files).map(([path, text]) => tarEntry(path, text)))),
        preset,
      );
      const finding = findingOf(report, "global-oom");
      expect(finding?.title).toMatch(/^Before it was last started, the host ran out of memory.* newer /);
    },
  );

  it("is read by itself, as Ubuntu's kdump names it", async () => {
    const bundle = await open(tar(tarEntry("202611230812/dmesg.202611230812", oom("hog"))));
    expect(findingOf(analyze(bundle, preset), "global-oom")?.title).toContain("killed hog");
  });
});

describe("an insights archive", () => {
  it("keeps files below data, and commands in one folder", async () => {
    const root = "insights-shop-20261123130000";
    const bundle = await open(tar(
      tarEntry(`${root}/meta_data/insights.specs.Specs.meminfo.json`, "{}"),
      tarEntry(`${root}/data/proc/meminfo`, MEMINFO),
      tarEntry(`${root}/data/insights_commands/ps_auxwww`, PS),
      tarEntry(`${root}/data/insights_commands/uname_-a`, UNAME),
      tarEntry(`${root}/data/insights_commands/rpm_-qa`, "x"),
    ));
    expect([...bundle.files.keys()].sort()).toEqual([
      "proc/meminfo",
      "sos_commands/kernel/uname_-a",
      "sos_commands/process/ps_auxwww",
    ]);
    expectShop(bundle);
  });
});

describe("an archive of several bundles", () => {
  const one = (host: string): Uint8Array =>
    tar(tarEntry(`sosreport-${host}/proc/meminfo`, MEMINFO), tarEntry(`sosreport-${host}/etc/hostname`, host));

  async function hosts(
    archive: Uint8Array,
    limits = {},
  ): Promise<{ hosts: (string | undefined)[]; broken: string[] }> {
    const broken: string[] = [];
    const found: (string | undefined)[] = [];
    const options = { sources: presetSources(preset), limits };
    for await (const { path, bundle } of openArchives(pieces(archive), options, (message) => broken.push(message))) {
      found.push(`${path}: ${bundle.facts.hostname}`);
      broken.push(...bundle.warnings);
    }
    return { hosts: found, broken };
  }

  const collected = tar(
    tarEntry("sos-collector-x/sos_logs/sos.log", "x"),
    tarEntry("sos-collector-x/sosreport-a.tar.gz", gzipSync(one("a"))),
    tarEntry("sos-collector-x/sosreport-a.tar.gz.md5", "x"),
    tarEntry("sos-collector-x/sosreport-b.tar", one("b")),
  );

  it("gives each of them (sos collect)", async () => {
    expect(await hosts(collected)).toEqual({ hosts: ["sosreport-a.tar.gz: a", "sosreport-b.tar: b"], broken: [] });
    await expect(open(collected)).rejects.toThrow("it is none, but holds others, such as sosreport-b.tar");
  });

  it("in archives of archives, up to a limit that is named", async () => {
    const mustGather = gzipSync(tar(
      tarEntry("must-gather.local.1/quay-io/nodes/collected.tgz", gzipSync(collected)),
      tarEntry("must-gather.local.1/version", "x"),
    ));
    expect((await hosts(mustGather)).hosts).toEqual([
      "quay-io/nodes/collected.tgz/sosreport-a.tar.gz: a",
      "quay-io/nodes/collected.tgz/sosreport-b.tar: b",
    ]);
    const { broken } = await hosts(mustGather, { maxNesting: 1 });
    expect(broken.join("\n")).toContain(
      "sosreport-a.tar.gz: an archive in an archive too many: passed over (limit maxNesting)",
    );
  });

  it("gives the good ones, and says what is wrong with the others", async () => {
    const archive = tar(
      tarEntry("all/empty.tar.gz", ""),
      tarEntry("all/text.tar.gz", "hello"),
      tarEntry("all/other.tar", tar(tarEntry("x", "y"))),
      tarEntry("all/good.tar", one("good")),
      tarEntry("all/cut.tar", one("cut").subarray(0, 1600)),
    );
    const { hosts: found, broken } = await hosts(archive);
    expect(found).toEqual(["good.tar: good", "cut.tar: cut"]);
    expect(broken).toEqual([
      expect.stringMatching(/^the archive is cut off/),
      "empty.tar.gz: Cannot read the bundle: it is empty",
      expect.stringContaining("text.tar.gz: Cannot read the bundle: it is neither"),
      "other.tar: it has no file that a bundle or sosreport has",
    ]);
  });

  it("does not take a host's own archives for bundles", async () => {
    const archive = tar(
      tarEntry("sosreport-a/proc/meminfo", MEMINFO),
      tarEntry("sosreport-a/var/crash/127.0.0.1.tar.gz", gzipSync(one("inner"))),
    );
    expect((await hosts(archive)).hosts).toEqual([": undefined"]);
  });

  it("shares the limits with what is in it: a bomb inside is refused", async () => {
    const archive = tar(tarEntry("x/a.tar.gz", gzipSync(tar(tarEntry("x/proc/x", new Uint8Array(2 ** 27))))));
    await expect(hosts(archive)).rejects.toThrow("limit maxRatio");
  });

  it("reads xz in xz, which is what sos collect makes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "nailhouse-xz-"));
    const xz = (bytes: Uint8Array): Uint8Array => {
      writeFileSync(join(folder, "x"), bytes);
      return new Uint8Array(execFileSync("xz", ["-c", join(folder, "x")]));
    };
    try {
      const parts = ["a", "b"].map((host) => tarEntry(`x/sosreport-${host}.tar.xz`, xz(one(host))));
      expect((await hosts(xz(tar(...parts)))).hosts).toEqual(["sosreport-a.tar.xz: a", "sosreport-b.tar.xz: b"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
