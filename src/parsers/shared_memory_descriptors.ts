// sos_commands/process/shared_memory_descriptors: descriptors of memfds and of deleted files, as `ls -l`, `stat` and /proc/PID/maps
// print them. No mount shows these files.
//
//   # Shmem:            418524 kB
//   lrwx------ 1 0 0 64 Nov 23 08:00 /proc/32430/fd/3 -> /memfd:nailhouse (deleted)
//   # looked 5 of 5 /proc/32430/fd
//   /proc/21123/fdinfo/4:scm_fds: 20
//   819200 512 1 98 /proc/32430/fd/3
//   tmpfs /proc/32430/fd/3
//   /proc/32430/maps:7f3624b56000-7f363db56000 rw-s 00000000 00:01 98                         /memfd:nailhouse (deleted)
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** One descriptor of a file that is in no directory. */
export interface UnlinkedFile {
  readonly pid: number;
  readonly fd: number;
  /** Undefined where the list has no names of processes. */
  readonly comm: string | undefined;
  /** As the kernel names it: `/memfd:NAME (deleted)`, `/dev/shm/x (deleted)`. */
  readonly name: string;
  /** What it really takes, in RAM and in swap. */
  readonly bytes: number;
  /** Device and inode: tells whether two descriptors are of the same file. */
  readonly identity: string;
  /** What kind of file system it is on; undefined where the list does not tell. */
  readonly fileSystem: string | undefined;
  /** True when a process that was looked at has it mapped. */
  readonly mapped: boolean;
  /** How many such descriptors of its process this one stands for: above 1 where not all were looked at. */
  readonly weight: number;
  readonly line: number;
}

interface Draft {
  readonly pid: number;
  readonly fd: number;
  readonly name: string;
  readonly line: number;
  bytes?: number;
  identity?: string;
  inode?: string;
  fileSystem?: string;
}

const LINK = / (\/proc\/(\d{1,10})\/fd\/(\d{1,10})) -> (.*)$/;
const LOOKED = /^# looked (\d{1,9}) of (\d{1,9}) \/proc\/(\d{1,10})\/fd$/;
const STAT = /^(\d{1,16}) (\d{1,9}) (\d{1,20}) (\d{1,20}) (\/proc\/\d{1,10}\/fd\/\d{1,10})$/;
const KIND = /^(\S{1,40}) (\/proc\/\d{1,10}\/fd\/\d{1,10})$/;
const SCM_FDS = /^\/proc\/\d{1,10}\/fdinfo\/\d{1,10}:scm_fds:/;
const MAPS = /^\/proc\/\d{1,10}\/maps:[0-9a-f]/;

/**
 * Parses the list. Descriptors that were closed before they were looked at are left out.
 *
 * @example
 * ```ts
 * import { parseSharedMemoryDescriptors } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "lrwx------ 1 0 0 64 Nov 23 08:00 /proc/9/fd/3 -> /memfd:x (deleted)\n8 512 1 98 /proc/9/fd/3\n";
 * const [file] = parseSharedMemoryDescriptors(text, { facts: {}, warn() {} });
 * strictEqual(file?.bytes, 4096);
 * ```
 */
export function parseSharedMemoryDescriptors(text: string, context: ParseContext): readonly UnlinkedFile[] {
  const drafts = new Map<string, Draft>();
  const weights = new Map<number, number>();
  const mapped = new Set<string>();
  forEachLine(text, (line, number) => {
    const link = LINK.exec(line);
    if (link !== null && !MAPS.test(line)) {
      const [, path, pid, fd, name] = link;
      drafts.set(path as string, { pid: Number(pid), fd: Number(fd), name: name as string, line: number });
      return;
    }
    const looked = LOOKED.exec(line);
    if (looked !== null) {
      // The list itself has a descriptor or two more than there are now.
      weights.set(Number(looked[3]), Math.max(1, Number(looked[2]) / Math.max(1, Number(looked[1]))));
      return;
    }
    // Those are descriptors_in_flight.ts's.
    if (line === "" || line.startsWith("# ") || SCM_FDS.test(line)) return;
    const stat = STAT.exec(line);
    const kind = KIND.exec(line);
    if (stat !== null) {
      const [, blocks, size, device, inode, path] = stat;
      const draft = drafts.get(path as string);
      const bytes = multiply(parseCount(blocks), parseCount(size));
      if (draft !== undefined && bytes !== undefined) {
        Object.assign(draft, { bytes, identity: `${device} ${inode}`, inode });
      }
    } else if (kind !== null) {
      const draft = drafts.get(kind[2] as string);
      if (draft !== undefined) draft.fileSystem = kind[1] as string;
    } else if (MAPS.test(line)) {
      const [, , , , inode, ...name] = columns(line);
      mapped.add(`${inode} ${name.join(" ")}`);
    } else context.warn(number, `not of a descriptor: ${quote(line)}`);
  });
  return [...drafts.values()].flatMap(({ pid, fd, name, line, bytes, identity, inode, fileSystem }) =>
    bytes === undefined || identity === undefined ? [] : [{
      pid,
      fd,
      comm: undefined,
      name,
      bytes,
      identity,
      fileSystem,
      mapped: mapped.has(`${inode} ${columns(name).join(" ")}`),
      weight: weights.get(pid) ?? 1,
      line,
    }]
  );
}

/** A snapshot's file, as {@linkcode parseSharedMemoryDescriptors} reads it. */
export const sharedMemoryDescriptors: Source<Parsed<readonly UnlinkedFile[]>> = defineArtifact({
  name: "shared_memory_descriptors",
  paths: ["sos_commands/process/shared_memory_descriptors"],
  howToCapture: "lsof -b +M -n -l; grep -H -E '/memfd:|deleted' /proc/[0-9]*/maps",
  parse: parseSharedMemoryDescriptors,
});
