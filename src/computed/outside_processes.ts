import { accountBytes, type SourceLine } from "../core/ledger.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { sumBytes } from "../core/sums.ts";
import { type PsProcess, psTables } from "../parsers/ps.ts";
import { ledger } from "./ledger.ts";
import { areAllProcesses, processStatuses } from "./process_statuses.ts";

/** Memory in use that no process has. */
export interface OutsideProcesses {
  /** At least, and at most: RSS has pages of files in it, which are not among what is in use. */
  readonly bytes: { readonly low: number; readonly high: number };
  readonly processes: number;
  readonly rssBytes: number;
  /** Of the largest process. */
  readonly largestBytes: number;
  readonly largest: SourceLine;
}

/** The first of the kernel's own threads, which ps shows of a host, and neither in a container nor without the option for it. */
function isKthreadd({ pid, comm, command }: PsProcess): boolean {
  return pid === 2 && (comm ?? command)?.includes("kthreadd") === true;
}

/**
 * What no process has, where `free` or top told how much is in use, and ps listed every process. Of a whole /proc/meminfo the ledger tells better: undefined then,
 * and where the list may not be all.
 */
export const outsideProcesses: Source<OutsideProcesses | undefined> = defineComputed({
  name: "memory in use that is in no process",
  needs: { ledger, processStatuses, areAllProcesses, psTables },
  uses: {},
  compute({ ledger: whole, processStatuses: files, areAllProcesses: areAll, psTables: tables }) {
    const inUse = accountBytes(whole, "unaccounted");
    const isHost = tables.some(({ value }) => value.some(isKthreadd));
    if (inUse === undefined || accountBytes(whole, "anon") !== undefined || !areAll || !isHost) return undefined;
    const sized = files.flatMap(({ path, value: { vmRssBytes: bytes, lines } }) => {
      const line = lines.get("VmRSS");
      return bytes === undefined || line === undefined ? [] : [{ path, line, bytes }];
    });
    const [largest] = sized.toSorted((a, b) => b.bytes - a.bytes);
    if (largest === undefined) return undefined;
    const rssBytes = sumBytes(sized);
    return {
      bytes: { low: Math.max(0, inUse - rssBytes), high: inUse },
      processes: sized.length,
      rssBytes,
      largestBytes: largest.bytes,
      largest: { path: largest.path, line: largest.line },
    };
  },
});
