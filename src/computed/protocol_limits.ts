import type { SourceLine } from "../core/ledger.ts";
import type { Captured, Source } from "../core/source.ts";
import { sockstat } from "../parsers/sockstat.ts";
import { sysctl, sysctlNumbers } from "../parsers/sysctl.ts";
import { type ProtocolMemory, protocolMemory } from "./protocol_memory.ts";

/** What all sockets of a protocol together are charged, and what they may be: net.ipv4.tcp_mem or udp_mem, which are in pages. */
export interface ProtocolLimit {
  readonly memory: ProtocolMemory;
  readonly setting: SourceLine;
  readonly minBytes: number;
  readonly pressureBytes: number;
  readonly maxBytes: number;
}

/** The count lags by up to 1 MiB for each CPU, and the next packet need not fit exactly: this near is at the wall. */
const AT_THE_WALL = 0.95;

/** Whether UDP as a whole is where the kernel refuses; `queued` is what the sockets say, which can be ahead of the count. */
export function isAtUdpWall({ memory, minBytes }: ProtocolLimit, queued: number): boolean {
  const charged = Math.max(memory.bytes, queued);
  return charged > 0 && charged >= AT_THE_WALL * minBytes;
}

function limitOf(protocol: "TCP" | "UDP"): Source<ProtocolLimit> {
  const name = `net.ipv4.${protocol.toLowerCase()}_mem`;
  return {
    name: `${protocol} memory and its limit`,
    patterns: [...sysctl.patterns, ...sockstat.patterns],
    read(reader): Captured<ProtocolLimit> {
      const settings = reader.read(sysctl);
      if (settings.status !== "ok") return settings;
      const stat = reader.read(sockstat);
      if (stat.status !== "ok") return stat;
      const { pageSizeBytes } = reader.facts;
      if (pageSizeBytes === undefined) {
        return { status: "missing", missing: [{ path: "the page size", howToCapture: "getconf PAGESIZE" }] };
      }
      const { path, value } = settings.value;
      const [min, pressure, max] = sysctlNumbers(value, name) ?? [];
      const memory = protocolMemory(stat.value, protocol);
      const line = value.get(name)?.line;
      if (min === undefined || pressure === undefined || max === undefined || line === undefined) {
        return { status: "missing", missing: [{ path, howToCapture: `sysctl ${name}` }] };
      }
      if (memory === undefined) {
        return { status: "missing", missing: [{ path: "proc/net/sockstat", howToCapture: "cat /proc/net/sockstat" }] };
      }
      return {
        status: "ok",
        value: {
          memory,
          setting: { path, line },
          minBytes: min * pageSizeBytes,
          pressureBytes: pressure * pageSizeBytes,
          maxBytes: max * pageSizeBytes,
        },
      };
    },
  };
}

/** Of UDP: the kernel refuses at the first of the three numbers. */
export const udpLimit: Source<ProtocolLimit> = limitOf("UDP");

/** Of TCP: above the second number it saves memory, above the third it refuses. */
export const tcpLimit: Source<ProtocolLimit> = limitOf("TCP");
