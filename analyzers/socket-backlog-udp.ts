import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Load } from "../src/core/comparison.ts";
import type { Ledger } from "../src/core/ledger.ts";
import type { Claim, Confidence, Remedy } from "../src/core/report.ts";
import { lately, type Parsed, type TimePoint } from "../src/core/source.ts";
import { sumRanges } from "../src/core/sums.ts";
import { placeCopies } from "../src/computed/copied_queues.ts";
import { type Lives, mayHaveCopied, USUAL_COPY_BYTES_PER_SECOND } from "../src/computed/copy_time.ts";
import { forecast } from "../src/computed/forecast.ts";
import { growth } from "../src/computed/growth.ts";
import { ledger } from "../src/computed/ledger.ts";
import { load } from "../src/computed/load.ts";
import { ALL_SOCKETS, pickedUdp } from "../src/computed/picked_sockets.ts";
import { type Languages, languages } from "../src/computed/languages.ts";
import { materialQueueBytes } from "../src/computed/material.ts";
import { groupByOwner, nameOfGroups, type OwnerGroup, ownerOf, stopAll } from "../src/computed/owners.ts";
import { processLives } from "../src/computed/process_lives.ts";
import { type Process, processes } from "../src/computed/processes.ts";
import { protocolMemory } from "../src/computed/protocol_memory.ts";
import { isAtUdpWall, udpLimit } from "../src/computed/protocol_limits.ts";
import { type QuotedProgram, quoteProgram } from "../src/computed/remedy_program.ts";
import {
  MIN_TRUESIZE_BYTES,
  PACKET_OVERHEAD_BYTES,
  placeSkbBytes,
  type SkbSlab,
  skbSlab,
} from "../src/computed/skb_memory.ts";
import { type SocketOwners, socketOwners } from "../src/computed/socket_owners.ts";
import {
  backlogConfidence,
  BEYOND_A_BURST,
  describeBehaviour,
  describeLimit,
  isWatched,
  type Judged,
  type JudgedQueue,
  judgeQueues,
} from "../src/computed/socket_queues.ts";
import {
  countedBeyond,
  countedOutcome,
  findSockets,
  lookAtSockets,
  notSeen,
  orCounted,
  unseenRoom,
} from "../src/computed/unseen_sockets.ts";
import { type UdpBacklog, udpBacklog, type UdpQueue, udpSent } from "../src/computed/udp_backlog.ts";
import { netSnmp } from "../src/parsers/net_snmp.ts";
import { type Sockstat, sockstat } from "../src/parsers/sockstat.ts";
import { type Sysctl, sysctl, sysctlNumbers } from "../src/parsers/sysctl.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

const ID = "socket-backlog-udp";

/**
 * Less than this in all queues is what a write-only socket keeps (one packet of up to 64 KiB each in an empty queue) or a burst: not worth a line.
 */
const WORTH_A_LINE_BYTES = 2 ** 20;
/** A queue is full when the largest possible packet (64 KiB of payload with its overhead) no longer fits. */
const LARGEST_PACKET_BYTES = 66_560;

/** Counters are read one after the other, and packets in flight move between accounts. */
const MOST_OF_CHARGE = 0.9;

type Queue = JudgedQueue<UdpQueue>;

function isFull({ chargedBytes, limitBytes, dropped }: UdpQueue): boolean {
  if ((dropped ?? 0) > 0) return true;
  return limitBytes !== undefined && chargedBytes > limitBytes / 2 && chargedBytes + LARGEST_PACKET_BYTES > limitBytes;
}

/** A program has other sockets, too, which it reads: of control, or of names. */
const RECEIVED = { isStuck: isFull, packetBytes: MIN_TRUESIZE_BYTES };

/** What is read, or is on its way out however slowly, becomes less: a queue that lost no more than this part of it while it was watched is stuck. */
const HARDLY_LESS = 0.05;
/** A queue of which more than a fifth of what comes stays is one that nobody reads fast enough. */
const MOSTLY_READ = 4;

/**
 * Whether somebody's queues may be read as fast as they fill, by a reader that lags behind: they are as long as they were, but for one that he has in hand. Most of
 * them show that they were read, he computed for long enough to copy them, and as many datagrams were read on this host (the kernel counts InDatagrams when they are
 * read). Without the first it may be anybody who reads: a server of names beside a busy program that reads nothing.
 */
function mayBeRead(
  { held, bytes, pids }: OwnerGroup<Queue>,
  lives: Lives | undefined,
  { seconds, rates }: Load,
): boolean {
  const read = seconds * (rates.find(({ counter }) => counter === "Udp.InDatagrams")?.perSecond ?? 0);
  const [grown, ...more] = held.filter(({ filledBytes }) => filledBytes !== 0);
  const grownBytes = grown?.filledBytes ?? 0;
  const begun = held.filter(({ readBytes = 0 }) => readBytes > 0).length;
  return begun > held.length / 2 && held.every((queue) => queue.seen > 1 && !isFull(queue)) && more.length === 0 &&
    grownBytes < HARDLY_LESS * bytes &&
    read >= Math.max(held.length, MOSTLY_READ * grownBytes / MIN_TRUESIZE_BYTES) &&
    mayHaveCopied(bytes, pids, lives, USUAL_COPY_BYTES_PER_SECOND) === true;
}

/** Traffic came and nobody read it: proven. Seen once, and full (each by itself, or all together), or far beyond a burst: likely. */
function confidence(judged: Judged<UdpQueue>, materialBytes: number, atWall: boolean): Confidence {
  const wasWatched = isWatched(judged);
  if (wasWatched && (judged.dropped > 0 || judged.filledBytes > 0)) return "confirmed";
  const full = atWall || judged.stuckBytes > judged.bytes / 2;
  return wasWatched || full || judged.bytes >= BEYOND_A_BURST * materialBytes ? "likely" : "possible";
}

interface Supporting {
  readonly sockstat: readonly Parsed<Sockstat>[] | undefined;
  readonly sysctl: Parsed<Sysctl> | undefined;
  readonly netSnmp: readonly Parsed<ReadonlyMap<string, { value: number; line: number }>>[] | undefined;
  readonly slab: SkbSlab | undefined;
  readonly pageSizeBytes: number | undefined;
}

/** 224.0.0.0/4 and ff00::/8. */
const MULTICAST = /^(?:22[4-9]|23\d)\.|^\[ff/i;

/** Where all of them lie. Of a multicast group each socket is charged for the same packets, which lie in memory once; so it is with those of one port where more is charged than there is. */
function place(judged: Judged<UdpQueue>, ledger: Ledger | undefined, slab: SkbSlab | undefined): Claim[] {
  const claims = placeSkbBytes(judged.bytes, ledger, slab);
  const isMore = sumRanges(claims).high < MOST_OF_CHARGE * judged.bytes;
  const isShared = ({ local }: UdpQueue): boolean => isMore || MULTICAST.test(local);
  const together = judged.queues.filter(isShared).map(({ path, local }) => `${path} ${local}`);
  return new Set(together).size === together.length ? claims : placeCopies(judged, ledger, slab);
}

function evidence(
  judged: Judged<UdpQueue>,
  seconds: number,
  isRead: boolean,
  supporting: Supporting,
): EvidenceLine[] {
  const lines: EvidenceLine[] = [];
  const largest = judged.queues[0] as UdpQueue;
  lines.push({
    path: largest.path,
    line: largest.line,
    because: `the fullest receive queue (socket ${largest.local}): ${formatBytes(largest.chargedBytes)} unread${
      largest.drops === undefined ? "" : `, ${formatQuantity(largest.drops, "datagram")} dropped since it was opened`
    }; ${
      describeBehaviour(
        judged,
        seconds,
        "are at their limit",
        isRead ? "nothing came, or as much was read" : undefined,
      )
    }`,
  });
  if (largest.skmem !== undefined && largest.limitBytes !== undefined) {
    lines.push({
      ...largest.skmem,
      because: `r is what this socket is charged, rb its limit of ${formatBytes(largest.limitBytes)}: ${
        describeLimit(isFull(largest), judged)
      }`,
    });
  }
  const total = supporting.sockstat?.find(({ value }) => value.get("UDP")?.memBytes !== undefined);
  const udp = total?.value.get("UDP");
  if (total !== undefined && udp?.memBytes !== undefined) {
    lines.push({
      path: total.path,
      line: udp.line,
      because: `the kernel's own count over all namespaces: ${
        formatBytes(udp.memBytes)
      } charged to UDP sockets (the queues add up to ${formatBytes(judged.bytes)})`,
    });
  }
  lines.push(...udpMemEvidence(judged, supporting));
  lines.push(...packetEvidence(judged, supporting));
  for (const { path, value } of supporting.netSnmp ?? []) {
    const errors = value.get("Udp.RcvbufErrors");
    if (errors === undefined || errors.value <= 0) continue;
    lines.push({
      path,
      line: errors.line,
      because: `RcvbufErrors: ${formatCount(errors.value)} datagrams found a full receive buffer since boot`,
    });
  }
  return lines;
}

/** Charge, payload and pages: how much of what is held is data at all. */
function packetEvidence({ bytes }: Judged<UdpQueue>, { slab }: Supporting): EvidenceLine[] {
  if (slab === undefined) return [];
  const { largest: cache, heads } = slab;
  const lines: EvidenceLine[] = [{
    path: cache.path,
    line: cache.line,
    because: `of the caches that packets are made of ${cache.name} is the largest: ${
      formatBytes(cache.bytes)
    } of pages`,
  }];
  if (heads !== undefined && heads.count * MIN_TRUESIZE_BYTES <= bytes) {
    const overhead = heads.count * PACKET_OVERHEAD_BYTES;
    lines.push({
      path: heads.path,
      line: heads.line,
      because: `at most ${formatQuantity(heads.count, "packet")} exist, ${
        formatBytes(bytes / heads.count)
      } charged for each: ${
        formatBytes(overhead)
      } of the charge are heads and the rest, payload with its padding, is at most ${formatBytes(bytes - overhead)}`,
    });
  }
  return lines;
}

/** What udp_mem allows, and why it does not bound the memory. */
function udpMemEvidence(judged: Judged<UdpQueue>, { sysctl: file, pageSizeBytes }: Supporting): EvidenceLine[] {
  const entry = file?.value.get("net.ipv4.udp_mem");
  const [min] = file === undefined ? [] : sysctlNumbers(file.value, "net.ipv4.udp_mem") ?? [];
  if (file === undefined || entry === undefined || min === undefined || pageSizeBytes === undefined) return [];
  // UDP has no memory_pressure hook, so the kernel refuses at the first of the three numbers (__sk_mem_raise_allocated, net/core/sock.c).
  const wall = min * pageSizeBytes;
  return [{
    path: file.path,
    line: entry.line,
    because: `udp_mem lets all UDP sockets together be charged ${
      formatBytes(wall)
    } (its first number is the wall) and has been ${
      formatShare(judged.bytes, wall)
    } used by these: it limits the charge, not the pages that the packets pin, and not for how long`,
  }];
}

function ports(group: OwnerGroup<Queue>): string {
  const [first] = group.held;
  return first === undefined
    ? ""
    : group.held.length === 1
    ? `, ${first.local} to ${first.remote}`
    : `, the fullest ${first.local} to ${first.remote}`;
}

/** A reader that lags behind has a queue that stays, too. */
function lookWhetherItReads([first]: readonly OwnerGroup<Queue>[]): Remedy {
  const counters = `grep ^Udp: /proc/${first?.pids[0]}/net/snmp`;
  return {
    when: "now",
    text: `See whether the program reads: datagrams were read meanwhile, and it may be as fast as what comes. ${
      remedyMark("socket-backlog-udp", "look again")
    }`,
    commands: [`${counters}; sleep 5; ${counters}`],
    verify: "InDatagrams, what was read, hardly grows: then nobody reads",
  };
}

function remedies(
  groups: readonly OwnerGroup<Queue>[],
  known: readonly Process[] | undefined,
  spoken: Languages | undefined,
  isRead: boolean,
): Remedy[] {
  const [filter, buffer, drain] = ["udp-filter", "udp-small-buffer", "udp-drain"].map((remedy) =>
    quoteProgram(remedy, ID, groups[0], spoken)
  ) as [QuotedProgram, QuotedProgram, QuotedProgram];
  const watch = `watch -n 1 "ss -uanmp | grep -A1 -E '^UNCONN +[1-9]|^ESTAB +[1-9]'"`;
  return [
    isRead ? lookWhetherItReads(groups) : {
      when: "now",
      text: `End or restart the owner in an orderly way: closing the sockets frees their queues at once. ${
        remedyMark("socket-backlog-udp", "end the owner")
      }`,
      commands: stopAll(groups, known),
      verify: "the UDP mem of `cat /proc/net/sockstat` falls to what it was, and MemAvailable rises by as much",
    },
    {
      when: "fix",
      text:
        "If the program never needs the replies: attach a drop-all filter to the socket right after socket(). It keeps nothing; the socket still " +
        `sends. It does not empty a queue that is already full. ${filter.said}`,
      commands: [filter.text],
      verify: `${watch} shows Recv-Q 0; drops (d in skmem) count up instead`,
    },
    {
      when: "fix",
      text:
        "Or make it a write-only socket (WUDP) with the smallest receive buffer. Its limits: an empty queue always admits one packet " +
        "(16.6 KB for one of 8,000 bytes, 60.8 KB for one of 60,000), and it does not empty a queue that is already full. " +
        buffer.said,
      commands: [buffer.text],
      verify: `${watch} shows a Recv-Q of at most one or two packets`,
    },
    {
      when: "fix",
      text:
        "If replies matter: read them, or at least throw them away after each send. shutdown(SHUT_RD) is no cure: the kernel goes on queueing. " +
        drain.said,
      commands: [drain.text],
      verify: "Recv-Q returns to 0 between requests",
    },
    {
      when: "prevent",
      text:
        "Alert on the drops column of /proc/net/udp and on Recv-Q in tests, and keep udp_mem and rmem_max no larger than needed: they bound " +
        `the charge, if not the pages behind it. ${remedyMark("socket-backlog-udp", "alert on drops")}`,
      commands: ["awk 'NR > 1 && $NF > 0 { print $2, $NF }' /proc/net/udp"],
      verify: "no socket's drops grow under load",
    },
  ];
}

/** Whether the kernel's count was looked at more than once, and did not fall: whoever reads takes something out. */
function standsStill(looks: readonly TimePoint<readonly Parsed<Sockstat>[]>[]): boolean {
  const counts = looks.flatMap(({ value }) => protocolMemory(value, "UDP")?.bytes ?? []);
  return counts.length > 1 && counts.every((bytes, i) => bytes >= (1 - HARDLY_LESS) * (counts[i - 1] ?? 0));
}

/** What the kernel counts for the sockets of all network namespaces beyond those that the bundle shows, read or not. */
function unseenFinding(
  shown: UdpBacklog,
  stat: readonly Parsed<Sockstat>[] | undefined,
  looks: readonly TimePoint<readonly Parsed<Sockstat>[]>[],
  ledger: Ledger | undefined,
  slab: SkbSlab | undefined,
): FindingDraft | undefined {
  const counted = protocolMemory(stat, "UDP");
  // Before 6.15 the kernel may count what no socket has any more: then it is in no account.
  if (counted === undefined || ledger === undefined) return undefined;
  const bytes = countedBeyond(counted, [shown]);
  const claims = placeSkbBytes(bytes, ledger, slab);
  if (bytes < materialQueueBytes(ledger.totalBytes) || sumRanges(claims).high < MOST_OF_CHARGE * bytes) {
    return undefined;
  }
  return {
    title: `UDP sockets that this bundle does not show, of other network namespaces, have ${
      formatBytes(bytes)
    } in their queues`,
    // Seen once, somebody may be about to read them; without slabinfo the memory may be another tenant's, and the count before 6.15 too high.
    confidence: slab !== undefined && standsStill(looks) ? "likely" : "possible",
    material: true,
    claims,
    owners: [{ pid: null, comm: "unknown", bytes, count: 1, detail: `to find whose: ${findSockets("udp")}` }],
    evidence: [{
      path: counted.path,
      line: counted.line,
      because: `the kernel's own count over all namespaces: ${
        formatBytes(counted.bytes)
      } charged to UDP sockets; those of the ${formatQuantity(shown.sockets, "socket")} in this bundle add up to ${
        formatBytes(shown.chargedBytes)
      }`,
    }],
    remedies: [lookAtSockets("udp", remedyMark(ID, "look at the sockets of all namespaces"))],
  };
}

/** Queues that are as full as they were. What the kernel counts as drops was received. */
function heldBack({ queues }: UdpBacklog): UdpQueue[] {
  return queues
    .filter(({ filledBytes = 0, chargedBytes }) => -filledBytes < HARDLY_LESS * chargedBytes)
    .map((queue) => ({ ...queue, wasRead: false, dropped: undefined }));
}

/** A socket may have as much under way as its send buffer allows: then send() waits, or fails. */
function isSendFull({ chargedBytes, limitBytes }: UdpQueue): boolean {
  return limitBytes !== undefined && chargedBytes + LARGEST_PACKET_BYTES > limitBytes;
}

/** What was sent and has not gone out: a queueing discipline holds it back, or the datagram is not complete. */
function sentFinding(
  backlog: UdpBacklog,
  { ledger, owners, slab }: {
    readonly ledger: Ledger | undefined;
    readonly owners: SocketOwners | undefined;
    readonly slab: SkbSlab | undefined;
  },
): FindingDraft | undefined {
  const judged = judgeQueues({ queues: heldBack(backlog) }, owners, { isStuck: isSendFull });
  const materialBytes = materialQueueBytes(ledger?.totalBytes);
  // A busy sender has some under way whenever somebody looks.
  if (judged.bytes < materialBytes) return undefined;
  const groups = groupByOwner(judged.queues, owners);
  const largest = judged.queues[0] as Queue;
  const of = largest.namespace === undefined ? "" : `, network namespace ${largest.namespace}`;
  const watched = judged.watched > 0
    ? `; none became shorter by ${formatShare(HARDLY_LESS, 1)} in ${Math.round(backlog.seconds)} s`
    : "";
  return {
    title: `${nameOfGroups(groups)}: ${formatBytes(judged.bytes)} sent from ${
      formatQuantity(judged.queues.length, "UDP socket")
    } and not gone out`,
    confidence: backlogConfidence(judged, materialBytes),
    material: true,
    claims: placeSkbBytes(judged.bytes, ledger, slab),
    owners: groups.map((group) => ownerOf(group, "socket", "ss -uanp", ports(group))),
    evidence: [{
      path: largest.path,
      line: largest.line,
      because: `the fullest send queue (socket ${largest.local}${of}): ${
        formatBytes(largest.chargedBytes)
      } are charged to it (tx_queue) until they leave this host${watched}`,
    }],
    remedies: [
      {
        when: "now",
        text:
          `See which device holds packets back (backlog; in the network namespace of the sockets), and replace its queueing discipline: what waits is dropped. Ending the sender does not: packets, and the namespace, stay until the last one has left. ${
            remedyMark(ID, "empty the device's queue")
          }`,
        commands: groups.slice(0, 1).flatMap(({ pids: [pid] }) =>
          pid === undefined
            ? ["tc -s qdisc"]
            : [`nsenter -t ${pid} -n tc -s qdisc`, `nsenter -t ${pid} -n tc qdisc del dev DEVICE root`]
        ),
        verify: "tx_queue of `cat /proc/net/udp` is 0 again, and MemAvailable rises by as much",
      },
      {
        when: "fix",
        text:
          `Where no device has a backlog, they wait for a neighbour that does not answer (ip neigh: INCOMPLETE), or are not complete: after MSG_MORE or UDP_CORK the program must send the end. ${
            remedyMark(ID, "end a datagram")
          }`,
        commands: [],
        verify: "`ss -uanm` shows no Send-Q that stays",
      },
    ],
  };
}

export const socketBacklogUdp: Analyzer = defineAnalyzer({
  id: ID,
  title: "UDP receive queues that nobody reads",
  mechanism:
    "A program sends UDP requests and never reads the replies. Each socket keeps them up to its receive buffer (SO_RCVBUF, often " +
    "raised to megabytes), for as long as it is open. No process grows: the packets are kernel memory, in slab or outside every account, " +
    "depending on their size and the network card. What was sent is charged to its socket, too, until it has left the host: a queueing discipline may hold it back.",
  lookAlikes:
    "A burst that is read a moment later (the queue becomes shorter between snapshots). udp-mem-limit: all sockets together hit " +
    "udp_mem, and drops rise on sockets that are nearly empty. A slab leak: without a look at the sockets, a backlog of small packets is " +
    "just kmalloc and skbuff_head_cache growing. Phantom accounting before 6.15: sockstat counts memory that no socket has.",
  references: [
    "https://man7.org/linux/man-pages/man7/udp.7.html",
    "net/ipv4/udp.c __udp_enqueue_schedule_skb()",
    "net/core/sock.c __sk_mem_raise_allocated()",
  ],
  needs: { udpBacklog: orCounted(udpBacklog, "UDP") },
  uses: {
    ledger,
    pickedUdp,
    unseenRoom,
    udpSent,
    socketOwners,
    processes,
    languages,
    sockstat,
    sockstats: lately(sockstat),
    sysctl,
    netSnmp,
    skbSlab,
    udpLimit,
    processLives,
    load,
  },
  analyze(
    {
      ledger,
      pickedUdp: isPicked,
      unseenRoom: unseen,
      udpBacklog: backlog,
      udpSent: sent,
      socketOwners: owners,
      processes: known,
      languages: spoken,
      skbSlab: slab,
      udpLimit: limit,
      processLives: lives,
      load: traffic,
      sockstats: looks,
      ...files
    },
    { pageSizeBytes },
  ) {
    if (!("queues" in backlog)) {
      return countedOutcome(backlog, "UDP", {
        stat: files.sockstat,
        ledger,
        place: (bytes) => placeSkbBytes(bytes, ledger, slab),
        mark: remedyMark(ID, "look at the sockets of all namespaces"),
      });
    }
    const unread = judgeQueues(backlog, owners, RECEIVED);
    const lagging = traffic === undefined
      ? []
      : groupByOwner(unread.queues, owners).filter((group) => mayBeRead(group, lives, traffic));
    const laggingQueues = new Set(lagging.flatMap(({ held }) => held));
    const isRead = laggingQueues.size > 0 && laggingQueues.size === unread.queues.length;
    // Beside queues that nobody reads they are not told.
    const judged = laggingQueues.size === 0 || isRead ? unread : judgeQueues(
      { queues: unread.queues.filter((queue) => !laggingQueues.has(queue)) },
      owners,
      RECEIVED,
    );
    const read = backlog.chargedBytes - judged.bytes;
    const others = [
      sent && sentFinding(sent, { ledger, owners, slab }),
      unseenFinding(backlog, files.sockstat, looks ?? [], ledger, slab),
    ].filter((finding) => finding !== undefined);
    if (judged.bytes < WORTH_A_LINE_BYTES) {
      if (others.length > 0) return { findings: others };
      const busy = read > 0
        ? `; ${formatBytes(read)} more are in queues that became shorter meanwhile, so they are read`
        : "";
      if (isPicked === true) return { notAssessed: [ALL_SOCKETS] };
      const because = `${formatQuantity(backlog.sockets, "UDP socket holds", "UDP sockets hold")} ${
        formatBytes(judged.bytes)
      } unread${busy}`;
      // Where the kernel counts those of all namespaces, that was looked at above.
      const isCounted = protocolMemory(files.sockstat, "UDP") !== undefined;
      return notSeen(because, isCounted ? undefined : unseen?.packetBytes, backlog.chargedBytes, ledger);
    }
    const materialBytes = materialQueueBytes(ledger?.totalBytes);
    const groups = groupByOwner(judged.queues, owners);
    const claims = place(judged, ledger, slab);
    const held = sumRanges(claims).high;
    const isCopied = claims.some(({ bytes }) => bytes.low < bytes.high);
    const draft: FindingDraft = {
      title: `${nameOfGroups(groups)}: ${isCopied ? "up to " : ""}${
        formatBytes(isCopied ? held : judged.bytes)
      } unread in ${formatQuantity(judged.queues.length, "UDP socket")}${
        isCopied ? " that have packets in common" : ""
      }${isRead ? ", which may be read" : ""}`,
      confidence: isRead
        ? "possible"
        : confidence(judged, materialBytes, limit !== undefined && isAtUdpWall(limit, backlog.chargedBytes)),
      material: !isRead && (isCopied ? held : judged.bytes) >= materialBytes,
      claims,
      ...forecast(growth(backlog.series)),
      owners: groups.map((group) => ownerOf(group, "socket", "ss -uanp", ports(group))),
      evidence: evidence(judged, backlog.seconds, isRead, { slab, pageSizeBytes, ...files }),
      remedies: remedies(groups, known, spoken, isRead),
    };
    return { findings: [draft, ...others] };
  },
});
