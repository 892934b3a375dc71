import type { Source } from "../core/source.ts";
import { udp } from "../parsers/udp.ts";
import { address, type Backlog, receiveBacklog, type SocketQueue } from "./socket_queues.ts";

/** A UDP socket with something in its receive queue. */
export type UdpQueue = SocketQueue;

/** All UDP receive queues that are not empty. */
export type UdpBacklog = Backlog<UdpQueue>;

/** UDP receive queues over all network namespaces and snapshots. */
export const udpBacklog: Source<UdpBacklog> = receiveBacklog({
  name: "UDP backlog",
  table: udp,
  netids: ["udp"],
  rowBytes: ({ rxQueueBytes }) => rxQueueBytes,
  local: ({ localAddress, localPort }) => address(localAddress, localPort),
  remote: ({ remoteAddress, remotePort }) => address(remoteAddress, remotePort),
});
