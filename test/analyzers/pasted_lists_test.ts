/** Several lists of sockets in one paste, as people run `ss` and netstat one after the other. */
import { describe, expect, it } from "vitest";
import { defineAnalyzer } from "../../src/core/analyzer.ts";
import type { Report } from "../../src/core/report.ts";
import { type SocketOwner, socketOwners } from "../../src/computed/socket_owners.ts";
import { openArchive } from "../../src/bundle/open.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";
import {
  NETSTAT_TNAP,
  NETSTAT_TULPN,
  NETSTAT_UANPE,
  SS_ESTABLISHED,
  SS_TANP,
  SS_TANPE,
  SS_TN,
  SS_TNM,
  SS_TULPN,
  SS_UANME,
  SS_UANP,
  SS_XP,
} from "./_socket_lists.ts";
import { MIB } from "./_sockets.ts";

const UDP = "socket-backlog-udp";
const RECV = "socket-backlog-tcp-recv";
const SEND = "socket-backlog-tcp-send";
const UNIX = "socket-backlog-unix";
const SS = "sos_commands/networking/ss_-peaonmi";
const NETSTAT = "sos_commands/networking/netstat_-W_-neopa";
const UDP_BYTES = 36_864_000;
/** Unread in the two connections, and what waits to be sent to the one. */
const RECV_BYTES = 66_838_464 + 5001 + 16_137_295;
const PYTHON_UDP = { pid: 26830, comm: "python3", count: 1, bytes: UDP_BYTES };
const PYTHON_TCP = { pid: 26830, comm: "python3", count: 2, bytes: RECV_BYTES };
const meminfo = meminfoText({ SUnreclaim: 120 * MIB }, 512 * MIB, 200 * MIB);

async function paste(text: string): Promise<Report> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode(text);
  }
  return analyze(await openArchive(chunks(), { sources: presetSources(preset) }), preset);
}

/** A terminal's text. */
const terminal = (...commands: readonly (readonly [string, string])[]): string =>
  [["cat /proc/meminfo", meminfo], ...commands].map(([command, output]) => `$ ${command}\n${output}`).join("");

/** The same without its prompts. */
const outputs = (...texts: readonly string[]): string => [meminfo, ...texts].join("\n");

/** What the first owner holds: of the finding itself another one may have a part. */
const bytesOf = (report: Report, cause: string): number | undefined => findingOf(report, cause)?.owners[0]?.bytes;

describe("lists of sockets in one paste", () => {
  it.each([
    ["ss -tulpn, ss -tnap", terminal(["ss -tulpn", SS_TULPN], ["ss -tnap", SS_TANP])],
    ["ss -uanp, ss -tanp", terminal(["ss -uanp", SS_UANP], ["ss -tanp", SS_TANP])],
    ["ss -tanp, ss -uanp", terminal(["ss -tanp", SS_TANP], ["ss -uanp", SS_UANP])],
    ["without prompts", outputs(SS_UANP, SS_TANP)],
    ["right below each other", `${meminfo}${SS_TANP}${SS_UANP}`],
    ["the lists alone, the first without a prompt", `${SS_UANP}root@host:~# ss -tanp\n${SS_TANP}${meminfo}`],
    [
      "ss -s before",
      terminal(["ss -s", "Total: 24\nTCP:   7 (estab 3)\n"], ["ss -uanp", SS_UANP], ["ss -tnap", SS_TANP]),
    ],
    ["netstat -tulpn, netstat -tnap", terminal(["netstat -tulpn", NETSTAT_TULPN], ["netstat -tnap", NETSTAT_TNAP])],
    ["netstat -uanpe, netstat -tnap", terminal(["netstat -uanpe", NETSTAT_UANPE], ["netstat -tnap", NETSTAT_TNAP])],
    ["one of each", terminal(["ss -uanp", SS_UANP], ["netstat -tnap", NETSTAT_TNAP])],
  ])("are all read: %s", async (_, text) => {
    const report = await paste(text);
    expect(findingOf(report, UDP)?.owners).toMatchObject([PYTHON_UDP]);
    expect(findingOf(report, RECV)?.owners).toMatchObject([PYTHON_TCP]);
    expect(report.warnings.join("\n")).not.toContain("nothing tells which");
  });

  it("names who does not read where they are all there is, and the size of the host is not known", async () => {
    const report = await paste(`${SS_UANP}${SS_TANP}`);
    expect(report).toMatchObject({ verdict: "insufficient-evidence", ledger: null, host: { totalBytes: null } });
    // Below what is material on a host of a usual size.
    expect(findingOf(report, UDP)).toMatchObject({ material: false, owners: [PYTHON_UDP] });
    const claims = [{ account: "unaccounted", bytes: { low: RECV_BYTES, high: RECV_BYTES } }];
    expect(findingOf(report, RECV)).toMatchObject({ material: true, claims, owners: [PYTHON_TCP] });
  });

  it.each(
    [
      ["twice the same", [["ss -tanp", SS_TANP], ["ss -tanp", SS_TANP], ["ss -uanp", SS_UANP], ["ss -uanp", SS_UANP]]],
      ["with inodes and without", [["ss -tanpe", SS_TANPE], ["ss -tanp", SS_TANP], ["ss -uanp", SS_UANP]]],
      ["without inodes and with", [["ss -tanp", SS_TANP], ["ss -tanpe", SS_TANPE], ["ss -uanp", SS_UANP]]],
      ["with owners and without", [["ss -tanp", SS_TANP], ["ss -tn", SS_TN], ["ss -uanp", SS_UANP]]],
      ["without a state", [["ss -uanp", SS_UANP], ["ss -tanp", SS_TANP], ["ss -tn state established", SS_ESTABLISHED]]],
      ["netstat's", [["netstat -tnap", NETSTAT_TNAP], ["netstat -tnap", NETSTAT_TNAP], [
        "netstat -tulpn",
        NETSTAT_TULPN,
      ], [
        "netstat -uanpe",
        NETSTAT_UANPE,
      ]]],
    ] as const,
  )("count a socket of two lists once: %s", async (_, commands) => {
    const report = await paste(terminal(...commands));
    expect(findingOf(report, UDP)?.owners).toMatchObject([PYTHON_UDP]);
    expect(findingOf(report, RECV)?.owners).toMatchObject([PYTHON_TCP]);
  });

  // openjdk/jdk8u-dev#267: netstat -pant | egrep CLOSE_WAIT
  it.each([
    [
      "netstat -pant | egrep CLOSE_WAIT",
      "tcp6     204      0 10.171.12.150:8443      10.171.12.184:56834     CLOSE_WAIT  31014/java\n",
    ],
    [
      "ss -tanp | grep CLOSE",
      'CLOSE-WAIT 204 0 10.171.12.150:8443 10.171.12.184:56834 users:(("java",pid=31014,fd=7))\n',
    ],
  ])("rule nobody out by rows that grep picked out: %s", async (command, row) => {
    const picked = await paste(terminal([command, row]));
    const whole = await paste(
      terminal(["ss -tanp", `State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n${row}`]),
    );
    for (const cause of [RECV, SEND]) {
      expect(picked.notAssessed).toContainEqual(expect.objectContaining({ cause, howToCapture: ["ss -peaonmi"] }));
    }
    if (row.startsWith("CLOSE")) expect(whole.ruledOut.map(({ cause }) => cause)).toContain(RECV);
  });

  it("rule nobody out by a list of connected sockets alone, which ss gives without -a", async () => {
    const title = "Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n";
    const connected = "0      0      10.0.0.5:41850 10.0.0.2:53\n";
    const ruledOut = async (command: string, list: string) =>
      (await paste(terminal([command, list]))).ruledOut.map(({ cause }) => cause);
    for (const list of [title, title + connected]) {
      const found = await ruledOut("ss -um", list);
      for (const cause of [UDP, UNIX, "packet-ring"]) expect(found).not.toContain(cause);
    }
    // Nor by one of other families, or of one state alone.
    for (const [command, list] of [["ss -xlp", `Netid State ${title}`], ["ss -0", `Netid ${title}`]] as const) {
      const found = await ruledOut(command, list);
      for (const cause of [UNIX, "packet-ring"]) expect(found).not.toContain(cause);
    }
    const unix = `Netid State  ${title}u_str ESTAB  0      0      * 7 * 8\n`;
    expect(await ruledOut("ss -x", unix)).toContain(UNIX);
    expect(await ruledOut("ss -x", unix)).not.toContain("packet-ring");
    const all = `State  ${title}ESTAB  ${connected}UNCONN 0      0      0.0.0.0:68 0.0.0.0:*\n`;
    expect(await ruledOut("ss -uam", all)).toContain(UDP);
  });

  // https://github.com/ossrs/srs/issues/4526
  it("tell of full queues, whatever else was not picked", async () => {
    const rows = Array.from({ length: 30 }, () => "udp   11544832      0 0.0.0.0:8001            0.0.0.0:*\n").join("");
    const report = await paste(rows);
    expect(findingOf(report, UDP)).toMatchObject({
      title: "an unknown process: 330 MiB unread in 30 UDP sockets",
      confidence: "likely",
    });
  });

  it("put together what each tells: what a socket is charged, and who has it", async () => {
    const report = await paste(terminal(["ss -tnm", SS_TNM], ["ss -tanp", SS_TANP], ["ss -uanme", SS_UANME]));
    expect(bytesOf(report, RECV)).toBe(67_025_664 + 5832 + 16_341_967);
    expect(findingOf(report, RECV)?.evidence.some(({ text }) => text.includes("rb67108864"))).toBe(true);
    expect(findingOf(report, UDP)?.evidence.some(({ text }) => text.includes("rb50331648"))).toBe(true);
  });

  it("are cited by the lines that they have in their part", async () => {
    const report = await paste(terminal(["ss -uanp", SS_UANP], ["ss -tanp", SS_TANP]));
    expect(findingOf(report, UDP)?.evidence).toContainEqual(
      expect.objectContaining({ path: SS, line: 3, text: expect.stringContaining("UNCONN 36864000 0") }),
    );
    expect(findingOf(report, RECV)?.evidence).toContainEqual(
      expect.objectContaining({ path: SS, line: 10, text: expect.stringContaining("ESTAB      66838464 0") }),
    );
    const netstat = await paste(terminal(["netstat -tulpn", NETSTAT_TULPN], ["netstat -tnap", NETSTAT_TNAP]));
    expect(findingOf(netstat, RECV)?.evidence).toContainEqual(
      expect.objectContaining({ path: NETSTAT, line: 12, text: expect.stringContaining("tcp   66838464") }),
    );
  });

  it("tell a queue as the last one has it", async () => {
    const last = (queue: string) =>
      paste(terminal(["ss -tanp", SS_TANP], ["ss -tn", SS_TN.replace("66838464", queue)]));
    const grown = await last("67000000");
    expect(findingOf(grown, RECV)?.evidence).toContainEqual(
      expect.objectContaining({ path: SS, line: 13, text: expect.stringMatching(/^ESTAB +67000000 /) }),
    );
    expect(findingOf(grown, RECV)?.owners).toMatchObject([{ pid: 26830 }]);
    expect(findingOf(await last("0       "), RECV)).toBeUndefined();
  });

  it("name the owner by the line that does", async () => {
    const found: SocketOwner[] = [];
    const analyzer = defineAnalyzer({
      id: "owners",
      title: "",
      mechanism: "",
      lookAlikes: "",
      references: [],
      needs: { socketOwners },
      uses: {},
      analyze: ({ socketOwners: owners }) => {
        found.push(...owners.values());
        return { ruledOut: "" };
      },
    });
    await analyzeFiles({ [SS]: `${SS_UANP}$ ss -un\n${SS_UANP.replaceAll(/users:\S+/g, "")}` }, [analyzer]);
    expect(found).toMatchObject([{ pid: 26830, line: 2 }, { pid: 26830, line: 3 }]);
  });

  it("do not take a list without owners for one of connections that nobody accepted", async () => {
    const report = await paste(terminal(["ss -tulpn", SS_TULPN], ["ss -tn", SS_TN]));
    expect(bytesOf(report, RECV)).toBe(RECV_BYTES);
    expect(findingOf(report, RECV)?.title).not.toContain("not accepted");
  });

  it("have unix sockets, too", async () => {
    const filled = SS_XP.replace("214016", "99214016");
    const report = await paste(terminal(["ss -tanp", SS_TANP], ["ss -xp", filled]));
    expect(findingOf(report, UNIX)?.owners).toMatchObject([{ pid: 26830 }]);
    const often = Array.from({ length: 9 }, () => ["ss -tanp", SS_TANP] as const);
    const without = await paste(terminal(...often));
    expect(without.notAssessed.map(({ cause }) => cause)).toContain(UNIX);
  });
});

describe("a list of one family", () => {
  const client =
    'State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\nESTAB 66838464 0 10.0.0.1:5000 10.0.0.2:443 users:(("a",pid=7,fd=3))\n';
  const bare = client.replace("State ", "").replace("ESTAB ", "");

  it.each([
    ["ss -tnp", RECV],
    ["sudo ss -tnp", RECV],
    ["/usr/sbin/ss -4 -t -np", RECV],
    ["ss --tcp -p", RECV],
    ["ss -npA tcp", RECV],
    ["ss --query=tcp -p", RECV],
    ["ss -tnp | head -u", RECV],
    ["ss -unp", UDP],
    ["ss -u -np", UDP],
    ["ss -np -A udp", UDP],
  ])("is of the one that %s asks for", async (command, cause) => {
    for (const text of [client, bare, client.replace(/.*\n/, "")]) {
      const report = await paste(terminal([command, text]));
      expect(bytesOf(report, cause)).toBe(66_838_464);
      expect(bytesOf(report, cause === UDP ? RECV : UDP)).toBeUndefined();
    }
  });

  it.each([
    ["where no command is shown", outputs(client)],
    ["where the command is another one", terminal(["cat ss.txt", client])],
  ])("is of none %s, which is said", async (_, text) => {
    const report = await paste(text);
    expect([RECV, SEND, UDP].map((cause) => bytesOf(report, cause))).toEqual([undefined, undefined, undefined]);
    expect(report.warnings).toContainEqual(expect.stringMatching(/ss_-peaonmi:\d+: a list of one family, and nothing/));
  });

  it("does not warn where it holds nothing", async () => {
    const report = await paste(outputs(client.replace("66838464", "0")));
    expect(report.warnings.join("\n")).not.toContain("a list of one family");
  });

  it("is known below a question for the password, and below complaints", async () => {
    const report = await paste(terminal(["sudo ss -unp", `[sudo] password for user: \n${client}`]));
    expect(bytesOf(report, UDP)).toBe(66_838_464);
  });

  it.each(["\t", ""])(
    "goes on below a line of details that is empty, as a closed connection has one: %j",
    async (details) => {
      const [header, ...rows] = SS_TNM.split("\n");
      const closed = `FIN-WAIT-2 0 0 127.0.0.1:5000 127.0.0.1:40080\n${details}`;
      const report = await paste(`${terminal(["ss -tnm", [header, closed, ...rows].join("\n")])}\nThank you, 3 4 5!\n`);
      expect(bytesOf(report, RECV)).toBe(67_025_664 + 5832 + 16_341_967);
      expect(report.warnings.join("\n")).not.toContain("not a socket");
    },
  );

  it("of a network namespace is none of the host's", async () => {
    const report = await paste(terminal(["ss -tanp", SS_TANP], ["ip netns exec blue ss -tanp", SS_TANP]));
    expect(bytesOf(report, RECV)).toBe(2 * RECV_BYTES);
  });
});

describe("sockstat without a list of sockets", () => {
  const counted = (pages: number): string =>
    `sockets: used 41023\nTCP: inuse 12 orphan 0 tw 1 alloc 40 mem 9\nUDP: inuse 12 mem ${pages}\n`;
  const uname = "Linux gw3 5.14.0-427.el9.x86_64 #1 SMP Wed Apr 10 10:29:16 EDT 2024 x86_64 x86_64 x86_64 GNU/Linux\n";

  it.each([
    ["alone: in pages of 4 KiB or more", counted(100_000), "UDP sockets have at least 391 MiB"],
    ["on x86, where a page has 4 KiB", `${uname}\n${counted(100_000)}`, "UDP sockets have 391 MiB"],
    ["beside meminfo", `${uname}\n${meminfo}\n${counted(50_000)}`, "UDP sockets have 195 MiB"],
  ])("tells how much waits in all of them: %s", async (_, text, title) => {
    const found = findingOf(await paste(text), UDP);
    expect(found?.title).toContain(title);
    expect(found).toMatchObject({ confidence: "possible", owners: [{ pid: null }] });
  });

  it("tells of TCP, whose queues may be those of either direction", async () => {
    const found = findingOf(await paste("sockets: used 9\nTCP: inuse 12 orphan 0 tw 1 alloc 40 mem 100000\n"), RECV);
    expect(found?.title).toContain("TCP sockets have at least 391 MiB in their queues, received or to be sent");
  });

  it("asks for the list where it is little, or more than there is room for", async () => {
    for (const text of [counted(47), `${uname}\n${meminfo}\n${counted(500_000)}`]) {
      const report = await paste(text);
      expect(findingOf(report, UDP)).toBeUndefined();
      expect(report.notAssessed).toContainEqual(expect.objectContaining({ cause: UDP, missing: ["proc/net/udp"] }));
    }
  });
});
