import { MANY_OPEN_FILES, type NetnsCapture } from "../core/collector.ts";
import type { ReadResult } from "../core/host.ts";
import { openFiles } from "./_files.ts";
import { processIds } from "./_processes.ts";
import type { Namespace, Run } from "./_run.ts";

const FOLDER = "sos_commands/networking/namespaces";

/** Processes remembered of a namespace: enough that one of them outlives the collecting. */
const MAX_PIDS = 3;

/** Where network namespaces are kept without a process: a line of mountinfo ends in `- nsfs`. */
const NSFS_MOUNT = /^\d+ \d+ \S+ (net:\[\d+\]) (\S+) .* - nsfs /;

/** Undoes the octal escapes of mountinfo. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** `net:[4026531840]` and the file that it is mounted on. */
async function mountedNamespaces(run: Run): Promise<Map<string, string>> {
  const mounts = new Map<string, string>();
  const read = await run.host.readFile("/proc/1/mountinfo", run.limits());
  if (read.status !== "ok") return mounts;
  for (const line of new TextDecoder().decode(read.bytes).split("\n")) {
    const [, link, path] = NSFS_MOUNT.exec(line) ?? [];
    if (link !== undefined && path !== undefined && !mounts.has(link)) mounts.set(link, unescapePath(path));
  }
  return mounts;
}

/** Of namespaces that only descriptors keep: each takes four programs a snapshot. Where there are many they leaked, and are empty as a rule. */
export const MAX_HELD_NAMESPACES = 32;

/**
 * Of processes that are given as `PID/fd`, descriptors of network namespaces, as `PID/fd/FD net:[INODE]`. `find` takes a third of the time that looking at each
 * from here takes; that of busybox cannot.
 */
export const FIND_HELD: string = `xargs sh -c 'find "$@" -maxdepth 1 -lname "net:*" -printf "%p %l\\n"' sh`;

/** The same of all processes. */
export const FIND_ALL_HELD: readonly string[] = [
  "sh",
  "-c",
  `exec 2>/dev/null; cd /proc && printf '%s\\n' [0-9]*/fd | ${FIND_HELD}; true`,
];

/** Descriptors that keep a namespace: `/proc/4711/fd/9`, by what it links to. A program that opened one may have left it, with sockets of it. */
async function findHeld(run: Run): Promise<Map<string, string>> {
  const found = await run.host.run(FIND_ALL_HELD, run.limits());
  const held = new Map<string, string>();
  for (const row of found.status === "ok" ? new TextDecoder().decode(found.bytes).split("\n") : []) {
    const [, fd, link] = /^(\d+\/fd\/\d+) (net:\[\d+\])$/.exec(row) ?? [];
    if (fd !== undefined && link !== undefined && !held.has(link)) held.set(link, `/proc/${fd}`);
  }
  return held;
}

function namespaceName(link: string, mount: string | undefined): string {
  const name = mount?.split("/").at(-1)?.replace(/[^\w.-]/g, "_");
  return name ?? `net-${link.replace(/\D/g, "")}`;
}

/** All network namespaces but the first one. */
async function findNamespaces(run: Run): Promise<Namespace[]> {
  const { host } = run;
  const first = host.readlinkNow("/proc/1/ns/net") ?? host.readlinkNow("/proc/self/ns/net");
  const pids = new Map<string, string[]>();
  for (const pid of processIds(run)) {
    const link = host.readlinkNow(`/proc/${pid}/ns/net`);
    // Root is denied it only for a process that ended.
    if (link === undefined && host.facts.euid !== 0) run.problem("proc/*/ns/net", "permission denied: not root");
    if (link === undefined || link === first) continue;
    const known = pids.get(link);
    if (known === undefined) pids.set(link, [pid]);
    else if (known.length < MAX_PIDS) known.push(pid);
  }
  const mounts = await mountedNamespaces(run);
  if (run.first && openFiles(run) <= MANY_OPEN_FILES) run.heldNamespaces = await findHeld(run);
  if (first !== undefined) mounts.delete(first);
  const others = [...run.heldNamespaces].filter(([link, path]) =>
    link !== first && !pids.has(link) && !mounts.has(link) && host.readlinkNow(path) === link
  );
  if (others.length > MAX_HELD_NAMESPACES) {
    run.problem(FOLDER, `only ${MAX_HELD_NAMESPACES} namespaces that descriptors hold were read`);
  }
  const held = new Map(others.slice(0, MAX_HELD_NAMESPACES));
  const used = new Set<string>();
  return [...new Set([...pids.keys(), ...mounts.keys(), ...held.keys()])].map((link) => {
    const mount = mounts.get(link);
    const members = pids.get(link) ?? [];
    let name = namespaceName(link, mount);
    // Two mounts in different folders may have one name.
    if (used.has(name)) name = namespaceName(link, undefined);
    used.add(name);
    return { name, pids: members, keeper: mount ?? held.get(link) };
  });
}

/**
 * From the first process that still has it. These files are made under locks that are never held while waiting, so that
 * the cheap way of reading is safe; there may be dozens of them in each of hundreds of namespaces.
 */
function readOfProcesses(run: Run, pids: readonly string[], name: string, maxBytes?: number): ReadResult {
  let result: ReadResult = { status: "missing" };
  for (const pid of pids) {
    result = run.host.readNow(`/proc/${pid}/net/${name}`, run.limits(maxBytes).maxBytes);
    if (result.status !== "missing" && result.status !== "denied") return result;
  }
  return result;
}

async function captureNamespace(run: Run, capture: NetnsCapture, { name, pids, keeper }: Namespace): Promise<void> {
  const folder = `${FOLDER}/${name}`;
  const enter = ["nsenter", `--net=${run.host.localPath(keeper ?? `/proc/${pids[0]}/ns/net`)}`];
  // Somebody who was just looking into it may have been all the processes that it had.
  const isAlive = (pid: string): boolean => run.host.readlinkNow(`/proc/${pid}/ns/net`) !== undefined;
  if (keeper === undefined || pids.some(isAlive)) {
    for (const name of capture.files) {
      await run.keep(`${folder}/proc/net/${name}`, readOfProcesses(run, pids, name, capture.maxBytes));
    }
  } else {
    // One problem for the namespace, not one for each file.
    const paths = capture.files.map((name) => `/proc/net/${name}`);
    for await (const { path, result } of run.host.readInChild(paths, run.limits(capture.maxBytes), enter)) {
      await run.keep(`${folder}${path}`, result, folder);
    }
  }
  for (const { argv, as } of capture.commands) {
    await run.keep(`${folder}/${as}`, await run.host.run(argv, run.limits(), enter));
  }
}

/** Captures the files of the first namespace in their own place, and of each other one below its name. */
export async function captureNamespaces(run: Run, capture: NetnsCapture): Promise<void> {
  for (const name of capture.files) {
    await run.keep(`proc/net/${name}`, readOfProcesses(run, ["1", "self"], name, capture.maxBytes));
  }
  run.namespaces ??= await findNamespaces(run);
  const { namespaces } = run;
  if (namespaces.length > capture.maxNamespaces) {
    run.problem(
      FOLDER,
      `only ${capture.maxNamespaces} of ${namespaces.length} namespaces were read`,
    );
  }
  for (const namespace of namespaces.slice(0, capture.maxNamespaces)) await captureNamespace(run, capture, namespace);
}
