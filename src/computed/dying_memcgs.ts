import type { SourceLine } from "../core/ledger.ts";
import { type Captured, type Reader, readUses, type Source } from "../core/source.ts";
import { cgroupFolders } from "../parsers/cgroup_folders.ts";
import { cgroups } from "../parsers/cgroups.ts";
import { cgroupStat } from "../parsers/cgroup_stat.ts";
import type { Measurement } from "./trend.ts";

/** Statistics of a memory cgroup, a copy for each CPU: 2,050 B measured on 6.18. */
export const MEMCG_BYTES_A_CPU = 2050;

/** Memory cgroups that were removed and are still there, because something charged to them is. */
export interface DyingMemcgs extends SourceLine {
  readonly count: number;
  /** Groups that were not removed. */
  readonly living: number;
  /** The kernel says so itself (cgroup v2); otherwise it is the difference to the folders that were found. */
  readonly counted: boolean;
  /** How their number changed over the snapshots; a count in place of bytes. */
  readonly series: readonly Measurement[];
}

/** A sosreport has the folders' files: any that a memory cgroup of v1 has. */
const DEPTHS = ["", "*/", "*/*/", "*/*/*/", "*/*/*/*/", "*/*/*/*/*/", "*/*/*/*/*/*/"];
const FOLDER_FILES = DEPTHS.map((depth) => `sys/fs/cgroup/memory/${depth}memory.usage_in_bytes`);

function series(timeline: readonly Reader[], countOf: (reader: Reader) => number | undefined): Measurement[] {
  return timeline.flatMap((reader) => {
    const count = countOf(reader);
    return count === undefined || reader.time === undefined ? [] : [{ time: reader.time, bytes: count }];
  });
}

function groupsOfV1(reader: Reader): { path: string; groups: number; line: number } | undefined {
  const file = reader.read(cgroups);
  const memory = file.status === "ok" ? file.value.value.get("memory") : undefined;
  // Hierarchy 0 is cgroup v2, whose number counts groups of all controllers.
  if (file.status !== "ok" || memory === undefined || !memory.enabled || memory.hierarchy === 0) return undefined;
  return { path: file.value.path, groups: memory.groups, line: memory.line };
}

function dyingOfV2(reader: Reader): { path: string; count: number; living: number; line: number } | undefined {
  const file = reader.read(cgroupStat);
  if (file.status !== "ok") return undefined;
  const { path, value } = file.value;
  // Of the memory controller alone from 6.13 on; before, a removed group was mostly held by it.
  const dying = value.get("nr_dying_subsys_memory") ?? value.get("nr_dying_descendants");
  const living = value.get("nr_subsys_memory") ?? value.get("nr_descendants");
  return dying === undefined || living === undefined
    ? undefined
    : { path, count: dying.value, living: living.value, line: dying.line };
}

function read(reader: Reader): Captured<DyingMemcgs> {
  const v1 = groupsOfV1(reader);
  const { folders } = readUses({ folders: cgroupFolders }, reader);
  const found = folders !== undefined && folders.value.count > 0
    ? folders.value.count
    : FOLDER_FILES.flatMap((pattern) => reader.paths(pattern)).length;
  if (v1 !== undefined && found > 0) {
    return {
      status: "ok",
      value: {
        path: v1.path,
        line: v1.line,
        count: Math.max(0, v1.groups - found),
        living: found,
        counted: false,
        series: series(reader.timeline, (snapshot) => groupsOfV1(snapshot)?.groups),
      },
    };
  }
  const v2 = dyingOfV2(reader);
  if (v1 === undefined && v2 !== undefined) {
    return {
      status: "ok",
      value: { ...v2, counted: true, series: series(reader.timeline, (snapshot) => dyingOfV2(snapshot)?.count) },
    };
  }
  const missing = v1 === undefined
    ? { path: "sys/fs/cgroup/cgroup.stat", howToCapture: cgroupStatCommand }
    : { path: "sos_commands/cgroups/find_.sys.fs.cgroup.memory", howToCapture: "find /sys/fs/cgroup/memory -type d" };
  return { status: "missing", missing: [missing] };
}

const cgroupStatCommand = "cat /sys/fs/cgroup/cgroup.stat";

/** Removed memory cgroups, by cgroup v2's own count or, on v1, by the difference to the folders there are. */
export const dyingMemcgs: Source<DyingMemcgs> = {
  name: "removed memory cgroups",
  patterns: [...cgroups.patterns, ...cgroupStat.patterns, ...cgroupFolders.patterns, ...FOLDER_FILES],
  read,
};
