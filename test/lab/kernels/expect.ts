import type { Expectation } from "../faults.ts";

/** Debian's cloud kernels, from the oldest to the newest. */
export const kernels: readonly string[] = ["5.10", "6.1", "6.12", "6.18", "7.2"];
/** One old and one new kernel are enough for `npm test`: the first of each that Debian's mirror still has. .ci/run fetches them. */
export const OLD: readonly string[] = ["5.10", "6.1"];
export const NEW: readonly string[] = ["7.2", "6.18"];

/** What guest.sh holds. */
export interface GuestFault {
  readonly name: string;
  /** What must be said of the bundle that was captured inside. */
  readonly expect: Expectation;
  /** It is over when it is looked at: nobody can be accused any more. */
  readonly event?: true;
  /** What is claimed must be what the fault program said that it held. */
  readonly claimed?: true;
  /** A file that must be among the evidence. */
  readonly cites?: RegExp;
  /** The kernel panics and boots anew: what was recorded until then is taken out. */
  readonly panics?: true;
  /** What the serial console alone must tell: the title of what is found in it. */
  readonly console?: RegExp;
  /** The kernel whose guest is in samples/, as guest-KERNEL-NAME. */
  readonly sample?: string;
}

const NOTHING_COUNTED: Pick<Expectation, "accounts" | "ratio"> = { accounts: [], ratio: [-Infinity, Infinity] };

function guestFault(
  name: string,
  cause: string,
  held: string,
  { also = [], ...more }: Omit<GuestFault, "name" | "expect"> & Pick<Expectation, "also"> = {},
): GuestFault {
  return { name, expect: { cause, held, also, ...NOTHING_COUNTED }, ...more };
}

export const guestFaults: readonly GuestFault[] = [
  guestFault("idle", "healthy", "nothing"),
  guestFault("udp", "socket-backlog-udp", "100 MiB in 25 queues", { claimed: true }),
  guestFault("udp-limit", "socket-backlog-udp", "all that the kernel's own udp_mem allows", {
    also: ["udp-mem-limit"],
    claimed: true,
  }),
  guestFault("accept", "socket-backlog-tcp-recv", "120 MiB in 20 connections that nobody has accepted", {
    claimed: true,
  }),
  guestFault("memfd", "shmem-leak", "a memfd of 120 MiB that nobody maps", { claimed: true }),
  guestFault("buffers", "unattributed-kernel", "64 MiB in rings of perf events, and 96 MiB in those of ftrace", {
    cites: /^sys\/kernel\/tracing\/buffer_total_size_kb$/,
  }),
  // After the fact: who leaked is gone, and only the kernel's own words are left.
  guestFault("oom", "global-oom", "nothing any more: the leaking process was killed", {
    event: true,
    sample: "5.10",
    // On a busy machine the leaker takes longer to end than the kernel waits, and the other one is killed, too (seen with 7.2): the last is named.
    console: /ran out of memory, and the kernel killed (?:leaker|database) .* most of it was processes' own memory/,
  }),
  guestFault("oom-udp", "socket-backlog-udp", "most of memory, and an innocent process was killed for it", {
    also: ["global-oom"],
    claimed: true,
    sample: "6.12",
    console: /ran out of memory, and the kernel killed .* most of it was unreclaimable slab/,
  }),
  guestFault("memcg-oom", "healthy", "nothing: the process was killed", {
    also: ["memcg-oom"],
    // Cgroup v2, which the machine that the other faults are held on has no memory controller for.
    cites: /^sys\/fs\/cgroup\/nailhouse-oom-\d+\/memory\.events$/,
    console: /^Control group .* its limit of 200 MiB, and the kernel killed memcg_hog/,
  }),
  guestFault("memcg-leak", "user-leak", "a leak below the limit of a control group", {
    cites: /^sys\/fs\/cgroup\/box\/memory\.max$/,
    sample: "6.12",
  }),
  // What was recorded until then says who; the console says how it ended.
  guestFault("panic", "user-leak", "a leak up to a panic (panic_on_oom)", {
    panics: true,
    sample: "6.1",
    console:
      /ran out of memory, and the kernel panicked, as vm.panic_on_oom says; most of it was processes' own memory/,
  }),
  guestFault("swap", "swap-thrash", "800 MiB written round and round, on a disk", { sample: "6.18" }),
  guestFault("balloon", "balloon", "320 MiB taken by the hypervisor", { sample: "7.2" }),
];
