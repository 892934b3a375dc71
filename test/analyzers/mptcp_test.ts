/** MPTCP, as `ss` 6.1 and /proc/net/tcp told it on Linux 6.18 while 30 connections were not read. */
import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { GIB, later, many, MIB, SS_HEADER, tcpText } from "./_sockets.ts";

const RECV = "socket-backlog-tcp-recv";
const SEND = "socket-backlog-tcp-send";
const CONNECTIONS = 30;
const PORT = 41_869;

interface Held {
  /** In the receive queue of who does not read, and its limit. */
  readonly received: number;
  readonly limit: number;
  /** What is charged to who sends. */
  readonly sent: number;
  /** Of the connection that carries them. */
  readonly timer: number;
}

/** The connections that carry MPTCP: what they received is passed on, and a little of what is to be sent is with them. */
const carriers = ({ timer }: Held, tx = 973): string =>
  tcpText(
    many(CONNECTIONS, (i) => [
      { local: PORT, remote: 50_000 + i, inode: 1000 + i },
      { local: 50_000 + i, remote: PORT, tx, timer, inode: 2000 + i },
    ]).flat(),
  );

const carrier = (i: number, timer: number): string =>
  `tcp   ESTAB  0      973        127.0.0.1:${50_000 + i}      127.0.0.1:${PORT}   users:(("writer",pid=501,fd=${i}))${
    timer === 4 ? " timer:(persist,892ms,0)" : ""
  } ino:${2000 + i} sk:23c7 cgroup:/ <->
\t skmem:(r0,rb131072,t0,tb4194304,f2291,w1805,o0,bl0,d0) ts sack bbr lastsnd:12328 lastrcv:12584 notsent:973 tcp-ulp-mptcp flags:Mmec\n`;

const ss = ({ received, limit, sent, timer }: Held): string =>
  SS_HEADER + many(CONNECTIONS, (i) => carrier(i, timer)).join("") +
  many(
    CONNECTIONS,
    (i) =>
      `mptcp ESTAB  ${received}  0          127.0.0.1:${PORT}      127.0.0.1:${
        50_000 + i
      }   users:(("reader",pid=500,fd=${i})) ino:${1000 + i} sk:23f4 cgroup:/ <->
\t skmem:(r${received},rb${limit},t0,tb3943936,f832,w0,o0,bl0,d0) subflows_max:2 remote_key token:c7ef03e7 rcv_nxt:af1378829a10e59a
mptcp ESTAB  0      0          127.0.0.1:${
        50_000 + i
      }      127.0.0.1:${PORT}   users:(("writer",pid=501,fd=${i})) ino:${2000 + i} sk:23f3 cgroup:/ <->
\t skmem:(r0,rb131072,t0,tb4198400,f3704,w${sent},o0,bl0,d0) subflows_max:2 remote_key token:5c3a81b8 snd_una:a8debdd5f7396159\n`,
  )
    .join("");

const SS = "sos_commands/networking/ss_-peaonmi";
const bundleOf = (held: Held, accounted = 400 * MIB): { [path: string]: string } => ({
  "proc/meminfo": meminfoText({ SUnreclaim: 40 * MIB }, 8 * GIB, accounted),
  "proc/net/tcp": carriers(held),
  [`${later(1)}/proc/net/tcp`]: carriers(held),
  [SS]: ss(held),
});

const notRead: Held = { received: 8_086_528, limit: 8_388_608, sent: 4_219_272, timer: 4 };
const held: Held = { received: 84_224, limit: 131_072, sent: 4_219_272, timer: 4 };

describe("MPTCP", () => {
  it("names who does not read: what the carrying connections received is passed on to queues that ss alone tells", async () => {
    const report = await analyzeFiles(bundleOf(notRead));
    expect(report).toMatchObject({ verdict: "cause-found", findings: [{ cause: RECV, material: true }] });
    const bytes = CONNECTIONS * (notRead.received + notRead.sent);
    expect(findingOf(report, RECV)?.owners).toMatchObject([{ comm: "reader", pid: 500, bytes, count: CONNECTIONS }]);
  });

  it("names who sends, with the timer of the carrying connection, and who of this host does not read", async () => {
    const report = await analyzeFiles(bundleOf(held, 140 * MIB));
    const bytes = CONNECTIONS * (held.sent + held.received);
    expect(findingOf(report, SEND)).toMatchObject({
      confidence: "confirmed",
      material: true,
      owners: [{ comm: "writer", pid: 501, bytes, count: CONNECTIONS }],
    });
    expect(findingOf(report, SEND)?.title).toContain("reader");
    expect(findingOf(report, RECV)).toBeUndefined();
  });

  it("does so where ss is all there is", async () => {
    expect(findingOf(await analyzeFiles({ [SS]: ss(held) }), SEND)?.owners).toMatchObject([{ comm: "writer" }]);
  });

  it("accuses nobody of what is on its way", async () => {
    const moving = { ...held, received: 0, timer: 1 };
    const report = await analyzeFiles({
      ...bundleOf(moving, 140 * MIB),
      [`${later(1)}/proc/net/tcp`]: carriers(moving, 512),
    });
    expect(report.findings.filter(({ cause }) => cause === SEND || cause === RECV)).toEqual([]);
  });
});
