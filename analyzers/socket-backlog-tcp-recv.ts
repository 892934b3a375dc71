import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import { setSysctl, shellWord } from "../src/core/shell.ts";
import { sum, sumBytes, sumRanges } from "../src/core/sums.ts";
import { forecast } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { ALL_SOCKETS, pickedTcp } from "../src/computed/picked_sockets.ts";
import { type Languages, languages } from "../src/computed/languages.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { groupByOwner, nameOfGroups, type OwnerGroup, ownerOf, stopAll } from "../src/computed/owners.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { type ProtocolMemory, protocolMemory } from "../src/computed/protocol_memory.ts";
import { quoteProgram } from "../src/computed/remedy_program.ts";
import { placeStreamBytes } from "../src/computed/skb_memory.ts";
import {
  backlogConfidence,
  describeBehaviour,
  FIND_WHY_NOT_ACCEPTED,
  type Judged,
  type JudgedQueue,
  judgeQueues,
} from "../src/computed/socket_queues.ts";
import { type SocketOwners, socketOwners } from "../src/computed/socket_owners.ts";
import { FULL_SHARE, STALE_MS, tcpBacklog, type TcpQueue, ZERO_WINDOW_PROBE } from "../src/computed/tcp_backlog.ts";
import { countedOutcome, notSeen, orCounted, unseenTcpBytes } from "../src/computed/unseen_sockets.ts";
import { sockstat } from "../src/parsers/sockstat.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

const ID = "socket-backlog-tcp-recv";

/** Less than this in all queues is what any busy host has on its way to its readers: not worth a line. */
const WORTH_A_LINE_BYTES = 2 ** 20;
/**
 * A sender whose window was closed asks no sooner than this whether it opened (TCP_RTO_MIN): a full queue that took data in since was read
 * just before, or became full just now.
 */
const TAKES_IN_MS = 200;
/** From here on the window is closed, whatever the kernel (net/ipv4/tcp_output.c, __tcp_select_window()): nothing comes in until somebody reads. */
const CLOSED_SHARE = 15 / 16;

type Queue = JudgedQueue<TcpQueue>;

/** Bytes that a sender on this host cannot get rid of because this queue is not read. */
function waitingBytes({ peer }: TcpQueue): number {
  return peer?.chargedBytes ?? 0;
}

/** Of a connection within this host the end that holds more is the one to look at; the other follows from it. */
function isHeldHere(queue: TcpQueue): boolean {
  return waitingBytes(queue) <= queue.chargedBytes;
}

function isFull({ chargedBytes, limitBytes }: TcpQueue): boolean {
  return limitBytes !== undefined && chargedBytes > FULL_SHARE * limitBytes;
}

/** What a program never asked for, as far as reading data goes: time stamps in its error queue, or data behind a gap. */
function isBesideData({ payloadBytes }: TcpQueue): boolean {
  return payloadBytes === 0;
}

/**
 * A full queue that took data in a moment ago is being read, though refilled as fast. It asks for the window ever more seldom, up to what is stale here; in
 * several looks it must have taken more in meanwhile, because it may have become full just before the first.
 */
function seenToBeRead(queue: TcpQueue): boolean {
  const { seen, chargedBytes, limitBytes, lastReceivedMs, filledBytes, listener } = queue;
  // Of what nobody has accepted nobody can read, and what comes in beside data says nothing of it.
  if (isBesideData(queue) || listener !== undefined || lastReceivedMs === undefined || limitBytes === undefined) {
    return false;
  }
  const isClosed = chargedBytes >= CLOSED_SHARE * limitBytes && lastReceivedMs < STALE_MS;
  return seen === 1 ? isClosed || (isFull(queue) && lastReceivedMs < TAKES_IN_MS) : isClosed && (filledBytes ?? 0) > 0;
}

function isStuck(queue: TcpQueue): boolean {
  const { state, seen, lastReceivedMs, filledBytes, peer, listener } = queue;
  if (isBesideData(queue) || state === "CLOSE_WAIT" || (listener !== undefined && seen > 1)) return true;
  // A full queue takes in more only as it is read.
  if ((filledBytes ?? 0) > 0) return false;
  // Looked at once, and without the age of the data, one that is read and filled as fast looks the same, unless its sender has to ask whether it may go on.
  if (seen === 1 && lastReceivedMs === undefined) return peer?.timer === ZERO_WINDOW_PROBE;
  return isFull(queue) || (lastReceivedMs ?? 0) >= STALE_MS || (peer?.payloadBytes ?? 0) > 0;
}

/** Whether all who have a socket open are stopped: until somebody lets them go on nobody reads. */
function ofStopped(
  owners: SocketOwners | undefined,
  known: readonly Process[] | undefined,
): (queue: TcpQueue) => boolean {
  const stopped = new Set(known?.filter(({ isStopped }) => isStopped === true).map(({ pid }) => pid));
  return ({ inode }) => {
    const owner = owners?.get(inode);
    return owner !== undefined && [owner.pid, ...owner.sharers ?? []].every((pid) => stopped.has(pid));
  };
}

function closeWait({ queues }: Judged<TcpQueue>): Queue[] {
  return queues.filter(({ state }) => state === "CLOSE_WAIT");
}

function notAccepted(queues: readonly Queue[]): Queue[] {
  return queues.filter(({ listener }) => listener !== undefined);
}

/** What is there, and what most of the queues have in common, for the title. */
function kindOf(judged: Judged<TcpQueue>): string {
  const isMost = ({ length }: readonly Queue[]): boolean => length > judged.queues.length / 2;
  const count = judged.queues.length;
  if (isMostlyBesideData(judged.queues)) {
    return `kept beside the data of ${
      formatQuantity(count, "TCP connection")
    }: unread time stamps of what was sent, or data behind a gap`;
  }
  return `unread in ${formatQuantity(count, "TCP receive queue")}${commonState(judged, isMost)}`;
}

function isMostlyBesideData(queues: readonly Queue[]): boolean {
  return sumBytes(queues.filter(isBesideData)) > sumBytes(queues) / 2;
}

function commonState(judged: Judged<TcpQueue>, isMost: (queues: readonly Queue[]) => boolean): string {
  if (isMost(notAccepted(judged.queues))) return " of connections that it has not accepted";
  return isMost(closeWait(judged)) ? " of connections that the other end has closed" : "";
}

function evidence(judged: Judged<TcpQueue>, seconds: number, areStopped: boolean): EvidenceLine[] {
  const largest = judged.queues[0] as Queue;
  const lines: EvidenceLine[] = [{
    path: largest.path,
    line: largest.line,
    because: `the fullest receive queue (${largest.local} from ${largest.remote}): ${
      isBesideData(largest)
        ? `no data to be read, and yet it is charged ${formatBytes(largest.chargedBytes)}`
        : `${formatBytes(largest.payloadBytes)} unread`
    }; ${
      describeBehaviour(
        judged,
        seconds,
        isMostlyBesideData(judged.queues)
          ? "have nothing to be read"
          : `are full, closed by the other end, ${
            areStopped ? "of a process that is stopped, " : ""
          }or have been untouched for a second and more`,
      )
    }`,
  }];
  if (largest.skmem !== undefined && largest.limitBytes !== undefined) {
    const stale = largest.lastReceivedMs === undefined
      ? ""
      : `; data last came ${(largest.lastReceivedMs / 1000).toFixed(1)} s before`;
    lines.push({
      ...largest.skmem,
      because: `r is what this socket is charged for it, rb its limit of ${formatBytes(largest.limitBytes)}${stale}`,
    });
  }
  const [closed, ...moreClosed] = closeWait(judged);
  if (closed !== undefined) {
    lines.push({
      path: closed.path,
      line: closed.line,
      because: `CLOSE_WAIT (08): the other end has closed, the program here neither reads nor closes; ${
        formatQuantity(moreClosed.length + 1, "socket")
      } with ${formatBytes(sumBytes([closed, ...moreClosed]))} in this state`,
    });
  }
  return lines;
}

function listenerEvidence(judged: Judged<TcpQueue>): EvidenceLine[] {
  const listener = notAccepted(judged.queues)[0]?.listener;
  if (listener === undefined) return [];
  // Other programs may not accept theirs, either.
  const waiting = judged.queues.filter((queue) =>
    queue.listener?.path === listener.path && queue.listener.line === listener.line
  );
  return [{
    path: listener.path,
    line: listener.line,
    because: `listens, and has not accepted ${formatQuantity(waiting.length, "connection")} with ${
      formatBytes(sumBytes(waiting))
    }: no process has them open yet; its receive queue counts the connections that wait`,
  }];
}

function waitingEvidence(judged: Judged<TcpQueue>): EvidenceLine[] {
  const waiting = sum(judged.queues.map(waitingBytes));
  const peer = judged.queues.find((queue) => waitingBytes(queue) > 0)?.peer;
  if (peer === undefined) return [];
  return [{
    path: peer.path,
    line: peer.line,
    because: `the sender is on this host, too: ${
      formatBytes(waiting)
    } more wait in such senders' queues until this end reads`,
  }];
}

function countEvidence(tcp: ProtocolMemory | undefined): EvidenceLine[] {
  if (tcp === undefined) return [];
  const because = `the kernel's own count over all namespaces: ${formatBytes(tcp.bytes)} of all TCP queues`;
  return [{ path: tcp.path, line: tcp.line, because }];
}

function readErrors(pid: number | undefined): Remedy {
  return {
    when: "fix",
    text:
      "Who asks for time stamps of what is sent (SO_TIMESTAMPING) must read them: recvmsg() with MSG_ERRQUEUE until it says EAGAIN, at each POLLERR. " +
      "With SOF_TIMESTAMPING_OPT_TSONLY they come without a copy of the data. Where it asks for none, a packet is missing that comes no more: see what drops it. " +
      remedyMark(ID, "read the error queue"),
    commands: [`ss -tiemnp${pid === undefined ? "" : ` | grep -A1 pid=${pid},`}`],
    verify: "r of skmem is 0 where Recv-Q is 0; rcv_ooopack counts packets behind a gap",
  };
}

function remedies(
  groups: readonly OwnerGroup<Queue>[],
  known: readonly Process[] | undefined,
  spoken: Languages | undefined,
): Remedy[] {
  const held = groups[0]?.held ?? [];
  const accepts = notAccepted(held).length <= held.length / 2;
  const buffer = quoteProgram("tcp-small-buffer", ID, groups[0], spoken);
  const [pid] = groups[0]?.pids ?? [];
  const watch = pid === undefined ? "ss -tanm" : `ss -tanmp | grep -A1 pid=${pid},`;
  return [
    {
      when: "now",
      text: `End or restart the owner in an orderly way: closing the sockets frees their queues at once. ${
        remedyMark("socket-backlog-tcp-recv", "end the owner")
      }`,
      commands: stopAll(groups, known),
      verify: "the TCP mem of `cat /proc/net/sockstat` falls to what it was, and MemAvailable rises by as much",
    },
    ...(isMostlyBesideData(held) ? [readErrors(pid)] : readOrBound()),
    {
      when: "prevent",
      text:
        "Bound what one connection can hold: the last number of tcp_rmem is its most, unless the program sets SO_RCVBUF itself. The " +
        `setting is of new connections only. ${remedyMark("socket-backlog-tcp-recv", "tcp_rmem")}`,
      commands: setSysctl("net.ipv4.tcp_rmem=4096 131072 2097152"),
      verify: "rb in skmem of `ss -tanm` is at most that for new connections",
    },
  ];

  function readOrBound(): Remedy[] {
    return [
      {
        when: "fix",
        text: `${
          accepts
            ? "Find why the program does not read: a blocked or dead thread, a connection that was taken from its event loop but not closed, a " +
              "leaked descriptor. Close a connection as soon as nobody wants its data; in CLOSE_WAIT the other end is gone already."
            : FIND_WHY_NOT_ACCEPTED
        } ${remedyMark("socket-backlog-tcp-recv", "find why it does not read")}`,
        commands: pid === undefined ? [] : [
          `cat /proc/${pid}/stack`,
          accepts ? `ss -tanp state close-wait | grep pid=${pid},` : `ss -tlnp | grep pid=${pid},`,
          `gdb -p ${pid} -batch -ex ${shellWord("thread apply all bt")}`,
        ],
        verify: `${watch} shows Recv-Q 0, or a Recv-Q that moves`,
      },
      {
        when: "fix",
        text:
          "Where a connection must stay open and what comes on it is not wanted, give it the smallest receive buffer when it is new. " +
          `shutdown(SHUT_RD) is no cure: the kernel goes on queueing. ${buffer.said}`,
        commands: [buffer.text],
        verify: `${watch} shows a Recv-Q of some 33 KB at most`,
      },
    ];
  }
}

export const socketBacklogTcpRecv: Analyzer = defineAnalyzer({
  id: ID,
  title: "TCP data that arrived and nobody here reads",
  mechanism:
    "Data wait in a connection's receive queue until the program reads them. One that stopped reading keeps them for as long as the socket is " +
    "open, up to tcp_rmem's last number each, and even after the other end has closed (CLOSE_WAIT). One that does not even accept keeps " +
    "connections that no process has open yet. They are pages of the kernel that no field " +
    "of /proc/meminfo counts. When the sender is on the same host its queue fills, too, and follows from this.",
  lookAlikes:
    "A burst, or a slow reader: the queue becomes shorter between snapshots. socket-backlog-tcp-send: the same from the sender's side, when it " +
    "is the peer that does not read. tcp-mem-pressure: TCP as a whole is at its limit, which is a symptom of this. A driver that leaks " +
    "pages: no queue explains the memory. A Recv-Q on a listening socket counts connections, not bytes.",
  references: [
    "https://man7.org/linux/man-pages/man7/tcp.7.html",
    "https://docs.kernel.org/networking/proc_net_tcp.html",
    "net/ipv4/tcp_input.c tcp_data_queue()",
  ],
  needs: { tcpBacklog: orCounted(tcpBacklog, "TCP") },
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
    if (!("received" in backlog)) {
      return countedOutcome(backlog, "TCP", {
        stat,
        ledger,
        place: (bytes) => placeStreamBytes(bytes, 0, ledger),
        mark: remedyMark(ID, "look at the sockets of all namespaces"),
      });
    }
    const { received } = backlog;
    const here = {
      queues: received.queues.filter(isHeldHere).map((queue) => ({
        ...queue,
        wasRead: queue.wasRead || seenToBeRead(queue),
      })),
    };
    const isOfStopped = ofStopped(owners, known);
    const judged = judgeQueues(here, owners, {
      isStuck: (queue) => isStuck(queue) || isOfStopped(queue),
      bytes: (queue) => queue.chargedBytes + waitingBytes(queue),
    });
    if (judged.bytes < WORTH_A_LINE_BYTES) {
      if (isPicked === true) return { notAssessed: [ALL_SOCKETS] };
      const because = `${formatQuantity(received.sockets, "TCP socket holds", "TCP sockets hold")} ${
        formatBytes(received.chargedBytes)
      } of received data, of which ${formatBytes(judged.bytes)} are not known to be read`;
      return notSeen(because, unseen, 0, ledger);
    }
    const materialBytes = materialQueueBytes(ledger?.totalBytes);
    const groups = groupByOwner(judged.queues, owners);
    const claims = placeStreamBytes(judged.bytes, 0, ledger);
    // Copies of one packet share its data, and each is charged for them.
    const heldBytes = isMostlyBesideData(judged.queues) ? sumRanges(claims).high : judged.bytes;
    const draft: FindingDraft = {
      title: `${nameOfGroups(groups)}: ${formatBytes(heldBytes)} ${kindOf(judged)}`,
      confidence: backlogConfidence(judged, materialBytes),
      material: judged.bytes >= materialBytes,
      claims,
      ...forecast(growth(received.series)),
      owners: groups.map((group) => ownerOf(group, "socket", "ss -tanp", ports(group))),
      evidence: [
        ...evidence(judged, received.seconds, judged.queues.some(isOfStopped)),
        ...listenerEvidence(judged),
        ...waitingEvidence(judged),
        ...countEvidence(protocolMemory(stat, "TCP")),
      ],
      remedies: remedies(groups, known, spoken),
    };
    return { findings: [draft] };
  },
});

function ports({ held: [first, ...others] }: OwnerGroup<Queue>): string {
  if (first === undefined) return "";
  return `, ${others.length === 0 ? "" : "the fullest "}${first.local} from ${first.remote}`;
}
