import { describe, expect, it } from "vitest";
import { groupByOwner, mainPids, stopAll, stopCommands } from "../../src/computed/owners.ts";
import type { Process } from "../../src/computed/processes.ts";

const PIDS = [11, 12, 13, 14, 15, 16];

function named(comm: string, pids: readonly number[], ppid?: number): Process[] {
  return pids.map((pid) => ({
    pid,
    comm,
    ppid,
    anonBytes: 0,
    swapBytes: 0,
    belowPeakBytes: undefined,
    unit: undefined,
    isRss: false,
    path: "status",
    line: 1,
  }));
}

describe("stopCommands", () => {
  it("ends many processes by the name of their program", () => {
    expect(stopCommands({ comm: "friend_push", pids: PIDS }, named("friend_push", PIDS))).toEqual([
      "pkill -TERM -x friend_push",
    ]);
  });

  it("matches no other program by a name that is a regular expression, or looks like an option", () => {
    const stop = (comm: string) => stopCommands({ comm, pids: PIDS }, named(comm, PIDS));
    expect(stop(".*")).toEqual(["pkill -TERM -x '\\.\\*'"]);
    expect(stop("(a|b)")).toEqual(["pkill -TERM -x '\\(a\\|b\\)'"]);
    expect(stop("-f")).toEqual(["pkill -TERM -x -- -f"]);
  });

  it("lets those go on that were stopped: SIGTERM waits for that", () => {
    // Linux 6.18: a reader after SIGSTOP held 611 MiB, and kill -TERM alone gave nothing back.
    const stopped = (comm: string, pids: readonly number[]) =>
      named(comm, pids).map((process) => ({ ...process, isStopped: process.pid === 12 }));
    expect(stopCommands({ comm: "consumer", pids: [11, 12] }, stopped("consumer", [11, 12]))).toEqual([
      "kill -TERM 11 12",
      "kill -CONT 12",
    ]);
    expect(stopCommands({ comm: "consumer", pids: PIDS }, stopped("consumer", PIDS))).toEqual([
      "pkill -TERM -x consumer",
      "pkill -CONT -x consumer",
    ]);
  });

  it("ends by the name only where all processes are known", () => {
    const kill = [`kill -TERM ${PIDS.join(" ")}`];
    expect(stopCommands({ comm: "friend_push", pids: PIDS }, undefined)).toEqual(kill);
    expect(stopCommands({ comm: "friend_push", pids: PIDS }, named("friend_push", PIDS.slice(1)))).toEqual(kill);
  });

  it("leaves alone the other processes of an interpreter, of which most are somebody else's", () => {
    const all = named("python3", [...PIDS, 21, 22, 23, 24, 25, 26, 27]);
    expect(stopCommands({ comm: "python3", pids: PIDS }, all)).toEqual(["kill -TERM 11 12 13 14 15 16"]);
  });

  it("ends them by the name with what started them, and not with anybody else", () => {
    const workers = named("worker", PIDS, 10);
    expect(stopCommands({ comm: "worker", pids: PIDS }, [...workers, ...named("worker", [10])])).toEqual([
      "pkill -TERM -x worker",
    ]);
    expect(stopCommands({ comm: "worker", pids: PIDS }, [...workers, ...named("worker", [21])])).toEqual([
      "kill -TERM 11 12 13 14 15 16",
    ]);
  });

  it("ends those that share it, too, by the name only where it is theirs", () => {
    const shared = { comm: "parent", pids: [11], sharers: [12, 13, 14, 15, 16] };
    expect(stopCommands(shared, named("parent", PIDS))).toEqual(["pkill -TERM -x parent"]);
    expect(stopCommands(shared, [...named("parent", [11]), ...named("child", PIDS.slice(1))])).toEqual([
      "kill -TERM 11 12 13 14 15 16",
    ]);
  });

  it("does not type a name of other bytes than letters", () => {
    expect(stopCommands({ comm: "a\nb", pids: PIDS }, undefined)).toEqual(["kill -TERM 11 12 13 14 15 16"]);
    expect(stopCommands({ comm: "(no name)", pids: PIDS }, undefined)).toEqual(["kill -TERM 11 12 13 14 15 16"]);
    expect(stopCommands({ comm: "\ufffd", pids: PIDS }, undefined)).toEqual(["kill -TERM 11 12 13 14 15 16"]);
  });
});

describe("stopAll", () => {
  it("ends all who hold much, and nobody to whom a few bytes were on their way", () => {
    const groups = [
      { comm: "unix_reader", pids: [13_404], bytes: 80 * 2 ** 20 },
      { comm: "sensor", pids: [13_500], bytes: 7 * 2 ** 20 },
      { comm: "node", pids: [12_657, 12_658], bytes: 4608 },
    ];
    expect(stopAll(groups, undefined)).toEqual(["kill -TERM 13404", "kill -TERM 13500"]);
  });
});

describe("mainPids", () => {
  it("leaves out others of the same name that have next to nothing, the largest holder first", () => {
    const held = [[5, 0], [7, 40], [9, 30], [9, 30], [6, 0.5]].map(([pid = 0, bytes = 0]) => ({ pid, bytes }));
    expect(mainPids(held)).toEqual([9, 7]);
  });

  it("keeps all of many that have little each", () => {
    const pids = Array.from({ length: 300 }, (_, pid) => pid);
    expect(mainPids(pids.map((pid) => ({ pid, bytes: 64 })))).toEqual(pids);
  });

  it("keeps many that have little each where they have most of it", () => {
    const pids = Array.from({ length: 300 }, (_, pid) => pid);
    expect(mainPids(pids.map((pid) => ({ pid, bytes: pid === 0 ? 1000 : 5 })))).toEqual(pids);
  });
});

describe("groupByOwner", () => {
  it("names no other script of the same interpreter, whose socket has next to nothing", () => {
    const owner = (pid: number) => ({ pid, comm: "python3", path: "ss", line: 1 });
    const owners = new Map([[1, owner(11)], [2, owner(12)]]);
    const held = [{ inode: 1, bytes: 2 ** 27 }, { inode: 2, bytes: 832 }];
    expect(groupByOwner(held, owners)).toMatchObject([{ comm: "python3", pids: [11], bytes: 2 ** 27 + 832 }]);
  });

  it("ends nobody who shares what the others of that name have", () => {
    const owner = (pid: number, sharer: number) => ({ pid, comm: "python3", path: "ss", line: 1, sharers: [sharer] });
    const owners = new Map([[1, owner(11, 13)], [2, owner(12, 14)]]);
    const held = [{ inode: 1, bytes: 2 ** 27 }, { inode: 2, bytes: 832 }];
    expect(groupByOwner(held, owners)).toMatchObject([{ pids: [11], sharers: [13] }]);
  });
});
