import { append } from "../core/group_by.ts";
import type { AccountId } from "../core/ledger.ts";
import type { Finding, PressureLevel, Report } from "../core/report.ts";
import type { CauseSummary, FleetSummary, HostCount, HostDigest, Outlier, OutOfMemory } from "../core/summary.ts";
import { sum, sumBytes, sumOf } from "../core/sums.ts";

/** Fewer hosts have no usual share. */
const MIN_FLEET = 5;
/** Of a normal distribution, one in a million lies further from the median than this many deviations. */
const OUTLYING_DEVIATIONS = 5;
/** Makes a median absolute deviation a standard deviation, of a normal distribution. */
const MAD_TO_DEVIATION = 1.4826;
/** Of MemTotal: less than this decides nothing, however unusual. */
const WORTH_A_LINE_SHARE = 0.05;
/** What is so on more of the hosts than this is another kind of host, and nothing unusual. */
const UNUSUAL_SHARE = 0.2;
/** These are as full as the work of a host makes them, and are given back. */
const VARYING: ReadonlySet<string> = new Set<AccountId>(["free", "per-cpu-free-lists", "page-cache", "buffers"]);

const LEVELS: readonly PressureLevel[] = ["none", "rising", "short", "exhausted"];

function isAccusation({ material, confidence, symptomOf }: Finding): boolean {
  return material && confidence !== "possible" && symptomOf === null;
}

function outOfMemory({ events, findings }: Report): OutOfMemory | null {
  // A page fault that failed need not have been for want of the host's.
  const isDoubtful = findings.some(({ cause, confidence }) => cause === "global-oom" && confidence === "possible");
  if (events.some(({ kind }) => kind === "global-oom") && !isDoubtful) return "host";
  return events.some(({ kind }) => kind === "memcg-oom") ? "control-group" : null;
}

/** Symptoms that the kernel itself told of, such as an OOM kill: they say where to look, not who is at fault. */
function suspects({ findings }: Report): string[] {
  const proven = new Set(findings.filter(isAccusation).map(({ cause }) => cause));
  const symptoms = findings.filter(({ confidence }) => confidence === "confirmed");
  return [...new Set(symptoms.flatMap(({ symptomOf }) => symptomOf ?? []))].filter((cause) => !proven.has(cause));
}

/**
 * What a summary needs of a report.
 *
 * @example
 * ```ts
 * import { analyze, digest, openBundle, summarize } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * const summary = summarize([digest("web1.tgz", report, "All is well")], []);
 * equal(summary.hosts[0]?.path, "web1.tgz");
 * ```
 *
 * @param path What the bundle is called there.
 * @param headline The answer in one sentence.
 */
export function digest(path: string, report: Report, headline: string): HostDigest {
  const { host, verdict, pressure, findings, ledger } = report;
  return {
    path,
    hostname: host.hostname,
    kernelRelease: host.kernelRelease,
    totalBytes: host.totalBytes,
    verdict,
    pressure: pressure.level,
    headline,
    accusations: findings.filter(isAccusation).map(({ cause, confidence, bytes, owners }) => ({
      cause,
      confidence,
      bytes: bytes.high,
      programs: [...new Set(owners.map(({ comm }) => comm))].slice(0, 3),
    })),
    outOfMemory: outOfMemory(report),
    suspects: suspects(report),
    shares: Object.fromEntries(
      (ledger?.accounts ?? []).map(({ id, bytes }) => [id, bytes / (ledger?.totalBytes ?? 1)]),
    ),
  };
}

function heldBytes({ accusations }: HostDigest): number {
  return sumBytes(accusations);
}

/** What does not go by itself, as far as it is told. */
function usedBytes({ shares, totalBytes }: HostDigest): number {
  const kept = Object.entries(shares).filter(([account]) => !VARYING.has(account));
  return (totalBytes ?? 0) * sumOf(kept, ([, share]) => share);
}

/** Where nothing held can be compared: a group's limit kills none but its own. */
function rank({ outOfMemory, accusations, verdict }: HostDigest): number {
  if (outOfMemory === "host") return 3;
  return accusations.length > 0 ? 2 : verdict === "healthy" ? 0 : 1;
}

/** The worst first. */
function bySeverity(a: HostDigest, b: HostDigest): number {
  return heldBytes(b) - heldBytes(a) ||
    rank(b) - rank(a) ||
    LEVELS.indexOf(b.pressure) - LEVELS.indexOf(a.pressure) ||
    usedBytes(b) - usedBytes(a);
}

/** What is on most hosts first. */
function count(names: readonly string[]): HostCount[] {
  const hosts = new Map<string, number>();
  for (const name of names) hosts.set(name, (hosts.get(name) ?? 0) + 1);
  return [...hosts].map(([name, number]) => ({ name, hosts: number }))
    .sort((a, b) => b.hosts - a.hosts || (a.name < b.name ? -1 : 1));
}

function causes(hosts: readonly HostDigest[]): CauseSummary[] {
  const byCause = new Map<string, HostDigest[]>();
  for (const host of hosts) {
    for (const cause of new Set(host.accusations.map((each) => each.cause))) {
      append(byCause, cause, host);
    }
  }
  return [...byCause].map(([cause, found]) => {
    const own = found.map((host) => host.accusations.filter((each) => each.cause === cause));
    const sums = own.map(sumBytes);
    const most = Math.max(...sums);
    return {
      cause,
      hosts: found.length,
      bytes: sum(sums),
      worst: { path: (found[sums.indexOf(most)] as HostDigest).path, bytes: most },
      kernels: count(found.flatMap(({ kernelRelease }) => kernelRelease ?? [])),
      programs: count(own.flatMap((each) => [...new Set(each.flatMap(({ programs }) => programs))])),
    };
  }).sort((a, b) => b.hosts - a.hosts || b.bytes - a.bytes || (a.cause < b.cause ? -1 : 1));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(half)] as number) + (sorted[Math.ceil(half)] as number)) / 2;
}

/** By the median and its deviation, which a few broken hosts do not move. */
function outliers(hosts: readonly HostDigest[]): Outlier[] {
  const told = hosts.filter(({ shares }) => Object.keys(shares).length > 0);
  if (told.length < MIN_FLEET) return [];
  const accounts = [...new Set(told.flatMap(({ shares }) => Object.keys(shares)))].filter((id) => !VARYING.has(id));
  return accounts.flatMap((account) => {
    const shares = told.map((host) => host.shares[account] ?? 0);
    const middle = median(shares);
    const deviation = MAD_TO_DEVIATION * median(shares.map((share) => Math.abs(share - middle)));
    const most = Math.max(WORTH_A_LINE_SHARE, OUTLYING_DEVIATIONS * deviation);
    const found = told.flatMap(({ path }, i) => {
      const share = shares[i] as number;
      return share - middle > most ? [{ path, account: account as AccountId, share, medianShare: middle }] : [];
    });
    return found.length > UNUSUAL_SHARE * told.length ? [] : found;
  }).sort((a, b) => b.share - b.medianShare - (a.share - a.medianShare));
}

/**
 * What many bundles say together. Pure: the order of `hosts` does not matter, but for ties.
 *
 * @example
 * ```ts
 * import { analyze, digest, openBundle, summarize } from "nailhouse";
 * import { equal } from "node:assert";
 *
 * const report = analyze(await openBundle({ "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" }));
 * const summary = summarize([digest("web1.tgz", report, "All is well")], []);
 * equal(summary.hosts[0]?.path, "web1.tgz");
 * ```
 */
export function summarize(hosts: readonly HostDigest[], unreadable: FleetSummary["unreadable"]): FleetSummary {
  return {
    schemaVersion: 1,
    verdicts: Object.fromEntries(count(hosts.map(({ verdict }) => verdict)).map(({ name, hosts }) => [name, hosts])),
    causes: causes(hosts),
    outOfMemory: {
      host: hosts.filter((each) => each.outOfMemory === "host").length,
      "control-group": hosts.filter((each) => each.outOfMemory === "control-group").length,
    },
    suspects: count(hosts.flatMap((each) => each.suspects)),
    hosts: [...hosts].sort(bySeverity),
    outliers: outliers(hosts),
    unreadable,
  };
}
