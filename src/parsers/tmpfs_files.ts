// sos_commands/filesys/tmpfs_files: the largest files of each tmpfs, hugetlbfs and ramfs, the largest first: blocks, their size, device, inode, time
// of the last change in seconds since 1970, path. A ramfs stands as its own folder, too, with the blocks of all that is in it: a file's
// blocks are its pages there (fs/libfs.c, simple_getattr), but df shows 0.
//
//   819280 512 40 7966648 1795947282 /mnt/ramfs
//   819200 512 27 231443 1795420697 /dev/shm/nailhouse-31634
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";
import { multiply, parseCount } from "./_numbers.ts";

/** One file, or the folder that a ramfs is mounted on. */
export interface TmpfsFile {
  readonly path: string;
  /** What it really takes: holes do not count. */
  readonly bytes: number;
  /** Of its file system, wherever that is mounted. */
  readonly device: string;
  /** Device and inode. */
  readonly identity: string;
  readonly changedSeconds: number;
  readonly line: number;
}

const FILE = /^(\d{1,16}) (\d{1,9}) (\d{1,20}) (\d{1,20}) (\d{1,12}) (\/.*)$/;

/**
 * Parses the list.
 *
 * @returns Empty where no tmpfs has a file of more than 1 MiB, and no ramfs is mounted.
 *
 * @example
 * ```ts
 * import { parseTmpfsFiles } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [file] = parseTmpfsFiles("8 512 27 231443 1795420697 /dev/shm/x\n", { facts: {}, warn() {} });
 * strictEqual(file?.bytes, 4096);
 * ```
 */
export function parseTmpfsFiles(text: string, context: ParseContext): readonly TmpfsFile[] {
  const files: TmpfsFile[] = [];
  const seen = new Set<string>();
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const found = FILE.exec(line);
    const bytes = found === null ? undefined : multiply(parseCount(found[1]), parseCount(found[2]));
    if (found === null || bytes === undefined) return context.warn(number, `not a file: ${quote(line)}`);
    const path = found[6] as string;
    // A file system that is mounted twice is listed twice.
    const identity = `${found[3]} ${found[4]}`;
    if (seen.has(identity)) return;
    seen.add(identity);
    files.push({ path, bytes, device: found[3] as string, identity, changedSeconds: Number(found[5]), line: number });
  });
  return files;
}

/** A snapshot's file, as {@linkcode parseTmpfsFiles} reads it. */
export const tmpfsFiles: Source<Parsed<readonly TmpfsFile[]>> = defineArtifact({
  name: "tmpfs_files",
  paths: ["sos_commands/filesys/tmpfs_files"],
  howToCapture: "find /dev/shm -xdev -type f -size +1024k -exec stat -c '%b %B %d %i %Y %n' {} +",
  parse: parseTmpfsFiles,
});
