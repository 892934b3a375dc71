// proc/sysvipc/msg: SysV message queues of the reader's IPC namespace. They stay until somebody removes them, whoever ends.
// ipc/msg.c, sysvipc_msg_proc_show()
//
//          key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime
//            0      32768   600       16000          4  8010     0     0     0     0     0 1795957499          0 1795957499
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { parseCount } from "./_numbers.ts";
import { parseTable } from "./_table.ts";

/** One queue. */
export interface SysvQueue {
  readonly id: number;
  /** Of the messages in it, without the kernel's own part of each. */
  readonly bytes: number;
  readonly messages: number;
  /** 0 where nobody ever sent, or received. */
  readonly lastSenderPid: number | undefined;
  readonly lastReceiverPid: number | undefined;
  readonly line: number;
}

/**
 * Parses /proc/sysvipc/msg.
 *
 * @throws {ParseError} if there is no header.
 *
 * @example
 * ```ts
 * import { parseSysvipcMsg } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "key msqid cbytes qnum lspid lrpid\n0 7 16000 4 8010 0\n";
 * strictEqual(parseSysvipcMsg(text, { facts: {}, warn() {} })[0]?.messages, 4);
 * ```
 */
export function parseSysvipcMsg(text: string, context: ParseContext): readonly SysvQueue[] {
  return parseTable(text, context, "key", ({ cell, count }, line) => {
    const id = parseCount(cell("msqid"));
    const bytes = parseCount(cell("cbytes"));
    const messages = parseCount(cell("qnum"));
    if (id === undefined || bytes === undefined || messages === undefined) return undefined;
    return { id, bytes, messages, lastSenderPid: count("lspid"), lastReceiverPid: count("lrpid"), line };
  });
}

/** A snapshot's file, as {@linkcode parseSysvipcMsg} reads it. */
export const sysvipcMsg: Source<Parsed<readonly SysvQueue[]>> = defineArtifact({
  name: "sysvipc_msg",
  paths: ["proc/sysvipc/msg"],
  howToCapture: "cat /proc/sysvipc/msg",
  parse: parseSysvipcMsg,
});
