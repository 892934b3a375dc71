import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { newestOf } from "../../src/bundle/log.ts";
import { openArchive } from "../../src/bundle/open.ts";
import type { Report } from "../../src/core/report.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";
import { brokenPromises } from "../_expect.ts";
import { tar, tarEntry } from "./_archive.ts";

async function* chunkOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let i = 0; i < bytes.length; i += 700) yield bytes.subarray(i, i + 700);
}

const KILL =
  "Memory cgroup out of memory: Killed process 77 (java) total-vm:204800kB, anon-rss:102400kB, file-rss:0kB, " +
  "shmem-rss:0kB, UID:0 pgtables:300kB oom_score_adj:0";
const CONSTRAINT =
  "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/app,task_memcg=/app," +
  "task=java,pid=77,uid=0";

describe("a kernel log in plain text", () => {
  it.each([
    ["dmesg", (line: string) => `[ 1234.567890] ${line}`],
    ["an Android kernel's", (line: string) => `<4>[28617.147589@0] ${line}`],
    ["dmesg without times, after a boot loader's words", (line: string) => `Booting from ROM...\r\n${line}\r`],
    ["journalctl", (line: string) => `Nov 23 08:12:58 host kernel: ${line}`],
  ])("is a bundle of its own: %s", async (_, prefix) => {
    const text = [CONSTRAINT, KILL].map(prefix).join("\n");
    const bundle = await openArchive(chunks(`${text}\n`), { sources: presetSources(preset) });
    const report = analyze(bundle, preset);
    expect(report.findings.map(({ cause }) => cause)).toContain("memcg-oom");
    expect(report.verdict).toBe("insufficient-evidence");
  });

  it.each([
    "2m  Warning  SystemOOM  node/n1  System OOM encountered, victim process: node, pid: 77",
    "Feb  8 00:40:07 h systemd[1]: a.service: A process of this unit has been killed by the OOM killer.",
    "Killed /user.slice/a.scope due to memory pressure for /user.slice being 62.15% > 50.00% for > 20s with reclaim activity",
    'user: warning: [2026-01-12T20:27:31.913975631Z]: [talos] Sending SIGKILL to cgroup {"cgroup": "/sys/fs/cgroup/a"}',
  ])("is read where others tell of a kill, and rules none out: %s", async (line) => {
    const bundle = await openArchive(chunks(`${line}\n`), { sources: presetSources(preset) });
    const { verdict, ruledOut } = analyze(bundle, preset);
    expect(verdict).toBe("insufficient-evidence");
    expect(ruledOut.map(({ cause }) => cause)).not.toContain("global-oom");
  });

  const sample = (name: string): string[] => {
    const text = readFileSync(new URL(`../../samples/${name}`, import.meta.url), "utf8");
    return text.trimEnd().split("\n").slice(1);
  };
  const analyzeText = async (text: string): Promise<Report> =>
    analyze(await openArchive(chunks(text), { sources: presetSources(preset) }), preset);

  it.each<[string, (line: string) => string]>([
    ["a console that prints no time", (line) => line],
    ["dmesg", (line) => `[   13.367000] ${line}`],
    ["dmesg -T", (line) => `[Mon Nov 23 16:41:27 2026] ${line}`],
    ["dmesg -x", (line) => `kern  :warn  : [   13.367000] ${line}`],
    ["dmesg --time-format iso", (line) => `2026-11-23T16:41:27,367000+00:00 ${line}`],
    ["dmesg --raw", (line) => `<4>[   13.367000] ${line}`],
    ["with printk's caller", (line) => `[   13.367000][  T122] ${line}`],
    ["syslog", (line) => `Nov 23 16:41:27 host kernel: [   13.367000] ${line}`],
    ["journalctl -o short-iso", (line) => `2026-11-23T16:41:27+0000 host kernel: ${line}`],
    ["journalctl -o short-monotonic", (line) => `[   13.367000] host kernel: ${line}`],
    ["dmesg --reltime", (line) => `[  +0.002367] ${line}`],
    ["OpenWrt's logread", (line) => `Mon Nov 23 16:41:27 2026 kern.warn kernel: [   13.367000] ${line}`],
    ["a hypervisor's log", (line) => `2026-11-23T16:41:27.127Z In(05) vcpu-5 - Guest: <6>[   13.367000] ${line}`],
    ["a console server's", (line) => `2026-11-23 16:41:27 db1: [   13.367000][  T122] ${line}`],
    ["Talos", (line) => ` kern: warning: [2026-11-23T16:41:27.367000542Z]: ${line}`],
    ["Talos, of a node", (line) => `10.5.0.3: kern: warning: [2026-11-23T16:41:27.367000542Z]: ${line}`],
    ["a console server's, in brackets", (line) => `[2026-11-23 16:41:27] [   13.367000] ${line}`],
    ["dmesg --color=always", (line) => `\u001b[32m[   13.367000] \u001b[0m\u001b[1m\u001b[31m${line}\u001b[0m`],
    ["a terminal's, recorded", (line) => `\u001b[?25l\u001b(B\u001b[m[   13.367000] ${line}\u001b[K`],
    [
      "journalctl -o json",
      (line) => `{"PRIORITY":"4","_TRANSPORT":"kernel","MESSAGE":${JSON.stringify(line)},"SYSLOG_IDENTIFIER":"kernel"}`,
    ],
    ["dmesg --json", (line) => `         "msg": ${JSON.stringify(line)}`],
    ["quoted in a mail", (line) => `>> [   13.367000] ${line}`],
    ["indented as code", (line) => `    [   13.367000] ${line}`],
  ])("tells the same in every form: %s", async (_, prefix) => {
    for (
      const [name, victim] of [["oom-7.2.txt", "leaker"], ["oom-3.10.txt", "mysqld"], ["oom-5.10-udp.txt", "database"]]
    ) {
      const plain = sample(name as string);
      const text = plain.map((line) => prefix(line.replace(/^\[ *[\d.]+\] ?/, ""))).join("\r\n");
      const [shown, expected] = [await analyzeText(`${text}\r\n`), await analyzeText(`${plain.join("\n")}\n`)];
      expect(shown.ledger?.accounts.map(({ id, bytes }) => [id, bytes])).toEqual(
        expected.ledger?.accounts.map(({ id, bytes }) => [id, bytes]),
      );
      expect(shown.findings.map(({ title }) => title)).toEqual(expected.findings.map(({ title }) => title));
      expect(shown.findings.find(({ cause }) => cause === "global-oom")?.owners[0]?.comm).toBe(victim);
    }
  });

  it.each(["oom-3.10.txt", "oom-5.10-udp.txt"])("tells the same where zones have no node: %s", async (name) => {
    const lines = sample(name).filter((line) => !line.includes("hugepages_total="));
    const ofOneNode = lines.map((line) => line.replace(/\bNode 0 (?=[A-Z])/, ""));
    for (const prefix of [/^/, /^\[ *[\d.]+\] /]) {
      const [shown, expected] = [
        await analyzeText(`${ofOneNode.map((line) => line.replace(prefix, "")).join("\n")}\n`),
        await analyzeText(`${lines.join("\n")}\n`),
      ];
      expect(shown.ledger?.accounts.map(({ id, bytes }) => [id, bytes])).toEqual(
        expected.ledger?.accounts.map(({ id, bytes }) => [id, bytes]),
      );
      expect(shown.ledger?.accounts.length).toBeGreaterThan(5);
    }
  });

  it("tells the same of a console in JSON (aws ec2 get-console-output)", async () => {
    const text = sample("oom-7.2.txt").join("\r\n");
    const console = JSON.stringify({ InstanceId: "i-0123", Output: text, Timestamp: "x" }, null, 4);
    const [shown, expected] = [await analyzeText(console), await analyzeText(text)];
    expect(shown.findings.map(({ title }) => title)).toEqual(expected.findings.map(({ title }) => title));
    expect(shown.ledger?.accounts.length).toBeGreaterThan(5);
  });

  it.each(['"', ""])("survives a text in JSON of a hostile length, which ends with %j", async (end) => {
    const text = `${sample("oom-7.2.txt").join("\n")}\n "Output": "${"\\n".repeat(7_000_000)}${end}\n`;
    expect((await analyzeText(text)).findings.length).toBeGreaterThan(0);
  });

  it("takes no program's record in the journal for the kernel's", async () => {
    const record = (fields: object): string => `${JSON.stringify({ MESSAGE: KILL, ...fields })}\n`;
    const other = record({ _TRANSPORT: "stdout", SYSLOG_IDENTIFIER: "kubelet" });
    const kernels = record({ _TRANSPORT: "kernel" }).replace(KILL, "usb 1-1: new device");
    expect((await analyzeText(kernels + other)).findings).toEqual([]);
    expect((await analyzeText(kernels + other + record({ _TRANSPORT: "kernel" }))).findings).toHaveLength(1);
  });

  // https://github.com/siderolabs/talos/issues/11046, and a mail to fstests@vger.kernel.org
  it.each([
    " kern:    info: [2025-05-18T15:40:20.675654542Z]: slab_unreclaimable 143096\n",
    ">   [93334.020281] Mem-Info:\n>   [93334.020286] active_anon:93769 inactive_anon:13540 isolated_anon:0\n",
    " Mem-Info:\n active_anon:2422723 inactive_anon:361971 isolated_anon:34403\n",
  ])("knows a piece of one, without the words of an OOM: %j", async (text) => {
    expect((await analyzeText(text)).warnings).toEqual([]);
  });

  it("does not call a host short of memory of which most was free", async () => {
    // Low memory of a 32-bit kernel is used up, and its high memory is not.
    const lines = sample("oom-5.10-udp.txt").map((line) =>
      line.replace(/\bfree:\d+ free_pcp/, "free:90000 free_pcp").replace(
        /\binactive_anon:\d+ isolated_anon/,
        "inactive_anon:900 isolated_anon",
      )
        .replace(/\bslab_unreclaimable:\d+/, "slab_unreclaimable:20000")
    );
    const found = (await analyzeText(`${lines.join("\n")}\n`)).findings.find(({ cause }) => cause === "global-oom");
    expect(found?.title).toMatch(/killed database \(pid 91\); yet 35\d MiB of 727 MiB were free/);
    expect(found?.symptomOf).toBe("buddy-fragmentation");
    expect(found?.evidence.map(({ because }) => because)).toContainEqual(
      expect.stringMatching(/^35\d MiB were free at that moment/),
    );
  });

  describe("longer than a file may be", () => {
    const oom = (name: string, seconds: number): string =>
      sample(name).map((line) => line.replace(/^\[ *[\d.]+\]/, `[${seconds}.000000]`)).join("\n");
    const noise = (count: number): string =>
      Array.from({ length: count }, (_, i) => `[${100 + i}.000000] eth0: link is up, for the ${i}th time\n`).join("");
    // The oldest OOM is out of reach, the newest is not the end.
    const text = `${oom("oom-3.10.txt", 50)}\n${noise(3000)}${oom("oom-5.10-udp.txt", 9000)}\n${noise(40)}`;
    const limits = { maxFileBytes: 64 * 1024 };
    const warning = (path: string) =>
      `${path} is longer than 65536 bytes (limit maxFileBytes): its newest part is used, and its lines are counted from there`;

    it("tells of its newest OOM, and says that the rest is left out", async () => {
      const bundle = await openArchive(chunks(text), { sources: presetSources(preset), limits });
      expect(bundle.warnings).toEqual([warning("sos_commands/kernel/dmesg")]);
      const log = new TextDecoder().decode(bundle.files.get("sos_commands/kernel/dmesg"));
      expect(log.length).toBeLessThanOrEqual(limits.maxFileBytes);
      expect(log.length).toBeGreaterThan(limits.maxFileBytes - 100);
      // From the beginning of a line to the very end.
      expect(log).toMatch(/^\[\d+\.000000\] eth0/);
      expect(text.endsWith(log)).toBe(true);
      const found = analyze(bundle, preset).findings.filter(({ cause }) => cause === "global-oom");
      expect(found.map(({ title }) => title)).toEqual([expect.stringContaining("killed database (pid 91)")]);
    });

    it("does so in a bundle, and in its history", async () => {
      const path = "sos_commands/kernel/dmesg_-T";
      const inside = tar(
        tarEntry(`root/${path}`, text),
        tarEntry("root/history/2026-01-01T00:00:00Z/var/log/dmesg", text),
        tarEntry("root/proc/meminfo", "MemTotal: 1 kB\n".repeat(9000)),
      );
      const bundle = await openArchive(chunkOf(inside), { sources: presetSources(preset), limits });
      expect(bundle.warnings).toContain(warning(path));
      expect(new TextDecoder().decode(bundle.files.get(path))).toContain("Killed process 91 (database)");
      // Of other files the beginning is what counts.
      expect(bundle.warnings).toContainEqual(
        expect.stringMatching(/proc\/meminfo is incomplete: its first 65536 bytes/),
      );
    });

    it("is whole with a larger limit", async () => {
      const bundle = await openArchive(chunks(text), {
        sources: presetSources(preset),
        limits: { maxFileBytes: text.length },
      });
      expect(bundle.warnings).toEqual([]);
      expect(bundle.files.get("sos_commands/kernel/dmesg")?.length).toBe(text.length);
    });
  });

  describe("of the whole system, in a bundle of a host that was started anew", () => {
    const oom = sample("oom-5.10-udp.txt").map((line) => `Nov 22 23:10:01 db1 kernel: ${line}\n`).join("");
    const kernel = (line: string): string => `Nov 22 23:15:01 db1 kernel: [    0.000000] ${line}\n`;
    const others = (count: number): string =>
      Array.from({ length: count }, (_, i) => `Nov 22 23:09:0${i % 9} db1 sshd[${i}]: Out of memory: the ${i}th\n`)
        .join("");
    const quoted = "Nov 22 23:12:01 db1 kubelet[7]: Out of memory: Killed process 7 (quoted) total-vm:1kB\n";
    const dmesg = "[    0.000000] Linux version 5.10.0-45-amd64 (debian)\n[    1.000000] Run /sbin/init\n";
    const meminfo = ["MemTotal", "MemFree", "MemAvailable"].map((name) => `${name}: 9000000 kB\n`).join("");
    const bundleOf = (files: Record<string, string>, limits = {}) =>
      openArchive(
        chunkOf(tar(...Object.entries(files).map(([path, text]) => tarEntry(`sosreport-db1/${path}`, text)))),
        { sources: presetSources(preset), limits },
      );
    const boot = kernel("Linux version 5.10.0-45-amd64 (debian)");

    it.each<[string, Record<string, string>]>([
      ["rsyslog's, with the start in it", { "var/log/messages": others(9) + oom + quoted + boot + others(9) }],
      ["Debian's", { "sos_commands/kernel/dmesg": dmesg, "var/log/syslog": others(9) + oom + quoted + others(9) }],
      ["the last boot's journal", {
        "sos_commands/logs/journalctl_--no-pager_--catalog_--boot": boot,
        "sos_commands/logs/journalctl_--no-pager_--catalog_--boot_-1": oom + quoted,
      }],
    ])("tells of the OOM before: %s", async (_, logs) => {
      const report = analyze(await bundleOf({ "proc/meminfo": meminfo, ...logs }), preset);
      expect(report.findings.map(({ title }) => title)).toEqual([
        expect.stringMatching(
          /^Before it was last started, the host ran out of memory, and the kernel killed database \(pid 91\)/,
        ),
      ]);
      expect(report.pressure.level).toBe("none");
      expect(report.events.map(({ title }) => title)).toEqual([
        expect.stringMatching(/^before the host was last started: .*killed database/),
      ]);
    });

    it("is of the running kernel where that one's own log is not whole", async () => {
      const files = {
        "proc/meminfo": meminfo,
        "sos_commands/kernel/dmesg": "[99999.000000] eth0: up\n",
        "var/log/syslog": oom,
      };
      const [finding] = analyze(await bundleOf(files), preset).findings;
      expect(finding?.title).toMatch(/^The host ran out of memory/);
    });

    it("keeps of a long one the kernel's lines, at their numbers", async () => {
      const path = "var/log/messages";
      const text = others(4000) + oom + others(4000);
      const limits = { maxFileBytes: 64 * 1024 };
      const bundle = await bundleOf({ "proc/meminfo": meminfo, [path]: text }, limits);
      expect(bundle.warnings).toEqual([]);
      const kept = new TextDecoder().decode(bundle.files.get(path)).split("\n");
      expect(kept).toEqual(text.split("\n").map((line) => line.includes(" kernel: ") ? line : ""));
    });
  });

  it.each([1, 7, 100, 10_000])(
    "is the kernel's, or of who kills before it must, where journalctl shows several lines of one message, in pieces of %d bytes",
    (size) => {
      const indented = "      active_file:1 inactive_file:2\n      free:3 free_pcp:4\n";
      const mine = `Nov 22 23:10:01 db1 kernel: active_anon:5 inactive_anon:6\n${indented}`;
      const other = "Nov 22 23:10:01 db1 app[7]: Traceback:\n  File main.py\n   raise\n";
      const oomd = "Nov 22 23:10:02 db1 systemd-oomd[932]: Killed /a.scope due to memory pressure for / being 90.00%\n";
      const bytes = new TextEncoder().encode(
        other + mine + other + oomd + other + oomd.replace("systemd-oomd", "earlyoom"),
      );
      const lines = newestOf("sos_commands/logs/journalctl_--boot", 10_000, () => {});
      for (let at = 0; at < bytes.length; at += size) lines?.push(bytes.subarray(at, at + size));
      expect(new TextDecoder().decode(lines?.end())).toBe(
        `\n\n\n${mine}\n\n\n${oomd}\n\n\n${oomd.replace("systemd-oomd", "earlyoom")}`,
      );
    },
  );

  it("that is cut off, at either end, tells what is left of it and never a wrong sum", async () => {
    const lines = sample("oom-7.2.txt");
    for (let at = 1; at < lines.length; at += 7) {
      for (const part of [lines.slice(0, at), lines.slice(at)]) {
        const report = await analyzeText(`${part.join("\n")}\n`);
        expect(brokenPromises(report)).toEqual([]);
        expect([undefined, 712]).toContain(
          report.ledger && Math.round(report.ledger.totalBytes / 2 ** 20) || undefined,
        );
      }
    }
    // From the totals on all is there, though who asked is not.
    const start = lines.findIndex((line) => line.includes("active_anon:"));
    expect((await analyzeText(`${lines.slice(start).join("\n")}\n`)).findings.at(-1)?.title).toMatch(
      /killed leaker \(pid 122\); most of it was processes' own memory: 621 MiB of 712 MiB/,
    );
  });

  it("tells the kernel and the host it is of", async () => {
    expect((await analyzeText(sample("oom-6.12-journal.txt").join("\n"))).host).toMatchObject({
      hostname: "web1",
      kernelRelease: "6.12.117+deb12-cloud-amd64",
    });
    expect((await analyzeText(sample("oom-4.18-syslog.txt").join("\n"))).host).toMatchObject({
      hostname: "db7",
      kernelRelease: "4.18.0-553.el8_10.x86_64",
    });
    // RHEL 6: https://github.com/darold/squidanalyzer/issues/69
    const old =
      "Nov 22 06:26:05 db6 kernel: Pid: 1743, comm: sshd Tainted: G           --------------- H  2.6.32-279.9.1.el6.x86_64 #1\n";
    expect((await analyzeText(old)).host).toMatchObject({
      hostname: "db6",
      kernelRelease: "2.6.32-279.9.1.el6.x86_64",
    });
  });

  it("is told by its first line where it has no times, however far away the rest is", async () => {
    const text = `Linux version 5.4.0 (gcc)\n${"usb: new device\n".repeat(1000)}${KILL}\n`;
    expect((await analyzeText(text)).findings.map(({ cause }) => cause)).toEqual(["memcg-oom"]);
  });

  it("is not any text, nor any file", async () => {
    // https://github.com/raspberrypi/linux/issues/4474
    const prose = "It looks like 5.10.52-6 don't invoked oom-killer for docker anymore.\n";
    const words = "os: debian 12\nkernel: 5.15.0-58-generic\nOut of memory again\n";
    for (const text of ["hello\n", prose, words, "\0[ 1.0] x\n", "From: kernel@example\n"]) {
      await expect(openArchive(chunks(text), { sources: [] })).rejects.toThrow("nor a kernel log");
    }
  });
});
