import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatShare } from "../src/core/format.ts";
import type { Remedy } from "../src/core/report.ts";
import type { Parsed } from "../src/core/source.ts";
import { isAtUdpWall, type ProtocolLimit, udpLimit } from "../src/computed/protocol_limits.ts";
import type { SocketQueue } from "../src/computed/socket_queues.ts";
import { udpBacklog } from "../src/computed/udp_backlog.ts";
import { type NetSnmp, netSnmp } from "../src/parsers/net_snmp.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** A packet that is refused on a socket that is less than half full was not refused by the socket's own limit. */
const FAR_BELOW_LIMIT = 0.5;
/** The queues that the bundle lists must be at least this part of what the kernel counts, or they are not what fills it. */
const MIN_EXPLAINED = 0.5;
/** A receive buffer near INT_MAX made the counter leak multiples of INT_MAX + 1 (commit df207de9d9e7, 6.15). */
const PHANTOM_BYTES = 2 ** 31;

function refusedBelowLimit({ dropped, chargedBytes, limitBytes }: SocketQueue): boolean {
  return (dropped ?? 0) > 0 && limitBytes !== undefined && chargedBytes < FAR_BELOW_LIMIT * limitBytes;
}

function limitEvidence({ memory, setting, minBytes }: ProtocolLimit, charged: number): EvidenceLine[] {
  return [{
    path: memory.path,
    line: memory.line,
    because: `${formatBytes(memory.bytes)} are charged to all UDP sockets of the host: ${
      formatShare(memory.bytes, minBytes)
    } of what they may have together (the queues in this bundle add up to ${formatBytes(charged)})`,
  }, {
    ...setting,
    because: `the first of the three numbers of udp_mem is the wall (${
      formatBytes(minBytes)
    }): UDP knows no memory pressure, so the kernel refuses there already`,
  }];
}

const WATCH = "watch -n 1 cat /proc/net/sockstat";

function remedies(): Remedy[] {
  return [
    {
      when: "now",
      text:
        `Free the queues that fill it: see socket-backlog-udp. Until then every UDP socket of the host (DNS, too) loses datagrams. ${
          remedyMark("udp-mem-limit", "free the queues")
        }`,
      commands: ["ss -uanmp | sort -k2 -n | tail"],
      verify: `UDP mem falls below the first number of udp_mem: ${WATCH}`,
    },
    {
      when: "prevent",
      text:
        "Do not raise udp_mem before the queues are known: it is what keeps them from taking all of memory. Lowering its first number contains a backlog, " +
        `at the price of dropped datagrams. ${remedyMark("udp-mem-limit", "udp_mem")}`,
      commands: ["sysctl net.ipv4.udp_mem", "sysctl -w net.ipv4.udp_mem='MIN PRESSURE MAX'"],
      verify: "the drops column of /proc/net/udp does not grow",
    },
  ];
}

function phantomRemedies(): Remedy[] {
  return [
    {
      when: "fix",
      text: `Install a kernel with commit df207de9d9e7 (6.15, and stable 6.1 and 6.6 of April 2025). ${
        remedyMark("udp-mem-limit", "newer kernel")
      }`,
      commands: ["uname -r"],
      verify: "UDP mem of /proc/net/sockstat stays near the sum of the queues",
    },
    {
      when: "now",
      text:
        `Until then raise udp_mem, or datagrams are dropped for want of memory that nobody uses; only a reboot resets the counter. ${
          remedyMark("udp-mem-limit", "raise udp_mem")
        }`,
      commands: ["sysctl net.ipv4.udp_mem"],
      verify: "the drops column of /proc/net/udp does not grow",
    },
  ];
}

function refusedEvidence([first, ...others]: readonly SocketQueue[]): EvidenceLine[] {
  if (first === undefined) return [];
  return [{
    path: first.path,
    line: first.line,
    because: `this socket holds ${formatBytes(first.chargedBytes)} of its own ${
      formatBytes(first.limitBytes as number)
    } and still lost ${formatQuantity(first.dropped as number, "datagram")} while it was watched${
      others.length === 0 ? "" : `, as ${formatQuantity(others.length, "other")} did`
    }: not its own limit refused them`,
  }];
}

function counterEvidence(counters: readonly Parsed<NetSnmp>[] | undefined): EvidenceLine[] {
  for (const { path, value } of counters ?? []) {
    const errors = value.get("Udp.MemErrors");
    if (errors !== undefined && errors.value > 0) {
      const because = `MemErrors: ${formatCount(errors.value)} datagrams were refused at this limit since boot`;
      return [{ path, line: errors.line, because }];
    }
  }
  return [];
}

export const udpMemLimit: Analyzer = defineAnalyzer({
  id: "udp-mem-limit",
  title: "All UDP sockets together are at the limit of udp_mem",
  mechanism:
    "net.ipv4.udp_mem limits what all UDP sockets of a host are charged together. At its first number the kernel refuses every further datagram, except to a socket that " +
    "holds less than udp_rmem_min. So sockets that are nearly empty lose packets because others are full. It limits the charge, not the pages behind it.",
  lookAlikes:
    "A socket at its own limit (RcvbufErrors): only that one loses packets. Phantom accounting before 6.15: the counter is 2 GiB or a multiple above what any socket has; " +
    "no memory is used. On 6.18 the refused datagrams are counted in neither MemErrors nor InErrors, only in each socket's drops: zero errors prove nothing.",
  references: [
    "https://docs.kernel.org/networking/ip-sysctl.html",
    "net/core/sock.c __sk_mem_raise_allocated()",
    "commit df207de9d9e7 (udp: fix memory accounting leak)",
  ],
  needs: { udpLimit, udpBacklog },
  uses: { netSnmp },
  analyze({ udpLimit: limit, udpBacklog: backlog, netSnmp: counters }) {
    const { memory, minBytes } = limit;
    const charged = Math.max(memory.bytes, backlog.chargedBytes);
    if (!isAtUdpWall(limit, backlog.chargedBytes)) {
      return {
        ruledOut: `UDP is charged ${formatBytes(charged)} of the ${formatBytes(minBytes)} that udp_mem allows (${
          formatShare(charged, minBytes)
        })`,
      };
    }
    const explained = backlog.chargedBytes >= MIN_EXPLAINED * memory.bytes;
    return { findings: [explained || memory.bytes < PHANTOM_BYTES ? atTheWall(explained) : phantom()] };

    function atTheWall(explained: boolean): FindingDraft {
      const refused = backlog.queues.filter(refusedBelowLimit);
      return {
        title: `all UDP sockets together are at their limit: ${formatBytes(charged)} charged of ${
          formatBytes(minBytes)
        }, so any of them loses datagrams`,
        confidence: refused.length > 0 ? "confirmed" : explained ? "likely" : "possible",
        material: true,
        claims: [],
        symptomOf: "socket-backlog-udp",
        owners: [],
        evidence: [
          ...limitEvidence(limit, backlog.chargedBytes),
          ...refusedEvidence(refused),
          ...counterEvidence(counters),
        ],
        remedies: remedies(),
      };
    }

    function phantom(): FindingDraft {
      return {
        title: `the kernel counts ${formatBytes(memory.bytes)} for UDP, but its sockets hold ${
          formatBytes(backlog.chargedBytes)
        }: an accounting error, which uses no memory but makes UDP lose datagrams`,
        confidence: "likely",
        material: false,
        claims: [],
        owners: [],
        evidence: limitEvidence(limit, backlog.chargedBytes),
        remedies: phantomRemedies(),
      };
    }
  },
});
