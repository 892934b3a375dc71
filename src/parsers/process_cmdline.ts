// proc/PID/cmdline: the arguments, each ended by a NUL. The process can overwrite them with anything. Empty for a kernel thread.
//
//   /usr/bin/python3\0friend_push.py\0--port\0009000\0
import type { Source } from "../core/source.ts";
import { defineProcessArtifacts, type ProcessFile } from "./_groups.ts";

/**
 * Parses /proc/PID/cmdline. Every text is a command line: it throws nothing.
 *
 * @example
 * ```ts
 * import { parseProcessCmdline } from "nailhouse/parsers";
 * import { deepStrictEqual } from "node:assert";
 *
 * deepStrictEqual(parseProcessCmdline("python3\0friend_push.py\0"), ["python3", "friend_push.py"]);
 * ```
 */
export function parseProcessCmdline(text: string): readonly string[] {
  if (text === "") return [];
  return (text.endsWith("\0") ? text.slice(0, -1) : text).split("\0");
}

/** One entry a process that was captured. */
export const processCmdline: Source<readonly ProcessFile<readonly string[]>[]> = defineProcessArtifacts({
  name: "process cmdline",
  files: ["cmdline"],
  howToCapture: "grep -z . /proc/[0-9]*/cmdline",
  parse: parseProcessCmdline,
});
