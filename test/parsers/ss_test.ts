import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseSs } from "../../src/parsers/ss.ts";
import { itIsRobust, parseClean, parseWithWarnings } from "./_context.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const SKMEM = "skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0)";

// iproute2 6.1 on 6.18, without the blanks at the lines' ends. The process is called a"b(,)x.
const FIXTURE = `Netid State     Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
nl    UNCONN    4352   0                  4:6783              *      sk=0 cb=0 groups=0x00000000\t skmem:(r4352,rb2097152,t0,tb65536,f0,w0,o0,bl0,d0)
p_raw UNCONN    0      0                  *:*                *      users:(("a"b(,",pid=6740,fd=15)) ino:15154 sk:c
\tver:0 cpy_thresh:0 flags( running )
\tring_rx(blk_size:65536,blk_nr:4,frm_size:2048,frm_nr:128,tmo:0,features:0x0) ${SKMEM}
u_str LISTEN    0      1        /tmp/so ck1 15153            * 0     users:(("a"b(,",pid=6740,fd=14))\t ${SKMEM} <-> ino:2146312 dev:0/65024 peers:
u_str ESTAB     0      6400               * 15150            * 15151 users:(("a"b(,",pid=6740,fd=11))\t skmem:(r0,rb212992,t6400,tb212992,f0,w0,o0,bl0,d0) <->
u_dgr UNCONN    0      0          @abs name 15152            * 0     users:(("a"b(,",pid=6740,fd=13))\t ${SKMEM} <->
raw   UNCONN    0      0            0.0.0.0:1          0.0.0.0:*     users:(("a"b(,",pid=6740,fd=16))
udp   UNCONN    115200 0          127.0.0.1:51560      0.0.0.0:*     users:(("a"b(,",pid=6740,fd=5)) uid:33 ino:15145 sk:13 cgroup:/ <->
\t skmem:(r115200,rb212992,t0,tb212992,f3584,w0,o0,bl0,d1742)
udp   UNCONN    2304   0              [::1]:58662         [::]:*     users:(("a"b(,",pid=6740,fd=6)) ino:15146 sk:16 cgroup:/ v6only:1 <->
\t skmem:(r2304,rb212992,t0,tb212992,f1792,w0,o0,bl0,d0)
tcp   LISTEN    3      128          0.0.0.0:2024       0.0.0.0:*     ino:1049 sk:17 cgroup:/ <->
\t skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0) bbr cwnd:10
tcp   TIME-WAIT 0      0          127.0.0.1:37791    127.0.0.1:42128 timer:(timewait,16sec,0) ino:0 sk:19
\t
tcp   ESTAB     100000 0          127.0.0.1:55023    127.0.0.1:50016 users:(("a"b(,",pid=6740,fd=9),("a"b(,",pid=6741,fd=9)) timer:(keepalive,16sec,0) ino:15149 sk:1a cgroup:/ <->
\t skmem:(r102496,rb131072,t0,tb3939840,f4000,w0,o0,bl0,d1) ts sack bbr wscale:10,10 rto:200 rtt:0.019/0.009 ato:80
`;

const row = (users: string): string => `udp UNCONN 0 0 0.0.0.0:1 0.0.0.0:* ${users} ino:9 sk:1\n\t ${SKMEM}\n`;

describe("parseSs()", () => {
  itIsRobust("parseSs", FIXTURE, parseSs);

  const sockets = parseClean(parseSs, FIXTURE);
  const at = (line: number) => sockets.find((socket) => socket.line === line);

  it.each([
    ["udp", "UNCONN 0 0 0.0.0.0:68 0.0.0.0:*\nUNCONN 0 0 127.0.0.1:323 0.0.0.0:*\n"],
    ["tcp", "UNCONN 0 0 0.0.0.0:4000 0.0.0.0:*\nLISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n"],
    // Raw sockets: a protocol stands for the port.
    [undefined, "UNCONN 0 0 0.0.0.0:255 0.0.0.0:*\nUNCONN 0 0 *:58 *:*\n"],
    [undefined, "ESTAB 0 0 10.0.0.1:5000 10.0.0.2:6000\n"],
    // Connections that one socket accepted share its port.
    ["tcp", "ESTAB 0 0 10.0.0.1:5000 10.0.0.2:6000\nESTAB 0 0 10.0.0.1:5000 10.0.0.2:6001\n"],
    [undefined, "ESTAB 0 0 10.0.0.1:5000 10.0.0.2:6000\nESTAB 0 0 10.0.0.1:5001 10.0.0.2:6000\n"],
    ["tcp", "ESTAB 0 9 10.0.0.1:5000 10.0.0.2:6000 timer:(on,204ms,0)\n"],
    ["tcp", "ESTAB 0 9 10.0.0.1:5000 10.0.0.2:6000\n\t skmem:(r0,rb1,t0,tb1,f0,w2304,o0,bl0,d0)\n"],
  ])("tells the family %s where it was asked for alone, as far as the sockets do", (netid, rows) => {
    const text = `State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n${rows}`;
    for (const socket of parseClean(parseSs, text)) expect(socket.netid).toBe(netid);
  });

  it("reads a UDP socket with its continuation line", () => {
    expect(at(10)).toEqual({
      netid: "udp",
      state: "UNCONN",
      recvQBytes: 115_200,
      sendQBytes: 0,
      local: "127.0.0.1:51560",
      peer: "0.0.0.0:*",
      inode: 15_145,
      uid: 33,
      owners: [{ comm: 'a"b(,', pid: 6740, fd: 5 }],
      ownersLine: 10,
      skmem: {
        rmemAllocBytes: 115_200,
        rcvbufBytes: 212_992,
        wmemAllocBytes: 0,
        sndbufBytes: 212_992,
        forwardAllocBytes: 3584,
        wmemQueuedBytes: 0,
        optmemBytes: 0,
        backlogBytes: 0,
        drops: 1742,
      },
      skmemLine: 11,
      lastReceivedMs: undefined,
      ringBytes: undefined,
      peerInode: undefined,
      waitingInodes: [],
      line: 10,
    });
  });

  it("reads which connections wait to be accepted at a listening unix socket", () => {
    const line =
      `u_str LISTEN 3 128 /run/x 17 * 0 users:(("a",pid=7,fd=3)) ${SKMEM} <-> ino:2 dev:0/26 peers: 21 0 22\n`;
    expect(parseClean(parseSs, line)).toMatchObject([{ inode: 17, recvQBytes: undefined, waitingInodes: [21, 22] }]);
    expect(at(6)?.waitingInodes).toEqual([]);
  });

  it("takes root's uid, which ss does not print, from a line that has the other details", () => {
    expect(at(12)).toMatchObject({ local: "[::1]:58662", inode: 15_146, uid: 0 });
    expect(at(9)).toMatchObject({ netid: "raw", inode: undefined, uid: undefined, skmem: undefined });
  });

  it("takes a unix socket's inode from its name, not its file's from the details", () => {
    expect(at(6)).toMatchObject({ local: "/tmp/so ck1", peer: "*", inode: 15_153, skmemLine: 6 });
    expect(at(7)).toMatchObject({ local: "*", inode: 15_150, sendQBytes: 6400, skmem: { wmemAllocBytes: 6400 } });
    expect(at(8)).toMatchObject({ netid: "u_dgr", local: "@abs name", inode: 15_152 });
  });

  it("leaves out a listening socket's queues, which count connections", () => {
    expect(at(14)).toMatchObject({ state: "LISTEN", recvQBytes: undefined, sendQBytes: undefined, inode: 1049 });
    expect(at(6)).toMatchObject({ state: "LISTEN", recvQBytes: undefined, sendQBytes: undefined });
  });

  it("reads a packet socket's ring, netlink's columns and several owners", () => {
    expect(at(3)).toMatchObject({ netid: "p_raw", inode: 15_154, ringBytes: 262_144, skmemLine: 5 });
    expect(at(2)).toMatchObject({ netid: "nl", local: "4:6783", peer: "*", inode: undefined, recvQBytes: 4352 });
    expect(at(18)?.owners).toEqual([{ comm: 'a"b(,', pid: 6740, fd: 9 }, { comm: 'a"b(,', pid: 6741, fd: 9 }]);
    expect(at(16)).toMatchObject({ state: "TIME-WAIT", inode: 0, skmem: undefined, skmemLine: undefined });
  });

  it("reads ss -O: all of a socket on one line", () => {
    const oneLine = parseClean(parseSs, FIXTURE.replaceAll("\n\t", " "));
    const withoutLines = (all: typeof sockets) =>
      all.map((socket) => ({ ...socket, line: 0, ownersLine: 0, skmemLine: 0 }));
    expect(withoutLines(oneLine)).toEqual(withoutLines(sockets));
    expect(oneLine[6]).toMatchObject({ netid: "udp", line: 8, skmemLine: 8 });
  });

  it("reads ss -uam, which has no Netid column", () => {
    const text = `State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess
UNCONN 115200 0          127.0.0.1:51560      0.0.0.0:*          
\t skmem:(r115200,rb212992,t0,tb212992,f3584,w0,o0,bl0,d0)       
`;
    expect(parseClean(parseSs, text)).toMatchObject([
      { netid: "udp", state: "UNCONN", local: "127.0.0.1:51560", owners: [], inode: undefined, uid: undefined },
    ]);
  });

  it("reads ss -0e, which has no State column", () => {
    const text = `Netid Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
p_raw 0      0                  *:*                *     ino:15154 sk:c
\tver:0 cpy_thresh:0 flags( running )
\tring_rx(blk_size:65536,blk_nr:4,frm_size:2048,frm_nr:128,tmo:0,features:0x0)
\tring_tx(blk_size:4096,blk_nr:2,frm_size:2048,frm_nr:4,tmo:0,features:0x0)
\tfanout(id:1,type:hash)
`;
    expect(parseClean(parseSs, text)).toMatchObject([{ state: undefined, ringBytes: 262_144 + 8192, inode: 15_154 }]);
  });

  it("reads iproute2 4.x: netlink's skmem on a line of its own, no backlog, no drops", () => {
    const text = `Netid  State      Recv-Q Send-Q Local Address:Port               Peer Address:Port              
nl     UNCONN     0      0         rtnl:kernel                   *                   sk=ffff88013a2f0800 cb=(null) groups=0x00000000
\t skmem:(r0,rb212992,t0,tb212992,f0,w0,o0)
u_str  ESTAB      0      0         * 19274                 * 19275               users:(("sshd",pid=1320,fd=4)) skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0)
udp    UNCONN     0      0         *:68                    *:*                   users:(("dhclient",pid=890,fd=6)) ino:16283 sk:ffff880035e3c000 <->
\t skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0)
`;
    const [nl, unix, udp] = parseClean(parseSs, text);
    expect(nl).toMatchObject({
      local: "rtnl:kernel",
      skmem: { backlogBytes: undefined, drops: undefined },
      skmemLine: 3,
    });
    expect(unix).toMatchObject({ inode: 19_274, skmem: { backlogBytes: 0, drops: undefined } });
    expect(udp).toMatchObject({ local: "*:68", inode: 16_283, owners: [{ comm: "dhclient", pid: 890, fd: 6 }] });
  });

  it("reads owners as iproute2 wrote them before 4.0", () => {
    // RHEL 7: github.com/RedHatInsights/insights-core insights/parsers/netstat.py, class SsTUPNA
    const text = `Netid  State      Recv-Q Send-Q     Local Address:Port       Peer Address:Port
tcp    UNCONN     0      0                      *:68                    *:*      users:(("dhclient",1171,6))
tcp    LISTEN     0      100            127.0.0.1:25                    *:*      users:(("master",1326,13),("a"b",1327,14))
`;
    expect(parseClean(parseSs, text).map(({ owners }) => owners)).toEqual([
      [{ comm: "dhclient", pid: 1171, fd: 6 }],
      [{ comm: "master", pid: 1326, fd: 13 }, { comm: 'a"b', pid: 1327, fd: 14 }],
    ]);
  });

  it("keeps a socket with negative amounts, without them", () => {
    const { value, warnings } = parseWithWarnings(
      parseSs,
      "udp UNCONN -4294964992 2147483648 0.0.0.0:1 0.0.0.0:* ino:9 sk:1\n" +
        "\t skmem:(r4294966016,rb212992,t0,tb212992,f-4096,w0,o0,bl0,d4000000000)\n",
    );
    expect(value).toMatchObject([{
      recvQBytes: undefined,
      sendQBytes: undefined,
      skmem: { rmemAllocBytes: undefined, rcvbufBytes: 212_992, forwardAllocBytes: undefined, drops: 4_000_000_000 },
    }]);
    expect(warnings).toEqual([
      "1: Recv-Q is negative in the kernel: left out",
      "1: Send-Q is negative in the kernel: left out",
      "2: skmem r is negative in the kernel (4294966016): left out",
      "2: skmem f is negative in the kernel (-4096): left out",
    ]);
  });

  it.each([
    ['users:(("a b",pid=1,fd=3))', [{ comm: "a b", pid: 1, fd: 3 }]],
    ['users:(("",pid=1,fd=3))', [{ comm: "", pid: 1, fd: 3 }]],
    ['users:(("",pid=9,fd=9",pid=1,fd=3))', [{ comm: '",pid=9,fd=9', pid: 1, fd: 3 }]],
    ['users:(("",pid=9,fd=9),(",pid=1,fd=3))', [{ comm: '",pid=9,fd=9),(', pid: 1, fd: 3 }]],
    ['users:((" ino:7 uid:5",pid=1,fd=3))', [{ comm: " ino:7 uid:5", pid: 1, fd: 3 }]],
    ['users:((" users:((",pid=1,fd=3))', [{ comm: " users:((", pid: 1, fd: 3 }]],
    [`users:(("${"\\n".repeat(15)}",pid=1,fd=3))`, [{ comm: "\\n".repeat(15), pid: 1, fd: 3 }]],
    ['users:(("x",pid=1,tid=2,fd=3),("y",pid=4,fd=5))', [{ comm: "x", pid: 1, fd: 3 }, { comm: "y", pid: 4, fd: 5 }]],
    ['users:(("sshd",pid=1,proc_ctx=u:r:t:s0-s0:c0.c9,c11,fd=3))', [{ comm: "sshd", pid: 1, fd: 3 }]],
  ])("is not led astray by process names: %s", (users, owners) => {
    const [socket] = parseClean(parseSs, row(users));
    expect(socket).toMatchObject({ owners, inode: 9, uid: 0 });
  });

  it.each([
    "u_str ESTAB 0 8 /tmp/a <-> b 77 * 78 users:",
    "u_str ESTAB 0 8 /tmp/a\tskmem:(r1,rb1) 77 * 78 users:",
    "u_str ESTAB 0 8 /tmp/a skmem:(r1,rb1) 77 * 78 users:",
    "u_str ESTAB 0 8 Recv-Q 77 * 78 users:",
    "u_str ESTAB 0 8 @1 2 3 77 * 78 users:",
    "u_str ESTAB 0 8 @a 77 /run/peer name 78 users:",
  ])("is not led astray by the names of unix sockets: %j", (start) => {
    const [socket] = parseClean(parseSs, `${start}(("x",pid=1,fd=3))\t ${SKMEM} <->\n`);
    expect(socket).toMatchObject({
      inode: 77,
      owners: [{ pid: 1 }],
      skmem: { rmemAllocBytes: 0, rcvbufBytes: 212_992 },
    });
  });

  it("reads unix sockets whose names have line breaks, also where what follows one looks like other sockets", () => {
    const text = `u_seq LISTEN 20 500 @evil\nname 1\tx 77 * 0 users:(("a",pid=1,fd=3))\t ${SKMEM} <-> peers: 80\n` +
      'u_str ESTAB 900 0 @a\n\nu_str ESTAB 99999999 0 * 8 * 9 users:(("innocent",pid=5,fd=3))\nb 78 * 79 <->\n' +
      "u_str ESTAB 1 0 * 79 * 78 <->\n";
    expect(parseClean(parseSs, text)).toMatchObject([
      { local: "@evil\nname 1 x", inode: 77, owners: [{ pid: 1 }], waitingInodes: [80], line: 1 },
      { recvQBytes: 900, inode: 78, peerInode: 79, owners: [], line: 3 },
      { recvQBytes: 1, inode: 79, peerInode: 78, line: 7 },
    ]);
  });

  it("keeps what is below rows of unix sockets that were cut off", () => {
    const text =
      "u_str LISTEN 0 8 /run/one\nu_str LISTEN 0 8 /run/two\nu_str ESTAB 5 0 * 1057 * 1056 <->\n\t skmem:(r7)\n" +
      "u_str ESTAB 0 0 /run/three\n";
    const { value, warnings } = parseWithWarnings(parseSs, text);
    expect(value).toMatchObject([{ recvQBytes: 5, inode: 1057, skmem: { rmemAllocBytes: 7 }, line: 3 }]);
    expect(warnings.map((warning) => warning.slice(0, 2))).toEqual(["1:", "2:", "5:"]);
  });

  it("does not give a skipped socket's details to the one before it", () => {
    const { value, warnings } = parseWithWarnings(
      parseSs,
      `udp UNCONN 0 0 0.0.0.0:1 0.0.0.0:* ino:9 sk:1\nudp UNCONN zero 0 0.0.0.0:2 0.0.0.0:* ino:10\n\t ${SKMEM}\n`,
    );
    expect(value).toMatchObject([{ inode: 9, skmem: undefined }]);
    expect(warnings).toEqual([expect.stringMatching(/^2: not a socket: /)]);
  });

  it.each([
    ["timer:(on,204ms,3)", "on", 3],
    ["timer:(persist,3.064ms,5)", "persist", undefined],
    ["timer:(keepalive,1min51sec,0)", "keepalive", undefined],
    ["timer:(timewait,59sec,)", "timewait", undefined],
    ["timer:(on,204ms", "on", undefined],
  ])("reads %s", (word, timer, retransmits) => {
    expect(parseClean(parseSs, `tcp ESTAB 0 9 10.0.0.1:1 10.0.0.2:2 ${word}\n`)).toMatchObject([{
      timer,
      retransmits,
    }]);
  });

  it("does not take a number that was cut off", () => {
    const { value, warnings } = parseWithWarnings(parseSs, row("").replace("w0,o0,bl0,d0)\n", ""));
    expect(value).toMatchObject([{ inode: 9, skmem: undefined }]);
    expect(warnings).toEqual([expect.stringMatching(/^2: cut off: /)]);
  });

  it.each([
    ["names", (size: number) => `u_str LISTEN 0 1 ${"a 1 ".repeat(size)}`],
    ["owners", (size: number) => row(`users:(${'("x",pid=1,fd=1),'.repeat(size)}`)],
    ["pids", (size: number) => row(`users:((${'",pid='.repeat(size)}`)],
    ["descriptors", (size: number) => row(`users:(("x${",fd=".repeat(size)}`)],
    ["amounts", (size: number) => row("skmem:(" + "r1,".repeat(size) + ")")],
    ["details", (size: number) => row("skmem:(r1) ".repeat(size))],
    ["peers", (size: number) => row("peers: ".repeat(size))],
  ])("takes time in proportion to the length of a line of hostile %s", async (_, line) => {
    const times = await growth((size) => parseWithWarnings(parseSs, `Netid State\n${line(size)}`), 30_000);
    expect(times).toBeLessThan(IN_PROPORTION);
  });

  const HEADER = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process";
  const lists = (...texts: readonly (readonly string[])[]): string => texts.flat().map((line) => `${line}\n`).join("");

  it("gives a socket of two lists once, its queues as the later one has them and all else that either tells", () => {
    const text = lists(
      [`$ ss -tanpo`, HEADER, 'ESTAB 0 700 10.0.0.1:1 10.0.0.2:2 users:(("a",pid=7,fd=3)) timer:(on,204ms,3)'],
      [`$ ss -tnme`, HEADER, "ESTAB 0 700 10.0.0.1:1 10.0.0.2:2 uid:33 ino:9 sk:1", "\t skmem:(r0,rb1,t0,tb2,f0,w900)"],
      [HEADER, "CLOSE-WAIT 5 700 10.0.0.1:1 10.0.0.2:2", "CLOSE-WAIT 6 0 10.0.0.1:3 10.0.0.2:2"],
    );
    const [first, second, ...others] = parseClean(parseSs, text);
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      netid: "tcp",
      state: "CLOSE-WAIT",
      recvQBytes: 5,
      line: 9,
      owners: [{ pid: 7 }],
      ownersLine: 3,
      inode: 9,
      uid: 33,
    });
    // What was told of a queue of another length is not of this one.
    expect(first).toMatchObject({ skmem: undefined, timer: undefined, retransmits: undefined });
    expect(second).toMatchObject({ recvQBytes: 6, line: 10, owners: [], ownersLine: undefined });
    const [same] = parseClean(parseSs, text.replace("CLOSE-WAIT 5 ", "CLOSE-WAIT 0 "));
    expect(same).toMatchObject({ line: 9, skmem: { wmemQueuedBytes: 900 }, skmemLine: 7, timer: "on", retransmits: 3 });
  });

  it("tells sockets with the same addresses apart: by their inodes, and by how many each list has", () => {
    const udp = (inodes: readonly number[]): string[] =>
      inodes.map((inode) => `udp UNCONN ${inode} 0 0.0.0.0:53 0.0.0.0:* ${inode === 0 ? "" : `ino:${inode} sk:1`}`);
    const inodes = (...texts: readonly (readonly number[])[]): (number | undefined)[] =>
      parseClean(parseSs, lists(...texts.map((each) => [`Netid ${HEADER}`, ...udp(each)]))).map(({ inode }) => inode);
    expect(inodes([4, 5, 6], [6, 4, 7])).toEqual([5, 6, 4, 7]);
    expect(inodes([0, 0, 0], [0, 0, 0])).toEqual([undefined, undefined, undefined]);
    expect(inodes([0, 0], [0, 0, 0])).toHaveLength(3);
    expect(inodes([0, 0], [4, 5])).toEqual([4, 5]);
    expect(inodes([4, 5], [0, 0])).toEqual([4, 5]);
    // A connection without a process has 0, however many there are.
    const closed = (port: number): string => `tcp TIME-WAIT 0 0 10.0.0.1:${port} 10.0.0.2:2 ino:0 sk:1`;
    const text = lists([`Netid ${HEADER}`, closed(1), closed(2)], [`Netid ${HEADER}`, closed(2), closed(3)]);
    expect(parseClean(parseSs, text).map(({ local }) => local)).toEqual(["10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3"]);
  });

  it("knows whether a list names processes: of one that has none nobody is told", () => {
    const [first, second] = parseClean(parseSs, row('users:(("a",pid=7,fd=3))') + row("").replace(":1 ", ":2 "));
    expect([first?.ownersLine, second?.ownersLine]).toEqual([1, 3]);
    expect(parseClean(parseSs, row(""))[0]?.ownersLine).toBeUndefined();
  });

  it.each([
    ["tcp", "$ ss -tn"],
    ["tcp", "# /usr/sbin/ss -H -np --tcp state established"],
    ["udp", "$ watch -n1 ss -aun"],
    ["raw", "$ ss -wa"],
    ["tcp", "$ ss -naA tcp"],
    ["udp", "$ ss --query udp"],
    [undefined, "$ ss -n -A inet"],
    [undefined, "$ ss -n"],
    [undefined, "$ ss -n | grep -t"],
    [undefined, "$ pass -t"],
  ])("takes the family %s from the command line: %s", (netid, command) => {
    const text = lists([command, HEADER, "ESTAB 0 0 10.0.0.1:5000 10.0.0.2:6000"]);
    expect(parseClean(parseSs, text)).toMatchObject([{ netid, line: 3 }]);
    // What was asked for before is not what this list has.
    expect(parseClean(parseSs, `${text}${lists([HEADER, "ESTAB 0 0 10.0.0.1:1 10.0.0.2:2"])}`)[1]?.netid)
      .toBeUndefined();
  });

  it("warns of what is in a list of one family that is not told", () => {
    const text = lists([HEADER, "ESTAB 0 0 10.0.0.1:1 10.0.0.2:2", "ESTAB 5 0 10.0.0.1:3 10.0.0.2:2"]);
    const { value, warnings } = parseWithWarnings(parseSs, text);
    expect(value).toHaveLength(2);
    expect(warnings).toEqual([expect.stringMatching(/^3: a list of one family, .* 2 sockets hold is not counted/)]);
  });

  const SAME = "UNCONN 1 0 0.0.0.0:9999 0.0.0.0:*\n";
  it.each([
    ["lists", (size: number) => `$ ss -u\n${SAME}`.repeat(size)],
    ["sockets", (size: number) => SAME.repeat(size) + `${HEADER}\n` + SAME.repeat(size)],
    ["commands", (size: number) => `$ ${" ss -t".repeat(size)}\n${SAME}`],
  ])("takes time in proportion to the number of hostile %s", async (_, text) => {
    expect(await growth((size) => parseWithWarnings(parseSs, text(size)), 8000)).toBeLessThan(IN_PROPORTION);
  }, 60_000);

  it("reads details that a terminal or a mail program put on a line of their own", () => {
    const text = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n" +
      'UNCONN 4193280 0 127.0.0.1:46196 0.0.0.0:*\nusers:(("friend_push",pid=7,fd=3))\n' +
      "skmem:(r4193280,rb4194304,t0,tb212992,f1024,w0,o0,bl0,d3380)\n";
    expect(parseClean(parseSs, text)).toMatchObject([{
      owners: [{ comm: "friend_push", pid: 7 }],
      skmem: { rcvbufBytes: 4_194_304 },
    }]);
  });

  it("is empty for a header alone, but throws for an empty file", () => {
    expect(parseClean(parseSs, FIXTURE.split("\n", 1)[0] as string)).toEqual([]);
    expect(() => parseWithWarnings(parseSs, "")).toThrow(ParseError);
  });
});
