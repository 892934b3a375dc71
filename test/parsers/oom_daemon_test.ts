import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/bundle/open.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { parseOomDaemon } from "../../src/parsers/oom_daemon.ts";
import { preset } from "../../src/preset.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";
import { itIsRobust, parseClean } from "./_context.ts";

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

describe("parseOomDaemon()", () => {
  it("tells the groups that systemd-oomd killed, and why", () => {
    expect(parseClean(parseOomDaemon, OOMD)).toEqual([
      {
        daemon: "systemd-oomd",
        victim: "/user.slice/app-slack.scope",
        pid: undefined,
        rssBytes: undefined,
        because: "memory pressure for /user.slice being 62.15% > 50.00% for > 20s with reclaim activity",
        line: 3,
      },
      expect.objectContaining({ victim: "/system.slice/db.service", line: 5 }),
    ]);
  });

  it("tells the process that earlyoom ended, once, and what was left", () => {
    expect(parseClean(parseOomDaemon, EARLYOOM)).toEqual([{
      daemon: "earlyoom",
      victim: "java",
      pid: 906_175,
      rssBytes: 43_912 * 2 ** 20,
      because: "mem avail: 888 of 55597 MiB ( 1.60%), swap free: 0 of 8191 MiB ( 0.00%)",
      line: 3,
    }]);
    expect(parseClean(parseOomDaemon, OLD)).toMatchObject([{ victim: "bash", pid: 27_541, line: 3 }]);
  });

  it("takes nobody's word for it: what quotes it, or speaks of it, is no kill", () => {
    const text = "Apr 16 21:08:51 pc systemd[1]: app.scope: systemd-oomd killed 12 process(es) in this unit.\n" +
      "Apr 16 21:08:51 pc systemd[1]: Started systemd-oomd.service\nVmRSS 12 MiB\n";
    expect(parseClean(parseOomDaemon, text)).toEqual([]);
  });

  itIsRobust("parseOomDaemon", OOMD, parseOomDaemon);
});

describe("what such a program did", () => {
  it.each([["systemd-oomd", OOMD], ["earlyoom", EARLYOOM], ["earlyoom", OLD]])(
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
    },
  );

  it("does not make a host short that has memory available now, and is kept of a long log", async () => {
    const others = "Apr 16 21:08:51 pc app[7]: all is well\n".repeat(4000);
    const report = await analyzeFiles({ "proc/meminfo": meminfoText(), "var/log/syslog": others + OOMD + others });
    expect(report.pressure.level).toBe("none");
    expect(report.events.map(({ kind, line }) => [kind, line])).toEqual([["daemon-kill", 4003], ["daemon-kill", 4005]]);
  });
});
