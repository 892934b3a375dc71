import type { Captured, Reader, Source } from "../core/source.ts";
import { netnsOf } from "../parsers/_groups.ts";
import { netlink } from "../parsers/netlink.ts";
import { ss, ssNamespaces } from "../parsers/ss.ts";
import {
  type Backlog,
  backlogOf,
  type Sighting,
  skmemLine,
  type SocketQueue,
  ssRows,
  watchQueues,
} from "./socket_queues.ts";

/** A netlink socket with something in its receive queue. */
export interface NetlinkQueue extends SocketQueue {
  /** NETLINK_ROUTE is 0, NETLINK_KOBJECT_UEVENT 15. */
  readonly protocol: number;
  /** The first socket of a process has its pid for a port. */
  readonly portId: number;
  /** Whether it may have messages in common with others of its protocol. */
  readonly isSubscribed: boolean;
}

/** ss prints a port as a signed number, /proc/net/netlink as an unsigned one. */
function portKey(path: string, protocol: number | string, portId: number): string {
  return `${netnsOf(path) ?? ""} ${protocol}:${portId < 0 ? portId + 2 ** 32 : portId}`;
}

function look(snapshot: Reader): Sighting[] | undefined {
  const captured = snapshot.read(netlink);
  if (captured.status !== "ok") return undefined;
  return captured.value.flatMap(({ path, value }) =>
    value.map(({ protocol, portId, rmemBytes, drops }) => ({
      key: portKey(path, protocol, portId),
      bytes: rmemBytes ?? 0,
      drops,
    }))
  );
}

function read(reader: Reader): Captured<Backlog<NetlinkQueue>> {
  const tables = reader.read(netlink);
  if (tables.status !== "ok") return tables;
  // `2:-871269401`: protocol and port; ss tells no inode of these.
  const details = new Map(Array.from(ssRows(reader, "nl"), (row) => {
    const [protocol = "", port] = row.socket.local.split(":");
    return [portKey(row.path, protocol, Number(port)), row];
  }));
  const watched = watchQueues(reader.timeline, look);
  const queues: NetlinkQueue[] = [];
  let sockets = 0;
  for (const { path, value } of tables.value) {
    for (const { protocol, portId, isSubscribed, rmemBytes, drops, inode, line } of value) {
      sockets++;
      if (rmemBytes === undefined || rmemBytes === 0) continue;
      const detail = details.get(portKey(path, protocol, portId));
      queues.push({
        path,
        line,
        namespace: netnsOf(path),
        inode: inode ?? 0,
        local: `protocol ${protocol} port ${portId}`,
        remote: "",
        protocol,
        portId,
        isSubscribed,
        chargedBytes: rmemBytes,
        limitBytes: detail?.socket.skmem?.rcvbufBytes,
        drops,
        skmem: skmemLine(detail),
        ...watched.behaviour(portKey(path, protocol, portId)),
      });
    }
  }
  return { status: "ok", value: backlogOf(queues, sockets, watched) };
}

/** Netlink receive queues over all network namespaces and snapshots. */
export const netlinkBacklog: Source<Backlog<NetlinkQueue>> = {
  name: "netlink backlog",
  patterns: [...netlink.patterns, ...ss.patterns, ...ssNamespaces.patterns],
  read,
};
