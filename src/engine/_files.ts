import type { CommandCapture, FileCapture, FolderCapture, TreeCapture } from "../core/collector.ts";
import { matcher } from "../core/patterns.ts";
import type { Run } from "./_run.ts";

/**
 * Long for an idle host, where all of them answer within a second, and short enough for one that is about to be
 * rebooted.
 */
const COMMAND_TIMEOUT_SECONDS = 20;

/** The path in the bundle of a file of the host. */
function stored(path: string): string {
  return path.slice(1);
}

/** The existing paths that match a pattern; a path without a `*` as it is. */
function expand(run: Run, pattern: string): string[] {
  let paths = [""];
  for (const segment of pattern.split("/").slice(1)) {
    if (!segment.includes("*")) {
      paths = paths.map((path) => `${path}/${segment}`);
      continue;
    }
    const matches = matcher([segment]);
    paths = paths.flatMap((path) => {
      const list = run.host.listNow(path);
      if (list.status === "ok") return list.names.filter(matches).sort().map((name) => `${path}/${name}`);
      run.fail(stored(path), list);
      return [];
    });
  }
  return paths;
}

async function captureFiles(run: Run, paths: readonly string[], maxBytes?: number): Promise<void> {
  for (const path of paths) await run.keep(stored(path), await run.host.readFile(path, run.limits(maxBytes)));
}

export async function captureFile(run: Run, capture: FileCapture): Promise<void> {
  await captureFiles(run, expand(run, capture.path), capture.maxBytes);
}

/** A number is read from each folder below, so that the limit cuts off the smallest ones. */
export async function captureTree(run: Run, capture: TreeCapture): Promise<void> {
  const { path, having, files, largestBy, maxDepth, maxFolders } = capture;
  const top = run.host.listNow(path);
  if (top.status !== "ok") return run.fail(stored(path), top);
  if (!top.names.includes(having)) return;
  const below: { readonly path: string; readonly size: number }[] = [];
  let level = [path];
  for (let depth = 1; depth <= maxDepth; depth++) {
    level = level.flatMap((folder) => folders(run, folder));
    for (const folder of level) {
      const size = numberIn(run, `${folder}/${largestBy}`);
      if (size !== undefined) below.push({ path: folder, size });
    }
  }
  // A group is charged for those below it and comes before them.
  below.sort((a, b) => b.size - a.size || (a.path < b.path ? -1 : 1));
  const all = [path, ...below.map((each) => each.path)];
  if (all.length > maxFolders) {
    run.problem(stored(path), `has more than ${maxFolders} folders: the smallest were not read`);
  }
  for (const folder of all.slice(0, maxFolders)) await captureFiles(run, files.map((file) => `${folder}/${file}`));
}

/** What a file says that holds one number; undefined when it cannot be read or says something else. */
function numberIn(run: Run, path: string): number | undefined {
  run.checkpoint();
  const read = run.host.readNow(path, 32);
  const text = read.status === "ok" ? new TextDecoder().decode(read.bytes).trim() : "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function folders(run: Run, path: string): string[] {
  const list = run.host.listNow(path, { only: "folders" });
  if (list.status === "ok") return list.names.toSorted().map((name) => `${path}/${name}`);
  run.fail(stored(path), list);
  return [];
}

export async function captureFolder(run: Run, { path, maxBytes }: FolderCapture): Promise<void> {
  const folder = await run.host.listNewest(path, run.limits());
  if (folder.status === "hung") return run.problem(stored(path), "did not answer in time");
  if (folder.status !== "ok") return run.fail(stored(path), folder);
  let left = maxBytes;
  for (const name of folder.names) {
    const result = await run.host.readFile(`${path}/${name}`, run.limits(left));
    if (result.status === "ok" && result.truncated) {
      return run.problem(stored(path), `larger than ${maxBytes} bytes: only its newest files were taken`);
    }
    if (result.status === "ok") left -= result.bytes.length;
    await run.keep(stored(`${path}/${name}`), result);
  }
}

/** Open files of the whole system, the first field of file-nr; 0 when it cannot be told. */
export function openFiles(run: Run): number {
  const read = run.host.readNow("/proc/sys/fs/file-nr", 256);
  return read.status === "ok" ? parseInt(new TextDecoder().decode(read.bytes), 10) : 0;
}

/** Runs a command in the network namespace of process 1, if the collector is in another one. */
function inFirstNamespace(run: Run): readonly string[] {
  const { host } = run;
  const first = host.readlinkNow("/proc/1/ns/net");
  if (first === undefined || first === host.readlinkNow("/proc/self/ns/net")) return [];
  return ["nsenter", `--net=${host.localPath("/proc/1/ns/net")}`];
}

export async function captureCommand(run: Run, capture: CommandCapture): Promise<void> {
  const { aboveOpenFiles: above, timeoutSeconds = COMMAND_TIMEOUT_SECONDS } = capture;
  const argv = above !== undefined && openFiles(run) > above.count ? above.argv : capture.argv;
  const via = capture.network === true ? inFirstNamespace(run) : [];
  await run.keep(
    capture.as,
    await run.host.run(argv, run.limits(capture.maxBytes, timeoutSeconds * 1000), via),
  );
}
