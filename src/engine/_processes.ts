import type { ProcessCapture, SocketOwnersCapture } from "../core/collector.ts";
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
  return sizes.length === 0 ? undefined : sizes.reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0);
}

function processes(run: Run): readonly ProcessSize[] {
  run.processes ??= processIds(run).map((pid) => {
    const status = run.host.readNow(`/proc/${pid}/status`, MAX_STATUS_BYTES);
    return { pid, bytes: status.status === "ok" ? sizeOf(new TextDecoder("latin1").decode(status.bytes)) : undefined };
  });
  return run.processes;
}

/** The processes that a capture is about in this snapshot. */
function chosen(run: Run, capture: ProcessCapture): string[] {
  const all = processes(run);
  const largest = run.first ? capture.largest : capture.changing?.largest;
  if (largest === undefined) {
    return (capture.mayHang === true ? all.filter((each) => each.bytes !== undefined) : all).map(({ pid }) => pid);
  }
  const sized = all.filter((each) => each.bytes !== undefined) as { pid: string; bytes: number }[];
  return sized.sort((a, b) => b.bytes - a.bytes).slice(0, largest).map(({ pid }) => pid);
}

export async function captureProcesses(run: Run, capture: ProcessCapture): Promise<void> {
  const group = (path: string) => path.replace(/^\/proc\/\d+\//, "proc/*/");
  const paths = chosen(run, capture).flatMap((pid) => capture.files.map((file) => `/proc/${pid}/${file}`));
  if (capture.mayHang === true) {
    for await (const { path, result } of run.host.readInChild(paths, run.limits(capture.maxBytes))) {
      await run.keep(path.slice(1), result, group(path));
    }
    return;
  }
  for (const path of paths) {
    await run.keep(path.slice(1), run.host.readNow(path, run.limits(capture.maxBytes).maxBytes), group(path));
  }
}

/** Looks up the processes that hold the sockets noted so far, and stops when all are found. */
export async function captureSocketOwners(run: Run, capture: SocketOwnersCapture): Promise<void> {
  const wanted = new Set(run.queued);
  const lines: string[] = [];
  let descriptors = 0;
  for (const pid of processIds(run)) {
    if (wanted.size === 0 || descriptors >= capture.maxDescriptors) break;
    run.checkpoint();
    const list = run.host.listNow(`/proc/${pid}/fd`, { max: capture.maxDescriptors - descriptors });
    if (list.status !== "ok") {
      run.fail("proc/*/fd", list);
      continue;
    }
    descriptors += list.names.length;
    const found = new Set<number>();
    for (const fd of list.names) {
      const link = run.host.readlinkNow(`/proc/${pid}/fd/${fd}`);
      const inode = Number(link?.match(/^socket:\[(\d+)\]$/)?.[1]);
      if (!wanted.has(inode)) continue;
      lines.push(`/proc/${pid}/fd/${fd} -> ${link}`);
      found.add(inode);
    }
    // After this process: it may have one socket under several numbers. Other processes that inherited it are not
    // sought.
    for (const inode of found) wanted.delete(inode);
  }
  lines.push(`# descriptors_read ${descriptors}`, `# not_found ${wanted.size}`, "");
  await run.store(capture.as, new TextEncoder().encode(lines.join("\n")));
}
