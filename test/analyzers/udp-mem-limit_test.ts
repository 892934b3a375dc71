import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText, udpText } from "./_bundle.ts";
import { itNeeds, later, many, MIB, SS_HEADER } from "./_sockets.ts";

const CAUSE = "udp-mem-limit";
const SYSCTL = "sos_commands/kernel/sysctl_-a";
const sockstat = (pages: number): string =>
  `sockets: used 120\nTCP: inuse 3 orphan 0 tw 0 alloc 3 mem 1\nUDP: inuse 100 mem ${pages}\n`;
const queues = (drops: number, bytes = 2_110_924): string => udpText(many(100, () => ({ bytes, drops })));
const ss = SS_HEADER +
  many(
    100,
    (i) =>
      `udp UNCONN 2110924 0 127.0.0.1:${40_001 + i} 0.0.0.0:* users:(("friend_push",pid=${500 + i},fd=3)) ino:${
        1001 + i
      } sk:1 cgroup:/ <->
\t skmem:(r2110924,rb8388608,t0,tb212992,f0,w0,o0,bl0,d0)\n`,
  ).join("");
/** As held on Linux 6.18 with udp_mem 51200: 200 MiB. */
const held = {
  "proc/meminfo": meminfoText({ SUnreclaim: 230 * MIB }),
  "proc/net/udp": queues(0),
  "proc/net/sockstat": sockstat(51_328),
  [SYSCTL]: "net.ipv4.udp_mem = 51200\t68266\t102400\n",
  "sos_commands/networking/ss_-peaonmi": ss,
};

describe(CAUSE, () => {
  it("is a symptom of the backlog, confirmed by drops on sockets far below their own limit", async () => {
    const report = await analyzeFiles({ ...held, [`${later(1)}/proc/net/udp`]: queues(70) });
    expect(report.findings[0]?.cause).toBe("socket-backlog-udp");
    expect(findingOf(report, CAUSE)).toMatchObject({
      confidence: "confirmed",
      symptomOf: "socket-backlog-udp",
      claims: [],
      bytes: { high: 0 },
    });
    expect(findingOf(report, CAUSE)?.evidence.some(({ because }) => because.includes("not its own limit"))).toBe(true);
  });

  it("is likely with one snapshot", async () => {
    const report = await analyzeFiles(held);
    expect(findingOf(report, CAUSE)?.confidence).toBe("likely");
    // Each queue has room left, but all together have none: the backlog is no mere possibility.
    expect(report.findings[0]).toMatchObject({ cause: "socket-backlog-udp", confidence: "likely" });
  });

  it("is ruled out at half the limit, and with none used", async () => {
    for (const pages of [25_600, 0]) {
      const report = await analyzeFiles({
        ...held,
        "proc/net/udp": queues(0, 1000),
        "proc/net/sockstat": sockstat(pages),
        "sos_commands/networking/ss_-peaonmi": SS_HEADER,
      });
      expect(findingOf(report, CAUSE)).toBeUndefined();
    }
  });

  it("tells the phantom of kernels before 6.15 apart: no memory is used", async () => {
    const report = await analyzeFiles({
      ...held,
      "proc/net/udp": queues(0, 1000),
      "sos_commands/networking/ss_-peaonmi": SS_HEADER,
      "proc/net/sockstat": sockstat(524_288),
    });
    expect(findingOf(report, CAUSE)).toMatchObject({
      material: false,
      claims: [],
      symptomOf: null,
      title: expect.stringContaining("accounting error"),
    });
    expect(report.verdict).toBe("healthy");
  });

  // ss tells of the queues, too.
  const { "sos_commands/networking/ss_-peaonmi": _, ...withoutSs } = held;
  itNeeds(CAUSE, withoutSs, [SYSCTL, "proc/net/sockstat", "proc/net/udp"]);
});
