/** What logs tell of memory that could not be had, as events in time. */
import { formatBytes, formatQuantity } from "../core/format.ts";
import type { KernelEvent } from "../core/report.ts";
import { defineComputed, type Parsed, type Source } from "../core/source.ts";
import { oomDaemon, type OomDaemonKill } from "../parsers/oom_daemon.ts";
import { kernelLog, type KernelLogEvent, type OomPanic, type OomVictim } from "../parsers/kernel_log.ts";
import { isOfSomeNodes, SYSRQ_ORDER } from "./oom_dump.ts";

export function killed(victims: readonly OomVictim[], panic?: OomPanic): string {
  if (victims.length === 0) return panic === undefined ? "no kill is in the log" : "the kernel panicked";
  return `the kernel killed ${
    victims.map(({ comm, pid, anonRssBytes }) =>
      `${comm} (pid ${pid}${anonRssBytes === undefined ? "" : `, ${formatBytes(anonRssBytes)} of its own`})`
    ).join(", ")
  }${panic === undefined ? "" : ", and panicked"}`;
}

function title(event: KernelLogEvent): string {
  return `${event.isEarlierBoot ? "before the host was last started: " : ""}${whatHappened(event)}`;
}

function whatHappened(event: KernelLogEvent): string {
  const { kind, comm, order, memcg, victims, panic, isPageFault, vmallocBytes } = event;
  const asked = comm === undefined ? "" : ` when ${comm} asked for memory`;
  switch (kind) {
    case "global-oom":
      if (order === SYSRQ_ORDER) {
        return `somebody had the kernel look for a process to kill (sysrq f): ${killed(victims, panic)}`;
      }
      if (isPageFault) {
        return `a page fault${comm === undefined ? "" : ` of ${comm}`} found no memory: ${killed(victims, panic)}`;
      }
      return `${
        isOfSomeNodes(event) ? "the nodes that a cpuset or NUMA policy allows were" : "the host was"
      } out of memory${asked}: ${killed(victims, panic)}`;
    case "memcg-oom":
      return `control group ${memcg ?? "(not named)"} was at its limit${asked}: ${killed(victims)}`;
    case "allocation-failure":
      if (vmallocBytes !== undefined) {
        return `${comm ?? "a process"} found no addresses (vmalloc) for ${
          formatBytes(vmallocBytes)
        }: what is short is not memory`;
      }
      return `${comm ?? "a process"} found no ${
        order === undefined
          ? "memory"
          : order === 0
          ? "free page"
          : `${formatQuantity(2 ** order, "page")} in one piece`
      }`;
  }
}

/** `earlyoom, not the kernel, ended java (pid 906, 42.9 GiB): mem avail: 888 of 55597 MiB ( 1.60%), ...` */
export function daemonKill({ daemon, victim, pid, rssBytes, because }: OomDaemonKill): string {
  const what = daemon === "kubelet"
    ? `evicted ${victim}`
    : pid === undefined
    ? `killed the control group ${victim}`
    : `ended ${victim} (pid ${pid}${rssBytes === undefined ? "" : `, ${formatBytes(rssBytes)}`})`;
  return `${daemon}, not the kernel, ${what}${because === undefined ? "" : `: ${because}`}`;
}

type Event = Omit<KernelEvent, "text">;

function ofKernel({ path, value }: Parsed<readonly KernelLogEvent[]>): Event[] {
  return value.filter(({ isCutOff }) => !isCutOff).map((event) => ({
    kind: event.kind,
    secondsSinceBoot: event.seconds ?? null,
    title: title(event),
    path,
    line: event.line,
  }));
}

function ofDaemons({ path, value }: Parsed<readonly OomDaemonKill[]>): Event[] {
  return value.map((kill) => ({
    kind: "daemon-kill",
    secondsSinceBoot: null,
    title: daemonKill(kill),
    path,
    line: kill.line,
  }));
}

/** The kernel's in the order of its log, and then those of other programs. */
export const kernelEvents: Source<readonly Event[]> = defineComputed({
  name: "events in the logs",
  needs: {},
  uses: { kernelLog, oomDaemon },
  compute: ({ kernelLog: kernels, oomDaemon: daemons }) => [
    ...(kernels === undefined ? [] : ofKernel(kernels)),
    ...(daemons === undefined ? [] : ofDaemons(daemons)),
  ],
});
