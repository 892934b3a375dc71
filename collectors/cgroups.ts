import { type Collector, defineCollector } from "../src/core/collector.ts";

/** Slices, services and pods are at depth 1 to 4; below are a container's own. */
const MAX_DEPTH = 4;
const MAX_FOLDERS = 300;

/** Memory by control group. */
export const cgroups: Collector = defineCollector({
  id: "cgroups",
  title: "Memory of control groups",
  why:
    "Which service or container the memory is charged to, its limits, its own out-of-memory kills, and removed groups that still hold some.",
  priority: 70,
  captures: [
    { kind: "file", path: "/proc/cgroups", changing: true, recorded: true },
    // Cgroup v2 tells in each folder how many groups below were removed and are still held.
    { kind: "file", path: "/sys/fs/cgroup/cgroup.stat", changing: true, recorded: true },
    // Cgroup v1 does not: the folders are counted.
    {
      kind: "command",
      argv: ["find", "/sys/fs/cgroup", "-path", "/sys/fs/cgroup/memory*", "-type", "d"],
      as: "sos_commands/cgroups/find_.sys.fs.cgroup.memory",
      maxBytes: 4 * 2 ** 20,
    },
    {
      kind: "tree",
      path: "/sys/fs/cgroup",
      having: "cgroup.controllers",
      files: [
        "memory.current",
        "memory.stat",
        "memory.events",
        "memory.pressure",
        "memory.peak",
        "memory.low",
        "memory.high",
        "memory.max",
        "memory.oom.group",
        "memory.swap.current",
        "memory.swap.max",
        "pids.current",
      ],
      largestBy: "memory.current",
      maxDepth: MAX_DEPTH,
      maxFolders: MAX_FOLDERS,
    },
    {
      kind: "tree",
      path: "/sys/fs/cgroup/memory",
      having: "memory.usage_in_bytes",
      files: [
        "memory.usage_in_bytes",
        "memory.stat",
        "memory.max_usage_in_bytes",
        "memory.limit_in_bytes",
        "memory.soft_limit_in_bytes",
        "memory.failcnt",
        "memory.oom_control",
        "memory.memsw.usage_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.kmem.usage_in_bytes",
        "memory.kmem.tcp.usage_in_bytes",
      ],
      largestBy: "memory.usage_in_bytes",
      maxDepth: MAX_DEPTH,
      maxFolders: MAX_FOLDERS,
    },
  ],
});
