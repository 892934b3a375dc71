import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/core/errors.ts";
import { forEachLogLine } from "../../src/parsers/_kernel_messages.ts";
import { parseKernelLog } from "../../src/parsers/kernel_log.ts";
import { itIsRobust, parseClean, parseWithWarnings } from "./_context.ts";
import { growth, IN_PROPORTION } from "../_growth.ts";

const NEW = `[    0.000000] Linux version 6.12.117
[  116.104211] stress-ng-vm invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=1000
[  116.104230] CPU: 0 UID: 0 PID: 116 Comm: stress-ng-vm Not tainted 6.12.117
[  116.104611] Mem-Info:
[  116.105011] Tasks state (memory values in pages):
[  116.105021] [    116]     0   116  2628942  1995298  1995157      141         0 16052224        0          1000 stress-ng-vm
[  116.105100] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=stress-ng-vm,pid=116,uid=0
[  116.105120] Out of memory: Killed process 116 (stress-ng-vm) total-vm:10515768kB, anon-rss:7980628kB, file-rss:564kB, shmem-rss:0kB, UID:0 pgtables:15676kB oom_score_adj:1000
[  117.200000] oom_reaper: reaped process 116 (stress-ng-vm), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB
[  300.000001] swapper/0: page allocation failure: order:4, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null),cpuset=/,mems_allowed=0
`;

const KILLED =
  "[ 1.0] a invoked oom-killer: gfp_mask=0x1, order=0\n[ 1.0] Out of memory: Killed process 7 (a) total-vm:1kB, anon-rss:1kB\n";

describe("parseKernelLog()", () => {
  itIsRobust("parseKernelLog", NEW, parseKernelLog);

  it("takes time in proportion to the number of starts and kills", async () => {
    // 5 billion steps for 50,000 if each start went through all kills before it.
    const read = (size: number) => {
      const kills = Array.from({ length: size }, (_, i) => KILLED.replace("process 7", `process ${i}`)).join("");
      const events = parseClean(parseKernelLog, kills + "[ 0.0] Linux version 6\n".repeat(2 * size));
      expect(events).toHaveLength(size);
      expect(events.every(({ startsSince }) => startsSince === 2 * size)).toBe(true);
    };
    expect(await growth(read, 3000)).toBeLessThan(IN_PROPORTION);
  });

  // https://github.com/leptonai/gpud/pull/70: all that `grep oom-kill` leaves.
  it("knows whom the kernel chose by its summary", () => {
    const summary = (group: string, task: string, pid: number): string =>
      `[ 1.0] oom-kill:constraint=${group},task_memcg=/a,task=${task},pid=${pid},uid=0\n`;
    const text = summary("CONSTRAINT_MEMCG,oom_memcg=/a", "a,b", 7) + summary("CONSTRAINT_NONE,global_oom", "c", 8);
    const events = parseClean(parseKernelLog, text);
    expect(events.map(({ kind, victims }) => [kind, victims.map(({ comm, pid }) => [comm, pid])])).toEqual([
      ["memcg-oom", [["a,b", 7]]],
      ["global-oom", [["c", 8]]],
    ]);
  });

  // https://github.com/wl500g/wl500g/issues/217, a router's syslog without the host; RHEL 6 has the full stop, too.
  it.each(["", "Mar 29 23:11:07 kernel: ", "Mar 29 23:11:07 web1 kernel: "])(
    "reads words of up to 2.6.38: %s",
    (head) => {
      const text =
        `${head}swapper: page allocation failure. order:3, mode:0x4020\n${head}Out of Memory: Killed process 7 (a).\n`;
      expect(parseClean(parseKernelLog, text)).toMatchObject([
        { kind: "allocation-failure", comm: "swapper", order: 3 },
        { kind: "global-oom", victims: [{ pid: 7, comm: "a" }] },
      ]);
    },
  );

  // https://github.com/Ysurac/openmptcprouter/issues/1256, https://github.com/raspberrypi/linux/issues/95
  it.each([
    "vmap allocation for size 36864 failed: use vmalloc=<size> to increase size\n[ 1.0] a: vmalloc: allocation failure: 32768 bytes, mode:0xcc0(GFP_KERNEL)\n",
    "vmalloc: allocation failure: 32768 bytes\n[ 1.0] a: page allocation failure: order:0, mode:0xd2\n",
    "a: vmalloc error: size 32768, vm_struct allocation failed, mode:0xcc0(GFP_KERNEL)\n",
  ])("takes no want of addresses for one of memory: %#", (lines) => {
    expect(parseClean(parseKernelLog, `[ 1.0] ${lines}`)).toMatchObject([
      { kind: "allocation-failure", comm: "a", order: undefined, vmallocBytes: 32_768 },
    ]);
    // These are pages that were not to be had.
    const [event] = parseClean(
      parseKernelLog,
      "[ 1.0] vmalloc: allocation failure, allocated 4096 of 8192 bytes\n[ 1.0] a: page allocation failure: order:0, mode:0xd2\n",
    );
    expect(event).toMatchObject({ order: 0, vmallocBytes: undefined });
  });

  it("takes no number for an order that no kernel has", () => {
    const orderOf = (order: string) =>
      parseClean(parseKernelLog, KILLED.replace("order=0", `order=${order}`))[0]?.order;
    expect(["0", "11", "-1", "31", "-2", "4294967295", "x"].map(orderOf)).toEqual(
      [0, 11, -1, undefined, undefined, undefined, undefined],
    );
  });

  it("takes a group's kill, of which the first lines are not in the log, for none of the host's before it", () => {
    const group =
      `[  117.3] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/app,task_memcg=/app,task=b,pid=8,uid=0
[  117.3] Memory cgroup out of memory: Killed process 8 (b) total-vm:9kB, anon-rss:9kB
`;
    const host = NEW.slice(0, NEW.indexOf("[  300.0"));
    expect(parseClean(parseKernelLog, host + group).map(({ kind, memcg, victims }) => [kind, memcg, victims[0]?.pid]))
      .toEqual([["global-oom", undefined, 116], ["memcg-oom", "/app", 8]]);
  });

  it.each([
    "  Warning  OOMKilling  5m    kernel-monitor, node-1   ",
    "5m          Warning   OOMKilling   node/node-1   ",
    '    "message": "',
  ])("reads a kill that kubectl tells: %j", (prefix) => {
    const text =
      `${prefix}Memory cgroup out of memory: Killed process 3504804 (kubectl) total-vm:753508kB, anon-rss:58776kB`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([
      { kind: "memcg-oom", victims: [{ pid: 3_504_804, comm: "kubectl", totalVmBytes: 753_508 * 1024 }] },
    ]);
  });

  it("tells once of a kill that the text has twice", () => {
    // A blog about RocketMQ quotes the lines of its log that it explains.
    const invoked =
      "Jun  4 17:19:10 web kernel: AliYunDun invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0\n";
    const killed =
      "Jun  4 17:19:10 web kernel: Killed process 5424 (java) total-vm:147654756kB, anon-rss:6151080kB, file-rss:0kB\n";
    const score = "Jun  4 17:19:10 web kernel: Out of memory: Kill process 5424 (java) score 800 or sacrifice child\n";
    const text = `${invoked}${score}${killed}1. Who asked for memory?\n${invoked}${killed}`;
    expect(parseClean(parseKernelLog, text).map(({ line, victims }) => [line, victims.map(({ pid }) => pid)])).toEqual([
      [1, [5424]],
    ]);
    const whole = `${invoked}${score}${killed}`;
    expect(parseClean(parseKernelLog, whole + whole).map(({ line }) => line)).toEqual([1]);
    const other = killed.replace("5424", "77");
    expect(parseClean(parseKernelLog, `${text}${invoked}${other}`).map(({ line }) => line)).toEqual([1, 7]);
  });

  it("does not take a start of the host for a log with its newest line first", () => {
    const text = `[ 900.000001] Out of memory: Killed process 1 (a) total-vm:8kB
[    0.000000] Linux version 6.12.117
[   20.000000] Out of memory: Killed process 2 (b) total-vm:8kB
`;
    expect(parseClean(parseKernelLog, text).map(({ isEarlierBoot }) => isEarlierBoot)).toEqual([true, false]);
    const newestFirst = `[   20.000003] Out of memory: Killed process 2 (b) total-vm:8kB
[   20.000002] b invoked oom-killer: gfp_mask=0x0, order=0
[   20.000001] a invoked oom-killer: gfp_mask=0x0, order=0
`;
    expect(parseClean(parseKernelLog, newestFirst).map(({ comm, line }) => [comm, line])).toEqual([["a", 3], ["b", 2]]);
  });

  it("puts the lines of one kill together (6.12)", () => {
    expect(parseClean(parseKernelLog, NEW)).toEqual([
      {
        kind: "global-oom",
        line: 2,
        isEarlierBoot: false,
        startsSince: 0,
        seconds: 116.104211,
        comm: "stress-ng-vm",
        order: 0,
        constraint: "CONSTRAINT_NONE",
        memcg: undefined,
        victims: [{
          pid: 116,
          comm: "stress-ng-vm",
          totalVmBytes: 10_515_768 * 1024,
          anonRssBytes: 7_980_628 * 1024,
          fileRssBytes: 564 * 1024,
          shmemRssBytes: 0,
          line: 8,
        }],
        isCutOff: false,
        isPageFault: false,
        isKubelets: false,
        vmallocBytes: undefined,
        mayFail: false,
        panic: undefined,
      },
      {
        kind: "allocation-failure",
        line: 10,
        isEarlierBoot: false,
        startsSince: 0,
        seconds: 300.000001,
        comm: "swapper/0",
        order: 4,
        constraint: undefined,
        memcg: undefined,
        victims: [],
        isCutOff: false,
        isPageFault: false,
        isKubelets: false,
        vmallocBytes: undefined,
        mayFail: false,
        panic: undefined,
      },
    ]);
  });

  it("reads a kill in two lines (up to 5.0), and a control group's", () => {
    const text =
      `[12.3] java invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=(null),  order=0, oom_score_adj=600
[12.3] Task in /docker/0123 killed as a result of limit of /docker
[12.3] memory: usage 1048576kB, limit 1048576kB, failcnt 123
[12.4] Memory cgroup out of memory: Kill process 4711 (java (main)) score 1600 or sacrifice child
[12.4] Killed process 4711 (java (main)) total-vm:2000kB, anon-rss:1000kB, file-rss:4kB, shmem-rss:0kB
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([{
      kind: "memcg-oom",
      line: 1,
      comm: "java",
      memcg: "/docker",
      victims: [{ pid: 4711, comm: "java (main)", anonRssBytes: 1_024_000, line: 5 }],
    }]);
  });

  it("tells of the child that was killed instead of the process with the highest score (up to 5.0)", () => {
    // https://github.com/bluek8s/kubedirector/issues/356
    const text = `[5193605.506956] Memory cgroup out of memory: Kill process 62685 (bash) score 0 or sacrifice child
[5193605.508964] Killed process 62769 (cp) total-vm:17528kB, anon-rss:108kB, file-rss:1536kB, shmem-rss:0kB
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([{
      kind: "memcg-oom",
      victims: [{ pid: 62_769, comm: "cp" }],
    }]);
  });

  it("takes an OOM whose kill is not in the log for a control group's when its dump is", () => {
    const text = `[1.0] java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=999
[1.0] memory: usage 2048000kB, limit 2048000kB, failcnt 74
[1.0] Memory cgroup stats for /kubepods.slice:cri-containerd:a: cache:0KB rss:4KB
[1.0] Memory cgroup stats for /kubepods.slice:cri-containerd:a/b: cache:0KB rss:4KB
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([
      { kind: "memcg-oom", line: 1, memcg: "/kubepods.slice:cri-containerd:a", victims: [] },
    ]);
  });

  it.each([
    // RHEL 6.3; https://lkml.org of 2010-01: 2.6.33-rc4; https://github.com/darold/squidanalyzer/issues/69
    ["Killed process 9682, UID 27, (mysqld) total-vm:47388kB, anon-rss:3744kB, file-rss:80kB", 9682, "mysqld", 47_388],
    [
      "Killed process 2726 (gnome-power-man) vsz:319232kB, anon-rss:8156kB, file-rss:2764kB",
      2726,
      "gnome-power-man",
      319_232,
    ],
    ["Out of memory: kill process 2716 (gnome-session) score 191570 or a child", 2716, "gnome-session", undefined],
  ])("reads kills of 2.6.32 to 2.6.35: %s", (line, pid, comm, kib) => {
    const totalVmBytes = kib === undefined ? undefined : kib * 1024;
    expect(parseClean(parseKernelLog, `${line}\n`)).toMatchObject([{ victims: [{ pid, comm, totalVmBytes }] }]);
  });

  it("reads a control group's kill, with all processes of memory.oom.group", () => {
    const text = `[1.0] uwsgi invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=986
[1.0] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/kubepods/p,task_memcg=/kubepods/p/c,task=uwsgi,pid=63214,uid=0
[1.0] Memory cgroup out of memory: Killed process 63214 (uwsgi) total-vm:3149468kB, anon-rss:164992kB, file-rss:52176kB, shmem-rss:92kB, UID:0 pgtables:1372kB oom_score_adj:986
[1.0] Tasks in /kubepods/p are going to be killed due to memory.oom.group set
[1.0] Memory cgroup out of memory: Killed process 63215 (uwsgi) total-vm:3149468kB, anon-rss:164992kB, file-rss:52176kB, shmem-rss:92kB, UID:0 pgtables:1372kB oom_score_adj:986
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([{
      kind: "memcg-oom",
      constraint: "CONSTRAINT_MEMCG",
      memcg: "/kubepods/p",
      victims: [{ pid: 63_214 }, { pid: 63_215 }],
    }]);
  });

  it.each([
    ["[Tue Jan  2 03:04:05 2024] ", undefined],
    ["Jan  2 03:04:05 host kernel: [  116.5] ", 116.5],
    ["Jan  2 03:04:05 host kernel: ", undefined],
    ["Jan  2 03:04:05 host kernel: : [  116.5] ", 116.5],
    ["<4>[  116.500000] ", 116.5],
    ["[  116.500000][  T116] ", 116.5],
    ["4,339,116500000,-;", undefined],
    ["", undefined],
  ])("reads lines that begin with %j", (prefix, seconds) => {
    const text = `${prefix}my prog invoked oom-killer: gfp_mask=0x0, order=-1, oom_score_adj=0
${prefix}Out of memory: Killed process 7 (x), UID 1000, total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([
      { kind: "global-oom", seconds, comm: "my prog", order: -1, victims: [{ pid: 7, comm: "x", totalVmBytes: 4096 }] },
    ]);
  });

  it("knows not whose memory was used up where the log ends, or was filtered, after the first line", () => {
    // dmesg | grep -i oom: https://github.com/rcourtman/Pulse/issues/734
    const text = `[1.0] pulse invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[1.0] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=a,mems_allowed=0,oom_memcg=/a,task_memcg=/a,task=pulse,pid=9,uid=0
[2.0] pulse invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[3.0] pulse invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[3.0] Mem-Info:
`;
    expect(parseClean(parseKernelLog, text).map(({ isCutOff }) => isCutOff)).toEqual([false, true, false]);
  });

  it.each([
    // What people paste of a log may end within the stack of who asked, or begin there.
    ["mem_cgroup_out_of_memory+0xb5/0xd0", "memcg-oom", false],
    ["[<ffffffff811c> ] mem_cgroup_oom_synchronize+0x52c/0x560", "memcg-oom", false],
    ["__alloc_pages_slowpath.constprop.0+0xbdc/0xcc0", "global-oom", false],
    ["? mem_cgroup_out_of_memory+0xb5/0xd0", "global-oom", true],
    ["__alloc_pages_nodemask+0x2db/0x310", "global-oom", false],
    ["? mem_cgroup_out_of_memory+0xb5/0xd0\n[1.0]  __alloc_pages_nodemask+0x2db/0x310", "global-oom", true],
    ["try_charge+0x6/0x7\n[1.0]  obj_cgroup_charge+0x2/0x8\n[1.0]  __alloc_pages+0x2db/0x310", "global-oom", true],
    [
      "(out_of_memory+0x0/0x348) from [<c0107dbc>] (__alloc_pages+0x1/0x2)\n[1.0] (__alloc_pages+0x0/0x2) from [<c011>] (do+0x1/0x2)",
      "global-oom",
      false,
    ],
  ])("knows by the stack (%s) whose memory was used up", (frame, kind, isCutOff) => {
    const stack = `[1.0]  oom_kill_process+0xe8/0x130\n[1.0]  out_of_memory+0x105/0x510\n[1.0]  ${frame}\n`;
    const asked = `[1.0] web invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n${stack}`;
    expect(parseClean(parseKernelLog, asked)).toMatchObject([{ kind, isCutOff, comm: "web", line: 1 }]);
    expect(parseClean(parseKernelLog, stack)).toMatchObject([{ kind, isCutOff, comm: undefined, line: 2 }]);
    expect(parseClean(parseKernelLog, stack.replaceAll("\n[", " [") + "\n")).toMatchObject([{
      isCutOff: true,
      line: 1,
    }]);
  });

  it("knows it where no frame is sure, as in RHEL 6", () => {
    const head = "h kernel: a invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=0, oom_score_adj=0\n";
    const stack = (caller: string): string =>
      ["dump_header", "oom_kill_process", "out_of_memory", caller].map((name) =>
        `h kernel: [<ffffffff81117ca0>] ? ${name}+0x1/0x2\n`
      ).join("");
    expect(parseClean(parseKernelLog, head + stack("__alloc_pages_nodemask"))).toMatchObject([
      { kind: "global-oom", isCutOff: false },
    ]);
    expect(parseClean(parseKernelLog, head + stack("pagefault_out"))).toMatchObject([{ isCutOff: true }]);
    const ofGroup = head + stack("x").replace("? out_of_memory", "? mem_cgroup_out_of_memory");
    expect(parseClean(parseKernelLog, ofGroup)).toMatchObject([{ kind: "memcg-oom", isCutOff: false }]);
  });

  it("knows not whose memory it was by who was killed alone, which up to 5.0 is a line of its own", () => {
    const killed = (pid: number): string =>
      `[2.0] Killed process ${pid} (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB\n`;
    expect(parseClean(parseKernelLog, killed(7))).toMatchObject([{ isCutOff: true, victims: [{ pid: 7 }] }]);
    const said = "[2.0] Out of memory: Kill process 9 (a) score 9 or sacrifice child\n";
    expect(parseClean(parseKernelLog, killed(7) + said + killed(9))).toMatchObject([
      { isCutOff: true, victims: [{ pid: 7 }] },
      { isCutOff: false, victims: [{ pid: 9, anonRssBytes: 4096 }] },
    ]);
    // The host's dump above it tells.
    const dump = "[1.0] lowmem_reserve[]: 0 0\n[1.0] 9 pages RAM\n";
    expect(parseClean(parseKernelLog, dump + killed(7))).toMatchObject([{ isCutOff: false }]);
  });

  it("knows a kill that a person asked for (sysrq f), which up to 4.x looks like any other", () => {
    const manual = "[1.0] SysRq : Manual OOM execution\n";
    const panic = "[1.0] Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled\n";
    const asked = (comm: string): string => `[1.0] ${comm} invoked oom-killer: gfp_mask=0xd0, order=0\n`;
    expect(parseClean(parseKernelLog, manual + panic)).toMatchObject([{ order: -1, panic: { line: 2 } }]);
    expect(parseClean(parseKernelLog, manual + asked("kworker/1:2"))).toMatchObject([{ order: -1 }]);
    expect(parseClean(parseKernelLog, manual + asked("web"))).toMatchObject([{ order: 0 }]);
    expect(parseClean(parseKernelLog, panic)).toMatchObject([{ order: undefined }]);
  });

  it("reads kills that somebody else quotes: events of a cluster, the kubelet, systemd", () => {
    const event =
      "  Warning  PodOOMKilling  2m    kernel-monitor, n1  Memory cgroup out of memory: Kill process 25 (kube)\n";
    expect(parseClean(parseKernelLog, event)).toMatchObject([{ kind: "memcg-oom", victims: [{ pid: 25 }] }]);
    const ofHost = "2m  Warning  SystemOOM  node/n1  System OOM encountered, victim process: node, pid: 77\n";
    expect(parseClean(parseKernelLog, ofHost)).toMatchObject([{ kind: "global-oom", victims: [{ comm: "node" }] }]);
    const unit = "Feb  8 00:40:07 h systemd[1]: a.service: A process of this unit has been killed by the OOM killer.\n";
    expect(parseClean(parseKernelLog, unit + unit)).toMatchObject([{ isCutOff: true, line: 1 }]);
    // The kernel's own words say more.
    const kill = "Feb  8 00:40:07 h kernel: Out of memory: Killed process 7 (a) total-vm:8kB\n";
    expect(parseClean(parseKernelLog, unit + kill)).toMatchObject([{ isCutOff: false, line: 2 }]);
  });

  it("reads the kubelet's lines in the system's log, where the kernel's own are not", () => {
    const line =
      'Feb  8 00:40:08 h kubelet[91]: I0208 00:40:08.1 91 event.go:307] message="System OOM encountered, victim process: java, pid: 42"\n';
    const event = { kind: "global-oom", isKubelets: true, victims: [{ comm: "java", pid: 42 }] };
    expect(parseClean(parseKernelLog, line)).toMatchObject([event]);
    const kill = "Feb  8 00:40:07 h kernel: Out of memory: Killed process 42 (java) total-vm:8kB\n";
    expect(parseClean(parseKernelLog, kill + line)).toMatchObject([{ line: 1, victims: [{ totalVmBytes: 8192 }] }]);
    expect(parseClean(parseKernelLog, line.replace("kubelet[91]", "web[91]"))).toEqual([]);
  });

  it("reads a log with its newest line first whose times are all the same", () => {
    const text = `h kernel: Out of memory: Killed process 41 (a) total-vm:9kB, anon-rss:6kB
h kernel: oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=a,pid=41,uid=0
h kernel: [     41]     0    41      22       15     1536        2           200 a
h kernel: [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([{ constraint: "CONSTRAINT_NONE", victims: [{ pid: 41 }] }]);
  });

  it("takes the stack of a request that failed for none of the OOM's before it", () => {
    const text = `[1.0] web invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[2.0] perf: page allocation failure: order:4, mode:0xdc0(GFP_KERNEL|__GFP_ZERO), nodemask=(null),cpuset=/,mems_allowed=0
[2.0]  warn_alloc+0x10e/0x180
[2.0]  __alloc_pages_slowpath+0xda0/0xdf0
`;
    const events = parseClean(parseKernelLog, text);
    expect(events.map(({ kind, isCutOff }) => [kind, isCutOff])).toEqual([
      ["global-oom", true],
      ["allocation-failure", false],
    ]);
  });

  it("begins with the dump of a control group when the log does", () => {
    const text = `[1.0] memory: usage 8kB, limit 8kB, failcnt 9
[1.0] Memory cgroup stats for /a: cache:0KB rss:8KB
[1.0] Memory cgroup out of memory: Kill process 7 (x) score 9 or sacrifice child
[2.0] memory: usage 4kB, limit 4kB, failcnt 9
[2.0] Memory cgroup stats for /b: cache:0KB rss:4KB
[2.0] Memory cgroup out of memory: Kill process 8 (y) score 9 or sacrifice child
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([
      { kind: "memcg-oom", line: 1, memcg: "/a", victims: [{ pid: 7 }] },
      { kind: "memcg-oom", line: 4, memcg: "/b", victims: [{ pid: 8 }] },
    ]);
  });

  it("begins with the kill when the log does, and keeps apart kills that follow each other", () => {
    const text = `[1.0] Out of memory: Killed process 7 (a) total-vm:4kB, anon-rss:4kB
[2.0] x invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0
[2.0] Out of memory and no killable processes...
[2.0] Kernel panic - not syncing: System is deadlocked on memory
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([
      { line: 1, comm: undefined, victims: [{ pid: 7 }] },
      { line: 2, comm: "x", victims: [] },
    ]);
  });

  it("begins with the limit of a control group after the kill of the host", () => {
    const text = `[1.0] x invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0
[1.0] Out of memory: Kill process 7 (a) score 9 or sacrifice child
[1.0] Killed process 7 (a) total-vm:4kB, anon-rss:4kB
[2.0] Task in /1037/uid killed as a result of limit of /1037
[2.0] Memory cgroup out of memory: Kill process 8 (b) score 9 or sacrifice child
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([
      { kind: "global-oom", line: 1, memcg: undefined, victims: [{ pid: 7 }] },
      { kind: "memcg-oom", line: 4, memcg: "/1037", victims: [{ pid: 8 }] },
    ]);
  });

  it("counts the process that memory.oom.group kills once", () => {
    const text = `[1.0] x invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0
[1.0] Memory cgroup out of memory: Killed process 7 (a) total-vm:4kB, anon-rss:4kB
[1.0] Tasks in /a are going to be killed due to memory.oom.group set
[1.0] Memory cgroup out of memory: Killed process 7 (a) total-vm:4kB, anon-rss:0kB
[1.0] Memory cgroup out of memory: Killed process 8 (b) total-vm:4kB, anon-rss:4kB
`;
    expect(parseClean(parseKernelLog, text)).toMatchObject([{ victims: [{ pid: 7, anonRssBytes: 4096 }, { pid: 8 }] }]);
  });

  it("tells whether the host ended, by its setting or because nobody could be killed", () => {
    const invoked =
      "[1.0] a invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0\n[1.0] Kernel panic - not syncing: ";
    const panicOf = (text: string) => parseClean(parseKernelLog, `${invoked}${text}\n`).map(({ panic }) => panic);
    expect(panicOf("Out of memory: system-wide panic_on_oom is enabled")).toEqual([{
      because: "panic_on_oom",
      line: 2,
    }]);
    expect(panicOf("Out of memory: compulsory panic_on_oom is enabled")).toEqual([{
      because: "panic_on_oom",
      line: 2,
    }]);
    expect(panicOf("System is deadlocked on memory")).toEqual([{ because: "deadlock", line: 2 }]);
    expect(panicOf("VFS: Unable to mount root fs")).toEqual([undefined]);
  });

  it("is empty when nothing happened, but throws when the log was not read", () => {
    expect(parseClean(parseKernelLog, "[0.0] Linux version 6.12\n[1.0] audit: oom_kill audit\n")).toEqual([]);
    expect(() => parseWithWarnings(parseKernelLog, "\n")).toThrow(ParseError);
    expect(() => parseWithWarnings(parseKernelLog, "dmesg: read kernel buffer failed: Operation not permitted\n"))
      .toThrow(
        ParseError,
      );
  });

  it("warns of a kill that it cannot read", () => {
    const { value, warnings } = parseWithWarnings(
      parseKernelLog,
      "Out of memory: Killed process 99999999999999999 (a)\n",
    );
    expect(value).toMatchObject([{ victims: [] }]);
    expect(warnings).toEqual([expect.stringMatching(/^1: not a killed process: /)]);
  });
});

describe("a log of records with a line a field", () => {
  const KILLED =
    "Out of memory: Killed process 4512 (java) total-vm:18212344kB, anon-rss:6302044kB, file-rss:0kB, shmem-rss:0kB";
  it.each([
    [
      "verbose",
      `Wed 2023-11-22 10:15:01.123456 CET [s=abc;i=1a2b;b=def;m=123;t=60a;x=99]
    PRIORITY=3
    _TRANSPORT=kernel
    MESSAGE=${KILLED}
    _SOURCE_MONOTONIC_TIMESTAMP=123456789
Wed 2023-11-22 10:15:02.123456 CET [s=abc;i=1a2c;b=def;m=124;t=60b;x=98]
    _TRANSPORT=syslog
    MESSAGE=Out of memory: Killed process 7 (quoted) total-vm:1kB
`,
    ],
    [
      "export",
      `__CURSOR=s=abc;i=1a2b\n_TRANSPORT=kernel\nMESSAGE=${KILLED}\n_HOSTNAME=web1\n
_TRANSPORT=stdout\nMESSAGE=Out of memory: Killed process 7 (quoted) total-vm:1kB\n`,
    ],
    [
      "json-pretty",
      `{\n\t"_TRANSPORT" : "kernel",\n\t"MESSAGE" : "${KILLED}",\n\t"_HOSTNAME" : "web1"\n}
{\n\t"MESSAGE" : "Out of memory: Killed process 7 (quoted) total-vm:1kB",\n\t"_TRANSPORT" : "syslog"\n}\n`,
    ],
  ])("is read: journalctl -o %s", (_, text) => {
    const [event, ...others] = parseKernelLog(text, { facts: {}, warn() {} });
    expect(event).toMatchObject({
      kind: "global-oom",
      victims: [{ pid: 4512, comm: "java", totalVmBytes: 18212344 * 1024 }],
    });
    expect(others).toEqual([]);
  });

  it("has messages of several lines", () => {
    const lines: [string, number][] = [];
    forEachLogLine(
      "Wed 2023 [s=a;]\n    _TRANSPORT=kernel\n    MESSAGE=Mem-Info:\n            active_anon:1\n    PRIORITY=4\n",
      false,
      (line, number) => void lines.push([line, number]),
    );
    expect(lines).toEqual([["Mem-Info:", 3], ["active_anon:1", 4]]);
  });
});
