import { type Collector, defineCollector, MANY_OPEN_FILES } from "../src/core/collector.ts";

/** How many namespaces are looked at: a Kubernetes node has about a hundred, one a pod. */
const MAX_NAMESPACES = 500;

/** Twenty thousand unix sockets, at about 200 bytes each. */
const MAX_UNIX_BYTES = 4 * 2 ** 20;

/** How large the rings of network cards are. Virtual interfaces have no device, and no rings; a host with more cards than this has them for its guests. */
const RINGS = `command -v ethtool > /dev/null || exit 127
for device in /sys/class/net/*/device; do
  [ -e "$device" ] && echo "$device"
done | head -n 32 | cut -d/ -f5 | while read -r interface; do
  ethtool -g "$interface"
  ethtool -l "$interface"
done 2> /dev/null`;

/** What is queued in sockets, in every network namespace, and who owns it. */
export const sockets: Collector = defineCollector({
  id: "sockets",
  title: "Sockets of all network namespaces",
  why:
    "Data that nobody reads is kernel memory in no process. Queues, limits and drops tell which sockets hold it, descriptors whose they are.",
  priority: 30,
  captures: [
    {
      kind: "netns",
      files: ["sockstat", "sockstat6", "udp", "udp6", "tcp", "tcp6", "netlink", "packet"],
      commands: [],
      changing: true,
      recorded: true,
      maxNamespaces: MAX_NAMESPACES,
    },
    {
      kind: "netns",
      files: [
        "udplite",
        "udplite6",
        "raw",
        "raw6",
        "icmp",
        "icmp6",
        "protocols",
        "snmp",
        "snmp6",
        "netstat",
      ],
      commands: [],
      changing: true,
      maxNamespaces: MAX_NAMESPACES,
    },
    {
      kind: "netns",
      files: ["unix", "dev", "ptype", "softnet_stat", "stat/nf_conntrack", "stat/arp_cache", "stat/ndisc_cache"],
      // Without -p (see above): the owners are found below. The name is the one that sosreport gives it.
      commands: [{ argv: ["ss", "-eaonmi"], as: "ss_-peaonmi" }],
      maxNamespaces: MAX_NAMESPACES,
    },
    {
      kind: "command",
      argv: ["ss", "-peaonmi"],
      as: "sos_commands/networking/ss_-peaonmi",
      network: true,
      timeoutSeconds: 60,
      aboveOpenFiles: { count: MANY_OPEN_FILES, argv: ["ss", "-eaonmi"] },
    },
    // No file of /proc tells how full a unix socket is: this is what shows whether somebody reads.
    {
      kind: "command",
      argv: ["ss", "-xanm"],
      as: "sos_commands/networking/ss_-xanm",
      network: true,
      changing: true,
      maxBytes: MAX_UNIX_BYTES,
    },
    {
      kind: "netns",
      files: [],
      commands: [{ argv: ["ss", "-xanm"], as: "ss_-xanm" }],
      changing: true,
      maxNamespaces: MAX_NAMESPACES,
    },
    { kind: "command", argv: ["sh", "-c", RINGS], as: "sos_commands/networking/ethtool_rings", network: true },
    { kind: "command", argv: ["ss", "-s"], as: "sos_commands/networking/ss_-s", network: true },
    {
      kind: "command",
      argv: ["netstat", "-W", "-neopa"],
      as: "sos_commands/networking/netstat_-W_-neopa",
      network: true,
      timeoutSeconds: 60,
      aboveOpenFiles: { count: MANY_OPEN_FILES, argv: ["netstat", "-W", "-neoa"] },
    },
    { kind: "command", argv: ["netstat", "-s"], as: "sos_commands/networking/netstat_-s", network: true },
    {
      kind: "socket-owners",
      as: "sos_commands/process/socket_owners",
      // The smallest packet is charged 832 bytes, and may pin a page fragment of 32 KiB.
      minQueuedBytes: 512,
      // 45 MB of kernel memory at most.
      maxDescriptors: MANY_OPEN_FILES,
    },
  ],
});
