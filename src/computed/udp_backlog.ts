import type { SourceLine } from "../core/ledger.ts";
import { type Captured, type Reader, readUses, type Source } from "../core/source.ts";
import { netnsOf } from "../parsers/_groups.ts";
import type { InetSocket } from "../parsers/_inet_sockets.ts";
import { ss, ssNamespaces, type SsSocket } from "../parsers/ss.ts";
import { udp } from "../parsers/udp.ts";
import type { Measurement } from "./trend.ts";

/** A UDP socket with something in its receive queue. */
export interface UdpQueue extends SourceLine {
  /** The network namespace as sosreport names it; undefined for the initial one. */
  readonly namespace: string | undefined;
  readonly inode: number;
  readonly local: string;
  readonly remote: string;
  /** Memory charged to the socket for what is not read: overhead of the packets included. */
  readonly chargedBytes: number;
  /** SO_RCVBUF as the kernel keeps it; undefined without `ss -m`. */
  readonly limitBytes: number | undefined;
  readonly drops: number | undefined;
  /** Where `ss -m` tells the charge and the limit. */
  readonly skmem: SourceLine | undefined;
  /** Snapshots in which the socket was seen. */
  readonly seen: number;
  /** True when the queue fell between two snapshots: somebody reads it. */
  readonly wasRead: boolean;
  /** Datagrams dropped between the first and the last snapshot that saw it; undefined with one snapshot. */
  readonly dropped: number | undefined;
  /** Growth of the queue over the same time. */
  readonly filledBytes: number | undefined;
}

/** All UDP receive queues that are not empty. */
export interface UdpBacklog {
  readonly queues: readonly UdpQueue[];
  readonly chargedBytes: number;
  /** UDP sockets in all, empty ones included. */
  readonly sockets: number;
  readonly seconds: number;
  /** What all queues together held in each snapshot. */
  readonly series: readonly Measurement[];
}

/** What the snapshots saw of one socket. */
interface Watch {
  seen: number;
  lastQueue: number;
  firstQueue: number;
  firstDrops: number | undefined;
  lastDrops: number | undefined;
  wasRead: boolean;
}

function address(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port === 0 ? "*" : port}`;
}

/** Follows the sockets through all snapshots: a queue that nobody reads can only grow. */
function watchQueues(timeline: readonly Reader[]): { watches: Map<number, Watch>; series: Measurement[] } {
  const watches = new Map<number, Watch>();
  const series: Measurement[] = [];
  for (const snapshot of timeline) {
    const captured = snapshot.read(udp);
    if (captured.status !== "ok") continue;
    let bytes = 0;
    for (const { value } of captured.value) {
      for (const { inode, rxQueueBytes: queue, drops } of value) {
        bytes += queue ?? 0;
        if (inode === 0 || queue === undefined) continue;
        const watch = watches.get(inode);
        if (watch === undefined) {
          if (queue === 0) continue;
          watches.set(inode, {
            seen: 1,
            firstQueue: queue,
            lastQueue: queue,
            firstDrops: drops,
            lastDrops: drops,
            wasRead: false,
          });
          continue;
        }
        watch.seen++;
        watch.wasRead ||= queue < watch.lastQueue;
        watch.lastQueue = queue;
        watch.lastDrops = drops;
      }
    }
    series.push({ time: snapshot.time as number, bytes });
  }
  return { watches, series };
}

function difference(last: number | undefined, first: number | undefined): number | undefined {
  return last === undefined || first === undefined ? undefined : last - first;
}

function queueOf(
  path: string,
  socket: InetSocket,
  watch: Watch | undefined,
  detail: { path: string; socket: SsSocket } | undefined,
): UdpQueue {
  const skmem = detail?.socket.skmem;
  const several = watch !== undefined && watch.seen > 1;
  return {
    path,
    line: socket.line,
    namespace: netnsOf(path),
    inode: socket.inode,
    local: address(socket.localAddress, socket.localPort),
    remote: address(socket.remoteAddress, socket.remotePort),
    // rx_queue leaves out what was read but not yet given back, so r is the better number; both are snapshots of their own moment.
    chargedBytes: Math.max(socket.rxQueueBytes ?? 0, skmem?.rmemAllocBytes ?? 0),
    limitBytes: skmem?.rcvbufBytes,
    drops: socket.drops,
    skmem: detail === undefined || skmem === undefined
      ? undefined
      : { path: detail.path, line: detail.socket.skmemLine ?? detail.socket.line },
    seen: watch?.seen ?? 1,
    wasRead: watch?.wasRead ?? false,
    dropped: several ? difference(watch.lastDrops, watch.firstDrops) : undefined,
    filledBytes: several ? watch.lastQueue - watch.firstQueue : undefined,
  };
}

function read(reader: Reader): Captured<UdpBacklog> {
  const tables = reader.read(udp);
  if (tables.status !== "ok") return tables;
  const { initial, others } = readUses({ initial: ss, others: ssNamespaces }, reader);
  const byInode = new Map<number, { path: string; socket: SsSocket }>();
  for (const { path, value } of [...(initial === undefined ? [] : [initial]), ...(others ?? [])]) {
    for (const socket of value) {
      if (socket.netid === "udp" && socket.inode !== undefined) byInode.set(socket.inode, { path, socket });
    }
  }
  const { watches, series } = watchQueues(reader.timeline);
  const queues: UdpQueue[] = [];
  let sockets = 0;
  for (const { path, value } of tables.value) {
    for (const socket of value) {
      sockets++;
      const queue = queueOf(path, socket, watches.get(socket.inode), byInode.get(socket.inode));
      if (queue.chargedBytes > 0) queues.push(queue);
    }
  }
  return {
    status: "ok",
    value: {
      queues: queues.sort((a, b) => b.chargedBytes - a.chargedBytes || a.inode - b.inode),
      chargedBytes: queues.reduce((sum, { chargedBytes }) => sum + chargedBytes, 0),
      sockets,
      seconds: ((series.at(-1)?.time ?? 0) - (series[0]?.time ?? 0)) / 1000,
      series,
    },
  };
}

/** UDP receive queues over all network namespaces and snapshots. */
export const udpBacklog: Source<UdpBacklog> = {
  name: "UDP backlog",
  patterns: [...udp.patterns, ...ss.patterns, ...ssNamespaces.patterns],
  read,
};
