import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";

const MIB = 2 ** 20;

function accounts(report: Awaited<ReturnType<typeof analyzeFiles>>): { [id: string]: number } {
  return Object.fromEntries(report.ledger?.accounts.map(({ id, bytes }) => [id, bytes]) ?? []);
}

describe("ledger", () => {
  it("adds up to MemTotal exactly, with what is left over as an account of its own", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText({ AnonPages: 900 * MIB }, 4096 * MIB, 300 * MIB) });
    const sum = Object.values(accounts(report)).reduce((total, bytes) => total + bytes, 0);
    expect(sum).toBe(4096 * MIB);
    expect(accounts(report)).toMatchObject({ anon: 900 * MIB, unaccounted: 300 * MIB });
  });

  it("takes pages on per-CPU lists for free", async () => {
    const zoneinfo =
      "Node 0, zone   Normal\n  pages free     100\n        min      1\n  pagesets\n    cpu: 0\n              count: 25600\n";
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({}, 1024 * MIB, 110 * MIB),
      "proc/zoneinfo": zoneinfo,
    });
    expect(accounts(report)).toMatchObject({ "per-cpu-free-lists": 100 * MIB, unaccounted: 10 * MIB });
  });

  it("leaves out an account that the bundle cannot tell, and says that it is in the rest", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(accounts(report)).not.toHaveProperty("per-cpu-free-lists");
    expect(report.ledger?.missing.join()).toContain("proc/zoneinfo");
  });

  // https://github.com/htop-dev/htop/issues/447: nearly all are huge pages, which stand further down.
  it("does not call what stands below the end of a meminfo that is cut off unexplained", async () => {
    const text =
      "MemTotal: 593026380 kB\nMemFree: 22093964 kB\nMemAvailable: 34258672 kB\nBuffers: 333600 kB\nCached: 13545432 kB\n" +
      "AnonPages: 311036 kB\nShmem: 28432 kB\nSlab: 1172164 kB\nSReclaimable: 782220 kB\nSUnreclaim: 389944 kB\n";
    const report = await analyzeFiles({ "proc/meminfo": text });
    expect(report.verdict).toBe("insufficient-evidence");
    expect(report.ledger?.missing[0]).toBe(
      "vmalloc, per-CPU data, huge pages (proc/meminfo is cut off before VmallocUsed)",
    );
    const whole = await analyzeFiles({ "proc/meminfo": `${text}VmallocUsed: 400000 kB\n` });
    expect(whole.verdict).toBe("unexplained");
  });

  // https://github.com/openzfs/zfs/issues/14686
  it("takes from free what a meminfo that is cut off does not tell", async () => {
    const free =
      "              total        used        free      shared  buff/cache   available\nMem:           3182        3041         100           0          40           7\n";
    const report = await analyzeFiles({
      "sos_commands/memory/free": `$ free -m\n${free}`,
      "proc/meminfo": "MemTotal:        3258832 kB\nMemFree:          114108 kB\n",
    });
    expect(accounts(report)).toMatchObject({ free: 114_108 * 1024, "page-cache": 40 * MIB });
    expect(report.pressure).toMatchObject({ level: "short", because: "7.00 MiB (0.2 %) is available" });
  });

  // https://github.com/netdata/netdata/issues/3929: free && grep 'Slab\|SReclaimable\|Cache' /proc/meminfo
  it("takes unreclaimable slab for what the other kind leaves of all slab", async () => {
    const free =
      "             total       used       free     shared    buffers     cached\nMem:     132178760  105858612   26320148   11323556     720948   35920948\n";
    const picked = "Cached: 34183672 kB\nSlab: 67326708 kB\nSReclaimable: 1737252 kB\n";
    const report = await analyzeFiles({ "sos_commands/memory/free": free, "proc/meminfo": picked });
    expect(accounts(report)["slab-unreclaimable"]).toBe((67_326_708 - 1_737_252) * 1024);
    expect(report.ledger?.missing.join()).not.toContain("SUnreclaim");
    // Of before 2.6.19 neither kind is told.
    const old = await analyzeFiles({ "proc/meminfo": "MemTotal: 132178760 kB\nSlab: 67326708 kB\nPageTables: 1 kB\n" });
    expect(accounts(old)).not.toHaveProperty("slab-unreclaimable");
    // RHEL 5, as in https://cnblogs.com/augusite/p/10944101.html: how much of it is given back is not known.
    const both = await analyzeFiles({
      "proc/meminfo":
        "MemTotal: 32949824 kB\nMemFree: 99736 kB\nCached: 2842372 kB\nAnonPages: 13487512 kB\nSlab: 16370936 kB\nPageTables: 93860 kB\nVmallocUsed: 0 kB\n",
    });
    expect(accounts(both)).toMatchObject({ slab: 16_370_936 * 1024, unaccounted: 55_408 * 1024 });
    expect(both.ledger?.missing.join()).not.toContain("2.6.19");
    expect(both.verdict).toBe("insufficient-evidence");
  });

  // https://github.com/raspberrypi/bookworm-feedback/issues/275
  const FREE = `               total        used        free      shared  buff/cache   available
Mem:         3862616     1817412     1306520      148232      964400     2045204
Swap:              0           0           0
`;

  it("is made of what free prints, and says what that does not tell", async () => {
    const report = await analyzeFiles({ "sos_commands/memory/free": FREE });
    expect(report.ledger?.accounts.map(({ title, bytes }) => [title, bytes / 1024])).toEqual([
      ["free", 1_306_520],
      ["page cache, buffers, reclaimable slab", 964_400 - 148_232],
      ["shared memory, tmpfs", 148_232],
      ["unaccounted", 3_862_616 - 1_306_520 - 964_400],
    ]);
    expect(report.ledger?.missing).toEqual([
      "processes' own memory, and all of the kernel's (free and top do not tell them; cat /proc/meminfo)",
    ]);
    expect(report).toMatchObject({ verdict: "insufficient-evidence", pressure: { level: "none" } });
    expect(report.pressure.because).toBe("1.95 GiB (52.9 %) is available");
  });

  it("is made of what free prints where grep left out MemTotal, and of that alone where it did not", async () => {
    const picked = await analyzeFiles({
      "sos_commands/memory/free": FREE,
      "proc/meminfo": "Slab: 400000 kB\nSReclaimable: 300000 kB\nSUnreclaim: 100000 kB\n",
    });
    expect(picked.ledger?.accounts.map(({ id, bytes }) => [id, bytes / 1024])).toEqual([
      ["free", 1_306_520],
      ["page-cache", 964_400 - 148_232 - 300_000],
      ["shmem", 148_232],
      ["slab-reclaimable", 300_000],
      ["slab-unreclaimable", 100_000],
      ["unaccounted", 3_862_616 - 1_306_520 - 964_400 - 100_000],
    ]);
    const both = await analyzeFiles({ "sos_commands/memory/free": FREE, "proc/meminfo": meminfoText() });
    expect(both.ledger).toEqual((await analyzeFiles({ "proc/meminfo": meminfoText() })).ledger);
  });

  // https://github.com/koalaman/linuxatemyram.com/issues/10
  it("tells that nothing is wrong where little is left that free does not tell", async () => {
    const text = "$ free -m\n total used free shared buff/cache available\nMem: 7746 323 6686 647 737 6598\n";
    expect(await analyzeFiles({ "sos_commands/memory/free": text })).toMatchObject({ verdict: "healthy" });
  });

  it("does not call what a meminfo that is cut off leaves out unexplained", async () => {
    const whole = meminfoText({ AnonPages: 3000 * MIB, SUnreclaim: 900 * MIB }, 4096 * MIB);
    const report = await analyzeFiles({ "proc/meminfo": whole.split("\n").slice(0, 6).join("\n") });
    expect(report.verdict).toBe("insufficient-evidence");
    expect(report.ledger?.missing.slice(0, 2)).toEqual([
      "processes' own memory (proc/meminfo is cut off before AnonPages)",
      "slab (proc/meminfo is cut off before SUnreclaim)",
    ]);
    // RHEL 5
    const old = await analyzeFiles({
      "proc/meminfo":
        "MemTotal: 4194304 kB\nMemFree: 1048576 kB\nAnonPages: 900000 kB\nMapped: 9 kB\nSlab: 500000 kB\nPageTables: 9 kB\n",
    });
    expect(old.ledger?.missing[0]).toBe(
      "slab (proc/meminfo of before 2.6.19 does not tell which of it can be reclaimed)",
    );
    // head -8 has the lists: without AnonPages they do not tell what is pinned.
    const lists = await analyzeFiles({
      "proc/meminfo":
        "MemTotal: 4194304 kB\nMemFree: 1048576 kB\nBuffers: 4 kB\nCached: 8 kB\nSwapCached: 0 kB\nActive: 2000000 kB\nInactive: 900000 kB\n",
    });
    expect(lists.findings).toEqual([]);
    expect(accounts(lists)).not.toHaveProperty("pinned-lru");
    expect(lists.ruledOut).toEqual([]);
  });

  it("adds up the areas where VmallocUsed is address space (up to 4.3)", async () => {
    const area = "0xffffc90000000000-0xffffc90000805000   8392704 load_module+0x5/0x10 pages=2048 vmalloc N0=4\n";
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ VmallocUsed: 400 * MIB, VmallocChunk: 2 ** 45 }),
      "proc/vmallocinfo": area,
    });
    expect(accounts(report)).toMatchObject({ vmalloc: 8 * MIB });
  });

  it("does not believe lists that hold more than there is, nor what is available by them", async () => {
    // https://github.com/oracle/oracle-linux/issues/218; the numbers are made up.
    const meminfo =
      meminfoText({ AnonPages: 900 * MIB }, 4096 * MIB).replace(/^MemAvailable: .*/m, "MemAvailable: 5000000 kB") +
      `Active: ${1000 * 1024} kB\nInactive: ${5000 * 1024} kB\n`;
    const report = await analyzeFiles({ "proc/meminfo": meminfo });
    expect(accounts(report)).not.toHaveProperty("pinned-lru");
    expect(accounts(report)["unaccounted"]).toBe(0);
    expect(report.ledger?.missing[0]).toContain("its counter is wrong");
    expect(report.pressure.because).not.toContain("available");
  });

  it("is not made of a container's meminfo, beside whose limit are counters of its host", async () => {
    // lxcfs: https://github.com/lxc/lxcfs/issues/120
    const report = await analyzeFiles({
      "proc/meminfo": `MemTotal:        4194304 kB
MemFree:         2716972 kB
MemAvailable:    2716972 kB
Cached:          1009692 kB
AnonPages:      12719924 kB
Slab:                  0 kB
SReclaimable:    1658088 kB
SUnreclaim:     12660380 kB
`,
    });
    expect(report.ledger).toBeNull();
    expect(report.pressure.because).toBe("no ledger could be made of its /proc/meminfo");
    expect(report.warnings.at(-1)).toContain("a container's meminfo");
  });

  it("is not made of a container's meminfo whose numbers fit, where the mounts tell", async () => {
    const mounts = "proc /proc proc rw 0 0\nlxcfs /proc/cpuinfo fuse.lxcfs rw 0 0\n";
    const other = await analyzeFiles({ "proc/meminfo": meminfoText(), "proc/mounts": mounts });
    expect(other.ledger).not.toBeNull();
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText(),
      "proc/mounts": `${mounts}lxcfs /proc/meminfo fuse.lxcfs rw,nosuid 0 0\n`,
    });
    expect(report.ledger).toBeNull();
    expect(report.verdict).toBe("insufficient-evidence");
    expect(report.warnings.join("\n")).toContain("lxcfs is mounted over it (proc/mounts:3); capture on the host");
  });

  it("is made of no host without memory", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText().replaceAll(/\d+ kB/g, "0 kB") });
    expect(report.ledger).toBeNull();
    expect(report.warnings.join("\n")).toContain("MemTotal of meminfo is 0: there is nothing to account for");
  });

  it("leaves out a VmallocUsed that is address space where the areas are not known", async () => {
    // A router with 4.1: https://github.com/apporator/zteorange
    const report = await analyzeFiles({
      "proc/meminfo": `MemTotal:          94412 kB
MemFree:            2016 kB
Buffers:            4456 kB
Cached:            28648 kB
AnonPages:         12504 kB
Shmem:              1176 kB
Slab:              23104 kB
SReclaimable:      10736 kB
SUnreclaim:        12368 kB
KernelStack:         960 kB
PageTables:          548 kB
VmallocTotal:     647168 kB
VmallocUsed:      190068 kB
VmallocChunk:     409508 kB
`,
    });
    expect(accounts(report)).not.toHaveProperty("vmalloc");
    expect(accounts(report)["unaccounted"]).toBe(22_176 * 1024);
    expect(report.ledger?.missing.join()).toContain("vmalloc (proc/vmallocinfo");
  });

  it("leaves out a VmallocUsed that is always 0 (4.4 to 5.2) where the areas are not known", async () => {
    // RHEL 8: https://github.com/jds2001/coreos-sosreport-master1 proc/meminfo
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ KernelStack: 3648 * 1024, VmallocUsed: 0, VmallocChunk: 0 }),
    });
    expect(accounts(report)).not.toHaveProperty("vmalloc");
    expect(report.ledger?.missing.join()).toContain("VmallocUsed of 4.4 to 5.2 is always 0");
    expect(report.ruledOut.map(({ cause }) => cause)).not.toContain("bpf-maps");
  });

  it.each(["dup_task_struct+0x5/0x10", "_do_fork+0xe2/0x390"])(
    "does not count stacks twice where they are vmalloced by %s",
    async (caller) => {
      const fields = { KernelStack: 40 * MIB, VmallocUsed: 60 * MIB };
      const area = `0xffffc90000000000-0xffffc90000005000   20480 ${caller} pages=4 vmalloc N0=4\n`;
      const report = await analyzeFiles({ "proc/meminfo": meminfoText(fields), "proc/vmallocinfo": area });
      expect(accounts(report)).toMatchObject({ "kernel-stacks": 40 * MIB, vmalloc: 20 * MIB });
    },
  );

  it("counts stacks beside vmalloc where the areas show that they are not in it", async () => {
    const fields = { KernelStack: 40 * MIB, VmallocUsed: 60 * MIB };
    const area = "0xffffc90000000000-0xffffc90000005000   20480 load_module+0x5/0x10 pages=4 vmalloc N0=4\n";
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText(fields, 2048 * MIB, 40 * MIB),
      "proc/vmallocinfo": area,
    });
    expect(accounts(report)).toMatchObject({ "kernel-stacks": 40 * MIB, vmalloc: 60 * MIB, unaccounted: 0 });
  });

  it("adds up the areas where the kernel says VmallocUsed 0 (4.4 to 5.2)", async () => {
    const area = "0xffffc90000000000-0xffffc90000805000   8392704 load_module+0x5/0x10 pages=2048 vmalloc N0=4\n";
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({ VmallocUsed: 0, KernelStack: 0 }),
      "proc/vmallocinfo": area,
    });
    expect(accounts(report)).toMatchObject({ vmalloc: 8 * MIB });
  });

  it("finds pages that are on the LRU lists and in no process", async () => {
    const meminfo = meminfoText({}, 1024 * MIB, 50 * MIB) +
      `Active:          ${100 * 1024} kB\nInactive:        ${50 * 1024} kB\nUnevictable:         0 kB\n`;
    // AnonPages 32 + Cached 64 + Buffers 4 = 100 MiB are accounted for by type.
    expect(accounts(await analyzeFiles({ "proc/meminfo": meminfo }))).toMatchObject({
      "pinned-lru": 50 * MIB,
      unaccounted: 0,
    });
  });

  it("does not count pages twice that are in the swap cache and still mapped", async () => {
    const meminfo = meminfoText({ SwapCached: 30 * MIB }, 1024 * MIB, -30 * MIB) +
      `Active:          ${100 * 1024} kB\nInactive:            0 kB\nUnevictable:         0 kB\n`;
    expect(accounts(await analyzeFiles({ "proc/meminfo": meminfo }))).toMatchObject({
      "swap-cache": 0,
      unaccounted: 0,
    });
  });

  it("is not there without MemTotal, and says why", async () => {
    const report = await analyzeFiles({ "proc/meminfo": "MemFree: 100 kB\n" });
    expect(report.ledger).toBeNull();
    expect(report.verdict).toBe("insufficient-evidence");
    expect(report.warnings.join()).toContain("MemTotal");
  });

  it.skipIf(process.platform !== "linux")("closes within 0.5 % of MemTotal on this host", async () => {
    const read = (path: string): [string, string] => [path, readFileSync(`/${path}`, "utf8")];
    const report = await analyzeFiles(Object.fromEntries(["proc/meminfo", "proc/zoneinfo", "proc/vmstat"].map(read)));
    expect(Math.abs(accounts(report)["unaccounted"] as number)).toBeLessThan(
      0.005 * (report.ledger?.totalBytes as number),
    );
  });

  // https://github.com/openwrt/openwrt/issues/19544: half of a router's memory was gone.
  it("does not take 58 of 116 MiB in no account for what is usual", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText({ Cached: 4 * MIB }, 116 * MIB, 58 * MIB) });
    expect(report.ruledOut.map(({ because }) => because).join()).not.toContain("where nothing is wrong");
    expect(report.verdict).toBe("unexplained");
  });
});
