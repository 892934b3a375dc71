import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity } from "../src/core/format.ts";
import type { Confidence, Remedy } from "../src/core/report.ts";
import { forecast } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { ALL_SOCKETS, pickedTcp } from "../src/computed/picked_sockets.ts";
import { type Languages, languages } from "../src/computed/languages.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { groupByOwner, nameOfGroup, nameOfGroups, type OwnerGroup, ownerOf, stopAll } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { type ProtocolMemory, protocolMemory } from "../src/computed/protocol_memory.ts";
import { quoteProgram } from "../src/computed/remedy_program.ts";
import { placeStreamBytes } from "../src/computed/skb_memory.ts";
import {
  backlogConfidence,
  describeBehaviour,
  type Judged,
  type JudgedQueue,
  judgeQueues,
} from "../src/computed/socket_queues.ts";
import { type SocketOwners, socketOwners } from "../src/computed/socket_owners.ts";
import { STALE_MS, tcpBacklog, type TcpQueue, ZERO_WINDOW_PROBE } from "../src/computed/tcp_backlog.ts";
import { notSeen, unseenTcpBytes } from "../src/computed/unseen_sockets.ts";
import { sockstat } from "../src/parsers/sockstat.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { setSysctl, shellWord } from "../src/core/shell.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";

const ID = "socket-backlog-tcp-send";

/** Less than this in all queues is what any busy host has on its way to its peers: not worth a line. */
const WORTH_A_LINE_BYTES = 2 ** 20;
/** One lost packet is sent again once, perhaps twice. After three times without any answer (1.4 s at the shortest) nobody is there. */
const GIVEN_UP_RETRANSMITS = 3;

type Queue = JudgedQueue<TcpQueue>;

/** What the reader has not read, where he is on this host. */
function unreadBytes({ peer }: TcpQueue): number {
  return peer?.chargedBytes ?? 0;
}

/** Of a connection within this host the end that holds more is the one to look at; the other follows from it. */
function isHeldHere(queue: TcpQueue): boolean {
  return unreadBytes(queue) < queue.chargedBytes;
}

/** Nothing that is sent is acknowledged: the peer is gone, or packets are lost on the way. */
function isSilent({ retransmits }: TcpQueue): boolean {
  return (retransmits ?? 0) >= GIVEN_UP_RETRANSMITS;
}

/**
 * Nothing goes out: the peer's window is closed, the peer does not answer, or the queue was the same to the byte each time. A queue that is merely
 * full is that of any upload: the program fills it up as fast as the network empties it.
 */
function isStuck(queue: TcpQueue): boolean {
  const { timer, filledBytes, peer } = queue;
  if (isSilent(queue)) return true;
  if (timer === ZERO_WINDOW_PROBE) return !wasTaken(queue);
  // Where nothing tells whether it moves, a reader on this host with something unread is what there is to go by.
  return isUntold(queue) ? (peer?.payloadBytes ?? 0) > 0 : filledBytes === 0;
}

/** A window that has only just closed: the peer took data a moment ago, and a slow one closes it again and again. */
function wasTaken({ seen, lastSentMs }: TcpQueue): boolean {
  return seen === 1 && lastSentMs !== undefined && lastSentMs < STALE_MS;
}

/** Listed once by `ss` or netstat without their option `-o`. */
function isUntold({ timer, seen }: TcpQueue): boolean {
  return timer === undefined && seen === 1;
}

/** Without timers two looks are needed, or a reader that is known not to read: this is neither. */
function confidenceOf(judged: Judged<TcpQueue>, materialBytes: number): Confidence {
  const told = sumBytes(judged.queues.filter((queue) => !isUntold(queue)));
  return told > judged.bytes / 2 ? backlogConfidence(judged, materialBytes) : "possible";
}

/** What waits to be sent in queues of which nothing tells whether they move. */
function untoldBytes(queues: readonly TcpQueue[]): number {
  return sumOf(queues.filter(isUntold), (each) => each.chargedBytes);
}

function evidence(judged: Judged<TcpQueue>, seconds: number, owners: SocketOwners | undefined): EvidenceLine[] {
  const largest = judged.queues[0] as Queue;
  const probing = judged.queues.filter(({ timer }) => timer === ZERO_WINDOW_PROBE).length;
  const silent = judged.queues.filter(isSilent).length;
  const lines: EvidenceLine[] = [{
    path: largest.path,
    line: largest.line,
    because: `the fullest send queue (${largest.local} to ${largest.remote}): ${
      formatBytes(largest.payloadBytes)
    } not taken by the peer; ${describeBehaviour(judged, seconds, "do not move")}; ${
      judged.queues.every(isUntold)
        ? "timers are not listed, only that the reader, on this host, has unread data"
        : `${probing} probe a closed window (timer 04)`
    }${silent === 0 ? "" : `, ${silent} get no answer at all`}`,
  }];
  if (largest.skmem !== undefined && largest.limitBytes !== undefined) {
    lines.push({
      ...largest.skmem,
      because: `w is what this socket is charged for it, ${
        (largest.chargedBytes / largest.payloadBytes).toFixed(1)
      } times the data; tb is its limit of ${formatBytes(largest.limitBytes)}`,
    });
  }
  const peer = judged.queues.find((queue) => queue.peer !== undefined)?.peer;
  const reader = peer && owners?.get(peer.inode);
  if (peer !== undefined) {
    lines.push({
      path: peer.path,
      line: peer.line,
      because: `the other end is on this host: ${reader?.comm ?? "an unknown process"}${
        reader === undefined ? "" : ` (pid ${reader.pid})`
      } does not read, and its queue of ${formatBytes(peer.chargedBytes)} is all it takes`,
    });
  }
  return lines;
}

/** Who does not read, as far as it is somebody on this host. */
function localReaders(judged: Judged<TcpQueue>, owners: SocketOwners | undefined): OwnerGroup<Queue>[] {
  const local = judged.queues.flatMap((queue) =>
    queue.peer === undefined ? [] : [{ ...queue, inode: queue.peer.inode }]
  );
  return groupByOwner(local, owners).filter(({ comm }) => comm !== undefined);
}

/** What its process closed before it was sent is no process's: the kernel goes on sending it. */
function named(group: OwnerGroup<Queue>): OwnerGroup<Queue> {
  return group.held.every(({ inode }) => inode === 0) ? { ...group, comm: "closed sockets" } : group;
}

function peers({ held }: OwnerGroup<Queue>, readers: readonly OwnerGroup<Queue>[]): string {
  const [first] = held;
  const orphans = held.filter(({ inode }) => inode === 0).length;
  const to = first === undefined ? "" : `, ${held.length === 1 ? "" : "the fullest "}${first.local} to ${first.remote}`;
  const reader = readers[0] === undefined ? "" : `; the reader on this host is ${nameOfGroup(readers[0])}`;
  const without = orphans === 0 ? "" : `; ${orphans} of them were closed by their process and are the kernel's to send`;
  return `${to}${reader}${without}`;
}

function countEvidence(tcp: ProtocolMemory | undefined): EvidenceLine[] {
  if (tcp === undefined) return [];
  const because = `the kernel's own count over all namespaces: ${formatBytes(tcp.bytes)} of all TCP queues`;
  return [{ path: tcp.path, line: tcp.line, because }];
}

/** One connection: others of the same peer may be healthy. */
function resetCommand({ local, remote }: Queue): string {
  return `ss -tK src ${shellWord(local)} dst ${shellWord(remote)}`;
}

function remedies(
  groups: readonly OwnerGroup<Queue>[],
  readers: readonly OwnerGroup<Queue>[],
  known: readonly Process[] | undefined,
  spoken: Languages | undefined,
): Remedy[] {
  const timeout = quoteProgram("tcp-user-timeout", ID, groups[0], spoken);
  const reset = quoteProgram("tcp-reset", ID, groups[0], spoken);
  const verify = "the TCP mem of `cat /proc/net/sockstat` falls to what it was, and MemAvailable rises by as much";
  return [
    readers.length > 0
      ? {
        when: "now",
        text:
          `End or restart the reader, which is on this host and does not read, in an orderly way: the connections end, and the senders' queues with them. ${
            remedyMark(ID, "end the reader")
          }`,
        commands: stopAll(readers, known),
        verify,
      }
      : {
        when: "now",
        text: `Reset the connections of peers that do not read, or do not answer: what is unsent goes with them. ${
          remedyMark(ID, "reset the connections")
        } Ending the sender alone is no cure: the kernel goes on probing (orphans). ${
          remedyMark(ID, "end the sender")
        }`,
        commands: groups.flatMap(({ held: [fullest] }) => fullest === undefined ? [] : [resetCommand(fullest)]),
        verify,
      },
    {
      when: "fix",
      text:
        "Do not wait for ever for a peer: give the sender a write timeout, or set TCP_USER_TIMEOUT, after which the kernel resets a connection whose " +
        `peer takes nothing, closed window or silence alike. Keepalive does not: a peer that does not read answers it. ${timeout.said}`,
      commands: [timeout.text],
      verify: "`ss -tano` shows no timer:(persist,...) that stays for longer than that",
    },
    {
      when: "fix",
      text:
        "To give a connection up, reset it. An ordinary close() leaves what is unsent to the kernel, where no process owns it any more. " +
        reset.said,
      commands: [reset.text],
      verify: "`ss -tano state fin-wait-1` shows no Send-Q that stays",
    },
    {
      when: "prevent",
      text:
        "Bound what one connection can hold: the last number of tcp_wmem is its most, unless the program sets SO_SNDBUF itself; small writes are " +
        `charged up to 2.6 times their data. The setting is of new connections only. ${
          remedyMark("socket-backlog-tcp-send", "tcp_wmem")
        }`,
      commands: setSysctl("net.ipv4.tcp_wmem=4096 16384 1048576"),
      verify: "tb in skmem of `ss -tanm` is at most that for new connections",
    },
  ];
}

export const socketBacklogTcpSend: Analyzer = defineAnalyzer({
  id: ID,
  title: "TCP data that the peer does not take",
  mechanism:
    "What a program wrote waits in the connection's send queue until the peer has acknowledged it. A peer that does not read closes its window, and the " +
    "kernel probes it for ever (timer 04 in /proc/net/tcp, persist in ss); one that vanished is tried for about a quarter of an hour. Each connection " +
    "holds up to its send buffer meanwhile: the data in pages that no field of /proc/meminfo counts, the packet heads in slab, up to 2.6 times the data.",
  lookAlikes:
    "A large upload or many slow clients: their queues are full, too, but move. socket-backlog-tcp-recv: both ends are on this host and the reader " +
    "holds more. tcp-mem-pressure: TCP as a whole is at its limit, which is a symptom of this.",
  references: [
    "https://man7.org/linux/man-pages/man7/tcp.7.html",
    "https://docs.kernel.org/networking/proc_net_tcp.html",
    "net/ipv4/tcp_timer.c tcp_probe_timer()",
  ],
  needs: { tcpBacklog },
  uses: { ledger, pickedTcp, unseenTcpBytes, socketOwners, processes, languages, sockstat },
  analyze(
    {
      ledger,
      pickedTcp: isPicked,
      unseenTcpBytes: unseen,
      tcpBacklog: backlog,
      socketOwners: owners,
      processes: known,
      languages: spoken,
      sockstat: stat,
    },
  ) {
    const { sent } = backlog;
    const judged = judgeQueues({ queues: sent.queues.filter(isHeldHere) }, owners, {
      isStuck,
      onlyStuck: true,
      bytes: (queue) => queue.chargedBytes + unreadBytes(queue),
    });
    const materialBytes = materialQueueBytes(ledger?.totalBytes);
    if (judged.bytes < WORTH_A_LINE_BYTES) {
      const untold = untoldBytes(sent.queues);
      if (untold >= materialBytes) {
        const path = `the timers of TCP sockets, which tell whether the ${formatBytes(untold)} that ${
          nameOfGroups(
            groupByOwner(
              sent.queues.filter(isUntold).map((queue) => ({ ...queue, bytes: queue.chargedBytes })),
              owners,
            ),
          )
        } has to send do move`;
        return { notAssessed: [{ path, howToCapture: "ss -tanpmo" }] };
      }
      if (isPicked === true) return { notAssessed: [ALL_SOCKETS] };
      const because = `${formatQuantity(sent.sockets, "TCP socket has", "TCP sockets have")} ${
        formatBytes(sent.chargedBytes)
      } to send, of which ${formatBytes(judged.bytes)} do not move for want of a peer that reads`;
      return notSeen(because, unseen, 0, ledger);
    }
    const groups = groupByOwner(judged.queues, owners).map(named);
    const readers = localReaders(judged, owners);
    const data = sumOf(judged.queues, (each) => each.payloadBytes);
    const draft: FindingDraft = {
      title: `${nameOfGroups(groups)}: ${formatBytes(judged.bytes)} in ${
        formatQuantity(judged.queues.length, "TCP send queue")
      } whose peer does not ${sumBytes(judged.queues.filter(isSilent)) > judged.bytes / 2 ? "answer" : "read"}${
        readers.length === 0 ? "" : `: ${nameOfGroups(readers)}, on this host`
      }`,
      confidence: confidenceOf(judged, materialBytes),
      material: judged.bytes >= materialBytes,
      claims: placeStreamBytes(data, judged.bytes - data, ledger),
      ...forecast(growth(sent.series)),
      owners: groups.map((group) => ownerOf(group, "socket", "ss -tanp", peers(group, readers))),
      evidence: [...evidence(judged, sent.seconds, owners), ...countEvidence(protocolMemory(stat, "TCP"))],
      remedies: remedies(groups, readers, known, spoken),
    };
    return { findings: [draft] };
  },
});
