import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatByteRange, formatBytes, formatQuantity } from "../src/core/format.ts";
import type { Claim, Remedy } from "../src/core/report.ts";
import {
  FASTEST_COPY_BYTES_PER_SECOND,
  type Lives,
  mayHaveCopied,
  USUAL_COPY_BYTES_PER_SECOND,
  workOf,
} from "../src/computed/copy_time.ts";
import { forecast } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import {
  groupByOwner,
  nameOfGroup,
  nameOfGroups,
  type OwnerGroup,
  ownerOf,
  stopAll,
  worthNaming,
} from "../src/computed/owners.ts";
import { processLives } from "../src/computed/process_lives.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { placeStreamBytes, unixDataCaches } from "../src/computed/skb_memory.ts";
import {
  backlogConfidence,
  describeBehaviour,
  FIND_WHY_NOT_ACCEPTED,
  type Judged,
  type JudgedQueue,
  judgeQueues,
} from "../src/computed/socket_queues.ts";
import { type SocketOwners, socketOwners } from "../src/computed/socket_owners.ts";
import { notSeen, unseenRoom } from "../src/computed/unseen_sockets.ts";
import { isInPages, isLeft, leftoversOf, unixBacklog, type UnixQueue } from "../src/computed/unix_backlog.ts";
import { largestFirst, type SlabCaches, slabCaches } from "../src/computed/slab_caches.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { setSysctl } from "../src/core/shell.ts";
import { sumBytes } from "../src/core/sums.ts";

/** Less than this in all queues is what any busy host has on its way to its readers: not worth a line. */
const WORTH_A_LINE_BYTES = 2 ** 20;
type Queue = JudgedQueue<UnixQueue>;

/** The kernel lets a sender go on until it is charged its limit or more: then it waits, because nobody reads. */
function isStuck({ chargedBytes, limitBytes, isWaiting, seen }: UnixQueue): boolean {
  return (limitBytes !== undefined && chargedBytes >= limitBytes) || (isWaiting && seen > 1);
}

/** Whether the program has not even accepted most of the connections. */
function areWaiting(queues: readonly Queue[]): boolean {
  return queues.filter(({ isWaiting }) => isWaiting).length > queues.length / 2;
}

/** The processes at one end of the queues. */
function ends(
  queues: readonly Queue[],
  owners: SocketOwners | undefined,
  end: "senderInode" | "readerInode",
): OwnerGroup<Queue>[] {
  const held = queues.flatMap((queue) => queue[end] === undefined ? [] : [{ ...queue, inode: queue[end] }]);
  return groupByOwner(held, owners).filter(({ comm }) => comm !== undefined);
}

/** Processes that have one end of a group's queues open. */
function pidsAt(
  { held }: OwnerGroup<Queue>,
  owners: SocketOwners | undefined,
  end: "senderInode" | "readerInode",
): number[] {
  const found = held.map((queue) => owners?.get(queue[end] ?? 0)).filter((owner) => owner !== undefined);
  return [...new Set(found.flatMap(({ pid, sharers = [] }) => [pid, ...sharers]))];
}

/**
 * Whether what a group has unread may be read, and sent anew to the byte, between two looks: at either end somebody must copy it. Not what grew, what nobody
 * has accepted, and what a sender that has closed left behind.
 */
function mayBeRead(
  group: OwnerGroup<Queue>,
  owners: SocketOwners | undefined,
  lives: Lives | undefined,
  copyBytesPerSecond: number,
): boolean {
  const same = group.held.filter(({ filledBytes, isWaiting, senderInode }) =>
    filledBytes === 0 && !isWaiting && senderInode !== undefined
  );
  if (sumBytes(same) < group.bytes / 2) return false;
  const copied = (["readerInode", "senderInode"] as const).map((end) =>
    mayHaveCopied(group.bytes, pidsAt(group, owners, end), lives, copyBytesPerSecond)
  );
  return copied.includes(true) && !copied.includes(false);
}

/** Sockets that are read are full, too, where who sends is faster. */
function lookWhetherItReads(group: OwnerGroup<Queue>, owners: SocketOwners | undefined): Remedy {
  const [pid] = [...pidsAt(group, owners, "readerInode"), ...pidsAt(group, owners, "senderInode")];
  return {
    when: "now",
    text: `See whether the program reads: a socket between two that work is full, too, where who sends is faster. ${
      remedyMark("socket-backlog-unix", "see whether it reads")
    }`,
    commands: [`timeout 5 strace -f -c -e trace=read,readv,recvfrom,recvmsg,recvmmsg,splice -p ${pid}`],
    verify: "no call of these returns while the queues stay full: then nobody reads",
  };
}

function evidence(judged: Judged<UnixQueue>, seconds: number): EvidenceLine[] {
  const largest = judged.queues[0] as Queue;
  const lines: EvidenceLine[] = [{
    path: largest.path,
    line: largest.line,
    because: isLeft(largest)
      ? `Recv-Q: ${formatBytes(largest.chargedBytes)} unread, whose sender has closed; ${
        describeBehaviour(judged, seconds, "are full")
      }`
      : `the fullest queue; its sender is charged for it (Send-Q, t in skmem): ${formatBytes(largest.chargedBytes)}${
        largest.limitBytes === undefined ? "" : ` of at most ${formatBytes(largest.limitBytes)}`
      }; ${describeBehaviour(judged, seconds, "are full")}`,
  }];
  if (largest.reader !== undefined && largest.senderInode !== undefined) {
    lines.push({
      ...largest.reader,
      because: largest.isWaiting
        ? `listens, and has not accepted this connection: so ${
          formatQuantity(
            judged.queues.filter(({ isWaiting }) => isWaiting).length,
            "of the queues waits",
            "of the queues wait",
          )
        } (Recv-Q: the connections that nobody has accepted; peers: their other ends)`
        : largest.payloadBytes === undefined
        ? "the socket that should be read; of datagrams its Recv-Q tells the length of the first one only"
        : `the socket that should be read: ${formatBytes(largest.payloadBytes)} of data wait there`,
    });
  }
  return lines;
}

/** What packets may take in slab beyond their data. */
function withOverhead(claims: readonly Claim[], overheadBytes: number): readonly Claim[] {
  return claims.map(({ account, bytes: { low, high } }) => ({
    account,
    bytes: { low, high: account === "slab-unreclaimable" ? high + overheadBytes : high },
  }));
}

/** Where the packets of what was left are. */
function overheadEvidence(overheadBytes: number, caches: SlabCaches | undefined): EvidenceLine[] {
  if (caches === undefined || overheadBytes === 0) return [];
  const [largest] = unixDataCaches(caches.caches).map(caches.useOf).sort(largestFirst);
  return largest === undefined ? [] : [{
    path: largest.path,
    line: largest.line,
    because: `packets are larger than the data in them, and who was charged for these is gone: up to ${
      formatBytes(overheadBytes)
    } more, of objects like these that no other unix socket is charged for`,
  }];
}

/** Sockets for datagrams with something unread: one of them should be read. */
const FIND_READER = `ss -xapn | awk '$1 == "u_dgr" && $3 > 0'`;

/** @param blamed Who does not read; none where the bundle does not tell: ending the sender frees nothing, what it sent stays until it is read. */
function remedies(
  blamed: readonly OwnerGroup<Queue>[],
  known: readonly Process[] | undefined,
): Remedy[] {
  const areAccepted = !areWaiting(blamed[0]?.held ?? []);
  const [pid] = blamed[0]?.pids ?? [];
  return [
    {
      when: "now",
      text:
        `End or restart the process that does not read in an orderly way: closing its end frees what waits there at once. ${
          remedyMark("socket-backlog-unix", "end the reader")
        }`,
      commands: blamed.length === 0 ? [FIND_READER] : stopAll(blamed, known),
      verify: "`ss -xanm` shows no large Send-Q any more, and MemAvailable rises by as much",
    },
    {
      when: "fix",
      text: `${
        areAccepted
          ? "Find why the program does not read: a blocked or dead thread, or a descriptor that it inherited and forgot. It must close an end that " +
            "it does not want (shutdown(SHUT_RD) does help here: the sender gets EPIPE)."
          : FIND_WHY_NOT_ACCEPTED
      } ${remedyMark("socket-backlog-unix", "find why it does not read")}`,
      commands: pid === undefined ? ["ss -xap"] : [`cat /proc/${pid}/stack`, `ss -xanp | grep pid=${pid},`],
      verify: "the Send-Q of the other end moves",
    },
    {
      when: "prevent",
      text:
        `Bound what one socket can hold: SO_SNDBUF of the sender is the limit, wmem_default when it sets none. The setting is of new sockets only. ${
          remedyMark("socket-backlog-unix", "wmem_default")
        }`,
      commands: [...setSysctl("net.core.wmem_max=212992"), ...setSysctl("net.core.wmem_default=212992")],
      verify: "tb in skmem of `ss -xanm` is at most that for new sockets",
    },
  ];
}

export const socketBacklogUnix: Analyzer = defineAnalyzer({
  id: "socket-backlog-unix",
  title: "Unix sockets that nobody reads",
  mechanism:
    "What one program sends to another through a unix socket lies in kernel memory until it is read, up to the sender's SO_SNDBUF for each socket. " +
    "The sender is charged, though it is the reader who is late. Large writes lie in pages that no field of /proc/meminfo counts, small ones and " +
    "datagrams in slab (kmalloc-cg-*). No file of /proc tells how full a unix socket is: only ss does. Data of connections that a program has not " +
    "accepted are listed nowhere but with their senders.",
  lookAlikes:
    "A slow reader: the queue becomes shorter between snapshots, or is filled again as fast while both ends compute. A slab leak: without a look at the sockets this is kmalloc-cg-4k growing. " +
    "pipe-buffers: the same between programs that talk through pipes. Descriptors in flight inside messages (SCM_RIGHTS) hold whole files, not queues.",
  references: [
    "https://man7.org/linux/man-pages/man7/unix.7.html",
    "net/unix/af_unix.c unix_stream_sendmsg()",
    "net/core/sock.c sock_alloc_send_pskb()",
  ],
  needs: { unixBacklog },
  uses: { ledger, unseenRoom, socketOwners, processes, processLives, slabCaches },
  analyze(
    {
      ledger,
      unseenRoom: unseen,
      unixBacklog: backlog,
      socketOwners: owners,
      processes: known,
      processLives: lives,
      slabCaches: caches,
    },
    { pageSizeBytes },
  ) {
    const judged = judgeQueues(backlog, owners, { isStuck });
    if (judged.bytes < WORTH_A_LINE_BYTES) {
      const because = `${formatQuantity(backlog.sockets, "unix socket holds", "unix sockets hold")} ${
        formatBytes(backlog.chargedBytes)
      }, of which ${formatBytes(judged.bytes)} are not known to be read`;
      return notSeen(because, unseen?.unixBytes, backlog.chargedBytes, ledger);
    }
    const materialBytes = materialQueueBytes(ledger?.totalBytes);
    const groups = groupByOwner(judged.queues, owners);
    const readers = ends(judged.queues, owners, "readerInode");
    const senders = ends(judged.queues, owners, "senderInode");
    const left = leftoversOf(backlog.queues, caches, pageSizeBytes);
    const inPages = sumBytes(
      judged.queues.filter((queue) => isLeft(queue) ? left.overheadBytes === 0 : isInPages(queue, pageSizeBytes)),
    );
    const shareOfLeft = left.dataBytes === 0 ? 0 : sumBytes(judged.queues.filter(isLeft)) / left.dataBytes;
    const overheadBytes = Math.round(shareOfLeft * left.overheadBytes);
    // Without a reader the sender stands for the queue; of what he left, whose he is.
    const isTold = readers.length === 0 && judged.queues.every(({ readerInode }) => readerInode !== undefined);
    // Of what others have left, who sent it is not known.
    const by = sumBytes(senders) > judged.bytes / 2 ? `, sent by ${nameOfGroups(senders)}` : "";
    const readAtMost = (bytesPerSecond: number): OwnerGroup<Queue>[] | undefined => {
      const busy = groups.filter((group) => mayBeRead(group, owners, lives, bytesPerSecond));
      return sumBytes(busy) >= judged.bytes / 2 ? busy : undefined;
    };
    const busy = readAtMost(USUAL_COPY_BYTES_PER_SECOND);
    const confidence = backlogConfidence(judged, materialBytes);
    const draft: FindingDraft = {
      title: `${isTold || readers.length > 0 ? nameOfGroups(groups) : "somebody"}: ${
        formatByteRange({ low: judged.bytes, high: judged.bytes + overheadBytes })
      } unread in ${formatQuantity(judged.queues.length, "unix socket")}${
        areWaiting(judged.queues) ? " whose connections it has not accepted" : ""
      }${by}${busy === undefined ? "" : ", which may be read and filled again as fast"}`,
      confidence: busy !== undefined
        ? "possible"
        : confidence === "confirmed" && readAtMost(FASTEST_COPY_BYTES_PER_SECOND) !== undefined
        ? "likely"
        : confidence,
      material: busy === undefined && judged.bytes + overheadBytes >= materialBytes,
      claims: withOverhead(placeStreamBytes(inPages, judged.bytes - inPages, ledger), overheadBytes),
      ...forecast(growth(backlog.series)),
      owners: worthNaming(groups).map((group) =>
        ownerOf(group, "socket", "ss -xap", detail(group, ends(group.held, owners, "senderInode")))
      ),
      evidence: [
        ...evidence(judged, backlog.seconds),
        ...overheadEvidence(overheadBytes, caches),
        ...(busy ?? []).slice(0, 1).flatMap(workEvidence),
      ],
      remedies: busy === undefined
        ? remedies(readers.length > 0 ? readers : isTold ? groups : [], known)
        : [lookWhetherItReads(busy[0] as OwnerGroup<Queue>, owners), ...remedies(readers, known).slice(1)],
    };
    return { findings: [draft] };

    function workEvidence(group: OwnerGroup<Queue>): EvidenceLine[] {
      const pids = pidsAt(group, owners, "readerInode");
      const work = workOf(pids, lives);
      return work === undefined ? [] : [{
        path: work.path,
        line: work.line,
        because: `who has the socket that should be read computed for ${
          work.cpuSeconds.toFixed(2)
        } s while it was watched: long enough to read all of it`,
      }];
    }
  },
});

function detail({ held: [first], bytes }: OwnerGroup<Queue>, senders: readonly OwnerGroup<Queue>[]): string {
  if (first === undefined) return "";
  const name = first.local === "*" ? "" : `, the fullest ${first.local}`;
  const [sender] = senders;
  const charged = sender === undefined || sender.bytes <= bytes / 2
    ? ""
    : `; charged to the sender, ${nameOfGroup(sender)}`;
  return first.readerInode === undefined
    ? `${name}; sent without a connection: the reader is not told by ss; to find it: ${FIND_READER}`
    : `${name}${charged}`;
}
