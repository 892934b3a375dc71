// proc/PID/comm: the process's name, up to 15 bytes of anything that it chose, newlines included.
//
//   friend_push
import type { Source } from "../core/source.ts";
import { defineProcessArtifacts, type ProcessFile } from "./_groups.ts";

/**
 * Parses /proc/PID/comm. Every text is a name: it throws nothing.
 *
 * @example
 * ```ts
 * import { parseProcessComm } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseProcessComm("friend_push\n"), "friend_push");
 * ```
 */
export function parseProcessComm(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

/** One entry a process that was captured. */
export const processComm: Source<readonly ProcessFile<string>[]> = defineProcessArtifacts({
  name: "process comm",
  files: ["comm"],
  howToCapture: "grep . /proc/[0-9]*/comm",
  parse: parseProcessComm,
});
