import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { GIB, itNeeds, itTellsAlone, later, many, MIB, ownersOf, SS_HEADER } from "./_sockets.ts";

const CAUSE = "socket-backlog-netlink";
const TABLE = "proc/net/netlink";
const HEADER = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n";
const KERNEL = "0000000000000001 0   0          00000000 0        0        0     2        0        4\n";
const port = (i: number): number => i === 0 ? 500 : 3_423_697_895 + i;
const table = (rmem: number, drops = 0, count = 20, groups = "00000000"): string =>
  HEADER + KERNEL +
  many(count, (i) =>
    `00000000e8b21813 15  ${port(i)} ${groups} ${rmem} 0        0     2        ${drops}        ${1000 + i}\n`).join("");
const owners = ownersOf([{ pid: 500, comm: "netlink_hog", inodes: many(20, (i) => 1000 + i) }]);
const held = { "proc/meminfo": meminfoText({ SUnreclaim: 350 * MIB }), [TABLE]: table(16_775_424), ...owners };
const BYTES = 20 * 16_775_424;
/** All are full. */
const FULL = SS_HEADER +
  many(
    20,
    (i) =>
      `nl    UNCONN 16775424 0                  15:${
        i === 0 ? 500 : port(i) - 2 ** 32
      }              *        sk=0 cb=0 groups=0x00000001
\t skmem:(r16775424,rb16777216,t0,tb212992,f0,w0,o0,bl0,d0)\n`,
  ).join("");

describe(CAUSE, () => {
  it("is confirmed when nobody reads while messages are dropped", async () => {
    const report = await analyzeFiles({ ...held, [`${later(1)}/${TABLE}`]: table(16_775_424, 9) });
    expect(report.findings[0]).toMatchObject({
      cause: CAUSE,
      confidence: "confirmed",
      material: true,
      bytes: { low: BYTES, high: BYTES },
      claims: [{ account: "slab-unreclaimable" }],
      owners: [{ pid: 500, comm: "netlink_hog", count: 20 }],
    });
    expect(report.findings[0]?.evidence[0]?.because).toContain("kobject_uevent");
  });

  it("tells how many are full, and nothing of that where none is", async () => {
    const because = async (rmem: number): Promise<string | undefined> =>
      findingOf(await analyzeFiles({ ...held, [TABLE]: table(rmem) }), CAUSE)?.evidence[0]?.because;
    const full = findingOf(await analyzeFiles({ ...held, "sos_commands/networking/ss_-peaonmi": FULL }), CAUSE);
    expect(full?.evidence[0]?.because).toContain("20 of 20 are full");
    expect(await because(10 * MIB)).not.toContain("are full");
  });

  it("knows that subscribers of a group have its messages in common", async () => {
    // Linux 6.18: 40 programs that follow routes and addresses, stopped: each is charged 16 MiB, SUnreclaim grew by 129 MiB.
    const report = await analyzeFiles({
      ...held,
      "proc/meminfo": meminfoText({ SUnreclaim: 201 * MIB }),
      [TABLE]: table(16_776_768, 0, 40, "0007ffff"),
      [`${later(1)}/${TABLE}`]: table(16_776_768, 9, 40, "0007ffff"),
    });
    expect(report.findings[0]).toMatchObject({
      cause: CAUSE,
      material: true,
      // That nobody reads is sure, but not that it is much.
      confidence: "likely",
      bytes: { low: 16_776_768, high: 201 * MIB },
    });
    expect(report.findings[0]?.title).toContain("at most 201 MiB unread");
    expect(report.findings[0]?.owners.every(({ bytes }) => bytes <= 201 * MIB)).toBe(true);
    expect(report.findings[0]?.evidence[0]?.because).toContain("charged 640 MiB, more than there is");
  });

  it("takes the limit from ss, where a port is a signed number", async () => {
    const small = { ...held, [TABLE]: table(16_775_424, 0, 8), "sos_commands/networking/ss_-peaonmi": FULL };
    const finding = findingOf(await analyzeFiles(small), CAUSE);
    expect(finding).toMatchObject({ confidence: "likely" });
    expect(finding?.evidence.some(({ because }) => because.includes("16.0 MiB: full"))).toBe(true);
  });

  it("is likely with one snapshot, or only possible when it may be a burst", async () => {
    expect(findingOf(await analyzeFiles(held), CAUSE)?.confidence).toBe("likely");
    expect(findingOf(await analyzeFiles({ ...held, [TABLE]: table(10 * MIB) }), CAUSE)?.confidence).toBe("possible");
  });

  it("takes the port for the pid of a socket whose owner nobody looked up", async () => {
    const { "sos_commands/process/socket_owners": _, ...rest } = held as { [path: string]: string };
    const { owners: found } = findingOf(await analyzeFiles({ ...rest, [TABLE]: table(64 * MIB, 0, 1) }), CAUSE) ??
      { owners: [] };
    expect(found).toMatchObject([{ pid: 500, comm: "netlink_hog" }]);
  });

  it("accuses nobody whose queues became shorter", async () => {
    expect(findingOf(await analyzeFiles({ ...held, [`${later(1)}/${TABLE}`]: table(1_000_000) }), CAUSE))
      .toBeUndefined();
  });

  it("makes nothing of two sockets that are full to the default buffer", async () => {
    const report = await analyzeFiles({ ...held, "proc/meminfo": meminfoText(), [TABLE]: table(211_968, 5, 2) });
    expect(findingOf(report, CAUSE)).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("reads the table of 3.10, and passes over what is no number", async () => {
    const old = held[TABLE] as string;
    const broken = `${old}00000000e8b21813 15  7 00000001 99999999999999999999 0 0 2 0 77\n`;
    expect(findingOf(await analyzeFiles({ ...held, [TABLE]: broken }), CAUSE)?.bytes.low).toBe(BYTES);
  });

  it("weighs the same queues against the size of the host", async () => {
    const on = async (total: number) =>
      findingOf(
        await analyzeFiles({
          ...held,
          "proc/meminfo": meminfoText({ SUnreclaim: 60 * MIB }, total),
          [TABLE]: table(MIB),
        }),
        CAUSE,
      );
    expect((await on(512 * MIB))?.material).toBe(true);
    expect((await on(128 * GIB))?.material).toBe(false);
  });

  describe("raw sockets", () => {
    const RAW = "proc/net/raw";
    const row = (i: number, rx: number, drops: number): string =>
      `  24: 00000000:${(253 - i).toString(16).padStart(4, "0")} 00000000:0000 07 00000000:${
        rx.toString(16).padStart(8, "0")
      } 00:00000000 00000000     0        0 ${2000 + i} 2 0000000038ee00eb ${drops}\n`;
    const rawTable = (rx: number, drops = 0, count = 20): string =>
      `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n${
        many(count, (i) => row(i, rx, drops)).join("")
      }`;
    const full = 16_777_728;
    const queued = {
      "proc/meminfo": meminfoText({ SUnreclaim: 350 * MIB }),
      [TABLE]: table(0),
      [RAW]: rawTable(full, 1),
      ...ownersOf([{ pid: 9, comm: "pinger", inodes: many(20, (i) => 2000 + i) }]),
    };

    it("are confirmed when nobody reads while packets are dropped", async () => {
      const report = await analyzeFiles({ ...queued, [`${later(1)}/${RAW}`]: rawTable(full, 7) });
      expect(report.findings[0]).toMatchObject({
        cause: CAUSE,
        title: "pinger (pid 9): 320 MiB unread in 20 raw sockets",
        confidence: "confirmed",
        material: true,
        bytes: { low: 20 * full, high: 20 * full },
        owners: [{ pid: 9, comm: "pinger", count: 20 }],
      });
      expect(report.findings[0]?.evidence[0]).toMatchObject({ path: RAW, line: 2 });
      expect(report.findings[0]?.evidence[0]?.because).toContain("IP protocol 253");
    });

    it("are told beside netlink sockets, those of IPv6, too", async () => {
      const six = rawTable(full).replaceAll("00000000:00", "00000000000000000000000000000000:00");
      const report = await analyzeFiles({
        ...held,
        ...queued,
        ...owners,
        [TABLE]: held[TABLE] as string,
        "proc/meminfo": meminfoText({ SUnreclaim: 1000 * MIB }),
        "proc/net/raw6": six,
      });
      const titles = report.findings.filter(({ cause }) => cause === CAUSE).map(({ title }) => title);
      expect(titles.map((title) => title.replace(/.* in /, "")).sort()).toEqual([
        "20 netlink sockets",
        "40 raw sockets",
      ]);
    });

    it("may have the same packets where they are of one protocol", async () => {
      const same = rawTable(full, 1).replaceAll(/00000000:00[0-9a-f]{2} 0/g, "00000000:0001 0");
      expect(findingOf(await analyzeFiles({ ...queued, [RAW]: same }), CAUSE)?.bytes).toEqual({
        low: full,
        high: 20 * full,
      });
    });

    it("accuse nobody who reads", async () => {
      const report = await analyzeFiles({ ...queued, [`${later(1)}/${RAW}`]: rawTable(5000) });
      expect(findingOf(report, CAUSE)).toBeUndefined();
    });
  });

  describe("ping sockets", () => {
    // Linux 6.18: 8 sockets with 4,000 answers of 8,000 bytes each.
    const pings =
      `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
${
        many(8, (i) =>
          ` ${i}: 00000000:00${
            (i + 16).toString(16)
          } 0100007F:0000 01 00000000:03F7A000 00:00000000 00000000     0        0 ${3000 + i} 2 00000000112e55f0 0\n`)
          .join("")
      }`;

    it("are told with their owner, each with the answers to its own identifier", async () => {
      const report = await analyzeFiles({
        "proc/meminfo": meminfoText({ SUnreclaim: 530 * MIB }),
        [TABLE]: table(0),
        "proc/net/icmp": pings,
        ...ownersOf([{ pid: 9, comm: "pinger", inodes: many(8, (i) => 3000 + i) }]),
      });
      expect(findingOf(report, CAUSE)).toMatchObject({
        title: "pinger (pid 9): 508 MiB unread in 8 ping sockets",
        bytes: { low: 8 * 0x3f7a000, high: 8 * 0x3f7a000 },
        owners: [{ pid: 9, comm: "pinger", count: 8 }],
      });
    });
  });

  itTellsAlone(CAUSE, held);
  itNeeds(CAUSE, held, [TABLE]);
});
