import { describe, expect, it } from "vitest";
import { fdLeak } from "../../analyzers/fd-leak.ts";
import { analyzeFiles, findingOf, manifest, meminfoText } from "./_bundle.ts";
import { slabinfoText } from "./_kernel.ts";
import { tcpText } from "./_sockets.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const slab = `slabinfo - version: 2.1
filp              376422 376422    192   21    1 : tunables    0    0    0 : slabdata  17925  17925      0
dentry            439677 439677    192   21    1 : tunables    0    0    0 : slabdata  20937  20937      0
eventpoll_epi     375392 375392    128   32    1 : tunables    0    0    0 : slabdata  11731  11731      0
`;
const meminfo = meminfoText({ SUnreclaim: 300 * MIB, SReclaimable: 160 * MIB }, 24 * GIB);
const comm = (pid: number, name: string): { [path: string]: string } => ({
  [`proc/${pid}/status`]: `Name:\t${name}\nRssAnon:\t100 kB\n`,
});
const links = (pid: number, target: string): string =>
  [3, 4, 5].map((fd) => `lrwx------ 1 root root 64 Nov 23 07:13 /proc/${pid}/fd/${fd} -> ${target}\n`).join("");

function leak(count: number, target: string): { [path: string]: string } {
  return {
    "proc/meminfo": meminfo,
    "proc/slabinfo": slab,
    "sos_commands/process/descriptor_counts": `281 /proc/1/fd\n${count} /proc/700/fd\n`,
    "sos_commands/process/descriptor_samples": links(700, target) + links(1, "/dev/null"),
    ...comm(700, "leaky"),
    ...comm(1, "init"),
  };
}
const grown = (files: { [path: string]: string }, counts: readonly number[]): { [path: string]: string } => ({
  ...files,
  ...Object.fromEntries(
    counts.map((
      count,
      i,
    ) => [`history/2026-01-01T00:00:0${i + 1}.000Z/sos_commands/process/descriptor_counts`, `${count} /proc/700/fd\n`]),
  ),
});

describe("fd-leak", () => {
  it("is confirmed for hundreds of thousands of epoll instances in one program", async () => {
    const report = await analyzeFiles(leak(375_000, "anon_inode:[eventpoll]"), [fdLeak]);
    const finding = findingOf(report, "fd-leak");
    expect(finding).toMatchObject({
      confidence: "confirmed",
      material: true,
      owners: [{ pid: 700, comm: "leaky", count: 375_000 }],
    });
    // 336 MB of slab were measured with as many.
    expect(finding?.bytes.low).toBeGreaterThan(0.85 * 336e6);
    expect(finding?.bytes.high).toBeLessThan(1.15 * 336e6);
    expect(finding?.claims.map(({ account }) => account)).toEqual(["slab-unreclaimable", "slab-reclaimable"]);
    expect(finding?.evidence.map(({ text }) => text)).toContainEqual(expect.stringContaining("anon_inode:[eventpoll]"));
    expect(report.verdict).toBe("cause-found");
  });

  it("takes processes of which the kinds of descriptors were not looked at to be like the others of the program", async () => {
    const files = leak(200_000, "anon_inode:[eventpoll]");
    files["sos_commands/process/descriptor_counts"] += "175000 /proc/701/fd\n";
    const finding = findingOf(await analyzeFiles({ ...files, ...comm(701, "leaky") }, [fdLeak]), "fd-leak");
    expect(finding).toMatchObject({ confidence: "confirmed", owners: [{ count: 375_000 }] });
    expect(finding?.bytes.low).toBeGreaterThan(0.85 * 336e6);
  });

  it("ends who has them, and no other script of the same interpreter", async () => {
    const files = leak(375_000, "anon_inode:[eventpoll]");
    files["sos_commands/process/descriptor_counts"] += "34 /proc/701/fd\n";
    const finding = findingOf(await analyzeFiles({ ...files, ...comm(701, "leaky") }, [fdLeak]), "fd-leak");
    expect(finding?.title).toContain("leaky (pid 700)");
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 700"]);
  });

  it("tells the growth of a watched leak", async () => {
    const report = await analyzeFiles(grown(leak(375_000, "anon_inode:[eventfd]"), [376_000, 377_000]), [fdLeak]);
    expect(findingOf(report, "fd-leak")?.growthBytesPerSecond?.low).toBeGreaterThan(0);
  });

  it("is likely for sockets that no table of their protocol lists", async () => {
    const files = {
      ...leak(62_000, "socket:[4711]"),
      "proc/net/sockstat": "sockets: used 62099\nTCP: inuse 1 orphan 0 tw 0 alloc 62071 mem 0\n",
    };
    expect(findingOf(await analyzeFiles(files, [fdLeak]), "fd-leak")).toMatchObject({
      confidence: "likely",
      material: true,
    });
  });

  it("accuses no server whose sockets are in use", async () => {
    const files = {
      ...leak(62_000, "socket:[4711]"),
      "proc/net/sockstat": "sockets: used 62099\nTCP: inuse 62000 orphan 0 tw 0 alloc 62071 mem 0\n",
    };
    const report = await analyzeFiles(files, [fdLeak]);
    expect(report.findings).toEqual([]);
    expect(report.ruledOut[0]?.because).toContain("their number does not grow");
  });

  it("is likely for sockets whose peers have closed, if that is most of them", async () => {
    const files = (closed: number): { [path: string]: string } => ({
      ...leak(62_000, "socket:[4711]"),
      "proc/net/tcp": tcpText(
        Array.from(
          { length: 62_000 },
          (_, i) => ({ local: 80, remote: 1024 + i, inode: i, state: i < closed ? 8 : 1 }),
        ),
      ),
    });
    const finding = findingOf(await analyzeFiles(files(60_000), [fdLeak]), "fd-leak");
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ comm: "leaky" }] });
    expect(finding?.evidence.map(({ because }) => because).join()).toContain("60,000 connections in CLOSE_WAIT (08)");
    // Each server has a few that it is about to close.
    expect((await analyzeFiles(files(600), [fdLeak])).findings).toEqual([]);
  });

  it("estimates how many there are where the kernel does not count them (before Linux 6.2)", async () => {
    // Linux 6.1: 150,003 eventfds in a table of 262,144 slots, of which every 1,311th was looked at.
    const looked = Array.from({ length: 115 }, (_, i) => i * 1311);
    const files = (fds: readonly number[]): { [path: string]: string } => ({
      ...leak(0, "anon_inode:[eventfd]"),
      "sos_commands/process/descriptor_samples": fds.map((fd) =>
        `lrwx------ 1 0 0 64 Nov 30 18:53 /proc/700/fd/${fd} -> anon_inode:[eventfd]\n`
      ).join(""),
      "proc/700/status": "Name:\tleaky\nFDSize:\t262144\n",
    });
    const finding = findingOf(await analyzeFiles(files(looked), [fdLeak]), "fd-leak");
    expect(finding).toMatchObject({ confidence: "confirmed", owners: [{ pid: 700, comm: "leaky", count: 150_765 }] });
    // Others than the collector's: what was seen is all that is known.
    expect((await analyzeFiles(files(looked.map((fd) => fd + 1)), [fdLeak])).findings).toEqual([]);
  });

  it("takes no more for held than the files that are open: children have their parent's", async () => {
    const files = { ...leak(375_000, "anon_inode:[eventfd]"), "proc/sys/fs/file-nr": "6000\t0\t2466165\n" };
    expect((await analyzeFiles(files, [fdLeak])).findings).toEqual([]);
  });

  it.each([
    // Linux 5.10 and 7.2, 192 to 256 bytes a struct file: what MemFree fell by.
    ["anon_inode:[timerfd]", 120_000, "5.10.0", 84],
    ["anon_inode:[pidfd]", 120_000, "5.10.0", 55],
    ["anon_inode:[pidfd]", 120_000, "7.2.0", 30],
    ["anon_inode:inotify", 60_000, "5.10.0", 58],
  ])("knows what %s takes", async (target, count, release, mib) => {
    const files = {
      ...leak(count, target),
      "proc/meminfo": meminfoText({ SUnreclaim: 100 * MIB, SReclaimable: 60 * MIB }, 512 * MIB),
      // Debian's 7.2 has smaller files, of which security modules keep more, in a cache that is merged into another.
      "proc/slabinfo": release === "7.2.0"
        ? `${slab}ftrace_event_field 104905 104974 56 73 1 : tunables 0 0 0 : slabdata 1438 1438 0\n`
        : slab.replace("    192   21", "    256   16"),
      "sos_commands/memory/ls_-l_.sys.kernel.slab": release === "7.2.0"
        ? ["ftrace_event_field", "lsm_file_cache"].map((name) =>
          `lrwxrwxrwx 1 0 0 0 Nov 30 19:15 ${name} -> :0000056\n`
        )
          .join("")
        : "drwxr-xr-x 2 0 0 0 Nov 30 19:15 dentry\n",
      "nailhouse.json": JSON.stringify({ ...manifest, host: { ...manifest.host, kernelRelease: release } }),
    };
    const [finding] = (await analyzeFiles(files, [fdLeak])).findings;
    expect(finding?.bytes.low).toBeGreaterThan(0.88 * mib * MIB);
    expect(finding?.bytes.high).toBeLessThan(1.12 * mib * MIB);
  });

  it("takes sockets for what the host's are on average, also in merged caches and in none", async () => {
    const files = (caches: string): { [path: string]: string } => ({
      ...leak(62_000, "socket:[4711]"),
      "proc/slabinfo":
        `${slab}sock_inode_cache 62000 62000 832 19 4 : tunables 0 0 0 : slabdata 3264 3264 0\n${caches}`,
      "sos_commands/memory/ls_-l_.sys.kernel.slab": ["PING", "UNIX"].map((name) =>
        `lrwxrwxrwx 1 0 0 0 Nov 30 18:52 ${name} -> :A-0001024\n`
      ).join(""),
      "proc/net/sockstat": "sockets: used 62099\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 0\n",
    });
    const bytesOf = async (caches: string): Promise<number | undefined> =>
      findingOf(await analyzeFiles(files(caches), [fdLeak]), "fd-leak")?.bytes.high;
    const row = (name: string, bytes: number, per: number, pages: number): string =>
      `${name} 62000 62000 ${bytes} ${per} ${pages} : tunables 0 0 0 : slabdata ${Math.ceil(62_000 / per)} ${
        Math.ceil(62_000 / per)
      } 0\n`;
    const [tcp, udp, unix, netlink] = await Promise.all(
      [row("TCP", 2368, 13, 8), row("UDP", 1344, 12, 4), row("PING", 1024, 16, 4), ""].map(bytesOf),
    );
    const difference = (a = 0, b = 0): number => Math.round((a - b) / 62_000);
    expect(difference(tcp, udp)).toBeCloseTo(32_768 / 13 - 16_384 / 12, -1);
    expect(difference(tcp, unix)).toBeCloseTo(32_768 / 13 - 1024, -1);
    expect(difference(tcp, netlink)).toBeCloseTo(32_768 / 13 - 2048, -1);
  });

  it("is likely for unix sockets that neither listen nor were ever connected", async () => {
    const row = (flags: string, state: string, inode: number): string =>
      `0000000000000000: 00000002 00000000 ${flags} 0001 ${state} ${inode}\n`;
    const files = (flags: string, state: string): { [path: string]: string } => ({
      ...leak(62_000, "socket:[4711]"),
      "proc/net/unix": `Num       RefCount Protocol Flags    Type St Inode Path\n${
        Array.from({ length: 62_000 }, (_, i) => row(flags, state, i + 1)).join("")
      }`,
    });
    const finding = findingOf(await analyzeFiles(files("00000000", "01"), [fdLeak]), "fd-leak");
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ comm: "leaky" }] });
    expect((await analyzeFiles(files("00010000", "01"), [fdLeak])).findings).toEqual([]);
    expect((await analyzeFiles(files("00000000", "03"), [fdLeak])).findings).toEqual([]);
  });

  it("does not compare a host-wide number with a namespace's before Linux 4.17", async () => {
    const files: { [path: string]: string } = {
      ...leak(62_000, "socket:[4711]"),
      "proc/net/sockstat": "sockets: used 62099\nTCP: inuse 1 orphan 0 tw 0 alloc 62071 mem 0\n",
    };
    const old = {
      schemaVersion: 1,
      tool: { name: "nailhouse", version: "0.1.0" },
      host: {
        hostname: "t",
        kernelRelease: "3.10.0-1160.el7",
        machine: "x86_64",
        pageSizeBytes: 4096,
        userHz: 100,
        cpus: 2,
      },
      capturedAt: "2026-01-01T00:00:00.000Z",
      privileged: true,
      snapshots: 1,
      intervalSeconds: 5,
      collectors: [],
    };
    expect((await analyzeFiles({ ...files, "nailhouse.json": JSON.stringify(old) }, [fdLeak])).findings).toEqual(
      [],
    );
  });

  it("is only possible for open files whose number grows for some seconds", async () => {
    const report = await analyzeFiles(grown(leak(500_000, "/var/lib/db/1"), [501_000, 502_000]), [fdLeak]);
    expect(findingOf(report, "fd-leak")).toMatchObject({ confidence: "possible" });
    expect(report.verdict).toBe("healthy");
  });

  it("counts the watches of inotify, which are many on few descriptors", async () => {
    const files = {
      "proc/meminfo": meminfo,
      "sos_commands/process/descriptor_counts": "103 /proc/700/fd\n",
      "sos_commands/process/descriptor_samples": Array.from(
        { length: 100 },
        (_, i) =>
          `lr-x------ 1 root root 64 Nov 23 07:13 /proc/700/fd/${i + 3} -> anon_inode:inotify\n${
            i < 10 ? `/proc/700/fdinfo/${i + 3}: inotify 20000\n` : ""
          }`,
      ).join(""),
      ...comm(700, "watcher"),
    };
    const finding = findingOf(await analyzeFiles(files, [fdLeak]), "fd-leak");
    expect(finding).toMatchObject({ confidence: "confirmed", owners: [{ comm: "watcher" }] });
    // 178 MB of slab were measured with two million.
    expect(finding?.bytes.low).toBeGreaterThan(0.9 * 178e6);
    expect(finding?.bytes.high).toBeLessThan(1.1 * 178e6);
  });

  it("tells that watched inodes are not given back, though they count as reclaimable", async () => {
    // Linux 6.18, ext4: 250,000 files marked with fanotify: SReclaimable grew by 329 MiB.
    const files = (kind: string, target: string, inodes: string) => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 300 * MIB, SReclaimable: 450 * MIB }, 24 * GIB),
      "proc/slabinfo": slabinfoText([{ name: inodes, size: 1128, objects: 300_000 }, {
        name: "lsm_inode_cache",
        size: 32,
        objects: 400_000,
      }]),
      "sos_commands/process/descriptor_counts": "4 /proc/700/fd\n",
      "sos_commands/process/descriptor_samples":
        `lr-x------ 1 root root 64 Nov 23 07:13 /proc/700/fd/3 -> anon_inode:${target}\n/proc/700/fdinfo/3: ${kind} 250000\n`,
      ...comm(700, "watcher"),
    });
    for (const [kind, target] of [["fanotify", "[fanotify]"], ["inotify", "inotify"]] as const) {
      const finding = findingOf(await analyzeFiles(files(kind, target, "ext4_inode_cache"), [fdLeak]), "fd-leak");
      expect(finding).toMatchObject({
        // As many may be wanted.
        confidence: "possible",
        claims: [{ account: "slab-unreclaimable" }, { account: "slab-reclaimable", bytes: { low: 250_000 * 1128 } }],
        owners: [{ pid: 700, comm: "watcher" }],
      });
      expect(finding?.title).toContain(
        `250,000 ${kind} watches hold 21.5 MiB of kernel objects, and 269 MiB of inodes`,
      );
    }
    const others = analyzeFiles(files("fanotify", "[fanotify]", "sock_inode_cache"), [fdLeak]);
    expect(findingOf(await others, "fd-leak")).toBeUndefined();
    // They may be those of files on tmpfs, which are in other accounts.
    const onDisk = files("fanotify", "[fanotify]", "ext4_inode_cache");
    const slab = slabinfoText([
      { name: "ext4_inode_cache", size: 1128, objects: 300_000 },
      { name: "shmem_inode_cache", size: 752, objects: 300_000 },
    ]);
    expect(findingOf(await analyzeFiles({ ...onDisk, "proc/slabinfo": slab }, [fdLeak]), "fd-leak")).toBeUndefined();
  });

  it("does not take many descriptors to have as many watches as the one that has all of them", async () => {
    // Linux 6.18: 101 descriptors, of which one has 120,000 watches: 16 MiB, and not 1 GiB.
    for (const none of ["", ": inotify 0"]) {
      const files = {
        "proc/meminfo": meminfo,
        "sos_commands/process/descriptor_counts": "104 /proc/700/fd\n",
        "sos_commands/process/descriptor_samples": Array.from(
          { length: 101 },
          (_, i) =>
            `lr-x------ 1 root root 64 Nov 23 07:13 /proc/700/fd/${i + 3} -> anon_inode:inotify\n${
              i === 4 ? "/proc/700/fdinfo/7: inotify 120000\n" : none && `/proc/700/fdinfo/${i + 3}${none}\n`
            }`,
        ).join(""),
        ...comm(700, "watcher"),
      };
      expect(findingOf(await analyzeFiles(files, [fdLeak]), "fd-leak")).toBeUndefined();
    }
  });

  it("reads sosreport's lsof, of whose beginning a part may be missing", async () => {
    const rows = Array.from(
      { length: 300_000 },
      (_, i) =>
        `fd_leak   700        0 ${
          i < 10_000 ? `${i}u` : `*${String(i % 1000).padStart(3, "0")}u`
        }  a_inode   0,16   0   1038 [eventfd:4]\n`,
    ).join("");
    const files = {
      "proc/meminfo": meminfo,
      "sos_commands/process/lsof_-b_M_-n_-l_-c": rows,
      "sos_commands/kernel/sysctl_-a": "fs.file-nr = 376422\t0\t2466165\n",
    };
    const finding = findingOf(await analyzeFiles(files, [fdLeak]), "fd-leak");
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ pid: 700, comm: "fd_leak", count: 300_000 }] });
    expect(finding?.title).toContain("at least");
    expect(finding?.bytes.high).toBeGreaterThan(1.2 * (finding?.bytes.low ?? 0));
  });

  it("accuses nobody of some hundred descriptors, whatever the host's size", async () => {
    for (const size of [GIB / 2, 128 * GIB]) {
      const report = await analyzeFiles({
        ...leak(2000, "anon_inode:[eventpoll]"),
        "proc/meminfo": meminfoText({}, size),
      }, [fdLeak]);
      expect(report.findings).toEqual([]);
      expect(report.ruledOut[0]?.because).toContain("2,000 descriptors");
    }
  });

  it("finds a smaller leak on a small host", async () => {
    const report = await analyzeFiles({
      ...leak(40_000, "anon_inode:[eventpoll]"),
      "proc/meminfo": meminfoText({ SUnreclaim: 60 * MIB, SReclaimable: 20 * MIB }, GIB / 2),
    }, [fdLeak]);
    expect(findingOf(report, "fd-leak")?.material).toBe(true);
  });

  it("is not assessed without descriptors, and survives hostile ones", async () => {
    expect((await analyzeFiles({ "proc/meminfo": meminfo }, [fdLeak])).notAssessed[0]?.cause).toBe("fd-leak");
    const hostile = {
      ...leak(375_000, "anon_inode:[eventfd]"),
      "sos_commands/process/descriptor_counts":
        "99999999999999999999 /proc/1/fd\n-5 /proc/2/fd\n0 /proc/3/fd\n375000 /proc/700/fd\n",
      ...comm(700, "a'; rm -rf / #"),
    };
    const report = await analyzeFiles(hostile, [fdLeak]);
    expect(findingOf(report, "fd-leak")?.remedies[0]?.commands).toEqual(["kill -TERM 700"]);
    expect(report.warnings.length).toBeGreaterThan(0);
  });

  it("is not assessed where the host has many more open files than were seen", async () => {
    const few = { ...leak(20, "/dev/null"), "proc/sys/fs/file-nr": "376000\t0\t9223372036854775807\n" };
    expect((await analyzeFiles(few, [fdLeak])).notAssessed).toMatchObject([
      { cause: "fd-leak", missing: [expect.stringContaining("descriptors of all processes")] },
    ]);
    for (const files of [{ "proc/2/status": "Name:\tkthreadd\n" }, { "proc/sys/fs/file-nr": "1200\t0\t99999\n" }]) {
      expect((await analyzeFiles({ ...few, ...files }, [fdLeak])).ruledOut).toHaveLength(1);
    }
  });
});
