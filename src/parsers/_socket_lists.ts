// Several lists of sockets in one text, as people paste them: ss -uanp, then ss -tanp. A socket that stands in two of them is one.
import { append } from "../core/group_by.ts";
import type { SsSocket } from "./ss.ts";

/** What tells a socket where there is no inode. Several may have the same: each list has all of them. */
function nameOf({ netid, local, peer }: SsSocket): string {
  return `${netid ?? ""} ${local} ${peer}`;
}

/**
 * The same socket in two lists: its queues are those of the later one, and what that one was not asked for is the earlier one's. What was told of queues
 * of another length was told of another moment.
 */
function updated(earlier: SsSocket, later: SsSocket): SsSocket {
  const isAsLong = earlier.recvQBytes === later.recvQBytes && earlier.sendQBytes === later.sendQBytes;
  const { owners, ownersLine } = later.ownersLine === undefined ? earlier : later;
  const { skmem, skmemLine } = later.skmem === undefined && isAsLong ? earlier : later;
  const { timer, retransmits } = later.timer === undefined && isAsLong ? earlier : later;
  return {
    ...later,
    state: later.state ?? earlier.state,
    inode: later.inode ?? earlier.inode,
    waitingInodes: later.waitingInodes.length === 0 && isAsLong ? earlier.waitingInodes : later.waitingInodes,
    uid: later.uid ?? earlier.uid,
    owners,
    ownersLine,
    skmem,
    skmemLine,
    lastReceivedMs: later.lastReceivedMs ?? (isAsLong ? earlier.lastReceivedMs : undefined),
    lastSentMs: later.lastSentMs ?? (isAsLong ? earlier.lastSentMs : undefined),
    outOfOrderPackets: later.outOfOrderPackets ?? earlier.outOfOrderPackets,
    timer,
    retransmits,
    ringBytes: later.ringBytes ?? earlier.ringBytes,
  };
}

/** Sockets by their inodes, and by their names. */
class Sockets {
  readonly all: SsSocket[] = [];
  /** Where they are among all. */
  readonly #byInode: Map<number, number> = new Map();
  readonly #byName: Map<string, number[]> = new Map();

  /** @param nth How many of its list have the same name, and stand before it. */
  #find({ inode }: SsSocket, name: string, nth: number): number | undefined {
    const known = inode === undefined ? undefined : this.#byInode.get(inode);
    if (known !== undefined) return known;
    const at = this.#byName.get(name)?.[nth];
    // Inodes that differ tell two sockets, whatever their names; no process has those with 0.
    return at === undefined || (inode && this.all[at]?.inode) ? undefined : at;
  }

  #put(socket: SsSocket, name: string): number {
    const at = this.all.push(socket) - 1;
    append(this.#byName, name, at);
    return at;
  }

  add(list: readonly SsSocket[]): void {
    const counts = new Map<string, number>();
    for (const socket of list) {
      const name = nameOf(socket);
      const nth = counts.get(name) ?? 0;
      counts.set(name, nth + 1);
      const known = this.#find(socket, name, nth);
      if (known !== undefined) this.all[known] = updated(this.all[known] as SsSocket, socket);
      const at = known ?? this.#put(socket, name);
      if (socket.inode !== undefined && socket.inode !== 0) this.#byInode.set(socket.inode, at);
    }
  }
}

/** The sockets of all lists of a text, each once, by their lines. */
export function mergeLists(lists: readonly (readonly SsSocket[])[]): readonly SsSocket[] {
  // Nearly all texts have one, which may have a million sockets.
  const [first, second] = lists;
  if (second === undefined) return first ?? [];
  const sockets = new Sockets();
  for (const list of lists) sockets.add(list);
  return sockets.all.sort((a, b) => a.line - b.line);
}
