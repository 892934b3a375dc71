import { type Collector, defineCollector } from "../src/core/collector.ts";

/** Which process holds how much, and which one the kernel would kill. */
export const processes: Collector = defineCollector({
  id: "processes",
  title: "Processes",
  why:
    "Who holds the memory that processes have: resident, swapped, shared by size of each share, and how much of it grows.",
  priority: 40,
  captures: [
    { kind: "process", files: ["status"], changing: { largest: 128 } },
    { kind: "process", files: ["stat", "comm", "oom_score", "oom_score_adj"] },
    // cmdline takes the process's mmap_lock, cgroup the kernel's cgroup_mutex. Command lines may be megabytes long.
    { kind: "process", files: ["cmdline", "cgroup"], mayHang: true, maxBytes: 16 * 1024 },
    // Walks the page tables: about a second for 100 GiB.
    { kind: "process", files: ["smaps_rollup"], largest: 64, mayHang: true },
  ],
});
