import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { later } from "./_kernel.ts";

const GIB = 2 ** 30;
const ID = "balloon";
const vmstat = (inflated: number, deflated: number): string =>
  `nr_free_pages 1\nballoon_inflate ${Math.round(inflated / 4096)}\nballoon_deflate ${
    Math.round(deflated / 4096)
  }\nballoon_migrate 0\n`;

describe(ID, () => {
  it("claims what a balloon inside MemTotal has (VMware, Hyper-V)", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText({ Balloon: 2 * GIB }, 8 * GIB, 2 * GIB) });
    expect(report.findings[0]).toMatchObject({
      cause: ID,
      confidence: "confirmed",
      material: true,
      bytes: { low: 2 * GIB, high: 2 * GIB },
    });
    expect(report.findings[0]?.title).toContain("2.00 GiB back, 25.0 %");
  });

  it("claims nothing of a balloon that lowered MemTotal (virtio), and says how much it is", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({}, 6 * GIB),
      "proc/vmstat": vmstat(3 * GIB, GIB),
    });
    expect(findingOf(report, ID)).toMatchObject({
      confidence: "confirmed",
      material: true,
      claims: [],
      owners: [{ bytes: 2 * GIB }],
    });
    expect(findingOf(report, ID)?.title).toContain("25.0 %");
  });

  it("sees MemTotal fall", async () => {
    const files = {
      "proc/meminfo": meminfoText({}, 8 * GIB),
      ...later(60, { "proc/meminfo": meminfoText({}, 6 * GIB) }),
    };
    expect(findingOf(await analyzeFiles(files), ID)).toMatchObject({ owners: [{ bytes: 2 * GIB }] });
  });

  it.each([0.5 * GIB, 128 * GIB])(
    "does not accuse a host of %i bytes with a small balloon, or one that was given back",
    async (totalBytes) => {
      const small = await analyzeFiles({
        "proc/meminfo": meminfoText({}, totalBytes),
        "proc/vmstat": vmstat(0.02 * totalBytes, 0),
      });
      expect(findingOf(small, ID)).toMatchObject({ material: false });
      expect(small.verdict).toBe("healthy");
      const back = await analyzeFiles({ "proc/meminfo": meminfoText({}, totalBytes), "proc/vmstat": vmstat(GIB, GIB) });
      expect(back.ruledOut).toContainEqual({ cause: ID, because: "the balloon is empty" });
    },
  );

  it("rules itself out where nothing tells, and is not assessed without meminfo", async () => {
    expect((await analyzeFiles({ "proc/meminfo": meminfoText() })).ruledOut).toContainEqual(
      expect.objectContaining({ cause: ID }),
    );
    expect((await analyzeFiles({ "proc/vmstat": vmstat(0, 0) })).notAssessed).toContainEqual(
      expect.objectContaining({ cause: ID, missing: ["proc/meminfo"] }),
    );
  });

  // https://rtfmp.com/2016/03/18/balloon-driver-linux/, https://it.megocollector.com/?p=3788
  it("is told by VMware's tools where free is all that tells of memory", async () => {
    const free = "Mem:    16655581184 14692646912   536870912    94371840  1424994304  1572864000\n";
    const report = await analyzeFiles({
      "sos_commands/memory/free": `$ free -b\n total used free shared buff/cache available\n${free}`,
      "sos_commands/vmware/vmware-toolbox-cmd_stat_balloon": "9216 MB\n",
    });
    expect(findingOf(report, ID)).toMatchObject({ confidence: "confirmed", bytes: { low: 9 * GIB, high: 9 * GIB } });
  });

  it.each([
    [
      "sys/kernel/debug/vmmemctl",
      (mib: number) => `target:                    0 pages\ncurrent:             ${mib * 256} pages\n`,
    ],
    [
      "sys/kernel/debug/vmmemctl",
      (mib: number) => `target                :                0\ncurrent               : ${mib * 256}\n`,
    ],
    ["sos_commands/vmware/vmware-toolbox-cmd_stat_balloon", (mib: number) => `${mib} MB\n`],
    ["proc/vmmemctl", (mib: number) => `target: 0 pages\ncurrent: ${mib * 256} pages\n`],
    [
      "sos_commands/vmware/vmware-toolbox-cmd_stat_raw_text_resources",
      (mib: number) => `vm.cpu.limit = -1\nguest.mem.ballooned = ${mib * 1024}\nguest.mem.swapped = 0\n`,
    ],
  ])("reads what VMware's has, which is in no account: %s", async (path, text) => {
    const modules = { "proc/modules": "vmw_balloon 18190 0 - Live 0xffffffffc0599000\n" };
    const files = { "proc/meminfo": meminfoText({}, 24 * GIB, 18 * GIB), ...modules, [path]: text(17_960) };
    // From 5.4 on these are counted, too.
    const counted = { "proc/vmstat": `balloon_inflate ${17_960 * 256}\nballoon_deflate 0\n` };
    for (const report of [await analyzeFiles(files), await analyzeFiles({ ...files, ...counted })]) {
      expect(report.verdict).toBe("cause-found");
      expect(findingOf(report, ID)).toMatchObject({
        title: "The hypervisor took 17.5 GiB back, 73.1 % of this machine's memory",
        confidence: "confirmed",
        claims: [{ account: "unaccounted", bytes: { low: 17_960 * 2 ** 20 } }],
      });
      expect(JSON.stringify(findingOf(report, ID)?.remedies)).not.toContain("virsh");
    }
    const empty = await analyzeFiles({
      "proc/meminfo": meminfoText({}, 24 * GIB, 18 * GIB),
      ...modules,
      [path]: text(0),
    });
    expect(empty.ruledOut).toContainEqual({ cause: ID, because: "the balloon is empty" });
  });

  it("does not rule out a driver that keeps no count, and claims nothing for it", async () => {
    // Hyper-V, 4.14: https://github.com/jds2001/coreos-sosreport-master1
    const files = (hidden: number) => ({
      "proc/meminfo": meminfoText({}, 8 * GIB, hidden),
      "proc/modules": "hv_balloon 24576 0 [permanent], Live 0xffffffffc0599000\n",
      "proc/vmstat": vmstat(0, 0),
      "proc/zoneinfo": "Node 0, zone   Normal\n  pages free     100\n        min      1\n",
    });
    const report = await analyzeFiles(files(5 * GIB));
    expect(findingOf(report, ID)).toMatchObject({ confidence: "possible", material: false, claims: [] });
    expect(JSON.stringify(findingOf(report, ID)?.remedies)).not.toContain("virsh");
    expect(findingOf(report, ID)?.title).toContain("may be part of the 5.00 GiB (62.5 % of memory)");
    const unknown = findingOf(report, "unattributed-kernel")?.evidence.map(({ because }) => because).join("\n");
    expect(unknown).toContain("perhaps the hypervisor's: hv_balloon is loaded");
    expect(unknown).not.toContain("no balloon");
    expect((await analyzeFiles(files(0))).ruledOut).toContainEqual({
      cause: ID,
      because:
        "before Linux 6.16 nothing counts what hv_balloon has, but no more than 0 B (0.0 % of memory) are in no account",
    });
    const counted = { ...files(5 * GIB), "proc/meminfo": meminfoText({ Balloon: 0 }, 8 * GIB, 5 * GIB) };
    expect((await analyzeFiles(counted)).ruledOut).toContainEqual({ cause: ID, because: "the balloon is empty" });
  });

  it("is not assessed where much is in no account, and no list tells which drivers are loaded", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({}, 8 * GIB, 5 * GIB),
      "proc/vmstat": vmstat(0, 0),
    });
    expect(report.notAssessed).toContainEqual(expect.objectContaining({ cause: ID, missing: ["proc/modules"] }));
  });

  it("takes more given back than taken for an empty one", async () => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText(), "proc/vmstat": vmstat(4096, 8192) });
    expect(findingOf(report, ID)).toBeUndefined();
  });
});
