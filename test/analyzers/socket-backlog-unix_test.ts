import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { slabinfoText } from "./_kernel.ts";
import { GIB, itNeeds, itTellsAlone, later, many, MIB, ownersOf, SS_HEADER } from "./_sockets.ts";

const CAUSE = "socket-backlog-unix";
const XANM = "sos_commands/networking/ss_-xanm";
const skmem = (t: number, tb = 4_194_304): string => `skmem:(r0,rb212992,t${t},tb${tb},f0,w0,o0,bl0,d0)`;
/** As ss -xanm of Linux 6.18 prints pairs: the sender is charged, the reader has the data. */
const pairs = (kind: "u_str" | "u_dgr", t: number, recvQ: number, count = 75): string =>
  SS_HEADER + many(count, (i) => {
    const sender = 2000 + 2 * i;
    return `${kind} ESTAB 0       ${t}             * ${sender}            * ${sender + 1} ${skmem(t)}
${kind} ESTAB ${recvQ} 0                   * ${sender + 1}            * ${sender} ${skmem(0, 212_992)}\n`;
  }).join("");
const owners = ownersOf([
  { pid: 500, comm: "unix_reader", inodes: many(75, (i) => 2001 + 2 * i) },
  { pid: 501, comm: "unix_writer", inodes: many(75, (i) => 2000 + 2 * i) },
]);
const stream = {
  "proc/meminfo": meminfoText({}, 8 * GIB, 330 * MIB),
  [XANM]: pairs("u_str", 4_195_584, 4_099_776),
  ...owners,
};

describe(CAUSE, () => {
  it("is the reader's, though the sender is charged; streams lie outside every account", async () => {
    const report = await analyzeFiles({ ...stream, [`${later(1)}/${XANM}`]: stream[XANM] as string });
    const bytes = 75 * 4_195_584;
    expect(report.findings[0]).toMatchObject({
      cause: CAUSE,
      confidence: "confirmed",
      material: true,
      bytes: { low: bytes, high: bytes },
      claims: [{ account: "unaccounted" }],
      owners: [{ pid: 500, comm: "unix_reader", count: 75 }],
    });
    expect(report.findings[0]?.title).toContain("sent by unix_writer (pid 501)");
  });

  it("accuses nobody who reads many full queues in turns, of which most are refilled to the byte", async () => {
    // Linux 6.18: 800 pairs of a process that reads some of each and fills them up again; 25 of these 75 were seen half read.
    const full = pairs("u_str", 4_195_584, 4_099_776);
    const read = (from: number): string =>
      full.split("\n").map((row, i) => i > 2 * from && i <= 2 * from + 50 ? row.replaceAll("4195584", "2097792") : row)
        .join("\n");
    const looks = (first: string, second: string) => ({ ...stream, [XANM]: first, [`${later(1)}/${XANM}`]: second });
    const report = await analyzeFiles(looks(full, read(0)));
    expect(findingOf(report, CAUSE)).toBeUndefined();
    // Queues that are nearly empty whenever somebody looks are those of a program that reads: the full ones are not.
    const busy = full.split("\n").map((row, i) => i > 0 && i <= 50 ? row.replaceAll("4195584", "4096") : row).join(
      "\n",
    );
    const beside = await analyzeFiles(looks(busy, busy.replaceAll("t4096,", "t2048,").replaceAll(" 4096 ", " 2048 ")));
    expect(findingOf(beside, CAUSE)).toMatchObject({ material: true, owners: [{ comm: "unix_reader" }] });
  });

  const LIST = "sos_commands/process/process_list";
  /** Seconds that reader and writer computed meanwhile. */
  const computing = (reader: number, writer: number): { [path: string]: string } => ({
    ...stream,
    [`${later(1)}/${XANM}`]: stream[XANM] as string,
    [LIST]: "500 (unix_reader) S 1 1 1000 100 0\n501 (unix_writer) S 1 1 1000 100 0\n",
    [`${later(1)}/${LIST}`]: `500 (unix_reader) S 1 1 1000 ${100 + 100 * reader} 0\n501 (unix_writer) S 1 1 1000 ${
      100 + 100 * writer
    } 0\n`,
  });

  it("is no more than possible where both ends compute long enough to read all of it, and fill it again", async () => {
    const report = await analyzeFiles(computing(0.4, 0.4));
    expect(report.verdict).not.toBe("cause-found");
    const finding = findingOf(report, CAUSE);
    expect(finding).toMatchObject({ confidence: "possible", material: false });
    expect(finding?.title).toContain("which may be read");
    expect(finding?.remedies.flatMap(({ commands }) => commands).join()).not.toContain("kill");
  });

  it.each([
    ["nobody who should read computes", 0, 2, "confirmed"],
    ["the sender waits", 2, 0, "confirmed"],
    ["both wake now and then", 0.02, 0.02, "confirmed"],
    ["both hardly copy that fast", 0.1, 0.1, "likely"],
  ])("accuses as before where %s", async (_why, reader, writer, confidence) => {
    expect(findingOf(await analyzeFiles(computing(reader, writer)), CAUSE)).toMatchObject({
      confidence,
      material: true,
    });
  });

  it("accuses as before where queues still fill, whatever else their program does", async () => {
    const less = pairs("u_str", 4_100_000, 4_000_000);
    const filling = await analyzeFiles({ ...computing(2, 2), [XANM]: less });
    expect(findingOf(filling, CAUSE)).toMatchObject({ confidence: "confirmed", material: true });
  });

  it("is likely with one snapshot", async () => {
    expect(findingOf(await analyzeFiles(stream), CAUSE)?.confidence).toBe("likely");
  });

  it("is who listens, when he has not even accepted: the other ends of such connections are listed nowhere", async () => {
    const senders = SS_HEADER +
      many(75, (i) => `u_str ESTAB 0 4195584 * ${2000 + i} * 0 ${skmem(4_195_584)}\n`).join("");
    const listener = `${SS_HEADER}u_str LISTEN 75 128 /run/server 900 * 0 ${skmem(0)} <-> ino:2 dev:0/26 peers: ${
      many(75, (i) => 2000 + i).join(" ")
    }\n`;
    const finding = findingOf(
      await analyzeFiles({
        "proc/meminfo": stream["proc/meminfo"] as string,
        [XANM]: senders,
        [`${later(1)}/${XANM}`]: senders,
        "sos_commands/networking/ss_-peaonmi": listener,
        ...ownersOf([{ pid: 500, comm: "server", inodes: [900] }, {
          pid: 501,
          comm: "client",
          inodes: many(75, (i) => 2000 + i),
        }]),
      }),
      CAUSE,
    );
    expect(finding).toMatchObject({
      confidence: "confirmed",
      owners: [{ pid: 500, comm: "server", count: 75 }],
      // The listener's Recv-Q counts connections: it is no payload that would be small beside the charge.
      claims: [{ account: "unaccounted", bytes: { low: 75 * 4_195_584 } }],
    });
    expect(finding?.title).toMatch(/^server \(pid 500\): .* whose connections it has not accepted, sent by client/);
    expect(finding?.owners[0]?.detail).toContain("/run/server");
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 500"]);
  });

  it("goes by the sender's charge for datagrams, which lie in slab", async () => {
    const files = {
      ...stream,
      "proc/meminfo": meminfoText({ SUnreclaim: 330 * MIB }),
      [XANM]: pairs("u_dgr", 4_195_328, 2000),
    };
    expect(findingOf(await analyzeFiles(files), CAUSE)).toMatchObject({
      bytes: { low: 75 * 4_195_328 },
      claims: [{ account: "slab-unreclaimable" }],
    });
  });

  it("reads the one ss of a sosreport, owners and all", async () => {
    const text = (stream[XANM] as string).replaceAll(
      /(\* 2\d*[13579]) skmem/g,
      '$1 users:(("reader",pid=9,fd=3)) skmem',
    );
    const finding = findingOf(
      await analyzeFiles({
        "proc/meminfo": stream["proc/meminfo"] as string,
        "sos_commands/networking/ss_-peaonmi": text,
      }),
      CAUSE,
    );
    expect(finding?.bytes.low).toBe(75 * 4_195_584);
  });

  it("counts what a sender that is gone has left", async () => {
    const left = SS_HEADER + many(75, (i) => `u_str ESTAB 4099776 0 * ${2001 + 2 * i} * 0 ${skmem(0)}\n`).join("");
    expect(findingOf(await analyzeFiles({ ...stream, [XANM]: left }), CAUSE)?.bytes.low).toBe(75 * 4_099_776);
  });

  describe("of what senders that are gone have left", () => {
    // Linux 6.18: 60 socketpairs (SOCK_SEQPACKET), in each 1,000 messages of 4,000 bytes, that is in an object of 8 KiB and a head each.
    const held = 60_000 * (8192 + 256);
    const left = many(60, (i) => `u_seq ESTAB 3972000 0 * ${2001 + 2 * i} * 0 ${skmem(0, 212_992)}\n`).join("");
    const slab = {
      "proc/meminfo": meminfoText({ SUnreclaim: held + 40 * MIB, SReclaimable: 0 }, 24 * GIB),
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-cg-8k", size: 8192, objects: 60_000 },
        { name: "kmalloc-cg-1k", size: 1024, objects: 100 },
        { name: "skbuff_head_cache", size: 256, objects: 60_200 },
        { name: "kmalloc-1k", size: 1024, objects: 1000 },
      ]),
      ...owners,
    };
    const analyze = (ss: string, files = {}) => analyzeFiles({ ...slab, [XANM]: SS_HEADER + ss, ...files });

    it("takes packets in slab that nobody else is charged for into what they may hold", async () => {
      const report = await analyze(left);
      expect(report.findings[0]).toMatchObject({ cause: CAUSE, material: true });
      expect(report.findings[0]?.title).toMatch(/^unix_reader .*227 MiB to 48\d MiB unread in 60 unix sockets$/);
      expect(report.findings[0]?.claims).toEqual([
        { account: "slab-unreclaimable", bytes: { low: 60 * 3_972_000, high: expect.any(Number) } },
      ]);
      expect(report.findings[0]?.bytes.high).toBeGreaterThan(0.99 * held);
      expect(findingOf(report, "slab-leak")).toBeUndefined();
    });

    it("takes no more objects than so much data may be in, nor than there are packets", async () => {
      // 8 KiB are for more than 3,776 bytes of data, so that one of these queues is no more than a thousand of them.
      const few = await analyze(left.split("\n")[0] + "\n");
      expect(findingOf(few, CAUSE)?.bytes.high).toBeLessThan(3_972_000 * (8192 + 256) / 3776 + MIB);
      expect(findingOf(few, "slab-leak")?.bytes.low).toBeGreaterThan(400 * MIB);
      const other = await analyze(left, {
        "proc/slabinfo": slab["proc/slabinfo"].replace("skbuff_head_cache 60200", "skbuff_head_cache 200"),
      });
      // Then the data are in pages, and the objects somebody else's.
      expect(findingOf(other, CAUSE)?.bytes.high).toBe(60 * 3_972_000);
    });

    it("names no sender that has but a few other queues", async () => {
      const others = `u_str ESTAB 0 40000 * 2200 * 2201 ${skmem(40_000)}\nu_str ESTAB 39000 0 * 2201 * 2200 ${
        skmem(0)
      }\n`;
      const files = ownersOf([
        { pid: 500, comm: "unix_reader", inodes: many(60, (i) => 2001 + 2 * i) },
        { pid: 700, comm: "innocent", inodes: [2200] },
        { pid: 701, comm: "shell", inodes: [2201] },
      ]);
      expect(JSON.stringify(findingOf(await analyze(left + others, files), CAUSE))).not.toContain("innocent");
    });
  });

  it("says that the reader of datagrams without a connection is not known", async () => {
    const alone = SS_HEADER +
      many(75, (i) => `u_dgr UNCONN 0 4195328 * ${2000 + 2 * i} * 0 ${skmem(4_195_328)}\n`).join("");
    const finding = findingOf(
      await analyzeFiles({ ...stream, "proc/meminfo": meminfoText({ SUnreclaim: 330 * MIB }), [XANM]: alone }),
      CAUSE,
    );
    expect(finding?.owners).toMatchObject([{
      comm: "unix_writer",
      detail: expect.stringContaining("the reader is not told by ss"),
    }]);
  });

  it("finds the reader of datagrams without a connection where only one socket has some", async () => {
    // Linux 6.18: 8,000 datagrams of 30,000 bytes; of the reader's queue ss tells the first one.
    const lines = `u_dgr UNCONN 0 264192000 * 2000 * 0 ${skmem(264_192_000, 838_860_800)}
u_dgr UNCONN 30000 0 @sinkd 2001 * 0 ${skmem(0)}
u_dgr UNCONN 0 0 /run/systemd/notify 2003 * 0 ${skmem(0)}\n`;
    const files = { ...stream, "proc/meminfo": meminfoText({ SUnreclaim: 330 * MIB }), [XANM]: SS_HEADER + lines };
    const finding = findingOf(await analyzeFiles(files), CAUSE);
    expect(finding?.title).toBe(
      "unix_reader (pid 500): 252 MiB unread in 1 unix socket, sent by unix_writer (pid 501)",
    );
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 500"]);

    const two = { ...files, [XANM]: `${files[XANM]}u_dgr UNCONN 90 0 @other 2005 * 0 ${skmem(0)}\n` };
    const untold = findingOf(await analyzeFiles(two), CAUSE);
    expect(untold?.title).toBe("somebody: 252 MiB unread in 1 unix socket, sent by unix_writer (pid 501)");
    // What the sender sent stays when it ends: killing it frees nothing.
    expect(untold?.remedies[0]?.commands.join()).not.toContain("kill");
  });

  it("accuses nobody whose queues became shorter", async () => {
    const report = await analyzeFiles({ ...stream, [`${later(1)}/${XANM}`]: pairs("u_str", 4_000_000, 3_900_000) });
    expect(findingOf(report, CAUSE)).toBeUndefined();
  });

  it("makes nothing of three full sockets of the default size", async () => {
    const report = await analyzeFiles({
      ...stream,
      "proc/meminfo": meminfoText(),
      [XANM]: pairs("u_dgr", 213_248, 2000, 3),
    });
    expect(findingOf(report, CAUSE)).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("is not assessed where ss was asked for TCP and UDP alone", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": meminfoText(),
      "sos_commands/networking/ss_-tupna":
        'Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port\ntcp   LISTEN 0      100    127.0.0.1:25 *:* users:(("master",1326,13))\n',
    });
    expect(report.notAssessed.find(({ cause }) => cause === CAUSE)?.missing).toEqual([
      "sos_commands/networking/ss_-xanm",
    ]);
  });

  it("leaves out a charge that is negative in the kernel", async () => {
    const report = await analyzeFiles({
      ...stream,
      "proc/meminfo": meminfoText(),
      [XANM]: pairs("u_str", 4_294_967_000, 0),
    });
    expect(findingOf(report, CAUSE)).toBeUndefined();
  });

  it("weighs the same queues against the size of the host", async () => {
    const on = async (total: number) =>
      findingOf(
        await analyzeFiles({
          ...stream,
          "proc/meminfo": meminfoText({}, total, 30 * MIB),
          [XANM]: pairs("u_str", 400_000, 390_000),
        }),
        CAUSE,
      );
    expect((await on(512 * MIB))?.material).toBe(true);
    expect((await on(128 * GIB))?.material).toBe(false);
  });

  itTellsAlone(CAUSE, stream);
  itNeeds(CAUSE, stream, [XANM]);
});
