// sos_commands/cgroups/find_.sys.fs.cgroup.memory: the folders of cgroup v1's memory controller, a line each. Empty on cgroup v2.
//
//   /sys/fs/cgroup/memory
//   /sys/fs/cgroup/memory/system.slice
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { forEachLine } from "./_lines.ts";

/** The memory controller's folders. */
export interface CgroupFolders {
  readonly count: number;
}

const FOLDER = /^\/sys\/fs\/cgroup\/memory(?:\/|$)/;

/**
 * Parses what `find` printed.
 *
 * @example
 * ```ts
 * import { parseCgroupFolders } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseCgroupFolders("/sys/fs/cgroup/memory\n/sys/fs/cgroup/memory/a\n").count, 2);
 * ```
 */
export function parseCgroupFolders(text: string): CgroupFolders {
  let count = 0;
  forEachLine(text, (line) => {
    if (FOLDER.test(line)) count++;
  });
  return { count };
}

/** A snapshot's file, as {@linkcode parseCgroupFolders} reads it. */
export const cgroupFolders: Source<Parsed<CgroupFolders>> = defineArtifact({
  name: "cgroup_folders",
  paths: ["sos_commands/cgroups/find_.sys.fs.cgroup.memory"],
  howToCapture: "find /sys/fs/cgroup/memory -type d",
  parse: parseCgroupFolders,
});
