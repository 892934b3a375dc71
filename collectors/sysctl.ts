import { type Collector, defineCollector, files } from "../src/core/collector.ts";

const vm = [
  "admin_reserve_kbytes",
  "compaction_proactiveness",
  "dirty_background_bytes",
  "dirty_background_ratio",
  "dirty_bytes",
  "dirty_ratio",
  "extfrag_threshold",
  "lowmem_reserve_ratio",
  "max_map_count",
  "mem_profiling",
  "min_free_kbytes",
  "nr_hugepages",
  "nr_overcommit_hugepages",
  "oom_dump_tasks",
  "oom_kill_allocating_task",
  "overcommit_kbytes",
  "overcommit_memory",
  "overcommit_ratio",
  "page-cluster",
  "panic_on_oom",
  "percpu_pagelist_high_fraction",
  "swappiness",
  "user_reserve_kbytes",
  "vfs_cache_pressure",
  "watermark_boost_factor",
  "watermark_scale_factor",
  "zone_reclaim_mode",
];

const net = [
  "core/high_order_alloc_disable",
  "core/mem_pcpu_rsv",
  "core/netdev_max_backlog",
  "core/optmem_max",
  "core/rmem_default",
  "core/rmem_max",
  "core/somaxconn",
  "core/wmem_default",
  "core/wmem_max",
  "ipv4/ipfrag_high_thresh",
  "ipv4/ipfrag_low_thresh",
  "ipv4/ipfrag_time",
  "ipv6/ip6frag_high_thresh",
  "ipv4/neigh/default/gc_thresh3",
  "ipv6/neigh/default/gc_thresh3",
  "ipv4/tcp_max_orphans",
  "ipv4/tcp_max_tw_buckets",
  "ipv4/tcp_mem",
  "ipv4/tcp_moderate_rcvbuf",
  "ipv4/tcp_notsent_lowat",
  "ipv4/tcp_rmem",
  "ipv4/tcp_wmem",
  "ipv4/udp_mem",
  "ipv4/udp_rmem_min",
  "ipv4/udp_wmem_min",
  "netfilter/nf_conntrack_buckets",
  "netfilter/nf_conntrack_count",
  "netfilter/nf_conntrack_max",
  "unix/max_dgram_qlen",
];

const fs = [
  "fs/aio-max-nr",
  "fs/aio-nr",
  "fs/dentry-state",
  "fs/epoll/max_user_watches",
  "fs/file-max",
  "fs/inode-nr",
  "fs/inode-state",
  "fs/inotify/max_user_instances",
  "fs/inotify/max_user_watches",
  "fs/nr_open",
  "fs/pipe-max-size",
  "fs/pipe-user-pages-hard",
  "fs/pipe-user-pages-soft",
];

const kernel = [
  "kernel/hung_task_timeout_secs",
  "kernel/panic",
  "kernel/pid_max",
  "kernel/shmall",
  "kernel/shmmax",
  "kernel/shmmni",
  "kernel/tainted",
  "kernel/threads-max",
];

/** Limits and policies. */
export const sysctl: Collector = defineCollector({
  id: "sysctl",
  title: "Kernel settings",
  why: "What bounds each kind of memory (udp_mem, tcp_mem, rmem_max), and what the kernel does when it runs out.",
  priority: 60,
  captures: [
    // The same settings twice: not every host has the program, and xsos reads only the files.
    { kind: "command", argv: ["sysctl", "-a"], as: "sos_commands/kernel/sysctl_-a", network: true },
    ...files(
      [...vm.map((name) => `vm/${name}`), ...net.map((name) => `net/${name}`), ...fs, ...kernel].map((name) =>
        `/proc/sys/${name}`
      ),
    ),
  ],
});
