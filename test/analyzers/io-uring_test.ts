import { describe, expect, it } from "vitest";
import { ioUring } from "../../analyzers/io-uring.ts";
import { analyzeFiles, findingOf, meminfoText, pinnedText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

function rings(
  count: number,
  sqMask: string,
  cqMask: string,
  bufferBytes = 0,
  { pid, comm } = { pid: 700, comm: "uring" },
): { [path: string]: string } {
  const lines = Array.from(
    { length: count },
    (_, i) =>
      `lrwx------ 1 root root 64 Nov 23 07:13 /proc/${pid}/fd/${i + 3} -> anon_inode:[io_uring]\n/proc/${pid}/fdinfo/${
        i + 3
      }: SqMask:\t${sqMask}\n` +
      `/proc/${pid}/fdinfo/${i + 3}: CqMask:\t${cqMask}\n/proc/${pid}/fdinfo/${i + 3}: UserBufs:\t${
        bufferBytes > 0 ? 1 : 0
      }\n` +
      (bufferBytes > 0 ? `/proc/${pid}/fdinfo/${i + 3}:     0: 0x7fde0ad7b000/${bufferBytes}\n` : ""),
  ).join("");
  return {
    "sos_commands/process/descriptor_counts": `${count} /proc/${pid}/fd\n`,
    "sos_commands/process/descriptor_samples": lines,
    [`proc/${pid}/status`]: `Name:\t${comm}\nRssAnon:\t100 kB\n`,
  };
}
const lru = (pinned: number, total = 24 * GIB): string => pinnedText(pinned, {}, total);

describe("io-uring", () => {
  it("is confirmed for rings by their size, outside every account", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({}, 24 * GIB, 414 * MIB),
      ...rings(100, "0x7fff", "0xffff"),
    }, [ioUring]);
    // 2 MiB of submission entries, 1 MiB + 128 KiB + 64 bytes of completion ones in a block of 2 MiB.
    expect(findingOf(report, "io-uring")).toMatchObject({
      confidence: "confirmed",
      bytes: { low: 400 * MIB, high: 400 * MIB },
      owners: [{ pid: 700, comm: "uring", count: 100 }],
    });
  });

  it("counts the rings of all who have some, and asks all to end that hold much of it", async () => {
    const groups = [[60, "first"], [40, "second"], [1, "third"]].map(([count, comm], i) =>
      rings(count as number, i === 2 ? "0x7" : "0x7fff", i === 2 ? "0xf" : "0xffff", 0, {
        pid: 700 + i,
        comm: comm as string,
      })
    );
    const joined = (path: string): string => groups.map((files) => files[path]).join("");
    const report = await analyzeFiles({
      ...Object.assign({}, ...groups),
      "proc/meminfo": meminfoText({}, 24 * GIB, 414 * MIB),
      "sos_commands/process/descriptor_counts": joined("sos_commands/process/descriptor_counts"),
      "sos_commands/process/descriptor_samples": joined("sos_commands/process/descriptor_samples"),
    }, [ioUring]);
    const finding = findingOf(report, "io-uring");
    expect(finding?.title).toMatch(/^first \(pid 700\) and 1 other: 101 io_urings hold 400 MiB/);
    expect(finding?.owners.map(({ comm, count }) => [comm, count])).toEqual([["first", 60], ["second", 40], [
      "third",
      1,
    ]]);
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 700", "kill -TERM 701"]);
  });

  it("is confirmed for registered buffers that no process has mapped", async () => {
    const report = await analyzeFiles({ "proc/meminfo": lru(400 * MIB), ...rings(1, "0x7", "0xf", 400 * MIB) }, [
      ioUring,
    ]);
    const finding = findingOf(report, "io-uring");
    expect(finding?.confidence).toBe("confirmed");
    expect(finding?.title).toContain("registered buffers whose mapping is gone");
    expect(Math.abs((finding?.bytes.low ?? 0) / (400 * MIB) - 1)).toBeLessThan(0.02);
  });

  it("tells memory of AF_XDP sockets by the kernel's own mapping of it", async () => {
    const files = (bytes: number) => ({
      "proc/meminfo": lru(200 * MIB),
      "proc/vmallocinfo": `0x00000000632851be-0x00000000fadc358d ${bytes + 4096} xdp_umem_create+0x3d8/0x480 vmap\n`,
    });
    const finding = findingOf(await analyzeFiles(files(200 * MIB), [ioUring]), "io-uring");
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ pid: null, count: 1 }] });
    expect(finding?.title).toMatch(/^\S+ MiB of memory of 1 AF_XDP socket/);
    expect(finding?.remedies[0]?.commands).toEqual([expect.stringContaining("protocol: XDP")]);
    // One that is small does not explain what is pinned.
    expect(findingOf(await analyzeFiles(files(16 * MIB), [ioUring]), "io-uring")?.confidence).toBe("possible");
  });

  it("names who has rings of Linux AIO, which are page cache that cannot be given back", async () => {
    const files = {
      "proc/meminfo": meminfoText({ Cached: 500 * MIB }),
      "sos_commands/process/aio_rings": `# process contexts bytes\n/proc/700/maps 600 ${
        300 * MIB
      }\n/proc/900/maps 4 ${MIB}\n`,
      "proc/700/status": "Name:\tforgetful\nThreads:\t2\nRssAnon:\t100 kB\n",
      "proc/900/status": "Name:\tmysqld\nThreads:\t40\nRssAnon:\t100 kB\n",
      "sos_commands/kernel/sysctl_-a": "fs.aio-nr = 4810000\n",
    };
    const report = await analyzeFiles(files, [ioUring]);
    expect(report.verdict).toBe("cause-found");
    const finding = findingOf(report, "io-uring");
    expect(finding).toMatchObject({ confidence: "confirmed", bytes: { low: 301 * MIB, high: 301 * MIB } });
    expect(finding?.owners.map(({ pid, comm, count }) => [pid, comm, count])).toEqual([[700, "forgetful", 600], [
      900,
      "mysqld",
      4,
    ]]);
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 700"]);
    // A sosreport tells how many events there are, and not whose.
    const { "sos_commands/process/aio_rings": _, ...sos } = files;
    expect(findingOf(await analyzeFiles(sos, [ioUring]), "io-uring")).toMatchObject({
      confidence: "possible",
      bytes: { low: 4_810_000 * 32 },
      owners: [{ pid: null }],
    });
  });

  it("accuses no database of contexts that its processes use", async () => {
    const cached = { "proc/meminfo": meminfoText({ Cached: 500 * MIB }) };
    const few = "sos_commands/process/aio_rings";
    const one = await analyzeFiles({ ...cached, [few]: `/proc/900/maps 40 ${20 * MIB}\n` }, [ioUring]);
    expect(one.findings).toEqual([]);
    // One context for each of 200 processes.
    const pids = Array.from({ length: 200 }, (_, i) => 900 + i);
    const many = await analyzeFiles({
      ...cached,
      [few]: pids.map((pid) => `/proc/${pid}/maps 1 ${MIB}\n`).join(""),
      ...Object.fromEntries(pids.map((pid) => [`proc/${pid}/status`, "Name:\toracle\nThreads:\t1\nRssAnon:\t9 kB\n"])),
    }, [ioUring]);
    expect(findingOf(many, "io-uring")?.confidence).toBe("possible");
    expect(many.verdict).not.toBe("cause-found");
  });

  it("accuses no buffers that are still mapped, and no small rings", async () => {
    for (const total of [GIB / 2, 128 * GIB]) {
      const mapped = { "proc/meminfo": lru(0, total), ...rings(1, "0x7", "0xf", 300 * MIB) };
      expect((await analyzeFiles(mapped, [ioUring])).findings).toEqual([]);
      expect(
        (await analyzeFiles({ "proc/meminfo": lru(0, total), ...rings(4, "0xff", "0x1ff", MIB) }, [ioUring])).findings,
      ).toEqual([]);
    }
  });

  it("is likely when a process has an io_uring and pinned memory has no other owner, possible when none has", async () => {
    const lsof = {
      "sos_commands/process/lsof_-b_M_-n_-l_-c": "io_uring_  700     0   3u  a_inode  0,16  0  1038 [io_uring]\n",
    };
    expect(findingOf(await analyzeFiles({ "proc/meminfo": lru(400 * MIB), ...lsof }, [ioUring]), "io-uring"))
      .toMatchObject({ confidence: "likely", owners: [{ pid: 700 }] });
    expect(findingOf(await analyzeFiles({ "proc/meminfo": lru(400 * MIB) }, [ioUring]), "io-uring")).toMatchObject({
      confidence: "possible",
      owners: [{ pid: null }],
    });
  });

  it("says no more than is known where neither a ring nor a pin is told: huge pages that the kernel leaked look the same", async () => {
    // A host of virtual machines with 4.18 and pages of 64 KiB, 224 GiB of 254, of a public note on leaked huge pages
    const finding = findingOf(
      await analyzeFiles({ "proc/meminfo": lru(224 * GIB, 254 * GIB) }, [ioUring]),
      "io-uring",
    );
    expect(finding).toMatchObject({ confidence: "possible", material: true });
    expect(finding?.title).toMatch(/^224 GiB are in no process, and something keeps them: .* or a leak in the kernel$/);
  });

  it("is only possible where each thread has one ring", async () => {
    const files = {
      "proc/meminfo": meminfoText({}, 24 * GIB, 414 * MIB),
      ...rings(100, "0x7fff", "0xffff"),
      "proc/700/status": "Name:\turing\nThreads:\t128\nRssAnon:\t100 kB\n",
    };
    expect(findingOf(await analyzeFiles(files, [ioUring]), "io-uring")?.confidence).toBe("possible");
  });

  it("is only possible for rings whose size is not in the bundle", async () => {
    const lsof = Array.from(
      { length: 100 },
      (_, i) => `io_uring_  700     0   ${i}u  a_inode  0,16  0  1038 [io_uring]\n`,
    ).join("");
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({}, 24 * GIB, 424 * MIB),
      "sos_commands/process/lsof_-b_M_-n_-l_-c": lsof,
    }, [ioUring]);
    expect(findingOf(report, "io-uring")?.confidence).toBe("possible");
  });

  it("is not assessed without meminfo and survives hostile masks", async () => {
    expect((await analyzeFiles({}, [ioUring])).notAssessed).toHaveLength(1);
    const report = await analyzeFiles({ "proc/meminfo": meminfoText(), ...rings(3, "0xffffffffffffffffffff", "-1") }, [
      ioUring,
    ]);
    expect(report.findings).toEqual([]);
    expect(report.notAssessed).toEqual([]);
  });
});
