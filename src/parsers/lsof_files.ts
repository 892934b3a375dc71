// sos_commands/process/lsof*: of the open files those that are in no directory any more, and those that are mapped. A mapped one stands
// under `mem` or, when it is deleted, under `DEL`.
//
//   COMMAND     PID  USER  FD   TYPE     DEVICE SIZE/OFF    NODE NAME
//   shmem     31634     0    3u      REG               0,27 419430400   231443 /dev/shm/nailhouse-31634 (deleted)
//   shmem     10822     0  DEL       REG                0,1                 96 /memfd:nailhouse
//   shmem     10822     0    3u      REG                0,1 419430400       96 /memfd:nailhouse (deleted)
//   postgres   1234     0  mem       REG               0,27   1048576   231445 /dev/shm/PostgreSQL.42
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";
import { withoutFlags } from "./_lsof_flags.ts";
import type { UnlinkedFile } from "./shared_memory_descriptors.ts";

/** A file that is in a directory, and mapped by some process. */
export interface MappedFile {
  readonly name: string;
  readonly bytes: number;
  readonly line: number;
}

/** A file that is in a directory, and open by a process. */
export interface OpenFile extends MappedFile {
  readonly pid: number;
  readonly comm: string;
  readonly identity: string;
}

/** Files of memory that lsof lists. */
export interface LsofFiles {
  /** Memfds and deleted files. Their size is that of the file, holes included. */
  readonly unlinked: readonly UnlinkedFile[];
  /** Each once. */
  readonly mapped: readonly MappedFile[];
  /** Of each process each once; on whatever file system. */
  readonly open: readonly OpenFile[];
}

const DELETED = " (deleted)";

/**
 * Finds deleted and mapped files in the output of lsof.
 *
 * @throws {ParseError} if no line is an open regular file.
 *
 * @example
 * ```ts
 * import { parseLsofFiles } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const { unlinked } = parseLsofFiles("x 9 0 3u REG 0,1 4096 96 /memfd:x (deleted)\n");
 * strictEqual(unlinked[0]?.bytes, 4096);
 * ```
 */
export function parseLsofFiles(text: string): LsofFiles {
  let rows = 0;
  const unlinked: Omit<UnlinkedFile, "mapped">[] = [];
  const mapped = new Map<string, MappedFile | undefined>();
  const open = new Map<string, OpenFile>();
  forEachLine(text, (line, number) => {
    const all = columns(line);
    const at = all.indexOf("REG", 3);
    // The header may be cut off: of a long list sosreport keeps the end. A thread's line has two columns more.
    if (at < 4 || at > 6) return;
    const words = withoutFlags(all, at);
    rows++;
    const descriptor = words[at - 1] as string;
    const device = words[at + 1];
    if (descriptor === "DEL") return void mapped.set(`${device} ${words[at + 2]}`, undefined);
    const bytes = parseCount(words[at + 2]);
    // lsof +L1, which lists deleted files alone, has their number of links before the inode.
    const named = words[at + 4]?.startsWith("/") === false && words[at + 5]?.startsWith("/") ? at + 5 : at + 4;
    const identity = `${device} ${words[named - 1]}`;
    const name = words.slice(named).join(" ");
    const fd = /^(\d{1,9})[rwu][A-Za-z]?$/.exec(descriptor)?.[1];
    const pid = parseCount(words[1]);
    if (bytes === undefined || pid === undefined) return;
    if (descriptor === "mem") mapped.set(identity, { name, bytes, line: number });
    else if (fd !== undefined && name.endsWith(DELETED)) {
      unlinked.push({
        pid,
        fd: Number(fd),
        comm: words[0],
        name,
        bytes,
        identity,
        fileSystem: undefined,
        weight: 1,
        line: number,
      });
    } else if (fd !== undefined && bytes > 0 && name.startsWith("/")) {
      open.set(`${pid} ${identity}`, { pid, comm: words[0] as string, name, bytes, identity, line: number });
    }
  });
  if (rows === 0) throw new ParseError("Cannot parse lsof: no line is an open regular file", { text });
  return {
    unlinked: unlinked.map((file) => ({ ...file, mapped: mapped.has(file.identity) })),
    mapped: [...mapped.values()].filter((file) => file !== undefined),
    open: [...open.values()],
  };
}

/** A snapshot's file, as {@linkcode parseLsofFiles} reads it. */
export const lsofFiles: Source<Parsed<LsofFiles>> = defineArtifact({
  name: "lsof",
  paths: ["sos_commands/process/lsof_*", "sos_commands/filesys/lsof_*"],
  howToCapture: "lsof -b +M -n -l",
  parse: parseLsofFiles,
});
