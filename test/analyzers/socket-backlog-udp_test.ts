import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText, udpText } from "./_bundle.ts";
import { slabinfoText } from "./_kernel.ts";
import { itTellsAlone } from "./_sockets.ts";

const SS = "sos_commands/networking/ss_-peaonmi";
const SS_HEADER = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const LATER = "history/2026-01-01T00:00:05.000Z";

const hundred = (bytes: number, drops = 0): string => udpText(Array.from({ length: 100 }, () => ({ bytes, drops })));
const backlog = meminfoText({ SUnreclaim: 420 * MIB });
const owners = Array.from({ length: 100 }, (_, i) => `/proc/${500 + i}/fd/3 -> socket:[${1001 + i}]\n`).join("");
const statuses = Object.fromEntries(
  Array.from(
    { length: 100 },
    (_, i) => [`proc/${500 + i}/status`, `Name:\tfriend_push\nPid:\t${500 + i}\nRssAnon:\t 100 kB\n`],
  ),
);
const held = {
  "proc/meminfo": backlog,
  "proc/net/udp": hundred(4 * MIB, 10),
  "sos_commands/process/socket_owners": owners,
  ...statuses,
};

describe("socket-backlog-udp", () => {
  it("is confirmed when queues stay full and datagrams are dropped meanwhile", async () => {
    const report = await analyzeFiles({ ...held, [`${LATER}/proc/net/udp`]: hundred(4 * MIB, 20) });
    const finding = findingOf(report, "socket-backlog-udp");
    expect(finding).toMatchObject({
      confidence: "confirmed",
      material: true,
      bytes: { low: 400 * MIB, high: 400 * MIB },
    });
    expect(finding?.owners).toMatchObject([{ comm: "friend_push", pid: 500, count: 100, bytes: 400 * MIB }]);
    expect(finding?.evidence[0]?.because).toContain("no queue became shorter in 5 s");
    expect(finding?.remedies[0]?.commands).toEqual(["pkill -TERM -x friend_push"]);
    expect(report.verdict).toBe("cause-found");
  });

  itTellsAlone("socket-backlog-udp", held);

  it("tells by itself what is material on any host, and what the kernel counts besides it is not told without meminfo", async () => {
    const alone = async (bytes: number, files: { readonly [path: string]: string } = {}) =>
      (await analyzeFiles({ "proc/net/udp": hundred(bytes), ...files })).findings;
    expect(await alone(MIB)).toMatchObject([{ cause: "socket-backlog-udp", material: true }]);
    expect(await alone(MIB / 2)).toMatchObject([{ cause: "socket-backlog-udp", material: false }]);
    expect(await alone(0, { "proc/net/sockstat": "sockets: used 9\nUDP: inuse 5 mem 262144\n" })).toEqual([]);
  });

  it("is likely, not confirmed, with one snapshot, and where nothing comes to be read", async () => {
    for (const later of [{}, { [`${LATER}/proc/net/udp`]: held["proc/net/udp"] }]) {
      expect(findingOf(await analyzeFiles({ ...held, ...later }), "socket-backlog-udp")).toMatchObject({
        confidence: "likely",
        growthBytesPerSecond: null,
      });
    }
  });

  it("tells how far it can go, where ss tells the limit of each queue", async () => {
    const rows = (count: number): string =>
      SS_HEADER +
      Array.from({ length: count }, (_, i) =>
        `udp   UNCONN 4194304 0 127.0.0.1:${40_000 + i} 0.0.0.0:* ino:${1001 + i} sk:${1 + i} ` +
        "skmem:(r4194304,rb8388608,t0,tb212992,f0,w0,o0,bl0,d0)\n").join("");
    const told = async (count: number): Promise<string | undefined> =>
      findingOf(await analyzeFiles({ ...held, [SS]: rows(count) }), "socket-backlog-udp")?.evidence
        .find(({ path }) => path === SS)?.because;
    expect(await told(100)).toMatch(/8\.00 MiB: still filling; all 100 may be charged 800 MiB$/);
    expect(await told(99)).toMatch(/8\.00 MiB: still filling$/);
  });

  it("does not count what a multicast group's sockets have in common for each of them", async () => {
    // Linux 6.18: 50 sockets of one group on loopback, charged 45 MiB each; 102 MiB of memory went.
    const text = udpText(Array.from({ length: 50 }, () => ({ bytes: 45 * MIB })))
      .replaceAll(/0100007F:[0-9A-F]{4}/g, "010101EF:15B3");
    const group = { "proc/net/udp": text, "proc/meminfo": meminfoText({ SUnreclaim: 60 * MIB }, 24 * GIB, 64 * MIB) };
    const finding = findingOf(await analyzeFiles(group), "socket-backlog-udp");
    expect(finding?.bytes).toEqual({ low: 45 * MIB, high: 124 * MIB });
    expect(finding?.title).toContain("up to 124 MiB unread in 50 UDP sockets that have packets in common");
    const any = { ...group, "proc/net/udp": text.replaceAll("010101EF", "00000000") };
    expect(findingOf(await analyzeFiles(any), "socket-backlog-udp")?.bytes.low).toBe(45 * MIB);
    // Workers that share a port (SO_REUSEPORT) have packets of their own: what they are charged is there.
    const workers = { ...any, "proc/meminfo": meminfoText({ SUnreclaim: 2300 * MIB }, 24 * GIB) };
    expect(findingOf(await analyzeFiles(workers), "socket-backlog-udp")?.bytes.low).toBe(50 * 45 * MIB);
  });

  it("names who sent what a queueing discipline holds back, which is in no receive queue", async () => {
    // Linux 6.18: 40 sockets with 8 MiB each behind a tbf of 8 kbit/s.
    const text = udpText(Array.from({ length: 40 }, () => ({ bytes: 8_611_840 })))
      .replaceAll(/00000000:([0-9A-F]{8}) 00:/g, "$1:00000000 00:");
    const files = { "proc/meminfo": meminfoText({ SUnreclaim: 360 * MIB }), "proc/net/udp": text };
    const shaped = {
      ...files,
      "sos_commands/process/socket_owners": text.split("\n").slice(1, -1)
        .map((_, i) => `/proc/500/fd/${3 + i} -> socket:[${1001 + i}]\n`).join(""),
      "proc/500/status": "Name:\tshaper\nPid:\t500\nRssAnon:\t 100 kB\n",
    };
    const finding = findingOf(await analyzeFiles(shaped), "socket-backlog-udp");
    expect(finding).toMatchObject({
      title: "shaper (pid 500): 329 MiB sent from 40 UDP sockets and not gone out",
      confidence: "likely",
      bytes: { low: 40 * 8_611_840 },
      owners: [{ pid: 500, count: 40 }],
    });
    expect(finding?.remedies[0]?.commands[0]).toBe("nsenter -t 500 -n tc -s qdisc");
    // A packet a second leaves, at 8 kbit/s: that is no sender at work.
    const hardly = text.replace("00836800", "00835F00");
    const slow = await analyzeFiles({ ...shaped, [`${LATER}/proc/net/udp`]: hardly });
    expect(findingOf(slow, "socket-backlog-udp")).toMatchObject({ confidence: "likely", owners: [{ count: 40 }] });
    // As full as its send buffer lets it be, and still so later; what it did not receive meanwhile tells nothing of what it sent.
    const ss = (limit: number): string =>
      SS_HEADER +
      text.split("\n").slice(1, -1).map((_, i) =>
        `UNCONN 0 8611840 127.0.0.1:${40001 + i} 0.0.0.0:* ino:${
          1001 + i
        } sk:1 skmem:(r0,rb212992,t8611840,tb${limit},f0,w0,o0,bl0,d0)\n`
      ).join("");
    for (const [limit, confidence] of [[8_388_608, "confirmed"], [16_777_216, "likely"]] as const) {
      const listed = {
        ...shaped,
        [SS]: ss(limit),
        [`${LATER}/proc/net/udp`]: text.replaceAll(/ 0$/gm, " 9"),
      };
      expect(findingOf(await analyzeFiles(listed), "socket-backlog-udp")).toMatchObject({
        confidence,
        owners: [{ count: 40 }],
      });
    }
    // Linux 6.18: so it is where ARP gets no answer, and unres_qlen_bytes lets 4 MB wait for it.
    const waiting = findingOf(await analyzeFiles({ ...shaped, [SS]: ss(8_388_608) }), "socket-backlog-udp");
    expect(waiting?.remedies[1]?.text).toContain("a neighbour that does not answer (ip neigh: INCOMPLETE)");
    // One that sends: what was under way has left at the next look.
    const less = text.replaceAll("00836800", "00036800");
    const busy = await analyzeFiles({ ...shaped, [`${LATER}/proc/net/udp`]: less });
    expect(findingOf(busy, "socket-backlog-udp")).toBeUndefined();
  });

  it("is of sockets that the bundle does not show where the kernel counts as much for them", async () => {
    // Linux 6.18: a sosreport of 20 sockets in a namespace that `ip netns` does not list.
    const hidden = {
      "proc/meminfo": meminfoText({ SUnreclaim: 270 * MIB }, 24 * GIB),
      "proc/net/udp": udpText([]),
      "proc/net/sockstat": "TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 2\nUDP: inuse 0 mem 63232\n",
    };
    const finding = findingOf(await analyzeFiles(hidden), "socket-backlog-udp");
    expect(finding).toMatchObject({ confidence: "possible", material: true, bytes: { low: 247 * MIB } });
    expect(finding?.title).toContain("UDP sockets that this bundle does not show");
    expect((await analyzeFiles(hidden)).verdict).toBe("healthy");
    // So much of a small host is not called healthy, whoever looks for it.
    const small = { ...hidden, "proc/meminfo": meminfoText({ SUnreclaim: 270 * MIB }, 2 * GIB) };
    // Looked at once more, nobody has read; but without slabinfo it may be another tenant's slab.
    const later = { [`${LATER}/proc/net/sockstat`]: hidden["proc/net/sockstat"] };
    const sockstatFell = { [`${LATER}/proc/net/sockstat`]: hidden["proc/net/sockstat"].replace("63232", "53232") };
    const packets = {
      "proc/slabinfo": slabinfoText([
        { name: "kmalloc-512", size: 512, objects: 380_000 },
        { name: "skbuff_head_cache", size: 256, objects: 380_000 },
      ]),
    };
    for (const known of [small, { ...small, ...packets }]) {
      expect((await analyzeFiles(known)).verdict).toBe("insufficient-evidence");
    }
    for (
      const [confidence, files] of [
        ["likely", { ...hidden, ...packets, ...later }],
        ["possible", { ...hidden, ...later }],
        ["possible", { ...hidden, ...packets }],
        ["possible", { ...hidden, ...packets, ...sockstatFell }],
      ] as const
    ) expect(findingOf(await analyzeFiles(files), "socket-backlog-udp")?.confidence).toBe(confidence);
    // Kernels before 6.15 may count what no socket has any more, and which is nowhere.
    const phantom = { ...hidden, "proc/meminfo": meminfoText({}, 24 * GIB) };
    expect(findingOf(await analyzeFiles(phantom), "socket-backlog-udp")).toBeUndefined();
    // Shown, and read: nobody's fault.
    const read = {
      ...hidden,
      "proc/net/udp": udpText([{ bytes: 247 * MIB }]),
      [`${LATER}/proc/net/udp`]: udpText([{ bytes: 100 * MIB }]),
    };
    expect(findingOf(await analyzeFiles(read), "socket-backlog-udp")).toBeUndefined();
  });

  it("tells who else has a socket open, and ends all of them", async () => {
    const ss =
      `${SS_HEADER}UNCONN 0 0 127.0.0.1:40001 0.0.0.0:* users:(("kid",pid=502,fd=3),("parent",pid=500,fd=3),("systemd",pid=1,fd=9)) ino:1001 sk:1\n`;
    const shared = { ...held, "proc/net/udp": udpText([{ bytes: 400 * MIB }]), [SS]: ss };
    const { "sos_commands/process/socket_owners": _, ...files } = shared;
    const finding = findingOf(await analyzeFiles(files), "socket-backlog-udp");
    expect(finding?.owners[0]).toMatchObject({ pid: 500 });
    expect(finding?.owners[0]?.detail).toContain("which 1 other process has open, too (pid 502)");
    expect(finding?.remedies[0]?.commands).toEqual(["kill -TERM 500 502"]);
  });

  it("accuses nobody whose queues became shorter", async () => {
    const report = await analyzeFiles({ ...held, [`${LATER}/proc/net/udp`]: hundred(3 * MIB, 10) });
    expect(findingOf(report, "socket-backlog-udp")).toBeUndefined();
    expect(report.ruledOut.find(({ cause }) => cause === "socket-backlog-udp")?.because).toContain("so they are read");
  });

  it("is no more than possible where a reader that lags behind may take out as much as comes", async () => {
    // Linux 6.18: 40 queues of 900 datagrams, of which 20 are read and 20 come in turns, were as long to the byte 6 s later.
    const forty = udpText(Array.from({ length: 40 }, () => ({ bytes: 3_042_304, drops: 0 })));
    const LIST = "sos_commands/process/process_list";
    // What was read is charged until it is a quarter of the limit: r of ss is more than its Recv-Q then.
    const list = (charged: number): string =>
      SS_HEADER + Array.from(
        { length: 40 },
        (_, i) =>
          `udp UNCONN 3042304 0 127.0.0.1:${5001 + i} 0.0.0.0:* users:(("reader",pid=500,fd=${i + 3})) ino:${
            1001 + i
          } sk:${i + 1}\n skmem:(r${charged},rb8388608,t0,tb212992,f0,w0,o0,bl0,d0)\n`,
      ).join("");
    const bundle = (
      read: number,
      ticks: number,
      last = forty,
      listed = list(4_700_000),
    ): { [path: string]: string } => ({
      [SS]: listed,
      "proc/meminfo": backlog,
      "proc/net/udp": forty,
      [`${LATER}/proc/net/udp`]: last,
      "proc/net/snmp": "Udp: InDatagrams OutDatagrams\nUdp: 1000 1000\n",
      [`${LATER}/proc/net/snmp`]: `Udp: InDatagrams OutDatagrams\nUdp: ${1000 + read} 5000\n`,
      "sos_commands/process/socket_owners": Array.from(
        { length: 40 },
        (_, i) => `/proc/500/fd/${i + 3} -> socket:[${1001 + i}]\n`,
      ).join(""),
      "proc/500/status": "Name:\treader\nPid:\t500\nRssAnon:\t 100 kB\n",
      [LIST]: "500 (reader) S 1 1 1000 100 0\n",
      [`${LATER}/${LIST}`]: `500 (reader) S 1 1 1000 ${100 + ticks} 0\n`,
    });
    const report = await analyzeFiles(bundle(4000, 200));
    const finding = findingOf(report, "socket-backlog-udp");
    expect(report.verdict).toBe("healthy");
    expect(finding).toMatchObject({ confidence: "possible", material: false });
    expect(finding?.title).toContain("which may be read");
    expect(finding?.evidence[0]?.because).not.toContain("nobody reads");
    expect(finding?.remedies[0]?.commands.join()).not.toContain("kill");
    // A single one of them that is in hand is a little longer, of which hardly any datagram is missing.
    const inHand = udpText(
      Array.from({ length: 40 }, (_, i) => ({ bytes: 3_042_304 + (i === 3 ? 46_080 : 0), drops: 0 })),
    );
    expect((await analyzeFiles(bundle(4000, 200, inHand))).verdict).toBe("healthy");
    // Beside another's queues that are full they are not told.
    const full = udpText(
      Array.from({ length: 60 }, (_, i) => ({ bytes: i < 40 ? 3_042_304 : 4 * MIB, drops: i < 40 ? 0 : 9 })),
    );
    const both = findingOf(
      await analyzeFiles({ ...bundle(4000, 200, full), "proc/net/udp": full }),
      "socket-backlog-udp",
    );
    expect(both).toMatchObject({ material: true, owners: [{ count: 20, bytes: 80 * MIB }] });
    // Hardly anything was read on the whole host; who has them slept; or they filled. By no queue that was read, of a busy program beside a server that reads much
    // (Linux 6.18: 100 queues half filled, an innocent one's datagrams): r is what waits, or is not known.
    const longer = udpText(Array.from({ length: 40 }, () => ({ bytes: 3_100_000, drops: 0 })));
    for (
      const held of [
        bundle(30, 200),
        bundle(4000, 2),
        bundle(4000, 200, longer),
        bundle(4000, 200, forty, list(3_042_304)),
        bundle(4000, 200, forty, ""),
      ]
    ) {
      const sure = await analyzeFiles(held);
      expect(findingOf(sure, "socket-backlog-udp")).toMatchObject({ material: true });
      expect(sure.verdict).toBe("cause-found");
    }
  });

  it("takes a queue with room left for read late when its process reads others", async () => {
    const one = { ...held, "sos_commands/process/socket_owners": owners.replaceAll(/\/proc\/\d+/g, "/proc/500") };
    const before = udpText([{ bytes: 4 * MIB }, { bytes: 100 * MIB }]);
    const after = udpText([{ bytes: 1 * MIB }, { bytes: 101 * MIB }]);
    expect(
      findingOf(
        await analyzeFiles({ ...one, "proc/net/udp": before, [`${LATER}/proc/net/udp`]: after }),
        "socket-backlog-udp",
      ),
    ).toBeUndefined();
    // But for its own socket of control, of which it took the one datagram that was there.
    const many = (control: number): string =>
      udpText([{ bytes: control }, ...Array.from({ length: 99 }, () => ({ bytes: 1.5 * MIB }))]);
    const report = await analyzeFiles({ ...one, "proc/net/udp": many(768), [`${LATER}/proc/net/udp`]: many(0) });
    expect(findingOf(report, "socket-backlog-udp")).toMatchObject({
      material: true,
      owners: [{ pid: 500, count: 99 }],
    });
  });

  it("still names a full queue of a process that reads others", async () => {
    const one = { ...held, "sos_commands/process/socket_owners": owners.replaceAll(/\/proc\/\d+/g, "/proc/500") };
    const before = udpText([{ bytes: 4 * MIB }, { bytes: 100 * MIB, drops: 1 }]);
    const after = udpText([{ bytes: 1 * MIB }, { bytes: 100 * MIB, drops: 9 }]);
    const report = await analyzeFiles({ ...one, "proc/net/udp": before, [`${LATER}/proc/net/udp`]: after });
    expect(findingOf(report, "socket-backlog-udp")).toMatchObject({
      confidence: "confirmed",
      bytes: { high: 100 * MIB },
    });
  });

  it("does not make much of three sockets that are full to the default buffer", async () => {
    const report = await analyzeFiles({
      "proc/meminfo": backlog,
      "proc/net/udp": udpText([{ bytes: 212_992, drops: 5 }, { bytes: 212_992, drops: 5 }, {
        bytes: 212_992,
        drops: 5,
      }]),
    });
    expect(findingOf(report, "socket-backlog-udp")).toBeUndefined();
    expect(report.verdict).toBe("healthy");
  });

  it("is not sure of a queue that is seen once, with room left and no drop", async () => {
    const files = { "proc/meminfo": backlog, "proc/net/udp": udpText([{ bytes: 100 * MIB }]) };
    expect(findingOf(await analyzeFiles(files), "socket-backlog-udp")).toMatchObject({ confidence: "possible" });
  });

  it("weighs the same queues against the size of the host", async () => {
    const queues = udpText(Array.from({ length: 100 }, () => ({ bytes: 212_992, drops: 3 })));
    const small = { "proc/meminfo": meminfoText({ SUnreclaim: 40 * MIB }, 512 * MIB), "proc/net/udp": queues };
    const large = { "proc/meminfo": meminfoText({ SUnreclaim: 40 * MIB }, 128 * GIB), "proc/net/udp": queues };
    expect(findingOf(await analyzeFiles(small), "socket-backlog-udp")?.material).toBe(true);
    expect(findingOf(await analyzeFiles(large), "socket-backlog-udp")?.material).toBe(false);
  });

  it("says how to find an owner that the bundle does not name", async () => {
    const report = await analyzeFiles({ "proc/meminfo": backlog, "proc/net/udp": hundred(4 * MIB, 10) });
    expect(findingOf(report, "socket-backlog-udp")?.owners).toMatchObject([{
      pid: null,
      comm: "unknown",
      detail: expect.stringContaining("ss -uanp"),
    }]);
  });

  it("quotes a hostile process name for the shell", async () => {
    const evil = Object.fromEntries(
      Object.entries(statuses).map(([path, text]) => [path, text.replace("friend_push", "x;rm -rf /")]),
    );
    const finding = findingOf(await analyzeFiles({ ...held, ...evil }), "socket-backlog-udp");
    expect(finding?.remedies[0]?.commands).toEqual(["pkill -TERM -x 'x;rm -rf /'"]);
  });

  it("claims what does not fit into slab outside the accounts", async () => {
    const files = { ...held, "proc/meminfo": meminfoText({}, 8 * GIB, 410 * MIB) };
    const finding = findingOf(await analyzeFiles(files), "socket-backlog-udp");
    expect(finding?.claims).toEqual([
      { account: "slab-unreclaimable", bytes: { low: 20 * MIB, high: 20 * MIB } },
      { account: "unaccounted", bytes: { low: 380 * MIB, high: 380 * MIB } },
    ]);
  });

  it("is told by ss alone, of one family, without inodes", async () => {
    const rows = Array.from(
      { length: 100 },
      (_, i) => `UNCONN 4194304 0 0.0.0.0:${40000 + i} 0.0.0.0:* users:(("friend_push",pid=${500 + i},fd=3))\n`,
    ).join("");
    const text = `State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\nUNCONN 0 0 *:68 *:*\n${rows}`;
    const finding = findingOf(
      await analyzeFiles({ "proc/meminfo": backlog, "sos_commands/networking/ss_-peaonmi": text }),
      "socket-backlog-udp",
    );
    expect(finding).toMatchObject({ confidence: "likely", bytes: { low: 400 * MIB, high: 400 * MIB } });
    expect(finding?.owners).toMatchObject([{ comm: "friend_push", pid: 500, count: 100 }]);
    expect(finding?.evidence[0]?.text).toContain("UNCONN 4194304 0 0.0.0.0:40099");
  });

  it("is told of a socket that has no number", async () => {
    const row = `udp UNCONN ${300 * MIB} 0 0.0.0.0:514 0.0.0.0:* users:(("rsyslogd",pid=13,fd=3)) ino:0 sk:1\n`;
    const files = { "proc/meminfo": backlog, "sos_commands/networking/ss_-peaonmi": row };
    const report = await analyzeFiles(files);
    expect(findingOf(report, "socket-backlog-udp")).toMatchObject({ bytes: { low: 300 * MIB } });
  });

  it("is told by netstat alone, with inodes or without", async () => {
    const row = (rest: string): string =>
      `udp   ${300 * MIB}      0 0.0.0.0:514             0.0.0.0:*                           ${rest}\n`;
    for (
      const table of [
        `Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer\n${
          row("0          1818       13/rsyslogd          off (0.00/0/0)")
        }`,
        `Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n${
          row("13/rsyslogd")
        }`,
      ]
    ) {
      const report = await analyzeFiles({
        "proc/meminfo": meminfoText({ SUnreclaim: 400 * MIB }, 8 * GIB),
        "sos_commands/networking/netstat_-neopa": `Active Internet connections (servers and established)\n${table}`,
      });
      expect(findingOf(report, "socket-backlog-udp")).toMatchObject({
        confidence: "likely",
        owners: [{ pid: 13, comm: "rsyslogd", bytes: 300 * MIB }],
      });
    }
  });

  it("is not assessed without the socket table", async () => {
    const report = await analyzeFiles({ "proc/meminfo": backlog });
    expect(report.notAssessed.find(({ cause }) => cause === "socket-backlog-udp")).toMatchObject({
      missing: ["proc/net/udp"],
    });
  });
});
