import { describe, expect, it } from "vitest";
import { parseNetstat, parseNetstatDatagrams, parseNetstatTcp } from "../../src/parsers/netstat.ts";
import { itIsRobust } from "./_context.ts";

const NETSTAT = `Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
tcp        0      0 0.0.0.0:2024            0.0.0.0:*               LISTEN      0          1049       -                    off (0.00/0/0)
tcp   6239465      0 127.0.0.1:53195         127.0.0.1:43792         ESTABLISHED 0          3107666    16167/tcp_backlog    off (0.00/0/0)
tcp6       0 115222 ::1:43606               ::1:53195               ESTABLISHED 1000       3109042    9/sshd: me@pts/0     probe (0.82/0/1)
udp        0      0 0.0.0.0:68              0.0.0.0:*                           0          15145      812/dhclient         off (0.00/0/0)
raw        0      0 0.0.0.0:1               0.0.0.0:*               7           0          15146      813/ping             off (0.00/0/0)
Active UNIX domain sockets (servers and established)
Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
unix  2      [ ACC ]     STREAM     LISTENING     6492      1/init               /run/a 77/b
unix  3      [ ]         STREAM     CONNECTED     6493      -                    
unix  2      [ ]         DGRAM                    6494      5/hog                @x
`;

describe("parseNetstat()", () => {
  itIsRobust("parseNetstat", NETSTAT, parseNetstat);

  it("reads who has which socket open", () => {
    expect(parseNetstat(NETSTAT).map(({ inode, pid, program }) => [inode, pid, program])).toEqual([
      [3_107_666, 16_167, "tcp_backlog"],
      [3_109_042, 9, "sshd: me@pts/0"],
      [15_145, 812, "dhclient"],
      [15_146, 813, "ping"],
      [6492, 1, "init"],
      [6494, 5, "hog"],
    ]);
  });

  it("takes nothing that a name pretends to be", () => {
    const evil = NETSTAT.replace("812/dhclient         off (0.00/0/0)", "812/x off (0.00/0/0) 1 2 3/y off (0");
    expect(parseNetstat(evil).find(({ inode }) => inode === 15_145)).toMatchObject({ pid: 812 });
    expect(parseNetstat(evil).some(({ inode }) => inode === 2)).toBe(false);
  });
});

describe("parseNetstatDatagrams() and parseNetstatTcp()", () => {
  itIsRobust("parseNetstatDatagrams", NETSTAT, parseNetstatDatagrams);
  itIsRobust("parseNetstatTcp", NETSTAT, parseNetstatTcp);

  it("reads queues of UDP and raw sockets, and whose they are", () => {
    expect(parseNetstatDatagrams(NETSTAT.replace("udp        0", "udp   212992"))).toMatchObject([
      {
        netid: "udp",
        recvQBytes: 212_992,
        local: "0.0.0.0:68",
        inode: 15_145,
        owners: [{ comm: "dhclient", pid: 812 }],
      },
      { netid: "raw", recvQBytes: 0, inode: 15_146, owners: [{ pid: 813 }] },
    ]);
  });

  it("reads netstat -anp, without inodes, and without root", () => {
    const text = `Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
udp   213312      0 0.0.0.0:514             0.0.0.0:*                           1234/rsyslogd
udp6       0      0 :::514                  :::*                                -
`;
    expect(parseNetstatDatagrams(text)).toMatchObject([
      { recvQBytes: 213_312, inode: undefined, owners: [{ comm: "rsyslogd", pid: 1234 }] },
      { recvQBytes: 0, local: ":::514", inode: undefined, owners: [] },
    ]);
  });

  it("reads rows that grep picked out, and refuses what is none", () => {
    // https://github.com/ossrs/srs/issues/4526
    const rows = "udp   9383168   2304 0.0.0.0:8001            0.0.0.0:*\nudp 212992 0 :::514 :::* 604/rsyslogd\n";
    expect(parseNetstatDatagrams(rows).map(({ recvQBytes, owners }) => [recvQBytes, owners[0]?.pid])).toEqual([
      [9_383_168, undefined],
      [212_992, 604],
    ]);
    expect(parseNetstatTcp(rows)).toEqual([]);
    expect(() => parseNetstatDatagrams("udp 0 packets received\n")).toThrow("no header");
  });

  it("reads queues of TCP, with the timer", () => {
    expect(parseNetstatTcp(NETSTAT)).toMatchObject([
      { state: "LISTEN", recvQBytes: undefined, sendQBytes: undefined, inode: 1049, owners: [] },
      { state: "ESTAB", recvQBytes: 6_239_465, inode: 3_107_666, owners: [{ comm: "tcp_backlog", pid: 16_167 }] },
      {
        state: "ESTAB",
        sendQBytes: 115_222,
        local: "::1:43606",
        owners: [{ comm: "sshd: me@pts/0", pid: 9 }],
        timer: "persist",
        retransmits: undefined,
      },
    ]);
    const again = "tcp 0 9 10.0.0.1:1 10.0.0.2:2 FIN_WAIT1 - on (12.80/7/0)\n";
    expect(parseNetstatTcp(`Proto Recv-Q\n${again}`)).toMatchObject([
      { state: "FIN-WAIT-1", owners: [], timer: "on", retransmits: 7 },
    ]);
  });

  it("gives a socket of two outputs once, as the last one has it", () => {
    const header = (columns: string): string =>
      `Active Internet connections (servers and established)\nProto Recv-Q Send-Q Local Address Foreign Address State ${columns}\n`;
    const udp = (recvQ: number, details: string): string => `udp ${recvQ} 0 0.0.0.0:514 0.0.0.0:* ${details}\n`;
    const text = header("PID/Program name") + udp(5, "1234/rsyslogd") + udp(7, "-") + header("User Inode") +
      udp(6, "0 99");
    expect(parseNetstatDatagrams(text)).toMatchObject([
      { recvQBytes: 7, owners: [], line: 4, ownersLine: 4 },
      { recvQBytes: 6, owners: [{ pid: 1234 }], line: 7, ownersLine: 3 },
    ]);
    const row = "tcp 9 0 10.0.0.1:1 10.0.0.2:2 CLOSE_WAIT 7/a\n";
    expect(parseNetstatTcp(header("PID/Program name") + row.repeat(3))).toHaveLength(3);
    expect(parseNetstatTcp((header("PID/Program name") + row.repeat(3)).repeat(2))).toHaveLength(3);
  });

  it("takes the folder away, that netstat leaves where a command line begins with a dot", () => {
    const row = "tcp 0 0 10.0.0.1:1 10.0.0.2:2 CLOSE_WAIT 27754/./tcp_backlog \n";
    expect(parseNetstatTcp(`Proto Recv-Q\n${row}`)[0]?.owners).toMatchObject([{ comm: "tcp_backlog", pid: 27_754 }]);
  });
});
