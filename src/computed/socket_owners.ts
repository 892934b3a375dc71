import { type Captured, defineComputed, type Parsed, type Source } from "../core/source.ts";
import type { SourceLine } from "../core/ledger.ts";
import { netstat, netstatDatagrams, netstatLacksInodes, netstatNamespaces, netstatTcp } from "../parsers/netstat.ts";
import { processStatus } from "../parsers/process_status.ts";
import { socketOwners as socketOwnersFile } from "../parsers/socket_owners.ts";
import { ss, ssNamespaces, type SsOwner, type SsSocket } from "../parsers/ss.ts";

/** A process that has a socket open. */
export interface SocketOwner extends SourceLine {
  readonly pid: number;
  /** Undefined when no file of the bundle names the process. */
  readonly comm: string | undefined;
  /** Other processes that have it open, too, as children inherit it: it is there until the last of them closes it. Undefined where none is known. */
  readonly sharers?: readonly number[];
}

/** Who has a socket open, by the socket's inode, which is unique on a host whatever its network namespace. */
export type SocketOwners = ReadonlyMap<number, SocketOwner>;

/** Files that list sockets without inodes, as `ss` and netstat do without `-e`: the initial namespace's `ss`, netstat, and `ss` of other namespaces. */
export const SS_FILE = 0;
export const NETSTAT_FILE = 1;
export const FIRST_NAMESPACE_FILE = 2;
const MOST_LINES = 2 ** 32;

/** What stands for a socket that a file without inodes lists: no inode is below zero, and no two files have the same. */
export function ssKey({ inode, line }: SsSocket, file: number): number {
  return inode ?? -(file * MOST_LINES + line);
}

/** Netstat's list, where it has no inodes: {@linkcode netstat} tells the owners of the others, sooner. */
const netstatByLine: Source<Parsed<readonly SsSocket[]>> = {
  name: "owners in netstat by line",
  patterns: netstat.patterns,
  read(reader): Captured<Parsed<readonly SsSocket[]>> {
    const lacksInodes = reader.read(netstatLacksInodes);
    if (lacksInodes.status !== "ok" || !lacksInodes.value.value) return { status: "missing", missing: [] };
    const datagrams = reader.read(netstatDatagrams);
    const tcp = reader.read(netstatTcp);
    if (datagrams.status !== "ok" || tcp.status !== "ok") return datagrams;
    return { status: "ok", value: { path: tcp.value.path, value: [...datagrams.value.value, ...tcp.value.value] } };
  },
};

/** systemd keeps the sockets by which it starts services: whom it passed them on to is the one who should read. */
const SERVICE_MANAGER = 1;

function firstOf(users: readonly SsOwner[]): SsOwner | undefined {
  if (users.length < 2) return users[0];
  return users.filter(({ pid }) => pid !== SERVICE_MANAGER).toSorted((a, b) => a.pid - b.pid)[0] ?? users[0];
}

/** Of several processes that share a socket the first that was started is the owner: the others inherited it. */
function withSharers(owner: SocketOwner, users: readonly SsOwner[]): SocketOwner {
  // Nearly all sockets have one user, and there may be a million.
  if (users.every(({ pid }) => pid === owner.pid)) return owner;
  const others = new Set(users.map(({ pid }) => pid).filter((pid) => pid !== owner.pid && pid !== SERVICE_MANAGER));
  return others.size === 0 ? owner : { ...owner, sharers: [...others].sort((a, b) => a - b) };
}

/** From the collector's own look-up, from what `ss -p` names, and from netstat, which sosreport has when it lacks the others. */
export const socketOwners: Source<SocketOwners> = defineComputed({
  name: "socket owners",
  needs: {},
  uses: { socketOwnersFile, ss, ssNamespaces, netstat, netstatNamespaces, netstatByLine, processStatus },
  compute(
    {
      socketOwnersFile: file,
      ss: initial,
      ssNamespaces: others,
      netstat: listed,
      netstatNamespaces: listedOthers,
      netstatByLine: byLine,
      processStatus: processes,
    },
  ) {
    const comms = new Map(processes?.map(({ pid, value }) => [pid, value.name]));
    const owners = new Map<number, SocketOwner>();
    const add = (inode: number | undefined, owner: SocketOwner): void => {
      if (inode === undefined || inode === 0) return;
      const known = owners.get(inode);
      if (known === undefined || known.pid === SERVICE_MANAGER) owners.set(inode, owner);
    };
    if (file !== undefined) {
      for (const { inode, pid, line } of file.value.owners) {
        add(inode, { pid, comm: comms.get(pid), path: file.path, line });
      }
    }
    const addListed = ({ path, value }: Parsed<readonly SsSocket[]>, index: number): void => {
      for (const socket of value) {
        const { owners: users, ownersLine, line } = socket;
        const { pid, comm } = firstOf(users) ?? {};
        if (pid === undefined) continue;
        const key = ssKey(socket, index);
        add(key, { pid, comm: comms.get(pid) ?? comm, path, line: ownersLine ?? line });
        // 0 is no socket's number.
        const owner = owners.get(key);
        if (owner !== undefined) owners.set(key, withSharers(owner, users));
      }
    };
    if (initial !== undefined) addListed(initial, SS_FILE);
    others?.forEach((each, i) => addListed(each, FIRST_NAMESPACE_FILE + i));
    if (byLine !== undefined) addListed(byLine, NETSTAT_FILE);
    for (const { path, value } of [...(listed === undefined ? [] : [listed]), ...(listedOthers ?? [])]) {
      for (const { inode, pid, program, line } of value) {
        add(inode, { pid, comm: comms.get(pid) ?? program, path, line });
      }
    }
    return owners;
  },
});
