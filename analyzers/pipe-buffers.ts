import {
  type Analyzer,
  defineAnalyzer,
  type EvidenceLine,
  type FindingDraft,
  type Outcome,
} from "../src/core/analyzer.ts";
import { formatBytes, formatQuantity } from "../src/core/format.ts";
import type { Ledger, SourceLine } from "../src/core/ledger.ts";
import type { Claim, Confidence, Remedy } from "../src/core/report.ts";
import type { MaybeValues, Missing, Values } from "../src/core/source.ts";
import {
  FASTEST_COPY_BYTES_PER_SECOND,
  type Lives,
  mayHaveCopied,
  USUAL_COPY_BYTES_PER_SECOND,
  workOf,
} from "../src/computed/copy_time.ts";
import { type Descriptors, descriptors } from "../src/computed/descriptors.ts";
import { ledger } from "../src/computed/ledger.ts";
import { residualNoiseBytes } from "../src/computed/material.ts";
import { byComm, mainPids, MOST_OWNERS, nameOfGroup, stopAll, stopCommands } from "../src/computed/owners.ts";
import { givenPages } from "../src/computed/skb_memory.ts";
import { processLives } from "../src/computed/process_lives.ts";
import { ALL_DESCRIPTORS, seesAllDescriptors } from "../src/computed/process_statuses.ts";
import { processes } from "../src/computed/processes.ts";
import { meminfo } from "../src/parsers/meminfo.ts";
import { type Pipe, pipeContents } from "../src/parsers/pipe_contents.ts";
import { processStatus } from "../src/parsers/process_status.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";
import { setSysctl } from "../src/core/shell.ts";
import { sumBytes, sumOf } from "../src/core/sums.ts";
import { isWhole, unaccountedBytes, WHOLE_MEMINFO } from "../src/core/whole_ledger.ts";

/** What the pipes of one unprivileged user may hold before the kernel gives him two-page pipes only: fs.pipe-user-pages-soft, 16,384 pages. */
const SOFT_LIMIT_BYTES = 64 * 2 ** 20;
/** On a small host that default is too large. */
const MATERIAL_SHARE = 0.02;
/** A pipe this full has a writer that waits, or gave up: nobody reads, or not as fast. */
const FULL_SHARE = 0.9;
/** fs.pipe-max-size: what an unprivileged process may give a pipe. */
const MAX_PIPE_BYTES = 2 ** 20;

const needs = { ledger };
const uses = { pipeContents, descriptors, processStatus, processes, processLives, meminfo, seesAllDescriptors };

/** What the bundle tells. */
type Seen = Values<typeof needs> & MaybeValues<typeof uses>;

interface Group {
  readonly comm: string;
  readonly pids: readonly number[];
  readonly bytes: number;
  readonly pipes: readonly Pipe[];
}

function groups(pipes: readonly Pipe[], comms: ReadonlyMap<number, string | undefined>): Group[] {
  return [...byComm(pipes, ({ pid }) => comms.get(pid))].map(([comm, held]) => ({
    comm,
    pids: mainPids(held),
    bytes: sumBytes(held),
    pipes: held.toSorted((a, b) => b.bytes - a.bytes || a.inode - b.inode),
  })).sort((a, b) => b.bytes - a.bytes || (a.comm < b.comm ? -1 : 1));
}

/** Whether all that is in the pipes of a group may have been read, and written anew, while it was watched: from either end of them it takes as long. */
function mayBeRead({ bytes, pids }: Group, lives: Lives | undefined, copyBytesPerSecond: number): boolean {
  return mayHaveCopied(bytes, pids, lives, copyBytesPerSecond) === true;
}

/** Pipes that are read are full, too, where who writes is faster. */
function lookAgain({ pids: [pid] }: Group): Remedy {
  return {
    when: "now",
    text:
      `See whether the program reads or writes: a pipe between two that work is full, too, where who writes is faster. ${
        remedyMark("pipe-buffers", "see whether it reads")
      }`,
    commands: [`grep char /proc/${pid}/io; sleep 5; grep char /proc/${pid}/io`],
    verify: "rchar and wchar stay, or grow by far less than the pipes hold: then nobody reads",
  };
}

function withoutEmpty(group: Group): Group {
  return { ...group, pipes: group.pipes.filter(({ bytes }) => bytes > 0) };
}

function remedies(
  group: { readonly comm: string; readonly pids: readonly number[] },
  stop: readonly string[],
): Remedy[] {
  return [
    {
      when: "now",
      text:
        `End or restart the process that does not read, in an orderly way: a pipe is freed with the last descriptor of it. ${
          remedyMark("pipe-buffers", "end the owner")
        }`,
      commands: stop,
      verify: "MemFree rises by what the pipes held",
    },
    {
      when: "fix",
      text: `Read the pipe, or close the end that nobody reads: the writer then gets EPIPE. ${
        remedyMark("pipe-buffers", "read the pipe")
      }`,
      commands: group.pids.slice(0, 1).map((pid) => `lsof +E -p ${pid} | grep FIFO`),
      verify: "the pipes' Recv bytes stay near 0 (nailhouse collect, sos_commands/process/descriptor_contents)",
    },
    {
      when: "prevent",
      text: `Bound what an unprivileged user's pipes may hold; root is exempt. ${
        remedyMark("pipe-buffers", "limit of a user's pipes")
      }`,
      commands: setSysctl("fs.pipe-user-pages-hard=32768"),
      verify:
        "pipe() fails with ENFILE beyond it. Larger than 64 KiB no pipe gets before: that ends with EPERM at fs.pipe-user-pages-soft (64 MiB by default)",
    },
  ];
}

/** Memory that what pipes are full of may be in. */
function foundBytes(bytes: number, ledger: Ledger): number {
  return unaccountedBytes(ledger) + givenPages(bytes, ledger);
}

/** splice() puts a file's own pages into a pipe, which the page cache has, and tee() the same ones into another pipe: most of it is no memory of the pipes'. */
function isElsewhere(bytes: number, ledger: Ledger): boolean {
  return foundBytes(bytes, ledger) < bytes / 2;
}

/**
 * What is written is copied into pages of no account. What vmsplice() and splice() gave away are a process's or a file's pages, which no process has once
 * the mapping is gone, or the file is cut.
 */
function claimsOf(bytes: number, ledger: Ledger): Claim[] {
  const given = givenPages(bytes, ledger);
  const copied = Math.min(bytes - given, unaccountedBytes(ledger));
  const claims: Claim[] = [
    { account: "unaccounted", bytes: { low: isElsewhere(bytes, ledger) ? 0 : copied, high: copied } },
    { account: "pinned-lru", bytes: { low: given, high: given } },
  ];
  return claims.filter((claim) => claim.bytes.high > 0);
}

const CONTENTS: Missing = {
  path: "sos_commands/process/descriptor_contents",
  howToCapture: "nailhouse collect (needs perl or python3, and Linux 5.6)",
};

/** From here on pipes hold much. */
function materialBytes({ ledger }: Seen): number {
  return Math.min(SOFT_LIMIT_BYTES, MATERIAL_SHARE * ledger.totalBytes);
}

function residualEvidence(seen: Seen): EvidenceLine[] {
  const { meminfo: memory } = seen;
  const total = memory?.value.bytes.get("MemTotal");
  if (memory === undefined || total === undefined) return [];
  const residual = formatBytes(unaccountedBytes(seen.ledger));
  const because = `of this, ${residual} is in no account of the kernel, where the pages of pipes are`;
  return [{ path: memory.path, line: total.line, because }];
}

function workEvidence(group: Group, { processLives: lives }: Seen): EvidenceLine[] {
  const work = workOf(group.pids, lives);
  if (work === undefined) return [];
  const enough = mayBeRead(group, lives, FASTEST_COPY_BYTES_PER_SECOND)
    ? ": long enough to read, or write, all of it"
    : ", which is too short to read, or write, all of it";
  const because = `computed for ${work.cpuSeconds.toFixed(2)} s while it was watched${enough}`;
  return [{ path: work.path, line: work.line, because }];
}

/** Pipes that hold much, and who has them. */
interface Backlog {
  readonly pipes: readonly Pipe[];
  readonly full: readonly Pipe[];
  readonly path: string;
  readonly bytes: number;
  /** The largest first. A byte in the pipe that wakes an event loop is no backlog. */
  readonly holders: readonly [Group, ...Group[]];
  /** Who may have read, or written, all of it meanwhile; none unless they have most of it. */
  readonly busy: readonly Group[];
}

function backlogOf(
  pipes: readonly Pipe[],
  path: string,
  { processStatus: statuses, processLives: lives }: Seen,
): Backlog {
  const bytes = sumBytes(pipes);
  const comms = new Map(statuses?.map(({ pid, value }) => [pid, value.name]));
  const holders = groups(pipes, comms).filter((group) => group.bytes >= bytes / 100).map(withoutEmpty);
  const busy = holders.filter((group) => mayBeRead(group, lives, USUAL_COPY_BYTES_PER_SECOND));
  return {
    pipes,
    full: pipes.filter((pipe) => pipe.bytes >= FULL_SHARE * pipe.capacityBytes),
    path,
    bytes,
    holders: holders as [Group],
    busy: sumBytes(busy) >= bytes / 2 ? busy : [],
  };
}

/** Whether they hold much memory: the pages may be another's, and what is in no account no more than on a host where nothing is wrong. */
function isHeld(bytes: number, seen: Seen): boolean {
  const { ledger } = seen;
  return !isElsewhere(bytes, ledger) ||
    foundBytes(bytes, ledger) - residualNoiseBytes(ledger.totalBytes) >= materialBytes(seen);
}

function confidenceOf({ bytes, holders, full, busy }: Backlog, seen: Seen): Confidence {
  if (busy.length > 0 || !isHeld(bytes, seen)) return "possible";
  const idle = holders.filter((group) =>
    mayHaveCopied(group.bytes, group.pids, seen.processLives, FASTEST_COPY_BYTES_PER_SECOND) === false
  );
  const isAllThere = !isElsewhere(bytes, seen.ledger) && sumBytes(full) > bytes / 2;
  return sumBytes(idle) >= bytes / 2 && isAllThere ? "confirmed" : "likely";
}

function contentFinding(backlog: Backlog, seen: Seen): FindingDraft {
  const { pipes, full, path, bytes, holders, busy: [busiest] } = backlog;
  const [first, ...others] = holders;
  const [fullest] = first.pipes as readonly [Pipe];
  const count = sumOf(holders, (group) => group.pipes.length);
  return {
    title: `${nameOfGroup(first)}${others.length > 0 ? ` and ${formatQuantity(others.length, "other")}` : ""}: ${
      formatBytes(bytes)
    } unread in ${formatQuantity(count, "pipe")}${
      busiest === undefined ? "" : ", which may be read and filled again as fast"
    }${isElsewhere(bytes, seen.ledger) ? ", most of it pages of files, or the same in several pipes" : ""}`,
    confidence: confidenceOf(backlog, seen),
    material: busiest === undefined && isHeld(bytes, seen),
    claims: claimsOf(bytes, seen.ledger),
    owners: holders.slice(0, MOST_OWNERS).map((group) => ({
      pid: group.pids[0] ?? null,
      comm: group.comm,
      bytes: group.bytes,
      count: group.pipes.length,
      detail: `${formatQuantity(group.pipes.length, "pipe")} with something in it, the fullest ${
        formatBytes((group.pipes[0] as Pipe).bytes)
      }`,
    })),
    evidence: [
      {
        path,
        line: fullest.line,
        because: `the fullest: ${formatBytes(fullest.bytes)} of ${
          formatBytes(fullest.capacityBytes)
        } unread; ${full.length} of ${pipes.length} pipes are full`,
      },
      ...workEvidence(first, seen),
      ...residualEvidence(seen),
    ],
    remedies: busiest !== undefined
      ? [lookAgain(busiest), ...remedies(first, []).slice(1)]
      : isHeld(bytes, seen)
      ? remedies(first, stopAll(holders, seen.processes))
      : remedies(first, []).slice(1),
  };
}

function byContents(pipes: readonly Pipe[], path: string, seen: Seen): Outcome {
  const bytes = sumBytes(pipes);
  if (bytes >= materialBytes(seen)) return { findings: [contentFinding(backlogOf(pipes, path, seen), seen)] };
  if (seen.seesAllDescriptors === false && unaccountedBytes(seen.ledger) - bytes >= materialBytes(seen)) {
    return { notAssessed: [ALL_DESCRIPTORS] };
  }
  return { ruledOut: `${formatQuantity(pipes.length, "pipe holds", "pipes hold")} ${formatBytes(bytes)} unread` };
}

/** How many ends of pipes a process has. */
interface EndHolder {
  readonly process: Descriptors;
  readonly ends: number;
}

function endHolders({ descriptors: table }: Seen): EndHolder[] {
  return (table?.processes ?? []).map((process) => ({ process, ends: process.kinds.get("pipe") ?? 0 }))
    .sort((a, b) => b.ends - a.ends || a.process.pid - b.process.pid);
}

/** Without a look into the pipes their number bounds what they can hold, and that is all. */
function byNumber(seen: Seen): Outcome {
  const { descriptors: table, ledger } = seen;
  // Of free alone all that processes have is in no account.
  if (!isWhole(ledger)) return { notAssessed: [WHOLE_MEMINFO] };
  const residual = unaccountedBytes(seen.ledger);
  const isMuch = residual - residualNoiseBytes(ledger.totalBytes) >= materialBytes(seen);
  if (table === undefined && isMuch) return { notAssessed: [CONTENTS] };
  const holders = endHolders(seen);
  const ends = sumOf(holders, (holder) => holder.ends);
  // Each end may be of a pipe of its own: the other one is closed, or of a process that was not seen.
  const most = ends * MAX_PIPE_BYTES;
  const [first] = holders;
  const example = first?.process.examples.get("pipe");
  if (isMuch && first !== undefined && example !== undefined && most >= residual / 2) {
    return { findings: [numberFinding(first, example, Math.min(residual, most), seen)] };
  }
  if (seen.seesAllDescriptors === false && residual >= materialBytes(seen)) return { notAssessed: [ALL_DESCRIPTORS] };
  return {
    ruledOut: table === undefined
      ? `${formatBytes(residual)} is in no account, which is what it is on a host where nothing is wrong`
      : `${formatQuantity(ends, "end")} of pipes can hold ${formatBytes(most)}; ${
        formatBytes(residual)
      } is in no account`,
  };
}

function numberFinding({ process, ends }: EndHolder, example: SourceLine, high: number, seen: Seen): FindingDraft {
  const { pid, comm } = process;
  return {
    title: `${comm} (pid ${pid}) has ${formatQuantity(ends, "end")} of pipes, which may hold part of ${
      formatBytes(unaccountedBytes(seen.ledger))
    } outside every account`,
    confidence: "possible",
    material: true,
    claims: [{ account: "unaccounted", bytes: { low: 0, high } }],
    owners: [{
      pid,
      comm,
      bytes: 0,
      count: ends,
      detail:
        "how full its pipes are is not in the bundle; to find out: nailhouse collect (perl or python3, Linux 5.6)",
    }],
    evidence: [{
      ...example,
      because: `one of ${formatQuantity(ends, "descriptor")} of this kind: a pipe holds up to ${
        formatBytes(MAX_PIPE_BYTES)
      }`,
    }, ...residualEvidence(seen)],
    remedies: remedies({ comm, pids: [pid] }, stopCommands({ comm, pids: [pid] }, seen.processes)),
  };
}

export const pipeBuffers: Analyzer = defineAnalyzer({
  id: "pipe-buffers",
  title: "Pipes full of data that nobody reads",
  mechanism:
    "What is written to a pipe and not read stays in kernel pages: 64 KiB a pipe, up to 1 MiB after F_SETPIPE_SZ, more for root. The pages are in no account " +
    "of /proc/meminfo and in no process. No file tells how full a pipe is; only asking each pipe does (FIONREAD).",
  lookAlikes:
    "socket-backlog-unix: the same between sockets. skb-frag-amplification, packet-ring, io-uring: also outside every account, but compound pages. Many empty pipes: " +
    "an event loop has one or two, a supervisor three a child, and they hold nothing.",
  references: ["https://man7.org/linux/man-pages/man7/pipe.7.html", "fs/pipe.c"],
  needs,
  uses,
  analyze(seen) {
    const { pipeContents: file } = seen;
    return file === undefined ? byNumber(seen) : byContents(file.value, file.path, seen);
  },
});
