/**
 * The remedies of the reports, tried on this kernel: the command is taken from a report and run against the fault, held small, with the pids,
 * paths and sizes of that fault put in. `npm run remedies` writes down what came of it, and a test holds it to that.
 */
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Report } from "../../../src/core/report.ts";
import { openBundle } from "../../../src/host/node_sdk.ts";
import { analyze } from "../../../src/sdk.ts";
import { analyzeFiles, meminfoText, pinnedText } from "../../analyzers/_bundle.ts";
import { tcpText } from "../../analyzers/_sockets.ts";
import { type FaultArgs, type HeldFault, withFault, withLabLock } from "../lab.ts";

/** As it is kept beside kernel and date. */
export type CommandEffect =
  | { readonly observed: string }
  | { readonly beforeBytes: number; readonly afterBytes: number }
  | { readonly beforeBytes: number; readonly fromStartBytes: number };

export interface CommandTrial {
  readonly cause: string;
  readonly remedy: string;
  /** Where the report comes from: a name of samples/, or files. */
  readonly report: string | (() => { readonly [path: string]: string });
  /** Which of its commands; undefined where the remedy is words alone. */
  readonly command?: RegExp;
  /** What it cannot do without, beyond what the lab needs. */
  readonly needs?: "cgroup v1" | "bpftool" | "conntrack" | "lsof";
  readonly run: (command: string) => Promise<CommandEffect>;
}

/** Whether this machine has what a trial needs. */
export function hasNeeds({ needs }: CommandTrial): boolean {
  if (needs === undefined) return true;
  if (needs === "cgroup v1") return existsSync("/sys/fs/cgroup/memory/tasks");
  return spawnSync("sh", ["-c", `command -v ${needs}`]).status === 0;
}

const run = promisify(execFile);
const MB = 2 ** 20;
const loads = fileURLToPath(new URL("loads.py", import.meta.url));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function sampleReport(name: string): Promise<Report> {
  return analyze(await openBundle(`samples/${name}.tgz`));
}

/** Takes the command from the report and runs it, with no other fault on this machine. */
export async function tryCommand(trial: CommandTrial): Promise<CommandEffect> {
  const { cause, report, command: pattern } = trial;
  const said = typeof report === "string" ? await sampleReport(report) : await analyzeFiles(report());
  const remedies = said.findings.find((finding) => finding.cause === cause)?.remedies;
  if (remedies === undefined) throw new Error(`the report does not tell of ${cause}`);
  const command = pattern === undefined
    ? ""
    : remedies.flatMap(({ commands }) => commands).find((each) => pattern.test(each));
  if (command === undefined) throw new Error(`${cause} recommends nothing like ${pattern}`);
  return await withLabLock(() => trial.run(command));
}

async function shell(command: string): Promise<string> {
  return (await run("sh", ["-c", command])).stdout;
}

// What is held, by the kernel's own counters.

type Read = () => number;

function number(path: string, pattern: RegExp): number {
  return Number(pattern.exec(readFileSync(path, "utf8"))?.[1]);
}

function meminfo(...fields: readonly string[]): Read {
  return () =>
    fields.reduce((sum, field) => sum + number("/proc/meminfo", new RegExp(`^${field}: +(\\d+)`, "m")) * 1024, 0);
}

const hugePagesInUse: Read = () => {
  const count = (field: string): number => number("/proc/meminfo", new RegExp(`^HugePages_${field}: +(\\d+)`, "m"));
  return (count("Total") - count("Free")) * 2 * MB;
};

const pages = (path: string, pattern: RegExp): Read => () => number(path, pattern) * 4096;
const tcpMemory = pages("/proc/net/sockstat", /^TCP:.* mem (\d+)/m);
const udpMemory = pages("/proc/net/sockstat", /^UDP:.* mem (\d+)/m);
const zspages = pages("/proc/vmstat", /^nr_zspages (\d+)/m);

/** Dentries are counted: where others have ended there is room for 150,000 in the pages that the cache has, and these stay. 192 bytes each on x86-64. */
const unreclaimableAndDentries: Read = () =>
  meminfo("SUnreclaim")() + 192 * number("/proc/sys/fs/dentry-state", /^(\d+)/);

/** What no account of the kernel has (see the ledger). */
function residual(): number {
  const accounts = [
    ..."MemFree Buffers Cached SwapCached AnonPages Slab PageTables SecPageTables".split(" "),
    ..."VmallocUsed Percpu Bounce Hugetlb".split(" "),
  ].filter((field) => new RegExp(`^${field}:`, "m").test(readFileSync("/proc/meminfo", "utf8")));
  const lists = [...readFileSync("/proc/zoneinfo", "utf8").matchAll(/^\s+count:\s+(\d+)/gm)];
  const free = lists.reduce((sum, [, count]) => sum + Number(count) * 4096, 0);
  return meminfo("MemTotal")() - meminfo(...accounts)() - zspages() - free;
}

/** What is left of `heldBytes` when `act` is done: the kernel gives some things back a little later. */
async function left(heldBytes: number, read: Read, act: () => Promise<unknown>): Promise<CommandEffect> {
  const before = read();
  await act();
  let freed = before - read();
  for (let i = 0; i < 40 && freed < 0.98 * heldBytes; i++) {
    await sleep(100);
    freed = before - read();
  }
  return { beforeBytes: heldBytes, afterBytes: Math.max(0, Math.round(heldBytes - freed)) };
}

// Faults of test/lab.

function childrenNamed(parent: number, comm: string): number[] {
  return readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ").map(Number)
    .filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === comm);
}

/** A command that ends processes, for those of the fault: of a name, only the fault's own. */
function endingOf(command: string, { pid }: HeldFault, comm: string | undefined): string {
  if (command.startsWith("pkill")) return `${command} --parent ${pid}`;
  const pids = comm === undefined ? [pid] : childrenNamed(pid, comm);
  return command.replace(/^kill -TERM .*/, `kill -TERM ${pids.join(" ")}`);
}

interface Ending {
  readonly program: string;
  readonly args: FaultArgs;
  readonly read: Read;
  /** Whom to end, where it is not the fault's first process. */
  readonly comm?: string;
  readonly remedy?: string;
}

/** Trials of the remedies that end a process. */
function ends(cause: string, report: string, { program, args, read, comm, remedy = "end the owner" }: Ending) {
  return {
    cause,
    remedy,
    report,
    command: /^p?kill -TERM /,
    run: (command: string) =>
      withFault(
        program,
        args,
        (fault) => left(fault.heldBytes, read, () => shell(endingOf(command, fault, comm))),
      ),
  };
}

/** What is held after the command, of what the fault holds. */
function faultTrial(
  program: string,
  args: FaultArgs,
  read: Read,
  act: (command: string, fault: HeldFault) => Promise<unknown>,
): CommandTrial["run"] {
  return (command) => withFault(program, args, (fault) => left(fault.heldBytes, read, () => act(command, fault)));
}

// Loads of loads.py, in namespaces of their own where the setting is the namespace's.

function load(name: string, ...namespaces: readonly string[]): CommandTrial["run"] {
  return async (command) => {
    const argv = [...(namespaces.length > 0 ? ["unshare", ...namespaces] : []), "python3", loads, name, command];
    return JSON.parse((await run(argv[0] as string, argv.slice(1))).stdout);
  };
}

/** Keeps a setting of the whole host as it is, whatever `work` makes of it. */
async function keeping<T>(name: string, work: () => Promise<T>): Promise<T> {
  const path = `/proc/sys/${name.replaceAll(".", "/")}`;
  const old = readFileSync(path, "utf8");
  try {
    return await work();
  } finally {
    writeFileSync(path, old);
  }
}

/** What comes of writing more into a folder: the error's code. */
function errorOfWriting(folder: string, bytes: number): string {
  try {
    writeFileSync(join(folder, "more"), new Uint8Array(bytes));
    return "no error";
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code ?? String(thrown);
  }
}

async function limitOfMount(command: string): Promise<CommandEffect> {
  const folder = mkdtempSync(join(tmpdir(), "nailhouse-tmpfs-"));
  await run("mount", ["-t", "tmpfs", "-o", "size=32M", "tmpfs", folder]);
  try {
    writeFileSync(join(folder, "kept"), new Uint8Array(8 * MB));
    await shell(`${command.replace(/size=\S+ .*/, "size=12M")} ${folder}`);
    const error = errorOfWriting(folder, 8 * MB);
    const kept = readFileSync(join(folder, "kept")).length === 8 * MB;
    return { observed: `writing beyond it failed with ${error}, and what was there ${kept ? "stayed" : "was lost"}` };
  } finally {
    await run("umount", [folder]);
    rmdirSync(folder);
  }
}

/** The command is for one queue: all those of the fault, some at a time. */
async function removeQueues(command: string, { pid }: HeldFault): Promise<void> {
  const rows = readFileSync("/proc/sysvipc/msg", "utf8").split("\n").map((row) => row.trim().split(/\s+/));
  const ids = rows.filter((row) => Number(row[5]) === pid).map((row) => row[1]);
  for (let i = 0; i < ids.length; i += 500) {
    await shell(command.replace(/-q \d+$/, ids.slice(i, i + 500).map((id) => `-q ${id}`).join(" ")));
  }
}

/** The command shows where they are: of the fault that the report is of, so that it is another folder here. */
async function deleteFiles(command: string, { pid }: HeldFault): Promise<void> {
  const listed = await shell(command.replace(/spool-\d+/, `spool-${pid}`));
  const [, folder] = /^\d+\t(\S+)$/m.exec(listed) ?? [];
  if (folder === undefined) throw new Error(`${command} shows no folder: ${listed}`);
  await run("find", [folder, "-mindepth", "1", "-delete"]);
}

/** The command shows them by their names, without numbers. */
async function removeGroups(command: string, { pid }: HeldFault): Promise<void> {
  const listed = await shell(command);
  if (!listed.includes("/container-N")) throw new Error(`${command} shows no such groups: ${listed}`);
  const [root] = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].filter((each) => existsSync(`${each}/nailhouse-${pid}`));
  await run("find", [`${root}/nailhouse-${pid}`, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
}

/** The fault has a namespace of its own. */
async function deleteDevices(command: string, { pid }: HeldFault): Promise<void> {
  const inside = `nsenter --net=/proc/${pid}/ns/net `;
  const listed = await shell(command.replace(/^nsenter --net=\S+ -nro PID \d+ \| head -n 1\)\S+ /, inside));
  if (!/^ *\d{3,} leakN$/m.test(listed)) throw new Error(`${command} shows no such devices: ${listed}`);
  await shell(`sed -n 's/^ *\\(leaked[0-9]*\\):.*/link del \\1/p' /proc/${pid}/net/dev | ${inside}ip -batch -`);
}

/** The ramfs is unmounted first, as the remedy says: below a tmpfs its files would stay where they are. */
async function tmpfsInsteadOfRamfs(command: string): Promise<CommandEffect> {
  const folder = mkdtempSync(join(tmpdir(), "nailhouse-ramfs-"));
  await run("mount", ["-t", "ramfs", "ramfs", folder]);
  try {
    writeFileSync(join(folder, "file"), new Uint8Array(64 * MB));
    const freed = await left(64 * MB, meminfo("Unevictable"), () => run("umount", [folder]));
    await shell(command.replace(/size=\S+ tmpfs .*/, `size=12M tmpfs ${folder}`));
    const error = errorOfWriting(folder, 16 * MB);
    const less = "afterBytes" in freed && freed.afterBytes < MB ? "all" : "not all";
    return {
      observed: `unmounting gave ${less} of 64 MiB back, and writing beyond the tmpfs's size failed with ${error}`,
    };
  } finally {
    await run("umount", [folder]);
    rmdirSync(folder);
  }
}

/** It opens a descriptor each time it is asked, and says what came of it. */
const LEAK = `import os, sys
for line in sys.stdin:
  try: print(os.eventfd(0), flush=True)
  except OSError as error: print(error.strerror, flush=True)
`;

async function limitOfDescriptors(command: string): Promise<CommandEffect> {
  const child = execFile("python3", ["-c", LEAK]);
  const answers = createInterface(child.stdout as Readable)[Symbol.asyncIterator]();
  const open = async (): Promise<string> => {
    child.stdin?.write("\n");
    return String((await answers.next()).value);
  };
  try {
    const last = Number(await open());
    await shell(command.replace(/--pid \d+ --nofile=\d+/, `--pid ${child.pid} --nofile=${last + 2}`));
    const one = Number(await open()) === last + 1 ? "the one below it" : "none";
    return { observed: `the running program still got ${one}, and then "${await open()}"` };
  } finally {
    child.kill();
  }
}

async function fragmentsOfOrderZero(command: string): Promise<CommandEffect> {
  const pinned = (): Promise<number> => {
    const before = residual();
    return withFault("frag_amplification", { total: 128 }, () => Promise.resolve(residual() - before));
  };
  return await keeping("net.core.high_order_alloc_disable", async () => {
    const beforeBytes = await pinned();
    await shell(command);
    return { beforeBytes, fromStartBytes: await pinned() };
  });
}

async function boundedUdp(command: string): Promise<CommandEffect> {
  const args = { clients: 8, rcvbuf: 2 * MB };
  const charged = (): Promise<number> => withFault("friend_push", args, ({ heldBytes }) => Promise.resolve(heldBytes));
  return await keeping("net.ipv4.udp_mem", async () => {
    const beforeBytes = await charged();
    await shell(command.replace("MIN PRESSURE MAX", "2048 3072 4096"));
    return { beforeBytes, fromStartBytes: await charged() };
  });
}

/** As it is, but in the fault's namespace. */
function inNamespaceOf(pid: number, command: string): string {
  const inode = /\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0];
  return command.replace(/lsns -nro PID \d+/, `lsns -nro PID ${inode}`);
}

async function lowerFragments(command: string): Promise<CommandEffect> {
  return await withFault("ip_reassembly", { total: 36 }, async ({ pid, heldBytes }) => {
    await shell(inNamespaceOf(pid, command));
    const more = await shell(`nsenter --net=/proc/${pid}/ns/net python3 ${loads} more_fragments`);
    return { beforeBytes: heldBytes, afterBytes: JSON.parse(more).heldBytes };
  });
}

async function dropEntries(command: string): Promise<CommandEffect> {
  return await withFault("conntrack", { entries: 20000, rate: 0 }, async ({ pid }) => {
    // As conntrackd's entries of the fault: all go to the port of echo.
    await run("sh", ["-c", inNamespaceOf(pid, command).replace("PORT", "7")], { maxBuffer: 64 * MB });
    const count = async () =>
      Number(await shell(`nsenter --net=/proc/${pid}/ns/net sysctl -n net.netfilter.nf_conntrack_count`));
    // Others may be looking at an entry, which then goes a little later.
    for (let i = 0; i < 20 && await count() > 0; i++) await sleep(100);
    const left = await count();
    return {
      observed: left < 200 ? "of 20,000 entries of one port, next to none stayed" : `${left} of 20,000 entries stayed`,
    };
  });
}

/** The table is filled as conntrackd does, which the limit bounds, too. */
async function boundedTable(command: string): Promise<CommandEffect> {
  return await keeping(
    "net.netfilter.nf_conntrack_max",
    () =>
      withFault("conntrack", { entries: 20000, rate: 10000 }, async ({ pid }) => {
        await shell(command.replace("262144", "22500"));
        await sleep(800);
        const count = Number(
          await shell(`nsenter --net=/proc/${pid}/ns/net sysctl -n net.netfilter.nf_conntrack_count`),
        );
        return {
          observed: count <= 22_501 ? "with a limit of 22,500, the table stopped there" : `it had ${count} entries`,
        };
      }),
  );
}

/** The memory is taken when the ring is made. */
async function smallerRing(): Promise<CommandEffect> {
  const taken = (mb: number): Promise<number> => {
    const before = residual();
    return withFault("packet_ring", { sockets: 1, mb }, () => Promise.resolve(Math.max(0, residual() - before)));
  };
  return { beforeBytes: await taken(64), fromStartBytes: await taken(2) };
}

async function stopsThrashing(command: string): Promise<CommandEffect> {
  const moved = () => number("/proc/vmstat", /^pswpin (\d+)/m) + number("/proc/vmstat", /^pswpout (\d+)/m);
  return await withFault("swap_thrash", { limit: 40, want: 80 }, async (fault) => {
    const before = moved();
    await sleep(300);
    const busy = moved() - before;
    await shell(endingOf(command, fault, "swap_hog"));
    await sleep(300);
    const after = moved();
    await sleep(300);
    const idle = moved() - after;
    return {
      observed: busy > 1000 && idle < busy / 100
        ? "pswpin and pswpout stood still at once"
        : `${busy} pages moved before, ${idle} after`,
    };
  });
}

/** One object in twenty lives. */
const AFTER_A_BURST = { kind: "epoll", count: 12000, processes: 4, keep: 20, rate: 0 };

/** One connection whose peer, on another host, does not read. */
const remotePeer = (): { [path: string]: string } => ({
  "proc/meminfo": readFileSync("/proc/meminfo", "utf8"),
  "proc/net/tcp": tcpText([{
    local: 443,
    remote: 50_000,
    tx: 2 ** 30,
    timer: 4,
    inode: 2000,
    remoteAddress: "0100000A",
  }]),
});

async function resetConnections(command: string, { pid }: HeldFault): Promise<void> {
  const [writer] = childrenNamed(pid, "tcp_writer");
  const rows = (await shell("ss -tnpH")).split("\n").filter((row) => row.includes(`pid=${writer},`));
  for (const row of rows) {
    const [, , , local, remote] = row.split(/\s+/);
    await shell(command.replace(/src .*/, `src ${local} dst ${remote}`));
  }
}

/** Swap on zram that holds a gigabyte. */
const zramSwap = (): { [path: string]: string } => ({
  "proc/meminfo": readFileSync("/proc/meminfo", "utf8"),
  "proc/vmstat": "nr_zspages 262144\n",
  "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0\tpartition\t4194304\t1048576\t100\n",
});

/** A report on a setting that this machine does not have, which the load makes. */
const aioContexts = (): { [path: string]: string } => ({
  "proc/meminfo": meminfoText({ Cached: 500 * MB }),
  "sos_commands/process/aio_rings": `# process contexts bytes\n/proc/700/maps 600 ${300 * MB}\n`,
  "proc/700/status": "Name:\tforgetful\nThreads:\t2\nRssAnon:\t100 kB\n",
  "sos_commands/kernel/sysctl_-a": "fs.aio-nr = 4810000\n",
});

const descriptorsInFlight = (): { [path: string]: string } => ({
  "proc/meminfo": meminfoText({ Cached: 364 * MB, Shmem: 302 * MB }),
  "sos_commands/process/shared_memory_descriptors": "/proc/700/fdinfo/4:scm_fds: 20\n".repeat(2),
  "proc/700/status": "Name:\tforgetful\nVmRSS:\t100 kB\nRssAnon:\t100 kB\nRssShmem:\t0 kB\nVmSwap:\t0 kB\n",
});

const highMinFree = (): { [path: string]: string } => ({
  "proc/meminfo": readFileSync("/proc/meminfo", "utf8"),
  "sos_commands/kernel/sysctl_-a": "vm.min_free_kbytes = 4194304\n",
});

export const commandTrials: readonly CommandTrial[] = [
  ends("user-leak", "user-leak", {
    program: "anon_leak",
    args: { start: 128, rate: 0, max: 128 },
    read: meminfo("AnonPages"),
  }),
  ends("process-proliferation", "process-proliferation", {
    program: "many_processes",
    args: { count: 60, kb: 2000, rate: 0, max: 60 },
    read: meminfo("AnonPages"),
    remedy: "end them",
  }),
  ends("page-table-bloat", "page-table-bloat", {
    program: "page_tables",
    args: { mb: 48, processes: 2 },
    read: meminfo("PageTables"),
  }),
  ends("kernel-stack-leak", "kernel-stack-leak", {
    program: "thread_stacks",
    args: { threads: 2500 },
    read: meminfo("KernelStack"),
  }),
  ends("fd-leak", "fd-eventfd", {
    program: "fd_leak",
    args: { kind: "eventfd", count: 15000, processes: 10, rate: 0 },
    read: unreclaimableAndDentries,
  }),
  ends("shmem-leak", "shmem-memfd", {
    program: "shmem",
    args: { mb: 64, kind: "memfd" },
    read: meminfo("Shmem"),
  }),
  ends("socket-backlog-udp", "friend-push", {
    program: "friend_push",
    args: { clients: 16, rcvbuf: 2 * MB },
    read: udpMemory,
  }),
  ends("socket-backlog-tcp-recv", "tcp-recv", {
    program: "tcp_backlog",
    args: { side: "recv", pairs: 8, total: 48 },
    read: tcpMemory,
    comm: "tcp_reader",
  }),
  ends("socket-backlog-tcp-send", "tcp-send", {
    program: "tcp_backlog",
    args: { side: "send", pairs: 8, total: 48 },
    read: tcpMemory,
    comm: "tcp_reader",
    remedy: "end the reader",
  }),
  ends("socket-backlog-tcp-send", "tcp-send", {
    program: "tcp_backlog",
    args: { side: "send", pairs: 8, total: 48 },
    read: tcpMemory,
    comm: "tcp_writer",
    remedy: "end the sender",
  }),
  {
    cause: "socket-backlog-tcp-send",
    remedy: "reset the connections",
    report: remotePeer,
    command: /^ss -tK src /,
    run: faultTrial("tcp_backlog", { side: "send", pairs: 8, total: 48 }, tcpMemory, resetConnections),
  },
  ends("socket-backlog-unix", "unix-dgram", {
    program: "unix_backlog",
    args: { type: "dgram", pairs: 12 },
    read: meminfo("SUnreclaim"),
    comm: "unix_reader",
    remedy: "end the reader",
  }),
  ends("socket-backlog-netlink", "netlink", {
    program: "netlink_backlog",
    args: { sockets: 4 },
    read: meminfo("SUnreclaim"),
  }),
  ends("socket-backlog-netlink", "raw-backlog", {
    program: "raw_backlog",
    args: { type: "raw", sockets: 4 },
    read: meminfo("SUnreclaim"),
    remedy: "end the owner of a queue",
  }),
  ends("packet-ring", "packet-queue", {
    program: "raw_backlog",
    args: { type: "packet", sockets: 4 },
    read: meminfo("SUnreclaim"),
    remedy: "end the owner of a queue",
  }),
  ends("packet-ring", "packet-ring", { program: "packet_ring", args: { sockets: 1, mb: 64 }, read: residual }),
  ends("pipe-buffers", "pipe-buffers", { program: "pipes", args: { pipes: 64 }, read: residual }),
  ends("io-uring", "io-uring-rings", { program: "io_uring_rings", args: { rings: 20 }, read: residual }),
  ends("unattributed-kernel", "perf-rings", {
    program: "perf_rings",
    args: { events: 2, mb: 32 },
    read: residual,
    remedy: "end the owner of the perf events",
  }),
  {
    cause: "unattributed-kernel",
    remedy: "shrink the buffers of ftrace",
    report: "trace-buffers",
    command: /^echo \d+ > \S+\/buffer_size_kb$/,
    run: faultTrial("trace_buffers", { mb: 64 }, residual, (command) => shell(command)),
  },
  ends("skb-frag-amplification", "frag-amplification-host", {
    program: "frag_amplification",
    args: { netns: "own", total: 128 },
    read: residual,
  }),
  ends("slab-leak", "posix-timers", {
    program: "posix_timers",
    args: { count: 40000, processes: 4, rate: 0 },
    read: meminfo("SUnreclaim"),
  }),
  {
    cause: "slab-leak",
    remedy: "remove the message queues",
    report: "message-queues",
    command: /^ipcrm -q \d+$/,
    run: faultTrial("message_queues", { queues: 2000 }, meminfo("SUnreclaim"), removeQueues),
  },
  {
    cause: "slab-leak",
    remedy: "remove control groups",
    report: "control-groups",
    command: /^find \/sys\/fs\/cgroup -name cgroup\.procs /,
    run: faultTrial("control_groups", { count: 3000 }, meminfo("SUnreclaim"), removeGroups),
  },
  {
    cause: "slab-leak",
    remedy: "delete files on tmpfs",
    report: "tmpfs-files",
    command: /^du --inodes -x \/var\/tmp\/nailhouse-spool-\d+ /,
    run: faultTrial("tmpfs_files", { files: 50_000 }, meminfo("SUnreclaim"), deleteFiles),
  },
  {
    cause: "slab-leak",
    remedy: "delete network devices",
    report: "net-devices",
    command: /ip -br link \| awk /,
    run: faultTrial("net_devices", { count: 300 }, meminfo("SUnreclaim"), deleteDevices),
  },
  {
    cause: "vmalloc-leak",
    remedy: "end the owner",
    report: "vmalloc-leak",
    command: /^grep -c/,
    run: faultTrial("vmalloc_leak", { sockets: 30, rate: 0 }, meminfo("VmallocUsed"), async (command, { pid }) => {
      const areas = Number(await shell(command));
      if (areas < 30) throw new Error(`${command}: ${areas}`);
      process.kill(pid);
    }),
  },
  {
    cause: "swap-thrash",
    remedy: "end what swaps most",
    report: "swap-thrash",
    command: /^kill -TERM /,
    run: stopsThrashing,
  },
  {
    cause: "hugetlb-reservation",
    remedy: "give back what is free",
    report: "hugetlb-reservation",
    command: /^echo 0 > .*hugepages-2048kB\/nr_hugepages$/,
    run: faultTrial("hugepages", { mb: 64 }, meminfo("Hugetlb"), shell),
  },
  {
    cause: "hugetlb-reservation",
    remedy: "delete files on hugetlbfs",
    report: "hugetlb-left",
    command: /^find \/var\/tmp\/nailhouse-huge-\d+\/left -fstype hugetlbfs -delete$/,
    // What is given back to the pool is free there.
    run: faultTrial(
      "hugepages",
      { mb: 64, file: 1 },
      hugePagesInUse,
      (command, { pid }) => shell(command.replace(/huge-\d+/, `huge-${pid}`)),
    ),
  },
  {
    cause: "hugetlb-reservation",
    remedy: "allocate on demand",
    report: "hugetlb-reservation",
    command: /^sysctl -w vm\.nr_overcommit_hugepages/,
    run: load("huge_on_demand"),
  },
  {
    cause: "shmem-leak",
    remedy: "empty the file",
    report: "shmem-memfd",
    command: /^: >/,
    run: faultTrial("shmem", { mb: 64, kind: "memfd" }, meminfo("Shmem"), async (command, { pid }) => {
      const fd = readdirSync(`/proc/${pid}/fd`).find((each) =>
        readlinkSync(`/proc/${pid}/fd/${each}`).includes("memfd:nailhouse")
      );
      await shell(command.replace(/\/proc\/\d+\/fd\/\d+/, `/proc/${pid}/fd/${fd}`));
      process.kill(pid, 0); // it runs on
    }),
  },
  {
    cause: "shmem-leak",
    remedy: "remove the segment",
    report: "shmem-sysv",
    command: /^ipcrm -m \d+$/,
    run: faultTrial("shmem", { mb: 64, kind: "sysv" }, meminfo("Shmem"), async (command, { pid }) => {
      // cpid is the creator: the fault's own process.
      const rows = (await shell("ipcs -m -p")).split("\n").map((line) => line.trim().split(/\s+/));
      await shell(command.replace(/\d+$/, String(rows.find((row) => row[2] === String(pid))?.[0])));
    }),
  },
  {
    cause: "shmem-leak",
    remedy: "kernel.shm_rmid_forced",
    report: "shmem-sysv",
    command: /^sysctl -w kernel\.shm_rmid_forced=1$/,
    run: load("rmid_forced", "--ipc"),
  },
  {
    cause: "shmem-leak",
    remedy: "delete the files",
    report: "shmem-tmpfs",
    command: /^rm -- /,
    run: faultTrial(
      "shmem",
      { mb: 64, kind: "tmpfs" },
      meminfo("Shmem"),
      (command, { pid }) => shell(command.replace(/\/dev\/shm\/\S+$/, `/dev/shm/nailhouse-${pid}`)),
    ),
  },
  {
    cause: "shmem-leak",
    remedy: "limit of the mount",
    report: "shmem-tmpfs",
    command: /^mount -o remount,size=/,
    run: limitOfMount,
  },
  {
    cause: "shmem-leak",
    remedy: "delete the files of a ramfs",
    report: "ramfs",
    command: /^rm -- /,
    run: faultTrial(
      "ramfs",
      { mb: 64 },
      meminfo("Unevictable"),
      (command, { pid }) => shell(command.replace(/\/tmp\/\S+$/, `/tmp/nailhouse-ramfs-${pid}/*`)),
    ),
  },
  {
    cause: "shmem-leak",
    remedy: "a tmpfs instead of a ramfs",
    report: "ramfs",
    command: /^mount -t tmpfs -o size=/,
    run: tmpfsInsteadOfRamfs,
  },
  {
    cause: "fd-leak",
    remedy: "limit of open files",
    report: "fd-eventfd",
    command: /^prlimit --pid \d+ --nofile=\d+$/,
    run: limitOfDescriptors,
  },
  {
    cause: "fd-leak",
    remedy: "limit of inotify watches",
    report: "fd-inotify",
    command: /^sysctl -w fs\.inotify\.max_user_watches=/,
    run: load("inotify_watches"),
  },
  {
    cause: "pipe-buffers",
    remedy: "limit of a user's pipes",
    report: "pipe-buffers",
    command: /^sysctl -w fs\.pipe-user-pages-hard=/,
    run: load("pipe_pages"),
  },
  {
    cause: "socket-backlog-tcp-recv",
    remedy: "tcp_rmem",
    report: "tcp-recv",
    command: /^sysctl -w .*tcp_rmem=/,
    run: load("tcp_rmem", "--net"),
  },
  {
    cause: "socket-backlog-tcp-send",
    remedy: "tcp_wmem",
    report: "tcp-send",
    command: /^sysctl -w .*tcp_wmem=/,
    run: load("tcp_wmem", "--net"),
  },
  {
    cause: "socket-backlog-unix",
    remedy: "wmem_default",
    report: "unix-stream",
    command: /^sysctl -w net\.core\.wmem_default=/,
    run: load("unix_wmem"),
  },
  {
    cause: "socket-backlog-netlink",
    remedy: "CAP_NET_ADMIN and rmem_max",
    report: "netlink",
    command: /^sysctl net\.core\.rmem_max/,
    run: load("netlink_rmem"),
  },
  {
    cause: "socket-backlog-netlink",
    remedy: "raw socket that only sends",
    report: "raw-backlog",
    run: load("raw_sender", "--net"),
  },
  {
    cause: "packet-ring",
    remedy: "packet socket that only sends",
    report: "packet-queue",
    run: load("packet_sender", "--net"),
  },
  {
    cause: "packet-ring",
    remedy: "take CAP_NET_RAW",
    report: "packet-ring",
    run: load("packet_socket"),
  },
  {
    cause: "udp-mem-limit",
    remedy: "udp_mem",
    report: "udp-mem-limit",
    command: /^sysctl -w net\.ipv4\.udp_mem=/,
    run: boundedUdp,
  },
  {
    cause: "skb-frag-amplification",
    remedy: "fragments of order 0",
    report: "frag-amplification-host",
    command: /^sysctl -w net\.core\.high_order_alloc_disable=1$/,
    run: fragmentsOfOrderZero,
  },
  {
    cause: "io-uring",
    remedy: "limit of locked memory",
    report: "io-uring-buffers",
    run: load("memlock"),
  },
  {
    cause: "ip-reassembly",
    remedy: "lower the limit",
    report: "ip-reassembly",
    command: /^nsenter .*sysctl -w net\.ipv4\.ipfrag_low_thresh=/,
    run: lowerFragments,
  },
  {
    cause: "ip-reassembly",
    remedy: "the default limit",
    report: "ip-reassembly",
    run: load("fragments_by_default", "--net"),
  },
  {
    cause: "conntrack-growth",
    remedy: "drop entries",
    needs: "conntrack",
    report: "conntrack",
    command: /\bconntrack -D /,
    run: dropEntries,
  },
  {
    cause: "conntrack-growth",
    remedy: "bound the table",
    report: "conntrack",
    command: /^sysctl -w net\.netfilter\.nf_conntrack_max=/,
    run: boundedTable,
  },
  {
    cause: "bpf-maps",
    remedy: "remove the pin",
    needs: "bpftool",
    report: "bpf-array",
    command: /^bpftool -f map show id \d+ .* rm --$/,
    run: faultTrial("bpf_map", { mb: 64 }, meminfo("VmallocUsed"), async (command, { pid }) => {
      const pin = `/tmp/nailhouse-bpf-${pid}/map`;
      const id = (await shell(`bpftool map show pinned ${pin}`)).split(":")[0];
      await shell(command.replace(/id \d+/, `id ${id}`));
    }),
  },
  { cause: "bpf-maps", remedy: "BPF_F_NO_PREALLOC", report: "bpf-array", needs: "bpftool", run: load("bpf_hash") },
  {
    cause: "bpf-maps",
    remedy: "limit the loader's cgroup",
    report: "bpf-array",
    needs: "bpftool",
    run: load("bpf_in_cgroup"),
  },
  {
    cause: "dying-memcg",
    remedy: "let go of what is charged",
    report: "dying-memcg",
    command: /^: > FILE$/,
    run: faultTrial(
      "dying_memcg",
      { count: 1500, rate: 0 },
      meminfo("Slab", "Percpu", "VmallocUsed", "Shmem"),
      (command, { pid }) => shell(command.replace("FILE", `/dev/shm/nailhouse-memcg-${pid}`)),
    ),
  },
  {
    cause: "slab-fragmentation",
    remedy: "restart who lived through it",
    report: "slab-fragmentation",
    run: faultTrial("fd_leak", AFTER_A_BURST, meminfo("SUnreclaim"), (_command, { pid }) => {
      process.kill(pid);
      return Promise.resolve();
    }),
  },
  {
    cause: "slab-fragmentation",
    remedy: "give back empty slabs",
    report: "slab-fragmentation",
    command: /^echo 1 > .*\/shrink$/,
    run: faultTrial(
      "fd_leak",
      AFTER_A_BURST,
      meminfo("SUnreclaim"),
      async () => {
        const { findings } = await sampleReport("slab-fragmentation");
        const remedy = findings.find(({ cause }) => cause === "slab-fragmentation")?.remedies[0];
        for (const command of remedy?.commands ?? []) {
          if (existsSync(/(\/sys\S+)/.exec(command)?.[1] as string)) await shell(command);
        }
      },
    ),
  },
  {
    cause: "zram-held",
    remedy: "reset the disk",
    report: "zram",
    command: /^echo 1 > \/sys\/block\/zram\d+\/reset$/,
    run: faultTrial(
      "zram",
      { mb: 64 },
      zspages,
      (command, { note }) => shell(command.replace(/zram\d+/, String(/zram\d+/.exec(note)?.[0]))),
    ),
  },
  {
    cause: "zram-held",
    remedy: "mem_limit",
    report: "zram",
    command: /^echo 512M > \/sys\/block\/zram\d+\/mem_limit$/,
    run: (command) => load("zram_limit")(command.replace(/zram\d+/, "zram0")),
  },
  {
    cause: "zram-held",
    remedy: "swapoff",
    report: zramSwap,
    command: /^swapoff \/dev\/zram0$/,
    run: load("swapoff"),
  },
  {
    cause: "process-proliferation",
    remedy: "limit of tasks",
    report: "process-proliferation",
    run: load("processes"),
  },
  {
    cause: "kernel-stack-leak",
    remedy: "limit of tasks",
    report: "kernel-stack-leak",
    run: load("threads"),
  },
  { cause: "slab-fragmentation", remedy: "bound the burst", report: "slab-fragmentation", run: load("processes") },
  { cause: "user-leak", remedy: "limit of memory", report: "user-leak", needs: "cgroup v1", run: load("memory_limit") },
  {
    cause: "memcg-oom",
    remedy: "raise the limit",
    report: "memcg-oom",
    command: /^echo 1G > \/sys\/fs\/cgroup\/memory\/\S+\/memory\.limit_in_bytes$/,
    needs: "cgroup v1",
    run: (command) => load("raise_limit")(command.replace(/\/sys\S+(?=\/)/, "FOLDER")),
  },
  {
    cause: "memcg-oom",
    remedy: "memory.failcnt",
    report: "memcg-oom",
    command: /^cat \/sys\/fs\/cgroup\/memory\/\S+\/memory\.failcnt$/,
    needs: "cgroup v1",
    run: (command) => load("failcnt")(command.replace(/\/sys\S+(?=\/)/, "FOLDER")),
  },
  {
    cause: "io-uring",
    remedy: "end the owner of AIO contexts",
    report: aioContexts,
    command: /^kill -TERM 700$/,
    run: (command) => load("aio_ended")(command.replace("700", "PID")),
  },
  { cause: "io-uring", remedy: "destroy AIO contexts", report: aioContexts, run: load("aio_destroyed") },
  {
    cause: "io-uring",
    remedy: "limit of AIO",
    report: aioContexts,
    command: /^sysctl -w fs\.aio-max-nr=/,
    run: (command) => load("aio_limit")(command.replace(/=\d+/, "=LIMIT")),
  },
  {
    cause: "io-uring",
    remedy: "end the owner of AF_XDP sockets",
    report: () => ({
      "proc/meminfo": pinnedText(200 * MB),
      "proc/vmallocinfo": `0x00000000632851be-0x00000000fadc358d ${200 * MB} xdp_umem_create+0x3d8/0x480 vmap\n`,
    }),
    command: /protocol: XDP/,
    needs: "lsof",
    run: load("xdp_ended"),
  },
  {
    cause: "shmem-leak",
    remedy: "end the receiver of descriptors",
    report: descriptorsInFlight,
    command: /^kill -TERM 700$/,
    run: (command) => load("receiver_ended")(command.replace("700", "PID")),
  },
  { cause: "shmem-leak", remedy: "receive the descriptors", report: descriptorsInFlight, run: load("received") },
  { cause: "io-uring", remedy: "unregister buffers", report: "io-uring-buffers", run: load("unregister") },
  { cause: "shmem-leak", remedy: "mark the segment for removal", report: "shmem-sysv", run: load("marked_segment") },
  { cause: "shmem-leak", remedy: "close the descriptor", report: "shmem-memfd", run: load("closed_memfd") },
  { cause: "pipe-buffers", remedy: "read the pipe", report: "pipe-buffers", run: load("closed_pipe") },
  { cause: "packet-ring", remedy: "smaller ring", report: "packet-ring", run: smallerRing },
  { cause: "slab-reclaimable", remedy: "do nothing", report: "negative-dentries", run: load("names") },
  {
    cause: "thp-bloat",
    remedy: "huge pages for who asks",
    report: () => ({
      "proc/meminfo": `${meminfoText({ AnonPages: 600 * 2 ** 20 })}AnonHugePages: ${500 * 1024} kB\n`,
      "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
    }),
    command: /^echo madvise > /,
    run: load("huge_pages"),
  },
  {
    cause: "thp-bloat",
    remedy: "no huge pages",
    report: "thp-bloat",
    command: /^echo never > /,
    run: load("asked_huge_pages"),
  },
  {
    cause: "thp-bloat",
    remedy: "khugepaged max_ptes_none",
    report: "thp-bloat",
    command: /^echo 0 > .*max_ptes_none$/,
    run: load("khugepaged"),
  },
  {
    cause: "oom-policy",
    remedy: "min_free_kbytes",
    report: highMinFree,
    command: /^sysctl -w vm\.min_free_kbytes=/,
    run: load("min_free"),
  },
];
