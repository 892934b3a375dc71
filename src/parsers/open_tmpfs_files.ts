// sos_commands/process/shared_memory_descriptors: which files on a tmpfs that have a name are open (blocks, their size, device, inode, descriptor), and
// descriptors that keep a tmpfs which was unmounted (blocks that are used, their size, device, descriptor). For the rest of the file: shared_memory_descriptors.ts
//
//   # open 20480 512 93 14 /proc/32430/fd/3
//   # unmounted 61440 4096 94 /proc/32431/fd/3
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { forEachLine } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** A descriptor of a file that has a name on a tmpfs. */
export interface OpenTmpfsFile {
  readonly pid: number;
  /** What it really takes. */
  readonly bytes: number;
  /** Of its file system, wherever that is mounted. */
  readonly device: string;
  /** Device and inode: tells whether two descriptors are of the same file. */
  readonly identity: string;
  readonly line: number;
}

/** A descriptor that keeps a whole tmpfs, which is mounted nowhere any more. */
export interface UnmountedTmpfs {
  readonly pid: number;
  readonly fd: number;
  /** All that is used of it. */
  readonly bytes: number;
  readonly device: string;
  readonly line: number;
}

/** What is open on tmpfs by a name, or was unmounted. */
export interface OpenTmpfs {
  readonly files: readonly OpenTmpfsFile[];
  readonly unmounted: readonly UnmountedTmpfs[];
}

const OPEN = /^# open (\d{1,16}) (\d{1,9}) (\d{1,20}) (\d{1,20}) \/proc\/(\d{1,10})\/fd\/\d{1,10}$/;
const UNMOUNTED = /^# unmounted (\d{1,16}) (\d{1,9}) (\d{1,20}) \/proc\/(\d{1,10})\/fd\/(\d{1,10})$/;

/**
 * Parses the list.
 *
 * @returns Empty of a bundle of before this was captured, too.
 *
 * @example
 * ```ts
 * import { parseOpenTmpfs } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseOpenTmpfs("# open 8 512 93 14 /proc/9/fd/3\n").files[0]?.bytes, 4096);
 * ```
 */
export function parseOpenTmpfs(text: string): OpenTmpfs {
  const files: OpenTmpfsFile[] = [];
  const unmounted: UnmountedTmpfs[] = [];
  forEachLine(text, (row, line) => {
    const [, blocks, size, device, inode, pid] = OPEN.exec(row) ?? [];
    const bytes = multiply(parseCount(blocks), parseCount(size));
    if (bytes !== undefined) {
      files.push({ pid: Number(pid), bytes, device: device as string, identity: `${device} ${inode}`, line });
    }
    const [, used, each, mount, holder, fd] = UNMOUNTED.exec(row) ?? [];
    const kept = multiply(parseCount(used), parseCount(each));
    if (kept !== undefined) {
      unmounted.push({ pid: Number(holder), fd: Number(fd), bytes: kept, device: mount as string, line });
    }
  });
  return { files, unmounted };
}

/** A snapshot's file, as {@linkcode parseOpenTmpfs} reads it. */
export const openTmpfs: Source<Parsed<OpenTmpfs>> = defineArtifact({
  name: "open files on tmpfs",
  paths: ["sos_commands/process/shared_memory_descriptors"],
  howToCapture: "lsof -b +M -n -l",
  parse: parseOpenTmpfs,
});
