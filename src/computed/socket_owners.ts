import { defineComputed, type Parsed, type Source } from "../core/source.ts";
import type { SourceLine } from "../core/ledger.ts";
import { netstat, netstatDatagrams } from "../parsers/netstat.ts";
import { processStatus } from "../parsers/process_status.ts";
import { socketOwners as socketOwnersFile } from "../parsers/socket_owners.ts";
import { ss, ssNamespaces, type SsSocket } from "../parsers/ss.ts";

/** A process that has a socket open. */
export interface SocketOwner extends SourceLine {
  readonly pid: number;
  /** Undefined when no file of the bundle names the process. */
  readonly comm: string | undefined;
}

/** Who has a socket open, by the socket's inode, which is unique on a host whatever its network namespace. */
export type SocketOwners = ReadonlyMap<number, SocketOwner>;

/** What stands for a socket that `ss` or netstat without `-e` tells no inode of: no inode is below zero. */
export function ssKey({ inode, line }: SsSocket): number {
  return inode ?? -line;
}

/** From the collector's own look-up, from what `ss -p` names, and from netstat, which sosreport has when it lacks the others; of several processes that share a socket the first. */
export const socketOwners: Source<SocketOwners> = defineComputed({
  name: "socket owners",
  needs: {},
  uses: { socketOwnersFile, ss, ssNamespaces, netstat, netstatDatagrams, processStatus },
  compute(
    {
      socketOwnersFile: file,
      ss: initial,
      ssNamespaces: others,
      netstat: listed,
      netstatDatagrams: datagrams,
      processStatus: processes,
    },
  ) {
    const comms = new Map(processes?.map(({ pid, value }) => [pid, value.name]));
    const owners = new Map<number, SocketOwner>();
    const add = (inode: number | undefined, owner: SocketOwner): void => {
      if (inode !== undefined && inode !== 0 && !owners.has(inode)) owners.set(inode, owner);
    };
    if (file !== undefined) {
      for (const { inode, pid, line } of file.value.owners) {
        add(inode, { pid, comm: comms.get(pid), path: file.path, line });
      }
    }
    // Only one of them is told by its lines where it has no inodes.
    const first = initial ?? datagrams;
    for (const { path, value } of [...(first === undefined ? [] : [first]), ...(others ?? [])]) {
      for (const socket of value) {
        const { inode, owners: [user], line } = socket;
        const key = path === first?.path ? ssKey(socket) : inode;
        if (user !== undefined) add(key, { pid: user.pid, comm: comms.get(user.pid) ?? user.comm, path, line });
      }
    }
    for (const { inode, pid, program, line } of listed?.value ?? []) {
      add(inode, { pid, comm: comms.get(pid) ?? program, path: (listed as Parsed<unknown>).path, line });
    }
    return owners;
  },
});
