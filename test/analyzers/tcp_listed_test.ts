/** TCP queues where neither /proc/net/tcp nor tcp6 is there: of insights archives, supportconfigs and what people paste. */
import { describe, expect, it } from "vitest";
import type { Report } from "../../src/core/report.ts";
import { openArchive } from "../../src/bundle/open.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { analyzeFiles, findingOf, meminfoText, udpText } from "./_bundle.ts";
import { MIB, SS_HEADER, tcpText } from "./_sockets.ts";
import {
  ACCEPT_SS,
  CLOSED_NETSTAT,
  READ_NETSTAT,
  RECV_SS,
  SEND_NETSTAT,
  SEND_NETSTAT_TIMERS,
  SEND_SS_MEMORY,
  SEND_SS_TIMERS,
  SLOW_SS,
} from "./_tcp_listings.ts";

const RECV = "socket-backlog-tcp-recv";
const SEND = "socket-backlog-tcp-send";
const SS = "sos_commands/networking/ss_-peaonmi";
const NETSTAT = "sos_commands/networking/netstat_-neopa";
const meminfo = meminfoText({ SUnreclaim: 40 * MIB }, 512 * MIB, 60 * MIB);

const on = (files: { readonly [path: string]: string }): Promise<Report> =>
  analyzeFiles({ "proc/meminfo": meminfo, ...files });
const netstatRow = (rest: string): string =>
  `Active Internet connections (servers and established)\nProto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n${rest}`;

describe("TCP queues that ss or netstat alone lists", () => {
  it.each([
    ["ss -tnap", RECV, { [SS]: RECV_SS }, "possible", 27680, "tcp_reader", 16_118_358 + 15_987_339 + 2 * 131_019],
    ["ss -tmnp", SEND, { [SS]: SEND_SS_MEMORY }, "possible", 27755, "tcp_writer", 2 * (13_108_480 + 3712)],
    ["ss -tanpo", SEND, { [SS]: SEND_SS_TIMERS }, "likely", 27755, "tcp_writer", 2 * (7_234_560 + 2048)],
    ["netstat -anpt", SEND, { [NETSTAT]: SEND_NETSTAT }, "possible", 27755, "tcp_backlog", 2 * (7_234_560 + 2048)],
    ["netstat -neopa", SEND, { [NETSTAT]: SEND_NETSTAT_TIMERS }, "likely", 27755, "tcp_backlog", 14_473_216],
    ["netstat -anp", RECV, { [NETSTAT]: CLOSED_NETSTAT }, "likely", 27949, "tcp_backlog", 2 * 13_171_942],
    ["ss -tnap", RECV, { [SS]: ACCEPT_SS }, "possible", 27967, "tcp_reader", 15_331_926 + 15_200_907 + 2 * 131_019],
  ])("%s: %s", async (_, cause, files, confidence, pid, comm, bytes) => {
    const report = await on(files as { [path: string]: string });
    expect(findingOf(report, cause)).toMatchObject({
      confidence,
      material: true,
      owners: [{ pid, comm, count: 2, bytes }],
    });
    expect(findingOf(report, cause === RECV ? SEND : RECV)).toBeUndefined();
  });

  it("say who has not accepted, and that the other end has closed", async () => {
    expect(findingOf(await on({ [SS]: ACCEPT_SS }), RECV)?.title).toContain("of connections that it has not accepted");
    const closed = findingOf(await on({ [NETSTAT]: CLOSED_NETSTAT }), RECV);
    expect(closed?.title).toContain("of connections that the other end has closed");
    expect(closed?.evidence[0]).toMatchObject({ path: NETSTAT, line: 6 });
  });

  it("accuse no host whose readers read", async () => {
    const slow = await on({ [SS]: SLOW_SS });
    expect(findingOf(slow, RECV)?.confidence).toBe("possible");
    expect(slow.verdict).not.toBe("cause-found");
    const read = await on({ [NETSTAT]: READ_NETSTAT });
    expect(findingOf(read, RECV)).toBeUndefined();
    expect(read.ruledOut.find(({ cause }) => cause === RECV)?.because).toContain("3 TCP sockets hold 128 KiB");
  });

  const upload = netstatRow(
    "tcp        0 30000000 10.0.0.5:443            192.0.2.7:50000         ESTABLISHED 77/nginx: worker pr\n",
  );

  it("do not tell without timers whether uploads move", async () => {
    const report = await on({ [NETSTAT]: upload });
    expect(findingOf(report, SEND)).toBeUndefined();
    const { missing, howToCapture } = report.notAssessed.find(({ cause }) => cause === SEND) ?? {};
    expect(missing).toEqual([expect.stringMatching(/28\.6 MiB.*nginx: worker pr \(pid 77\)/)]);
    expect(howToCapture).toContain("ss -tanpmo");
    const listed = upload.replace("PID/Program name", "PID/Program name     Timer").replace(
      /\n$/,
      "    on (0.21/0/0)\n",
    );
    expect((await on({ [NETSTAT]: listed })).ruledOut.find(({ cause }) => cause === SEND)).toBeDefined();
  });

  it("are not counted twice: tables of /proc go before ss, and ss before netstat", async () => {
    const table = tcpText([{ local: 1, remote: 2, rx: 11 * MIB, inode: 5, state: 8, remoteAddress: "0100000A" }]);
    const all = await on({ "proc/net/tcp": table, [SS]: RECV_SS, [NETSTAT]: CLOSED_NETSTAT });
    expect(findingOf(all, RECV)?.bytes.high).toBe(11 * MIB);
    const both = await on({ [SS]: RECV_SS, [NETSTAT]: CLOSED_NETSTAT });
    expect(findingOf(both, RECV)?.owners).toMatchObject([{ pid: 27680, count: 2 }]);
    // One of UDP alone tells nothing of TCP; what the same line of both lists is not mixed up.
    const udp = `Netid State Recv-Q Send-Q Local Peer\n${
      [1, 2, 3].map((i) => `udp UNCONN 0 0 0.0.0.0:${i} 0.0.0.0:* users:(("named",pid=${i},fd=3))\n`).join("")
    }udp UNCONN 20000000 0 0.0.0.0:9 0.0.0.0:* users:(("named",pid=9,fd=3))\n`;
    const mixed = await on({ [SS]: udp, [NETSTAT]: CLOSED_NETSTAT });
    expect(findingOf(mixed, RECV)?.owners).toMatchObject([{ pid: 27949, count: 2 }]);
    expect(findingOf(mixed, "socket-backlog-udp")?.owners).toMatchObject([{ pid: 9 }]);
  });

  it("are not assessed where only listening sockets are listed, which count connections", async () => {
    const listening = RECV_SS.split("\n").filter((line) => !line.startsWith("ESTAB")).join("\n");
    const report = await on({ [SS]: listening, "proc/net/udp": udpText([]) });
    expect(report.notAssessed.map(({ cause }) => cause)).toEqual(expect.arrayContaining([RECV, SEND]));
    const full = await on({
      [SS]: `${SS_HEADER}tcp LISTEN 90000000 9 *:80 *:*\ntcp ESTAB 0 0 10.0.0.1:80 10.0.0.2:9\n`,
    });
    expect(findingOf(full, RECV)).toBeUndefined();
  });

  it("find the other end however its address is written", async () => {
    for (
      const [server, client] of [
        ["[::ffff:127.0.0.1]:80", "127.0.0.1:5000"],
        ["::ffff:127.0.0.1:80", "127.0.0.1:5000"],
        ["[::1]:http", "[::1]:5000"],
        ["::1:80", "::1:5000"],
        ["127.0.0.1%lo:80", "127.0.0.1:5000"],
      ] as const
    ) {
      const plain = server.replace("%lo", "").replace(/^\[?::ffff:([\d.]+)\]?/, "$1");
      const mapped = client.startsWith("127") && server.includes("ffff") ? `::ffff:${client}` : client;
      // iproute2 3.x: users:(("NAME",PID,FD))
      const text = `State      Recv-Q Send-Q        Local Address:Port          Peer Address:Port \n` +
        `ESTAB      2048   0      ${server}   ${mapped}   users:(("reader",7,3))\n` +
        `ESTAB      0      20000000      ${client}   ${plain}   users:(("writer",8,3))\n` +
        `CLOSE-WAIT 0      0      10.0.0.1:1   10.0.0.2:2   users:(("other",9,3))\n`;
      expect(findingOf(await on({ [SS]: text }), SEND)?.title, server).toMatch(
        /^writer \(pid 8\): 19\.1 MiB .*: reader \(pid 7\), on this host$/,
      );
    }
  });

  it("are all counted where netstat cuts their addresses off", async () => {
    const row = "tcp6 9000000      0 2001:db8:1111:2222::443 2001:db8:1111:222:5000 CLOSE_WAIT  31/java\n";
    expect(findingOf(await on({ [NETSTAT]: netstatRow(row.repeat(3)) }), RECV)).toMatchObject({
      bytes: { high: 27_000_000 },
      owners: [{ pid: 31, count: 3 }],
    });
  });

  it("are read from a paste with other things in it", async () => {
    const text = `It is slow again.\n\n$ cat /proc/meminfo\n${meminfo}\n$ sudo ss -tmnp\n${SEND_SS_MEMORY}\n` +
      `$ netstat -anpt\n${SEND_NETSTAT}\n`;
    const bytes = new TextEncoder().encode(text);
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    const report = analyze(await openArchive(chunks(), { sources: presetSources(preset) }), preset);
    expect(findingOf(report, SEND)?.owners).toMatchObject([{ pid: 27755, comm: "tcp_writer", count: 2 }]);
  });
});

describe("queues of network namespaces that ss alone lists", () => {
  const udp = `Netid ${RECV_SS.replace(/^(LISTEN|ESTAB)/gm, "tcp   $1")}` +
    'udp UNCONN 36864000 0 127.0.0.1:40514 0.0.0.0:* users:(("syslog",pid=9,fd=3))\n';
  const host = { "proc/net/udp": udpText([]), "proc/net/tcp": tcpText([]) };

  it.each(["namespaces/blue/ip_netns_exec_blue_ss_-peaonmi", "ip_netns_exec_blue_ss_-peaonmi"])(
    "are counted beside the host's tables: %s",
    async (name) => {
      const report = await on({ ...host, [`sos_commands/networking/${name}`]: udp });
      expect(findingOf(report, "socket-backlog-udp")?.owners).toMatchObject([{ pid: 9, bytes: 36_864_000 }]);
      expect(findingOf(report, RECV)?.owners).toMatchObject([{ pid: 27680, comm: "tcp_reader", count: 2 }]);
      expect(findingOf(report, RECV)?.evidence).toContainEqual(
        expect.objectContaining({ path: `sos_commands/networking/${name}`, line: 4 }),
      );
    },
  );

  it.each(["namespaces/blue/ip_netns_exec_blue_netstat_-W_-neopa", "ip_netns_exec_blue_netstat_-W_-neopa"])(
    "are counted where netstat alone lists them: %s",
    async (name) => {
      const text = `${SEND_NETSTAT_TIMERS.split("\nActive UNIX", 1)[0]}\n` +
        "udp   36864000      0 127.0.0.1:40514         0.0.0.0:*                           0          77         9/syslog   off (0.00/0/0)\n";
      const files = { [`sos_commands/networking/${name}`]: text };
      for (const tables of [host, {}, { [SS]: `${RECV_SS.split("\n", 1)[0]}\n` }]) {
        const report = await on({ ...tables, ...files });
        expect(findingOf(report, "socket-backlog-udp")?.owners).toMatchObject([{ pid: 9, bytes: 36_864_000 }]);
        expect(findingOf(report, SEND)?.owners).toMatchObject([{ pid: 27755, comm: "tcp_backlog", count: 2 }]);
      }
      const listed = { "sos_commands/networking/namespaces/blue/ip_netns_exec_blue_ss_-peaonmi": udp };
      const both = await on({ ...host, ...files, ...listed });
      expect(findingOf(both, "socket-backlog-udp")?.bytes.high).toBe(36_864_000);
      expect(findingOf(both, SEND)).toBeUndefined();
    },
  );

  it("are not counted twice where the namespace's own tables are there", async () => {
    const folder = "sos_commands/networking/namespaces/blue";
    const report = await on({
      ...host,
      [`${folder}/proc/net/udp`]: udpText([]),
      [`${folder}/proc/net/tcp`]: tcpText([]),
      [`${folder}/ss_-peaonmi`]: udp,
    });
    expect(findingOf(report, "socket-backlog-udp")).toBeUndefined();
    expect(findingOf(report, RECV)).toBeUndefined();
  });
});

describe("a list of listening sockets", () => {
  it("does not hide what netstat tells of connections", async () => {
    const listening =
      `Netid State Recv-Q Send-Q Local Peer\ntcp LISTEN 0 9 0.0.0.0:80 0.0.0.0:* users:(("a",pid=1,fd=3))\n`;
    const report = await on({ "sos_commands/networking/ss_-tulpn": listening, [NETSTAT]: CLOSED_NETSTAT });
    expect(findingOf(report, RECV)?.owners).toMatchObject([{ pid: 27949, count: 2 }]);
  });
});
