import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { parseKernelLog } from "../../src/parsers/kernel_log.ts";
import { parseOomDaemon } from "../../src/parsers/oom_daemon.ts";
import { preset } from "../../src/preset.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";
import { itIsRobust, parseClean } from "./_context.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

// https://github.com/systemd/systemd/issues/32304, and pull/42321 for later ones
const OOMD = `Apr 16 21:08:50 pc systemd-oomd[93234]: Considered 97 cgroups for killing, top candidates were:
Apr 16 21:08:50 pc systemd-oomd[93234]:         Path: /user.slice/app-slack.scope
Apr 16 21:08:50 pc systemd-oomd[93234]: Killed /user.slice/app-slack.scope due to memory pressure for /user.slice being 62.15% > 50.00% for > 20s with reclaim activity
Apr 16 21:08:51 pc systemd[1]: app-slack.scope: systemd-oomd killed 12 process(es) in this unit.
Apr 16 21:09:50 pc systemd-oomd[93234]: Marked /system.slice/db.service for killing due to memory used (63) / total (64) and swap used (9) / total (10) being more than 90.00%
`;
// https://github.com/rfjakob/earlyoom/issues/354
const EARLYOOM =
  `Nov 12 17:08:27 earlyoom[1295]: mem avail:   888 of 55597 MiB ( 1.60%), swap free:    0 of 8191 MiB ( 0.00%)
Nov 12 17:08:27 earlyoom[1295]: low memory! at or below SIGTERM limits: mem  1.66%, swap 10.00%
Nov 12 17:08:27 earlyoom[1295]: sending SIGTERM to process 906175 uid 1000 "java": oom_score 1170, VmRSS 43912 MiB, cmdline "..."
Nov 12 17:08:37 earlyoom[1295]: process 906175 did not exit
Nov 12 17:08:37 earlyoom[1295]: mem avail:   896 of 55599 MiB ( 1.61%), swap free:    0 of 8191 MiB ( 0.00%)
Nov 12 17:08:37 earlyoom[1295]: sending SIGTERM to process 906175 uid 1000 "java": oom_score 1170, VmRSS 43912 MiB, cmdline "..."
`;
// Up to 1.3: https://github.com/rfjakob/earlyoom/issues/121
const OLD = `mem avail:  1524 of 13855 MiB (10 %), swap free:    0 of    0 MiB ( 0 %)
low memory! at or below SIGTERM limits: mem 10 %, swap 10 %
killing process 27541 "bash" with signal 15: badness 550, VmRSS 7609 MiB
process 27541 exited after 1.9 seconds
`;
// Up to 1.0, whose words are like the kernel's: https://github.com/rfjakob/earlyoom/issues/194, 65 and 88.
const FIRST = `Apr 30 11:46:14 host earlyoom[1000]: Out of memory! avail: 82 MiB < min: 230 MiB
Apr 30 11:46:14 host earlyoom[1000]: Killing process 7981 htop
`;
const FIRST_BY_HAND = `mem avail: 0 MiB (0 %), swap free: 570 MiB (9 %)
Out of memory! avail: 0 MiB < min: 587 MiB
Killing process 8230 sudo
`;
const SECOND = `Low memory! mem avail: 625 of 5875 MiB (10) % <= min 10 %, swap free: 0 of 0 MiB (0 %) <= min 10 %
Killing process: tail, pid: 16671, badness: 670, VmRSS: 4055 MiB
`;
// hakavlad/nohang#132
const NOHANG =
  `Feb 12 14:31:46 host nohang[530]:   MemAvailable [383 MiB, 5.0 %] <= soft_threshold_min_mem [384 MiB, 5.0 %]
Feb 12 14:31:46 host nohang[530]:   PID: 903309, name: mysqld, badness: 849
Feb 12 14:31:46 host nohang[530]: Implement a corrective action:
Feb 12 14:31:46 host nohang[530]:   Send SIGTERM to the victim; total response time: 2255 ms
`;
// facebookincubator/oomd: src/oomd/plugins/BaseKillPlugin.cpp
const FACEBOOKS =
  `[1813654.116643] oomd kill: 81.28 80.05 42.78 user.slice/build.scope 8912896 ruleset:[user] detectorgroup:[slow] killer:kill_by_pg_scan v2
[1813655.116643] oomd kill: 81.28 80.05 42.78 user.slice/b.scope 8912896 ruleset:[user] detectorgroup:[slow] killer:(dry)kill_by_pg_scan v2
`;
// crdroidandroid/issue_tracker#809; drivers/staging/android/lowmemorykiller.c
const ANDROID =
  `10-24 14:24:26.342   710   710 I lowmemorykiller: Kill 'com.google.android.gms.unstable' (17933), uid 10446, oom_score_adj 0 to free 140528kB rss, 37404kB swap; reason: device is not responding
[52794.911008] lowmemorykiller: Killing 'FinalizerDaemon' (17589), adj 904,
`;
// kubernetes/kubernetes#132001
const KUBELET =
  `May 28 16:05:40 node kubelet[9]: I0528 16:05:40.514706 9 eviction_manager.go:376] "Eviction manager: must evict pod(s) to reclaim" resourceName="ephemeral-storage"
May 28 16:05:44 node kubelet[9]: I0528 16:05:44.802914 9 eviction_manager.go:627] "Eviction manager: pod is evicted successfully" pod="sre/logs-0"
May 28 16:05:50 node kubelet[9]: I0528 16:05:50.514706 9 eviction_manager.go:376] "Eviction manager: must evict pod(s) to reclaim" resourceName="memory"
May 28 16:05:54 node kubelet[9]: I0528 16:05:54.802914 9 eviction_manager.go:627] "Eviction manager: pod is evicted successfully" pod="sre/web-d484d57fc-rkx95"
`;

describe("parseOomDaemon()", () => {
  it("tells the groups that systemd-oomd killed, and why", () => {
    expect(parseClean(parseOomDaemon, OOMD)).toEqual([
      {
        daemon: "systemd-oomd",
        victim: "/user.slice/app-slack.scope",
        pid: undefined,
        rssBytes: undefined,
        because: "memory pressure for /user.slice being 62.15% > 50.00% for > 20s with reclaim activity",
        isHostShort: false,
        line: 3,
      },
      expect.objectContaining({ victim: "/system.slice/db.service", isHostShort: true, line: 5 }),
    ]);
  });

  it("tells the process that earlyoom ended, once, and what was left", () => {
    expect(parseClean(parseOomDaemon, EARLYOOM)).toEqual([{
      daemon: "earlyoom",
      victim: "java",
      pid: 906_175,
      rssBytes: 43_912 * 2 ** 20,
      because: "mem avail: 888 of 55597 MiB ( 1.60%), swap free: 0 of 8191 MiB ( 0.00%)",
      isHostShort: true,
      line: 3,
    }]);
    expect(parseClean(parseOomDaemon, OLD)).toMatchObject([{ victim: "bash", pid: 27_541, line: 3 }]);
  });

  it.each([
    [FIRST, { victim: "htop", pid: 7981, rssBytes: undefined, because: "avail: 82 MiB < min: 230 MiB" }],
    [FIRST_BY_HAND, { victim: "sudo", pid: 8230, because: "avail: 0 MiB < min: 587 MiB" }],
    [SECOND, { victim: "tail", pid: 16_671, rssBytes: 4055 * 2 ** 20, isHostShort: true }],
  ])("reads the words of the first versions of earlyoom, which are not the kernel's: %s", (text, kill) => {
    expect(parseClean(parseOomDaemon, text)).toMatchObject([{ daemon: "earlyoom", ...kill }]);
    const log = `${text}Apr 30 11:46:14 host kernel: eth0: link is up\n`;
    expect(parseKernelLog(log, { facts: {}, warn() {} })).toEqual([]);
    const others =
      "Apr 30 11:46:14 host systemd[1]: a.service: Killing process 12 (sh) with signal SIGKILL.\nKilling process 8 sh\n";
    expect(parseOomDaemon(others, { facts: {}, warn() {} })).toEqual([]);
  });

  it.each<[string, string, readonly object[]]>([
    ["nohang", NOHANG, [{
      daemon: "nohang",
      victim: "mysqld",
      pid: 903_309,
      because: "MemAvailable [383 MiB, 5.0 %] <= soft_threshold_min_mem [384 MiB, 5.0 %]",
      isHostShort: true,
      line: 4,
    }]],
    ["Facebook's oomd", FACEBOOKS, [{
      daemon: "oomd",
      victim: "user.slice/build.scope",
      because: "its tasks waited for memory 81.28 80.05 42.78 % of the last 10 s, 1 min and 5 min",
      isHostShort: false,
    }]],
    ["Android", ANDROID, [
      {
        daemon: "lmkd",
        victim: "com.google.android.gms.unstable",
        pid: 17_933,
        rssBytes: 140_528 * 1024,
        because: "device is not responding",
        isHostShort: false,
      },
      { daemon: "lmkd", victim: "FinalizerDaemon", pid: 17_589, rssBytes: undefined, because: undefined },
    ]],
    // Who had to go for want of disk space is none of them.
    ["the kubelet", KUBELET, [{
      daemon: "kubelet",
      victim: "pod sre/web-d484d57fc-rkx95",
      isHostShort: true,
      line: 4,
    }]],
    [
      "kubectl describe pod",
      "Message: The node was low on resource: memory. Threshold quantity: 100Mi, available: 95Mi. Container web was using 1Gi\n",
      [{
        victim: "the pod of container web",
        because: "The node was low on resource: memory. Threshold quantity: 100Mi, available: 95Mi",
        isHostShort: true,
      }],
    ],
    [
      "Talos",
      `user: warning: [2026-01-12T20:27:31.913975631Z]: [talos] Sending SIGKILL to cgroup {"controller": "runtime.OOMController", "cgroup": "/sys/fs/cgroup/kubepods/pod7"}\n`,
      [{ daemon: "talos", victim: "/kubepods/pod7", pid: undefined, isHostShort: false }],
    ],
    ["systemd-oomd without what journalctl puts before it", OOMD.replace(/^.*?: /gm, ""), [
      { daemon: "systemd-oomd", victim: "/user.slice/app-slack.scope" },
      { victim: "/system.slice/db.service", isHostShort: true },
    ]],
    ["earlyoom with a reserve", EARLYOOM.replaceAll(" of 555", " of 25"), [{ victim: "java", isHostShort: false }]],
  ])("tells whom others killed, and whether they found the host short: %s", (_, text, kills) => {
    expect(parseClean(parseOomDaemon, text)).toMatchObject(kills);
  });

  it("takes nobody's word for it: what quotes it, or speaks of it, is no kill", () => {
    const text = "Apr 16 21:08:51 pc systemd[1]: app.scope: systemd-oomd killed 12 process(es) in this unit.\n" +
      "Apr 16 21:08:51 pc systemd[1]: Started systemd-oomd.service\nVmRSS 12 MiB\n";
    expect(parseClean(parseOomDaemon, text)).toEqual([]);
  });

  it("takes time in proportion to a hostile line", async () => {
    for (
      const each of [
        "oomd kill: 1 1 1 a 1 ",
        "systemd-oomd: Killed ",
        "mem avail: 1 of 1 MiB ",
        "nohang: PID: 1, name: ",
        "lmkd: Kill 'a' (1), adj 1 ",
        "viction manager: pod ",
        "low on resource: memory Container ",
      ]
    ) {
      for (const end of ["", " killer:(dry)"]) {
        const parse = (size: number) => parseOomDaemon(`${each.repeat(size)}${end}\n`, { facts: {}, warn() {} });
        expect(await growth(parse, 10_000), each).toBeLessThan(IN_PROPORTION);
      }
    }
  });

  itIsRobust("parseOomDaemon", OOMD, parseOomDaemon);
});

describe("what such a program did", () => {
  it.each([
    ["systemd-oomd", OOMD],
    ["earlyoom", EARLYOOM],
    ["earlyoom", OLD],
    ["nohang", NOHANG],
    ["kubelet", KUBELET],
  ])(
    "is an event, and no OOM of the kernel: %s",
    async (daemon, text) => {
      async function* chunks() {
        yield new TextEncoder().encode(text);
      }
      const report = analyze(await openArchive(chunks(), { sources: presetSources(preset) }), preset);
      expect(report.events.at(-1)).toMatchObject({
        kind: "daemon-kill",
        title: expect.stringContaining(`${daemon}, not the kernel, `),
      });
      expect(report.findings).toEqual([]);
      expect(report.pressure.level).toBe("short");
      // What the kernel did such a log alone does not tell.
      expect(report.ruledOut).toEqual([]);
    },
  );

  it("rules no OOM of the kernel's out by the log of such a program that killed nobody", async () => {
    const text =
      "ao\u00fbt 04 21:53:13 pc systemd[1]: Started Early OOM Daemon.\nao\u00fbt 04 21:53:13 pc earlyoom[15]: mem total: 9790 MiB\n";
    async function* chunks() {
      yield new TextEncoder().encode(text);
    }
    const report = analyze(await openArchive(chunks(), { sources: presetSources(preset) }), preset);
    expect([report.events, report.ruledOut]).toEqual([[], []]);
  });

  it.each([["systemd-oomd", OOMD.split("\n").slice(0, 3).join("\n")], ["oomd", FACEBOOKS], ["lmkd", ANDROID]])(
    "does not make a host short, where a group or a program was judged: %s",
    async (daemon, text) => {
      async function* chunks() {
        yield new TextEncoder().encode(text);
      }
      const { pressure } = analyze(await openArchive(chunks(), { sources: presetSources(preset) }), preset);
      expect(pressure).toMatchObject({
        level: "none",
        because: expect.stringMatching(
          `^${daemon}, not the kernel, .*; whether the host was short its log does not tell$`,
        ),
      });
    },
  );

  it("does not make a host short that has memory available now, and is kept of a long log", async () => {
    const others = "Apr 16 21:08:51 pc app[7]: all is well\n".repeat(4000);
    const report = await analyzeFiles({ "proc/meminfo": meminfoText(), "var/log/syslog": others + OOMD + others });
    expect(report.pressure.level).toBe("none");
    expect(report.events.map(({ kind, line }) => [kind, line])).toEqual([["daemon-kill", 4003], ["daemon-kill", 4005]]);
    for (
      const [text, line] of [[EARLYOOM, 4003], [NOHANG, 4004], [KUBELET, 4004], [
        FACEBOOKS.replaceAll(/^/gm, "Apr 16 21:08:51 pc kernel: "),
        4001,
      ]] as const
    ) {
      const { events } = await analyzeFiles({
        "proc/meminfo": meminfoText(),
        "var/log/syslog": others + text + others,
      });
      expect(events.map((event) => [event.kind, event.line])).toEqual([["daemon-kill", line]]);
    }
  });
});
