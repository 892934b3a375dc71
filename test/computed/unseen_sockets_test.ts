import { describe, expect, it } from "vitest";
import { readEntries } from "../../src/bundle/open.ts";
import { unseenTcpBytes } from "../../src/computed/unseen_sockets.ts";
import type { Report } from "../../src/core/report.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";
import { GIB, MIB, SS_HEADER, tcpText } from "../analyzers/_sockets.ts";
import { openSnapshots } from "../../src/engine/reader.ts";
import { slabinfoText } from "../analyzers/_kernel.ts";

/** What a container sees of its own network namespace: nothing in any queue. The memory is the host's. */
const sockets = {
  "proc/net/udp":
    "sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops\n",
  "proc/net/tcp": tcpText([]),
  "proc/net/netlink": "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n0 0 0 00000000 0 0 0 2 0 9\n",
  "proc/net/packet": "sk RefCnt Type Proto Iface R Rmem User Inode\n",
  "proc/net/sockstat": "sockets: used 7\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n",
  "sos_commands/networking/ss_-peaonmi": SS_HEADER,
  "sos_commands/networking/ss_-xanm": SS_HEADER,
};
const inside = { "proc/1/status": "Name:\tsh\nPid:\t1\nRssAnon:\t 100 kB\n" };
const outside = { "proc/2/status": "Name:\tkthreadd\nPid:\t2\n" };

const slab = (cache: string, objects: number): string =>
  slabinfoText([
    { name: "kmalloc-cg-1k", size: 1024, objects: 32 },
    { name: "kmalloc-1k", size: 1024, objects: 32 },
    { name: cache, size: 4096, objects },
  ]);
const memory = (hidden: number, unreclaimable = 20 * MIB) => ({
  "proc/meminfo": meminfoText({ SUnreclaim: unreclaimable }, 8 * GIB, hidden),
  "proc/slabinfo": slab("kmalloc-4k", 100),
});

const FAMILIES = ["socket-backlog-unix", "socket-backlog-netlink", "packet-ring"];
const ALL = [...FAMILIES, "socket-backlog-tcp-recv", "socket-backlog-tcp-send", "skb-frag-amplification"];

const ruledOut = ({ ruledOut }: Report): string[] =>
  ruledOut.map(({ cause }) => cause).filter((id) => ALL.includes(id));
const open = (report: Report): string[] =>
  report.notAssessed.map(({ cause }) => cause).filter((id) => ALL.includes(id));

describe("sockets of network namespaces that were not seen", () => {
  it("are not ruled out where the host has as much memory that may be theirs", async () => {
    const report = await analyzeFiles({ ...sockets, ...inside, ...memory(300 * MIB) });
    expect(open(report)).toEqual([
      "packet-ring",
      "skb-frag-amplification",
      "socket-backlog-netlink",
      "socket-backlog-unix",
    ]);
    expect(report.notAssessed.find(({ cause }) => cause === "packet-ring")).toMatchObject({
      missing: [expect.stringContaining("network namespaces")],
      howToCapture: [expect.stringContaining("outside of containers")],
    });
    // The kernel's own count of TCP is the host's: this is somebody else's.
    expect(ruledOut(report)).toEqual(["socket-backlog-tcp-recv", "socket-backlog-tcp-send"]);
  });

  it("of unix and netlink may be in slab, each in caches of its own", async () => {
    const of = async (cache: string) =>
      open(
        await analyzeFiles({
          ...sockets,
          ...inside,
          ...memory(10 * MIB, 300 * MIB),
          "proc/slabinfo": slab(cache, 70_000),
        }),
      );
    expect(await of("kmalloc-cg-4k")).toEqual(["socket-backlog-unix"]);
    expect(await of("kmalloc-4k")).toEqual(["packet-ring", "socket-backlog-netlink"]);
  });

  it("of TCP are not ruled out where the kernel counts more than those that are seen hold", async () => {
    const counted = {
      "proc/net/sockstat": `sockets: used 7\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem ${75_000}\nUDP: inuse 0 mem 0\n`,
    };
    for (const seen of [inside, outside]) {
      const report = await analyzeFiles({ ...sockets, ...seen, ...memory(300 * MIB), ...counted });
      expect(open(report).includes("socket-backlog-tcp-recv")).toBe(seen === inside);
      expect(open(report).includes("socket-backlog-tcp-send")).toBe(seen === inside);
    }
  });

  it("of TCP are known not to be in a foreign bundle, such as a sosreport, by the kernel's count", async () => {
    const unreclaimable = 20 * MIB;
    const unseen = async (queued: number, reserved: number): Promise<number | undefined> => {
      const files = {
        ...sockets,
        "proc/meminfo": meminfoText({ SUnreclaim: unreclaimable }, 8 * GIB, 300 * MIB),
        // Tells the size of a page.
        "proc/vmstat": `nr_slab_unreclaimable ${unreclaimable / 4096}\n`,
        "proc/net/tcp": tcpText([{ local: 1, remote: 2, rx: queued, inode: 7 }]),
        "proc/net/sockstat": `TCP: inuse 1 orphan 0 tw 0 alloc 302 mem ${(300 * MIB) / 4096}\n`,
        "sos_commands/networking/ss_-peaonmi": `${SS_HEADER}tcp ESTAB ${queued} 0 127.0.0.1:1 127.0.0.1:2 ino:7\n` +
          `\t skmem:(r${queued},rb212992,t0,tb87040,f${reserved},w0,o0,bl0,d0)\n`,
      };
      const entries = Object.entries(files).map(([path, text]) => {
        const bytes = new TextEncoder().encode(text);
        return { path, kind: "file" as const, read: () => Promise.resolve({ bytes, truncated: false }) };
      });
      const bundle = await readEntries(entries, { sources: [unseenTcpBytes] });
      const read = openSnapshots(bundle).base.read(unseenTcpBytes);
      if (read.status !== "ok") throw new Error(read.status);
      return read.value;
    };
    expect(await unseen(0, 0)).toBe(300 * MIB);
    expect(await unseen(100 * MIB, 4096)).toBe(200 * MIB);
    // All that is counted is in what is there, or reserved by it.
    expect(await unseen(280 * MIB, 0)).toBeUndefined();
    expect(await unseen(0, 290 * MIB)).toBeUndefined();
  });

  it("are ruled out, with what they can hold at the most, where there is no room for them", async () => {
    const report = await analyzeFiles({ ...sockets, ...inside, ...memory(10 * MIB) });
    expect(open(report)).toEqual([]);
    for (const family of FAMILIES) {
      expect(report.ruledOut.find(({ cause }) => cause === family)?.because).toMatch(
        /; sockets of other network namespaces, which were not seen, hold at most [\d.]+ MiB$/,
      );
    }
    expect(report.verdict).toBe("healthy");
  });

  it("are looked for by descriptors, too: a namespace may have no process", async () => {
    const counted = { "proc/net/sockstat": `sockets: used 7\nTCP: inuse 0 mem 0\nUDP: inuse 0 mem ${75_000}\n` };
    const report = await analyzeFiles({ ...sockets, ...outside, ...memory(300 * MIB), ...counted });
    expect(report.findings[0]?.cause).toBe("socket-backlog-udp");
    expect(report.findings[0]?.remedies[0]?.commands[0]).toMatch(
      /^find \/proc\/\[0-9\]\*\/ns\/net \/proc\/\[0-9\]\*\/fd -lname 'net:\*' .* nsenter --net="\$each" ss -uanpm; done; lsof -nP .*\/protocol: UDP\/.*$/,
    );
  });

  it("are none where all namespaces were seen", async () => {
    const report = await analyzeFiles({ ...sockets, ...outside, ...memory(300 * MIB) });
    expect(open(report)).toEqual([]);
    expect(report.ruledOut.filter(({ because }) => because.includes("other network namespaces"))).toEqual([]);
  });
});
