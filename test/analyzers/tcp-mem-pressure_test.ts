import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import { GIB, itNeeds, many, MIB, tcpText } from "./_sockets.ts";

const CAUSE = "tcp-mem-pressure";
const SYSCTL = "sos_commands/kernel/sysctl_-a";
const sockstat = (pages: number): string => `sockets: used 126\nTCP: inuse 102 orphan 0 tw 0 alloc 102 mem ${pages}\n`;
const unread = tcpText(many(50, (i) => ({ local: 80, remote: 43_000 + i, rx: 3_276_535, inode: 1000 + i, state: 8 })));
const unsent = tcpText(
  many(
    50,
    (i) => ({ local: 80, remote: 43_000 + i, tx: 3_276_535, inode: 1000 + i, timer: 4, remoteAddress: "0100000A" }),
  ),
);
/** As held on Linux 6.18 with tcp_mem 40000. */
const held = {
  "proc/meminfo": meminfoText({}, 8 * GIB, 180 * MIB),
  "proc/net/tcp": unread,
  "proc/net/sockstat": sockstat(40_806),
  "proc/net/netstat": "TcpExt: PruneCalled TCPAbortOnMemory TCPMemoryPressures\nTcpExt: 849 0 4\n",
  [SYSCTL]: "net.ipv4.tcp_mem = 30000\t40000\t60000\n",
};

describe(CAUSE, () => {
  it("is a symptom of what is not read here", async () => {
    const report = await analyzeFiles(held);
    expect(report.findings[0]?.cause).toBe("socket-backlog-tcp-recv");
    expect(findingOf(report, CAUSE)).toMatchObject({
      confidence: "confirmed",
      symptomOf: "socket-backlog-tcp-recv",
      claims: [],
    });
    expect(findingOf(report, CAUSE)?.evidence.map(({ because }) => because).join()).toContain("TCPMemoryPressures: 4");
  });

  it("is a symptom of what the peers do not read", async () => {
    expect(findingOf(await analyzeFiles({ ...held, "proc/net/tcp": unsent }), CAUSE)?.symptomOf).toBe(
      "socket-backlog-tcp-send",
    );
  });

  it("says when the limit itself is passed", async () => {
    expect(findingOf(await analyzeFiles({ ...held, "proc/net/sockstat": sockstat(60_500) }), CAUSE)?.title).toContain(
      "above its limit",
    );
  });

  it("is ruled out below, whatever happened since boot", async () => {
    for (const pages of [30_000, 0]) {
      expect(findingOf(await analyzeFiles({ ...held, "proc/net/sockstat": sockstat(pages) }), CAUSE)).toBeUndefined();
    }
  });

  // https://github.com/tempesta-tech/tempesta/issues/1763
  it("takes the kernel's word where nothing else tells, and no other program's", async () => {
    const log = (prefix: string): { [path: string]: string } => ({
      "sos_commands/kernel/dmesg": `${prefix}TCP: out of memory -- consider tuning tcp_mem\n`.repeat(2),
    });
    expect(findingOf(await analyzeFiles(log("[  179.636034] ")), CAUSE)).toMatchObject({
      title:
        "TCP as a whole was above its limit (tcp_mem): the kernel's log says so 2 times, and connections were reset for it",
      material: false,
      evidence: [{ line: 2 }],
    });
    const quoted = await analyzeFiles(log("Jan  5 02:12:02 host monitor: "));
    expect(findingOf(quoted, CAUSE)).toBeUndefined();
    // What is charged now tells more.
    const below = await analyzeFiles({ ...held, ...log("[  179.636034] "), "proc/net/sockstat": sockstat(0) });
    expect(below.ruledOut.map(({ cause }) => cause)).toContain(CAUSE);
  });

  itNeeds(CAUSE, held, [SYSCTL, "proc/net/sockstat", "proc/net/tcp"]);
});
