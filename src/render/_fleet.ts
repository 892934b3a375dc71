/** What the summaries of many bundles say in the same words. Nothing here is escaped yet. */
import { formatBytes, formatQuantity, formatShare } from "../core/format.ts";
import type { CauseSummary, FleetSummary, HostCount, HostDigest } from "../core/summary.ts";

const NAMES_SHOWN = 3;

/** "java (3), node": the first few, and how many more. */
export function names(counts: readonly HostCount[]): string {
  const shown = counts.slice(0, NAMES_SHOWN).map(({ name, hosts }) => (hosts === 1 ? name : `${name} (${hosts})`));
  return [...shown, ...(counts.length > NAMES_SHOWN ? [`${counts.length - NAMES_SHOWN} more`] : [])].join(", ");
}

/** How many have which verdict. */
export function verdictText({ verdicts }: FleetSummary): string {
  return Object.entries(verdicts).map(([verdict, hosts]) => `${verdict} ${hosts}`).join(", ");
}

/** "3 of 7 bundles (1 of them only in a control group)"; undefined where none ran out of memory. */
export function outOfMemoryText({ hosts, outOfMemory }: FleetSummary): string | undefined {
  const groups = outOfMemory["control-group"];
  const all = outOfMemory.host + groups;
  if (all === 0) return undefined;
  const part = groups === 0 ? "" : ` (${groups} of them only in a control group)`;
  return `${all} of ${formatQuantity(hosts.length, "bundle")}${part}`;
}

/** Nothing is to be done about it. */
export function isQuiet({ verdict, outOfMemory }: HostDigest): boolean {
  return verdict === "healthy" && outOfMemory === null;
}

function firstLine(summary: FleetSummary): string {
  const { hosts, causes, verdicts, unreadable, suspects } = summary;
  const unread = unreadable.length === 0 ? "" : `; ${unreadable.length} could not be read`;
  const memory = outOfMemoryText(summary);
  const [first] = causes;
  if (first !== undefined) {
    const killed = memory === undefined ? "" : `; out of memory in ${memory}`;
    const all = formatQuantity(hosts.length, "bundle");
    return `A cause in ${
      verdicts["cause-found"] ?? 0
    } of ${all}, most often ${first.cause} (${first.hosts})${killed}${unread}.`;
  }
  if (memory === undefined) return `No cause found in ${formatQuantity(hosts.length, "bundle")}${unread}.`;
  const points = suspects.length === 0 ? "" : `, but symptoms point at ${names(suspects)}`;
  return `Out of memory in ${memory}; no cause is proven${points}${unread}.`;
}

/** The two lines the reader came for. */
export function fleetAnswer(summary: FleetSummary): readonly [string, string] {
  const [worst] = summary.hosts;
  const second = worst === undefined || isQuiet(worst) ? "Nothing to do." : `Worst: ${worst.path}: ${worst.headline}`;
  return [firstLine(summary), second];
}

/** The columns of {@linkcode causeRow}. */
export const CAUSE_COLUMNS: readonly string[] = ["cause", "hosts", "held in all", "most", "programs", "kernels"];

/** A cause, on how many hosts it is, and of which kind. */
export function causeRow({ cause, hosts, bytes, worst, kernels, programs }: CauseSummary): string[] {
  return [
    cause,
    String(hosts),
    // Such as thrashing: what it is made of has other tenants.
    bytes === 0 ? "-" : formatBytes(bytes),
    bytes === 0 ? worst.path : `${formatBytes(worst.bytes)}: ${worst.path}`,
    names(programs),
    names(kernels),
  ];
}

/** Which hosts are unlike the others, and in what. */
export function outlierText({ outliers }: FleetSummary): string[] {
  return outliers.map(({ path, account, share, medianShare }) =>
    `${path}: ${formatShare(share, 1)} of MemTotal is ${account}, against ${formatShare(medianShare, 1)} usually`
  );
}

/** A bundle by its path and host. */
export function hostName({ path, hostname }: HostDigest): string {
  return hostname === null ? path : `${path} (${hostname})`;
}
