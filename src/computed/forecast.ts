/** What a finding tells of how it goes on. */
import type { FindingDraft } from "../core/analyzer.ts";
import type { Ledger } from "../core/ledger.ts";
import type { TimePoint } from "../core/source.ts";
import { exhaustion, type Trend } from "./trend.ts";

/**
 * How fast what a finding holds grows, and when that alone would use up the host's memory.
 *
 * @param trend Of its bytes; undefined where it does not grow.
 * @param ledgers In time order: the last one tells what is available. None of what a limit of its own ends first, as a queue's.
 */
export function forecast(
  trend: Trend | undefined,
  ledgers?: readonly TimePoint<Ledger>[],
): Pick<FindingDraft, "growthBytesPerSecond" | "exhaustion"> {
  if (trend === undefined) return {};
  const last = ledgers?.at(-1);
  const available = last?.value.availableBytes;
  return {
    growthBytesPerSecond: { low: trend.low, high: trend.high },
    exhaustion: last === undefined || available === undefined ? null : exhaustion(trend, available, last.time),
  };
}

/** The trend of what so many bytes each take, from that of their number. */
export function inBytes(count: Trend, bytesEach: number): Trend {
  return { ...count, low: count.low * bytesEach, high: count.high * bytesEach };
}
