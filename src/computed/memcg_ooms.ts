import type { SourceLine } from "../core/ledger.ts";
import { type Captured, type Parsed, type Reader, readUses, type Source } from "../core/source.ts";
import { sumOf } from "../core/sums.ts";
import { containerStats } from "../parsers/container_stats.ts";
import { kernelLog, type KernelLogEvent, type OomVictim } from "../parsers/kernel_log.ts";
import { type MemoryEvents, memoryEvents } from "../parsers/memory_events.ts";
import { type OomReport, oomReports } from "../parsers/oom_report.ts";
import { reportOf } from "./oom_dump.ts";

/** A control group that was at its limit and had a process killed. */
export interface MemcgOom {
  /** Path of the group below the hierarchy's root. */
  readonly group: string;
  readonly kills: number;
  /** Undefined where only the group's counter tells. */
  readonly victim: OomVictim | undefined;
  /** Whether the last kill in the log was before the host was last started. */
  readonly isEarlierBoot: boolean;
  /** Seconds since boot of the last kill. */
  readonly seconds: number | undefined;
  readonly usageBytes: number | undefined;
  readonly limitBytes: number | undefined;
  /** The dump of the last kill; undefined where it is not in the log. */
  readonly report: OomReport | undefined;
  /** The lines that tell: of the log, of the group's counter. */
  readonly log: (SourceLine & { readonly limitLine: number | undefined }) | undefined;
  readonly counter: SourceLine | undefined;
}

/** What stands for a group whose path is not in the log. */
export const UNNAMED_GROUP = "(not named)";

function fromLog(
  log: Parsed<readonly KernelLogEvent[]> | undefined,
  reports: Parsed<readonly OomReport[]> | undefined,
): Map<string, MemcgOom> {
  const byGroup = new Map<string, MemcgOom>();
  for (const event of log?.value ?? []) {
    if (event.kind !== "memcg-oom") continue;
    const group = event.memcg ?? UNNAMED_GROUP;
    const report = reportOf(event, (log as Parsed<readonly KernelLogEvent[]>).value, reports?.value);
    // Where the log ends within the stack of who asked, what it tells of others says more.
    const isStack = event.memcg === undefined && event.victims.length === 0 && report === undefined;
    if (isStack && byGroup.size > 0) continue;
    const kills = (byGroup.get(group)?.kills ?? 0) + event.victims.length;
    // The latest last.
    byGroup.delete(group);
    byGroup.set(group, {
      group,
      kills,
      victim: event.victims.at(-1),
      isEarlierBoot: event.isEarlierBoot,
      seconds: event.seconds,
      usageBytes: report?.usageBytes,
      limitBytes: report?.limitBytes,
      report,
      log: {
        path: (log as Parsed<unknown>).path,
        line: event.victims.at(-1)?.line ?? event.line,
        limitLine: report?.line,
      },
      counter: undefined,
    });
  }
  return byGroup;
}

function groupOf(path: string): string {
  const at = path.indexOf("sys/fs/cgroup/") + "sys/fs/cgroup".length;
  const folder = path.slice(at, path.lastIndexOf("/"));
  return (path.endsWith("/memory.oom_control") ? folder.replace(/^\/memory/, "") : folder) || "/";
}

/**
 * Kills of the group itself. Of cgroup v2, a group counts the kills of the groups below it, and those of the host's OOM killer: it was at its own limit
 * only if `oom` counts, too. v1 has no such counter.
 */
function killsOf(
  file: Parsed<MemoryEvents>,
  all: readonly Parsed<MemoryEvents>[],
): { kills: number; line: number } | undefined {
  const { path, value } = file;
  const entry = value.get("oom_kill");
  const isV1 = path.endsWith("/memory.oom_control");
  if (entry === undefined || entry.value === 0 || (!isV1 && (value.get("oom")?.value ?? 0) === 0)) return undefined;
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const below = isV1
    ? []
    : all.filter((other) => other.path.startsWith(folder) && other.path.slice(folder.length).split("/").length === 2);
  const kills = entry.value - sumOf(below, (child) => child.value.get("oom_kill")?.value ?? 0);
  return kills > 0 ? { kills, line: entry.line } : undefined;
}

function read(reader: Reader): Captured<readonly MemcgOom[]> {
  const log = reader.read(kernelLog);
  const files = reader.read(memoryEvents);
  if (log.status === "missing" && files.status === "missing") {
    // What tools print of containers tells of none.
    if (reader.read(containerStats).status === "ok") return { status: "ok", value: [] };
    return { status: "missing", missing: [...log.missing, ...files.missing] };
  }
  if (log.status === "failed" && files.status !== "ok") return log;
  if (files.status === "failed" && log.status !== "ok") return files;
  const { reports } = readUses({ reports: oomReports }, reader);
  const groups = fromLog(log.status === "ok" ? log.value : undefined, reports);
  const logged = [...groups.keys()];
  const counters = files.status === "ok" ? files.value : [];
  for (const file of counters) {
    const own = killsOf(file, counters);
    if (own === undefined) continue;
    const group = groupOf(file.path);
    const counter = { path: file.path, line: own.line };
    const known = groups.get(group);
    groups.set(
      group,
      known === undefined
        ? {
          group,
          kills: own.kills,
          victim: undefined,
          isEarlierBoot: false,
          seconds: undefined,
          usageBytes: undefined,
          limitBytes: undefined,
          report: undefined,
          log: undefined,
          counter,
        }
        // The counter is of now.
        : { ...known, isEarlierBoot: false, kills: Math.max(known.kills, own.kills), counter },
    );
  }
  return { status: "ok", value: [...groups.values()].sort((a, b) => byRecency(a, b, logged)) };
}

/** Groups that are still there first, then the latest in the log. */
function byRecency(a: MemcgOom, b: MemcgOom, logged: readonly string[]): number {
  const exists = ({ counter }: MemcgOom): number => (counter === undefined ? 0 : 1);
  return exists(b) - exists(a) || logged.indexOf(b.group) - logged.indexOf(a.group) || (a.group < b.group ? -1 : 1);
}

/** Control groups that were at their limit, from the kernel log and from their own counters: those that still exist first. */
export const memcgOoms: Source<readonly MemcgOom[]> = {
  name: "OOM of control groups",
  patterns: [...kernelLog.patterns, ...memoryEvents.patterns, ...containerStats.patterns],
  read,
};
