/** process_status.ts, smaps_rollup.ts, process_cmdline.ts, process_comm.ts and process_cgroup.ts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { parseProcessCgroup, systemdUnit } from "../../src/parsers/process_cgroup.ts";
import { parseProcessCmdline } from "../../src/parsers/process_cmdline.ts";
import { parseProcessComm } from "../../src/parsers/process_comm.ts";
import { parseProcessStatus } from "../../src/parsers/process_status.ts";
import { parseSmapsRollup } from "../../src/parsers/smaps_rollup.ts";
import { contextOf, itIsRobust, live, parseClean, parseWithWarnings } from "./_context.ts";

// 6.18, shortened
const STATUS = `Name:\tfriend_push
Umask:\t0022
State:\tS (sleeping)
Tgid:\t6816
Pid:\t6816
PPid:\t1
Uid:\t33\t34\t33\t33
FDSize:\t256
Groups:\t 
VmSize:\t    3708 kB
VmLck:\t       1 kB
VmPin:\t       2 kB
VmRSS:\t    1728 kB
RssAnon:\t     120 kB
RssFile:\t    1608 kB
RssShmem:\t       0 kB
VmPTE:\t      44 kB
VmSwap:\t       3 kB
HugetlbPages:\t    2048 kB
untag_mask:\t0xffffffffffffffff
Threads:\t7
`;
const KERNEL_THREAD =
  "Name:\tkthreadd\nState:\tS (sleeping)\nTgid:\t2\nPid:\t2\nPPid:\t0\nUid:\t0\t0\t0\t0\nThreads:\t1\n";

describe("parseProcessStatus()", () => {
  it("reads who it is and what it holds, in bytes, with lines", () => {
    const { lines, ...status } = parseClean(parseProcessStatus, STATUS);
    expect(status).toEqual({
      name: "friend_push",
      pid: 6816,
      tgid: 6816,
      ppid: 1,
      state: "S",
      threads: 7,
      uid: 33,
      fdSize: 256,
      vmSizeBytes: 3708 * 1024,
      vmLckBytes: 1024,
      vmPinBytes: 2048,
      vmRssBytes: 1728 * 1024,
      rssAnonBytes: 120 * 1024,
      rssFileBytes: 1608 * 1024,
      rssShmemBytes: 0,
      vmPteBytes: 44 * 1024,
      vmSwapBytes: 3072,
      hugetlbBytes: 2_097_152,
    });
    expect([lines.get("VmRSS"), lines.get("HugetlbPages"), lines.get("Nothing")]).toEqual([13, 19, undefined]);
  });

  it("has no memory for a kernel thread, which is not 0", () => {
    const status = parseClean(parseProcessStatus, KERNEL_THREAD);
    expect(status).toMatchObject({ name: "kthreadd", pid: 2, vmRssBytes: undefined, rssAnonBytes: undefined });
    expect(status.vmSwapBytes).toBeUndefined();
  });

  it.each([
    ["a\\nb", "a\nb"],
    ["a\\\\nb", "a\\nb"],
    ["a\\011b", "a\tb"],
    [" a: b ", " a: b "],
    ["VmRSS:\t5 kB", "VmRSS:\t5 kB"],
    ["__proto__", "__proto__"],
    ["", ""],
    ["\u001b[31mred", "\u001b[31mred"],
  ])("reads the name %j as %j", (escaped, name) => {
    const status = parseClean(parseProcessStatus, STATUS.replace("friend_push", escaped));
    expect(status).toMatchObject({ name, vmRssBytes: 1728 * 1024, pid: 6816 });
  });

  it("leaves a bad number out and keeps the others", () => {
    const { value, warnings } = parseWithWarnings(parseProcessStatus, STATUS.replace("1728 kB", "-1728 kB"));
    expect(value).toMatchObject({ vmRssBytes: undefined, rssAnonBytes: 122_880 });
    expect(warnings).toEqual(['13: not a number: "VmRSS: -1728 kB"']);
  });

  // As the kernel prints them, as no kernel does, and at the ends of what a number can be.
  const values = fc.constantFrom(
    ...[
      "\t5",
      "\t       1 kB",
      "\t0\t0\t0\t0",
      "\t7/96364",
      "\tR (running)",
      "\tx",
      "",
      "\t",
      "\t-1 kB",
      "\t1 kb",
      "\t0x5",
      " 12",
    ],
    ...[
      "\t9007199254740993",
      "\t999999999999999",
      "\t9999999999999 kB",
      "\t1 kB ",
      "\t\u00a05 kB",
      "\t1\\n2",
      "\tS\n\nExtra:\t1",
    ],
  );

  it("reads a file alike, whether its lines are known from others of the host or not", () => {
    const lines = STATUS.trimEnd().split("\n");
    const changes = fc.array(fc.tuple(fc.nat(lines.length - 1), values), { maxLength: 4 });
    fc.assert(fc.property(fc.array(changes, { minLength: 1, maxLength: 8 }), (files) => {
      const host = {};
      for (const each of files) {
        const changed = [...lines];
        for (const [at, value] of each) changed[at] = `${(changed[at] as string).split(":")[0]}:${value}`;
        const text = `${changed.join("\n")}\n`;
        const [known, alone] = [contextOf(host), contextOf({})];
        expect(parseProcessStatus(text, known.context)).toEqual(parseProcessStatus(text, alone.context));
        expect(known.warnings).toEqual(alone.warnings);
      }
    }));
  });

  it("throws nothing but ParseError, cut at every character", () => {
    for (let cut = 0; cut < STATUS.length; cut++) {
      try {
        const { value } = parseWithWarnings(parseProcessStatus, STATUS.slice(0, cut));
        expect(value.rssAnonBytes === undefined || value.rssAnonBytes === 122_880, `cut at ${cut}`).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(ParseError);
        expect(cut).toBeLessThan("Name:".length);
      }
    }
  });

  const text = live("/proc/self/status");
  it.skipIf(text === undefined)("reads this process", () => {
    const status = parseClean(parseProcessStatus, text as string);
    expect(status.rssAnonBytes).toBeGreaterThan(1_000_000);
    expect((status.rssAnonBytes ?? 0) + (status.rssFileBytes ?? 0) + (status.rssShmemBytes ?? 0)).toBe(
      status.vmRssBytes,
    );
  });
});

describe("parseSmapsRollup()", () => {
  const ROLLUP = `55666d3ec000-7fffc5e45000 ---p 00000000 00:00 0                          [rollup]
Rss:                1664 kB
Pss:                 375 kB
Pss_Dirty:           116 kB
Pss_Anon:            116 kB
Pss_File:            258 kB
Pss_Shmem:             1 kB
AnonHugePages:      2048 kB
Private_Hugetlb:    4096 kB
SwapPss:               5 kB
`;

  it("reads the sums with their lines", () => {
    expect(parseClean(parseSmapsRollup, ROLLUP)).toMatchObject({
      rssBytes: 1664 * 1024,
      pssBytes: 375 * 1024,
      pssAnonBytes: 116 * 1024,
      pssFileBytes: 258 * 1024,
      pssShmemBytes: 1024,
      anonHugePagesBytes: 2_097_152,
      privateHugetlbBytes: 4_194_304,
      swapPssBytes: 5120,
    });
    expect(parseClean(parseSmapsRollup, ROLLUP)?.lines.get("Pss_Anon")).toBe(5);
  });

  it("knows no parts where the kernel has none (before 5.4)", () => {
    const text = ROLLUP.replaceAll(/^Pss_.*\n/gm, "");
    expect(parseClean(parseSmapsRollup, text)).toMatchObject({ pssBytes: 384_000, pssAnonBytes: undefined });
  });

  it("is undefined for a kernel thread, and throws for other text", () => {
    expect(parseClean(parseSmapsRollup, "")).toBeUndefined();
    expect(() => parseWithWarnings(parseSmapsRollup, "No such process\n")).toThrow(ParseError);
  });

  it("throws nothing but ParseError, cut at every character", () => {
    for (let cut = 0; cut < ROLLUP.length; cut++) {
      try {
        const pss = parseWithWarnings(parseSmapsRollup, ROLLUP.slice(0, cut)).value?.pssBytes;
        expect(pss === undefined || pss === 384_000, `cut at ${cut}`).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(ParseError);
      }
    }
  });

  const text = live("/proc/self/smaps_rollup");
  it.skipIf(!text)("reads this process", () => {
    const rollup = parseClean(parseSmapsRollup, text as string);
    expect(rollup?.pssAnonBytes).toBeGreaterThan(1_000_000);
    expect(rollup?.pssBytes).toBeLessThanOrEqual(rollup?.rssBytes as number);
  });
});

describe("parseProcessCmdline()", () => {
  it.each([
    ["python3\0friend_push.py\0", ["python3", "friend_push.py"]],
    ["sh\0-c\0\0", ["sh", "-c", ""]],
    ["nginx: worker process", ["nginx: worker process"]],
    ["a\nb\0", ["a\nb"]],
    ["\0", [""]],
    ["", []],
  ])("splits %j", (text, argv) => expect(parseProcessCmdline(text)).toEqual(argv));
});

describe("parseProcessComm()", () => {
  it.each([["cat\n", "cat"], ["a\nb\n", "a\nb"], ["\n", ""], ["", ""], ["cut", "cut"]])(
    "reads %j as %j",
    (text, comm) => {
      expect(parseProcessComm(text)).toBe(comm);
    },
  );
});

describe("parseProcessCgroup()", () => {
  const V1 = `12:name=systemd:/system.slice/app:1.service
4:cpu,cpuacct:/
3:memory:/docker/0123
`;
  itIsRobust("parseProcessCgroup", V1, parseProcessCgroup);

  it("reads hierarchies, controllers and paths, which may hold colons", () => {
    expect(parseClean(parseProcessCgroup, V1)).toEqual([
      { hierarchy: 12, controllers: ["name=systemd"], path: "/system.slice/app:1.service", line: 1 },
      { hierarchy: 4, controllers: ["cpu", "cpuacct"], path: "/", line: 2 },
      { hierarchy: 3, controllers: ["memory"], path: "/docker/0123", line: 3 },
    ]);
    expect(parseClean(parseProcessCgroup, "0::/init.scope\n")).toEqual([
      { hierarchy: 0, controllers: [], path: "/init.scope", line: 1 },
    ]);
  });

  it("keeps rows after a malformed one", () => {
    const { value, warnings } = parseWithWarnings(parseProcessCgroup, "x::/a\n5\n0:/b\n1:a:c\n0::/d\n");
    expect(value).toEqual([{ hierarchy: 0, controllers: [], path: "/d", line: 5 }]);
    expect(warnings).toHaveLength(4);
  });

  it.each([
    ["0::/system.slice/cron.service\n", "cron.service"],
    ["0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo\\x2dbar.service/worker\n", "foo\\x2dbar.service"],
    ["0::/user.slice/user-0.slice/session-2.scope\n", "session-2.scope"],
    [V1, "app:1.service"],
    ["3:memory:/a.service\n1:name=systemd:/b.service\n0::/\n", "b.service"],
    ["0::/\n", undefined],
  ])("finds the systemd unit of %j: %s", (text, unit) => {
    expect(systemdUnit(parseClean(parseProcessCgroup, text))).toBe(unit);
  });
});
