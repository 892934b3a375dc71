/** What the kernel's log tells of memory that could not be had, as events in time. */
import { formatBytes, formatQuantity } from "../core/format.ts";
import type { KernelEvent } from "../core/report.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { kernelLog, type KernelLogEvent, type OomPanic, type OomVictim } from "../parsers/kernel_log.ts";

function killed(victims: readonly OomVictim[], panic?: OomPanic): string {
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

function whatHappened({ kind, comm, order, memcg, victims, panic }: KernelLogEvent): string {
  const asked = comm === undefined ? "" : ` when ${comm} asked for memory`;
  switch (kind) {
    case "global-oom":
      return `the host was out of memory${asked}: ${killed(victims, panic)}`;
    case "memcg-oom":
      return `control group ${memcg ?? "(not named)"} was at its limit${asked}: ${killed(victims)}`;
    case "allocation-failure":
      return `${comm ?? "a process"} found no ${
        order === undefined ? "memory" : `${formatQuantity(2 ** order, "page")} in one piece`
      }`;
  }
}

/** In the order of the log. */
export const kernelEvents: Source<readonly Omit<KernelEvent, "text">[]> = defineComputed({
  name: "events in the kernel log",
  needs: { kernelLog },
  uses: {},
  compute: ({ kernelLog: { path, value } }) =>
    value.filter(({ isCutOff }) => !isCutOff).map((event) => ({
      kind: event.kind,
      secondsSinceBoot: event.seconds ?? null,
      title: title(event),
      path,
      line: event.line,
    })),
});
