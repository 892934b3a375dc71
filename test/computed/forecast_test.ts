import { describe, expect, it } from "vitest";
import type { Ledger } from "../../src/core/ledger.ts";
import { forecast } from "../../src/computed/forecast.ts";
import { theilSen } from "../../src/computed/trend.ts";

const trend = theilSen([0, 1, 2, 3].map((second) => ({ time: second * 1000, bytes: second * 100 })));

function at(time: number, availableBytes: number | undefined): { readonly time: number; readonly value: Ledger } {
  return { time, value: { totalBytes: 10_000, availableBytes, accounts: [], missing: [] } };
}

describe("forecast()", () => {
  it("tells how fast it grows, and when what was available last is used up", () => {
    const end = new Date(13_000).toISOString();
    expect(forecast(trend, [at(0, 5000), at(3000, 1000)])).toEqual({
      growthBytesPerSecond: { low: 100, high: 100 },
      exhaustion: { atLow: end, atHigh: end },
    });
  });

  it("tells no end where what is available is not known, and nothing of what does not grow", () => {
    const grows = { growthBytesPerSecond: { low: 100, high: 100 }, exhaustion: null };
    expect(forecast(trend, undefined)).toEqual(grows);
    expect(forecast(trend, [at(3000, undefined)])).toEqual(grows);
    expect(forecast(undefined, [at(3000, 1000)])).toEqual({});
  });
});
