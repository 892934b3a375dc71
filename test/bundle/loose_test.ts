import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import type { Bundle } from "../../src/core/bundle.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { findingOf, meminfoText } from "../analyzers/_bundle.ts";
import { tar, tarEntry } from "./_archive.ts";

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5000) yield bytes.subarray(at, at + 5000);
}

const open = (bytes: Uint8Array): Promise<Bundle> => openArchive(chunksOf(bytes), { sources: presetSources(preset) });
const sampleUrl = new URL("../../samples/friend-push.tgz", import.meta.url);

describe("files as they are saved, without a host's folders", () => {
  let sample: Bundle;
  beforeAll(async () => void (sample = await open(readFileSync(sampleUrl))));
  const file = (path: string): Uint8Array => sample.files.get(path) as Uint8Array;

  it.each([
    ["meminfo.txt", "proc/meminfo"],
    ["slabinfo", "proc/slabinfo"],
    ["2026-11-23 vmstat.out", "proc/vmstat"],
    ["zones.log", "proc/zoneinfo"],
    ["buddy", "proc/buddyinfo"],
    ["vmalloc", "proc/vmallocinfo"],
    ["sockstat", "proc/net/sockstat"],
    ["udp.txt", "proc/net/udp"],
    ["udp6.txt", "proc/net/udp6"],
    ["tcp.txt", "proc/net/tcp"],
    ["tcp6.txt", "proc/net/tcp6"],
    ["sockets.txt", "sos_commands/networking/ss_-peaonmi"],
    ["netstat.txt", "sos_commands/networking/netstat_-W_-neopa"],
    ["sysctl.txt", "sos_commands/kernel/sysctl_-a"],
    ["kernel.log", "sos_commands/kernel/dmesg"],
  ])("%s is told to be %s, alone, in a folder and between others", async (name, path) => {
    const alone = await open(file(path));
    expect([...alone.files.keys()]).toEqual([path]);
    const among = await open(
      tar(tarEntry("case-17/notes.txt", "it is slow\n"), tarEntry(`case-17/${name}`, file(path))),
    );
    expect([...among.files]).toEqual([[path, file(path)]]);
    expect(among.warnings).toEqual([`${name} is read as ${path}, by what is in it`]);
  });

  it.each([
    [
      "# name            <active_objs> <num_objs> <objsize>\na 1 1 8 1 1 : tunables 0 0 0 : slabdata 1 1 0\n",
      "proc/slabinfo",
    ],
    [" Active / Total Objects (% used)    : 1 / 2 (50.0%)\n", "sos_commands/memory/slabtop_-o"],
    ["------ Shared Memory Segments --------\nkey        shmid      owner\n", "sos_commands/sysvipc/ipcs"],
    ['unreferenced object 0xffff8881ab584640 (size 80):\n  comm "uksmd", pid 105\n', "sys/kernel/debug/kmemleak"],
    ["  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME\n", "sos_commands/memory/slabtop_-o"],
    ["COMMAND   PID USER   FD   TYPE DEVICE SIZE/OFF NODE NAME\n", "sos_commands/process/lsof_"],
    [
      "COMMAND     PID   TID TASKCMD               USER   FD      TYPE DEVICE SIZE/OFF NODE NAME\n",
      "sos_commands/process/lsof_",
    ],
    ["Filesystem     1K-blocks     Used Available Use% Mounted on\n", "sos_commands/filesys/df_-al"],
    ["State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n", "sos_commands/networking/ss_-peaonmi"],
    ["udp UNCONN 213760 0 127.0.0.1:5156 0.0.0.0:* ino:15145\n", "sos_commands/networking/ss_-peaonmi"],
    ["u_str ESTAB 5000   0        * 15151     * 15150\n", "sos_commands/networking/ss_-peaonmi"],
    ["CLOSE-WAIT 1 0 [::1]:80  [::1]:4711\n", "sos_commands/networking/ss_-peaonmi"],
    [
      "Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address Foreign Address State User Inode PID/Program name\n",
      "sos_commands/networking/netstat_-W_-neopa",
    ],
    [
      "Active Internet connections (w/o servers)\nProto Recv-Q Send-Q Local Address Foreign Address State PID/Program name\n",
      "sos_commands/networking/netstat_-W_-neopa",
    ],
    // https://github.com/netdata/netdata/issues/6527
    [
      "Aktive Internetverbindungen (Nur Server)\nProto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n",
      "sos_commands/networking/netstat_-W_-neopa",
    ],
    ["    PID  PPID   RSS    VSZ STAT COMMAND\n", "sos_commands/process/ps_auxwww"],
    [
      "  PID USER PR NI  VIRT  RES  SHR S %CPU %MEM    TIME+ COMMAND   \n21992 root 16  0 24.2g  18g 5544 S   99 40.1 47012:06 java\n",
      "sos_commands/process/ps_auxwww",
    ],
    ["             total       used       free     shared    buffers     cached\n", "sos_commands/memory/free"],
    ["              total        used        free      shared  buff/cache   available\n", "sos_commands/memory/free"],
    ["MiB Mem :   7945.3 total,    502.1 free,   5121.9 used,   2321.3 buff/cache\n", "sos_commands/memory/free"],
    ["Mem: 113788K used, 5472K free, 1424K shrd, 0K buff, 4864K cached\n", "sos_commands/memory/free"],
    ["SUnreclaim:     11777088 kB\n", "proc/meminfo"],
    ["**HugePages_Total:   53342**\n", "proc/meminfo"],
    ["Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n", "proc/swaps"],
    ["#subsys_name\thierarchy\tnum_cgroups\tenabled\n", "proc/cgroups"],
    ["       key      shmid perms                  size  cpid  lpid nattch\n", "proc/sysvipc/shm"],
    [
      "13 1 0x01 116 31552 3164999046 817169826428398\nname                            type data\nhits                            4    1\n",
      "proc/spl/kstat/zfs/arcstats",
    ],
  ])("%j is told to be of %s", async (text, path) => {
    expect([...(await open(new TextEncoder().encode(text))).files.keys()]).toEqual([path]);
  });

  it("of two logs a system's own is kept beside dmesg, which has less; of others it may be another host's", async () => {
    const oom = readFileSync(new URL("../../samples/oom-6.12-journal.txt", import.meta.url));
    const dmesg = file("sos_commands/kernel/dmesg");
    const pathsOf = async (name: string): Promise<readonly string[]> => [
      ...(await open(tar(tarEntry("logs/dmesg", dmesg), tarEntry(`logs/${name}`, oom)))).files.keys(),
    ];
    expect(await pathsOf("journalctl.log")).toEqual([
      "sos_commands/kernel/dmesg",
      "sos_commands/logs/journalctl_journalctl.log",
    ]);
    expect(await pathsOf("journal-web2.log")).toEqual(["sos_commands/kernel/dmesg"]);
  });

  it("a list of processes in a recording is read, too, where a log was saved beside it", async () => {
    const looks = Array.from(
      { length: 12 },
      (_, i) =>
        `Mon Nov 23 08:${
          String(2 * i).padStart(2, "0")
        }:00 UTC 2026\nUSER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n` +
        `app 873 9.0 1.0 9999999 ${(1 + i) * 300_000} ? S 07:00 0:01 ./grows\n\n${
          meminfoText({ AnonPages: (1 + i) * 300_000 * 1024 + 2 ** 28 })
        }\n`,
    );
    const bundle = await open(tar(
      tarEntry("case/loop.log", looks.join("")),
      tarEntry("case/dmesg.txt", file("sos_commands/kernel/dmesg")),
    ));
    const finding = findingOf(analyze(bundle, preset), "user-leak");
    expect(finding?.owners[0]).toMatchObject({ pid: 873, comm: "grows" });
    expect(finding?.evidence[0]?.path).toMatch(/^history\/2026-11-23T08:22:00.000Z\//);
  });

  describe("in folders", () => {
    const at = (paths: { readonly [name: string]: string }): Uint8Array =>
      tar(...Object.entries(paths).map(([name, path]) => tarEntry(name, file(path))));
    const all = {
      "case/memory/meminfo.txt": "proc/meminfo",
      "case/memory/slabinfo.txt": "proc/slabinfo",
      "case/network/udp.txt": "proc/net/udp",
      "case/network/ss.txt": "sos_commands/networking/ss_-peaonmi",
      "case/kernel/dmesg": "sos_commands/kernel/dmesg",
    };

    it("as collectors have them that somebody wrote, are those of one host", async () => {
      for (const names of [all, Object.fromEntries(Object.entries(all).reverse())]) {
        const bundle = await open(at(names));
        expect([...bundle.files.keys()].sort()).toEqual(Object.values(all).sort());
        expect(analyze(bundle, preset).findings[0]?.cause).toBe("socket-backlog-udp");
      }
    });

    it("of several hosts or times are those of the first, and it is said", async () => {
      const { "case/memory/meminfo.txt": path } = all;
      const bundle = await open(at({
        "case/a/meminfo": path,
        "case/b/dmesg": "sos_commands/kernel/dmesg",
        "case/b/meminfo": path,
      }));
      expect([...bundle.files.keys()]).toEqual([path]);
      expect(bundle.warnings.at(-1)).toContain("b/meminfo is passed over with its folder: it is of another host");
    });

    it("of several nodes are those of the first", async () => {
      const bundle = await open(at({
        "must-gather/nodes/a/meminfo": "proc/meminfo",
        "must-gather/nodes/b/meminfo": "proc/meminfo",
        "must-gather/nodes/b/dmesg": "sos_commands/kernel/dmesg",
      }));
      expect([...bundle.files.keys()]).toEqual(["proc/meminfo"]);
      expect(bundle.warnings.join()).toContain("nodes/b/meminfo is passed over with its folder");
    });

    describe("as collectors of products have them", () => {
      const free = "               total        used        free      shared  buff/cache   available\n" +
        "Mem:           24105        1204       21800           8        1410       22600\nSwap:              0           0           0\n";
      const udp = "State  Recv-Q  Send-Q Local Address:Port  Peer Address:Port Process\n" +
        'UNCONN 4193280 0      0.0.0.0:57442      0.0.0.0:*     users:(("push",pid=7,fd=3))\n';
      const uname = "Linux web1 6.1.0 #1 SMP x86_64 GNU/Linux\n";
      const ps = (rss: number): string =>
        `USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\napp 7 0.0 0.1 9999 ${rss} ? S 07:00 0:01 ./push\n`;
      const linesOf = (host: string): string =>
        new TextDecoder().decode(readFileSync(new URL("../../samples/oom-4.18-syslog.txt", import.meta.url)))
          .replaceAll(" db7 ", ` ${host} `);

      it("take the options of free and ss from their names (Rancher, GitLab)", async () => {
        for (
          const [memory, sockets] of [["systeminfo/freem", "networking/ssuapn"], ["free_m", "ss-uapn.txt"]] as const
        ) {
          const bundle = await open(tar(
            tarEntry(`h-2026/${memory}`, free),
            tarEntry(`h-2026/${sockets}`, udp),
            tarEntry("h-2026/systeminfo/uname", uname),
          ));
          const report = analyze(bundle, preset);
          expect(report.host.totalBytes).toBe(24_105 * 2 ** 20);
          expect(bundle.warnings.join()).toContain("as its name tells, it is of free -m");
          expect(findingOf(report, "socket-backlog-udp")?.owners[0]?.comm).toBe("push");
        }
        const other = await open(tar(tarEntry("h/free_memory.txt", free), tarEntry("h/ss_test.txt", udp)));
        expect(other.warnings.join()).not.toContain("as its name tells");
      });

      it("have the list of ps before top's, and the host's name", async () => {
        const top =
          `top - 08:13:42 up 1:02\n\nMiB Mem : 24105.0 total, 21800.0 free, 1204.0 used, 1410.0 buff/cache\n\n` +
          "  PID USER PR NI VIRT RES SHR S %CPU %MEM TIME+ COMMAND\n    7 app 20 0 9999 5000 10 S 0.0 0.1 0:00.1 push\n";
        const bundle = await open(tar(
          tarEntry("h/systeminfo/top", top),
          tarEntry("h/systeminfo/psauxwww", ps(5000)),
          tarEntry("h/systeminfo/hostname", "web1\n"),
        ));
        expect(new TextDecoder().decode(bundle.files.get("sos_commands/process/ps_auxwww"))).toBe(ps(5000));
        expect(bundle.warnings.join()).not.toContain("in the bundle twice");
        expect(bundle.facts.hostname).toBe("web1");
      });

      it("have a system's log in another folder, where it is the same host's", async () => {
        const at = (host: string): Promise<Bundle> =>
          open(tar(
            tarEntry("h/systeminfo/dmesg", "[    0.000000] Linux version 6.1.0\n[    1.000000] Memory: 1K\n"),
            tarEntry("h/systeminfo/uname", uname),
            tarEntry("h/systemlogs/syslog", linesOf(host)),
          ));
        expect(findingOf(analyze(await at("web1"), preset), "global-oom")?.owners[0]?.comm).toBe("redis-server");
        expect((await at("web2")).warnings.join()).toContain("systemlogs/syslog is passed over with its folder");
      });

      it("have all of a host that one folder has, whatever comes first, and of several nodes all of the first one's", async () => {
        const parts = [
          tarEntry("case/h1/systemlogs/syslog", linesOf("web1")),
          tarEntry("case/h1/networking/ssuapn", udp),
          tarEntry("case/h1/systeminfo/uname", uname),
          tarEntry("case/h1/systeminfo/freem", free),
          tarEntry("case/h1/systeminfo/dmesg", "[    0.000000] Linux version 6.1.0\n[    1.000000] Memory: 1K\n"),
          tarEntry("case/h1/notes.txt", ""),
        ];
        for (const order of [parts, parts.toReversed()]) {
          const bundle = await open(tar(...order));
          expect(bundle.files.has("sos_commands/memory/free")).toBe(true);
          const causes = analyze(bundle, preset).findings.map(({ cause }) => cause);
          expect(causes).toEqual(expect.arrayContaining(["global-oom", "socket-backlog-udp"]));
        }
        const nodes = await open(tar(...["slave/a1", "slave/b2"].flatMap((node) => [
          tarEntry(`nodes/${node}/sysctl.txt`, file("sos_commands/kernel/sysctl_-a")),
          tarEntry(`nodes/${node}/proc/meminfo.txt`, file("proc/meminfo")),
        ])));
        expect([...nodes.files.keys()].sort()).toEqual(["proc/meminfo", "sos_commands/kernel/sysctl_-a"]);
        expect(nodes.warnings.join()).toContain("slave/b2/sysctl.txt is passed over with its folder");
      });

      it("have what commands print beside the host's own files (AKS)", async () => {
        const bundle = await open(tar(
          tarEntry("proc/meminfo", file("proc/meminfo")),
          tarEntry("proc/net/udp", file("proc/net/udp")),
          tarEntry("collect/ss.txt", file("sos_commands/networking/ss_-peaonmi")),
          tarEntry("collect/ip_netns_a/netstat.txt", file("sos_commands/networking/netstat_-W_-neopa")),
        ));
        expect([...bundle.files.keys()].sort()).toEqual([
          "proc/meminfo",
          "proc/net/udp",
          "sos_commands/networking/ss_-peaonmi",
        ]);
      });

      it("have OOMs in the kubelet's log and in a cluster's events, which rule out none", async () => {
        const told = "System OOM encountered, victim process: java, pid: 4242";
        const line = (text: string): string =>
          `Nov 23 08:40:00.123456 master-1 kubenswrapper[2345]: I1123 08:40:00.1 2345 event.go:307] ${text}\n`;
        const event = `{\n  "reason": "SystemOOM",\n  "message": "${told}",\n  "count": 1\n}\n`;
        const logs = [
          ["sha256-a/host_service_logs/masters/kubelet_service.log", line("started") + line(`message="${told}"`)],
          ["cluster-state/default/events.json", event],
        ] as const;
        for (const [name, text] of logs) {
          const report = analyze(await open(tar(tarEntry(`must-gather/${name}`, text))), preset);
          expect(findingOf(report, "global-oom")?.title).toContain("java (pid 4242)");
          expect(report.ruledOut.map(({ cause }) => cause)).not.toContain("memcg-oom");
        }
        const quiet = await open(tar(tarEntry(`must-gather/${logs[0][0]}`, line("started"))));
        expect(quiet.files.size).toBe(0);
      });
    });

    it.each([
      ["beside a host's own", { "h/proc/vmstat": "proc/vmstat", "h/root/meminfo.txt": "proc/meminfo" }],
      ["called as anything", { "h/proc/vmstat": "proc/vmstat", "h/x/mymemory1.txt": "proc/meminfo" }],
      ["of a host", { "h/vmstat": "proc/vmstat", "h/etc/meminfo.txt": "proc/meminfo" }],
    ])("are passed over where they are %s", async (_, names) => {
      expect([...(await open(at(names))).files.keys()]).toEqual(["proc/vmstat"]);
    });
  });

  it("are no more recordings than a year has days", async () => {
    const text = "# hostname;interval;timestamp;kbmemfree\ndb1;600;2026-11-21 10:00:01 UTC;4000000\n";
    const bundle = await open(tar(...Array.from({ length: 500 }, (_, i) => tarEntry(`case/${i}.txt`, text))));
    expect([bundle.files.size, bundle.warnings.length]).toEqual([366, 366]);
  });

  it("are what sysstat and atop recorded, too, each file of another day", async () => {
    const sar = (day: number): string =>
      `Linux 5.14.0-70.el9.x86_64 (db1) \t11/${day}/2026 \t_x86_64_\t(8 CPU)\n\n12:00:01 AM kbmemfree   kbavail kbmemused  %memused kbbuffers  kbcached\n` +
      "12:10:01 AM   4000000   5000000   3000000     37.00     80000   1000000\n" +
      "12:20:01 AM   3900000   4900000   3100000     38.00     80000   1000000\n";
    const files = {
      "case/meminfo.txt": file("proc/meminfo"),
      "case/sar22": sar(22),
      "case/sar23.txt": sar(23),
      "case/sadf.txt": "# hostname;interval;timestamp;kbmemfree\ndb1;600;2026-11-21 10:00:01 UTC;4000000\n",
      "case/atop.out":
        "RESET\nMEM db1 1795427256 2026/11/23 09:47:36 600 4096 2097152 1000000 250000 20000 8000 0 6000 0 2\nSEP\n",
      "case/iostat.txt": "Linux 5.14.0 (db1) \t11/23/2026 \t_x86_64_\t(8 CPU)\n\navg-cpu:  %user\n           1.00\n",
    };
    const bundle = await open(tar(...Object.entries(files).map(([name, text]) => tarEntry(name, text))));
    expect([...bundle.files.keys()].filter((path) => path.startsWith("history_imported/")).sort()).toEqual(
      ["atop.out", "sadf.txt", "sar22", "sar23.txt"].map((name) => `history_imported/recorded-${name}`),
    );
    // Local times are not used beside those of UTC.
    expect(analyze(bundle, preset).timeline).toHaveLength(2);
    const local = await open(tar(tarEntry("case/sar22", sar(22)), tarEntry("case/sar23", sar(23))));
    expect(analyze(local, preset).timeline).toHaveLength(4);
  });

  it("of which there are two of the same are told of: the second is passed over", async () => {
    const bundle = await open(tar(
      tarEntry("case/meminfo-1.txt", file("proc/meminfo")),
      tarEntry("case/meminfo-2.txt", file("proc/meminfo")),
    ));
    expect(bundle.warnings).toEqual([
      "meminfo-1.txt is read as proc/meminfo, by what is in it",
      "meminfo-2.txt is passed over: another file is proc/meminfo",
    ]);
  });

  it("are analyzed together, with a byte order mark and ends of lines as Windows has them", async () => {
    const windows = (path: string): string => `\ufeff${new TextDecoder().decode(file(path)).replaceAll("\n", "\r\n")}`;
    const names = {
      "a.txt": "proc/meminfo",
      "b.txt": "proc/net/udp",
      "c.txt": "proc/slabinfo",
      "d.txt": "proc/vmstat",
    };
    const report = analyze(
      await open(tar(...Object.entries(names).map(([name, path]) => tarEntry(name, windows(path))))),
      preset,
    );
    expect(report.findings[0]).toMatchObject({ cause: "socket-backlog-udp" });
    expect(report.findings[0]?.bytes.high).toBeGreaterThan(380 * 2 ** 20);
  });

  it("are told from what begins in the same way", async () => {
    // pcp's qa/linux/zfs-stats.v2.tgz
    const kstat = (counters: number, size: number): string =>
      `10 1 0x01 ${counters} ${size} 1724392104845459 10768748012240194\nname                            type data\nhits                            4    153\nmisses                          4    0\n`;
    const bundle = await open(
      tar(tarEntry("zfetchstats", kstat(3, 816)), tarEntry("arcstats", kstat(98, 26_656)), tarEntry("proc/x", "")),
    );
    expect(bundle.warnings).toEqual([expect.stringContaining("arcstats is read as")]);
  });

  it("are told to be df's with -P, too", async () => {
    const df = "Filesystem     1024-blocks    Used Available Capacity Mounted on\ntmpfs 984112 8660 975452 1% /run\n";
    expect([...(await open(new TextEncoder().encode(df))).files.keys()]).toEqual(["sos_commands/filesys/df_-al"]);
  });

  const meminfo = "MemTotal:        8000000 kB\nMemFree:         7000000 kB\n";
  const tcp = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\nESTAB 9 0 10.0.0.1:1 10.0.0.2:2\n";
  const SS = "sos_commands/networking/ss_-peaonmi";
  const textOf = ({ files }: Bundle, path: string): string => new TextDecoder().decode(files.get(path));

  it("are taken apart where they hold several, as a paste is", async () => {
    const all = `root@host:~# cat /proc/meminfo\n${meminfo}root@host:~# ss -tn\n${tcp}root@host:~# dmesg\nnone\n`;
    const bundle = await open(
      tar(
        tarEntry("case/notes.txt", "it is slow\n"),
        tarEntry("case/all.txt", all),
        tarEntry("case/vmstat.txt", file("proc/vmstat")),
      ),
    );
    expect([...bundle.files.keys()]).toEqual(["proc/meminfo", "proc/vmstat", SS]);
    expect(textOf(bundle, "proc/meminfo")).toBe(meminfo);
    expect(textOf(bundle, SS)).toBe(`$ ss -tn\n${tcp}`);
    expect(bundle.warnings).toEqual([
      "all.txt: a text with several files: what is cited by path and line stands in its parts",
      "all.txt: lines 2-3 are read as proc/meminfo, by what is in them",
      `all.txt: lines 5-6 are read as ${SS}, by what is in them`,
      "all.txt: lines 8 are passed over: nothing that is known, or something that other lines tell as well",
      "vmstat.txt is read as proc/vmstat, by what is in it",
    ]);
  });

  it("are lists of sockets that are put together, however many there are, but for the host's own", async () => {
    const udp = tcp.replace("ESTAB", "UNCONN");
    const entries = [
      tarEntry("case/tcp.txt", `$ ss -tn\n${tcp}`),
      tarEntry("case/udp.txt", udp),
      tarEntry("case/netstat.txt", "Active Internet connections (servers and established)\nProto Recv-Q Send-Q\n"),
    ];
    const bundle = await open(tar(...entries));
    expect(textOf(bundle, SS)).toBe(`$ ss -tn\n${tcp}\n${udp}`);
    expect(bundle.files.has("sos_commands/networking/netstat_-W_-neopa")).toBe(true);
    expect(bundle.warnings.join("\n")).toContain(`udp.txt is read as ${SS}`);
    const own = await open(tar(...entries, tarEntry(`case/${SS}`, udp)));
    expect(textOf(own, SS)).toBe(udp);
    expect(own.warnings.join("\n")).not.toContain("in the bundle twice");
    const many = await open(tar(...Array.from({ length: 99 }, (_, i) => tarEntry(`case/${i}.txt`, tcp))));
    expect(many.warnings).toHaveLength(32);
    expect(textOf(many, SS).match(/ESTAB/g)).toHaveLength(32);
  });

  it("are taken apart in bounded time and space, and never leave the bundle", async () => {
    const outside = await open(
      tar(tarEntry("case/a.txt", `$ cat /proc/../etc/passwd\nroot\n$ cat /proc/meminfo\n${meminfo}`)),
    );
    expect([...outside.files.keys()]).toEqual(["proc/meminfo"]);
    const large = meminfo + "\n".repeat(9 * 2 ** 20) + tcp;
    const bundle = await open(tar(tarEntry("case/a.txt", large)));
    expect([...bundle.files.keys()]).toEqual(["proc/meminfo"]);
    const filled = Array.from({ length: 8 }, (_, i) => tarEntry(`case/${i}.txt`, "x".repeat(8 * 2 ** 20)));
    const after = await open(tar(...filled, tarEntry("case/all.txt", `${meminfo}${tcp}`)));
    expect([...after.files.keys()]).toEqual(["proc/meminfo"]);
    const shown = Array.from({ length: 99 }, (_, i) => tarEntry(`case/${i}.txt`, `$ cat /proc/${i}/status\nName: a\n`));
    expect((await open(tar(...shown))).warnings.length).toBeLessThan(100);
  });

  it("do not take the place of a host's own, and are not looked for below the top", async () => {
    const other = "MemTotal: 1 kB\n";
    const bundle = await open(
      tar(
        tarEntry("host/proc/meminfo", file("proc/meminfo")),
        tarEntry("host/meminfo.txt", other),
        tarEntry("host/old/slabinfo.txt", file("proc/slabinfo")),
      ),
    );
    expect([...bundle.files.keys()]).toEqual(["proc/meminfo"]);
    expect(bundle.files.get("proc/meminfo")).toEqual(file("proc/meminfo"));
  });
});
