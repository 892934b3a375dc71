import type { AccountId } from "../../src/core/ledger.ts";
import type { FaultArgs } from "./lab.ts";

/** One real fault, or a healthy or near-miss host that must not be accused. */
export interface Fault {
  /** Also the name of its sample: samples/NAME.tgz. */
  readonly name: string;
  readonly program: string;
  readonly args: FaultArgs;
  /** Held in every run of `npm test`, too; all of them are by `npm run accuracy`. */
  readonly live?: true;
  readonly expect: Expectation;
}

/** How a fault can be captured; only several snapshots, in which it grows, show that. */
export type CaptureKind = "growing" | "once" | "sos";

export interface Expectation {
  /** The cause that must come first, or "healthy". */
  readonly cause: string;
  /** Symptoms that must be found beside it. */
  readonly also?: readonly string[];
  /** For a healthy or near-miss host: the cause that must not be material here. */
  readonly not?: string;
  /** The accounts that grow by what is held. */
  readonly accounts: readonly AccountId[];
  /** Growth of those accounts together over the `held BYTES` that the program prints: lowest and highest. */
  readonly ratio: readonly [number, number];
  /** What one snapshot can tell at most, where that is less. */
  readonly once?: "possible";
  /** What a sosreport can tell at most, where that is less: it is one snapshot, and less is in it. */
  readonly sos?: "possible";
  /** What the program's `held BYTES` counts. */
  readonly held: string;
  /** Memory that each of those bytes takes, where it is not itself that is counted; 1 if absent. */
  readonly taken?: number;
}

/** Accounts move a little through everything else that runs on the machine. */
const EXACT: Expectation["ratio"] = [0.95, 1.05];
/** It goes on growing, by 11 to 20 MB/s: some more by the time that it is looked at. */
const GROWING: Expectation["ratio"] = [0.95, 1.15];
/** Whoever looks into /proc/PID/fd adds an inode and a dentry of /proc for each descriptor; they go some time later. */
const WALKED: Expectation["ratio"] = [0.6, 2.5];
/** Next to nothing is held: the ratio has no meaning. */
const ANY: Expectation["ratio"] = [-Infinity, Infinity];

const CHARGED = "charge of all client sockets (skmem r)";
const OBJECTS = "growth of SUnreclaim meanwhile and a dentry each";
const SLAB_GROWTH = "growth of SUnreclaim meanwhile";
const RECLAIMABLE_GROWTH = "growth of SReclaimable meanwhile";
const SLAB: readonly AccountId[] = ["slab-unreclaimable", "slab-reclaimable"];

/** Only growth tells: a database is as large as a leak, a web server has as many workers; one look at the counters tells no rate. */
const LESS_AT_ONCE: ReadonlySet<string> = new Set(["user-leak", "process-proliferation", "swap-thrash"]);
/** sos does not look into network namespaces without a name, pipes, rings, marks and ramfs; and samples/ hold little of what lsof prints. */
const UNSEEN_BY_SOS = { sos: "possible" } as const;

/** What really happens. */
function real(
  name: string,
  program: string,
  args: FaultArgs,
  cause: string,
  accounts: readonly AccountId[],
  held: string,
  more: Partial<Pick<Expectation, "also" | "ratio" | "sos" | "taken">> = {},
): Fault {
  const once = LESS_AT_ONCE.has(cause) ? { once: "possible", sos: "possible" } as const : {};
  return { name, program, args, expect: { cause, accounts, held, ratio: EXACT, ...once, ...more } };
}

/** The same mechanism at its normal size, in use, or steady: `not` must not be material. */
function nearMiss(
  name: string,
  program: string,
  args: FaultArgs,
  not: string,
  held: string,
  accounts: readonly AccountId[] = [],
  ratio: Expectation["ratio"] = accounts.length === 0 ? ANY : EXACT,
): Fault {
  return { name, program, args, expect: { cause: "healthy", not, accounts, held, ratio } };
}

/** The host is not short of memory, but the report tells of this beside. */
function benign(fault: Fault, ...also: readonly string[]): Fault {
  return { ...fault, expect: { ...fault.expect, also } };
}

/** One of those that `npm test` holds: the first causes with their near misses, and one fault for each of the others. */
function live(fault: Fault): Fault {
  return { ...fault, live: true };
}

const RAW_CHARGE = "charge (skmem r)";

/** Each real fault is followed by its near misses; 200 to 420 MB unless a note says otherwise. */
export const faults: readonly Fault[] = [
  live(nearMiss("busy", "busy", {}, "user-leak", "nothing for long")),
  live(nearMiss("page-cache", "page_cache", { mb: 800 }, "shmem-leak", "bytes of the file", ["page-cache"])),
  live(real(
    "user-leak",
    "anon_leak",
    { start: 300, rate: 20, max: 800 },
    "user-leak",
    ["anon"],
    "memory touched at the start",
    {
      ratio: GROWING,
    },
  )),
  live(nearMiss(
    "starting-process",
    "anon_leak",
    { start: 40, rate: 40, max: 240 },
    "user-leak",
    "memory touched when it was started, and then for five seconds",
  )),
  live(
    nearMiss("steady-process", "anon_leak", { start: 500, rate: 0, max: 500 }, "user-leak", "memory touched", ["anon"]),
  ),
  // UDP.
  live(real("friend-push", "friend_push", {}, "socket-backlog-udp", ["slab-unreclaimable"], CHARGED)),
  live(real(
    "friend-push-filling",
    "friend_push",
    { rcvbuf: 4194304, total: 300, rate: 50 },
    "socket-backlog-udp",
    ["slab-unreclaimable"],
    `${CHARGED}, still growing by about 11 MB/s`,
    { ratio: GROWING },
  )),
  live(real(
    "friend-push-late-wudp",
    "friend_push",
    { mode: "late" },
    "socket-backlog-udp",
    ["slab-unreclaimable"],
    CHARGED,
  )),
  live(
    nearMiss("friend-push-wudp", "friend_push", { mode: "wudp" }, "socket-backlog-udp", `${CHARGED}: a packet each`),
  ),
  live(nearMiss("friend-push-filter", "friend_push", { mode: "filter" }, "socket-backlog-udp", `${CHARGED}: 0`)),
  live(nearMiss("friend-push-read", "friend_push", { mode: "read" }, "socket-backlog-udp", CHARGED)),
  live(nearMiss("small-backlog", "friend_push", { clients: 3, rcvbuf: 106496 }, "socket-backlog-udp", CHARGED)),
  live(nearMiss(
    "slow-reader",
    "slow_reader",
    {},
    "socket-backlog-udp",
    "charge of all sockets at the moment: each queue swings between 0 and 4 MiB",
    ["slab-unreclaimable"],
    [0.8, 1.2],
  )),
  live(real(
    "frag-amplification",
    "frag_amplification",
    { netns: "own" },
    "skb-frag-amplification",
    ["unaccounted"],
    "page fragments pinned; the charge is a 43rd of it",
    UNSEEN_BY_SOS,
  )),
  real(
    "frag-amplification-host",
    "frag_amplification",
    { netns: "host" },
    "skb-frag-amplification",
    ["unaccounted"],
    "page fragments pinned; the charge is a 43rd of it",
  ),
  real(
    "mlock-leak",
    "anon_leak",
    { start: 300, rate: 20, max: 800, lock: 1 },
    "user-leak",
    ["anon"],
    "memory touched at the start, all of it locked",
    { ratio: GROWING },
  ),
  nearMiss("mlock-steady", "anon_leak", { start: 300, rate: 0, max: 300, lock: 1 }, "user-leak", "memory touched", [
    "anon",
  ]),
  live(real(
    "process-proliferation",
    "many_processes",
    { count: 400, kb: 1000, rate: 5, max: 700 },
    "process-proliferation",
    ["anon"],
    "anonymous memory of all processes",
    { ratio: [0.98, 1.1] },
  )),
  nearMiss("few-processes", "many_processes", { count: 20, kb: 1000, rate: 0 }, "process-proliferation", "as above"),
  // No file tells what is in huge pages, and nailhouse does not look into the memory of others.
  live(benign(
    nearMiss("thp-bloat", "thp_bloat", { mb: 500, touch: 1 }, "user-leak", "huge pages, one page of 512 touched", [
      "anon",
    ]),
    "thp-bloat",
  )),
  nearMiss("thp-used", "thp_bloat", { mb: 500, touch: 512 }, "thp-bloat", "huge pages, all of them touched", ["anon"]),
  live(real("page-table-bloat", "page_tables", {}, "page-table-bloat", ["page-tables"], "page tables")),
  nearMiss("page-tables-small", "page_tables", { mb: 8 }, "page-table-bloat", "page tables"),
  live(real(
    "kernel-stack-leak",
    "thread_stacks",
    {},
    "kernel-stack-leak",
    ["kernel-stacks"],
    "kernel stacks; 40 % more in Slab",
  )),
  nearMiss("threads-normal", "thread_stacks", { threads: 500 }, "kernel-stack-leak", "kernel stacks"),
  // Shared memory and huge pages.
  live(real("shmem-memfd", "shmem", { kind: "memfd" }, "shmem-leak", ["shmem"], "a memfd, not mapped")),
  real("shmem-sysv", "shmem", { kind: "sysv" }, "shmem-leak", ["shmem"], "a SysV segment that nobody is attached to"),
  real("shmem-deleted", "shmem", { kind: "deleted" }, "shmem-leak", ["shmem"], "a deleted file on tmpfs, still open"),
  real("shmem-tmpfs", "shmem", { kind: "tmpfs" }, "shmem-leak", ["shmem"], "a file on tmpfs that nobody has open"),
  live(real(
    "shmem-private",
    "shmem",
    { kind: "private" },
    "shmem-leak",
    ["shmem"],
    "a file on a tmpfs of another mount namespace",
    UNSEEN_BY_SOS,
  )),
  nearMiss(
    "shmem-private-small",
    "shmem",
    { kind: "private", mb: 8 },
    "shmem-leak",
    "a file on a tmpfs of another mount namespace",
  ),
  real(
    "shmem-sysv-private",
    "shmem",
    { kind: "sysv", ipc_namespace: 1 },
    "shmem-leak",
    ["shmem"],
    "a SysV segment of another IPC namespace",
    UNSEEN_BY_SOS,
  ),
  nearMiss(
    "shmem-sysv-private-attached",
    "shmem",
    { kind: "sysv", ipc_namespace: 1, mapped: 1 },
    "shmem-leak",
    "a SysV segment of another IPC namespace, attached",
    ["shmem"],
  ),
  nearMiss("shmem-mapped", "shmem", { kind: "memfd", mapped: 1 }, "shmem-leak", "a memfd, mapped and touched", [
    "shmem",
  ]),
  nearMiss("shmem-sysv-attached", "shmem", { kind: "sysv", mapped: 1 }, "shmem-leak", "a SysV segment, attached", [
    "shmem",
  ]),
  nearMiss("shmem-small", "shmem", { kind: "tmpfs", mb: 8 }, "shmem-leak", "a file on tmpfs"),
  // sos does not list what is in a ramfs, and df shows 0.
  real("ramfs", "ramfs", {}, "shmem-leak", ["page-cache"], "files on a ramfs that nobody has open", UNSEEN_BY_SOS),
  nearMiss("ramfs-small", "ramfs", { mb: 8 }, "shmem-leak", "a file on a ramfs"),
  live(real("hugetlb-reservation", "hugepages", {}, "hugetlb-reservation", ["hugetlb"], "huge pages reserved, unused")),
  nearMiss("hugetlb-used", "hugepages", { used: 1 }, "hugetlb-reservation", "huge pages in use", ["hugetlb"]),
  // sos tells neither what processes map nor what is on a hugetlbfs.
  real(
    "hugetlb-left",
    "hugepages",
    { file: 1 },
    "hugetlb-reservation",
    ["hugetlb"],
    "huge pages of a file that nobody has open",
    UNSEEN_BY_SOS,
  ),
  nearMiss(
    "hugetlb-file-mapped",
    "hugepages",
    { file: 1, used: 1 },
    "hugetlb-reservation",
    "huge pages of a file that is mapped",
    ["hugetlb"],
  ),
  real(
    "friend-push-netns",
    "friend_push",
    { netns: "own" },
    "socket-backlog-udp",
    ["slab-unreclaimable"],
    CHARGED,
    UNSEEN_BY_SOS,
  ),
  // Beyond 8 KiB in no slabinfo line (large kmalloc); beyond 16 KiB in no field of /proc/meminfo.
  real("friend-push-9k", "friend_push", { reply: 9000 }, "socket-backlog-udp", ["slab-unreclaimable"], CHARGED),
  real("friend-push-30k", "friend_push", { reply: 30000 }, "socket-backlog-udp", ["unaccounted"], CHARGED, {
    ratio: [0.9, 1.05],
  }),
  live(real("udp-mem-limit", "friend_push", { udp_mem: 51200 }, "socket-backlog-udp", ["slab-unreclaimable"], CHARGED, {
    also: ["udp-mem-limit"],
  })),
  real(
    "frag-amplification-large",
    "frag_amplification",
    { netns: "own", keep: 40, payload: 900 },
    "skb-frag-amplification",
    ["unaccounted"],
    "page fragments pinned; the charge is a 20th of it",
    UNSEEN_BY_SOS,
  ),
  // Every packet is kept: a backlog on the same device, and nothing is amplified (charge 150 MB: fragments and skb heads).
  real(
    "tap-backlog",
    "frag_amplification",
    { netns: "own", keep: 1, total: 100 },
    "socket-backlog-udp",
    ["unaccounted", "slab-unreclaimable"],
    "page fragments pinned, each byte of them charged",
    { ratio: [1.4, 1.6], taken: 1.5, ...UNSEEN_BY_SOS },
  ),
  // Other sockets.
  live(real(
    "tcp-recv",
    "tcp_backlog",
    { side: "recv" },
    "socket-backlog-tcp-recv",
    ["unaccounted", "slab-unreclaimable"],
    "charge of receivers and senders",
  )),
  real(
    "tcp-close-wait",
    "tcp_backlog",
    { side: "close-wait" },
    "socket-backlog-tcp-recv",
    ["unaccounted", "slab-unreclaimable"],
    "charge of the receivers",
  ),
  real(
    "tcp-accept",
    "tcp_backlog",
    { side: "accept" },
    "socket-backlog-tcp-recv",
    ["unaccounted", "slab-unreclaimable"],
    "data that nobody has accepted, and charge of the senders",
    { ratio: [1, 1.1] },
  ),
  nearMiss(
    "tcp-accept-small",
    "tcp_backlog",
    { side: "accept", pairs: 3, total: 1 },
    "socket-backlog-tcp-recv",
    "data that nobody has accepted",
  ),
  live(real(
    "tcp-send",
    "tcp_backlog",
    { side: "send" },
    "socket-backlog-tcp-send",
    ["unaccounted", "slab-unreclaimable"],
    "charge of receivers and senders (skmem w)",
    { ratio: [1.0, 1.25], taken: 1.1 },
  )),
  // Many small queues: as many receivers are charged a little each, yet nothing is amplified.
  real(
    "tcp-send-many",
    "tcp_backlog",
    { side: "send", pairs: 700 },
    "socket-backlog-tcp-send",
    ["unaccounted", "slab-unreclaimable"],
    "charge of receivers and senders (skmem w)",
    { ratio: [1.0, 1.25], taken: 1.1 },
  ),
  real(
    "mptcp-recv",
    "tcp_backlog",
    { side: "recv", mptcp: 1 },
    "socket-backlog-tcp-recv",
    ["unaccounted", "slab-unreclaimable"],
    "charge of receivers and senders",
  ),
  real(
    "mptcp-send",
    "tcp_backlog",
    { side: "send", mptcp: 1 },
    "socket-backlog-tcp-send",
    ["unaccounted", "slab-unreclaimable"],
    "charge of receivers and senders (skmem w)",
  ),
  nearMiss(
    "mptcp-read",
    "tcp_backlog",
    { side: "recv", mptcp: 1, read: 1 },
    "socket-backlog-tcp-recv",
    "charge at the moment",
  ),
  live(real(
    "tcp-mem-pressure",
    "tcp_backlog",
    { side: "recv", tcp_mem: 40000 },
    "socket-backlog-tcp-recv",
    ["unaccounted", "slab-unreclaimable"],
    "charge of receivers and senders (160 MB)",
    { also: ["tcp-mem-pressure"] },
  )),
  nearMiss("tcp-read", "tcp_backlog", { side: "recv", read: 1 }, "socket-backlog-tcp-recv", "charge at the moment"),
  nearMiss(
    "tcp-slow-reader",
    "tcp_backlog",
    { side: "recv", slow: 16 },
    "socket-backlog-tcp-recv",
    "charge at the moment: each queue is refilled as it is read",
    ["unaccounted", "slab-unreclaimable"],
    [0.8, 1.2],
  ),
  nearMiss("tcp-small", "tcp_backlog", { side: "send", pairs: 3, total: 1 }, "socket-backlog-tcp-send", "charge"),
  live(real(
    "unix-stream",
    "unix_backlog",
    { type: "stream" },
    "socket-backlog-unix",
    ["unaccounted", "slab-unreclaimable"],
    "charge of the senders (skmem t)",
  )),
  real(
    "unix-dgram",
    "unix_backlog",
    { type: "dgram" },
    "socket-backlog-unix",
    ["slab-unreclaimable"],
    "charge of the senders (skmem t)",
  ),
  real(
    "unix-accept",
    "unix_backlog",
    { type: "accept" },
    "socket-backlog-unix",
    ["unaccounted", "slab-unreclaimable"],
    "charge of the senders (skmem t)",
  ),
  nearMiss(
    "unix-accept-small",
    "unix_backlog",
    { type: "accept", pairs: 3, sndbuf: 106496 },
    "socket-backlog-unix",
    "charge",
  ),
  nearMiss("unix-read", "unix_backlog", { type: "stream", read: 1 }, "socket-backlog-unix", "charge at the moment"),
  nearMiss("unix-small", "unix_backlog", { type: "dgram", pairs: 3, sndbuf: 106496 }, "socket-backlog-unix", "charge"),
  live(real("netlink", "netlink_backlog", {}, "socket-backlog-netlink", ["slab-unreclaimable"], "charge (skmem r)")),
  nearMiss("netlink-small", "netlink_backlog", { sockets: 2, rcvbuf: 106496 }, "socket-backlog-netlink", "charge"),
  live(
    real("raw-backlog", "raw_backlog", { type: "raw" }, "socket-backlog-netlink", ["slab-unreclaimable"], RAW_CHARGE),
  ),
  nearMiss(
    "raw-small",
    "raw_backlog",
    { type: "raw", sockets: 4, rcvbuf: 106496 },
    "socket-backlog-netlink",
    RAW_CHARGE,
  ),
  // Other kernel buffers and tables.
  live(real("packet-ring", "packet_ring", {}, "packet-ring", ["unaccounted"], "the rings, not mapped")),
  real("packet-ring-mapped", "packet_ring", { mapped: 1 }, "packet-ring", ["unaccounted"], "the rings, mapped"),
  real("packet-queue", "raw_backlog", { type: "packet" }, "packet-ring", ["slab-unreclaimable"], RAW_CHARGE),
  nearMiss("packet-ring-small", "packet_ring", { sockets: 1, mb: 2, mapped: 1 }, "packet-ring", "tcpdump's usual ring"),
  live(
    real(
      "pipe-buffers",
      "pipes",
      {},
      "pipe-buffers",
      ["unaccounted", "slab-unreclaimable"],
      "bytes in the pipes",
      UNSEEN_BY_SOS,
    ),
  ),
  nearMiss("pipes-small", "pipes", { pipes: 20, kb: 64 }, "pipe-buffers", "bytes in the pipes"),
  live(real("io-uring-rings", "io_uring_rings", {}, "io-uring", ["unaccounted"], "the rings", UNSEEN_BY_SOS)),
  real(
    "io-uring-buffers",
    "io_uring_rings",
    { rings: 1, entries: 8, buffers: 400 },
    "io-uring",
    ["pinned-lru"],
    "registered buffers whose mapping is gone",
  ),
  nearMiss("io-uring-small", "io_uring_rings", { rings: 4, entries: 256, buffers: 4 }, "io-uring", "rings and buffers"),
  live(real(
    "ip-reassembly",
    "ip_reassembly",
    {},
    "ip-reassembly",
    ["slab-unreclaimable"],
    "FRAG memory of its own namespace",
  )),
  nearMiss("ip-reassembly-small", "ip_reassembly", { total: 3 }, "ip-reassembly", "FRAG memory"),
  live(real("conntrack", "conntrack", {}, "conntrack-growth", ["slab-unreclaimable"], SLAB_GROWTH)),
  nearMiss("conntrack-small", "conntrack", { entries: 5000, rate: 0 }, "conntrack-growth", SLAB_GROWTH),
  // Kernel objects.
  live(
    real("fd-eventfd", "fd_leak", { kind: "eventfd" }, "fd-leak", SLAB, OBJECTS, { ratio: WALKED, ...UNSEEN_BY_SOS }),
  ),
  real("fd-epoll", "fd_leak", { kind: "epoll" }, "fd-leak", SLAB, OBJECTS, { ratio: WALKED, ...UNSEEN_BY_SOS }),
  real("fd-socket", "fd_leak", { kind: "socket", count: 15500, processes: 4 }, "fd-leak", SLAB, OBJECTS, {
    ratio: WALKED,
  }),
  real("fd-inotify", "inotify_marks", {}, "fd-leak", ["slab-unreclaimable"], SLAB_GROWTH, {
    ratio: [0.95, 1.15], // and the inodes of the 20,000 files
    ...UNSEEN_BY_SOS,
  }),
  nearMiss("fd-few", "fd_leak", { kind: "epoll", count: 500, processes: 4, rate: 0 }, "fd-leak", OBJECTS),
  nearMiss("inotify-few", "inotify_marks", { instances: 20, files: 1000 }, "fd-leak", SLAB_GROWTH),
  // These have no descriptors and no cause of their own: growth of a slab cache.
  live(real("posix-timers", "posix_timers", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH)),
  nearMiss("posix-timers-few", "posix_timers", { count: 1000, rate: 0 }, "slab-leak", SLAB_GROWTH),
  real("neighbours", "neighbours", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH, { ratio: [0.95, 1.1] }),
  // sos has no list of every namespace's sockets: the packets may be theirs.
  real("tap-queue", "tap_queue", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH, UNSEEN_BY_SOS),
  nearMiss("tap-queue-few", "tap_queue", { packets: 5000 }, "slab-leak", SLAB_GROWTH),
  real("message-queues", "message_queues", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH),
  nearMiss("message-queues-few", "message_queues", { queues: 500 }, "slab-leak", SLAB_GROWTH),
  real("file-events", "file_events", { kind: "inotify" }, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH),
  real("file-events-fanotify", "file_events", { kind: "fanotify" }, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH),
  nearMiss("file-events-few", "file_events", { instances: 5, events: 16000 }, "slab-leak", SLAB_GROWTH),
  real("tmpfs-files", "tmpfs_files", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH),
  nearMiss("tmpfs-files-few", "tmpfs_files", { files: 20000 }, "slab-leak", SLAB_GROWTH),
  // Unlike the others, told by a number of things that were weighed on this kernel, not by what the caches hold.
  real("netns-leak", "netns_leak", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH),
  real("control-groups", "control_groups", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH),
  // sos lists the devices of its own namespace alone.
  real("net-devices", "net_devices", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH, UNSEEN_BY_SOS),
  nearMiss("net-devices-few", "net_devices", { count: 1000 }, "slab-leak", SLAB_GROWTH),
  real("routes", "routes", {}, "slab-leak", ["slab-unreclaimable"], SLAB_GROWTH),
  nearMiss("routes-few", "routes", { routes: 200000, rate: 0 }, "slab-leak", SLAB_GROWTH),
  nearMiss("control-groups-few", "control_groups", { count: 1500 }, "slab-leak", SLAB_GROWTH),
  nearMiss("netns-few", "netns_leak", { count: 100 }, "slab-leak", SLAB_GROWTH),
  nearMiss("neighbours-few", "neighbours", { entries: 2000, rate: 0 }, "slab-leak", SLAB_GROWTH),
  live(real(
    "slab-fragmentation",
    "fd_leak",
    { kind: "epoll", keep: 20, rate: 0 },
    "slab-fragmentation",
    ["slab-unreclaimable"],
    `${SLAB_GROWTH}; one object in 20 lives`,
    { ratio: WALKED, taken: 0.95 },
  )),
  // Large, but the kernel gives it back: named, and nobody is accused.
  live(benign(
    nearMiss("negative-dentries", "negative_dentries", {}, "slab-reclaimable", RECLAIMABLE_GROWTH, [
      "slab-reclaimable",
    ]),
    "slab-reclaimable",
  )),
  nearMiss("negative-dentries-few", "negative_dentries", { count: 20000 }, "slab-reclaimable", RECLAIMABLE_GROWTH),
  nearMiss("inode-cache", "inode_cache", {}, "slab-reclaimable", RECLAIMABLE_GROWTH, ["slab-reclaimable"]),
  nearMiss("inode-cache-few", "inode_cache", { count: 5000 }, "slab-reclaimable", RECLAIMABLE_GROWTH),
  live(real("bpf-array", "bpf_map", { kind: "array" }, "bpf-maps", ["vmalloc"], "values of the map")),
  live(real(
    "bpf-percpu",
    "bpf_map",
    { kind: "percpu", mb: 150 },
    "bpf-maps",
    ["percpu", "vmalloc"],
    "the values, and as much of pcpuobj_ext",
  )),
  nearMiss("bpf-small", "bpf_map", { kind: "array", mb: 2 }, "bpf-maps", "values of the map"),
  live(real("vmalloc-leak", "vmalloc_leak", {}, "vmalloc-leak", ["vmalloc"], "rings of AF_XDP sockets")),
  nearMiss("vmalloc-small", "vmalloc_leak", { sockets: 2, rate: 0 }, "vmalloc-leak", "rings of AF_XDP sockets"),
  live(real(
    "dying-memcg",
    "dying_memcg",
    {},
    "dying-memcg",
    ["slab-unreclaimable", "slab-reclaimable", "percpu", "vmalloc", "shmem"],
    "growth of Slab, Percpu, VmallocUsed and Shmem meanwhile",
  )),
  nearMiss("dying-memcg-few", "dying_memcg", { count: 50, rate: 0 }, "dying-memcg", "growth of Slab and Percpu"),
  live(
    real(
      "trace-buffers",
      "trace_buffers",
      {},
      "unattributed-kernel",
      ["unaccounted"],
      "the ring buffers",
      UNSEEN_BY_SOS,
    ),
  ),
  nearMiss("trace-buffers-small", "trace_buffers", { mb: 3 }, "unattributed-kernel", "the ring buffers"),
  live(real("perf-rings", "perf_rings", {}, "unattributed-kernel", ["unaccounted"], "the rings", UNSEEN_BY_SOS)),
  nearMiss("perf-rings-small", "perf_rings", { events: 1, mb: 8 }, "unattributed-kernel", "the rings"),
  // What nobody knows, as a driver's pages. They are 2 % of memory, so the report tells of them and accuses nobody.
  live(benign(
    nearMiss("unknown-pages", "trace_buffers", { hidden: 1 }, "unattributed-kernel", "the ring buffers", [
      "unaccounted",
    ]),
    "unattributed-kernel",
  )),
  nearMiss("unknown-pages-small", "trace_buffers", { hidden: 1, mb: 8 }, "unattributed-kernel", "the ring buffers"),
  // Compression, swap and the OOM killer.
  live(real("zram", "zram", {}, "zram-held", ["zspages"], "bytes that do not compress")),
  nearMiss("zram-small", "zram", { mb: 4 }, "zram-held", "bytes that do not compress"),
  live(real("swap-thrash", "swap_thrash", {}, "swap-thrash", [], "bytes written round and round; half of them fit", {
    ratio: ANY,
  })),
  nearMiss("swap-idle", "swap_thrash", { want: 150 }, "swap-thrash", "bytes written round and round; all of them fit"),
  nearMiss("memcg-fits", "memcg_oom", { want: 100 }, "memcg-oom", "bytes of a process below its cgroup's limit"),
  // Last: what it writes to the kernel log stays there.
  live(benign(nearMiss("memcg-oom", "memcg_oom", {}, "user-leak", "nothing: the process was killed"), "memcg-oom")),
];

/** Several faults held at once: all must be found, what grows before what is merely large, and no byte claimed twice. */
export const mixes: readonly {
  readonly name: string;
  readonly faults: readonly string[];
  readonly causes: readonly string[];
}[] = [
  {
    name: "backlog-leak-cache",
    faults: ["friend-push", "user-leak", "page-cache"],
    causes: ["user-leak", "socket-backlog-udp"],
  },
  {
    name: "shmem-fragments",
    faults: ["frag-amplification", "shmem-memfd"],
    causes: ["skb-frag-amplification", "shmem-leak"],
  },
  {
    name: "busy-pipes",
    faults: ["busy", "pipe-buffers"],
    causes: ["pipe-buffers"],
  },
];

/** Whether samples/ has it as a sosreport, too: a host that holds next to nothing is like any other, and sos copies all files of each control group (23 MiB). */
export function hasSosSample({ program, expect: { cause, accounts, also } }: Fault): boolean {
  if (program === "control_groups") return false;
  return cause !== "healthy" || accounts.length > 0 || also !== undefined;
}

/** The fault of that name. */
export function fault(name: string): Fault {
  const found = faults.find((fault) => fault.name === name);
  if (found === undefined) throw new Error(`no fault ${name}`);
  return found;
}
