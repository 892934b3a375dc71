import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText, prometheusText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

type Files = { readonly [path: string]: string };

const LIST = "sos_commands/process/shared_memory_descriptors";
const LSOF = "sos_commands/process/lsof_-b_M_-n_-l_-c";
const DF = "sos_commands/filesys/df_-al_-x_autofs";

const shmem = (bytes: number, total?: number): Files => ({
  "proc/meminfo": meminfoText({ Shmem: bytes, Cached: 64 * MIB + bytes }, total),
});

const status = (name: string, rssShmem: number): string =>
  `Name:\t${name}\nVmRSS:\t${rssShmem / 1024} kB\nRssAnon:\t100 kB\nRssShmem:\t${rssShmem / 1024} kB\nVmSwap:\t0 kB\n`;

/** As captured on Linux 6.18: 400 MiB in a memfd of process 32174. */
const memfd = `# Shmem:            418524 kB
lrwx------ 1 0 0 64 Nov 23 08:00 /proc/32174/fd/3 -> /memfd:nailhouse (deleted)
# looked 5 of 5 /proc/32174/fd
819200 512 1 1158 /proc/32174/fd/3
tmpfs /proc/32174/fd/3
`;
const mappedMemfd =
  `${memfd}/proc/32174/maps:7f3624b56000-7f363db56000 rw-s 00000000 00:01 1158                         /memfd:nailhouse (deleted)\n`;

const segments = (nattch: number): string =>
  `       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
         0          7   600             419430400 24630 24632 ${nattch}     0     0     0     0 1795420697 1795420698 1795420697             419430400                     0
`;

const mounts = "tmpfs /dev/shm tmpfs rw,relatime,size=24683656k 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/vda / ext4 rw 0 0\n";
const df = (usedKib: number, mount = "/dev/shm", sizeKib = 24683656): string =>
  `Filesystem              1K-blocks     Used Available Use% Mounted on
/dev/vda                264212084 24163032  82227880  23% /
tmpfs                    ${sizeKib}   ${usedKib}  24274056   2% ${mount}
tmpfs                    ${sizeKib}   ${usedKib}  24274056   2% ${mount}
`;
const files = (bytes: number): string => `${bytes / 512} 512 27 231443 1795420697 /dev/shm/scratch file\n`;

/** As captured on Linux 6.18: 400 MiB on a ramfs are page cache that is on no list of pages to reclaim. */
const cache = (fields: { readonly [field: string]: number }): Files => ({
  "proc/meminfo": meminfoText({
    Cached: 600 * MIB,
    Buffers: 4 * MIB,
    "Active(file)": 100 * MIB,
    "Inactive(file)": 102 * MIB,
    ...fields,
  }),
});
const ramfs: Files = {
  "proc/mounts": `${mounts}none /mnt/ram\\040fs ramfs rw,relatime 0 0\n`,
  "sos_commands/filesys/tmpfs_files":
    "819200 512 40 1 1795947282 /mnt/ram fs\n614400 512 40 2 1795947282 /mnt/ram fs/tiles\n",
};

describe("shmem-leak of a tmpfs", () => {
  it("says what else may hold it where no file with a name does", async () => {
    // Linux 6.18: a loop device over a file of 300 MiB that was deleted; no process has it open.
    const held = {
      ...shmem(300 * MIB),
      "proc/mounts": mounts,
      [DF]: df(300 * 1024),
      "proc/9/status": status("sh", 0),
    };
    const owner = async (list: string) =>
      findingOf(await analyzeFiles({ ...held, "sos_commands/filesys/tmpfs_files": list }), "shmem-leak")?.owners[0];
    expect((await owner("2048 512 27 5 1795420697 /dev/shm/small\n"))?.detail).toContain("losetup -a");
    expect((await owner(files(300 * MIB)))?.detail).not.toContain("losetup");
    expect(findingOf(await analyzeFiles(held), "shmem-leak")?.owners[0]?.detail).not.toContain("losetup");
    // From inside of a container, whose processes have no kthreadd, not all descriptors are seen.
    const inside = { ...held, "proc/1/status": status("sh", 0) };
    const seen = async (files: Files) =>
      findingOf(
        await analyzeFiles({ ...files, "sos_commands/filesys/tmpfs_files": "2048 512 27 5 1 /dev/shm/small\n" }),
        "shmem-leak",
      )?.owners[0]?.detail;
    expect(await seen({ ...inside, "proc/2/status": status("kthreadd", 0) })).toContain("that no process has open");
    expect(await seen(inside)).toMatch(
      /a process has open which could not be seen, .*find \/proc\/\[0-9\]\*\/fd -lname/,
    );
  });
});

const ruledOut = async (bundle: Files): Promise<string | undefined> =>
  (await analyzeFiles(bundle)).ruledOut.find(({ cause }) => cause === "shmem-leak")?.because;

describe("shmem-leak", () => {
  it("names the process that keeps a memfd which nobody maps", async () => {
    const report = await analyzeFiles({
      ...shmem(408 * MIB),
      [LIST]: memfd,
      "proc/32174/status": status("cache'd", 0),
    });
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      confidence: "confirmed",
      material: true,
      bytes: { low: 400 * MIB, high: 400 * MIB },
      owners: [{ pid: 32174, comm: "cache'd", count: 1 }],
      growthBytesPerSecond: null,
    });
    expect(report.findings[0]?.title).toBe("cache'd (pid 32174) holds 400 MiB of shared memory that no process maps");
    expect(report.findings[0]?.remedies[0]?.commands).toEqual(["kill -TERM 32174"]);
    expect(report.verdict).toBe("cause-found");
  });

  it("accuses no process that has its memfd mapped, though its page tables do not show it", async () => {
    const report = await analyzeFiles({
      ...shmem(408 * MIB),
      [LIST]: mappedMemfd,
      "proc/32174/status": status("gpu", 0),
    });
    expect(findingOf(report, "shmem-leak")).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("accuses no database that maps and uses its shared memory", async () => {
    const statuses = Object.fromEntries(
      [...Array(20).keys()].map((i) => [`proc/${700 + i}/status`, status("postgres", 6 * GIB)]),
    );
    const report = await analyzeFiles({
      ...shmem(6 * GIB, 16 * GIB),
      [DF]: df(6 * GIB / 1024),
      "proc/mounts": mounts,
      ...statuses,
    });
    expect(findingOf(report, "shmem-leak")).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("counts a memfd once that several processes have open, and scales up where not all descriptors were looked at", async () => {
    const twice =
      `${memfd}lrwx------ 1 0 0 64 Nov 23 08:00 /proc/9/fd/8 -> /memfd:nailhouse (deleted)\n819200 512 1 1158 /proc/9/fd/8\n`;
    expect(findingOf(await analyzeFiles({ ...shmem(800 * MIB), [LIST]: twice }), "shmem-leak")?.bytes.high).toBe(
      400 * MIB,
    );
    const many = [...Array(200).keys()].map((i) =>
      `lrwx------ 1 0 0 64 Nov 23 08:00 /proc/9/fd/${4 * i} -> /memfd:x (deleted)\n2048 512 1 ${i} /proc/9/fd/${
        4 * i
      }\n`
    );
    const report = await analyzeFiles({
      ...shmem(810 * MIB),
      [LIST]: `${many.join("")}# looked 200 of 800 /proc/9/fd\n`,
    });
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      bytes: { high: 800 * MIB },
      owners: [{ pid: 9, count: 800 }],
    });
  });

  it("does not take one large memfd for as many as there are descriptors that nobody looked at", async () => {
    // As captured on Linux 6.18 of a process with 305 descriptors, one of them a memfd of 120 MiB.
    const one = memfd.replace("5 of 5", "153 of 305").replace("819200", "245760");
    const report = await analyzeFiles({ ...shmem(129 * MIB), [LIST]: one, "proc/32174/status": status("octopus", 0) });
    const [owner] = findingOf(report, "shmem-leak")?.owners ?? [];
    expect(owner?.bytes).toBeLessThanOrEqual(129 * MIB);
    expect(owner).toMatchObject({ count: 1, detail: expect.stringContaining("1 memfd,") });
  });

  it("says what to do about each that holds much, and not about the largest alone", async () => {
    const report = await analyzeFiles({
      ...shmem(920 * MIB),
      [LIST]: memfd,
      "proc/32174/status": status("cache'd", 0),
      "proc/sysvipc/shm": segments(0),
      "proc/mounts": mounts,
      [DF]: df(100 * 1024),
    });
    const finding = findingOf(report, "shmem-leak");
    expect(finding?.title).toMatch(/^\S+ .* and 2 others hold 900 MiB/);
    const now = finding?.remedies.filter(({ when }) => when === "now").flatMap(({ commands }) => commands);
    expect(now).toEqual(
      expect.arrayContaining(["kill -TERM 32174", "ipcrm -m 7", "du -axk /dev/shm | sort -rn | head -n 20"]),
    );
    const times = finding?.remedies.map(({ when }) => when) ?? [];
    expect(times.lastIndexOf("now")).toBeLessThan(times.indexOf("fix"));
  });

  it("names one that ipcs lists, by its size", async () => {
    const ipcs = (attached: number): string =>
      `------ Shared Memory Segments --------\nkey        shmid      owner      perms      bytes      nattch     status\n0x0001b3ef 7          app        666        419430400  ${attached}\n`;
    const of = async (attached: number) =>
      findingOf(await analyzeFiles({ ...shmem(408 * MIB), "sos_commands/sysvipc/ipcs": ipcs(attached) }), "shmem-leak");
    expect(await of(0)).toMatchObject({
      bytes: { high: 400 * MIB },
      owners: [{ detail: expect.stringContaining("nobody is attached") }],
    });
    expect((await of(1))?.bytes.high).not.toBe(400 * MIB);
  });

  it("names a segment that nobody is attached to, and none that somebody is", async () => {
    const report = await analyzeFiles({ ...shmem(408 * MIB), "proc/sysvipc/shm": segments(0) });
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      confidence: "confirmed",
      bytes: { low: 400 * MIB, high: 400 * MIB },
      owners: [{ pid: null, comm: "SysV segment 7" }],
    });
    expect(report.findings[0]?.remedies[0]?.commands).toContain("ipcrm -m 7");
    const used = await analyzeFiles({
      ...shmem(408 * MIB),
      "proc/sysvipc/shm": segments(2),
      "proc/5/status": status("ora_pmon", 4 * MIB),
    });
    expect(findingOf(used, "shmem-leak")).toBeUndefined();
  });

  it("takes the many segments that one process left together, and removes them with one command", async () => {
    const [header, row] = segments(0).split("\n") as [string, string];
    const many = Array.from(
      { length: 4 },
      (_, i) => row.replace(" 7 ", ` ${i + 7} `).replaceAll("419430400", "104857600"),
    );
    const report = await analyzeFiles({ ...shmem(408 * MIB), "proc/sysvipc/shm": [header, ...many, ""].join("\n") });
    const finding = findingOf(report, "shmem-leak");
    expect(finding).toMatchObject({
      title: "4 SysV segments made by process 24630 of user 0 hold 400 MiB of shared memory that no process maps",
      bytes: { low: 400 * MIB, high: 400 * MIB },
      owners: [{ comm: "4 SysV segments", bytes: 400 * MIB, count: 4 }],
    });
    const now = finding?.remedies.filter(({ when }) => when === "now");
    expect(now).toHaveLength(1);
    expect(now?.[0]?.commands).toContain(
      `awk '$5 == 24630 && $7 == 0 && $8 == 0 { print "-m", $2 }' /proc/sysvipc/shm | xargs -n 64 ipcrm`,
    );
    // Whoever made those, it is not one process: 0 is any of another PID namespace.
    const of = many.map((each) => each.replace("24630", "    0"));
    const others = await analyzeFiles({ ...shmem(408 * MIB), "proc/sysvipc/shm": [header, ...of, ""].join("\n") });
    expect(findingOf(others, "shmem-leak")?.owners.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
  });

  it("names a segment of another IPC namespace, and how it is removed there", async () => {
    const files = (nattch: number) => ({
      ...shmem(408 * MIB),
      "proc/sysvipc/shm": `${segments(0).split("\n", 1)[0]}\n`,
      "sos_commands/process/sysvipc_shm_elsewhere": `# /proc/8\n${segments(2).split("\n", 1)[0]}\n# /proc/9\n${
        segments(nattch)
      }`,
      "proc/9/status": status("ora_pmon", 4 * MIB),
    });
    const report = await analyzeFiles(files(0));
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      title:
        "SysV segment 7 in the IPC namespace of ora_pmon (pid 9) holds 400 MiB of shared memory that no process maps",
      confidence: "confirmed",
      bytes: { low: 400 * MIB, high: 400 * MIB },
    });
    expect(report.findings[0]?.evidence[1]).toMatchObject({
      path: "sos_commands/process/sysvipc_shm_elsewhere",
      line: 5,
    });
    expect(report.findings[0]?.remedies[0]?.commands).toContain("nsenter -t 9 -i ipcrm -m 7");
    const used = await analyzeFiles(files(2));
    expect(findingOf(used, "shmem-leak")).toBeUndefined();
  });

  it("is likely for files on a tmpfs, which is counted once, and names the largest", async () => {
    const report = await analyzeFiles({
      ...shmem(408 * MIB),
      [DF]: df(409600),
      "proc/mounts": mounts,
      "sos_commands/filesys/tmpfs_files": files(400 * MIB),
      "proc/5/status": status("idle", 0),
    });
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      confidence: "likely",
      bytes: { low: 400 * MIB, high: 400 * MIB },
      owners: [{ comm: "/dev/shm" }],
    });
    // Before it is deleted: a disk image that a loop device has is open in no process, so that fuser does not tell of it.
    expect(report.findings[0]?.remedies[0]?.commands.slice(-2)).toEqual([
      "losetup -a",
      "rm -- '/dev/shm/scratch file'",
    ]);
  });

  it("names files on a tmpfs of another mount namespace, of which df tells nothing", async () => {
    const list = `1024000 512 39 1 1795957035 /proc/7/root/scratch
819200 512 39 2 1795957036 /proc/7/root/scratch/tiles
81920 512 40 1 1795957035 /proc/8/root/
`;
    const finding = findingOf(
      await analyzeFiles({
        ...shmem(608 * MIB),
        [DF]: df(409600),
        "proc/mounts": mounts,
        "sos_commands/filesys/tmpfs_files": list + files(400 * MIB),
        // A deleted file of it is in what the tmpfs holds, and is told as its process's.
        [LIST]: "lrwx------ 1 0 0 64 Nov 29 08:00 /proc/7/fd/3 -> /scratch/gone (deleted)\n" +
          "204800 512 39 3 /proc/7/fd/3\ntmpfs /proc/7/fd/3\n",
        "proc/7/status": status("tiler", 0),
      }),
      "shmem-leak",
    );
    expect(finding?.owners).toMatchObject([
      { comm: "/dev/shm", pid: null, bytes: 400 * MIB },
      {
        comm: "tiler",
        pid: 7,
        bytes: 400 * MIB,
        detail: "/scratch of its mount namespace; the largest: /proc/7/root/scratch/tiles (400 MiB)",
      },
      { comm: "tiler", pid: 7, bytes: 100 * MIB },
      { comm: "an unknown program", pid: 8, bytes: 40 * MIB },
    ]);
    expect(finding?.bytes.high).toBe(608 * MIB);
    const alone = findingOf(
      await analyzeFiles({
        ...shmem(508 * MIB),
        "sos_commands/filesys/tmpfs_files": list,
        "proc/7/status": status("tiler", 0),
      }),
      "shmem-leak",
    );
    expect(alone?.title).toContain("Files in /scratch of tiler (pid 7) hold 508 MiB");
    expect(alone?.remedies.flatMap(({ commands }) => commands)).toEqual(
      expect.arrayContaining([
        "rm -- /proc/7/root/scratch/tiles",
        "nsenter -t 7 -m mount -o remount,size=... /scratch",
      ]),
    );
  });

  it("names who does not receive the descriptors that were sent to it", async () => {
    const files = (looks: readonly number[]) => ({
      ...shmem(308 * MIB),
      "proc/7/status": status("compositor", 0),
      "sos_commands/process/shared_memory_descriptors": looks.map((count) => `/proc/7/fdinfo/4:scm_fds: ${count}\n`)
        .join("") || "# Shmem: 9 kB\n",
    });
    const report = await analyzeFiles(files([20, 20]));
    expect(report.verdict).toBe("cause-found");
    const finding = findingOf(report, "shmem-leak");
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ pid: 7, comm: "compositor", count: 20 }] });
    expect(finding?.title).toContain("compositor (pid 7) has not received 20 descriptors");
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 7"]);
    expect(finding?.evidence.map(({ text }) => text)).toContain("/proc/7/fdinfo/4:scm_fds: 20");
    // Received meanwhile, or seen once only.
    for (const looks of [[3, 0], [3], []]) {
      expect(findingOf(await analyzeFiles(files(looks)), "shmem-leak")).toMatchObject({
        confidence: "possible",
        owners: [{ pid: null, comm: "unknown" }],
      });
    }
  });

  it("tells from ps alone how much no process can have mapped", async () => {
    const ps = (rssKib: number) =>
      `USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\nroot 7 0.0 0.0 99999999 ${rssKib} ? Sl 08:12 0:00 /usr/bin/db\n`;
    const withRss = (rss: number) =>
      analyzeFiles({ ...shmem(908 * MIB), "sos_commands/process/ps_auxwww": ps(rss / 1024) });
    expect(findingOf(await withRss(300 * MIB), "shmem-leak")).toMatchObject({
      title: "At least 608 MiB of shared memory are in no page table and in no file that is known",
      confidence: "possible",
      bytes: { low: 0, high: 908 * MIB },
    });
    expect(findingOf(await withRss(900 * MIB), "shmem-leak")).toBeUndefined();
    // A host that runs from its initramfs (a node without a disk, a rescue system): df has no line for that. One that left it has another root above it.
    const rooted = async (mounted: string) =>
      findingOf(
        await analyzeFiles({
          ...shmem(908 * MIB),
          "sos_commands/process/ps_auxwww": ps(300 * MIB / 1024),
          "proc/mounts": mounted,
        }),
        "shmem-leak",
      );
    const inMemory = await rooted("rootfs / rootfs rw,size=215748k,nr_inodes=53937 0 0\n");
    expect(inMemory?.owners[0]?.detail).toMatch(/^files of the root directory, which is in memory/);
    expect(inMemory?.evidence).toContainEqual(expect.objectContaining({ path: "proc/mounts", line: 1 }));
    const onDisk = await rooted("rootfs / rootfs rw 0 0\n/dev/sda1 / ext4 rw 0 0\n");
    expect(onDisk?.owners[0]?.detail).toMatch(/^an anonymous shared mapping/);
  });

  it("is confirmed for files on a tmpfs that grow", async () => {
    const growing = Object.fromEntries(
      ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"].map((prefix, i) => [
        `${prefix}proc/meminfo`,
        meminfoText({ Shmem: (400 + 20 * i) * MIB, Cached: (500 + 20 * i) * MIB }),
      ]),
    );
    const report = await analyzeFiles({
      ...growing,
      [DF]: df(400 * 1024),
      "proc/mounts": mounts,
      "proc/5/status": status("idle", 0),
    });
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      confidence: "confirmed",
      growthBytesPerSecond: { low: 4 * MIB, high: 4 * MIB },
    });
  });

  it("takes the rate from recorded history, but is no surer for it", async () => {
    const report = await analyzeFiles({
      ...shmem(408 * MIB),
      [DF]: df(400 * 1024),
      "proc/mounts": mounts,
      "proc/5/status": status("idle", 0),
      "history_imported/prometheus.json": prometheusText(
        "Shmem",
        Array.from({ length: 24 }, (_, i) => (40 + 16 * i) * MIB),
      ),
    });
    const finding = findingOf(report, "shmem-leak");
    expect(finding).toMatchObject({ confidence: "likely", exhaustion: { atLow: expect.any(String) } });
    expect(finding?.growthBytesPerSecond?.low).toBeCloseTo(16 * MIB / 3600, 3);
    expect(finding?.evidence.at(-1)).toMatchObject({
      path: "history_imported/prometheus.json",
      because: expect.stringMatching(/^Shmem of the whole host grew from 40.0 MiB to 408 MiB in 23.0 hours/),
    });
  });

  it("is only possible where the bundle does not tell what is mapped", async () => {
    const report = await analyzeFiles({ ...shmem(408 * MIB), [DF]: df(409600), "proc/mounts": mounts });
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      confidence: "possible",
      bytes: { low: 0, high: 400 * MIB },
    });
  });

  it("reads a sosreport's lsof: deleted files, and files that are mapped", async () => {
    const header = "COMMAND     PID     USER   FD      TYPE             DEVICE  SIZE/OFF     NODE NAME\n";
    const deleted =
      `${header}shmem     31634        0    3u      REG               0,27 419430400   231443 /dev/shm/nailhouse-31634 (deleted)\n`;
    const bundle = { ...shmem(408 * MIB), [DF]: df(409600), "proc/mounts": mounts };
    const report = await analyzeFiles({ ...bundle, [LSOF]: deleted });
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      confidence: "confirmed",
      bytes: { low: 400 * MIB, high: 400 * MIB },
      owners: [{ pid: 31634, comm: "shmem" }],
    });
    const plain =
      `${header}bash      1019        0  mem       REG              254,0   353616   329635 /usr/lib/locale/C.utf8/LC_CTYPE\n`;
    expect(findingOf(await analyzeFiles({ ...bundle, [LSOF]: plain }), "shmem-leak")?.confidence).toBe("likely");
    const used =
      `${header}oracle     1019        0  mem       REG               0,27 419430400   231443 /dev/shm/ora_1\n`;
    expect(findingOf(await analyzeFiles({ ...bundle, [LSOF]: used }), "shmem-leak")?.confidence).toBe("possible");
  });

  it("accuses no files that a living process has open, names it, and deletes none; unless they grow", async () => {
    const list = "819200 512 27 231443 1795420697 /dev/shm/log0\n";
    const held = async (open: string, more: Files = {}) =>
      findingOf(
        await analyzeFiles({
          ...shmem(408 * MIB),
          [DF]: df(409600),
          "proc/mounts": mounts,
          "sos_commands/filesys/tmpfs_files": list,
          [LIST]: `# Shmem: 417792 kB\n${open}`,
          "proc/9/status": status("ringlog", 0),
          ...more,
        }),
        "shmem-leak",
      );
    const used = "# open 819200 512 27 231443 /proc/9/fd/3\n# open 819200 512 27 231443 /proc/9/fd/4\n";
    const finding = await held(used);
    expect(finding).toMatchObject({
      confidence: "possible",
      bytes: { low: 0, high: 400 * MIB },
      owners: [{ pid: 9, comm: "ringlog", bytes: 400 * MIB, count: 1 }],
      title: "Files in /dev/shm that ringlog (pid 9) has open hold 400 MiB of shared memory that no process maps",
    });
    expect(finding?.remedies.flatMap(({ commands }) => commands).join()).not.toContain("rm ");
    // A small one beside what is left behind, a file of another tmpfs, and nothing.
    for (const open of ["# open 8 512 27 7 /proc/9/fd/3\n", used.replaceAll(" 27 ", " 28 "), ""]) {
      const left = await held(open);
      expect(left).toMatchObject({ confidence: "likely", owners: [{ pid: null, comm: "/dev/shm" }] });
      expect(left?.remedies[0]?.commands).toContain("rm -- /dev/shm/log0");
    }
    const growing = Object.fromEntries([5, 10].map((second) => {
      const bytes = (408 + 4 * second) * MIB;
      const path = `history/2026-01-01T00:00:${String(second).padStart(2, "0")}.000Z/proc/meminfo`;
      return [path, meminfoText({ Shmem: bytes, Cached: 64 * MIB + bytes })];
    }));
    expect(await held(used, growing)).toMatchObject({ confidence: "confirmed", owners: [{ pid: 9 }] });
    const lsof = `ringlog 9 0 3u REG 0,27 419430400 231443 /dev/shm/log0\n`;
    const sos = { ...shmem(408 * MIB), [DF]: df(409600), "proc/mounts": mounts, "proc/9/status": status("ringlog", 0) };
    expect(findingOf(await analyzeFiles({ ...sos, [LSOF]: lsof }), "shmem-leak")).toMatchObject({
      confidence: "possible",
      owners: [{ pid: 9, comm: "ringlog" }],
    });
    const onDisk = lsof.replace("/dev/shm", "/var/log");
    expect(findingOf(await analyzeFiles({ ...sos, [LSOF]: onDisk }), "shmem-leak")?.confidence).toBe("likely");
  });

  it("names who keeps a tmpfs that was unmounted, and not one that is mounted in another namespace", async () => {
    const held = (files: Files) =>
      analyzeFiles({
        ...shmem(300 * MIB),
        [DF]: df(0),
        "proc/mounts": mounts,
        [LIST]: "# Shmem: 307200 kB\n# unmounted 61440 4096 94 /proc/9/fd/3\n",
        "proc/9/status": status("dirkeeper", 0),
        ...files,
      });
    expect(findingOf(await held({}), "shmem-leak")).toMatchObject({
      confidence: "confirmed",
      bytes: { low: 240 * MIB, high: 240 * MIB },
      owners: [{ pid: 9, comm: "dirkeeper", detail: "1 unmounted tmpfs, the largest / at descriptor 3" }],
    });
    const elsewhere = "491520 512 94 1 1795957035 /proc/7/root/scratch\n";
    const finding = findingOf(await held({ "sos_commands/filesys/tmpfs_files": elsewhere }), "shmem-leak");
    expect(finding?.owners).toMatchObject([{ pid: 7, bytes: 240 * MIB }]);
  });

  it("judges what grows by the size of a container: 100 MiB fill one of 400", async () => {
    const held = async (limitBytes: number, step: number) => {
      const files: { [path: string]: string } = {
        "sos_commands/filesys/tmpfs_files": `${100 * 2048} 512 39 1 1795957035 /proc/7/root/scratch\n`,
        "proc/7/status": status("writer", 0),
        "proc/7/cgroup": "0::/box\n",
        "sys/fs/cgroup/box/memory.max": `${limitBytes}\n`,
        "sys/fs/cgroup/box/memory.current": `${104 * MIB}\n`,
        "sys/fs/cgroup/box/memory.stat": `shmem ${100 * MIB}\ninactive_file 0\nactive_file 0\n`,
      };
      for (
        const [i, prefix] of ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"].entries()
      ) {
        const bytes = (108 + step * i) * MIB;
        files[`${prefix}proc/meminfo`] = meminfoText({ Shmem: bytes, Cached: 64 * MIB + bytes });
      }
      return findingOf(await analyzeFiles(files), "shmem-leak");
    };
    const finding = await held(400 * MIB, 16);
    expect(finding).toMatchObject({ confidence: "confirmed", owners: [{ pid: 7, comm: "writer" }] });
    expect(finding?.exhaustion?.limit).toBe("memory.max of /box (400 MiB)");
    // Files of a fixed size are what a container has its tmpfs for, and 100 MiB are little of 4 GiB.
    expect(await held(400 * MIB, 0)).toBeUndefined();
    expect(await held(4 * GIB, 16)).toBeUndefined();
  });

  it("leaves a deleted file on a disk out", async () => {
    const onDisk = memfd.replaceAll("/memfd:nailhouse", "/var/log/huge.log").replace("tmpfs /proc", "ext2/ext3 /proc");
    expect(findingOf(await analyzeFiles({ ...shmem(408 * MIB), [LIST]: onDisk }), "shmem-leak")).toBeUndefined();
  });

  it("is not assessed where there is much, and nothing tells where it is", async () => {
    const report = await analyzeFiles({ ...shmem(3 * GIB), [LIST]: "" });
    const missing = report.notAssessed.find(({ cause }) => cause === "shmem-leak")?.missing;
    expect(missing).toEqual([
      "proc/PID/status",
      "sos_commands/filesys/df_-al_-x_autofs",
      "proc/sysvipc/shm",
    ]);
    expect(await ruledOut(shmem(10 * MIB))).toContain("10.0 MiB are shared memory");
  });

  it("takes from df -h what is on a tmpfs, where no list of mounts tells it, as in what people paste", async () => {
    const human = "Filesystem      Size  Used Avail Use% Mounted on\n" +
      "/dev/vda        252G   24G   79G  23% /\ntmpfs            12G  450M   12G   4% /dev/shm\n" +
      "tmpfs           2.4G  1.1M  2.4G   1% /run\n";
    const of = async (files: Files) =>
      findingOf(await analyzeFiles({ ...shmem(460 * MIB), [DF]: human, ...files }), "shmem-leak");
    // A process may have it mapped.
    expect(await of({})).toMatchObject({ confidence: "possible", bytes: { low: 0, high: 450 * MIB } });
    expect(await of({ "proc/5/status": status("idle", 0) })).toMatchObject({ confidence: "likely" });
    const onDisk = human.replace("tmpfs            12G", "/dev/vdb         12G").replace("/dev/shm", "/srv/big");
    expect(await of({ [DF]: onDisk })).toBeUndefined();
  });

  it("leaves the volatile journal alone, and small files", async () => {
    const idle = { "proc/mounts": mounts, "proc/5/status": status("idle", 0) };
    expect(await ruledOut({ ...shmem(408 * MIB), [DF]: df(400 * 1024, "/run", 5 * 1024 * 1024), ...idle }))
      .toBeUndefined();
    const report = await analyzeFiles({ ...shmem(408 * MIB), [DF]: df(400 * 1024, "/run", 5 * 1024 * 1024), ...idle });
    expect(findingOf(report, "shmem-leak")?.confidence).toBe("possible");
    expect(await ruledOut({ ...shmem(10 * MIB), [DF]: df(8 * 1024), ...idle })).toContain("8.00 MiB");
  });

  it("says what would tell when nothing that is known holds it", async () => {
    const report = await analyzeFiles({ ...shmem(3 * GIB), "proc/5/status": status("Xorg", 8 * MIB) });
    expect(findingOf(report, "shmem-leak")).toMatchObject({ confidence: "possible", owners: [{ pid: null }] });
    expect(report.findings[0]?.owners[0]?.detail).toContain("lsns -t mnt");
    expect(report.verdict).toBe("healthy");
  });

  it("is likely, with a rate, when it goes on growing where a recorder lists no files", async () => {
    const grown = (seconds: number): Files =>
      Object.assign(
        {},
        ...[1, 2, 3, 4].map((i) => ({
          [`history/${new Date(Date.UTC(2026, 0, 1, 0, 0, i * seconds)).toISOString()}/proc/meminfo`]: meminfoText({
            Shmem: (200 + 40 * i) * MIB,
            Cached: (300 + 40 * i) * MIB,
          }),
        })),
        { ...shmem(200 * MIB), "proc/5/status": status("idle", 8 * MIB) },
      );
    const report = await analyzeFiles(grown(30));
    expect(findingOf(report, "shmem-leak")).toMatchObject({ confidence: "likely", owners: [{ pid: null }] });
    expect(findingOf(report, "shmem-leak")?.growthBytesPerSecond?.low).toBeCloseTo((40 * MIB) / 30, -4);
    expect(findingOf(report, "shmem-leak")?.exhaustion).not.toBeNull();
    expect(report.verdict).toBe("cause-found");
    // In some seconds a program may just be started.
    expect(findingOf(await analyzeFiles(grown(5)), "shmem-leak")?.confidence).toBe("possible");
  });

  it("names who maps what grows, and is only possible: a database fills its buffers, too", async () => {
    /** What all have, and process 5 alone, in three snapshots. */
    const watch = (shmemMib: readonly number[], mappedMib: readonly number[]): Files =>
      Object.assign(
        {},
        ...["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"].map((prefix, i) => ({
          [`${prefix}proc/meminfo`]: meminfoText({
            Shmem: shmemMib[i] as number * MIB,
            Cached: (shmemMib[i] as number + 100) * MIB,
          }),
          [`${prefix}proc/5/status`]: status("dbd", mappedMib[i] as number * MIB),
          [`${prefix}proc/6/status`]: status("idle", 8 * MIB),
        })),
      );
    const report = await analyzeFiles(watch([300, 400, 500], [290, 390, 490]));
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      title:
        "dbd (pid 5) maps 490 MiB of shared memory, which grows by 20.0 MiB a second: a leak, or buffers that fill",
      confidence: "possible",
      material: false,
      owners: [{ pid: 5, comm: "dbd", bytes: 490 * MIB }],
      claims: [{ account: "shmem", bytes: { low: 0, high: 290 * MIB } }],
    });
    expect(report.verdict).toBe("healthy");
    // It only touches what was there before; and what grows is mapped by nobody.
    expect(findingOf(await analyzeFiles(watch([500, 500, 500], [390, 440, 490])), "shmem-leak")).toBeUndefined();
    expect(findingOf(await analyzeFiles(watch([490, 510, 530], [480, 480, 480])), "shmem-leak")).toBeUndefined();
  });

  it("measures by the host: 60 MiB are much of 512 MiB, 500 MB of files little of 128 GB", async () => {
    const small = { "proc/sysvipc/shm": segments(0).replaceAll("419430400", String(60 * MIB)) };
    expect(findingOf(await analyzeFiles({ ...shmem(62 * MIB, GIB / 2), ...small }), "shmem-leak")?.confidence).toBe(
      "confirmed",
    );
    expect(findingOf(await analyzeFiles({ ...shmem(62 * MIB, 8 * GIB), ...small }), "shmem-leak")).toBeUndefined();
    const large = { [DF]: df(500_000), "proc/mounts": mounts, "proc/5/status": status("idle", 0) };
    expect(findingOf(await analyzeFiles({ ...shmem(500 * MIB, 128 * GIB), ...large }), "shmem-leak")).toBeUndefined();
  });

  it("names files on a ramfs: page cache that cannot be given back", async () => {
    const report = await analyzeFiles({ ...cache({ Unevictable: 410 * MIB, Mlocked: 10 * MIB }), ...ramfs });
    expect(findingOf(report, "shmem-leak")).toMatchObject({
      confidence: "likely",
      material: true,
      claims: [{ account: "page-cache", bytes: { low: 400 * MIB, high: 400 * MIB } }],
      owners: [{ pid: null, comm: "/mnt/ram fs", bytes: 400 * MIB, count: 1 }],
      evidence: [
        { text: expect.stringMatching(/^Unevictable: /) },
        { text: expect.stringMatching(/^Mlocked: /) },
        { path: "proc/mounts", line: 4 },
        { path: "sos_commands/filesys/tmpfs_files", line: 1 },
      ],
    });
    expect(report.findings[0]?.title).toBe(
      "Files in the ramfs /mnt/ram fs hold 400 MiB of page cache that the kernel cannot give back",
    );
    expect(report.findings[0]?.remedies[0]?.commands).toContain("rm -- '/mnt/ram fs/tiles'");
    expect(report.verdict).toBe("cause-found");
  });

  it("is confirmed for a ramfs that grows", async () => {
    const growing = Object.fromEntries(
      ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"].map((prefix, i) => [
        `${prefix}proc/meminfo`,
        cache({ Unevictable: (410 + 20 * i) * MIB, Mlocked: 10 * MIB })["proc/meminfo"] as string,
      ]),
    );
    expect(findingOf(await analyzeFiles({ ...growing, ...ramfs }), "shmem-leak")).toMatchObject({
      confidence: "confirmed",
      growthBytesPerSecond: { low: 4 * MIB, high: 4 * MIB },
      exhaustion: { atLow: expect.any(String) },
    });
  });

  it("is only possible where nothing but the counters tells", async () => {
    const counters = cache({ Unevictable: 410 * MIB, Mlocked: 10 * MIB });
    const mounted = await analyzeFiles({ ...counters, "proc/mounts": ramfs["proc/mounts"] as string });
    expect(findingOf(mounted, "shmem-leak")).toMatchObject({
      confidence: "possible",
      owners: [{ comm: "/mnt/ram fs", detail: expect.stringContaining("du -axk '/mnt/ram fs'") }],
    });
    const unknown = await analyzeFiles({ ...counters, "proc/mounts": mounts });
    expect(findingOf(unknown, "shmem-leak")).toMatchObject({ confidence: "possible", owners: [{ comm: "unknown" }] });
    expect(unknown.findings[0]?.owners[0]?.detail).toContain("memfd_secret");
    expect(unknown.verdict).toBe("healthy");
    const few = `16384 512 40 1 1795947282 /mnt/ram fs\n`;
    const other = await analyzeFiles({ ...counters, ...ramfs, "sos_commands/filesys/tmpfs_files": few });
    expect(findingOf(other, "shmem-leak")?.confidence).toBe("possible");
  });

  it("accuses no initramfs, no credentials, no small ramfs, nothing that is mlocked, and no locked shared memory", async () => {
    const counters = cache({ Unevictable: 410 * MIB, Mlocked: 10 * MIB });
    const initramfs = await analyzeFiles({ ...counters, "proc/mounts": "rootfs / rootfs rw 0 0\n" });
    expect(findingOf(initramfs, "shmem-leak")).toBeUndefined();
    const onDisk = `rootfs / rootfs rw 0 0\n${ramfs["proc/mounts"]}`;
    expect(findingOf(await analyzeFiles({ ...counters, ...ramfs, "proc/mounts": onDisk }), "shmem-leak")?.confidence)
      .toBe("likely");
    const credentials = "ramfs /run/credentials/systemd-journald.service ramfs ro,nosuid,mode=700 0 0\n";
    const systemd = await analyzeFiles({ ...counters, "proc/mounts": mounts + credentials });
    expect(findingOf(systemd, "shmem-leak")?.owners).toMatchObject([{ comm: "unknown" }]);
    const small = {
      ...cache({ Unevictable: 18 * MIB, Mlocked: 10 * MIB }),
      ...ramfs,
      "sos_commands/filesys/tmpfs_files": "16384 512 40 1 1795947282 /mnt/ram fs\n",
    };
    expect(findingOf(await analyzeFiles(small), "shmem-leak")).toBeUndefined();
    const mlocked = cache({ Unevictable: 410 * MIB, Mlocked: 410 * MIB });
    expect(findingOf(await analyzeFiles(mlocked), "shmem-leak")).toBeUndefined();
    const locked = {
      ...cache({ Unevictable: 410 * MIB, Mlocked: 10 * MIB, Shmem: 420 * MIB }),
      "proc/sysvipc/shm": segments(2).replace("   600 ", "  2600 "),
      "proc/5/status": status("ora_pmon", 400 * MIB),
    };
    expect(findingOf(await analyzeFiles(locked), "shmem-leak")).toBeUndefined();
  });

  it("never claims more than there is, whatever a hostile list says", async () => {
    const hostile = `${memfd.replace("819200", "9000000000000")}junk line\n`;
    const report = await analyzeFiles({ ...shmem(408 * MIB), [LIST]: hostile });
    expect(findingOf(report, "shmem-leak")?.bytes).toEqual({ low: 408 * MIB, high: 408 * MIB });
    expect(report.warnings.join()).toContain("not of a descriptor");
  });

  it("is not assessed without meminfo, and reads old kernels' segments without rss", async () => {
    const without = await analyzeFiles({ "proc/sysvipc/shm": segments(0) });
    expect(without.notAssessed.find(({ cause }) => cause === "shmem-leak")?.missing).toContain("proc/meminfo");
    const old =
      "key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime\n0 7 600 419430400 1 2 0 0 0 0 0 1 2 3\n";
    expect(findingOf(await analyzeFiles({ ...shmem(408 * MIB), "proc/sysvipc/shm": old }), "shmem-leak")?.bytes.high)
      .toBe(400 * MIB);
  });
});

describe("shared memory of which nothing tells whose it is", () => {
  it("makes no host healthy where it is a tenth of memory: meminfo alone, or free", async () => {
    const free = `$ free -m
              total        used        free      shared  buff/cache   available
Mem:          15882        1210         302       13442       14370        1630
`;
    for (const files of [shmem(2 * GIB), { "sos_commands/memory/free": free }]) {
      const report = await analyzeFiles(files);
      expect(report.verdict).toBe("insufficient-evidence");
      expect(report.notAssessed.map(({ cause }) => cause)).toContain("shmem-leak");
    }
    expect((await analyzeFiles(shmem(500 * MIB))).verdict).toBe("healthy");
  });
});
