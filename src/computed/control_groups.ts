/** Control groups that are there, whether a process is in them or not, and what the kernel keeps of each: no file tells that. */
import type { EvidenceLine } from "../core/analyzer.ts";
import { formatCount } from "../core/format.ts";
import type { ByteRange } from "../core/report.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { sumOf } from "../core/sums.ts";
import { cgroups } from "../parsers/cgroups.ts";
import { cgroupStat } from "../parsers/cgroup_stat.ts";
import { dyingMemcgs } from "./dying_memcgs.ts";

/** All of them, in all hierarchies. */
export interface ControlGroups {
  readonly count: number;
  /** In SUnreclaim. */
  readonly bytes: ByteRange;
  readonly evidence: readonly EvidenceLine[];
}

/** A folder with its files (kernfs nodes) and struct cgroup: 6.1 KiB of SUnreclaim were measured on 6.18 for groups without a large controller. */
const FOLDER_BYTES = 6 * 1024;
/** What the memory controller adds to each: 13.4 KiB measured on 6.18, x86-64, one node; some more for each further node. */
const MEMORY_BYTES = 13 * 1024;
const NODES_BYTES = 3 * 1024;
/** The others add next to nothing (pids, freezer) to 7 KiB (cpu, with two CPUs) each: v1 has one or two in a hierarchy, and a group of v2 may have them all. */
const MOST_V1_BYTES = 7 * 1024;
const MOST_V2_BYTES: number = MEMORY_BYTES + 12 * 1024;

/** From /proc/cgroups for the hierarchies of cgroup v1, from cgroup.stat for v2. Removed ones that something still holds are not among them: see dying-memcg. */
export const controlGroups: Source<ControlGroups> = defineComputed({
  name: "control groups",
  needs: {},
  uses: { cgroups, cgroupStat, dyingMemcgs },
  compute({ cgroups: v1, cgroupStat: v2, dyingMemcgs: dying }): ControlGroups {
    const hierarchies = [...(v1?.value ?? [])].filter(([, { hierarchy, enabled }]) => enabled && hierarchy > 0);
    // Several controllers may share a hierarchy, and have the same groups.
    const apart = [...new Map(hierarchies.map(([name, each]) => [each.hierarchy, { name, ...each }])).values()];
    const withMemory = hierarchies.find(([name]) => name === "memory")?.[1].hierarchy;
    const descendants = v2?.value.get("nr_descendants");
    // Only of the memory controller removed ones are many. How many they are is known from its folders.
    const inUse = (hierarchy: number, groups: number): number =>
      hierarchy !== withMemory ? groups : dying === undefined ? 0 : Math.max(0, groups - dying.count);
    const counted = [
      ...apart.map(({ hierarchy, groups, line }) => ({
        path: v1?.path as string,
        line,
        groups: inUse(hierarchy, groups),
        low: FOLDER_BYTES + (hierarchy === withMemory ? MEMORY_BYTES : 0),
        more: hierarchy === withMemory ? NODES_BYTES : MOST_V1_BYTES,
      })),
      ...(v2 === undefined || descendants === undefined ? [] : [{
        path: v2.path,
        line: descendants.line,
        groups: descendants.value,
        low: FOLDER_BYTES,
        more: MOST_V2_BYTES,
      }]),
    ];
    const [most] = counted.toSorted((a, b) => b.groups - a.groups);
    return {
      count: sumOf(counted, (each) => each.groups),
      bytes: {
        low: sumOf(counted, ({ groups, low }) => groups * low),
        high: sumOf(counted, ({ groups, low, more }) => groups * (low + more)),
      },
      evidence: most === undefined ? [] : [{
        path: most.path,
        line: most.line,
        because: `${formatCount(most.groups)} control groups here, the most of ${counted.length} ${
          counted.length === 1 ? "hierarchy" : "hierarchies"
        }: each takes ${FOLDER_BYTES / 1024} to ${
          (FOLDER_BYTES + MOST_V2_BYTES) / 1024
        } KiB (measured on Linux 6.18), whether a process is in it or not`,
      }],
    };
  },
});
