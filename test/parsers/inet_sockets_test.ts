/** udp.ts, tcp.ts and raw.ts: one table format. */
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseRaw } from "../../src/parsers/raw.ts";
import { parseTcp } from "../../src/parsers/tcp.ts";
import { parseUdp } from "../../src/parsers/udp.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const UDP_HEADER =
  "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n";
const UDP =
  `${UDP_HEADER} 3904: 0100007F:C968 00000000:0000 07 00000000:0001C200 00:00000000 00000000     0        0 15145 2 00000000257e59c1 0         
 9765: 3500007F:0035 0A01A8C0:A490 01 00000300:00000000 00:00000000 00000000   101        0 15144 2 00000000390226d7 1742      
`;
const UDP6 =
  `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
11006: 00000000000000000000000001000000:E526 00000000000000000000000000000000:0000 07 00000000:00000900 00:00000000 00000000     0        0 15146 2 000000003c1f6606 0
`;
const TCP =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     
   0: 00000000:07E8 00000000:0000 0A 00000000:00000005 00:00000000 00000000     0        0 1049 1 00000000fd0989a3 100 0 0 10 0                      
   2: 0100007F:939F 0100007F:A490 06 00000000:00000000 03:00000668 00000000     0        0 0 3 00000000fd759ba6                                      
   3: 0100007F:D6EF 0100007F:C360 01 0003CDC0:000186A0 04:00000000 00000000     0        0 15149 1 000000009f58ec7e 20 8 0 10 -1                     
`;
const RAW =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 112: 00000000:0001 00000000:0000 07 00000000:00034000 00:00000000 00000000     0        0 19726 2 000000009078e577 39744
`;

const udpRow = (fields: { local?: string; queues?: string; inode?: string; drops?: string }): string =>
  `${UDP_HEADER}  1: ${fields.local ?? "0100007F:0035"} 00000000:0000 07 ${
    fields.queues ?? "00000000:00000100"
  } 00:00000000 00000000 0 0 ${fields.inode ?? "7"} 2 0000000000000000 ${fields.drops ?? "0"}\n`;

describe("parseUdp()", () => {
  itIsRobust("parseUdp", UDP, parseUdp);

  it("reads addresses, queues, owner and drops", () => {
    expect(parseClean(parseUdp, UDP)).toEqual([
      {
        localAddress: "127.0.0.1",
        localPort: 51_560,
        remoteAddress: "0.0.0.0",
        remotePort: 0,
        state: "CLOSE",
        txQueueBytes: 0,
        rxQueueBytes: 115_200,
        timer: 0,
        retransmits: 0,
        uid: 0,
        inode: 15_145,
        drops: 0,
        line: 2,
      },
      {
        localAddress: "127.0.0.53",
        localPort: 53,
        remoteAddress: "192.168.1.10",
        remotePort: 42_128,
        state: "ESTABLISHED",
        txQueueBytes: 768,
        rxQueueBytes: 0,
        timer: 0,
        retransmits: 0,
        uid: 101,
        inode: 15_144,
        drops: 1742,
        line: 3,
      },
    ]);
  });

  it.each([
    ["00000000000000000000000001000000", "::1"],
    ["00000000000000000000000000000000", "::"],
    ["B80D0120000000000000000001000000", "2001:db8::1"],
    ["000080FE00000000FF005452563412FE", "fe80::5254:ff:fe12:3456"],
    ["0000000000000000FFFF00000100007F", "::ffff:127.0.0.1"],
    ["B80D012000000100000002000300FFFF", "2001:db8:1:0:2:0:ffff:3"],
    ["B80D01200000000001000000FFFF0000", "2001:db8::1:0:ffff"],
  ])("writes the IPv6 address %s as %s", (hex, address) => {
    const [socket] = parseClean(parseUdp, UDP6.replace("00000000000000000000000001000000", hex));
    expect(socket?.localAddress).toBe(address);
  });

  it("reads a big-endian host's addresses", () => {
    const facts = { machine: "s390x" };
    expect(parseClean(parseUdp, udpRow({ local: "7F000001:0035" }), facts)[0]?.localAddress).toBe("127.0.0.1");
    const text = UDP6.replace("00000000000000000000000001000000", "20010DB8000000000000000000000001");
    expect(parseClean(parseUdp, text, facts)[0]?.localAddress).toBe("2001:db8::1");
    expect(parseClean(parseUdp, udpRow({}), { machine: "ppc64le" })[0]?.localAddress).toBe("127.0.0.1");
  });

  it("keeps a socket whose queue is negative in the kernel, without it", () => {
    const { value, warnings } = parseWithWarnings(parseUdp, udpRow({ queues: "00000000:FFFFFE00" }));
    expect(value).toMatchObject([{ txQueueBytes: 0, rxQueueBytes: undefined, inode: 7 }]);
    expect(warnings).toEqual(["2: rx_queue is negative in the kernel: left out"]);
  });

  it("keeps a socket whose drops were printed negative, without them", () => {
    const { value, warnings } = parseWithWarnings(parseUdp, udpRow({ drops: "-2147483648" }));
    expect(value).toMatchObject([{ drops: undefined, inode: 7 }]);
    expect(warnings).toEqual(['2: not a count of drops: "-2147483648"']);
  });

  it("knows no drops where the kernel has no such column", () => {
    expect(parseClean(parseUdp, UDP.replaceAll(/ +\d+ +$/gm, ""))[1]).toMatchObject({
      inode: 15_144,
      drops: undefined,
    });
  });

  it.each([
    udpRow({ inode: "9007199254740993" }),
    udpRow({ inode: "-1" }),
    udpRow({ local: "0100007:0035" }),
    udpRow({ local: "0100007F" }),
    udpRow({ local: "0100007F:GGGG" }),
    udpRow({ queues: "00000000" }),
    udpRow({ queues: "00000000:" }),
  ])("skips a malformed row and keeps the next: %j", (text) => {
    const { value, warnings } = parseWithWarnings(parseUdp, text + UDP.slice(UDP_HEADER.length));
    expect(value.map(({ inode }) => inode)).toEqual([15_145, 15_144]);
    expect(warnings).toEqual([expect.stringMatching(/^2: not a socket: /)]);
  });

  it("is empty for a header alone, but throws for an empty file", () => {
    expect(parseClean(parseUdp, UDP_HEADER)).toEqual([]);
    expect(() => parseWithWarnings(parseUdp, "")).toThrow(ParseError);
  });

  it("reads many rows in time in proportion", async () => {
    const read = (rows: number) => {
      const sockets = parseClean(parseUdp, UDP_HEADER + (UDP.split("\n")[1] + "\n").repeat(rows));
      expect(sockets).toHaveLength(rows);
      expect(sockets.at(-1)?.line).toBe(rows + 1);
    };
    expect(await growth(read, 25_000)).toBeLessThan(IN_PROPORTION);
  }, 60_000);

  const text = live("/proc/net/udp");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    expect(parseClean(parseUdp, text as string)).toHaveLength((text as string).trimEnd().split("\n").length - 1);
  });
});

describe("parseTcp()", () => {
  itIsRobust("parseTcp", TCP, parseTcp);

  it("leaves out a listening socket's queues, which count connections", () => {
    const [listening, timeWait, established] = parseClean(parseTcp, TCP);
    expect(listening).toMatchObject({
      state: "LISTEN",
      localPort: 2024,
      txQueueBytes: undefined,
      rxQueueBytes: undefined,
    });
    expect(timeWait).toMatchObject({ state: "TIME_WAIT", timer: 3, inode: 0 });
    expect(established).toMatchObject({ txQueueBytes: 249_280, rxQueueBytes: 100_000, timer: 4, inode: 15_149 });
  });

  it("takes no column for drops", () => {
    expect(parseClean(parseTcp, TCP).map(({ drops }) => drops)).toEqual([undefined, undefined, undefined]);
  });

  it("keeps a state that is yet to come", () => {
    expect(parseClean(parseTcp, TCP.replace(" 01 ", " 1F "))[2]).toMatchObject({ state: "UNKNOWN(31)", inode: 15_149 });
  });

  const text = live("/proc/net/tcp");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    expect(parseClean(parseTcp, text as string)).toHaveLength((text as string).trimEnd().split("\n").length - 1);
  });
});

describe("parseRaw()", () => {
  itIsRobust("parseRaw", RAW, parseRaw);

  it("gives the protocol as the local port, and drops", () => {
    expect(parseClean(parseRaw, RAW)).toMatchObject([{
      localPort: 1,
      rxQueueBytes: 212_992,
      drops: 39_744,
      inode: 19_726,
    }]);
  });
});
