import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../src/core/format.ts";
import { accountBytes, accountOf, type SourceLine } from "../src/core/ledger.ts";
import type { Claim, Owner, Remedy } from "../src/core/report.ts";
import type { HostFacts, MaybeValues, Missing, Values } from "../src/core/source.ts";
import { type DescriptorDetail, descriptors } from "../src/computed/descriptors.ts";
import { ledger } from "../src/computed/ledger.ts";
import { materialQueueBytes, residualNoiseBytes } from "../src/computed/material.ts";
import {
  byComm,
  mainPids,
  MOST_OWNERS,
  nameOfGroup,
  stopAll,
  stopCommands,
  worthNaming,
} from "../src/computed/owners.ts";
import { ALL_DESCRIPTORS, seesAllDescriptors } from "../src/computed/process_statuses.ts";
import { processes } from "../src/computed/processes.ts";
import { type AioRings, aioRings } from "../src/parsers/aio_rings.ts";
import { processStatus } from "../src/parsers/process_status.ts";
import { sysctl, sysctlNumbers } from "../src/parsers/sysctl.ts";
import { vmallocinfo } from "../src/parsers/vmallocinfo.ts";
import { vmstat } from "../src/parsers/vmstat.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { setSysctl } from "../src/core/shell.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";
import { isWhole, unaccountedBytes } from "../src/core/whole_ledger.ts";

/** struct io_uring_sqe, struct io_uring_cqe, and the index of the submission array (include/uapi/linux/io_uring.h). */
const SQE_BYTES = 64;
const CQE_BYTES = 16;
const SQ_INDEX_BYTES = 4;
const RING_HEAD_BYTES = 64;
/** A ring of the most entries (IORING_MAX_ENTRIES, 32,768): 2 MiB of submission entries, 2 MiB of completion entries. */
const MAX_RING_BYTES: number = 4 * 2 ** 20;

/**
 * struct io_event (include/uapi/linux/aio_abi.h). A ring of Linux AIO has twice as many as io_setup() was asked for (fs/aio.c, ioctx_alloc()), which is what
 * fs.aio-nr counts from Linux 4.14 on; before, it counts what was made of it, and a ring has no more than it tells.
 */
const LEAST_BYTES_AN_EVENT = 32;
/** The kernel's own limit, which programs that do much such I/O ask to be raised (Oracle: to 1,048,576, which is 64 MiB). */
const DEFAULT_AIO_MAX_NR = 65_536;

const needs = { ledger };
const uses = { descriptors, processes, processStatus, vmstat, vmallocinfo, aioRings, sysctl, seesAllDescriptors };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses> & { readonly facts: HostFacts };

interface Group {
  readonly comm: string;
  readonly pids: readonly number[];
  readonly rings: number;
  readonly ringBytes: number;
  readonly bufferBytes: number;
  readonly largest: DescriptorDetail;
}

/** Rings are allocated as blocks of 2^n pages. */
function blockBytes(bytes: number, pageSizeBytes: number): number {
  let size = pageSizeBytes;
  while (size < bytes) size *= 2;
  return size;
}

function ringBytes({ sqEntries, cqEntries }: DescriptorDetail, pageSizeBytes: number): number {
  if (sqEntries === undefined || cqEntries === undefined) return 0;
  return blockBytes(sqEntries * SQE_BYTES, pageSizeBytes) +
    blockBytes(cqEntries * CQE_BYTES + sqEntries * SQ_INDEX_BYTES + RING_HEAD_BYTES, pageSizeBytes);
}

function groups(details: readonly DescriptorDetail[], pageSizeBytes: number): Group[] {
  const rings = details.filter(({ inotifyMarks, fanotifyMarks }) => (inotifyMarks ?? fanotifyMarks) === undefined);
  const size = (detail: DescriptorDetail): number => ringBytes(detail, pageSizeBytes) + detail.bufferBytes;
  return [...byComm(rings, ({ comm }) => comm)].map(([comm, held]) => ({
    comm,
    pids: mainPids(held.map((each) => ({ pid: each.pid, bytes: each.weight * size(each) }))),
    rings: Math.round(sumOf(held, (each) => each.weight)),
    ringBytes: sumOf(held, (each) => each.weight * ringBytes(each, pageSizeBytes)),
    bufferBytes: sumOf(held, (each) => each.weight * each.bufferBytes),
    largest: held.toSorted((a, b) => size(b) - size(a) || a.line - b.line)[0] as DescriptorDetail,
  })).sort((a, b) => b.ringBytes + b.bufferBytes - a.ringBytes - a.bufferBytes || (a.comm < b.comm ? -1 : 1));
}

/** The rings of all programs that were looked at. */
interface Rings {
  /** The largest holder first. */
  readonly groups: readonly Group[];
  readonly ringBytes: number;
  readonly bufferBytes: number;
}

function ringsOf({ descriptors: table, facts: { pageSizeBytes } }: Seen): Rings {
  const all = pageSizeBytes === undefined ? [] : groups(table?.details ?? [], pageSizeBytes);
  return {
    groups: all,
    ringBytes: sumOf(all, (group) => group.ringBytes),
    bufferBytes: sumOf(all, (group) => group.bufferBytes),
  };
}

function countOf({ groups: all }: Rings): number {
  return sumOf(all, (group) => group.rings);
}

/** 0 where the bundle does not tell. */
function threadsOf({ processStatus: statuses }: Seen, { pids }: { readonly pids: readonly number[] }): number {
  const members = new Set(pids);
  return sumOf((statuses ?? []).filter(({ pid }) => members.has(pid)), ({ value }) => value.threads ?? 0);
}

/** Without details: the process with the most io_urings. */
interface RingHolder {
  readonly comm: string;
  readonly pids: readonly number[];
  readonly rings: number;
  readonly example: SourceLine;
}

function ringHolder({ descriptors: table }: Seen): RingHolder | undefined {
  const holder = (table?.processes ?? []).filter(({ kinds }) => (kinds.get("io_uring") ?? 0) > 0)
    .sort((a, b) => (b.kinds.get("io_uring") as number) - (a.kinds.get("io_uring") as number) || a.pid - b.pid)[0];
  const example = holder?.examples.get("io_uring");
  return holder === undefined || example === undefined
    ? undefined
    : { comm: holder.comm, pids: [holder.pid], rings: holder.kinds.get("io_uring") as number, example };
}

function remedies(
  group: { readonly pids: readonly number[] } | undefined,
  stop: readonly string[],
): Remedy[] {
  return [
    {
      when: "now",
      text:
        `End or restart the owner in an orderly way: with the io_uring descriptor, rings and registered buffers are given back. ${
          remedyMark("io-uring", "end the owner")
        }`,
      commands: group === undefined ? ["ls -l /proc/[0-9]*/fd | grep io_uring"] : stop,
      verify: "MemFree rises by as much",
    },
    {
      when: "fix",
      text:
        `Unregister buffers (IORING_UNREGISTER_BUFFERS) before unmapping them, close rings that are done with, and make them no larger than needed. ${
          remedyMark("io-uring", "unregister buffers")
        }`,
      commands: (group?.pids ?? []).slice(0, 1).map((pid) => `grep -H -A3 -E 'UserBufs|SqMask' /proc/${pid}/fdinfo/*`),
      verify: "UserBufs of the descriptor's fdinfo is 0 after the work is done",
    },
    {
      when: "prevent",
      text:
        `Give the service a memory limit: rings are charged to its cgroup; and RLIMIT_MEMLOCK bounds registered buffers of programs without CAP_IPC_LOCK. ${
          remedyMark("io-uring", "limit of locked memory")
        }`,
      commands: [],
      verify: "io_uring_register fails with ENOMEM beyond the limit",
    },
  ];
}

/** The AIO rings of one program. */
interface AioGroup {
  readonly comm: string;
  readonly pids: readonly number[];
  readonly contexts: number;
  readonly bytes: number;
  readonly largest: AioRings;
}

function aioGroups(rings: readonly AioRings[], comms: ReadonlyMap<number, string | undefined>): AioGroup[] {
  return [...byComm(rings, ({ pid }) => comms.get(pid))].map(([comm, held]) => {
    const sorted = held.toSorted((a, b) => b.bytes - a.bytes || a.pid - b.pid);
    return {
      comm,
      pids: mainPids(sorted),
      contexts: sumOf(held, (each) => each.contexts),
      bytes: sumBytes(held),
      largest: sorted[0] as AioRings,
    };
  }).sort((a, b) => b.bytes - a.bytes || (a.comm < b.comm ? -1 : 1));
}

const FIND_AIO = "grep -c -F '/[aio]' /proc/[0-9]*/maps | grep -v ':0$'";

function aioRemedies([first]: readonly AioGroup[], stop: readonly string[]): Remedy[] {
  return [
    {
      when: "now",
      text: `End or restart the owner in an orderly way: its contexts, and their rings, go with it. ${
        remedyMark("io-uring", "end the owner of AIO contexts")
      }`,
      commands: first === undefined ? [FIND_AIO] : stop,
      verify: "fs.aio-nr falls, and Cached of /proc/meminfo by as much",
    },
    {
      when: "fix",
      text:
        `Destroy contexts that are done with (io_destroy; io_queue_release of libaio), and ask io_setup() for no more events than are under way at once. ${
          remedyMark("io-uring", "destroy AIO contexts")
        }`,
      commands: first === undefined ? [] : [`grep -c -F '/[aio]' /proc/${first.pids[0]}/maps`],
      verify: "the number of rings stays the same under the same load",
    },
    {
      when: "prevent",
      text: `Bound the events of all contexts together: each takes 64 bytes at the least. ${
        remedyMark("io-uring", "limit of AIO")
      }`,
      commands: setSysctl(`fs.aio-max-nr=${DEFAULT_AIO_MAX_NR}`),
      verify: "io_setup() fails with EAGAIN beyond the limit",
    },
  ];
}

/** The kernel maps the memory of an AF_XDP socket (umem) into its own addresses, too, each as one area. */
const UMEM_CALLER = /^xdp_umem_/;
/** What has this much of the memory in question explains it. */
const MOST = 0.5;
const FIND_XDP = "lsof -b +M -n -l 2> /dev/null | grep 'protocol: XDP'";

const UMEM_REMEDY: Remedy = {
  when: "now",
  text:
    `End or restart who has the AF_XDP socket, in an orderly way: the memory goes with the last descriptor of it. A program that needs it no more must close the socket before it unmaps. ${
      remedyMark("io-uring", "end the owner of AF_XDP sockets")
    }`,
  commands: [FIND_XDP],
  verify: "MemFree rises by as much",
};

/** Either would do: what is pinned and in no process, or the rings themselves. */
const PINNED: readonly Missing[] = [
  { path: "Active and Inactive of proc/meminfo", howToCapture: "cat /proc/meminfo" },
  {
    path: "sos_commands/process/descriptor_samples",
    howToCapture: "ls -l /proc/[0-9]*/fd; grep . /proc/[0-9]*/fdinfo/*",
  },
];

/** Memory that is pinned and in no process, and what tells of it: nothing where it is not much. */
interface Pinned {
  readonly bytes: number;
  readonly evidence: readonly EvidenceLine[];
}

/** Undefined where the LRU lists do not tell. */
function pinnedOf({ ledger, vmstat: counters }: Seen): Pinned | undefined {
  const account = accountOf(ledger, "pinned-lru");
  if (account === undefined) return undefined;
  const { bytes, sources: [source] } = account;
  if (source === undefined || bytes < materialQueueBytes(ledger.totalBytes)) return { bytes, evidence: [] };
  const lists = {
    ...source,
    because: `the LRU lists have ${
      formatBytes(bytes)
    } more than page cache and processes: pages that something in the kernel keeps pinned`,
  };
  const acquired = counters?.value.get("nr_foll_pin_acquired");
  const released = counters?.value.get("nr_foll_pin_released");
  if (counters === undefined || acquired === undefined || released === undefined) return { bytes, evidence: [lists] };
  const balance = {
    path: counters.path,
    line: acquired.line,
    because: `${acquired.value - released.value} pages were pinned for long and not released (acquired less released)`,
  };
  return { bytes, evidence: [lists, balance] };
}

/** What io_urings hold that nobody else has: rings, as far as they are in no account, and buffers that are no process's any more. */
interface Held extends Rings {
  readonly groups: readonly [Group, ...Group[]];
  readonly inRings: number;
  /** Registered buffers that are still mapped are in `anon`: only what no process has is held by the ring alone. */
  readonly orphaned: number;
}

function shareOf({ ringBytes: rings, bufferBytes: buffers, inRings, orphaned }: Held, group: Group): number {
  return (rings > 0 ? (group.ringBytes / rings) * inRings : 0) +
    (buffers > 0 ? (group.bufferBytes / buffers) * orphaned : 0);
}

function ringFinding(seen: Seen, held: Held, { evidence }: Pinned): FindingDraft {
  const { groups: [first], inRings, orphaned } = held;
  const claims: Claim[] = [
    { account: "unaccounted", bytes: { low: inRings, high: inRings } },
    { account: "pinned-lru", bytes: { low: orphaned, high: orphaned } },
  ];
  const sized = held.groups.map((group) => ({ ...group, bytes: shareOf(held, group) }));
  const more = worthNaming(sized).length - 1;
  const what = orphaned > inRings ? "registered buffers whose mapping is gone" : "rings";
  return {
    title: `${nameOfGroup(first)}${more > 0 ? ` and ${formatQuantity(more, "other")}` : ""}: ${
      formatQuantity(countOf(held), "io_uring holds", "io_urings hold")
    } ${formatBytes(inRings + orphaned)}, most of it ${what}`,
    // A ring for each thread is how io_uring is meant to be used, however large; more are forgotten ones.
    confidence: orphaned < materialQueueBytes(seen.ledger.totalBytes) && first.rings <= threadsOf(seen, first)
      ? "possible"
      : "confirmed",
    material: true,
    claims: claims.filter((claim) => claim.bytes.high > 0),
    owners: sized.slice(0, MOST_OWNERS).map((group) => ({
      pid: group.pids[0] ?? null,
      comm: group.comm,
      bytes: Math.round(group.bytes),
      count: group.rings,
      detail: `${formatQuantity(group.rings, "ring")} of ${formatBytes(group.ringBytes)}, registered buffers of ${
        formatBytes(group.bufferBytes)
      }`,
    })),
    evidence: [
      {
        path: first.largest.path,
        line: first.largest.line,
        because: `fdinfo of the largest: ${first.largest.sqEntries ?? 0} submission and ${
          first.largest.cqEntries ?? 0
        } completion entries, ${formatBytes(first.largest.bufferBytes)} of registered buffers`,
      },
      ...evidence,
    ],
    remedies: remedies(first, stopAll(sized, seen.processes)),
  };
}

/** Rings whose size is not told: their number bounds what they can hold, and that is all. Undefined where that explains little of what is in no account. */
function unsizedFinding(seen: Seen, residual: number): FindingDraft | undefined {
  const { totalBytes } = seen.ledger;
  const holder = ringHolder(seen);
  if (
    holder === undefined || residual - residualNoiseBytes(totalBytes) < materialQueueBytes(totalBytes) ||
    holder.rings * MAX_RING_BYTES < MOST * residual
  ) return undefined;
  const { comm, pids, rings: count, example } = holder;
  return {
    title: `${comm} (pid ${pids[0]}) has ${formatQuantity(count, "io_uring")}, whose rings may hold part of ${
      formatBytes(residual)
    } outside every account`,
    confidence: "possible",
    material: true,
    claims: [{ account: "unaccounted", bytes: { low: 0, high: Math.min(residual, count * MAX_RING_BYTES) } }],
    owners: [{
      pid: pids[0] ?? null,
      comm,
      bytes: 0,
      count,
      detail:
        "how large they are is not in the bundle; to find out: grep -H -E 'SqMask|CqMask|UserBufs' /proc/[0-9]*/fdinfo/*",
    }],
    evidence: [{
      ...example,
      because: `one of ${formatQuantity(count, "descriptor")} of this kind: a ring takes up to ${
        formatBytes(MAX_RING_BYTES)
      }`,
    }],
    remedies: remedies({ pids }, stopCommands({ comm, pids }, seen.processes)),
  };
}

/** What it is, is certain; whose, only a look at all sockets tells. Undefined where no such area explains what is pinned. */
function xdpFinding({ vmallocinfo: areas }: Seen, pinned: Pinned): FindingDraft | undefined {
  const umem = areas?.value.filter(({ caller }) => caller !== undefined && UMEM_CALLER.test(caller)) ?? [];
  const [largest] = umem.toSorted((a, b) => b.bytes - a.bytes || a.line - b.line);
  const mapped = sumBytes(umem);
  if (areas === undefined || largest === undefined || mapped < MOST * pinned.bytes) return undefined;
  const bytes = Math.min(pinned.bytes, mapped);
  return {
    title: `${formatBytes(bytes)} of memory of ${
      formatQuantity(umem.length, "AF_XDP socket")
    } (umem) stay pinned, and no process has them mapped`,
    confidence: "likely",
    material: true,
    claims: [{ account: "pinned-lru", bytes: { low: bytes, high: bytes } }],
    owners: [{
      pid: null,
      comm: "unknown",
      bytes,
      count: umem.length,
      detail: `to find who has the sockets: ${FIND_XDP}`,
    }],
    evidence: [{
      path: areas.path,
      line: largest.line,
      because: `${formatBytes(largest.bytes)} of an AF_XDP socket's memory, as the kernel has it mapped`,
    }, ...pinned.evidence],
    remedies: [UMEM_REMEDY],
  };
}

/** Pinned and ownerless for certain; whose it is, is inferred, or not known at all. */
function pinnedFinding(seen: Seen, { bytes, evidence }: Pinned): FindingDraft {
  const holder = ringHolder(seen);
  return {
    title: holder === undefined
      ? `${
        formatBytes(bytes)
      } are in no process, and something keeps them: an io_uring, an AF_XDP socket (ss --xdp -ae), RDMA, a device of a virtual machine, or a leak in the kernel`
      : `${nameOfGroup(holder)} keeps ${formatBytes(bytes)} pinned that no process has mapped`,
    confidence: holder === undefined ? "possible" : "likely",
    material: true,
    claims: [{ account: "pinned-lru", bytes: { low: bytes, high: bytes } }],
    owners: [{
      pid: holder?.pids[0] ?? null,
      comm: holder?.comm ?? "unknown",
      bytes,
      count: 1,
      detail: `${
        holder === undefined ? "" : "has an io_uring open; "
      }to see what is registered: grep -H -A3 UserBufs /proc/[0-9]*/fdinfo/*`,
    }],
    evidence: [
      ...evidence,
      ...(holder === undefined
        ? []
        : [{ ...holder.example, because: "the process has an io_uring open, which can pin buffers" }]),
    ],
    remedies: remedies(holder, holder === undefined ? [] : stopCommands(holder, seen.processes)),
  };
}

/** What rings of Linux AIO hold. Of what nobody is known to have, fs.aio-nr tells the least. Undefined where that is not much. */
function aioFinding(seen: Seen): FindingDraft | undefined {
  const { ledger, aioRings: aio, processStatus: statuses, sysctl: settings } = seen;
  const events = settings && sysctlNumbers(settings.value, "fs.aio-nr")?.[0];
  const groups = aioGroups(aio?.value ?? [], new Map(statuses?.map(({ pid, value }) => [pid, value.name])));
  const mapped = sumBytes(groups);
  const bytes = Math.min(
    accountBytes(ledger, "page-cache") ?? 0,
    Math.max(mapped, (events ?? 0) * LEAST_BYTES_AN_EVENT),
  );
  if (bytes < materialQueueBytes(ledger.totalBytes)) return undefined;
  const [first] = groups;
  const more = worthNaming(groups).length - 1;
  const who = first === undefined
    ? "an unknown process"
    : `${nameOfGroup(first)}${more > 0 ? ` and ${formatQuantity(more, "other")}` : ""}`;
  return {
    title: `${who}: rings of Linux AIO hold ${formatBytes(bytes)} of page cache that the kernel cannot give back`,
    // A context for each thread is how it is meant to be used; more are forgotten ones.
    confidence: first !== undefined && first.contexts > threadsOf(seen, first) ? "confirmed" : "possible",
    material: true,
    claims: [{ account: "page-cache", bytes: { low: bytes, high: bytes } }],
    owners: first === undefined ? [unknownAioOwner(bytes)] : groups.slice(0, MOST_OWNERS).map(aioOwner),
    evidence: [...largestAioRings(aio, first), ...aioEvents(settings, events)],
    remedies: aioRemedies(groups, stopAll(groups, seen.processes)),
  };
}

function unknownAioOwner(bytes: number): Owner {
  const detail = `whose contexts they are is not in the bundle; to find out: ${FIND_AIO}`;
  return { pid: null, comm: "unknown", bytes, count: 1, detail };
}

function aioOwner({ pids: [pid], comm, bytes, contexts }: AioGroup): Owner {
  const detail = `${formatQuantity(contexts, "context")} (io_setup) with rings of ${formatBytes(bytes)}`;
  return { pid: pid ?? null, comm, bytes, count: contexts, detail };
}

function largestAioRings(aio: Seen["aioRings"], first: AioGroup | undefined): EvidenceLine[] {
  if (aio === undefined || first === undefined) return [];
  const { line, contexts, bytes } = first.largest;
  const because = `${formatQuantity(contexts, "ring")} of ${
    formatBytes(bytes)
  } that it has mapped: in Cached, in nobody's RSS until they are touched`;
  return [{ path: aio.path, line, because }];
}

function aioEvents(settings: Seen["sysctl"], events: number | undefined): EvidenceLine[] {
  const line = settings?.value.get("fs.aio-nr")?.line;
  if (settings === undefined || events === undefined || line === undefined) return [];
  const because = `${formatCount(events)} events were asked for with io_setup() on this host`;
  return [{ path: settings.path, line, because }];
}

/** What io_urings and AF_XDP sockets hold; undefined where it is not much. */
function finding(seen: Seen, rings: Rings, pinned: Pinned): FindingDraft | undefined {
  const materialBytes = materialQueueBytes(seen.ledger.totalBytes);
  const residual = unaccountedBytes(seen.ledger);
  const orphaned = Math.min(pinned.bytes, rings.bufferBytes);
  const inRings = Math.min(rings.ringBytes, residual);
  const [first, ...others] = rings.groups;
  if (first !== undefined && inRings + orphaned >= materialBytes) {
    return ringFinding(seen, { ...rings, groups: [first, ...others], inRings, orphaned }, pinned);
  }
  if (pinned.bytes >= materialBytes) return xdpFinding(seen, pinned) ?? pinnedFinding(seen, pinned);
  const isSized = seen.facts.pageSizeBytes !== undefined && (seen.descriptors?.details.length ?? 0) > 0;
  // Of free alone all that processes have is in no account.
  return isSized || !isWhole(seen.ledger) ? undefined : unsizedFinding(seen, residual);
}

function ruledOut({ descriptors: table }: Seen, rings: Rings, { bytes }: Pinned): string {
  const looked = table === undefined
    ? ""
    : `; ${formatQuantity(countOf(rings), "ring that was looked at takes", "rings that were looked at take")} ${
      formatBytes(rings.ringBytes)
    }`;
  return `${formatBytes(bytes)} is pinned and in no process${looked}`;
}

export const ioUring: Analyzer = defineAnalyzer({
  id: "io-uring",
  title: "io_uring rings and registered buffers",
  mechanism:
    "An io_uring keeps its rings in kernel pages, up to 4 MiB each, which are in no account of /proc/meminfo. Buffers that are registered with it stay pinned " +
    "after the program has unmapped them: no process has them any more, they still stand on the LRU lists, and only closing the ring gives them back. " +
    "The rings of its predecessor, Linux AIO (io_setup), are page cache of no file: they are in Cached and MemAvailable, and cannot be given back.",
  lookAlikes:
    "RDMA memory regions and VFIO, which pin pages, too. packet-ring and pipe-buffers: also outside every account. user-leak: registered buffers that are still mapped " +
    "are the process's own memory and no leak. A database: one or a few contexts of Linux AIO for each of its threads or processes.",
  references: [
    "https://man7.org/linux/man-pages/man7/io_uring.7.html",
    "io_uring/rsrc.c io_sqe_buffers_register()",
    "fs/aio.c aio_setup_ring()",
  ],
  needs,
  uses,
  analyze(values, facts) {
    const seen = { ...values, facts };
    const aio = aioFinding(seen);
    const known = pinnedOf(seen);
    if (known === undefined && seen.descriptors === undefined) {
      return aio === undefined ? { notAssessed: PINNED } : { findings: [aio] };
    }
    const pinned = known ?? { bytes: 0, evidence: [] };
    const rings = ringsOf(seen);
    const findings = [finding(seen, rings, pinned), aio].filter((each) => each !== undefined);
    if (findings.length > 0) return { findings };
    const unheld = unaccountedBytes(seen.ledger) - rings.ringBytes;
    if (seen.seesAllDescriptors === false && unheld >= materialQueueBytes(seen.ledger.totalBytes)) {
      return { notAssessed: [ALL_DESCRIPTORS] };
    }
    return { ruledOut: ruledOut(seen, rings, pinned) };
  },
});
