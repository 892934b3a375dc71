import type { HostDigest } from "../../src/core/summary.ts";

export const MIB: number = 2 ** 20;

/** A host of a fleet, on which so much lies unread. */
export function fleetHost(path: string, mib: number, more: Partial<HostDigest> = {}): HostDigest {
  return {
    path,
    hostname: path,
    kernelRelease: "6.1.0",
    totalBytes: 2 ** 33,
    verdict: mib > 0 ? "cause-found" : "healthy",
    pressure: "none",
    headline: mib > 0 ? `pusher: ${mib} MiB unread` : "No leak found",
    accusations: mib > 0
      ? [{ cause: "socket-backlog-udp", confidence: "likely", bytes: mib * MIB, programs: ["pusher"] }]
      : [],
    outOfMemory: null,
    suspects: [],
    shares: { anon: 0.2, "page-cache": Math.min(0.7, mib / 1000) },
    ...more,
  };
}
