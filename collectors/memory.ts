import { type Collector, defineCollector, files } from "../src/core/collector.ts";

/** Where all of MemTotal is, and how hard the kernel works to find some free. */
export const memory: Collector = defineCollector({
  id: "memory",
  title: "Memory counters",
  why:
    "The ledger: each account of it comes from meminfo, zoneinfo or vmstat. Pressure and reclaim tell whether the host is short.",
  // First of all, and these three at once: they are subtracted from each other.
  priority: 10,
  captures: [
    ...files(["/proc/meminfo", "/proc/zoneinfo", "/proc/vmstat", "/proc/buddyinfo"], {
      changing: true,
      recorded: true,
    }),
    ...files(["/proc/pressure/memory", "/proc/pressure/io", "/proc/pressure/cpu"], { changing: true, recorded: true }),
    ...files([
      "/proc/pagetypeinfo",
      "/proc/vmallocinfo",
      "/proc/swaps",
      "/proc/sysvipc/shm",
      "/proc/sysvipc/msg",
      "/proc/sysvipc/sem",
      "/proc/key-users",
      // Only with CONFIG_MEM_ALLOC_PROFILING, from Linux 6.10: every allocation by its line of source.
      "/proc/allocinfo",
      // ZFS and the device mapper keep caches outside the page cache.
      "/proc/spl/kstat/zfs/arcstats",
      "/sys/module/dm_bufio/parameters/allocated_get_free_pages_bytes",
      // Buffers that are in no account of meminfo, and what VMware took before Linux 5.4.
      "/sys/kernel/debug/vmmemctl",
      "/sys/kernel/tracing/buffer_total_size_kb",
      "/sys/kernel/tracing/instances/*/buffer_total_size_kb",
      "/sys/block/md*/md/stripe_cache_size",
      "/sys/block/md*/md/raid_disks",
      "/sys/kernel/mm/hugepages/*/nr_hugepages",
      "/sys/kernel/mm/hugepages/*/free_hugepages",
      "/sys/kernel/mm/hugepages/*/resv_hugepages",
      "/sys/kernel/mm/hugepages/*/surplus_hugepages",
      "/sys/kernel/mm/hugepages/*/nr_overcommit_hugepages",
      "/sys/kernel/mm/transparent_hugepage/enabled",
      "/sys/kernel/mm/transparent_hugepage/defrag",
      "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
      "/sys/kernel/mm/transparent_hugepage/use_zero_page",
      "/sys/kernel/mm/transparent_hugepage/khugepaged/defrag",
      "/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none",
      "/sys/kernel/mm/ksm/run",
      "/sys/kernel/mm/ksm/pages_shared",
      "/sys/kernel/mm/ksm/pages_sharing",
      "/sys/kernel/mm/lru_gen/enabled",
      "/sys/block/zram*/mm_stat",
      "/sys/block/zram*/disksize",
      "/sys/module/zswap/parameters/enabled",
      "/sys/devices/system/node/node*/meminfo",
      "/sys/devices/system/node/node*/vmstat",
    ]),
    // Only where somebody switched them on: page_owner=on (stacks from Linux 6.9), kmemleak=on.
    { kind: "file", path: "/sys/kernel/debug/page_owner_stacks/show_stacks", maxBytes: 8 * 2 ** 20 },
    { kind: "file", path: "/sys/kernel/debug/kmemleak", maxBytes: 2 * 2 ** 20 },
  ],
});
