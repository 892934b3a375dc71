// sos_commands/process/lsof*: open files of all processes, as sosreport's process plugin captures them. Of a long list sosreport
// keeps the end, so the first line may be cut off.
//
//   COMMAND     PID  USER  FD   TYPE     DEVICE SIZE/OFF    NODE NAME
//   fd_leak   20883     0 1196u a_inode    0,16        0    1038 [eventpoll:4]
//   memfd:sea  1018     0    0r FIFO       0,15      0t0    3367 pipe
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";
import { withoutFlags } from "./_lsof_flags.ts";

/** Descriptors of one kind of one process. */
export interface LsofKind {
  readonly count: number;
  /** The first of them. */
  readonly line: number;
}

/** One process and its descriptors; mapped files, its root and its working directory are none. */
export interface LsofProcess {
  readonly pid: number;
  /** At most nine characters of it. */
  readonly comm: string;
  readonly count: number;
  /** By `socket`, `pipe`, `file`, or the kernel's name of an anonymous inode. */
  readonly kinds: ReadonlyMap<string, LsofKind>;
}

const SOCKETS = new Set(["IPv4", "IPv6", "unix", "sock", "netlink", "pack", "raw", "raw6"]);

function kindOf(type: string, name: string): string {
  if (SOCKETS.has(type)) return "socket";
  if (type === "FIFO") return name.startsWith("pipe") ? "pipe" : "file";
  if (type === "a_inode") return /^\[?([\w-]*)/.exec(name)?.[1] || "anonymous";
  return name.startsWith("/memfd:") ? "memfd" : "file";
}

/**
 * Parses the output of lsof. Lines that are no open file (messages of lsof, a first line that is cut off) are passed over.
 *
 * @throws {ParseError} if no line is an open file.
 *
 * @example
 * ```ts
 * import { parseLsof } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [process] = parseLsof("fd_leak 20883 0 1196u a_inode 0,16 0 1038 [eventpoll:4]\n");
 * strictEqual(process?.kinds.get("eventpoll")?.count, 1);
 * ```
 */
export function parseLsof(text: string): readonly LsofProcess[] {
  const processes = new Map<
    number,
    { pid: number; comm: string; count: number; kinds: Map<string, { count: number; line: number }> }
  >();
  forEachLine(text, (line, number) => {
    const all = columns(line);
    const pid = parseCount(all[1]);
    // The descriptor is a number with its mode, from 10,000 on `*` and its last digits; `cwd`, `txt`, `mem` are none. A thread's line has
    // its id before the user.
    const at = all.findIndex((word, i) => i >= 3 && i <= 4 && /^\*?\d+[rwu][A-Za-z]?$/.test(word));
    if (pid === undefined || at === -1) return;
    const words = withoutFlags(all, at + 1);
    let process = processes.get(pid);
    if (process === undefined) {
      processes.set(pid, process = { pid, comm: words[0] as string, count: 0, kinds: new Map() });
    }
    const kind = kindOf(words[at + 1] ?? "", words.slice(at + 5).join(" "));
    const known = process.kinds.get(kind);
    if (known === undefined) process.kinds.set(kind, { count: 1, line: number });
    else known.count++;
    process.count++;
  });
  if (processes.size === 0) throw new ParseError("Cannot parse lsof: no line is an open file", { text });
  return [...processes.values()];
}

/** A snapshot's file, as {@linkcode parseLsof} reads it. */
export const lsof: Source<Parsed<readonly LsofProcess[]>> = defineArtifact({
  name: "lsof",
  paths: ["sos_commands/process/lsof_*", "sos_commands/filesys/lsof_*"],
  howToCapture: "lsof -b +M -n -l",
  parse: parseLsof,
});
