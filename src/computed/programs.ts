import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { mainPids } from "./owners.ts";
import { processStatuses } from "./process_statuses.ts";

/** All processes of one name. */
export interface Program {
  readonly comm: string;
  /** The one with the most threads first. */
  readonly pids: readonly number[];
  /** Those that have its threads, and its page tables, the one with the most first: not others of its name that have next to none. */
  readonly threadPids: readonly number[];
  readonly pageTablePids: readonly number[];
  readonly threads: number;
  /** Page tables of all of them. */
  readonly pageTableBytes: number;
  /** Lines of the process that has the most of each. */
  readonly threadsLine: SourceLine | undefined;
  readonly pageTablesLine: SourceLine | undefined;
}

interface Draft {
  pids: { pid: number; threads: number; pageTableBytes: number }[];
  threads: number;
  pageTableBytes: number;
  most: { threads: number; pageTableBytes: number };
  threadsLine: SourceLine | undefined;
  pageTablesLine: SourceLine | undefined;
}

/** Processes by name, kernel threads left out. */
export const programs: Source<readonly Program[]> = defineComputed({
  name: "programs",
  needs: { processStatuses },
  uses: {},
  compute({ processStatuses: files }) {
    const byComm = new Map<string, Draft>();
    for (const { pid, path, value: { name, threads, vmPteBytes, vmRssBytes, lines } } of files) {
      if (name === undefined || vmRssBytes === undefined) continue;
      let program = byComm.get(name);
      if (program === undefined) {
        program = {
          pids: [],
          threads: 0,
          pageTableBytes: 0,
          most: { threads: -1, pageTableBytes: -1 },
          threadsLine: undefined,
          pageTablesLine: undefined,
        };
        byComm.set(name, program);
      }
      const at = (field: string): SourceLine | undefined => {
        const line = lines.get(field);
        return line === undefined ? undefined : { path, line };
      };
      program.pids.push({ pid, threads: threads ?? 0, pageTableBytes: vmPteBytes ?? 0 });
      program.threads += threads ?? 0;
      program.pageTableBytes += vmPteBytes ?? 0;
      if (threads !== undefined && threads > program.most.threads) {
        program.most.threads = threads;
        program.threadsLine = at("Threads");
      }
      if (vmPteBytes !== undefined && vmPteBytes > program.most.pageTableBytes) {
        program.most.pageTableBytes = vmPteBytes;
        program.pageTablesLine = at("VmPTE");
      }
    }
    return [...byComm].map(([comm, { pids, threads, pageTableBytes, threadsLine, pageTablesLine }]) => ({
      comm,
      pids: pids.sort((a, b) => b.threads - a.threads || a.pid - b.pid).map(({ pid }) => pid),
      threadPids: mainPids(pids.map(({ pid, threads: bytes }) => ({ pid, bytes }))),
      pageTablePids: mainPids(pids.map(({ pid, pageTableBytes: bytes }) => ({ pid, bytes }))),
      threads,
      pageTableBytes,
      threadsLine,
      pageTablesLine,
    }));
  },
});
