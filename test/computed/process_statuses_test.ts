import { describe, expect, it } from "vitest";
import { analyzeFiles, findingOf, meminfoText } from "../analyzers/_bundle.ts";

const AUX = "sos_commands/process/ps_auxwww";
const NAMES = "sos_commands/process/ps_axo_pid_ppid_user_group_lwp_nlwp_start_time_comm_cgroup";

/** What a sosreport has of one large process, in kB. */
function report(rss: number): { [path: string]: string } {
  return {
    "proc/meminfo": meminfoText({ AnonPages: (rss + 1000) * 1024 }),
    [AUX]: "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n" +
      `root 7 0.0 0.0 99999999 ${rss} ? Sl 08:12 0:00 /opt/very/long/path/leaky-daemon-of-mine --serve\n` +
      "root 2 0.0 0.0 0 0 ? S 08:12 0:00 [kthreadd]\n",
    [NAMES]:
      "PID PPID USER GROUP LWP NLWP START COMMAND         CGROUP\n7 1 root root 7 7 08:12 leaky-daemon    0::/\n",
  };
}

describe("processStatuses", () => {
  it("has a sosreport's processes from ps, by the kernel's name", async () => {
    const finding = findingOf(await analyzeFiles(report(4 * 2 ** 20)), "user-leak");
    expect(finding).toMatchObject({
      confidence: "possible",
      owners: [{ pid: 7, comm: "leaky-daemon", bytes: 4 * 2 ** 30 }],
      evidence: [{ path: AUX, line: 2 }],
    });
  });

  it("takes the program's name from the command line where nothing else tells it", async () => {
    const { [NAMES]: _, ...files } = report(4 * 2 ** 20);
    expect(findingOf(await analyzeFiles(files), "user-leak")?.owners[0]?.comm).toBe("leaky-daemon-of");
  });

  it("prefers /proc/PID/status", async () => {
    const files = {
      ...report(4 * 2 ** 20),
      "proc/7/status": "Name:\tleaky\nPid:\t7\nVmRSS:\t 900 kB\nRssAnon:\t 800 kB\n",
    };
    expect(findingOf(await analyzeFiles(files), "user-leak")).toBeUndefined();
  });

  it("has a process whose first thread has ended by another one's status, in each snapshot", async () => {
    const MIB = 2 ** 20;
    const files: { [path: string]: string } = {};
    // 500 MiB that grew by 8 MiB a second on Linux 6.18, while ps called the process defunct.
    for (
      const [i, prefix] of ["", "history/2026-01-01T00:00:05.000Z/", "history/2026-01-01T00:00:10.000Z/"].entries()
    ) {
      const anon = (500 + 40 * i) * MIB;
      files[`${prefix}proc/meminfo`] = meminfoText({ AnonPages: 32 * MIB + anon });
      files[`${prefix}proc/9/status`] = "Name:\tother\nTgid:\t9\nPid:\t9\nVmRSS:\t 900 kB\nRssAnon:\t 900000 kB\n";
      files[`${prefix}proc/7/status`] = "Name:\tleadergone\nState:\tZ (zombie)\nTgid:\t7\nPid:\t7\n";
      files[`${prefix}sos_commands/process/leaderless_status`] = `${files[`${prefix}proc/7/status`]}` +
        `Name:\tsurvivor\nState:\tS (sleeping)\nTgid:\t7\nPid:\t8\nVmRSS:\t ${anon / 1024} kB\nRssAnon:\t ${
          anon / 1024
        } kB\n`;
    }
    expect(findingOf(await analyzeFiles(files), "user-leak")).toMatchObject({
      confidence: "likely",
      owners: [{ pid: 7, comm: "leadergone", bytes: 500 * MIB }],
      evidence: [{ line: 10 }, { line: 10 }],
    });
    // Nor does it hide the others.
    const steady = Object.entries(files).filter(([path]) => !path.startsWith("history/"));
    expect(findingOf(await analyzeFiles(Object.fromEntries(steady)), "user-leak")?.owners[0]?.comm).toBe("other");
  });

  it("names what is missing where there is neither", async () => {
    const { notAssessed } = await analyzeFiles({ "proc/meminfo": meminfoText() });
    expect(notAssessed.find(({ cause }) => cause === "user-leak")?.missing).toContain("proc/PID/status");
  });

  // `ps aux --sort -rss | head -3`, and a part of it that grep picked out: who is not in it may be anybody.
  const HEADER = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n";
  const SMALL = "root 7 0.0 0.0 9 90000 ? Sl 08:12 0:00 a\nroot 9 0.0 0.0 9 80000 ? Sl 08:12 0:00 b\n";

  it.each([
    ["sorted and cut off", `${HEADER}${SMALL}`],
    [
      "top's screen",
      "PID USER PR NI VIRT RES SHR S %CPU %MEM TIME+ COMMAND\n7 root 20 0 9 90000 9 S 0.0 0.1 0:00.01 top\n",
    ],
  ])("rules nobody out by a list of some processes: %s", async (_, text) => {
    const { notAssessed, ruledOut } = await analyzeFiles({ "proc/meminfo": meminfoText(), [AUX]: text });
    for (const cause of ["user-leak", "process-proliferation"]) {
      expect(ruledOut.map((each) => each.cause)).not.toContain(cause);
      expect(notAssessed).toContainEqual({
        cause,
        missing: ["the whole list of processes (what is there is cut off, or filtered)"],
        howToCapture: ["ps auxwww"],
      });
    }
  });

  it.each(["ps auxwww", "/usr/bin/ps aux"])("takes a list that %s is in for the whole", async (itself) => {
    const text = `${HEADER}${SMALL}root 11 0.0 0.0 9 1000 ? R 08:12 0:00 ${itself}\n`;
    const { ruledOut } = await analyzeFiles({ "proc/meminfo": meminfoText(), [AUX]: text });
    expect(ruledOut.map(({ cause }) => cause)).toEqual(expect.arrayContaining(["process-proliferation", "user-leak"]));
  });

  it("does not take what meminfo does not tell for 0", async () => {
    const { notAssessed } = await analyzeFiles({
      "proc/meminfo": "MemTotal: 8000 kB\nMemFree: 700 kB\n",
      [AUX]: `${HEADER}${SMALL}`,
    });
    for (const cause of ["kernel-stack-leak", "page-table-bloat"]) {
      expect(notAssessed).toContainEqual({ cause, missing: ["proc/meminfo"], howToCapture: ["cat /proc/meminfo"] });
    }
  });
});
