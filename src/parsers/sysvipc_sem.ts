// proc/sysvipc/sem: sets of SysV semaphores of the reader's IPC namespace. They stay until somebody removes them, whoever ends; who made one is told by its
// user alone. ipc/sem.c, sysvipc_sem_proc_show()
//
//        key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime
//          0      32768   600        100     0     0     0     0          0 1796043251
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { parseCount } from "./_numbers.ts";
import { parseTable } from "./_table.ts";

/** One set. */
export interface SysvSemaphores {
  readonly id: number;
  readonly semaphores: number;
  /** Who made it. */
  readonly creatorUid: number | undefined;
  readonly line: number;
}

/**
 * Parses /proc/sysvipc/sem.
 *
 * @throws {ParseError} if there is no header.
 *
 * @example
 * ```ts
 * import { parseSysvipcSem } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "key semid nsems cuid\n0 7 100 1000\n";
 * strictEqual(parseSysvipcSem(text, { facts: {}, warn() {} })[0]?.creatorUid, 1000);
 * ```
 */
export function parseSysvipcSem(text: string, context: ParseContext): readonly SysvSemaphores[] {
  return parseTable(text, context, "key", ({ cell, count }, line) => {
    const id = parseCount(cell("semid"));
    const semaphores = parseCount(cell("nsems"));
    return id === undefined || semaphores === undefined
      ? undefined
      : { id, semaphores, creatorUid: count("cuid"), line };
  });
}

/** A snapshot's file, as {@linkcode parseSysvipcSem} reads it. */
export const sysvipcSem: Source<Parsed<readonly SysvSemaphores[]>> = defineArtifact({
  name: "sysvipc_sem",
  paths: ["proc/sysvipc/sem"],
  howToCapture: "cat /proc/sysvipc/sem",
  parse: parseSysvipcSem,
});
