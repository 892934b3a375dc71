import { type Analyzer, defineAnalyzer, type EvidenceLine, type FindingDraft } from "../src/core/analyzer.ts";
import { formatBytes, formatCount, formatQuantity, formatShare } from "../src/core/format.ts";
import { type Captured, type Parsed, readUses, type Source } from "../src/core/source.ts";
import type { Remedy } from "../src/core/report.ts";
import { type ProtocolLimit, tcpLimit } from "../src/computed/protocol_limits.ts";
import { type TcpBacklog, tcpBacklog } from "../src/computed/tcp_backlog.ts";
import { type NetSnmp, netSnmp } from "../src/parsers/net_snmp.ts";
import { type TcpOutOfMemory, tcpOutOfMemory } from "../src/parsers/tcp_out_of_memory.ts";
import { remedyMark } from "../src/computed/remedy_mark.ts";

/** Under pressure the kernel keeps TCP near the second number of tcp_mem, and its count lags by up to 1 MiB for each CPU. */
const AT_PRESSURE = 0.95;

/** What the kernel did about it since boot. */
const COUNTERS: readonly (readonly [string, string])[] = [
  ["TcpExt.TCPAbortOnMemory", "connections were reset for want of memory since boot"],
  ["TcpExt.TCPMemoryPressures", "times TCP came under memory pressure since boot"],
  ["TcpExt.PruneCalled", "receive queues were cut down since boot"],
];

/** How much TCP is charged, and what for; where that is not told, that the kernel's log says that it was too much. */
type Told =
  | { readonly limit: ProtocolLimit; readonly backlog: TcpBacklog }
  | { readonly limit?: never; readonly log: Parsed<TcpOutOfMemory>; readonly line: number };

const told: Source<Told> = {
  name: "TCP memory, or the kernel's word of it",
  patterns: [tcpLimit, tcpBacklog, tcpOutOfMemory].flatMap(({ patterns }) => patterns),
  read(reader): Captured<Told> {
    const limit = reader.read(tcpLimit);
    const backlog = reader.read(tcpBacklog);
    if (limit.status === "ok" && backlog.status === "ok") {
      return { status: "ok", value: { limit: limit.value, backlog: backlog.value } };
    }
    const { log } = readUses({ log: tcpOutOfMemory }, reader);
    if (log?.value.line !== undefined) return { status: "ok", value: { log, line: log.value.line } };
    if (limit.status === "missing" && backlog.status === "missing") {
      return { status: "missing", missing: [...limit.missing, ...backlog.missing] };
    }
    return limit.status === "ok" ? backlog as Captured<never> : limit;
  },
};

/** The kernel's word alone: why, and whether it is so still, is not known. */
function wordFinding({ path, value: { count } }: Parsed<TcpOutOfMemory>, line: number): FindingDraft {
  return {
    title: `TCP as a whole was above its limit (tcp_mem): the kernel's log says so ${
      formatQuantity(count, "time")
    }, and connections were reset for it`,
    confidence: "confirmed",
    material: false,
    claims: [],
    owners: [],
    evidence: [{ path, line, because: "what all TCP sockets are charged was above the third number of tcp_mem" }],
    remedies: remedies(),
  };
}

function counterEvidence(files: readonly Parsed<NetSnmp>[] | undefined): EvidenceLine[] {
  return COUNTERS.flatMap(([name, what]) => {
    for (const { path, value } of files ?? []) {
      const counter = value.get(name);
      if (counter !== undefined && counter.value > 0) {
        return [{ path, line: counter.line, because: `${name.split(".")[1]}: ${formatCount(counter.value)} ${what}` }];
      }
    }
    return [];
  });
}

function limitEvidence({ memory, setting, pressureBytes, maxBytes }: ProtocolLimit, queued: number): EvidenceLine[] {
  return [{
    path: memory.path,
    line: memory.line,
    because: `${formatBytes(memory.bytes)} are charged to all TCP sockets of the host: ${
      formatShare(memory.bytes, pressureBytes)
    } of where pressure begins (the queues in this bundle add up to ${formatBytes(queued)})`,
  }, {
    ...setting,
    because: `tcp_mem: above the second number (${
      formatBytes(pressureBytes)
    }) TCP shrinks windows and buffers, above the third (${formatBytes(maxBytes)}) it refuses and resets`,
  }];
}

function remedies(): Remedy[] {
  return [
    {
      when: "now",
      text:
        `Free the queues that fill it: see the cause that this points at. Until then every connection of the host is slow. ${
          remedyMark("tcp-mem-pressure", "free the queues")
        }`,
      commands: ["ss -tanmp | sort -k2 -n | tail", "ss -tanmp | sort -k3 -n | tail"],
      verify: "TCP mem of `cat /proc/net/sockstat` falls below the first number of tcp_mem, where pressure ends",
    },
    {
      when: "prevent",
      text:
        `Raise tcp_mem only when the connections are known to be healthy and the host has the memory: it is what keeps stuck connections from taking all of it. ${
          remedyMark("tcp-mem-pressure", "raise tcp_mem with care")
        }`,
      commands: ["sysctl net.ipv4.tcp_mem net.ipv4.tcp_rmem net.ipv4.tcp_wmem"],
      verify: "TCPMemoryPressures of `nstat -az` stays as it is",
    },
  ];
}

export const tcpMemPressure: Analyzer = defineAnalyzer({
  id: "tcp-mem-pressure",
  title: "TCP as a whole is under memory pressure",
  mechanism:
    "net.ipv4.tcp_mem limits what all TCP sockets of a host are charged together. Above its second number every connection gets smaller windows and buffers; above the third " +
    "the kernel drops data and resets connections. It is what connections that nobody reads do to all the others.",
  lookAlikes:
    "Many connections that are all busy: their queues move. Counters of pressure are since boot: they say that it happened, not that it does now.",
  references: [
    "https://docs.kernel.org/networking/ip-sysctl.html",
    "net/ipv4/tcp.c tcp_enter_memory_pressure()",
  ],
  needs: { told },
  uses: { netSnmp },
  analyze({ told: known, netSnmp: counters }) {
    if (known.limit === undefined) return { findings: [wordFinding(known.log, known.line)] };
    const { limit, backlog: { received, sent } } = known;
    const { memory, pressureBytes, maxBytes } = limit;
    const happened = counterEvidence(counters);
    if (memory.bytes === 0 || memory.bytes < AT_PRESSURE * pressureBytes) {
      return {
        ruledOut: `TCP is charged ${formatBytes(memory.bytes)}, pressure begins at ${formatBytes(pressureBytes)} (${
          formatShare(memory.bytes, pressureBytes)
        })`,
      };
    }
    const queued = received.chargedBytes + sent.chargedBytes;
    const draft: FindingDraft = {
      title: `TCP as a whole is ${memory.bytes > maxBytes ? "above its limit" : "under memory pressure"}: ${
        formatBytes(memory.bytes)
      } charged, pressure begins at ${formatBytes(pressureBytes)}`,
      confidence: memory.bytes > pressureBytes || happened.length > 0 ? "confirmed" : "likely",
      material: true,
      claims: [],
      symptomOf: sent.chargedBytes > received.chargedBytes ? "socket-backlog-tcp-send" : "socket-backlog-tcp-recv",
      owners: [],
      evidence: [...limitEvidence(limit, queued), ...happened],
      remedies: remedies(),
    };
    return { findings: [draft] };
  },
});
