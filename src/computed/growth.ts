/** Whether something grows. */
import { accountBytes, type AccountId, type Ledger } from "../core/ledger.ts";
import type { TimePoint } from "../core/source.ts";
import { type Measurement, recentTrend, type Trend } from "./trend.ts";

/** What one account had, where it is told. */
export function accountSeries(ledgers: readonly TimePoint<Ledger>[] | undefined, id: AccountId): Measurement[] {
  return (ledgers ?? []).flatMap(({ time, value }) => {
    const bytes = accountBytes(value, id);
    return bytes === undefined ? [] : [{ time, bytes }];
  });
}

/** The recent trend of what surely grows, and by no less than this; undefined where it does not. */
export function growth(series: readonly Measurement[], leastBytes: number = -Infinity): Trend | undefined {
  const trend = recentTrend(series);
  return trend !== undefined && trend.low > 0 && trend.changeBytes >= leastBytes ? trend : undefined;
}
