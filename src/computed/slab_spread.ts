/** Objects that lie in many slab caches at once, so that none of these stands out. */
import type { EvidenceLine } from "../core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity } from "../core/format.ts";
import type { ByteRange } from "../core/report.ts";
import { inNetns } from "../core/shell.ts";
import type { Parsed } from "../core/source.ts";
import { sumOf } from "../core/sums.ts";
import { netnsOf } from "../parsers/_groups.ts";
import type { NetDevice } from "../parsers/net_dev.ts";
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
/**
 * A network device: its structure, queues, files of sysfs and sysctls of IPv4 and IPv6. Measured with two CPUs: on 6.18, 39 KiB of SUnreclaim each for macvlan
 * and vxlan, 42 for veth, 50 for bridges, up or down; 53 to 57 for TAPs, on 5.10, 6.1, 6.12, 6.18 and 7.2.
 */
const NET_DEVICE_BYTES = { low: 39 * 1024, high: 57 * 1024 };
/** Every control group and every network device has some forty of these, one a file of its folder. */
const FOLDER_FILES = "kernfs_node_cache";
/** Names that differ by a number, or an identifier, become one. */
const BY_NAME = "sed 's/[0-9a-f]*[0-9][0-9a-f]*/N/g' | sort | uniq -c | sort -rn | head";
/** Folders of groups without a process. */
const EMPTY_GROUPS =
  'find /sys/fs/cgroup -name cgroup.procs | while read -r file; do read -r _ < "$file" || dirname "$file"; done 2>/dev/null | ' +
  BY_NAME;

/** Control groups that are in use, or were never removed. */
function groupsInUse(
  { caches, useOf }: SlabCaches,
  groups: ControlGroups | undefined,
  left: number,
): SlabSpread | undefined {
  const cache = caches.find(({ name }) => name === FOLDER_FILES);
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

/** Network devices of all namespaces, but for the loopback device that each has. */
function netDevices(
  { caches, useOf }: SlabCaches,
  namespaces: readonly Parsed<readonly NetDevice[]>[],
  left: number,
): SlabSpread | undefined {
  const cache = caches.find(({ name }) => name === FOLDER_FILES);
  const counted = namespaces.map(({ path, value }) => ({ path, devices: value.filter(({ name }) => name !== "lo") }));
  const [most] = counted.sort((a, b) => b.devices.length - a.devices.length);
  const [first] = most?.devices ?? [];
  if (cache === undefined || most === undefined || first === undefined) return undefined;
  const count = sumOf(counted, ({ devices }) => devices.length);
  return {
    name: `${formatCount(count)} network devices`,
    bytes: {
      low: Math.min(left, count * NET_DEVICE_BYTES.low),
      high: Math.min(left, count * NET_DEVICE_BYTES.high),
    },
    cache: useOf(cache),
    evidence: [{
      path: most.path,
      line: first.line,
      because: `one of ${formatCount(most.devices.length)} network devices here, the most of ${
        formatQuantity(counted.length, "network namespace")
      }: each takes ${formatBytes(NET_DEVICE_BYTES.low)} to ${
        formatBytes(NET_DEVICE_BYTES.high)
      } (measured on Linux 5.10 to 7.2), whether it is up or not`,
    }],
    stays: { kind: "devices", command: `${inNetns(netnsOf(most.path))}ip -br link | awk '{ print $1 }' | ${BY_NAME}` },
  };
}

/** Where it is told how many there are of something. */
export interface SpreadWitnesses {
  readonly groups: ControlGroups | undefined;
  readonly devices: readonly Parsed<readonly NetDevice[]>[] | undefined;
}

/** What there may be; of `left` bytes, which no other cause holds. */
export function slabSpreads(
  caches: SlabCaches,
  { groups, devices = [] }: SpreadWitnesses,
  left: number,
): SlabSpread[] {
  return [netNamespaces(caches, left), groupsInUse(caches, groups, left), netDevices(caches, devices, left)]
    .filter((each) => each !== undefined);
}
