import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { GIB, itNeeds, later, many, MIB, SS_HEADER } from "./_sockets.ts";

const CAUSE = "packet-ring";
const SS = "sos_commands/networking/ss_-peaonmi";
const rings = (blocks: number, count = 5): string =>
  SS_HEADER +
  many(count, (i) =>
    `p_raw UNCONN 0      0                [0]:*                   *        users:(("packet_ring",pid=25326,fd=${
      3 + i
    })) ino:${7000 + i} sk:2081
\tver:1 cpy_thresh:0 flags( 0 )
\tring_rx(blk_size:65536,blk_nr:${blocks},frm_size:2048,frm_nr:32768,tmo:0,features:0x0) skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0)\n`)
    .join("");
const table = `sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n${
  many(5, (i) => `0000000034e83796 2      3    0000   0     0 0      0      ${7000 + i}\n`).join("")
}`;
const held = { "proc/meminfo": meminfoText({}, 8 * GIB, 335 * MIB), [SS]: rings(1024), "proc/net/packet": table };

describe(CAUSE, () => {
  it("is confirmed by the ring's size and as much memory in no account", async () => {
    const report = await analyzeFiles(held);
    expect(report.findings[0]).toMatchObject({
      cause: CAUSE,
      confidence: "confirmed",
      material: true,
      bytes: { low: 320 * MIB, high: 320 * MIB },
      claims: [{ account: "unaccounted" }],
      owners: [{ pid: 25326, comm: "packet_ring", count: 5 }],
    });
    expect(report.findings[0]?.evidence.map(({ path }) => path)).toEqual([SS, "proc/net/packet", "proc/meminfo"]);
  });

  it("is likely, and claims no more than there is, when the accounts do not bear it out", async () => {
    const finding = findingOf(
      await analyzeFiles({ ...held, "proc/meminfo": meminfoText({}, 8 * GIB, 20 * MIB) }),
      CAUSE,
    );
    expect(finding).toMatchObject({ confidence: "likely" });
    expect(finding?.bytes.high).toBeLessThan(40 * MIB);
  });

  it("finds the ring of another network namespace, whose owner the collector looked up", async () => {
    const inside = "sos_commands/networking/namespaces/net-1/ss_-peaonmi";
    const files = {
      ...held,
      [SS]: SS_HEADER,
      [inside]: rings(1024).replaceAll(/ users:\(\(.*?\)\)/g, ""),
      "sos_commands/process/socket_owners": many(5, (i) => `/proc/9/fd/${i} -> socket:[${7000 + i}]\n`).join(""),
      "proc/9/status": "Name:\tsuricata\nPid:\t9\nRssAnon:\t 100 kB\n",
    };
    expect(findingOf(await analyzeFiles(files), CAUSE)).toMatchObject({
      material: true,
      owners: [{ pid: 9, comm: "suricata" }],
    });
  });

  it("makes nothing of tcpdump's ordinary ring", async () => {
    const report = await analyzeFiles({ ...held, "proc/meminfo": meminfoText(), [SS]: rings(32, 1) });
    expect(findingOf(report, CAUSE)).toBeUndefined();
    expect(report.ruledOut.find(({ cause }) => cause === CAUSE)?.because).toContain("2.00 MiB");
    expect(report.verdict).toBe("healthy");
  });

  it("is ruled out without ss when there is no packet socket", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": held["proc/meminfo"],
      "proc/net/packet": table.split("\n", 1)[0] + "\n",
    });
    expect(report.ruledOut.some(({ cause }) => cause === CAUSE)).toBe(true);
  });

  it("is not assessed where ss was not asked for packet sockets, nor for their rings", async () => {
    // As supportconfig (ss -nap) and insights-client (ss -tupna) run it.
    const missing = async (ss: string): Promise<readonly string[] | undefined> => {
      const report = await analyzeFiles({ "proc/meminfo": meminfoText(), [SS]: SS_HEADER + ss });
      return report.notAssessed.find(({ cause }) => cause === CAUSE)?.missing;
    };
    const tcp = 'tcp   LISTEN 0      128    *:22   *:*    users:(("sshd",pid=1011,fd=3))\n';
    const netlink = "nl    UNCONN 0      0      0:967  *\n";
    expect(await missing(tcp)).toEqual([SS]);
    expect(await missing(`p_raw UNCONN 0      0      *:eth0 *\n${netlink}${tcp}`)).toEqual([SS]);
    expect(await missing(netlink + tcp)).toBeUndefined();
  });

  it("passes over a ring that is no number", async () => {
    const report = await analyzeFiles({
      ...held,
      [SS]: rings(1024).replaceAll("blk_nr:1024", "blk_nr:99999999999999999999"),
    });
    expect(findingOf(report, CAUSE)).toBeUndefined();
  });

  it("weighs the same ring against the size of the host", async () => {
    const on = async (total: number) =>
      findingOf(
        await analyzeFiles({ ...held, "proc/meminfo": meminfoText({}, total, 30 * MIB), [SS]: rings(80) }),
        CAUSE,
      );
    expect((await on(512 * MIB))?.material).toBe(true);
    expect((await on(128 * GIB))?.material).toBe(false);
  });

  describe("queues without a ring", () => {
    const rows = (rmem: number, count = 20): string =>
      `sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n${
        many(count, (i) => `0000000034e83796 3      2    88b5   0     1 ${rmem} 0      ${7000 + i}\n`).join("")
      }`;
    const full = 16_777_728;
    const sockets = SS_HEADER +
      many(
        20,
        (i) =>
          `p_dgr UNCONN ${full} 0      [35005]:*      *     users:(("sniffer",pid=7,fd=${3 + i})) ino:${7000 + i} sk:1
\tver:0 cpy_thresh:0 flags( running ) skmem:(r${full},rb16777216,t0,tb212992,f0,w0,o0,bl0,d9)\n`,
      ).join("");
    const queued = {
      "proc/meminfo": meminfoText({ SUnreclaim: 400 * MIB }, 8 * GIB, 0),
      [SS]: sockets,
      "proc/net/packet": rows(full),
    };

    it("are confirmed when nobody reads full ones", async () => {
      const report = await analyzeFiles({ ...queued, [`${later(2)}/proc/net/packet`]: rows(full) });
      expect(report.findings[0]).toMatchObject({
        cause: CAUSE,
        title: "sniffer (pid 7): 320 MiB unread in 20 packet sockets",
        confidence: "confirmed",
        material: true,
        bytes: { low: full, high: 20 * full },
        claims: [{ account: "slab-unreclaimable" }],
        owners: [{ pid: 7, count: 20 }],
      });
    });

    it("are no more than the accounts have room for: their packets may be the same", async () => {
      const finding = findingOf(
        await analyzeFiles({ ...queued, "proc/meminfo": meminfoText({ SUnreclaim: 70 * MIB }, 8 * GIB, 0) }),
        CAUSE,
      );
      expect(finding?.bytes).toEqual({ low: full, high: 70 * MIB });
      expect(finding?.evidence[0]?.because).toContain("they have packets in common");
    });

    it("have no packets in common where each has a protocol of its own, but with those of all protocols", async () => {
      const table = rows(full, 4).split("\n");
      const of = (protocols: readonly string[]) =>
        analyzeFiles({
          ...queued,
          "proc/net/packet": table.map((line, i) => line.replace("88b5", protocols[i - 1] ?? "")).join("\n"),
        });
      expect(findingOf(await of(["88b5", "88b6", "0806", "88cc"]), CAUSE)?.bytes.low).toBe(4 * full);
      expect(findingOf(await of(["0003", "88b6", "0003", "88cc"]), CAUSE)?.bytes.low).toBe(2 * full);
    });

    it("accuse nobody who reads, or who has little in them", async () => {
      const read = await analyzeFiles({ ...queued, [`${later(2)}/proc/net/packet`]: rows(1000) });
      expect(findingOf(read, CAUSE)).toBeUndefined();
      const few = await analyzeFiles({ ...queued, [SS]: SS_HEADER, "proc/net/packet": rows(212_992, 4) });
      expect(findingOf(few, CAUSE)).toBeUndefined();
    });
  });

  itNeeds(CAUSE, held, ["proc/meminfo", SS]);
});
