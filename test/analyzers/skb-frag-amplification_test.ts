import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText, udpText } from "./_bundle.ts";
import { slabinfoText } from "./_kernel.ts";
import { tcpText } from "./_sockets.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const census = (blocksBytes: number): string =>
  [
    "# nailhouse page-flags census",
    "# pages_total 2097152",
    "# pages_read 2097152",
    "# order flags pages symbols",
    "0 0x0000000000000400 1900000 BUDDY",
    ...(blocksBytes === 0 ? [] : [`3 0x0000000000008000 ${blocksBytes / 4096} HEAD`]),
    // Slab of the same order, and a ring of another one.
    "3 0x0000000000008080 4000 SLAB,HEAD",
    "4 0x0000000000008000 65536 HEAD",
    "",
  ].join("\n");

/** Per-CPU lists with next to nothing. */
const ZONEINFO =
  "Node 0, zone   Normal\n  pages free     100\n        min      1\n  pagesets\n    cpu: 0\n              count: 5\n";

/** One socket that is charged 12 MiB, on a host where `hidden` bytes are in no account. */
function pinned(
  hidden: number,
  blocks: number | undefined,
  charged = 12 * MIB,
  totalBytes = 8 * GIB,
): { [path: string]: string } {
  return {
    "proc/meminfo": meminfoText({}, totalBytes, hidden),
    "proc/zoneinfo": ZONEINFO,
    "proc/net/udp": udpText([{ bytes: charged, drops: 5 }]),
    "sos_commands/process/socket_owners": "/proc/900/fd/3 -> socket:[1001]\n",
    "proc/900/status": "Name:\tsensor\nRssAnon:\t 100 kB\n",
    ...(blocks === undefined ? {} : { "sos_commands/memory/page_flags": census(blocks) }),
  };
}

describe("skb-frag-amplification", () => {
  it("is confirmed by the census of page flags", async () => {
    const report = await analyzeFiles(pinned(520 * MIB, 500 * MIB));
    expect(report.findings[0]).toMatchObject({
      cause: "skb-frag-amplification",
      confidence: "confirmed",
      bytes: { low: 500 * MIB, high: 500 * MIB },
      owners: [{ pid: 900, comm: "sensor", bytes: 500 * MIB }],
    });
    expect(report.verdict).toBe("cause-found");
  });

  it("is likely from the residual when there is no census", async () => {
    expect(findingOf(await analyzeFiles(pinned(520 * MIB, undefined)), "skb-frag-amplification")).toMatchObject({
      confidence: "likely",
    });
  });

  it("is likely also where somebody else has a few packets, which cannot pin much of it", async () => {
    const small = {
      ...pinned(520 * MIB, undefined),
      "proc/net/udp": udpText([{ bytes: 12 * MIB }, { bytes: 16_000 }]),
    };
    const finding = findingOf(await analyzeFiles(small), "skb-frag-amplification");
    expect(finding).toMatchObject({ confidence: "likely", owners: [{ pid: 900 }] });
  });

  it("is not told where what is in no account may be free memory on per-CPU lists, as in what people paste", async () => {
    const assessed = async (hidden: number): Promise<unknown> => {
      const { "proc/zoneinfo": _, ...pasted } = pinned(hidden, undefined, 40 * MIB);
      const report = await analyzeFiles(pasted);
      return findingOf(report, "skb-frag-amplification")?.confidence ??
        report.notAssessed.find(({ cause }) => cause === "skb-frag-amplification")?.missing;
    };
    expect(await assessed(520 * MIB)).toEqual(["proc/zoneinfo"]);
    expect(await assessed(1200 * MIB)).toBe("likely");
  });

  it("counts a socket once that ss lists without an inode", async () => {
    const list = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n" +
      'UNCONN 4193280 0 127.0.0.1:46196 0.0.0.0:* users:(("friend_push",pid=7,fd=3))\n' +
      "\t skmem:(r4193280,rb4194304,t0,tb212992,f1024,w0,o0,bl0,d3380)\n";
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText({}, 8 * GIB, 520 * MIB),
      "proc/zoneinfo": ZONEINFO,
      "sos_commands/networking/ss_-peaonmi": list,
    });
    expect(findingOf(report, "skb-frag-amplification")).toMatchObject({
      title: expect.stringMatching(/^friend_push \(pid 7\): unread packets that are charged 4\.00 MiB/),
      owners: [{ pid: 7 }],
    });
  });

  it("is ruled out by a census that finds no blocks, whatever the residual", async () => {
    expect(findingOf(await analyzeFiles(pinned(520 * MIB, 0)), "skb-frag-amplification")).toBeUndefined();
  });

  it("is not told by what free prints, of which all that is used is in no account", async () => {
    const { "proc/meminfo": _, ...others } = pinned(0, undefined, 400 * MIB);
    const free = "              total        used        free      shared  buff/cache   available\n" +
      "Mem:        8388608     1306184     6000000        8928     1082424     7082424\n";
    const report = await analyzeFiles({ ...others, "sos_commands/memory/free": free });
    expect(report.findings).toMatchObject([{
      cause: "socket-backlog-udp",
      bytes: { low: 400 * MIB, high: 400 * MIB },
      owners: [{ pid: 900, bytes: 400 * MIB }],
    }]);
    expect(report.notAssessed.find(({ cause }) => cause === "skb-frag-amplification")?.missing).toEqual([
      "proc/meminfo",
    ]);
  });

  it("leaves what TCP has unread to TCP, also where ss was asked without -m", async () => {
    const row = (netid: string, state: string, bytes: number, port: number): string =>
      `${netid} ${state} ${bytes} 0 127.0.0.1:${port} 127.0.0.1:9\n`;
    const list = (tcpBytes: number) =>
      `Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n${
        row("udp", "UNCONN", 120 * MIB, 40_001)
      }${row("tcp", "ESTAB", tcpBytes, 40_002)}`;
    const of = async (tcpBytes: number) =>
      findingOf(
        await analyzeFiles({
          "proc/meminfo": meminfoText({}, 24 * GIB, 480 * MIB),
          "proc/zoneinfo": ZONEINFO,
          "sos_commands/networking/ss_-peaonmi": list(tcpBytes),
        }),
        "skb-frag-amplification",
      );
    expect(await of(360 * MIB)).toBeUndefined();
    expect(await of(MIB)).toMatchObject({ confidence: "likely" });
  });

  it("does not blame a socket for more blocks than it can have packets", async () => {
    // 64 KiB of charge are at most 102 packets, which pin 3.2 MiB.
    expect(findingOf(await analyzeFiles(pinned(520 * MIB, 500 * MIB, 65_536)), "skb-frag-amplification"))
      .toBeUndefined();
  });

  it("is ruled out when the blocks are full of what the sockets are charged for", async () => {
    expect(findingOf(await analyzeFiles(pinned(520 * MIB, 500 * MIB, 400 * MIB)), "skb-frag-amplification"))
      .toBeUndefined();
  });

  it("does not accuse an idle host, however large its rings are", async () => {
    expect(findingOf(await analyzeFiles(pinned(900 * MIB, 2 * MIB, 4096, 128 * GIB)), "skb-frag-amplification"))
      .toBeUndefined();
  });

  describe("beside a larger backlog of plain packets", () => {
    /** 50 sockets of friend_push with 4 MiB each, and one that is charged 7 MiB and pins 300 MiB; held together on Linux 6.18. */
    function beside(
      hidden: number,
      blocks: number | undefined,
      slab: Parameters<typeof slabinfoText>[0],
    ): { [path: string]: string } {
      const sockets = [{ bytes: 7 * MIB }, ...Array.from({ length: 50 }, () => ({ bytes: 4 * MIB, drops: 9 }))];
      const inSlab = slab.reduce((sum, { size, objects }) => sum + size * objects, 0);
      return {
        ...pinned(hidden, blocks),
        "proc/meminfo": meminfoText({ SUnreclaim: inSlab + MIB, SReclaimable: 0 }, 8 * GIB, hidden),
        "proc/slabinfo": slabinfoText(slab),
        "proc/net/udp": udpText(sockets),
        "sos_commands/process/socket_owners": sockets.map((_, i) => `/proc/${900 + i}/fd/3 -> socket:[${1001 + i}]\n`)
          .join(""),
        ...Object.fromEntries(
          sockets.slice(1).map((_, i) => [`proc/${901 + i}/status`, "Name:\tfriend_push\nRssAnon:\t 100 kB\n"]),
        ),
      };
    }
    const heads = { name: "skbuff_head_cache", size: 256, objects: 36_000 };
    const ofUnix = { name: "kmalloc-cg-4k", size: 4096, objects: 19_360 };

    it("names the one that can pin as much, where the others fill blocks of their own", async () => {
      const report = await analyzeFiles(beside(520 * MIB, 500 * MIB, [heads, ofUnix]));
      const finding = findingOf(report, "skb-frag-amplification");
      expect(finding?.title).toMatch(/^sensor \(pid 900\): unread packets that are charged 7\.00 MiB pin/);
      expect(finding?.owners).toMatchObject([{ pid: 900 }]);
      expect(finding?.bytes.high).toBeGreaterThan(290 * MIB);
      expect(finding?.bytes.high).toBeLessThan(320 * MIB);
      // kmalloc-cg-4k is of unix sockets: what of UDP is in slab are heads.
      const udp = findingOf(report, "socket-backlog-udp");
      expect(udp?.bytes.high).toBeGreaterThan(200 * MIB);
      expect(udp?.claims.find(({ account }) => account === "unaccounted")?.bytes.high).toBeGreaterThan(180 * MIB);
    });

    it("names it where the others are in slab, and are charged more than is pinned", async () => {
      const data = { name: "kmalloc-2k", size: 2048, objects: 90_000 };
      const report = await analyzeFiles(
        beside(320 * MIB, 300 * MIB, [{ ...heads, objects: 100_000 }, data]),
      );
      expect(findingOf(report, "skb-frag-amplification")).toMatchObject({
        confidence: "confirmed",
        owners: [{ pid: 900, comm: "sensor" }],
        bytes: { high: 300 * MIB },
      });
      const guessed = await analyzeFiles(
        beside(320 * MIB, undefined, [{ ...heads, objects: 100_000 }, data]),
      );
      expect(findingOf(guessed, "skb-frag-amplification")?.confidence).toBe("possible");
    });

    it("accuses nobody where the blocks are full of a TCP backlog, however much of slab may be packets", async () => {
      const data = { name: "kmalloc-2k", size: 2048, objects: 200_000 };
      const unread = Array.from(
        { length: 50 },
        (_, i) => ({ local: 80, remote: 5000 + i, rx: 6 * MIB, inode: 2000 + i }),
      );
      const files = {
        ...beside(320 * MIB, 300 * MIB, [{ ...heads, objects: 200_000 }, data]),
        "proc/net/udp": udpText([{ bytes: 7 * MIB }]),
        "proc/net/tcp": tcpText(unread),
      };
      expect(findingOf(await analyzeFiles(files), "skb-frag-amplification")).toBeUndefined();
    });

    it("accuses nobody where the blocks are full of what all are charged for", async () => {
      expect(findingOf(await analyzeFiles(beside(230 * MIB, 207 * MIB, [heads])), "skb-frag-amplification"))
        .toBeUndefined();
    });
  });

  it("is not meant where streams fill the blocks, however many packets are in slab", async () => {
    // Linux 6.18: 50 connections that nobody accepted, a queue of 16 MiB, and 200,000 packets that a queueing discipline held back.
    const connections = Array.from({ length: 50 }, (_, i) => ({
      local: 42_539,
      remote: 30_000 + i,
      rx: 6_042_688,
      inode: 7000 + i,
    }));
    const slab = [
      { name: "kmalloc-2k", size: 2048, objects: 220_416 },
      { name: "skbuff_head_cache", size: 256, objects: 240_544 },
    ];
    const files = (streams: typeof connections): { [path: string]: string } => ({
      ...pinned(309 * MIB, 294 * MIB, 16 * MIB),
      "proc/meminfo": meminfoText({ SUnreclaim: 580 * MIB, SReclaimable: 0 }, 8 * GIB, 309 * MIB),
      "proc/slabinfo": slabinfoText(slab),
      "proc/net/tcp": tcpText(streams),
    });
    expect(findingOf(await analyzeFiles(files(connections)), "skb-frag-amplification")).toBeUndefined();
    expect(findingOf(await analyzeFiles(files([])), "skb-frag-amplification")).toBeDefined();
  });

  it("claims no byte twice with the backlog of the same socket", async () => {
    const report = await analyzeFiles(pinned(520 * MIB, 500 * MIB));
    const claimed = report.findings.flatMap((f) => f.claims).filter((c) => c.account === "unaccounted");
    expect(claimed.reduce((sum, c) => sum + c.bytes.high, 0)).toBeLessThanOrEqual(520 * MIB);
  });
});
