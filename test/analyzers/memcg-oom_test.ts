import { describe, expect, it } from "vitest";
import { answerOf } from "../../src/render/_summary.ts";
import { analyzeFiles, findingOf, meminfoText } from "./_bundle.ts";

const ID = "memcg-oom";

/** Captured on 6.18, cgroup v1; shortened. */
const LOG = `[ 6170.571135] memcg_hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[ 6170.571144] CPU: 1 UID: 0 PID: 7654 Comm: memcg_hog Not tainted 6.18.44 #1 PREEMPT(none)
[ 6170.571427] memory: usage 204800kB, limit 204800kB, failcnt 19
[ 6170.571430] memory+swap: usage 204800kB, limit 9007199254740988kB, failcnt 0
[ 6170.571431] Memory cgroup stats for /nailhouse-oom-7653:
[ 6170.571512] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/nailhouse-oom-7653,task_memcg=/nailhouse-oom-7653,task=memcg_hog,pid=7654,uid=0
[ 6170.571520] Memory cgroup out of memory: Killed process 7654 (memcg_hog) total-vm:412376kB, anon-rss:204508kB, file-rss:640kB, shmem-rss:0kB, UID:0 pgtables:460kB oom_score_adj:0
`;
/** Before 5.0. */
const OLD_LOG = `[ 12.1] java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0
[ 12.1] Task in /docker/abc killed as a result of limit of /docker/abc
[ 12.1] memory: usage 524288kB, limit 524288kB, failcnt 812
[ 12.1] Memory cgroup out of memory: Kill process 4242 (java) score 990 or sacrifice child
[ 12.1] Killed process 4242 (java) total-vm:3149468kB, anon-rss:364992kB, file-rss:52176kB, shmem-rss:92kB
`;
const meminfo = { "proc/meminfo": meminfoText() };
const log = (text: string): { [path: string]: string } => ({ ...meminfo, "sos_commands/kernel/dmesg": text });

describe(ID, () => {
  it("names who was killed where the log ends within the stack of the next one", async () => {
    const next = "[ 6180.1] memcg_hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n";
    const stack = "[ 6180.1]  out_of_memory+0x6d/0xd0\n[ 6180.1]  mem_cgroup_out_of_memory+0xbd/0xe0\n";
    const report = await analyzeFiles(log(LOG + next + stack));
    expect(findingOf(report, ID)?.title).toContain("killed memcg_hog (pid 7654) (6171 s after boot)");
    const alone = await analyzeFiles(log(next + stack));
    expect(findingOf(alone, ID)?.title).toContain("Control group (not named) was at its limit");
    expect(alone.notAssessed.map(({ cause }) => cause)).not.toContain("global-oom");
  });

  it("names the group, its limit and the process, as a symptom that claims nothing", async () => {
    const report = await analyzeFiles(log(LOG));
    const finding = findingOf(report, ID);
    expect(finding).toMatchObject({
      confidence: "confirmed",
      symptomOf: "user-leak",
      claims: [],
      owners: [{ pid: 7654, comm: "memcg_hog", count: 1 }],
    });
    expect(finding?.title).toBe(
      "Control group /nailhouse-oom-7653 was at its limit of 200 MiB, and the kernel killed memcg_hog (pid 7654) (6171 s after boot)",
    );
    expect(report.verdict).toBe("healthy");
  });

  it("reads kernels before 5.0", async () => {
    expect(findingOf(await analyzeFiles(log(OLD_LOG)), ID)?.title).toContain(
      "/docker/abc was at its limit of 512 MiB, and the kernel killed java (pid 4242)",
    );
  });

  it("counts what is out in swap at the limit of memory and swap", async () => {
    // https://lore.kernel.org/linux-mm on docker -m 100m; usage is the sum of both.
    const text = OLD_LOG.replace(
      "memory: usage 524288kB, limit 524288kB, failcnt 812\n",
      `memory: usage 53824kB, limit 102400kB, failcnt 20427
[ 12.1] memory+swap: usage 204800kB, limit 204800kB, failcnt 608
[ 12.1] Memory cgroup stats for /docker/abc: cache:64KB rss:53760KB rss_huge:20480KB swap:150976KB inactive_anon:37708KB
`,
    );
    const finding = findingOf(await analyzeFiles({ "sos_commands/kernel/dmesg": text }), ID);
    expect(finding?.title).toContain("200 MiB of memory+swap");
    expect(finding?.title).toContain("most of it was its processes' own memory, out in swap: 147 MiB");
    expect(finding?.symptomOf).toBe("user-leak");
  });

  // https://github.com/kubernetes/kubernetes/issues/43916
  it("tells that a group was full of the kernel's memory, or that the log does not tell of what", async () => {
    const log = (kmemKib: number): { [path: string]: string } => ({
      "sos_commands/kernel/dmesg": `[9.0] memory: usage 8000kB, limit 8000kB, failcnt 9
[9.0] kmem: usage ${kmemKib}kB, limit 9007199254740988kB, failcnt 0
[9.0] Memory cgroup stats for /a: cache:0KB rss:300KB
[9.0] Memory cgroup out of memory: Kill process 7 (a) score 900 or sacrifice child
`,
    });
    const full = (await analyzeFiles(log(7600))).findings.find(({ cause }) => cause === "memcg-oom");
    expect(full).toMatchObject({
      title: expect.stringContaining("most of it was kernel memory"),
      symptomOf: "slab-leak",
    });
    const untold = (await analyzeFiles(log(90))).findings.find(({ cause }) => cause === "memcg-oom");
    expect(untold).toMatchObject({ title: expect.stringContaining("what most of it was the log does not tell") });
    expect(JSON.stringify(untold)).not.toContain("user-leak");
  });

  it("tells that a group was full of page cache, and accuses nobody", async () => {
    // https://github.com/bluek8s/kubedirector/issues/356
    const text = OLD_LOG.replace(
      "failcnt 812\n",
      "failcnt 812\n[ 12.1] Memory cgroup stats for /docker/abc: cache:507172KB rss:448KB rss_huge:0KB shmem:28KB dirty:503316KB\n",
    );
    const report = await analyzeFiles({ "sos_commands/kernel/dmesg": text });
    const finding = findingOf(report, ID);
    expect(finding?.title).toContain("most of it was page cache: 495 MiB");
    expect(finding?.symptomOf).toBeNull();
    expect(answerOf(report).finding).toBe(finding);
  });

  // RHEL 7 (3.10): a tmpfs of the group's is in its cache, and in no field of its own.
  it.each([
    ["tmpfs", "inactive_anon:507000KB active_anon:600KB inactive_file:20KB active_file:8KB", "shmem-leak"],
    ["page cache", "inactive_anon:0KB active_anon:448KB inactive_file:500000KB active_file:7172KB", null],
  ])("tells %s of cache where shared memory is not told", async (_, lists, cause) => {
    const text = OLD_LOG.replace(
      "failcnt 812\n",
      `failcnt 812\n[ 12.1] Memory cgroup stats for /docker/abc: cache:507172KB rss:448KB mapped_file:0KB ${lists}\n`,
    );
    expect(findingOf(await analyzeFiles({ "sos_commands/kernel/dmesg": text }), ID)?.symptomOf).toBe(cause);
  });

  it("names the limit that it was, and the file of it", async () => {
    const text = LOG.replace("memory: usage 204800kB, limit 204800kB", "memory: usage 204700kB, limit 204800kB")
      .replace("usage 204800kB, limit 9007199254740988kB", "usage 307200kB, limit 307200kB");
    const finding = findingOf(await analyzeFiles(log(text)), ID);
    expect(finding?.title).toContain("was at its limit of 300 MiB of memory+swap,");
    expect(finding?.remedies[1]?.commands).toEqual([
      "echo 1G > /sys/fs/cgroup/memory/nailhouse-oom-7653/memory.memsw.limit_in_bytes",
    ]);
  });

  it("tells the limit of a log that begins in the dump, and gives no command with a path that it does not know", async () => {
    const text = LOG.split("\n").slice(2).join("\n");
    expect(findingOf(await analyzeFiles(log(text)), ID)?.title).toContain(
      "Control group /nailhouse-oom-7653 was at its limit of 200 MiB, and the kernel killed memcg_hog",
    );
    const kill = LOG.trimEnd().split("\n").slice(-1).join("\n");
    expect(findingOf(await analyzeFiles(log(kill)), ID)?.remedies[0]?.commands).toEqual([
      "cat /sys/fs/cgroup/GROUP/memory.stat /sys/fs/cgroup/GROUP/memory.events",
    ]);
  });

  it("takes no unit of a container's own systemd for the host's", async () => {
    // Proxmox: https://github.com/rcourtman/Pulse/issues/734
    const text = LOG.replaceAll("/nailhouse-oom-7653", "/lxc/703/ns/system.slice/pulse.service");
    const commands = findingOf(await analyzeFiles(log(text)), ID)?.remedies.flatMap((remedy) => remedy.commands) ?? [];
    expect(commands.join("\n")).not.toContain("systemctl");
    expect(commands).toContain(
      "echo 1G > /sys/fs/cgroup/memory/lxc/703/ns/system.slice/pulse.service/memory.limit_in_bytes",
    );
  });

  it("does not count kills where the log ends before the kill", async () => {
    const text = LOG.split("\n").slice(0, 5).join("\n");
    expect(findingOf(await analyzeFiles(log(text)), ID)?.title).toContain(
      "looked for a process to kill (whom, is not in the log)",
    );
  });

  it("points at shared memory when that is what the victim had", async () => {
    const text = LOG.replace("anon-rss:204508kB", "anon-rss:4508kB").replace("shmem-rss:0kB", "shmem-rss:200000kB");
    expect(findingOf(await analyzeFiles(log(text)), ID)).toMatchObject({ symptomOf: "shmem-leak" });
  });

  it("believes a group's own counter when the log was overwritten, and not a parent's sum", async () => {
    const files = {
      ...meminfo,
      "sys/fs/cgroup/memory.events": "low 0\nhigh 0\nmax 9\noom 9\noom_kill 9\n",
      "sys/fs/cgroup/system.slice/memory.events": "low 0\nhigh 0\nmax 9\noom 9\noom_kill 9\n",
      "sys/fs/cgroup/system.slice/web.service/memory.events": "low 0\nhigh 0\nmax 812\noom 9\noom_kill 9\n",
    };
    const finding = findingOf(await analyzeFiles(files), ID);
    // It tells neither who was killed nor what the group was charged with.
    expect(finding).toMatchObject({ owners: [], symptomOf: null });
    expect(finding?.evidence[0]?.because).toContain("9 kills; who was killed: journalctl");
    expect(finding?.title).toContain("/system.slice/web.service");
    expect(finding?.remedies[1]?.commands).toEqual(["systemctl set-property web.service MemoryMax=1G"]);
  });

  it("does not take a kill by the host's OOM killer for the group's limit", async () => {
    const files = { ...meminfo, "sys/fs/cgroup/a.service/memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n" };
    expect(findingOf(await analyzeFiles(files), ID)).toBeUndefined();
  });

  it("names the files of a container's own group", async () => {
    const files = { ...meminfo, "sys/fs/cgroup/memory.events": "low 0\nhigh 0\nmax 9\noom 9\noom_kill 9\n" };
    expect(findingOf(await analyzeFiles(files), ID)?.remedies[0]?.commands[0]).toBe(
      "cat /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory.events",
    );
  });

  it("reads cgroup v1's counter", async () => {
    const files = {
      ...meminfo,
      "sys/fs/cgroup/memory/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    };
    expect(findingOf(await analyzeFiles(files), ID)).toMatchObject({ owners: [], symptomOf: null });
  });

  it("recommends the files of the version that the memory controller is of", async () => {
    const commandsOn = async (hierarchy: number) => {
      const files = {
        ...log(LOG),
        "proc/cgroups": `#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t${hierarchy}\t9\t1\n`,
      };
      return findingOf(await analyzeFiles(files), ID)?.remedies.flatMap(({ commands }) => commands);
    };
    expect(await commandsOn(4)).toEqual([
      "cat /sys/fs/cgroup/memory/nailhouse-oom-7653/memory.stat /sys/fs/cgroup/memory/nailhouse-oom-7653/memory.oom_control",
      "echo 1G > /sys/fs/cgroup/memory/nailhouse-oom-7653/memory.limit_in_bytes",
      "cat /sys/fs/cgroup/memory/nailhouse-oom-7653/memory.failcnt",
    ]);
    expect(await commandsOn(0)).toEqual([
      "cat /sys/fs/cgroup/nailhouse-oom-7653/memory.stat /sys/fs/cgroup/nailhouse-oom-7653/memory.events",
      "echo 1G > /sys/fs/cgroup/nailhouse-oom-7653/memory.max",
      "echo 900M > /sys/fs/cgroup/nailhouse-oom-7653/memory.high",
    ]);
  });

  it("is ruled out by a log and counters without a kill, and not assessed without both", async () => {
    const quiet = {
      ...log("[ 0.0] Linux version 6.18\n"),
      "sys/fs/cgroup/a/memory.events": "max 3\noom 0\noom_kill 0\n",
    };
    expect((await analyzeFiles(quiet)).ruledOut).toContainEqual(expect.objectContaining({ cause: ID }));
    const missing = (await analyzeFiles(meminfo)).notAssessed.find(({ cause }) => cause === ID)?.missing;
    expect(missing).toEqual(["sos_commands/kernel/dmesg", "sys/fs/cgroup/memory.events"]);
  });

  it("quotes hostile group names for the shell", async () => {
    const text = LOG.replaceAll("/nailhouse-oom-7653", "/a;reboot");
    expect(findingOf(await analyzeFiles(log(text)), ID)?.remedies[0]?.commands[0]).toBe(
      "cat '/sys/fs/cgroup/memory/a;reboot'/memory.stat '/sys/fs/cgroup/memory/a;reboot'/memory.oom_control",
    );
  });
});
