/** What each process has, from /proc/PID/status or, where a bundle lacks it as most sosreports do, from its tables of ps. */
import { formatBytes } from "../core/format.ts";
import type { Captured, Missing, Parsed, Reader, Source } from "../core/source.ts";
import type { ProcessFile } from "../parsers/_groups.ts";
import { leaderlessStatus } from "../parsers/leaderless_status.ts";
import { type ProcessStatus, processStatus } from "../parsers/process_status.ts";
import { type PsProcess, psTables } from "../parsers/ps.ts";

type StatusFile = ProcessFile<ProcessStatus>;

/** Of a command line: the program's name, as far as the kernel would keep it. */
function commOf(command: string | undefined): string | undefined {
  const [program = ""] = (command ?? "").split(" ", 1);
  // A program may call itself what it likes: `nginx: worker process`, `-bash`.
  const name = program.slice(program.lastIndexOf("/") + 1).replace(/^-|:$/g, "");
  return name === "" ? undefined : name.slice(0, 15);
}

/** In brackets: a kernel thread or a zombie. Neither has memory. */
function hasMemory({ rssBytes }: PsProcess): boolean {
  return rssBytes !== undefined && rssBytes > 0;
}

function statusOf(row: PsProcess, others: readonly PsProcess[]): ProcessStatus {
  const known = <K extends keyof PsProcess>(key: K): PsProcess[K] | undefined =>
    row[key] ?? others.find((other) => other[key] !== undefined)?.[key];
  return {
    name: known("comm") ?? commOf(known("command")),
    pid: row.pid,
    tgid: undefined,
    ppid: known("ppid"),
    state: known("state"),
    threads: known("threads"),
    uid: undefined,
    fdSize: undefined,
    vmSizeBytes: row.vszBytes,
    vmLckBytes: undefined,
    vmPinBytes: undefined,
    vmRssBytes: row.rssBytes,
    vmHwmBytes: undefined,
    rssAnonBytes: undefined,
    rssFileBytes: undefined,
    rssShmemBytes: undefined,
    vmPteBytes: undefined,
    vmSwapBytes: undefined,
    hugetlbBytes: undefined,
    sigQueued: undefined,
    lines: new Map([["VmRSS", row.line]]),
  };
}

function fromTables(tables: readonly Parsed<readonly PsProcess[]>[]): StatusFile[] {
  const rows = new Map<number, PsProcess[]>();
  for (const { value } of tables) {
    for (const row of value) {
      const known = rows.get(row.pid);
      if (known === undefined) rows.set(row.pid, [row]);
      else known.push(row);
    }
  }
  const sized = tables.find(({ value }) => value.some(hasMemory));
  return (sized?.value ?? []).filter(hasMemory).map((row) => ({
    pid: row.pid,
    path: (sized as Parsed<unknown>).path,
    value: statusOf(row, rows.get(row.pid) ?? []),
  }));
}

/** Where the first thread has ended and others have not, its own status tells nothing of the memory: theirs does. */
function withThreads(files: readonly StatusFile[], threads: Parsed<readonly ProcessStatus[]>): readonly StatusFile[] {
  const names = new Map(threads.value.map(({ pid, name }) => [pid, name]));
  const added = threads.value.flatMap((thread): StatusFile[] => {
    const { pid, tgid, vmRssBytes } = thread;
    if (tgid === undefined || tgid === pid || vmRssBytes === undefined) return [];
    return [{ pid: tgid, path: threads.path, value: { ...thread, pid: tgid, name: names.get(tgid) ?? thread.name } }];
  });
  if (added.length === 0) return files;
  const pids = new Set(added.map(({ pid }) => pid));
  return [...files.filter(({ pid }) => !pids.has(pid)), ...added];
}

function read(reader: Reader): Captured<readonly StatusFile[]> {
  const files = reader.read(processStatus);
  const threads = reader.read(leaderlessStatus);
  if (files.status === "ok" && threads.status === "ok") {
    return { status: "ok", value: withThreads(files.value, threads.value) };
  }
  if (files.status !== "missing") return files;
  const tables = reader.read(psTables);
  const processes = tables.status === "ok" ? fromTables(tables.value) : [];
  return processes.length === 0 ? files : { status: "ok", value: processes };
}

/** User processes; what is only in `ps` has no more than RSS, which file and shared pages are part of. */
export const processStatuses: Source<readonly StatusFile[]> = {
  name: "processes' status",
  patterns: [...processStatus.patterns, ...leaderlessStatus.patterns, ...psTables.patterns],
  read,
};

/** What a list of some processes lacks. */
export const ALL_PROCESSES: Missing = {
  path: "the whole list of processes (what is there is cut off, or filtered)",
  howToCapture: "ps auxwww",
};

/** How to see what is hidden. */
export const FROM_OUTSIDE = "nailhouse collect as root and outside of containers, or with --root";

/** Processes that hold so much anonymous memory, and that the list does not have. */
export function hiddenProcesses(bytes: number): Missing {
  return {
    path: `processes with ${
      formatBytes(bytes)
    } of anonymous memory, which are not in the list (hidden in a container, or by hidepid of /proc)`,
    howToCapture: FROM_OUTSIDE,
  };
}

/** What only all descriptors tell. */
export const ALL_DESCRIPTORS: Missing = {
  path: "descriptors of all processes (as it was captured, only some were seen)",
  howToCapture: FROM_OUTSIDE,
};

/**
 * Whether descriptors of all processes could be seen: an ordinary user sees his own; in a container only its processes are there. All PID namespaces but the
 * first one lack the kernel's threads, which are children of process 2, kthreadd.
 */
export const seesAllDescriptors: Source<boolean> = {
  name: "whether descriptors of all processes were seen",
  patterns: processStatus.patterns,
  read(reader) {
    if (reader.facts.privileged === false) return { status: "ok", value: false };
    const files = reader.read(processStatus);
    if (files.status !== "ok") return files;
    // Foreign bundles choose whom they tell of.
    if (reader.facts.privileged === undefined) return { status: "ok", value: true };
    return { status: "ok", value: files.value.some(({ pid, value: { name } }) => pid === 2 && name === "kthreadd") };
  },
};

function isPs({ comm, command }: PsProcess): boolean {
  return (comm ?? commOf(command)) === "ps";
}

/**
 * Whether these are all processes. ps lists itself: a table without it was cut off, or filtered (`ps aux --sort -rss | head`), or is top's screen. In such a
 * one who is missing is not known to be small, or to be one of few.
 */
export const areAllProcesses: Source<boolean> = {
  name: "whether all processes are known",
  patterns: processStatuses.patterns,
  read(reader) {
    if (reader.read(processStatus).status !== "missing") return { status: "ok", value: true };
    const tables = reader.read(psTables);
    return tables.status === "ok"
      ? { status: "ok", value: tables.value.some(({ value }) => value.some(isPs)) }
      : tables;
  },
};
