/** Memory over time: of the bundle's own snapshots, and of what other programs recorded before them. */
import type { AccountId, KnownAccounts, Ledger } from "../core/ledger.ts";
import { beforeStart, defineComputed, overTime, type Source, type TimePoint } from "../core/source.ts";
import { importedHistory, type ImportedPoint } from "./imported_history.ts";
import { ledger } from "./ledger.ts";

/** Accounts that are one field of /proc/meminfo. Others cannot be told from what recorders keep without guessing. */
const FIELDS: readonly (readonly [AccountId, string])[] = [
  ["free", "MemFree"],
  ["buffers", "Buffers"],
  ["shmem", "Shmem"],
  ["anon", "AnonPages"],
  ["slab-reclaimable", "SReclaimable"],
  ["slab-unreclaimable", "SUnreclaim"],
  ["kernel-stacks", "KernelStack"],
  ["page-tables", "PageTables"],
  ["percpu", "Percpu"],
];

function ofLedger({ availableBytes, accounts }: Ledger): KnownAccounts {
  return { availableBytes, accounts: new Map(accounts.map(({ id, bytes }) => [id, bytes])) };
}

/** @param isAlone Whether there are no ledgers, which tell of what slab's two kinds are. */
function ofHistory({ bytes }: ImportedPoint, isAlone: boolean): KnownAccounts {
  const accounts = new Map<AccountId, number>();
  const slab = bytes.get("Slab");
  if (isAlone && slab !== undefined && !bytes.has("SUnreclaim")) accounts.set("slab", slab);
  for (const [id, field] of FIELDS) {
    const known = bytes.get(field);
    if (known !== undefined) accounts.set(id, known);
  }
  const [cached, shmem] = [bytes.get("Cached"), bytes.get("Shmem")];
  if (cached !== undefined && shmem !== undefined && cached >= shmem) accounts.set("page-cache", cached - shmem);
  return { availableBytes: bytes.get("MemAvailable"), accounts };
}

/** In time order: of a snapshot all accounts, of imported history those that its recorder kept. */
export const timeline: Source<readonly TimePoint<KnownAccounts>[]> = defineComputed({
  name: "timeline",
  needs: {},
  uses: { earlier: beforeStart(ledger), ledgers: overTime(ledger), history: importedHistory },
  compute: ({ earlier, ledgers, history }) => {
    const isAlone = (ledgers ?? []).length === 0;
    return [
      ...(history?.points ?? []).map((point) => ({ time: point.time, value: ofHistory(point, isAlone) })),
      ...[...(earlier ?? []), ...(ledgers ?? [])].map(({ time, value }) => ({ time, value: ofLedger(value) })),
    ].sort((a, b) => a.time - b.time);
  },
});
