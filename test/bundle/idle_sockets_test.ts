import { describe, expect, it } from "vitest";
import { IdleSockets } from "../../src/bundle/_idle_sockets.ts";
import { openArchive } from "../../src/bundle/open.ts";
import type { Condenser } from "../../src/core/bundle.ts";
import type { ParseContext } from "../../src/core/source.ts";
import { parseSs } from "../../src/parsers/ss.ts";
import { parseTcp } from "../../src/parsers/tcp.ts";
import { parseUdp, udp } from "../../src/parsers/udp.ts";
import { tar, tarEntry } from "./_archive.ts";

const utf8 = new TextEncoder();
const context: ParseContext = { facts: {}, warn: (line, message) => expect.fail(`${line}: ${message}`) };

const HEADER =
  "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             \n";

function udpRow(n: number, inode: number, rx = 0): string {
  const slot = String(n).padStart(5);
  const queue = rx.toString(16).toUpperCase().padStart(8, "0");
  return `${slot}: 0100007F:C968 00000000:0000 07 00000000:${queue} 00:00000000 00000000     0        0 ${inode} 2 00000000257e59c1 0\n`;
}

function tcpRow(n: number, ends: string, inode: number, tx = 0, isV6 = false): string {
  const zeros = "0".repeat(24);
  const addresses = isV6 ? ends.replace(/(\w{8}):/g, `${zeros}$1:`) : ends;
  const queue = tx.toString(16).toUpperCase().padStart(8, "0");
  return `${
    String(n).padStart(4)
  }: ${addresses} 01 ${queue}:00000000 00:00000000 00000000  1000        0 ${inode} 1 ffff9c5 20 4 30 10 -1\n`;
}

function ssRow(inode: number, { recvQ = 0, r = 0, w = 0 }: { recvQ?: number; r?: number; w?: number } = {}): string {
  return `udp   UNCONN ${recvQ}      0          127.0.0.1:51560      0.0.0.0:*     users:(("friend",pid=6740,fd=5)) ino:${inode} sk:13 cgroup:/ <->\n` +
    `\t skmem:(r${r},rb212992,t0,tb212992,f3584,w${w},o0,bl0,d0)\n`;
}

/** What is left of a text that comes in pieces. */
function condense(condenser: Condenser | undefined, text: string, pieceBytes = 1000): string {
  const bytes = utf8.encode(text);
  const decoder = new TextDecoder();
  let left = "";
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    left += decoder.decode(condenser?.push(bytes.slice(at, at + pieceBytes)));
  }
  return left + decoder.decode(condenser?.end());
}

const silent = (): void => {};

describe("idle rows of /proc/net", () => {
  const rows = [udpRow(1, 11), udpRow(2, 12, 4608), udpRow(3, 13), udpRow(4, 14)];

  it.each([1, 7, 100, 10_000])("become empty lines, in pieces of %i bytes", (pieceBytes) => {
    let leftOut = 0;
    const condenser = new IdleSockets().condenser("proc/net/udp", (count) => leftOut = count);
    const left = condense(condenser, HEADER + rows.join(""), pieceBytes);
    expect(left).toBe(`${HEADER}\n${rows[1]}\n${rows[3]}`);
    expect(leftOut).toBe(2);
    expect(parseUdp(left, context).map(({ line, inode }) => [line, inode])).toEqual([[3, 12], [5, 14]]);
  });

  it("stay in later snapshots when the socket held something before: it was read", () => {
    const sockets = new IdleSockets();
    condense(sockets.condenser("proc/net/udp", silent), HEADER + rows.join(""));
    const later = HEADER + [udpRow(1, 11), udpRow(2, 12), udpRow(3, 13, 700), udpRow(4, 14)].join("");
    const left = condense(sockets.condenser("history/2026-01-01T00:00:00Z/proc/net/udp", silent), later);
    expect(parseUdp(left, context).map(({ inode }) => inode)).toEqual([12, 13, 14]);
  });

  it.each([["tcp", false], ["tcp6", true]])(
    "of %s stay when they are the other end of a connection that holds something",
    (name, isV6) => {
      const text = HEADER +
        tcpRow(1, "0100007F:0050 0100007F:9000", 21, 5000, isV6) +
        tcpRow(2, "0100007F:0050 0100007F:9001", 22, 0, isV6) +
        tcpRow(3, "0100007F:9000 0100007F:0050", 23, 0, isV6) +
        tcpRow(4, "0100007F:9001 0100007F:0050", 24, 0, isV6) +
        tcpRow(5, "0100007F:9002 0100007F:0050", 25, 0, isV6);
      const left = condense(new IdleSockets().condenser(`proc/1/net/${name}`, silent), text);
      expect(parseTcp(left, context).map(({ inode }) => inode)).toEqual([21, 23, 25]);
    },
  );

  it.each([["100000", "0"], ["4294967295", "123456789"]])(
    "are told by their inode where uid %s and timeout %s are wider than their columns",
    (uid, timeout) => {
      const wide = (row: string) => row.replace("     0        0 ", ` ${uid.padStart(5)} ${timeout.padStart(8)} `);
      const sockets = new IdleSockets();
      condense(sockets.condenser("proc/net/udp", silent), HEADER + wide(udpRow(1, 31, 700)) + udpRow(2, 32));
      const later = HEADER + [30, 31, 33, 34].map((inode, n) => wide(udpRow(n, inode))).join("");
      const left = condense(sockets.condenser("history/2026-01-01T00:00:00Z/proc/net/udp", silent), later);
      expect(parseUdp(left, context).map(({ inode }) => inode)).toEqual([31, 34]);
    },
  );

  it("are only those that are rows: the parser is to warn of the others", () => {
    const odd = "garbage\n    5: 0100007F:C968 07 00000000:00000000\n" + "x".repeat(300) + "\n";
    const left = condense(new IdleSockets().condenser("proc/net/udp", silent), HEADER + odd + rows.join(""));
    expect(left.startsWith(HEADER + odd)).toBe(true);
  });
});

describe("idle rows of ss", () => {
  it.each([1, 7, 100, 10_000])("become empty lines with their details, in pieces of %i bytes", (pieceBytes) => {
    const unix =
      'u_str ESTAB 0 0 * 31 * 32 users:(("a",pid=1,fd=1))\t\n\t skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0)\n';
    const text = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n" +
      [ssRow(41), ssRow(42, { recvQ: 700 }), ssRow(43, { r: 768 }), ssRow(44, { w: 9 }), unix, ssRow(45), ssRow(46)]
        .join("");
    const left = condense(
      new IdleSockets().condenser("sos_commands/networking/ss_-peaonmi", silent),
      text,
      pieceBytes,
    );
    const kept = parseSs(left, context);
    expect(kept.map(({ inode }) => inode)).toEqual([42, 43, 44, 31, 46]);
    const whole = parseSs(text, context);
    expect(kept).toEqual(whole.filter(({ inode }) => inode !== 41 && inode !== 45));
  });

  it("are told by what stands in the row where it has no details", () => {
    const text = [ssRow(41), ssRow(42, { r: 768 }), ssRow(43, { w: 9 }), ssRow(44)].join("").replaceAll("\n\t", "")
      .replaceAll(")\n\t", ")");
    const left = condense(new IdleSockets().condenser("sos_commands/networking/ss_-peaonmi", silent), text);
    expect(left.split("\n").map((line) => / ino:(\d+)/.exec(line)?.[1])).toEqual([
      undefined,
      "42",
      "43",
      "44",
      undefined,
    ]);
  });

  it("do not hide the inode of another one in a program's name", () => {
    const sockets = new IdleSockets();
    condense(sockets.condenser("proc/net/udp", silent), HEADER + udpRow(1, 52, 700) + udpRow(2, 53));
    const text = ssRow(51).replace('"friend"', '"a : b ino"') + ssRow(52).replace('"friend"', '":: ino"') + ssRow(53);
    const left = condense(sockets.condenser("sos_commands/networking/ss_-peaonmi", silent), text);
    expect(left).toBe(`\n\n${text.slice(text.indexOf("\n", text.indexOf("\n") + 1) + 1)}`);
  });

  it("stay when /proc/net says that the socket holds something: ss tells whose it is", () => {
    const sockets = new IdleSockets();
    condense(sockets.condenser("proc/net/udp", silent), HEADER + udpRow(1, 52, 700) + udpRow(2, 53));
    const text = ssRow(51) + ssRow(52) + ssRow(53);
    const left = condense(sockets.condenser("sos_commands/networking/ss_-peaonmi", silent), text);
    expect(parseSs(left, context).map(({ inode }) => inode)).toEqual([52, 53]);
  });
});

it("idle rows of netstat become empty lines, unless the socket holds something", () => {
  const sockets = new IdleSockets();
  condense(sockets.condenser("proc/net/udp", silent), HEADER + udpRow(1, 61, 700) + udpRow(2, 62));
  const row = (queued: number, state: string, inode: number) =>
    `udp   ${queued}      0 0.0.0.0:68  0.0.0.0:* ${state} 0   ${inode}      812/dhclient  off (0.00/0/0)\n`;
  const rows = [
    row(0, "", 61),
    row(0, "", 63),
    row(0, "ESTABLISHED", 61),
    row(0, "ESTABLISHED", 64),
    row(9, "", 65),
    row(0, "", 66),
  ];
  for (const name of ["", "ip_netns_exec_blue_", "namespaces/blue/ip_netns_exec_blue_"]) {
    const path = `sos_commands/networking/${name}netstat_-W_-neopa`;
    expect(condense(sockets.condenser(path, silent), rows.join(""))).toBe(
      `${rows[0]}\n${rows[2]}\n${rows[4]}${rows[5]}`,
    );
  }
});

describe("what is no table", () => {
  it.each([["without a newline", "x"], ["with details only", "\t x\n"]])("is kept as it is, %s", (_, unit) => {
    const text = unit.repeat(3 * 2 ** 20);
    for (const path of ["proc/net/udp", "sos_commands/networking/ss_-peaonmi"]) {
      for (const pieceBytes of [2 ** 16, 2 ** 22]) {
        expect(condense(new IdleSockets().condenser(path, () => expect.fail()), text, pieceBytes) === text).toBe(true);
      }
    }
  });

  it("has inodes that no kernel gives", () => {
    const text = [udpRow(1, 5), udpRow(2, 0).replace("        0 0 2", "        0 4294967297 2"), udpRow(3, 6)].join("");
    expect(condense(new IdleSockets().condenser("proc/net/udp", silent), text)).toBe(
      `\n${text.split("\n")[1]}\n${udpRow(3, 6)}`,
    );
  });
});

it("other files have no idle rows", () => {
  const sockets = new IdleSockets();
  for (const path of ["proc/slabinfo", "proc/net/unix", "proc/net/sockstat", "var/log/udp"]) {
    expect(sockets.condenser(path, silent)).toBeUndefined();
  }
});

describe("a bundle", () => {
  async function* archive(rows: number): AsyncGenerator<Uint8Array> {
    const text = HEADER + Array.from({ length: rows }, (_, n) => udpRow(n, 100 + n, n === 7 ? 4608 : 0)).join("");
    yield tar(tarEntry("proc/net/udp", text));
  }

  it("keeps all rows of a table of a usual size, and of a large one those that matter", async () => {
    const small = await openArchive(archive(1000), { sources: [udp] });
    expect(small.warnings).toEqual([]);
    expect(parseUdp(new TextDecoder().decode(small.files.get("proc/net/udp")), context)).toHaveLength(1000);
    const large = await openArchive(archive(150_000), { sources: [udp] });
    expect(large.warnings).toEqual(["proc/net/udp is large: 149998 rows of sockets that hold nothing are passed over"]);
    const left = parseUdp(new TextDecoder().decode(large.files.get("proc/net/udp")), context);
    expect(left.map(({ line }) => line)).toEqual([9, 150_001]);
  });
});
