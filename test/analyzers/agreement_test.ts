/** What is told of one thing is told in the singular: the verb goes with its subject. */
import { describe, expect, it } from "vitest";
import { analyzeFiles, meminfoText, udpText } from "./_bundle.ts";
import { SS_HEADER, tcpText } from "./_sockets.ts";

const NETLINK = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n";
const UNIX = "u_str ESTAB 0 768 * 2000 * 2001 skmem:(r0,rb212992,t768,tb212992,f0,w0,o0,bl0,d0)\n";
const slabs = (...rows: string[]): string =>
  `slabinfo - version: 2.1\n${rows.map((row) => `${row} : tunables 0 0 0 : slabdata 1 1 0\n`).join("")}`;
const bpf = { id: 1, type: "array", name: "one", bytes_key: 4, bytes_value: 8, max_entries: 1, bytes_memlock: 4096 };
/** On which even one object is much. */
const TINY = "MemTotal: 16 kB\nMemFree: 4 kB\n";

describe("one thing alone", () => {
  it.each<[cause: string, files: { readonly [path: string]: string }, said: string]>([
    ["socket-backlog-udp", { "proc/net/udp": udpText([{ bytes: 768 }]) }, "1 UDP socket holds 768 B unread"],
    [
      "socket-backlog-unix",
      { "sos_commands/networking/ss_-xanm": SS_HEADER + UNIX },
      "1 unix socket holds 768 B, of which",
    ],
    [
      "socket-backlog-netlink",
      { "proc/net/netlink": `${NETLINK}0000000000000002 15 500 00000001 768 0 0 2 0 1000\n` },
      "1 netlink socket holds 768 B, of which",
    ],
    [
      "socket-backlog-tcp-recv",
      { "proc/net/tcp": tcpText([{ local: 80, remote: 4000, rx: 768, inode: 1000 }]) },
      "1 TCP socket holds ",
    ],
    [
      "pipe-buffers",
      { "sos_commands/process/pipe_contents": "# bytes capacity inode descriptor\n768 65536 7000 /proc/700/fd/3\n" },
      "1 pipe holds 768 B unread",
    ],
    ["conntrack-growth", { "proc/slabinfo": slabs("nf_conntrack 1 16 256 16 1") }, "1 entry takes about 384 B"],
    [
      "conntrack-growth",
      { "proc/meminfo": TINY, "proc/slabinfo": slabs("nf_conntrack 1 16 256 16 1") },
      "1 connection tracking entry holds 384 B",
    ],
    [
      "ip-reassembly",
      {
        "proc/meminfo": TINY,
        "proc/net/sockstat": "FRAG: inuse 0 memory 0\n",
        "proc/slabinfo": slabs("ip4-frags 1 20 200 20 1"),
      },
      "1 unfinished IP datagram holds ",
    ],
    [
      "bpf-maps",
      {
        "sos_commands/ebpf/bpftool_-j_prog_list": "[]\n",
        "sos_commands/ebpf/bpftool_-j_map_list": `${JSON.stringify([bpf])}\n`,
      },
      "1 map takes 4.00 KiB",
    ],
  ])("%s", async (cause, files, said) => {
    const report = await analyzeFiles({ "proc/meminfo": meminfoText(), ...files });
    const texts = [
      ...report.ruledOut.map((each) => ({ cause: each.cause, text: each.because })),
      ...report.findings.map((each) => ({ cause: each.cause, text: each.title })),
    ];
    expect(texts.filter((each) => each.cause === cause).map(({ text }) => text)).toEqual([
      expect.stringContaining(said),
    ]);
  });
});
