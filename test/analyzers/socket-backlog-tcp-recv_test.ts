import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { GIB, itNeeds, itTellsAlone, later, many, MIB, ownersOf, SS_HEADER, type TcpRow, tcpText } from "./_sockets.ts";

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

  it("counts a socket once that the table has twice, as one does that changes while it is read", async () => {
    const [once, twice] = [pairs(6_239_465), [...pairs(6_239_465), ...pairs(6_239_465)]].map(tcpText) as [
      string,
      string,
    ];
    const [expected, shown] = await Promise.all(
      [once, twice].map(async (table) => findingOf(await analyzeFiles({ ...held, "proc/net/tcp": table }), CAUSE)),
    );
    expect(shown?.bytes).toEqual(expected?.bytes);
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

  it("in several looks, is only likely where the queues are as long as before, but neither full nor old", async () => {
    const files = tookIn(40, 20_000_000);
    const report = await analyzeFiles({ ...files, [`${later(2)}/proc/net/tcp`]: files["proc/net/tcp"] });
    expect(findingOf(report, CAUSE)?.confidence).toBe("likely");
  });

  describe("of connections that nobody has accepted", () => {
    const listening = { local: 53_195, remote: 0, rx: 50, state: 10, inode: 900, remoteAddress: "00000000" };
    const waiting = pairs(6_000_000).map((row) => row.inode < 2000 ? { ...row, inode: 0 } : row);
    const files = {
      "proc/meminfo": meminfo,
      "proc/net/tcp": tcpText([listening, ...waiting]),
      ...ownersOf([{ pid: 500, comm: "server", inodes: [900] }, {
        pid: 501,
        comm: "client",
        inodes: many(50, (i) => 2000 + i),
      }]),
    };
    const owner = async (changed: { readonly [path: string]: string }) =>
      findingOf(await analyzeFiles({ ...files, ...changed }), CAUSE)?.owners[0]?.comm;

    it("names who listens, in however few looks", async () => {
      const once = findingOf(await analyzeFiles(files), CAUSE);
      expect(once).toMatchObject({ confidence: "likely", owners: [{ pid: 500, comm: "server", count: 50 }] });
      expect(once?.title).toMatch(/^server \(pid 500\): .* of connections that it has not accepted$/);
      expect(once?.evidence.some(({ line, because }) => line === 2 && because.includes("50 connections"))).toBe(true);
      const twice = await analyzeFiles({ ...files, [`${later(1)}/proc/net/tcp`]: files["proc/net/tcp"] });
      expect(findingOf(twice, CAUSE)?.confidence).toBe("confirmed");
    });

    it("advises who is named, though another program's fullest queue is of another kind", async () => {
      const reading = pairs(5_000_000).map((row) => ({ ...row, local: row.local + 1, remote: row.remote + 1 }));
      const held = ownersOf([
        { pid: 500, comm: "server", inodes: [900] },
        { pid: 502, comm: "reader", inodes: many(50, (i) => 1000 + i) },
      ]);
      const tables = { "proc/net/tcp": tcpText([listening, ...waiting.slice(0, 4), ...reading]) };
      const finding = findingOf(await analyzeFiles({ "proc/meminfo": meminfo, ...held, ...tables }), CAUSE);
      expect(finding?.owners.map(({ comm }) => comm)).toEqual(["reader", "server"]);
      expect(finding?.remedies[1]?.text).toMatch(/^Find why the program does not read/);
    });

    it("counts those of the listener alone that it tells of", async () => {
      const port = (own: number): number => own === 53_195 ? 53_196 : own;
      const others = waiting.slice(50).map((row) => ({ ...row, local: port(row.local), remote: port(row.remote) }));
      const rows = [listening, { ...listening, local: 53_196, inode: 901 }, ...waiting.slice(0, 50), ...others];
      const finding = findingOf(await analyzeFiles({ ...files, "proc/net/tcp": tcpText(rows) }), CAUSE);
      expect(finding?.evidence.map(({ because }) => because).join("\n")).toContain("has not accepted 25 connections");
    });

    it("takes those that are as long as before for stuck, full or not", async () => {
      const table = tcpText([listening, ...waiting.filter(({ inode }) => inode === 0)]);
      const report = await analyzeFiles({ ...files, "proc/net/tcp": table, [`${later(1)}/proc/net/tcp`]: table });
      expect(findingOf(report, CAUSE)?.confidence).toBe("confirmed");
    });

    // Waited with data for a second and more: only what is accepted can be read.
    it("takes those that go on filling for stuck, too", async () => {
      const filled = waiting.map((row) => row.rx === undefined ? row : { ...row, rx: row.rx + 1000 });
      const report = await analyzeFiles({ ...files, [`${later(1)}/proc/net/tcp`]: tcpText([listening, ...filled]) });
      expect(findingOf(report, CAUSE)?.confidence).toBe("confirmed");
    });

    describe("finds who listens on all addresses", () => {
      const connections = tcpText(waiting);
      /** The same connections as of IPv6, or as those of IPv4 that a socket of IPv6 has. */
      const onIpv6 = (address: string) => connections.replaceAll("0100007F:", `${address}:`);
      const listens = (address: string, inode: number, port = "CFCB") =>
        `   0: ${address}:${port} ${address}:0000 0A 00000000:00000032 00:00000000 00000000     0        0 ${inode} 1 0 20 8\n`;
      const loopback = `${"0".repeat(24)}01000000`;
      const mapped = `${"0".repeat(16)}FFFF00000100007F`;
      const ipv6 = "0".repeat(32);

      it("of its family", async () => {
        expect(await owner({ "proc/net/tcp": connections + listens("00000000", 900) })).toBe("server");
        for (const address of [loopback, mapped]) {
          const tables = { "proc/net/tcp": tcpText([]), "proc/net/tcp6": onIpv6(address) + listens(ipv6, 900) };
          expect(await owner(tables)).toBe("server");
        }
      });

      it("and not another program, which has the port of the other family", async () => {
        const other = ownersOf([{ pid: 500, comm: "server", inodes: [900] }, {
          pid: 502,
          comm: "other",
          inodes: [901],
        }]);
        const tables = {
          "proc/net/tcp": tcpText([]) + listens("00000000", 901),
          "proc/net/tcp6": onIpv6(loopback) + listens(ipv6, 900),
        };
        expect(await owner({ ...other, ...tables })).toBe("server");
      });

      it("and nobody on another port, or in another namespace", async () => {
        expect(await owner({ "proc/net/tcp": connections + listens("00000000", 900, "CFCC") })).toBe("unknown");
        const elsewhere = "sos_commands/networking/namespaces/a/proc/net/tcp";
        expect(await owner({ "proc/net/tcp": connections, [elsewhere]: tcpText([]) + listens("0100007F", 900) })).toBe(
          "unknown",
        );
      });
    });

    it("does not take for them what its process has closed", async () => {
      const closed = waiting.map((row) => row.inode === 0 ? { ...row, state: 4 } : row);
      expect(await owner({ "proc/net/tcp": tcpText([listening, ...closed]) })).toBe("unknown");
    });

    it("knows from ss what they are charged, however ss writes their addresses", async () => {
      const ss = `${SS_HEADER}${
        many(50, (i) =>
          `tcp ESTAB 6000000 0 ${i % 2 ? "[::ffff:127.0.0.1]" : "127.0.0.1%lo"}:53195 127.0.0.1:${
            43_000 + i
          } ino:0 sk:1 <->
\t skmem:(r6100000,rb12582912,t0,tb87040,f0,w0,o0,bl0,d0) ts sack lastrcv:40 lastack:40\n`).join("")
      }`;
      const finding = findingOf(
        await analyzeFiles({ ...files, "sos_commands/networking/ss_-peaonmi": ss }),
        CAUSE,
      );
      expect(finding?.bytes.low).toBe(50 * (6_100_000 + 115_222));
    });
  });

  describe("of what is charged beside data", () => {
    /** As held on Linux 6.18: time stamps of what was sent, unread in the error queue. All that came was read. */
    const stamped = (details: string, recvQ = 0): { [path: string]: string } => ({
      "proc/meminfo": meminfoText({}, 8 * GIB, 330 * MIB),
      "proc/net/tcp": tcpText(many(100, (i) => ({ local: 43_000 + i, remote: 53_195, rx: recvQ, inode: 1000 + i }))),
      "sos_commands/networking/ss_-peaonmi": `${SS_HEADER}${
        many(100, (i) =>
          `tcp ESTAB ${recvQ} 0 127.0.0.1:${43_000 + i} 10.0.0.1:53195 users:(("ptp-rpc",pid=500,fd=${i})) ino:${
            1000 + i
          } sk:1 cgroup:/ <->
\t skmem:(r10598400,rb16777216,t0,tb2626560,f0,w0,o0,bl0,d0) ts sack cubic lastsnd:5200 ${details}\n`).join("")
      }`,
    });

    it("names who does not read it, with what is held and not what all copies are charged", async () => {
      const report = await analyzeFiles(stamped("lastrcv:5320 lastack:5200"));
      expect(report.verdict).toBe("cause-found");
      expect(report.findings[0]).toMatchObject({ cause: CAUSE, confidence: "likely", owners: [{ comm: "ptp-rpc" }] });
      expect(report.findings[0]?.title).toMatch(
        /^ptp-rpc \(pid 500\): \d+ MiB kept beside the data of 100 TCP connections/,
      );
      expect(report.findings[0]?.remedies.map(({ text }) => text).join()).toContain("MSG_ERRQUEUE");
    });

    it("names it also while requests are answered, unless packets came out of order", async () => {
      expect(findingOf(await analyzeFiles(stamped("lastrcv:3 lastack:3")), CAUSE)?.confidence).toBe("likely");
      // Data behind a gap, which is closed in a moment: a busy download on a lossy way.
      expect(findingOf(await analyzeFiles(stamped("lastrcv:3 lastack:3 rcv_ooopack:40")), CAUSE)).toBeUndefined();
      expect(findingOf(await analyzeFiles(stamped("lastrcv:5320 rcv_ooopack:40")), CAUSE)?.confidence).toBe("likely");
    });

    it("takes what nothing is known of for being under way", async () => {
      expect(findingOf(await analyzeFiles(stamped("")), CAUSE)).toBeUndefined();
    });
  });

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

  it("is likely where all who could read are stopped", async () => {
    const list = `${SS_HEADER}${
      many(
        20,
        (i) => `tcp ESTAB ${5 * MIB} 0 127.0.0.1:80 127.0.0.1:${43_000 + i} users:(("ingest",pid=7,fd=${3 + i}))\n`,
      ).join("")
    }`;
    const of = async (state: string) =>
      findingOf(
        await analyzeFiles({
          "proc/meminfo": meminfo,
          "sos_commands/networking/ss_-peaonmi": list,
          "proc/7/status": `Name:\tingest\nState:\t${state}\nRssAnon:\t100 kB\n`,
        }),
        CAUSE,
      );
    expect((await of("S (sleeping)"))?.confidence).toBe("possible");
    expect(await of("T (stopped)")).toMatchObject({ confidence: "likely", owners: [{ pid: 7, comm: "ingest" }] });
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

  itTellsAlone(CAUSE, held);
  itNeeds(CAUSE, held, ["proc/net/tcp"]);
});
