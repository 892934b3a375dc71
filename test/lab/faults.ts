import type { AccountId } from "../../src/core/ledger.ts";
import type { FaultArgs } from "./lab.ts";

/** One real fault, or a healthy or near-miss host that must not be accused. */
export interface Fault {
  /** Also the name of its sample: samples/NAME.tgz. */
  readonly name: string;
  readonly program: string;
  readonly args: FaultArgs;
  readonly expect: {
    /** The cause that must come first, or "healthy". */
    readonly cause: string;
    /** For a healthy or near-miss host: the cause that must not be material here. */
    readonly not?: string;
    /** The accounts that grow by what is held. */
    readonly accounts: readonly AccountId[];
    /** Growth of those accounts together over the `held BYTES` the program prints, as measured: lowest and highest. */
    readonly ratio: readonly [number, number];
    /** What the program's `held BYTES` counts. */
    readonly held: string;
  };
}

/** Accounts move by a few MiB through everything else that runs on the machine. */
const EXACT = [0.95, 1.05] as const;
/** Nothing is held: the ratio has no meaning. */
const NOTHING = [0, Infinity] as const;

export const faults: readonly Fault[] = [
  {
    name: "user-leak",
    program: "anon_leak",
    args: { start: 300, rate: 20, max: 800 },
    expect: { cause: "user-leak", accounts: ["anon"], ratio: EXACT, held: "anonymous memory touched at the start; it grows by `rate` MB/s" },
  },
  {
    name: "steady-process",
    program: "anon_leak",
    args: { start: 500, rate: 0, max: 500 },
    expect: { cause: "healthy", not: "user-leak", accounts: ["anon"], ratio: EXACT, held: "anonymous memory touched" },
  },
  {
    name: "friend-push",
    program: "friend_push",
    args: {},
    expect: { cause: "socket-backlog-udp", accounts: ["slab-unreclaimable"], ratio: EXACT, held: "charge of all client sockets (skmem r)" },
  },
  {
    name: "friend-push-filling",
    program: "friend_push",
    args: { rcvbuf: 4194304, total: 300, rate: 50 },
    expect: {
      cause: "socket-backlog-udp",
      accounts: ["slab-unreclaimable"],
      ratio: EXACT,
      held: "charge of all client sockets (skmem r), still growing by about 11 MiB/s",
    },
  },
  {
    name: "friend-push-late-wudp",
    program: "friend_push",
    args: { mode: "late" },
    expect: { cause: "socket-backlog-udp", accounts: ["slab-unreclaimable"], ratio: EXACT, held: "charge of all client sockets (skmem r)" },
  },
  {
    name: "friend-push-wudp",
    program: "friend_push",
    args: { mode: "wudp" },
    expect: { cause: "healthy", not: "socket-backlog-udp", accounts: [], ratio: NOTHING, held: "charge of all client sockets: one packet each" },
  },
  {
    name: "friend-push-filter",
    program: "friend_push",
    args: { mode: "filter" },
    expect: { cause: "healthy", not: "socket-backlog-udp", accounts: [], ratio: NOTHING, held: "charge of all client sockets: 0" },
  },
  {
    name: "friend-push-read",
    program: "friend_push",
    args: { mode: "read" },
    expect: { cause: "healthy", not: "socket-backlog-udp", accounts: [], ratio: NOTHING, held: "charge of all client sockets at the moment" },
  },
  {
    name: "small-backlog",
    program: "friend_push",
    args: { clients: 3, rcvbuf: 106496 },
    expect: {
      cause: "healthy",
      not: "socket-backlog-udp",
      accounts: ["slab-unreclaimable"],
      ratio: NOTHING,
      held: "charge of three unread sockets with the default buffer of 212,992 bytes",
    },
  },
  {
    name: "slow-reader",
    program: "slow_reader",
    args: {},
    expect: {
      cause: "healthy",
      not: "socket-backlog-udp",
      accounts: ["slab-unreclaimable"],
      ratio: [0.8, 1.2],
      held: "charge of all sockets at the moment: each queue swings between 0 and 4 MiB",
    },
  },
  {
    name: "frag-amplification",
    program: "frag_amplification",
    args: { netns: "own" },
    expect: {
      cause: "skb-frag-amplification",
      accounts: ["unaccounted"],
      ratio: EXACT,
      held: "page fragments pinned; the charge is a 43rd of it",
    },
  },
  {
    name: "frag-amplification-host",
    program: "frag_amplification",
    args: { netns: "host" },
    expect: {
      cause: "skb-frag-amplification",
      accounts: ["unaccounted"],
      ratio: EXACT,
      held: "page fragments pinned; the charge is a 43rd of it",
    },
  },
  {
    name: "page-cache",
    program: "page_cache",
    args: { mb: 800 },
    expect: { cause: "healthy", not: "shmem-leak", accounts: ["page-cache"], ratio: EXACT, held: "bytes of the file" },
  },
  {
    name: "busy",
    program: "busy",
    args: {},
    expect: { cause: "healthy", not: "user-leak", accounts: [], ratio: NOTHING, held: "nothing for long" },
  },
];

/** The fault of that name. */
export function fault(name: string): Fault {
  const found = faults.find((fault) => fault.name === name);
  if (found === undefined) throw new Error(`no fault ${name}`);
  return found;
}
