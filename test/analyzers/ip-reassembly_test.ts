import { describe, expect, it } from "vitest";
import { ipReassembly } from "../../analyzers/ip-reassembly.ts";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const NAMESPACE = "sos_commands/networking/namespaces/net-4026532177/proc/net/sockstat";

const frag = (bytes: number, queues = 124_000): string =>
  `sockets: used 12\nTCP: inuse 0 orphan 0 tw 0 alloc 5 mem 0\nUDP: inuse 0 mem 0\nFRAG: inuse ${queues} memory ${bytes}\n`;
const slabs = (queues: number): string =>
  `slabinfo - version: 2.1
ip4-frags         ${queues} ${queues}    200   20    1 : tunables    0    0    0 : slabdata   6201   6201      0
kmalloc-2k        ${queues + 284} ${
    queues + 284
  }   2048   16    8 : tunables    0    0    0 : slabdata   7769   7769      0
skbuff_head_cache ${queues + 284} ${
    queues + 284
  }    256   16    1 : tunables    0    0    0 : slabdata   7769   7769      0
`;
const meminfo = meminfoText({ SUnreclaim: 340 * MIB }, 24 * GIB);

describe("ip-reassembly", () => {
  it("is confirmed by the count of another network namespace while the host's own says 0", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfo,
      "proc/net/sockstat": frag(0, 0),
      [NAMESPACE]: frag(310_496_000),
    }, [ipReassembly]);
    const finding = findingOf(report, "ip-reassembly");
    expect(finding).toMatchObject({ confidence: "confirmed", bytes: { low: 310_496_000, high: 310_496_000 } });
    expect(finding?.owners[0]).toMatchObject({ pid: null, comm: "network namespace net-4026532177", count: 124_000 });
    expect(finding?.evidence[0]?.text).toBe("FRAG: inuse 124000 memory 310496000");
    expect(finding?.remedies[0]?.commands[0]).toContain("lsns -nro PID 4026532177 | head -n 1");
  });

  it("is likely by the caches of all namespaces where only the host's own was captured", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfo,
      "proc/net/sockstat": frag(0, 0),
      "proc/slabinfo": slabs(124_020),
    }, [ipReassembly]);
    const finding = findingOf(report, "ip-reassembly");
    expect(finding?.confidence).toBe("likely");
    expect(Math.abs((finding?.bytes.low ?? 0) / 310_496_000 - 1)).toBeLessThan(0.15);
  });

  it("adds IPv4 and IPv6 up", async () => {
    const files = {
      "proc/meminfo": meminfo,
      "proc/net/sockstat": frag(60 * MIB),
      "proc/net/sockstat6": `FRAG6: inuse 40000 memory ${60 * MIB}\n`,
    };
    expect(findingOf(await analyzeFiles(files, [ipReassembly]), "ip-reassembly")?.bytes.low).toBe(120 * MIB);
  });

  it("is not there at the default limit, on small and large hosts", async () => {
    for (const total of [GIB / 2, 128 * GIB]) {
      const files = {
        "proc/meminfo": meminfoText({}, total),
        "proc/net/sockstat": frag(3 * MIB, 1200),
        [NAMESPACE]: frag(4 * MIB, 1200),
        "proc/slabinfo": slabs(2400),
      };
      expect((await analyzeFiles(files, [ipReassembly])).findings).toEqual([]);
    }
  });

  it("is material earlier on a small host", async () => {
    const files = {
      "proc/meminfo": meminfoText({ SUnreclaim: 60 * MIB }, GIB / 2),
      "proc/net/sockstat": frag(30 * MIB),
    };
    expect((await analyzeFiles(files, [ipReassembly])).findings).toHaveLength(1);
  });

  it("is not assessed without sockstat, and claims no more than there is", async () => {
    expect((await analyzeFiles({ "proc/meminfo": meminfo }, [ipReassembly])).notAssessed[0]?.missing).toEqual([
      "proc/net/sockstat",
    ]);
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText(),
      "proc/net/sockstat": frag(9_007_199_254_740_991),
    }, [ipReassembly]);
    expect(findingOf(report, "ip-reassembly")?.bytes.high).toBeLessThan(30 * MIB);
  });

  it("quotes the name of a namespace for the shell", async () => {
    const path = NAMESPACE.replace("net-4026532177", "a'b;c");
    const report = await analyzeFiles({ "proc/meminfo": meminfo, [path]: frag(310_496_000) }, [ipReassembly]);
    expect(findingOf(report, "ip-reassembly")?.remedies[0]?.commands[0]).toContain("ip netns exec 'a'\\''b;c' sysctl");
  });
});
