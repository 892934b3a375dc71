import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { processStatus } from "../parsers/process_status.ts";

/** A user and the signals that are queued for it: a POSIX timer reserves one, from its creation on. */
export interface QueuedSignals extends SourceLine {
  readonly uid: number;
  readonly count: number;
  /** The user's processes: any of them may have made the timers. */
  readonly processes: readonly { readonly pid: number; readonly comm: string }[];
}

/** By user, the most signals first. The kernel counts them by real user, so each process of one tells the same number. */
export const queuedSignals: Source<readonly QueuedSignals[]> = defineComputed({
  name: "queued signals",
  needs: { processStatus },
  uses: {},
  compute({ processStatus: files }) {
    const byUser = new Map<number, QueuedSignals & { readonly processes: { pid: number; comm: string }[] }>();
    for (const { pid, path, value: { uid, sigQueued: count, name, lines } } of files) {
      const line = lines.get("SigQ");
      if (uid === undefined || count === undefined || count === 0 || line === undefined) continue;
      const process = { pid, comm: name ?? "(no name)" };
      const processes = byUser.get(uid)?.processes ?? [];
      processes.push(process);
      const { path: firstPath, line: firstLine } = byUser.get(uid) ?? { path, line };
      byUser.set(uid, { uid, path: firstPath, line: firstLine, count, processes });
    }
    return [...byUser.values()].sort((a, b) => b.count - a.count || a.uid - b.uid);
  },
});
