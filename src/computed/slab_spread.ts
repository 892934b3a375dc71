/** Objects that lie in many slab caches at once, so that none of these stands out. */
import type { EvidenceLine } from "../core/analyzer.ts";
import { formatBytes, formatCount } from "../core/format.ts";
import type { ByteRange } from "../core/report.ts";
import type { ControlGroups } from "./control_groups.ts";
import type { SlabCaches, SlabUse } from "./slab_caches.ts";
import type { Tenant } from "./slab_tenants.ts";

/** What is held in many caches, told by one of them. */
export interface SlabSpread {
  readonly name: string;
  readonly bytes: ByteRange;
  readonly cache: SlabUse;
  readonly evidence: readonly EvidenceLine[];
  readonly stays?: Tenant["stays"];
}

/**
 * A network namespace: its tables, sysctls, files of /proc, loopback device and sockets of the kernel, in two dozen caches. 209 KiB in SUnreclaim each were
 * measured with 2,500 of them on 6.18 (IPv6 and netfilter built in); how much it is depends on what the kernel has built in.
 */
const NET_NAMESPACE_BYTES = 209 * 1024;
const NET_NAMESPACE_ERROR = 0.2;
/**
 * Files of /proc/net that each has, at the least (69 with IPv6 and netfilter). Of namespaces that have ended the kernel may keep the one object of
 * net_namespace until the next one ends (net/core/net_namespace.c, net_complete_free(), seen on 6.18), and nothing else.
 */
const MIN_PROC_ENTRIES = 20;
/** Every group has some forty of these, one a file in its folder. */
const GROUP_FILES = "kernfs_node_cache";
/** Folders of groups without a process, by their names without numbers. */
const EMPTY_GROUPS =
  'find /sys/fs/cgroup -name cgroup.procs | while read -r file; do read -r _ < "$file" || dirname "$file"; done 2>/dev/null | ' +
  "sed 's/[0-9a-f]*[0-9][0-9a-f]*/N/g' | sort | uniq -c | sort -rn | head";

/** Control groups that are in use, or were never removed. */
function groupsInUse(
  { caches, useOf }: SlabCaches,
  groups: ControlGroups | undefined,
  left: number,
): SlabSpread | undefined {
  const cache = caches.find(({ name }) => name === GROUP_FILES);
  if (cache === undefined || groups === undefined) return undefined;
  return {
    name: `${formatCount(groups.count)} control groups`,
    bytes: { low: Math.min(left, groups.bytes.low), high: Math.min(left, groups.bytes.high) },
    cache: useOf(cache),
    evidence: groups.evidence,
    stays: { kind: "groups", command: EMPTY_GROUPS },
  };
}

/** Network namespaces; undefined where slabinfo does not tell how many there are. */
function netNamespaces({ caches, useOf }: SlabCaches, left: number): SlabSpread | undefined {
  const cache = caches.find(({ name }) => name === "net_namespace");
  if (cache === undefined) return undefined;
  const use = useOf(cache);
  const entries = caches.find(({ name }) => name === "proc_dir_entry");
  const count = Math.min(
    use.activeObjects,
    entries === undefined ? Infinity : Math.floor(useOf(entries).activeObjects / MIN_PROC_ENTRIES),
  );
  const bytes = count * NET_NAMESPACE_BYTES;
  return {
    name: `${formatCount(count)} network namespaces`,
    bytes: {
      low: Math.min(left, Math.round((1 - NET_NAMESPACE_ERROR) * bytes)),
      high: Math.min(left, Math.round((1 + NET_NAMESPACE_ERROR) * bytes)),
    },
    cache: use,
    evidence: [{
      path: use.path,
      line: use.line,
      because: `${formatCount(count)} network namespaces, each of about ${
        formatBytes(NET_NAMESPACE_BYTES)
      } (measured on Linux 6.18), whether anything runs in it or not`,
    }],
  };
}

/** What there may be; of `left` bytes, which no other cause holds. */
export function slabSpreads(caches: SlabCaches, groups: ControlGroups | undefined, left: number): SlabSpread[] {
  return [netNamespaces(caches, left), groupsInUse(caches, groups, left)].filter((each) => each !== undefined);
}
