import type { Expectation } from "../faults.ts";

/** One fault on one kernel: samples/kernel-KERNEL-FAULT.tgz. */
export interface Guest {
  readonly kernel: string;
  readonly fault: string;
  readonly expect: Expectation;
}

/** Debian's cloud kernels. */
const KERNELS = ["5.10", "6.1", "6.12", "6.18", "7.2"];

/** What guest.sh holds. */
const FAULTS: Readonly<
  Record<string, { readonly cause: string; readonly held: string; readonly also?: readonly string[] }>
> = {
  idle: { cause: "healthy", held: "nothing" },
  udp: { cause: "socket-backlog-udp", held: "200 MiB in 50 queues" },
  "udp-limit": { cause: "socket-backlog-udp", held: "all that udp_mem allows: 67 MiB", also: ["udp-mem-limit"] },
  oom: { cause: "global-oom", held: "nothing any more: the leaking process was killed" },
  "oom-udp": {
    cause: "socket-backlog-udp",
    held: "most of memory, and the largest process was killed for it",
    also: ["global-oom"],
  },
  panic: { cause: "user-leak", held: "a leak from 300 MiB on, a moment before panic_on_oom", also: ["oom-policy"] },
  swap: { cause: "swap-thrash", held: "800 MiB written round and round" },
  balloon: { cause: "balloon", held: "320 MiB in virtio's balloon" },
};

export const guests: readonly Guest[] = KERNELS.flatMap((kernel) =>
  Object.entries(FAULTS).map(([fault, expect]) => ({
    kernel,
    fault,
    expect: { ...expect, accounts: [], ratio: [-Infinity, Infinity] },
  }))
);
