/**
 * Parsers of kernel files and commands: one module each, with a pure function from text to value and the source that an analyzer
 * asks for. Bytes are the only unit of memory; what a kernel does not print is undefined; every value has its line.
 *
 * @module
 */
export { ParseError } from "../core/errors.ts";
export type { Captured, HostFacts, Missing, ParseContext, Parsed, Reader, Source } from "../core/source.ts";
export { netnsOf, pidOf, type ProcessFile } from "./_groups.ts";
export type { InetSocket } from "./_inet_sockets.ts";
export type { BytesAtLine, NumberAtLine, TextAtLine } from "./_values.ts";
export * from "./allocinfo.ts";
export * from "./arcstats.ts";
export * from "./bpf_maps.ts";
export * from "./bpf_programs.ts";
export * from "./buddyinfo.ts";
export * from "./cgroup_folders.ts";
export * from "./cgroup_stat.ts";
export * from "./cgroups.ts";
export * from "./conntrack_stat.ts";
export * from "./dentry_state.ts";
export * from "./descriptor_counts.ts";
export * from "./descriptor_samples.ts";
export * from "./df.ts";
export * from "./file_nr.ts";
export * from "./hugepages.ts";
export * from "./kernel_log.ts";
export * from "./kmemleak.ts";
export * from "./loadavg.ts";
export * from "./lsof.ts";
export * from "./lsof_files.ts";
export * from "./meminfo.ts";
export * from "./memory_events.ts";
export * from "./mounts.ts";
export * from "./neighbour_stat.ts";
export * from "./net_snmp.ts";
export * from "./netlink.ts";
export * from "./netstat.ts";
export * from "./oom_report.ts";
export * from "./packet.ts";
export * from "./page_flags.ts";
export * from "./page_owner_stacks.ts";
export * from "./pipe_contents.ts";
export * from "./pressure.ts";
export * from "./process_cgroup.ts";
export * from "./process_cmdline.ts";
export * from "./process_comm.ts";
export * from "./process_status.ts";
export * from "./raw.ts";
export * from "./shared_memory_descriptors.ts";
export * from "./slab_aliases.ts";
export * from "./slab_alloc_traces.ts";
export * from "./slabinfo.ts";
export * from "./smaps_rollup.ts";
export * from "./socket_owners.ts";
export * from "./sockstat.ts";
export * from "./ss.ts";
export * from "./swaps.ts";
export * from "./sysctl.ts";
export * from "./sysvipc_shm.ts";
export * from "./tcp.ts";
export * from "./thp.ts";
export * from "./tmpfs_files.ts";
export * from "./udp.ts";
export * from "./unix.ts";
export * from "./vmallocinfo.ts";
export * from "./vmstat.ts";
export * from "./zoneinfo.ts";
export * from "./zram_mm_stat.ts";
