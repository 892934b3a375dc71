import type { EvidenceLine } from "../core/analyzer.ts";
import { formatBytes, formatCount } from "../core/format.ts";
import { type Account, accountBytes, accountOf } from "../core/ledger.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { sumBytes } from "../core/sums.ts";
import type { ProcessFile } from "../parsers/_groups.ts";
import { free } from "../parsers/free.ts";
import type { ProcessStatus } from "../parsers/process_status.ts";
import { type PsProcess, psTables } from "../parsers/ps.ts";
import { ledger } from "./ledger.ts";
import { areAllProcesses, processStatuses } from "./process_statuses.ts";

/** Memory in use that no process has. */
export interface OutsideProcesses {
  /** At least, and at most: RSS has pages of files in it, which are not among what is in use. */
  readonly bytes: { readonly low: number; readonly high: number };
  /** What the processes have, in words. */
  readonly processes: string;
  readonly evidence: EvidenceLine;
}

/** The first of the kernel's own threads, which ps shows of a host, and neither in a container nor without the option for it. */
function isKthreadd({ pid, comm, command }: PsProcess): boolean {
  return pid === 2 && (comm ?? command)?.includes("kthreadd") === true;
}

/** Of `smem -w`, which tells what all processes have of their own. */
function beyondAnon(inUse: number, { bytes, sources: [line] }: Account): OutsideProcesses | undefined {
  const size = formatBytes(bytes);
  return line && {
    bytes: { low: inUse, high: inUse },
    processes: `all of them have ${size} of their own`,
    evidence: { ...line, because: `processes have ${size} that is no page cache` },
  };
}

/** Of a list of all processes. */
function beyondRss(inUse: number, files: readonly ProcessFile<ProcessStatus>[]): OutsideProcesses | undefined {
  const sized = files.flatMap(({ path, value: { vmRssBytes: bytes, lines } }) => {
    const line = lines.get("VmRSS");
    return bytes === undefined || line === undefined ? [] : [{ path, line, bytes }];
  });
  const [largest] = sized.toSorted((a, b) => b.bytes - a.bytes);
  if (largest === undefined) return undefined;
  const rssBytes = sumBytes(sized);
  const count = formatCount(sized.length);
  return {
    bytes: { low: Math.max(0, inUse - rssBytes), high: inUse },
    processes: `all ${count} that ps lists have ${formatBytes(rssBytes)} (RSS)`,
    evidence: {
      path: largest.path,
      line: largest.line,
      because: `the largest process has ${formatBytes(largest.bytes)}`,
    },
  };
}

/**
 * What no process has, where `free` or top told how much is in use, and ps listed every process, or smem summed them up. Of a whole /proc/meminfo the ledger tells
 * better: undefined then, and where the list may not be all.
 */
export const outsideProcesses: Source<OutsideProcesses | undefined> = defineComputed({
  name: "memory in use that is in no process",
  needs: { ledger },
  uses: { free, processStatuses, areAllProcesses, psTables },
  compute({ ledger: whole, free: summary, processStatuses: files, areAllProcesses: areAll, psTables: tables }) {
    const inUse = accountBytes(whole, "unaccounted");
    if (inUse === undefined) return undefined;
    const anon = accountOf(whole, "anon");
    if (anon !== undefined) return anon.sources[0]?.path === summary?.path ? beyondAnon(inUse, anon) : undefined;
    const isHost = tables?.some(({ value }) => value.some(isKthreadd)) === true;
    return files !== undefined && areAll === true && isHost ? beyondRss(inUse, files) : undefined;
  },
});
