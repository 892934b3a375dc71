import type { ProcessCapture, SocketOwnersCapture } from "../core/collector.ts";
import type { ReadResult } from "../core/host.ts";
import { sumOf } from "../core/sums.ts";
import type { ProcessSize, Run } from "./_run.ts";

/** A status is about 1.5 KB; thousands of groups make it longer. */
const MAX_STATUS_BYTES = 64 * 1024;

/** All processes, the oldest first as far as numbers tell. */
export function processIds(run: Run): string[] {
  const list = run.host.listNow("/proc");
  if (list.status !== "ok") {
    run.fail("proc", list);
    return [];
  }
  return list.names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(a) - Number(b));
}

/**
 * VmRSS, VmSwap and HugetlbPages of a status, together; undefined when it has none of them, as that of a kernel thread.
 */
function sizeOf(status: string): number | undefined {
  const sizes = [...status.matchAll(/^(?:VmRSS|VmSwap|HugetlbPages):\s+(\d+) kB$/gm)];
  return sizes.length === 0 ? undefined : sumOf(sizes, ([, kib]) => Number(kib) * 1024);
}

const latin1 = new TextDecoder("latin1");

function measured(pid: string, status: ReadResult): ProcessSize {
  return { pid, bytes: status.status === "ok" ? sizeOf(latin1.decode(status.bytes)) : undefined };
}

/** All processes with their sizes: as they were captured in this snapshot, else each one is looked at. */
function processes(run: Run): readonly ProcessSize[] {
  run.processes ??= processIds(run).map((pid) =>
    measured(pid, run.host.readNow(`/proc/${pid}/status`, MAX_STATUS_BYTES))
  );
  return run.processes;
}

/** How many processes a capture is about in this snapshot; undefined for all. */
function largest(run: Run, capture: ProcessCapture): number | undefined {
  return run.first ? capture.largest : capture.changing?.largest;
}

/** The processes that a capture is about in this snapshot. */
function chosen(run: Run, capture: ProcessCapture): string[] {
  const count = largest(run, capture);
  if (count === undefined && capture.mayHang !== true) {
    return run.processes?.map(({ pid }) => pid) ?? processIds(run);
  }
  const sized = processes(run).filter((each) => each.bytes !== undefined) as { pid: string; bytes: number }[];
  return (count === undefined ? sized : sized.sort((a, b) => b.bytes - a.bytes).slice(0, count)).map(({ pid }) => pid);
}

/**
 * Says that others have processes, too, which cannot be seen. Process 2 is kthreadd, which starts the kernel's threads, and is in no PID namespace but the
 * first one; hidepid of /proc hides it, too.
 */
function noteHidden(run: Run): void {
  const second = run.host.readNow("/proc/2/comm", 64);
  if (second.status === "ok" && latin1.decode(second.bytes) === "kthreadd\n") return;
  run.problem(
    "proc",
    "not all processes can be seen: this is a container (see --root), or hidepid of /proc hides those of others",
  );
}

export async function captureProcesses(run: Run, capture: ProcessCapture): Promise<void> {
  const pids = chosen(run, capture);
  if (run.first && capture.files.includes("status")) noteHidden(run);
  if (capture.mayHang === true) {
    const paths = pids.flatMap((pid) => capture.files.map((file) => `/proc/${pid}/${file}`));
    for await (const { path, result } of run.host.readInChild(paths, run.limits(capture.maxBytes))) {
      await run.keep(path.slice(1), result, path.replace(/^\/proc\/\d+\//, "proc/*/"));
    }
    return;
  }
  const sizes: ProcessSize[] = [];
  for (const pid of pids) {
    for (const file of capture.files) {
      const path = `/proc/${pid}/${file}`;
      const result = run.host.readNow(path, run.limits(capture.maxBytes).maxBytes);
      if (file === "status") sizes.push(measured(pid, result));
      await run.keep(path.slice(1), result, `proc/*/${file}`);
    }
  }
  if (largest(run, capture) === undefined && sizes.length > 0) run.processes ??= sizes;
}

/** A process's descriptors: where its first thread has ended, and others have not, they are with any of these. */
function listDescriptors(run: Run, pid: string, max: number) {
  const own = `/proc/${pid}/fd`;
  const list = run.host.listNow(own, { max });
  if (list.status === "ok" && list.names.length > 0) return { folder: own, list };
  const threads = run.host.listNow(`/proc/${pid}/task`, { max: 2 });
  const other = threads.status === "ok" ? threads.names.find((thread) => thread !== pid) : undefined;
  if (other === undefined) return { folder: own, list };
  const folder = `/proc/${pid}/task/${other}/fd`;
  return { folder, list: run.host.listNow(folder, { max }) };
}

/** Looks up the processes that hold the sockets noted so far, and stops when all are found. */
export async function captureSocketOwners(run: Run, capture: SocketOwnersCapture): Promise<void> {
  const wanted = new Set(run.queued);
  const lines: string[] = [];
  let descriptors = 0;
  const pids = processIds(run);
  // systemd has what it passed on to the services that it started: they come first.
  for (const pid of [...pids.filter((each) => each !== "1"), ...pids.filter((each) => each === "1")]) {
    if (wanted.size === 0 || descriptors >= capture.maxDescriptors) break;
    run.checkpoint();
    const { folder, list } = listDescriptors(run, pid, capture.maxDescriptors - descriptors);
    if (list.status !== "ok") {
      run.fail("proc/*/fd", list);
      continue;
    }
    descriptors += list.names.length;
    const found = new Set<number>();
    for (const fd of list.names) {
      const link = run.host.readlinkNow(`${folder}/${fd}`);
      const inode = Number(link?.match(/^socket:\[(\d+)\]$/)?.[1]);
      if (!wanted.has(inode)) continue;
      lines.push(`${folder}/${fd} -> ${link}`);
      found.add(inode);
    }
    // After this process: it may have one socket under several numbers. Other processes that inherited it are not
    // sought.
    for (const inode of found) wanted.delete(inode);
  }
  lines.push(`# descriptors_read ${descriptors}`, `# not_found ${wanted.size}`, "");
  await run.store(capture.as, new TextEncoder().encode(lines.join("\n")));
}
