import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { GIB, itNeeds, later, many, MIB, ownersOf, SS_HEADER, type TcpRow, tcpText } from "./_sockets.ts";

const CAUSE = "socket-backlog-tcp-recv";
/** As held on Linux 6.18: reader and writer on one host, the writer's queue is full, too. */
const pairs = (rx: number, tx = 115_222, more: Partial<TcpRow> = {}): TcpRow[] =>
  many(50, (i) => [
    { local: 53_195, remote: 43_000 + i, rx, inode: 1000 + i, ...more },
    { local: 43_000 + i, remote: 53_195, tx, timer: 4, inode: 2000 + i },
  ]).flat();
const owners = ownersOf([
  { pid: 500, comm: "tcp_reader", inodes: many(50, (i) => 1000 + i) },
  { pid: 501, comm: "tcp_writer", inodes: many(50, (i) => 2000 + i) },
]);
const meminfo = meminfoText({}, 8 * GIB, 330 * MIB);
const held = { "proc/meminfo": meminfo, "proc/net/tcp": tcpText(pairs(6_239_465)), ...owners };

describe(CAUSE, () => {
  it("is confirmed when full queues stay as they are, and takes in what the local writers wait with", async () => {
    const report = await analyzeFiles({ ...held, [`${later(1)}/proc/net/tcp`]: held["proc/net/tcp"] });
    const bytes = 50 * (6_239_465 + 115_222);
    expect(report.findings[0]).toMatchObject({
      cause: CAUSE,
      confidence: "confirmed",
      material: true,
      bytes: { low: bytes, high: bytes },
    });
    expect(report.findings[0]?.owners).toMatchObject([{ pid: 500, comm: "tcp_reader", count: 50 }]);
    expect(report.findings[0]?.claims).toMatchObject([{ account: "unaccounted" }]);
    expect(report.verdict).toBe("cause-found");
    // The writer is not accused as well.
    expect(findingOf(report, "socket-backlog-tcp-send")).toBeUndefined();
  });

  it("is likely with one snapshot", async () => {
    expect(findingOf(await analyzeFiles(held), CAUSE)).toMatchObject({
      confidence: "likely",
      growthBytesPerSecond: null,
    });
  });

  it("names connections that the other end has closed", async () => {
    const closed = pairs(6_356_569, 0, { state: 8 }).filter(({ inode }) => inode < 2000);
    const finding = findingOf(await analyzeFiles({ ...held, "proc/net/tcp": tcpText(closed) }), CAUSE);
    expect(finding?.title).toContain("closed");
    expect(finding?.confidence).toBe("likely");
    expect(finding?.evidence.some(({ because }) => because.includes("CLOSE_WAIT"))).toBe(true);
  });

  it("takes the charge and the age of the data from ss", async () => {
    const ss = `${SS_HEADER}${
      many(50, (i) =>
        `tcp ESTAB 4000000 0 127.0.0.1:53195 10.0.0.1:${43_000 + i} users:(("reader",pid=500,fd=${i})) ino:${
          1000 + i
        } sk:1 cgroup:/ <->
\t skmem:(r8000000,rb33554432,t0,tb87040,f0,w0,o0,bl0,d0) ts sack cubic lastrcv:5320 lastack:5320\n`).join("")
    }`;
    const rows = pairs(4_000_000).filter(({ inode }) => inode < 2000).map((row) => ({
      ...row,
      remoteAddress: "0100000A",
    }));
    const finding = findingOf(
      await analyzeFiles({
        "proc/meminfo": meminfoText({}, 8 * GIB, 420 * MIB),
        "proc/net/tcp": tcpText(rows),
        "sos_commands/networking/ss_-peaonmi": ss,
      }),
      CAUSE,
    );
    expect(finding).toMatchObject({ confidence: "likely", bytes: { low: 400_000_000 }, owners: [{ comm: "reader" }] });
    expect(finding?.evidence.some(({ because }) => because.includes("data last came 5.3 s before"))).toBe(true);
  });

  const receivers = pairs(6_000_000).filter(({ inode }) => inode < 2000);
  const tookIn = (lastReceivedMs: number, limitBytes: number) => ({
    ...held,
    "proc/net/tcp": tcpText(receivers),
    "sos_commands/networking/ss_-peaonmi": `${SS_HEADER}${
      receivers.map(({ local, remote, rx, inode }) =>
        `tcp ESTAB ${rx} 0 127.0.0.1:${local} 127.0.0.1:${remote} ino:${inode} sk:1 <->
\t skmem:(r6086688,rb${limitBytes},t0,tb3939840,f0,w0,o0,bl0,d0) ts sack lastrcv:${lastReceivedMs} lastack:4\n`
      ).join("")
    }`,
  });

  // One that is full to the last sixteenth takes nothing in until it is read, however seldom the sender asks; one above half may still fill.
  it.each([
    [40, 6_291_456, undefined],
    [900, 6_291_456, undefined],
    [5320, 6_291_456, "likely"],
    [40, 9_000_000, undefined],
    [900, 9_000_000, "likely"],
  ])(
    "in one look, takes a full queue that took data in %i ms ago, of a limit of %i, for one that is read",
    async (lastReceivedMs, limitBytes, confidence) => {
      const report = await analyzeFiles(tookIn(lastReceivedMs, limitBytes));
      expect(findingOf(report, CAUSE)?.confidence).toBe(confidence);
    },
  );

  it.each([[900, 1000, undefined], [900, 0, "confirmed"], [5320, 1000, "confirmed"]])(
    "in several looks, takes a full queue that took data in %i ms ago, and %i bytes more since, for one that is read",
    async (lastReceivedMs, moreBytes, confidence) => {
      const files = tookIn(lastReceivedMs, 6_291_456);
      const later2 = tcpText(receivers.map((row) => ({ ...row, rx: (row.rx as number) + moreBytes })));
      const report = await analyzeFiles({ ...files, [`${later(2)}/proc/net/tcp`]: later2 });
      expect(findingOf(report, CAUSE)?.confidence).toBe(confidence);
    },
  );

  it("scales the data to the kernel's own count where there is no ss", async () => {
    const files = {
      ...held,
      "proc/meminfo": meminfoText({}, 8 * GIB, 500 * MIB),
      "proc/net/sockstat": `TCP: inuse 100 orphan 0 tw 0 alloc 100 mem ${450 * 256}\n`,
    };
    const bytes = findingOf(await analyzeFiles(files), CAUSE)?.bytes.low ?? 0;
    expect(bytes / (450 * MIB)).toBeCloseTo(1, 2);
  });

  it("accuses nobody whose queues became shorter", async () => {
    const report = await analyzeFiles({ ...held, [`${later(1)}/proc/net/tcp`]: tcpText(pairs(5_000_000)) });
    expect(findingOf(report, CAUSE)).toBeUndefined();
  });

  it("takes queues that are refilled as fast as they are read for read, when most of the process's were seen to fall", async () => {
    const mixed = (a: number, b: number) =>
      tcpText(pairs(6_000_000).map((row) => row.rx === undefined ? row : { ...row, rx: row.inode % 3 === 0 ? a : b }));
    const files = {
      ...held,
      "proc/net/tcp": mixed(6_000_000, 6_000_000),
      [`${later(1)}/proc/net/tcp`]: mixed(6_000_000, 5_900_000),
    };
    expect(findingOf(await analyzeFiles(files), CAUSE)).toBeUndefined();
  });

  it("does not take a listening socket's count of connections for bytes", async () => {
    const rows = many(50, (i) => ({ local: 80 + i, remote: 0, rx: 0x7fff_0000, state: 10, inode: 1000 + i }));
    expect(findingOf(await analyzeFiles({ ...held, "proc/net/tcp": tcpText(rows) }), CAUSE)).toBeUndefined();
  });

  it("is not sure of a burst seen once", async () => {
    const rows = many(
      10,
      (i) => ({ local: 80, remote: 43_000 + i, rx: 10 * MIB, inode: 1000 + i, remoteAddress: "0100000A" }),
    );
    expect(findingOf(await analyzeFiles({ ...held, "proc/net/tcp": tcpText(rows) }), CAUSE)?.confidence).toBe(
      "possible",
    );
  });

  it("weighs the same queues against the size of the host", async () => {
    const rows = tcpText(pairs(400_000, 0, { state: 8 }));
    const on = async (total: number) =>
      findingOf(
        await analyzeFiles({ ...held, "proc/meminfo": meminfoText({}, total, 30 * MIB), "proc/net/tcp": rows }),
        CAUSE,
      );
    expect((await on(512 * MIB))?.material).toBe(true);
    expect((await on(128 * GIB))?.material).toBe(false);
  });

  it("leaves out a queue whose number is negative in the kernel", async () => {
    const rows = [{ local: 80, remote: 4000, rx: 0xffff_ff00, state: 8, inode: 7 }];
    expect(findingOf(await analyzeFiles({ ...held, "proc/net/tcp": tcpText(rows) }), CAUSE)).toBeUndefined();
  });

  it("names the owner that netstat tells, as in a sosreport", async () => {
    const netstat = `Proto Recv-Q Send-Q Local Address Foreign Address State User Inode PID/Program name Timer\n${
      many(50, (i) =>
        `tcp 6239465 0 127.0.0.1:53195 127.0.0.1:${43_000 + i} ESTABLISHED 0 ${1000 + i} 77/java off (0.00/0/0)\n`)
        .join("")
    }`;
    const files = {
      "proc/meminfo": meminfo,
      "proc/net/tcp": held["proc/net/tcp"],
      "sos_commands/networking/netstat_-W_-neopa": netstat,
    };
    expect(findingOf(await analyzeFiles(files), CAUSE)?.owners[0]).toMatchObject({ pid: 77, comm: "java" });
  });

  itNeeds(CAUSE, held, ["proc/meminfo", "proc/net/tcp"]);
});
