import { describe, expect, it } from "vitest";
import { conntrackGrowth } from "../../analyzers/conntrack-growth.ts";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const NAMESPACE = "sos_commands/networking/namespaces/blue/proc/net/stat/nf_conntrack";

const slab = (entries: number, name = "nf_conntrack", size = 256): string =>
  `slabinfo - version: 2.1\n${name} ${entries} ${entries} ${size} 16 1 : tunables 0 0 0 : slabdata ${
    Math.ceil(entries / 16)
  } ${Math.ceil(entries / 16)} 0\n`;
const stat = (entries: number): string =>
  `entries  clashres found new\n${entries.toString(16).padStart(8, "0")}  00000000 00000000 00000000\n${
    entries.toString(16).padStart(8, "0")
  }  00000000 00000000 00000000\n`;
const meminfo = meminfoText({ SUnreclaim: 340 * MIB }, 24 * GIB);
const sysctl = { "sos_commands/kernel/sysctl_-a": "net.netfilter.nf_conntrack_max = 1001000\n" };

describe("conntrack-growth", () => {
  it("is confirmed for a table far above the default limit, in the namespace that has it", async () => {
    const files = {
      "proc/meminfo": meminfo,
      "proc/slabinfo": slab(800_208),
      "proc/net/stat/nf_conntrack": stat(0),
      [NAMESPACE]: stat(800_088),
      ...sysctl,
    };
    const finding = findingOf(await analyzeFiles(files, [conntrackGrowth]), "conntrack-growth");
    expect(finding).toMatchObject({
      confidence: "confirmed",
      material: true,
      owners: [{ comm: "network namespace blue", count: 800_088 }],
    });
    // 307 MB of SUnreclaim were measured.
    expect(Math.abs((finding?.bytes.low ?? 0) / 307_040_256 - 1)).toBeLessThan(0.05);
    expect(finding?.evidence.some(({ text }) => text.includes("nf_conntrack_max"))).toBe(true);
  });

  it("tells growth, and finds the entries in the cache where the namespace was not captured", async () => {
    const files = {
      "proc/meminfo": meminfo,
      "proc/slabinfo": slab(800_000),
      "history/2026-01-01T00:00:01.000Z/proc/slabinfo": slab(802_000),
      "history/2026-01-01T00:00:02.000Z/proc/slabinfo": slab(804_000),
    };
    const finding = findingOf(await analyzeFiles(files, [conntrackGrowth]), "conntrack-growth");
    expect(finding?.growthBytesPerSecond).toEqual({ low: 2000 * 384, high: 2000 * 384 });
    expect(finding?.title).toContain("not captured");
    expect(finding?.owners[0]?.detail).toContain("lsns");
  });

  it("accuses no gateway whose table is within the default limit, and no small one", async () => {
    for (const entries of [5000, 262_000]) {
      expect(
        (await analyzeFiles({ "proc/meminfo": meminfo, "proc/slabinfo": slab(entries) }, [conntrackGrowth])).findings,
      ).toEqual([]);
    }
    expect(
      (await analyzeFiles({ "proc/meminfo": meminfoText({}, GIB / 2), "proc/slabinfo": slab(10_000) }, [
        conntrackGrowth,
      ])).findings,
    ).toEqual([]);
    // More than 1 GiB, where the default no longer follows from the size.
    const twoGib = { "proc/meminfo": meminfoText({}, 2 * GIB), "proc/slabinfo": slab(250_000) };
    expect((await analyzeFiles(twoGib, [conntrackGrowth])).findings).toEqual([]);
  });

  it("reads a small host, and the cache's name on kernels before 4.10, one a namespace", async () => {
    const files = {
      "proc/meminfo": meminfoText({ SUnreclaim: 60 * MIB }, GIB / 2),
      "proc/slabinfo": slab(100_000, "nf_conntrack_ffffffff81a2b3c0", 320),
    };
    expect((await analyzeFiles(files, [conntrackGrowth])).findings).toHaveLength(1);
  });

  it("is ruled out without its module and not assessed without slabinfo, or in one that is cut off", async () => {
    const caches = slab(1, "dentry");
    const last = "kmem_cache 16 16 256 16 1 : tunables 0 0 0 : slabdata 1 1 0\n";
    const whole = { "proc/meminfo": meminfo, "proc/slabinfo": `${caches}${last}` };
    expect((await analyzeFiles(whole, [conntrackGrowth])).ruledOut).toHaveLength(1);
    const cutOff = { "proc/meminfo": meminfo, "proc/slabinfo": caches };
    expect((await analyzeFiles(cutOff, [conntrackGrowth])).notAssessed).toHaveLength(1);
    expect((await analyzeFiles({ "proc/meminfo": meminfo }, [conntrackGrowth])).notAssessed[0]?.missing).toEqual([
      "proc/slabinfo",
    ]);
  });

  it("survives a table that is none", async () => {
    const files = { "proc/meminfo": meminfo, "proc/slabinfo": slab(800_208), [NAMESPACE]: "entries\nzzzz\n" };
    expect((await analyzeFiles(files, [conntrackGrowth])).findings).toHaveLength(1);
  });
});
