/** What the objects of a slab cache are, as far as its name tells. */
import { namesOf, type SlabUse } from "./slab_caches.ts";

/** A kind of objects. */
export interface SlabObjects {
  /** `open files` */
  readonly objects: string;
  /** Commands on the host that find who has them. */
  readonly find: string;
}

/** Processes by how many descriptors of a kind they have. */
function descriptorsOf(link: string): string {
  return `find /proc/[0-9]*/fd -lname '${link}' 2>/dev/null | cut -d/ -f3 | sort | uniq -c | sort -rn | head`;
}

/** By the name of their cache. */
const KNOWN: readonly (SlabObjects & { readonly cache: RegExp })[] = [
  {
    cache: /^(?:file_lock_cache|file_lock_ctx|file_lease_cache)$/,
    objects: "file locks",
    find:
      'awk \'$2 != "->" { n[$5]++ } END { for (pid in n) print n[pid], "process", pid }\' /proc/locks | sort -rn | head',
  },
  { cache: /^mnt_cache$/, objects: "mounts", find: "wc -l /proc/[0-9]*/mounts | sort -rn | head" },
  {
    cache: /^(?:inotify_inode_mark|fanotify_mark|dnotify_mark)$/,
    objects: "file watches",
    find: "grep -c ^inotify /proc/[0-9]*/fdinfo/* 2>/dev/null | sort -t: -k2 -rn | head",
  },
  {
    cache: /^(?:filp|eventpoll_epi|eventpoll_pwq)$/,
    objects: "open files",
    find: `for d in /proc/[0-9]*/fd; do echo "$(ls $d | wc -l) $d"; done | sort -rn | head`,
  },
  {
    cache: /^(?:task_struct|signal_cache|sighand_cache|pid)$/,
    objects: "threads",
    find: "ps -eLo comm= | sort | uniq -c | sort -rn | head",
  },
  {
    cache: /^(?:vm_area_struct|vma_lock|maple_node|anon_vma(?:_chain)?)$/,
    objects: "memory mappings",
    find: "wc -l /proc/[0-9]*/maps | sort -rn | head",
  },
  { cache: /^(?:cred|cred_jar|key_jar)$/, objects: "credentials and keys", find: "wc -l < /proc/keys" },
  { cache: /^(?:nf_conntrack|nf_conntrack_expect)/, objects: "connections that are tracked", find: "conntrack -C" },
  {
    // By the daemon that made them (bird, zebra, bgp; boot, static and kernel are none's).
    cache: /^(?:ip6?_dst_cache|rtable|fib6_node|ip_fib_(?:alias|trie))$/,
    objects: "routes",
    find: "for f in -4 -6; do ip $f route show table all; done | grep -o 'proto [^ ]*' | sort | uniq -c | sort -rn",
  },
  {
    // struct sock of each protocol (net/core/sock.c req_prot_init(), tw_prot_init()).
    cache: /^tw_sock_/,
    objects: "connections that are closed (TIME_WAIT)",
    find: "ss -tan state time-wait | awk '{ print $4 }' | sort | uniq -c | sort -rn | head",
  },
  {
    cache: /^request_sock_/,
    objects: "connections that are being opened",
    find: "ss -tan state syn-recv | awk '{ print $3 }' | sort | uniq -c | sort -rn | head",
  },
  {
    cache: /^(?:TCP|MPTCP|UDP|UDP-Lite|UDPLITE|RAW|PING|UNIX|UNIX-STREAM|PACKET|NETLINK|AF_VSOCK|SCTP)(?:v6)?$/,
    objects: "sockets",
    find: `ss -s; ${descriptorsOf("socket:*")}`,
  },
  {
    cache: /^xfrm_(?:state|dst|dst_cache)$/,
    objects: "states of IPsec",
    find: "ip xfrm state count; ip xfrm policy count",
  },
  {
    cache: /^bridge_fdb_cache$/,
    objects: "addresses behind bridges",
    find: "bridge fdb show | grep -o 'dev [^ ]*' | sort | uniq -c | sort -rn | head",
  },
  {
    cache: /^(?:user|pid|uts)_namespace$|^nsproxy$/,
    objects: "namespaces",
    find: "lsns -n -o TYPE,COMMAND | sort | uniq -c | sort -rn | head",
  },
  {
    cache: /^kernfs_node_cache$/,
    objects: "files of /sys, some for each device and control group",
    find: `for d in /sys/*/*; do echo "$(find "$d" -xdev | wc -l) $d"; done | sort -rn | head`,
  },
  {
    cache: /^fuse_request$/,
    objects: "requests that a FUSE file system has not answered",
    find: "grep . /sys/fs/fuse/connections/*/waiting",
  },
  {
    // arch/x86/kvm/mmu/mmu.c
    cache: /^(?:kvm_mmu_page_header|pte_list_desc)$/,
    objects: "page tables of virtual machines",
    find: "find /proc/[0-9]*/fd -lname anon_inode:kvm-vm 2>/dev/null | cut -d/ -f3 | sort | uniq -c",
  },
  { cache: /^Acpi-/, objects: "objects of the firmware's program (ACPI)", find: "dmesg | grep -i acpi | tail" },
  {
    cache: /^io_kiocb$/,
    objects: "requests of io_uring that have not ended",
    find: descriptorsOf("anon_inode:\\[io_uring\\]"),
  },
  {
    cache: /^vmap_area$/,
    objects: "areas of vmalloc",
    find: "awk '{ print $3 }' /proc/vmallocinfo | sort | uniq -c | sort -rn | head",
  },
  {
    cache: /^net_namespace$/,
    objects: "network namespaces",
    find: `lsns -t net; ip netns list; ${descriptorsOf("net:*")}`,
  },
  {
    cache: /^msg_msg-/,
    objects: "messages in queues",
    // A POSIX queue that was unlinked is in descriptors alone, by the name that it had: /name.
    find:
      "ipcs -q; ipcs -q -p; head /dev/mqueue/*; find /proc/[0-9]*/fd -lname '/*' ! -lname '/*/*' ! -lname '/memfd:*' | xargs grep -Hs ^QSIZE",
  },
  {
    // mm/slab_common.c memcg_create_kmem_cache(): those of a group that was removed stay until its last object is freed.
    cache: /^kmem_cache(?:_node)?$/,
    objects: "slab caches, of which each control group had its own up to 5.8, also one that was removed",
    find: "grep -e num_cgroups -e memory /proc/cgroups; find /sys/fs/cgroup/memory -type d | wc -l",
  },
  {
    cache: /^shmem_inode_cache$/,
    objects: "files on tmpfs, memfds or shared memory",
    find: `df -i -t tmpfs; ${descriptorsOf("/memfd:*")}`,
  },
  // The last: of a cache that is merged with another one the kernel counts timers elsewhere, too, and they would be known by that.
  {
    cache: /^posix_timers_cache$/,
    objects: "POSIX timers",
    find: `for f in /proc/[0-9]*/timers; do echo "$(grep -c ^ID: $f) $f"; done | sort -rn | head`,
  },
];

/**
 * Packets wait for a device (a TAP that its program does not read), in a queueing discipline, for a verdict (NFQUEUE), or for a socket of a kind that is not
 * captured; records of audit are kept as packets, too, until auditd takes them.
 */
const PACKETS: SlabObjects = {
  objects: "network packets",
  find:
    "for pid in $(lsns -t net -n -o PID); do echo $pid; nsenter -t $pid -n sh -c 'ip -s -s link; tc -s qdisc; cat /proc/net/netfilter/nfnetlink_queue'; done; auditctl -s; grep -H ^iff: /proc/[0-9]*/fdinfo/* 2>/dev/null",
};

/** What a cache's objects may be; `isPackets`: there are as many packets. */
export function knownObjects(cache: SlabUse & { readonly isPackets: boolean }): readonly SlabObjects[] {
  return [
    ...(cache.isPackets ? [PACKETS] : []),
    ...KNOWN.filter((known) => namesOf(cache).some((name) => known.cache.test(name))),
  ];
}
