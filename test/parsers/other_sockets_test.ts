/** unix.ts, netlink.ts and packet.ts. */
import { describe, expect, it } from "vitest";
import { parseNetlink } from "../../src/parsers/netlink.ts";
import { parsePacket } from "../../src/parsers/packet.ts";
import { parseUnix } from "../../src/parsers/unix.ts";
import { itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

const UNIX = `Num       RefCount Protocol Flags    Type St Inode Path
00000000944703ec: 00000002 00000000 00010000 0001 01 15153 /tmp/so ck1
000000004b84854f: 00000003 00000000 00000000 0001 03   647
0000000051157210: 00000002 00000000 00000000 0002 01 15152 @abs name
ffff8881f2a5b400: 00000002 00000000 00000000 0005 03 1 1 01 1
`;
const NETLINK = `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
00000000e21f3a4a 0   0          00000000 0        0        0     2        0        4       
00000000d6f53da3 4   6783       00000000 4352     0        0     2        12       565     
0000000012345678 15  4294963201 00000001 0        0        0     2        0        900     
`;
const PACKET = `sk               RefCnt Type Proto  Iface R Rmem   User   Inode
00000000041bb2f3 3      3    0003   0     1 0      0      15154 
00000000041bb2f4 3      2    88cc   2     0 4352   101    15155 
`;

describe("parseUnix()", () => {
  itIsRobust("parseUnix", UNIX, parseUnix);

  it("reads type, state and path", () => {
    expect(parseClean(parseUnix, UNIX)).toEqual([
      {
        refCount: 2,
        type: "stream",
        state: "unconnected",
        listening: true,
        inode: 15_153,
        path: "/tmp/so ck1",
        line: 2,
      },
      { refCount: 3, type: "stream", state: "connected", listening: false, inode: 647, path: undefined, line: 3 },
      { refCount: 2, type: "dgram", state: "unconnected", listening: false, inode: 15_152, path: "@abs name", line: 4 },
      { refCount: 2, type: "seqpacket", state: "connected", listening: false, inode: 1, path: "1 01 1", line: 5 },
    ]);
  });

  it("reads paths with line breaks, and reports rows that are none", () => {
    const text = UNIX.replace("/tmp/so ck1", "/tmp/a\nb c");
    const { value, warnings } = parseWithWarnings(parseUnix, `${text}0000: cut\n`);
    expect(value.map(({ inode }) => inode)).toEqual([15_153, 647, 15_152, 1]);
    expect(value[0]?.path).toBe("/tmp/a\nb c");
    expect(warnings).toEqual(['7: not a unix socket: "0000: cut"']);
  });

  const text = live("/proc/net/unix");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    const rows = (text as string).split("\n").filter((line) => /^[0-9a-f]{16}: /.test(line));
    expect(parseClean(parseUnix, text as string)).toHaveLength(rows.length);
  });
});

describe("parseNetlink()", () => {
  itIsRobust("parseNetlink", NETLINK, parseNetlink);

  it("reads memory, drops and the owner's port", () => {
    expect(parseClean(parseNetlink, NETLINK)[1]).toEqual({
      protocol: 4,
      portId: 6783,
      isSubscribed: false,
      rmemBytes: 4352,
      wmemBytes: 0,
      drops: 12,
      inode: 565,
      line: 3,
    });
  });

  it("goes by the header's names: no Inode column before 3.10, Dump a pointer, new columns in between", () => {
    const text = "sk Eth Pid New Rmem Wmem Dump Locks Drops\n00 9 -4096 x 256 0 ffff8800 2 0\n";
    expect(parseClean(parseNetlink, text)).toMatchObject([
      { protocol: 9, portId: -4096, rmemBytes: 256, drops: 0, inode: undefined },
    ]);
  });

  it("keeps a socket whose memory is negative, without it", () => {
    const { value, warnings } = parseWithWarnings(parseNetlink, NETLINK.replace("4352", "-256"));
    expect(value[1]).toMatchObject({ portId: 6783, rmemBytes: undefined, wmemBytes: 0 });
    expect(warnings).toEqual(['3: Rmem is no count: "-256"']);
  });

  const text = live("/proc/net/netlink");
  it.skipIf(text === undefined)("reads every line of this machine's", () => {
    const sockets = parseClean(parseNetlink, text as string);
    expect(sockets).toHaveLength((text as string).trimEnd().split("\n").length - 1);
    expect(sockets.every(({ inode, rmemBytes }) => inode !== undefined && rmemBytes !== undefined)).toBe(true);
  });
});

describe("parsePacket()", () => {
  itIsRobust("parsePacket", PACKET, parsePacket);

  it("reads type, protocol, interface and memory", () => {
    expect(parseClean(parsePacket, PACKET)).toEqual([
      { type: "raw", protocol: 3, interfaceIndex: 0, running: true, rmemBytes: 0, uid: 0, inode: 15_154, line: 2 },
      {
        type: "dgram",
        protocol: 0x88cc,
        interfaceIndex: 2,
        running: false,
        rmemBytes: 4352,
        uid: 101,
        inode: 15_155,
        line: 3,
      },
    ]);
  });

  it("keeps rows after a malformed one", () => {
    const { value, warnings } = parseWithWarnings(parsePacket, PACKET.replace("15154", "x"));
    expect(value.map(({ inode }) => inode)).toEqual([15_155]);
    expect(warnings).toEqual([expect.stringMatching(/^2: not a row of the table: /)]);
  });

  const text = live("/proc/net/packet");
  it.skipIf(text === undefined)("reads this machine's", () => {
    expect(parseClean(parsePacket, text as string)).toHaveLength((text as string).trimEnd().split("\n").length - 1);
  });
});
