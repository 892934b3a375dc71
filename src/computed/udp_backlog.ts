import type { Captured, Reader, Source } from "../core/source.ts";
import { netnsOf } from "../parsers/_groups.ts";
import { ss, ssNamespaces } from "../parsers/ss.ts";
import { udp } from "../parsers/udp.ts";
import {
  address,
  type Backlog,
  backlogOf,
  type Sighting,
  skmemLine,
  type SocketQueue,
  ssRows,
  tableSize,
  watchQueues,
} from "./socket_queues.ts";

/** A UDP socket with something in its receive queue. */
export type UdpQueue = SocketQueue;

/** All UDP receive queues that are not empty. */
export type UdpBacklog = Backlog<UdpQueue>;

function look(snapshot: Reader): Sighting[] | undefined {
  const captured = snapshot.read(udp);
  if (captured.status !== "ok") return undefined;
  return captured.value.flatMap(({ value }) =>
    value.flatMap(({ inode, rxQueueBytes: bytes, drops }) =>
      inode === 0 || bytes === undefined ? [] : [{ key: inode, bytes, drops }]
    )
  );
}

function read(reader: Reader): Captured<UdpBacklog> {
  const tables = reader.read(udp);
  if (tables.status !== "ok") return tables;
  const details = new Map(Array.from(ssRows(reader, "udp"), (row) => [row.socket.inode, row]));
  const watched = watchQueues(reader.timeline, look);
  const queues: UdpQueue[] = [];
  let sockets = 0;
  for (const { path, value } of tables.value) {
    sockets += tableSize(value);
    for (const socket of value) {
      const detail = details.get(socket.inode);
      // rx_queue leaves out what was read but not yet given back, so r is the better number; both are snapshots of their own moment.
      const chargedBytes = Math.max(socket.rxQueueBytes ?? 0, detail?.socket.skmem?.rmemAllocBytes ?? 0);
      if (chargedBytes === 0) continue;
      queues.push({
        path,
        line: socket.line,
        namespace: netnsOf(path),
        inode: socket.inode,
        local: address(socket.localAddress, socket.localPort),
        remote: address(socket.remoteAddress, socket.remotePort),
        chargedBytes,
        limitBytes: detail?.socket.skmem?.rcvbufBytes,
        drops: socket.drops,
        skmem: skmemLine(detail),
        ...watched.behaviour(socket.inode),
      });
    }
  }
  return { status: "ok", value: backlogOf(queues, sockets, watched) };
}

/** UDP receive queues over all network namespaces and snapshots. */
export const udpBacklog: Source<UdpBacklog> = {
  name: "UDP backlog",
  patterns: [...udp.patterns, ...ss.patterns, ...ssNamespaces.patterns],
  read,
};
