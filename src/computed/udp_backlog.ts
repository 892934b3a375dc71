import type { Source } from "../core/source.ts";
import type { InetSocket } from "../parsers/_inet_sockets.ts";
import { udp } from "../parsers/udp.ts";
import { address, type Backlog, receiveBacklog, type SocketQueue } from "./socket_queues.ts";

/** A UDP socket with something in its receive queue. */
export type UdpQueue = SocketQueue;

/** All UDP receive queues that are not empty. */
export type UdpBacklog = Backlog<UdpQueue>;

const ends = {
  table: udp,
  netids: ["udp"],
  local: ({ localAddress, localPort }: InetSocket): string => address(localAddress, localPort),
  remote: ({ remoteAddress, remotePort }: InetSocket): string => address(remoteAddress, remotePort),
};

/** UDP receive queues over all network namespaces and snapshots. */
export const udpBacklog: Source<UdpBacklog> = receiveBacklog({
  name: "UDP backlog",
  ...ends,
  rowBytes: ({ rxQueueBytes }) => rxQueueBytes,
});

/** What UDP sockets sent and what has not gone out: it waits for the rest of its datagram (MSG_MORE), or in a queue of the network device. */
export const udpSent: Source<UdpBacklog> = receiveBacklog({
  name: "UDP send backlog",
  ...ends,
  rowBytes: ({ txQueueBytes }) => txQueueBytes,
  isSent: true,
});
