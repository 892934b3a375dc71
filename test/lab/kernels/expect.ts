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
  /** What is claimed must be what the fault program said that it held. */
  readonly claimed?: true;
  /** What the serial console alone must tell: the title of what is found in it. */
  readonly console?: RegExp;
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
];
