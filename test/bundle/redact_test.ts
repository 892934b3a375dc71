/** Redaction: nothing that names a host or a person is left, and analysis finds the same as before. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { archiveEntries, openArchive, readEntries } from "../../src/bundle/open.ts";
import { type Mapping, redactEntries, Redactor } from "../../src/bundle/redact.ts";
import { readTar } from "../../src/bundle/tar.ts";
import { type ByteOutput, tarSink } from "../../src/bundle/tar_write.ts";
import { concatBytes } from "../../src/core/bytes.ts";
import type { Report } from "../../src/core/report.ts";
import type { HostFacts, Source } from "../../src/core/source.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { parseOomDaemon } from "../../src/parsers/oom_daemon.ts";
import { preset } from "../../src/preset.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const sources = presetSources(preset);
const utf8 = new TextDecoder();

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function keepIn(parts: Uint8Array[]): ByteOutput {
  return {
    write(bytes) {
      parts.push(bytes);
      return Promise.resolve();
    },
    flush: () => Promise.resolve(),
  };
}

async function redact(bytes: Uint8Array): Promise<{ bytes: Uint8Array; mapping: Mapping; facts: HostFacts }> {
  const open = async () => await archiveEntries(oneChunk(bytes), {}, () => {});
  const { facts } = await readEntries(await open(), { sources: [] });
  const redactor = new Redactor(facts, sources);
  const parts: Uint8Array[] = [];
  const tar = tarSink(redactor.root("sosreport"), keepIn(parts));
  await redactEntries(await open(), redactor, tar, 0, () => {});
  await tar.end();
  return { bytes: concatBytes(parts), mapping: redactor.mapping(), facts };
}

async function report(bytes: Uint8Array): Promise<Report> {
  return analyze(await openArchive(oneChunk(bytes), { sources }), preset);
}

/** All that an answer is made of, without the names in its words. */
function substance(of: Report) {
  return {
    verdict: of.verdict,
    pressure: of.pressure.level,
    findings: of.findings.map(({ cause, confidence, bytes, growthBytesPerSecond, owners }) => ({
      cause,
      confidence,
      bytes,
      growthBytesPerSecond,
      owners: owners.map(({ pid, comm, bytes, count }) => ({ pid, comm, bytes, count })),
    })),
    ruledOut: of.ruledOut.map(({ cause }) => cause),
    notAssessed: of.notAssessed.map(({ cause }) => cause),
    warnings: of.warnings.length,
  };
}

/** Addresses that are neither pseudonyms nor of those that every host has. */
function strangers(text: string): readonly string[] {
  const quads = text.match(/(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/g) ?? [];
  const macs = text.match(/(?<![\da-f:])(?:[\da-f]{2}:){5}[\da-f]{2}(?![\da-f:])/gi) ?? [];
  return [
    ...quads.filter((quad) => !/^(?:127|240|239|255)\.|^169\.254\.|^224\.0\.0\.|^0\.0\.0\.0$/.test(quad)),
    ...macs.filter((mac) => !/^(?:02:00:00|00:00:00:00:00:00|ff:ff)/i.test(mac)),
    ...(text.match(/\/home\/(?!user-)[^\s/]+|\/root\/(?!p-)\S+/g) ?? []),
  ];
}

/** Local and remote addresses of /proc/net/tcp and the like. */
function hexStrangers(text: string): readonly string[] {
  const found = [...text.matchAll(/(?<= )([0-9A-F]{8}):[0-9A-F]{4} /g)].map(([, hex]) => hex as string);
  return found.filter((hex) => hex !== "00000000" && !/(?:7F|F0)$/.test(hex));
}

describe("redactEntries() of samples", () => {
  it.each([
    "friend-push.tgz",
    "friend-push.sos.tar.gz",
    "friend-push-netns.tgz",
    "fd-epoll.sos.tar.gz",
    "tcp-close-wait.sos.tar.gz",
    "unix-stream.sos.tar.gz",
    "shmem-deleted.tgz",
    "shmem-tmpfs.sos.tar.gz",
    "memcg-oom.tgz",
    "process-proliferation.sos.tar.gz",
    "dying-memcg.tgz",
  ])("%s: the same findings, and no address left", { timeout: 60_000 }, async (name) => {
    const original = readFileSync(new URL(`../../samples/${name}`, import.meta.url));
    const before = substance(await report(original));
    const once = await redact(original);
    expect(substance(await report(once.bytes))).toEqual(before);

    const text = utf8.decode(once.bytes);
    expect(once.facts.hostname).toBe("vm");
    expect(text).not.toMatch(/nailhouse-vm-|sosreport-vm|Linux vm |"hostname": "vm"|hostname = vm|[ @]vm kernel:/);
    expect(strangers(text)).toEqual([]);
    expect(hexStrangers(text)).toEqual([]);
    for (const kind of ["address", "mac", "mail", "secret", "user"] as const) {
      for (const secret of Object.keys(once.mapping[kind] ?? {})) expect(text).not.toContain(secret);
    }
    for (const id of Object.keys(once.mapping.id ?? {})) expect(text.toLowerCase()).not.toContain(id);
  });
});

describe("redactEntries() of what is redacted already", () => {
  it("finds the same, too", { timeout: 60_000 }, async () => {
    const original = readFileSync(new URL("../../samples/tcp-close-wait.sos.tar.gz", import.meta.url));
    const twice = await redact((await redact(original)).bytes);
    expect(substance(await report(twice.bytes))).toEqual(substance(await report(original)));
  });
});

function sourceOf(...patterns: string[]): Source<unknown> {
  return { name: "test", patterns, read: () => ({ status: "missing", missing: [] }) };
}

const everything = sourceOf(
  "proc/net/*",
  "proc/mounts",
  "proc/*/*",
  "sos_commands/*/*",
  "sos_commands/*/*/*/*",
  "sys/*/*",
);

function redactor(facts: HostFacts = { hostname: "web-01", machine: "x86_64" }): Redactor {
  return new Redactor(facts, [everything]);
}

function file(of: Redactor, path: string, text: string): string | undefined {
  const redacted = of.file(path, new TextEncoder().encode(text));
  return redacted === undefined ? undefined : utf8.decode(redacted.bytes);
}

const TEXT = "sos_commands/other/text";

describe("Redactor.file()", () => {
  it("gives an address one pseudonym in all its spellings", () => {
    const r = redactor();
    const tcp = file(r, "proc/net/tcp", "   0: 0501A8C0:0050 00000000:0000 0A 00000000:00000000 00:00000000\n");
    expect(tcp).toContain(" 010000F0:0050 00000000:0000 ");
    const tcp6 = "   0: 0000000000000000FFFF00000501A8C0:0050 B80D01200000000000000000AF000000:0016 01 0:0\n";
    const redacted6 = file(r, "proc/net/tcp6", tcp6);
    expect(redacted6).toContain(" 0000000000000000FFFF0000010000F0:0050 B80D0120000000000000000001000000:0016 ");
    expect(
      file(r, TEXT, "192.168.1.5:53->[::ffff:192.168.1.5]:80,::FFFF:c0a8:105 [2001:db8::af%eth0]:22 192.168.001.005"),
    )
      .toBe("240.0.0.1:53->[::ffff:240.0.0.1]:80,::ffff:240.0.0.1 [2001:db8::100:0%eth0]:22 240.0.0.1".replace(
        "2001:db8::100:0",
        "2001:db8::1",
      ));
  });

  it("reads the words of a big-endian machine in their order", () => {
    const r = redactor({ machine: "s390x" });
    expect(file(r, "proc/net/udp", "   0: C0A80105:0050 7F000001:0000 07 0:0\n")).toContain(
      " F0000001:0050 7F000001:0000 ",
    );
  });

  it.each([
    "0.0.0.0:* 127.0.0.53:53 [::]:111 [::1]:80 *:80 ::1 255.255.255.0 224.0.0.251 ff02::1",
    "0::/init.scope at 12:34:56 of 0000:00:1f.2 in core::ptr and std::vec",
    "5.10.0-136.12.0.86.oe2203 user@1000.service getty@tty1.service cpu@0",
    "kernel.pid_max = 4194304 skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0)",
    "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "/run/user/1000/bus root /home /roots/x",
  ])("leaves alone: %s", (text) => expect(file(redactor(), TEXT, text)).toBe(text));

  it.each([
    ["fe80::5054:ff:fe12:3456%eth0", "fe80::1%eth0"],
    ["inet 10.1.2.3/24 brd 10.1.2.255", "inet 240.0.0.1/24 brd 240.0.0.2"],
    ["src=10.1.2.3 dst=10.1.2.4 sport=53", "src=240.0.0.1 dst=240.0.0.2 sport=53"],
    ["10.1.2.3-manager", "240.0.0.1-manager"],
    ["lladdr 52:54:00:12:34:56 x", "lladdr 02:00:00:00:00:01 x"],
    ["hwaddr:52:54:00:12:34:56:", "hwaddr:02:00:00:00:00:01:"],
    ["enx525400123456: up", "enx020000000001: up"],
    ["MAC=52:54:00:12:34:56:52:54:00:12:34:57:08:00 SRC", "MAC=02:00:00:00:00:00:00:00:00:00:00:00:00:01 SRC"],
    ["web-01.corp.example.com and Web-01", "host-1 and host-1"],
    ["nfs: server filer not responding", "nfs: server host-2 not responding"],
    ["/var/lib/web-01/x", "/var/lib/host-1/x"],
    ["/home/alice/a b (deleted)", "/home/user-1/p-1 b (deleted)"],
    ["/home/müller/日本", "/home/user-1/p-1"],
    ["mail müller@exämple.com now", "mail mail-1@redacted.invalid now"],
    ["alice@web-01", "mail-1@redacted.invalid"],
    ["http://bob:s3cret@10.0.0.9/x", "http://user-1:secret-1@240.0.0.1/x"],
    ['{"password": "hunter2", "n": 1}', '{"password": "secret-1", "n": 1}'],
    [`{"token": "a, b c"} secret='x y'`, `{"token": "secret-1"} secret='secret-2'`],
    ["DB_PASSWORD=hunter2 api-key: abc", "DB_PASSWORD=secret-1 api-key: secret-2"],
    ["Authorization: Bearer abc.def", "Authorization: Bearer secret-1"],
    ["x AKIAABCDEFGHIJKLMNOP y", "x secret-1 y"],
    [
      "kubepods-pod12345678_1234_1234_1234_123456789abc.slice",
      "kubepods-pod1d000000_0000_0000_0000_000000000001.slice",
    ],
    ["UUID=12345678-1234-1234-1234-123456789ABC", "UUID=1d000000-0000-0000-0000-000000000001"],
    ["usb 1-1: SerialNumber: 4C530001", "usb 1-1: SerialNumber: id-1"],
    ["username=carol,addr=10.0.0.1", "username=user-1,addr=240.0.0.1"],
  ])("%s", (text, expected) => expect(file(redactor(), TEXT, text)).toBe(expected));

  it("leaves a host's name alone that is a word, but where a host name must stand", () => {
    const r = redactor({ hostname: "vm" });
    expect(file(r, "sos_commands/kernel/sysctl_-a", "vm.swappiness = 60\nkernel.hostname = vm\n"))
      .toBe("vm.swappiness = 60\nkernel.hostname = host-1\n");
    expect(
      file(
        r,
        "sos_commands/kernel/sysctl_-a",
        "net.ipv4.tcp_fastopen_key = 1a2b-3c4d\nkernel.core_pattern = |/bin/x %p k\n",
      ),
    )
      .toBe("net.ipv4.tcp_fastopen_key = secret-1\nkernel.core_pattern = |/bin/x arg-1 arg-2\n");
    expect(file(r, "sos_commands/kernel/uname_-a", "Linux vm 6.1.0 #1 SMP x86_64 GNU/Linux\n"))
      .toBe("Linux host-1 6.1.0 #1 SMP x86_64 GNU/Linux\n");
  });

  it("keeps the program of a command line, and none of its arguments", () => {
    const r = redactor();
    expect(file(r, "proc/7/cmdline", "/home/al/bin/app\0--password=x\0y\0")).toBe(
      "/home/user-1/p-1/app\0arg-1\0arg-2\0",
    );
    expect(file(r, "proc/8/cmdline", "sshd: alice [priv]")).toBe("sshd: arg-3 arg-4");
    const ps =
      "USER         PID   RSS COMMAND\nalice          7  1024 /usr/bin/app --token x\nroot           8     0 [kworker/0:1]\n";
    expect(file(r, "sos_commands/process/ps_auxwww", ps))
      .toBe(
        "USER         PID   RSS COMMAND\nuser-2          7  1024 /usr/bin/app arg-5 arg-6\nroot           8     0 [kworker/0:1]\n",
      );
  });

  it("keeps the kernel's own lines of a log, and of others only who wrote them", () => {
    const log = [
      "[    0.0] Command line: root=UUID=1 secret",
      "[    5.1] systemd[1]: Hostname set to <web-01>, user alice logged in.",
      "[    6.1] audit: type=1300 acct=alice",
      "Nov 23 09:40:33 web kernel: [   12.3] Out of memory: Killed process 116 (hog) total-vm:812kB, UID:0",
      "Nov 23 09:40:33 web sudo: alice : TTY=pts/0 ; COMMAND=/bin/x",
      "[   12.3] web kernel: hog invoked oom-killer: gfp_mask=0x140cca, order=0",
      "[   13.3] [  116]     0   116      203      128    49152        0             0 hog",
    ].join("\n") + "\n";
    expect(file(redactor(), "sos_commands/kernel/dmesg", log)).toBe(
      [
        "[    0.0] Command line: arg-1 arg-2",
        "[    5.1] systemd[1]: (redacted)",
        "[    6.1] audit: (redacted)",
        "Nov 23 09:40:33 host-2 kernel: [   12.3] Out of memory: Killed process 116 (hog) total-vm:812kB, UID:0",
        "Nov 23 09:40:33 host-2 sudo: (redacted)",
        "[   12.3] host-2 kernel: hog invoked oom-killer: gfp_mask=0x140cca, order=0",
        "[   13.3] [  116]     0   116      203      128    49152        0             0 hog",
      ].join("\n") + "\n",
    );
  });

  it("keeps of programs that kill before the kernel must whom they killed and why, and nothing else", () => {
    const at = "Nov 23 09:40:33 web ";
    const log = [
      `${at}systemd-oomd[9]: Killed /user.slice/user@7.service/a.scope due to memory pressure for /user.slice being 62.15% > 50.00% for > 20s with reclaim activity`,
      `${at}systemd-oomd[9]: Considered 97 cgroups for killing, top candidates were: /home/alice`,
      `${at}earlyoom[8]: mem avail:   888 of 55597 MiB ( 1.60%), swap free:    0 of 8191 MiB ( 0.00%)`,
      `${at}earlyoom[8]: sending SIGTERM to process 906175 uid 7 "java": oom_score 1170, VmRSS 43912 MiB, cmdline "java -Dkey=hunter2 alice"`,
      `${at}nohang[7]:   MemAvailable [383 MiB, 5.0 %] <= soft_threshold_min_mem [384 MiB, 5.0 %]`,
      `${at}nohang[7]:   Cmdline: mysqld --user alice`,
      `${at}nohang[7]:   PID: 93, name: mysqld, badness: 849`,
      `${at}nohang[7]:   Send SIGTERM to the victim; total response time: 2255 ms`,
      `${at}kubelet[6]: I0528 16:05:50.5 9 eviction_manager.go:376] "Eviction manager: must evict pod(s) to reclaim" resourceName="memory"`,
      `${at}kubelet[6]: I0528 16:05:54.8 9 eviction_manager.go:627] "Eviction manager: pod is evicted successfully" pod="sre/web-d4"`,
      `${at}kubelet[6]: I0528 16:05:54.8 9 kubelet.go:1] "Syncing" user="alice"`,
      'killing process 27541 "bash" with signal 15: badness 550, VmRSS 7609 MiB, cmdline "bash alice"',
    ].join("\n") + "\n";
    const redacted = file(redactor(), "sos_commands/kernel/dmesg", log) ?? "";
    expect(redacted).not.toMatch(/alice|hunter2|\bweb /);
    const kills = (text: string) => parseOomDaemon(text, { facts: {}, warn() {} });
    expect(kills(redacted)).toHaveLength(5);
    expect(kills(redacted)).toEqual(kills(log));
    expect(redacted.match(/\(redacted\)$/gm)).toHaveLength(3);
    // Of a boot that systemd-oomd wrote to the kernel's own log.
    expect(
      file(redactor(), "sos_commands/kernel/dmesg", "[    5.1] systemd-oomd[9]: Killed /a.scope due to memory used\n"),
    )
      .toBe("[    5.1] systemd-oomd[9]: Killed /a.scope due to memory used\n");
  });

  it("keeps of a log in JSON what the kernel says: neither what else a record tells, nor other programs'", () => {
    const MESSAGE = "Out of memory: Killed process 116 (hog)";
    const record = (_TRANSPORT: string): string =>
      JSON.stringify({ _HOSTNAME: "elsewhere", _CMDLINE: "/bin/x --password=hunter2", _TRANSPORT, MESSAGE });
    const output = JSON.stringify("[   1.0] a: b\r\n[   2.0] Command line: root=UUID=1\r\n");
    const log = [record("kernel"), record("stdout"), '{"MESSAGE":"hunt', ` "Output": ${output},`, ' "msg": "hunt'];
    const redacted = file(redactor(), "sos_commands/kernel/dmesg", log.join("\n"));
    expect(redacted?.split("\n")).toEqual([
      JSON.stringify({ _TRANSPORT: "kernel", MESSAGE }),
      "(redacted)",
      "(redacted)",
      ` "Output": ${JSON.stringify("[   1.0] a: b\r\n[   2.0] Command line: arg-1\r\n")},`,
      "(redacted)",
    ]);
  });

  it("knows the columns of netstat, lsof, mounts, df and ipcs", () => {
    expect(file(redactor(), "sos_commands/sysvipc/ipcs", "0x0001b3ef 14450693 alice      666        70604278   0\n"))
      .toBe("0x0001b3ef 14450693 user-1      666        70604278   0\n");
    const r = redactor();
    for (const name of ["", "ip_netns_exec_blue_", "namespaces/blue/ip_netns_exec_blue_"]) {
      const row = "tcp6  0  0 fe80::1:2:3:22  :::*  LISTEN  0  9  7/sshd: alice [pr  off (0)\n";
      expect(file(r, `sos_commands/networking/${name}netstat_-W_-neopa`, row))
        .toBe("tcp6  0  0 fe80::1:22  :::*  LISTEN  0  9  7/sshd  off (0)\n");
    }
    expect(
      file(
        r,
        "sos_commands/process/lsof_-b",
        "a 7 bob *001u REG 0,1 5 9 /home/bob/my file (deleted)\nb 8 0 3u sock 0,9 0t0 1 protocol: TCP\n",
      ),
    )
      .toBe("a 7 user-1 *001u REG 0,1 5 9 /home/user-1/p-1 (deleted)\nb 8 0 3u sock 0,9 0t0 1 protocol: TCP\n");
    expect(
      file(r, "proc/mounts", "filer:/export /mnt nfs4 rw,addr=10.0.0.7 0 0\n//nas/docs /d cifs rw,username=bob 0 0\n"),
    )
      .toBe("host-2:/export /mnt nfs4 rw,addr=240.0.0.1 0 0\n//host-3/p-2 /d cifs rw,username=user-1 0 0\n");
    expect(file(r, "sos_commands/filesys/df_-al", "tmpfs  4 0 4 0% /home/bob/my mount\n"))
      .toBe("tmpfs  4 0 4 0% /home/user-1/p-3\n");
  });

  it.each([
    ["Linux 6.18.44 (vm) \t11/23/26 \t_x86_64_\t(2 CPU)\n", "Linux 6.18.44 (host-1) \t11/23/26 \t_x86_64_\t(2 CPU)\n"],
    ['{"nodename": "vm", "memfree": 1}', '{"nodename": "host-1", "memfree": 1}'],
    ['<host nodename="vm">', '<host nodename="host-1">'],
    ["vm;600;2026-11-23 09:43:06 UTC;22015900\n", "host-1;600;2026-11-23 09:43:06 UTC;22015900\n"],
    [
      "MEM vm 1795427256 2026/11/23 09:47:36 14514 4096\nPRG vm 1795427256 2026/11/23 09:47:36 1 7 (x) S 0 (x --key y)\nSEP\n",
      "MEM host-1 1795427256 2026/11/23 09:47:36 14514 4096\n(redacted)\nSEP\n",
    ],
    [
      '{"metric":{"__name__":"node_memory_MemFree_bytes","instance":"vm:9100","job":"node","team":"acme"},"values":[[1,"2"]]}',
      '{"metric":{"__name__":"node_memory_MemFree_bytes","instance":"host-1:9100","job":"node","team":"arg-1"},"values":[[1,"2"]]}',
    ],
  ])("finds the host in recorded history: %s", (text, expected) => {
    const r = new Redactor({ hostname: "vm" }, [sourceOf("history_imported/*")]);
    expect(file(r, "history_imported/x", text)).toBe(expected);
  });

  it("passes on neither binary files, nor what no rule can tell", () => {
    const r = redactor();
    expect(file(r, TEXT, "a\0b")).toBeUndefined();
    expect(file(r, "proc/net/route", "eth0 00000000 0101A8C0\n")).toBeUndefined();
    expect(file(r, "proc/7/environ", "TOKEN=x")).toBeUndefined();
    expect(r.counts()).toEqual({ files: 0, notRead: 0, notText: 3 });
  });

  it("leaves out what a cut left of an address", () => {
    const r = redactor();
    expect(file(r, TEXT, "a 10.0.0.1\nb 192.168.12")).toBe("a 240.0.0.1\nb ");
    expect(file(r, TEXT, "a\nb 2001:db8:85a3:8")).toBe("a\nb ");
    expect(file(r, "proc/net/tcp", "  sl  local_address\n   0: 0501A8C0:0050 0501A8\n")).not.toContain("0501A8");
  });

  it("finds an address across the pieces that a long file is read in", { timeout: 30_000 }, () => {
    const line = "10.9.8.7 ".repeat(100) + "\n";
    const text = file(redactor(), TEXT, line.repeat(1500));
    expect(text).toBe(line.replaceAll("10.9.8.7", "240.0.0.1").repeat(1500));
  });

  it("takes time in proportion for text that is made to be slow", async () => {
    const r = redactor();
    for (const part of ["a", "1.", "a:", "a-", "a.", "00:", "/home/", "password", "x@"]) {
      const times = await growth((size) => file(r, TEXT, part.repeat(size / part.length)), 25_000);
      expect(times, part).toBeLessThan(IN_PROPORTION);
    }
  });
});

describe("redactEntries() of files that somebody saved", () => {
  const saved: readonly (readonly [string, string])[] = [
    ["node1/freem", "Mem:  total\n"],
    ["node1/meminfo.txt", "MemTotal:       16265216 kB\nMemFree:          524288 kB\n"],
    [
      "node1/ss.txt",
      "[ann@web1 ~]$ ssh ann@db1.example ss -tn dst 10.1.2.3\nState Recv-Q Send-Q Local Address:Port Peer Address:Port\nESTAB 0 4096 10.1.2.4:22 10.1.2.3:999\n",
    ],
    [
      "node1/psauxwww",
      "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\nann 7 0.0 0.1 7 42568 ? Ss 08:12 0:00 hog --token=secret\n",
    ],
    ["node1/notes.md", "ask ann\n"],
  ];

  it("passes on what analysis reads of them, by what is in them, and nothing that tells whose they are", async () => {
    const parts: Uint8Array[] = [];
    const tar = tarSink("saved", keepIn(parts));
    for (const [path, text] of saved) await tar.file(path, new TextEncoder().encode(text), 0);
    await tar.end();
    const { bytes } = await redact(concatBytes(parts));
    const { files } = await openArchive(oneChunk(bytes), { sources });
    expect([...files.keys()].sort()).toEqual([
      "proc/meminfo",
      "sos_commands/networking/ss_-peaonmi",
      "sos_commands/process/ps_auxwww",
    ]);
    const ss = utf8.decode(files.get("sos_commands/networking/ss_-peaonmi"));
    expect(ss).toMatch(/^\$ \S+ \S+ ss -tn /);
    const text = [...files.values()].map((file) => utf8.decode(file)).join("\n");
    expect(text).not.toMatch(/ann|db1|web1|10\.1\.2|secret/);
    expect(text).toContain("hog");
  });
});

describe("redactEntries()", () => {
  it("keeps links inside the bundle, and redacts the folders of paths", async () => {
    const link = { kind: "link", read: () => Promise.reject(new Error("a link is not read")) } as const;
    const text = (path: string) => ({
      path,
      kind: "file" as const,
      read: () => Promise.resolve({ bytes: new TextEncoder().encode("0::/\n"), truncated: false }),
    });
    const entries = [
      { ...link, path: "r/proc/net", linkTarget: "self/net" },
      { ...link, path: "r/proc/self", linkTarget: "../../etc/passwd" },
      text("r/proc/cgroup-12345678-1234-1234-1234-123456789abc/cgroup"),
      text("r/etc/shadow"),
    ];
    const parts: Uint8Array[] = [];
    const tar = tarSink("out", keepIn(parts));
    await redactEntries(
      entries,
      new Redactor({}, [sourceOf("proc/*/cgroup", "proc/net/tcp", "proc/self/x")]),
      tar,
      0,
      () => {},
    );
    await tar.end();
    const written: unknown[] = [];
    for await (
      const { path, kind, linkTarget } of readTar(oneChunk(concatBytes(parts)), (message) => expect(message).toBe(""))
    ) {
      written.push([path, kind, linkTarget]);
    }
    expect(written).toEqual([
      ["out/proc/net", "link", "self/net"],
      ["out/proc/cgroup-1d000000-0000-0000-0000-000000000001/cgroup", "file", undefined],
    ]);
  });
});
