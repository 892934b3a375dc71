import { type Collector, defineCollector } from "../src/core/collector.ts";

/**
 * Number, name, state, parent, threads, start and CPU time of every process, which is little enough for each snapshot: so growth in number is
 * seen whatever their size, and who has just been started. Kernel threads, the children of process 2, are left out.
 */
const LIST =
  `for stat in /proc/[0-9]*/stat; do echo "$stat"; done | xargs -r sed -n -E '/^[0-9]+ \\(.*\\) [A-Za-z] 2 /!s/^([0-9]+ \\(.*\\) [A-Za-z] [0-9]+)( -?[0-9]+){9} ([0-9]+ [0-9]+)( -?[0-9]+){4} ([0-9]+) -?[0-9]+ ([0-9]+) .*/\\1 \\5 \\6 \\3/p' 2>/dev/null`;

/**
 * The status of a process whose first thread has ended while others run: /proc/PID/status tells nothing of its memory then, and ps calls it defunct. That
 * of any other thread does, and stands below the process's own, which has its name; of as many zombies as there are, only these have one.
 */
const LEADERLESS = `exec 2>/dev/null
cd /proc && for stat in [0-9]*/stat; do echo "$stat"; done | xargs grep -s -l ') Z ' | while IFS=/ read -r process rest; do
  for task in "$process"/task/*; do [ "$task" = "$process/task/$process" ] || { echo "$process/status"; echo "$task/status"; break; }; done
done | head -n 128 | xargs -r cat
exit 0`;

/** Which process holds how much, and which one the kernel would kill. */
export const processes: Collector = defineCollector({
  id: "processes",
  title: "Processes",
  why:
    "Who holds the memory that processes have: resident, swapped, shared by size of each share, and how much of it grows.",
  priority: 40,
  captures: [
    {
      kind: "command",
      argv: ["sh", "-c", LIST],
      as: "sos_commands/process/process_list",
      changing: true,
      recorded: true,
      maxBytes: 4 * 2 ** 20,
    },
    {
      kind: "command",
      argv: ["sh", "-c", LEADERLESS],
      as: "sos_commands/process/leaderless_status",
      changing: true,
    },
    { kind: "process", files: ["status"], changing: { largest: 128 }, recorded: { largest: 48 } },
    { kind: "process", files: ["stat", "comm", "oom_score", "oom_score_adj"] },
    // cmdline takes the process's mmap_lock, cgroup the kernel's cgroup_mutex. Command lines may be megabytes long.
    { kind: "process", files: ["cmdline", "cgroup"], mayHang: true, maxBytes: 16 * 1024 },
    // Walks the page tables: about a second for 100 GiB.
    { kind: "process", files: ["smaps_rollup"], largest: 64, mayHang: true },
  ],
});
