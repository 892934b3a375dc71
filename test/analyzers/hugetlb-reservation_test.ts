import { describe, expect, it } from "vitest";
import { answerOf } from "../../src/render/_summary.ts";
import { analyzeFiles, findingOf, manifest, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const POOL = "sys/kernel/mm/hugepages/hugepages-2048kB/";

function pool(total: number, free: number, reserved: number, totalBytes: number = 8 * GIB): { [path: string]: string } {
  return {
    "proc/meminfo": meminfoText({ Hugetlb: total * 2 * MIB }, totalBytes),
    [`${POOL}nr_hugepages`]: `${total}\n`,
    [`${POOL}free_hugepages`]: `${free}\n`,
    [`${POOL}resv_hugepages`]: `${reserved}\n`,
    [`${POOL}surplus_hugepages`]: "0\n",
  };
}

describe("hugetlb-reservation", () => {
  it("names what is set aside and neither used nor promised", async () => {
    const finding = findingOf(await analyzeFiles(pool(300, 250, 50)), "hugetlb-reservation");
    expect(finding).toMatchObject({
      confidence: "confirmed",
      material: true,
      bytes: { low: 400 * MIB, high: 400 * MIB },
    });
    expect(finding?.remedies[0]?.commands).toEqual([`echo 100 > /${POOL}nr_hugepages`]);
  });

  // Ubuntu 9.10: 4 GiB of 7 were gone after the start, and no process had them. Nothing but meminfo was shown.
  const KARMIC = (free: number): string =>
    `MemTotal:        7150216 kB\nMemFree:         2523120 kB\nBuffers:           13452 kB\nCached:           142944 kB
AnonPages:        124016 kB\nSlab:              16116 kB\nSReclaimable:       7700 kB\nSUnreclaim:         8416 kB
VmallocUsed:        9256 kB\nVmallocChunk:     111092 kB\nHugePages_Total:    2048\nHugePages_Free:     ${free}
HugePages_Rsvd:        0\nHugePages_Surp:        0\nHugepagesize:       2048 kB\n`;

  it("reads the default pool of meminfo for want of the pools' own files", async () => {
    const report = await analyzeFiles({ "proc/meminfo": KARMIC(2048) });
    expect(findingOf(report, "hugetlb-reservation")).toMatchObject({
      confidence: "confirmed",
      bytes: { low: 4 * GIB, high: 4 * GIB },
      evidence: [{ text: "HugePages_Total:    2048" }, { text: "HugePages_Free:     2048" }],
    });
    expect(findingOf(await analyzeFiles({ "proc/meminfo": KARMIC(0) }), "hugetlb-reservation")).toBeUndefined();
  });

  // netdata/netdata#3461: grep -i hugep
  it("reads rows that grep picked out, and says that the size of the host is not told", async () => {
    const picked = (free: number): string =>
      `AnonHugePages:    368640 kB\nHugePages_Total:   53342\nHugePages_Free:    ${free}\nHugePages_Rsvd:        0\nHugepagesize:       2048 kB\n`;
    const report = await analyzeFiles({ "proc/meminfo": picked(11_904) });
    expect(findingOf(report, "hugetlb-reservation")).toMatchObject({
      title: "23.3 GiB are set aside as huge pages that nobody uses; the size of the host is not told",
      confidence: "confirmed",
      material: false,
    });
    // What is confirmed is no candidate.
    expect(answerOf(report).otherwise).toContain("What is known: 23.3 GiB");
    expect(findingOf(await analyzeFiles({ "proc/meminfo": picked(0) }), "hugetlb-reservation")).toBeUndefined();
  });

  it("accuses no pool that is in use, or promised", async () => {
    expect(findingOf(await analyzeFiles(pool(300, 0, 0)), "hugetlb-reservation")).toBeUndefined();
    expect(findingOf(await analyzeFiles(pool(300, 300, 300)), "hugetlb-reservation")).toBeUndefined();
  });

  it("leaves a pool in use its headroom: a twentieth, on a large host gigabytes", async () => {
    expect(findingOf(await analyzeFiles(pool(30_720, 1_000, 0, 128 * GIB)), "hugetlb-reservation")).toBeUndefined();
    expect(findingOf(await analyzeFiles(pool(30_720, 6_000, 0, 128 * GIB)), "hugetlb-reservation")?.confidence).toBe(
      "confirmed",
    );
  });

  it("weighs the same pages against the size of the host", async () => {
    expect(findingOf(await analyzeFiles(pool(20, 20, 0, 512 * MIB)), "hugetlb-reservation")).toBeDefined();
    expect(findingOf(await analyzeFiles(pool(100, 100, 0, 128 * GIB)), "hugetlb-reservation")).toBeUndefined();
  });

  describe("pages that are used, and that nobody maps", () => {
    const process = (pid: number, mib: number): { [path: string]: string } => ({
      [`proc/${pid}/status`]: `Name:\tqemu\nPid:\t${pid}\nRssAnon:\t 100 kB\nHugetlbPages:\t ${mib * 1024} kB\n`,
    });
    const files = {
      "proc/mounts": "devtmpfs /dev devtmpfs rw 0 0\nnone /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n",
      "sos_commands/filesys/tmpfs_files":
        "614400 512 40 8 1795947282 /dev/hugepages/rtemap_0\n204800 512 27 9 1795947282 /dev/left\n",
    };
    const finding = async (held: { readonly [path: string]: string }) =>
      findingOf(await analyzeFiles({ ...pool(300, 0, 0), ...held }), "hugetlb-reservation");

    it("are those of a memfd that is open and nobody has mapped", async () => {
      // Linux 6.18: a memfd of 100 huge pages, of a pool of 150.
      const path = "sos_commands/process/shared_memory_descriptors";
      const list = (more: string): string =>
        `# Shmem:              8860 kB
lrwx------ 1 0 0 64 Nov 29 22:40 /proc/7/fd/3 -> /memfd:huge (deleted)
# looked 4 of 4 /proc/7/fd
409600 512 15 98 /proc/7/fd/3
hugetlbfs /proc/7/fd/3
${more}`;
      expect(await finding({ ...process(7, 0), ...pool(150, 50, 50), [path]: list("") })).toMatchObject({
        title: "200 MiB of huge pages are in /memfd:huge (deleted) of qemu (pid 7), which nobody has mapped",
        confidence: "confirmed",
        bytes: { low: 200 * MIB, high: 200 * MIB },
        owners: [{ pid: 7, comm: "qemu" }],
        remedies: [{ commands: ["kill -TERM 7"] }],
      });
      const mapped = list(
        "/proc/7/maps:7f3624a00000-7f3631200000 rw-s 00000000 00:0f 98                         /memfd:huge (deleted)\n",
      );
      expect((await finding({ ...process(7, 0), ...pool(150, 50, 50), [path]: mapped }))?.confidence).toBe("possible");
    });

    it("are those of files that a killed program left behind", async () => {
      expect(await finding({ ...process(7, 0), ...files, ...pool(150, 0, 0) })).toMatchObject({
        title:
          "300 MiB of huge pages are in use, but no process maps them: 1 file on hugetlbfs, such as /dev/hugepages/rtemap_0",
        confidence: "confirmed",
        material: true,
        bytes: { low: 300 * MIB, high: 300 * MIB },
        owners: [{ comm: "/dev/hugepages/rtemap_0", bytes: 300 * MIB }],
        remedies: [{
          commands: ["fuser -v /dev/hugepages/rtemap_0", "find /dev/hugepages/rtemap_0 -fstype hugetlbfs -delete"],
        }, {}],
      });
    });

    it("are those of a SysV segment that nobody is attached to, where shared memory of small pages is less", async () => {
      // Linux 6.18: shmget() with SHM_HUGETLB, whose program was killed.
      const segment = (attached: number, rss: number): string =>
        `key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap\n30481 8 600 ${rss} 90 90 ${attached} 0 0 0 0 1 2 1 ${rss} 0\n`;
      const held = (attached: number, mib = 200) =>
        finding({ ...process(7, 0), ...pool(100, 0, 0), "proc/sysvipc/shm": segment(attached, mib * MIB) });
      expect(await held(0)).toMatchObject({
        title: "200 MiB of huge pages are in SysV segment 8, which nobody is attached to",
        confidence: "confirmed",
        material: true,
        bytes: { low: 198 * MIB, high: 200 * MIB },
        owners: [{ comm: "SysV segment 8", bytes: 200 * MIB }],
        remedies: [{ commands: ["ipcs -m -i 8", "ipcrm -m 8"] }],
      });
      expect(await held(1)).toMatchObject({ confidence: "possible", material: false });
      // It may be one of small pages.
      expect(await held(0, 2)).toMatchObject({ confidence: "possible", material: false });
    });

    // PostgreSQL: of shared memory that a process touched which has ended, nobody else is counted for a page, though all map it (seen on 6.18).
    it("are no more than possible where no file has them: a process that touched shared memory may have ended", async () => {
      for (const held of [process(7, 0), { ...process(7, 0), ...files, ...pool(3000, 0, 0) }]) {
        const found = await finding(held);
        expect(found).toMatchObject({ confidence: "possible", material: false });
        expect(found?.title).not.toContain("no process maps them");
      }
    });

    it("are likely where the files may as well be those that are mapped", async () => {
      expect(await finding({ ...process(7, 300), ...files })).toMatchObject({ confidence: "likely", material: true });
    });

    it("are none where processes share them, or where it is not known what processes map", async () => {
      expect(await finding({ ...process(7, 500), ...process(8, 500), ...files })).toBeUndefined();
      expect(await finding(files)).toBeUndefined();
      expect(
        await finding({
          "nailhouse.json": JSON.stringify({ ...manifest, privileged: false }),
          ...process(7, 0),
        }),
      ).toBeUndefined();
    });

    it("are told of beside those that nobody uses", async () => {
      const report = await analyzeFiles({ ...pool(600, 300, 0), ...process(7, 0), ...files });
      expect(report.findings.filter(({ cause }) => cause === "hugetlb-reservation").map(({ bytes }) => bytes.low))
        .toEqual([600 * MIB, 600 * MIB]);
    });

    it("are no shared memory", async () => {
      const report = await analyzeFiles({
        ...process(7, 0),
        ...files,
        "proc/meminfo": meminfoText({ Shmem: 400 * MIB }, 8 * GIB),
        "sos_commands/filesys/df_-al_-x_autofs": "devtmpfs 1000000 409600 590400 41% /dev\n",
      });
      const owners = JSON.stringify(findingOf(report, "shmem-leak")?.owners);
      expect(owners).toContain("/dev/left");
      expect(owners).not.toContain("rtemap_0");
    });
  });

  it("is not assessed without the pools", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(report.notAssessed.map(({ cause }) => cause)).toContain("hugetlb-reservation");
  });
});
