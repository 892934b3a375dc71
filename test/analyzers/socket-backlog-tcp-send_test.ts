import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText, pinnedText, udpText } from "./_bundle.ts";
import { GIB, itNeeds, itTellsAlone, later, many, MIB, ownersOf, SS_HEADER, type TcpRow, tcpText } from "./_sockets.ts";

const CAUSE = "socket-backlog-tcp-send";
/** As held on Linux 6.18: the reader's buffer is 2 KiB, the writer's window is closed. */
const pairs = (tx: number, more: Partial<TcpRow> = {}): TcpRow[] =>
  many(50, (i) => [
    { local: 34_155, remote: 50_000 + i, rx: 2048, inode: 1000 + i },
    { local: 50_000 + i, remote: 34_155, tx, timer: 4, inode: 2000 + i, ...more },
  ]).flat();
const remote = (more: Partial<TcpRow>): string =>
  tcpText(
    many(
      50,
      (i) => ({ local: 443, remote: 50_000 + i, tx: 4 * MIB, inode: 2000 + i, remoteAddress: "0100000A", ...more }),
    ),
  );
const skmem = `${SS_HEADER}${
  many(50, (i) =>
    `tcp ESTAB 0 3474432 127.0.0.1:${50_000 + i} 127.0.0.1:34155 timer:(persist,420ms,1) ino:${
      2000 + i
    } sk:1 cgroup:/ <->
\t skmem:(r0,rb131072,t0,tb6291456,f2304,w6293248,o0,bl0,d0) ts sack bbr backoff:2 lastsnd:1088 lastrcv:1100\n`).join(
      "",
    )
}`;
const owners = ownersOf([
  { pid: 500, comm: "tcp_reader", inodes: many(50, (i) => 1000 + i) },
  { pid: 501, comm: "tcp_writer", inodes: many(50, (i) => 2000 + i) },
]);
const held = {
  "proc/meminfo": meminfoText({ SUnreclaim: 170 * MIB }, 8 * GIB, 180 * MIB),
  "proc/net/tcp": tcpText(pairs(3_474_432)),
  "sos_commands/networking/ss_-peaonmi": skmem,
  ...owners,
};

describe(CAUSE, () => {
  it("accuses no slow reader in one look: a window that closed less than a second ago closes again and again", async () => {
    // Linux 6.18: 150 connections whose reader takes 200 KB of each twice a second; all of them probe whenever somebody looks.
    const slow = { ...held, "sos_commands/networking/ss_-peaonmi": skmem.replaceAll("lastsnd:1088", "lastsnd:560") };
    expect(findingOf(await analyzeFiles(held), CAUSE)).toMatchObject({ confidence: "likely" });
    const report = await analyzeFiles(slow);
    expect(findingOf(report, CAUSE)).toBeUndefined();
    expect(report.verdict).toBe("healthy");
    // Two looks tell, whatever its age was.
    const again = { ...slow, [`${later(1)}/proc/net/tcp`]: held["proc/net/tcp"] };
    expect(findingOf(await analyzeFiles(again), CAUSE)).toMatchObject({ material: true });
  });

  it("has what sendfile() or MSG_ZEROCOPY gave away among what is pinned, in no process", async () => {
    const report = await analyzeFiles({
      ...held,
      "proc/meminfo": pinnedText(50 * 3_474_432, { SUnreclaim: 170 * MIB }, 24 * GIB, 20 * MIB),
    });
    expect(findingOf(report, CAUSE)?.claims).toMatchObject([
      { account: "pinned-lru", bytes: { low: 50 * 3_474_432 } },
      { account: "slab-unreclaimable" },
    ]);
    expect(findingOf(report, "io-uring")).toBeUndefined();
  });
  it("names both ends when the reader is on this host, and claims data and heads where they lie", async () => {
    const report = await analyzeFiles({ ...held, [`${later(1)}/proc/net/tcp`]: held["proc/net/tcp"] });
    const [finding] = report.findings;
    const bytes = 50 * (6_293_248 + 2048);
    expect(finding).toMatchObject({
      cause: CAUSE,
      confidence: "confirmed",
      material: true,
      bytes: { low: bytes, high: bytes },
    });
    expect(finding?.claims).toMatchObject([
      { account: "unaccounted", bytes: { low: 50 * 3_474_432 } },
      { account: "slab-unreclaimable" },
    ]);
    expect(finding?.title).toContain("tcp_writer");
    expect(finding?.title).toContain("tcp_reader");
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 500"]);
    expect(findingOf(report, "socket-backlog-tcp-recv")).toBeUndefined();
    expect(report.verdict).toBe("cause-found");
  });

  it("names a reader on this host that hangs, though the kernel took a little more when it was probed", async () => {
    // Linux 6.18, consumer stopped (SIGSTOP) half a second before: 45 of 150 windows were closed a little later, what left their queues lay in the reader's.
    const at = (moved: number): TcpRow[] =>
      many(150, (i) => {
        const more = i < 45 ? 15_360 - moved : 0;
        return [
          { local: 34_155, remote: 50_000 + i, rx: 128_512 - more, inode: 1000 + i },
          { local: 50_000 + i, remote: 34_155, tx: 4_067_840 + more, timer: 4, inode: 2000 + i },
        ];
      }).flat();
    const bundle = (last: readonly TcpRow[]): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({ SUnreclaim: 40 * MIB }, 24 * GIB, 620 * MIB),
      "proc/net/tcp": tcpText(at(0)),
      [`${later(3)}/proc/net/tcp`]: tcpText(last),
      ...ownersOf([
        { pid: 500, comm: "consumer", inodes: many(150, (i) => 1000 + i) },
        { pid: 501, comm: "producer", inodes: many(150, (i) => 2000 + i) },
      ]),
    });
    const report = await analyzeFiles(bundle(at(15_360)));
    expect(findingOf(report, CAUSE)).toMatchObject({
      confidence: "confirmed",
      owners: [{ comm: "producer", count: 150 }],
    });
    expect(report.verdict).toBe("cause-found");
    // Who reads has taken out what came.
    const read = at(15_360).map((row) => row.rx === undefined ? row : { ...row, rx: 100_000 });
    expect(findingOf(await analyzeFiles(bundle(read)), CAUSE)).toBeUndefined();
  });

  it("recommends to reset the connection of a peer elsewhere: ending the sender frees nothing", async () => {
    const files = { "proc/meminfo": held["proc/meminfo"], "proc/net/tcp": remote({ timer: 4 }), ...owners };
    const [remedy] = findingOf(await analyzeFiles(files), CAUSE)?.remedies ?? [];
    expect(remedy?.commands).toEqual([expect.stringMatching(/^ss -tK src \S+:443 dst 10\.0\.0\.1:\d+$/)]);
  });

  it("is likely with one snapshot", async () => {
    expect(findingOf(await analyzeFiles(held), CAUSE)).toMatchObject({
      confidence: "likely",
      growthBytesPerSecond: null,
    });
  });

  it("names peers elsewhere that closed their window, or do not answer", async () => {
    const on = async (more: Partial<TcpRow>) =>
      findingOf(
        await analyzeFiles({ "proc/meminfo": held["proc/meminfo"], "proc/net/tcp": remote(more), ...owners }),
        CAUSE,
      );
    expect(await on({ timer: 4 })).toMatchObject({
      confidence: "likely",
      material: true,
      owners: [{ comm: "tcp_writer" }],
    });
    const silent = await on({ timer: 1, retransmits: 6 });
    expect(silent?.evidence[0]?.because).toContain("50 get no answer");
    expect(silent?.title).toContain("whose peer does not answer");
    expect((await on({ timer: 4 }))?.title).toContain("whose peer does not read");
    // Closed by their process; the kernel goes on.
    const closed = await on({ timer: 4, inode: 0 });
    expect(closed?.title).toMatch(/^closed sockets: .* in 50 TCP send queues/);
    expect(closed?.owners[0]?.detail).toContain("50 of them were closed by their process");
    expect(closed?.owners[0]?.detail).not.toContain("to find the owner");
  });

  it("accuses no uploads: full queues that are emptied", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": held["proc/meminfo"],
      "proc/net/tcp": remote({ timer: 1 }),
      ...owners,
    });
    expect(findingOf(report, CAUSE)).toBeUndefined();
    const moving = await analyzeFiles({
      "proc/meminfo": held["proc/meminfo"],
      "proc/net/tcp": remote({ timer: 4 }),
      [`${later(1)}/proc/net/tcp`]: remote({ timer: 1, tx: 3 * MIB }),
      ...owners,
    });
    expect(findingOf(moving, CAUSE)).toBeUndefined();
    expect(moving.verdict).toBe("healthy");
  });

  it("makes nothing of three small queues", async () => {
    const report = await analyzeFiles({
      ...held,
      "proc/net/tcp": tcpText(pairs(195_584).slice(0, 6)),
      "sos_commands/networking/ss_-peaonmi": SS_HEADER,
    });
    expect(findingOf(report, CAUSE)).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("takes many small receivers for no amplification", async () => {
    // 700 receivers that are charged 3,712 bytes each could pin 133 MB of blocks, were the blocks not what the senders sent.
    const rows = many(700, (i) => [
      { local: 34_155, remote: 20_000 + i, rx: 3712, inode: 10_000 + i },
      { local: 20_000 + i, remote: 34_155, tx: 250_000, timer: 4, inode: 20_000 + i },
    ]).flat();
    const census = [
      "# nailhouse page-flags census",
      "# pages_total 2097152",
      "# pages_read 2097152",
      "# order flags pages symbols",
      `3 0x0000000000008000 ${Math.round(175_000_000 / 4096)} HEAD`,
      "",
    ].join("\n");
    const report = await analyzeFiles({
      ...held,
      "proc/net/tcp": tcpText(rows),
      "proc/net/udp": udpText([]),
      "sos_commands/memory/page_flags": census,
    });
    expect(report.ruledOut.find(({ cause }) => cause === "skb-frag-amplification")?.because).toContain("167 MiB");
    expect(findingOf(report, "skb-frag-amplification")).toBeUndefined();
  });

  it("weighs the same queues against the size of the host", async () => {
    const on = async (total: number) =>
      findingOf(
        await analyzeFiles({
          "proc/meminfo": meminfoText({}, total, 30 * MIB),
          "proc/net/tcp": remote({ timer: 4, tx: 400_000 }),
        }),
        CAUSE,
      );
    expect((await on(512 * MIB))?.material).toBe(true);
    expect((await on(128 * GIB))?.material).toBe(false);
  });

  it("is told by ss alone, too", async () => {
    const { "proc/net/tcp": _, ...rest } = held;
    expect(findingOf(await analyzeFiles(rest), CAUSE)).toMatchObject({
      confidence: "likely",
      bytes: { high: 50 * 6_293_248 },
      owners: [{ comm: "tcp_writer", count: 50 }],
    });
  });

  const { "sos_commands/networking/ss_-peaonmi": _, ...withoutSs } = held;
  itTellsAlone(CAUSE, withoutSs);
  itNeeds(CAUSE, withoutSs, ["proc/net/tcp"]);
});
