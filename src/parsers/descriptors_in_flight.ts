// sos_commands/process/shared_memory_descriptors: of sockets how many descriptors wait in messages (SCM_RIGHTS) that nobody has received, as fdinfo tells it to
// who should (Linux 5.10), and the same again a second later. For the rest of the file: shared_memory_descriptors.ts
//
//   /proc/21123/fdinfo/4:scm_fds: 20
//   /proc/21123/fdinfo/4:scm_fds: 20
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { forEachLine } from "./_lines.ts";

/** A socket with descriptors that wait to be received. */
export interface DescriptorsInFlight {
  /** Who has the socket open on which they wait. */
  readonly pid: number;
  readonly fd: number;
  /** The least of all looks: who receives them has fewer later. */
  readonly count: number;
  readonly line: number;
}

const SCM_FDS = /^\/proc\/(\d{1,10})\/fdinfo\/(\d{1,10}):scm_fds:\s*(\d{1,9})$/;

/**
 * Parses the list. Sockets that were looked at once are left out: what is on its way is received a moment later.
 *
 * @example
 * ```ts
 * import { parseDescriptorsInFlight } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const line = "/proc/21123/fdinfo/4:scm_fds: 20\n";
 * strictEqual(parseDescriptorsInFlight(line + line)[0]?.count, 20);
 * strictEqual(parseDescriptorsInFlight(line).length, 0);
 * ```
 */
export function parseDescriptorsInFlight(text: string): readonly DescriptorsInFlight[] {
  const found = new Map<string, DescriptorsInFlight & { readonly looks: number }>();
  forEachLine(text, (line, number) => {
    const [, pid, fd, count] = SCM_FDS.exec(line) ?? [];
    if (count === undefined) return;
    const key = `${pid} ${fd}`;
    const known = found.get(key);
    found.set(key, {
      pid: Number(pid),
      fd: Number(fd),
      count: Math.min(Number(count), known?.count ?? Infinity),
      line: known?.line ?? number,
      looks: (known?.looks ?? 0) + 1,
    });
  });
  return [...found.values()].filter(({ count, looks }) => count > 0 && looks > 1)
    .map(({ looks: _, ...socket }) => socket)
    .sort((a, b) => b.count - a.count || a.line - b.line);
}

/** A snapshot's file, as {@linkcode parseDescriptorsInFlight} reads it. */
export const descriptorsInFlight: Source<Parsed<readonly DescriptorsInFlight[]>> = defineArtifact({
  name: "descriptors_in_flight",
  paths: ["sos_commands/process/shared_memory_descriptors"],
  howToCapture: "grep -H scm_fds /proc/[0-9]*/fdinfo/*",
  parse: parseDescriptorsInFlight,
});
