import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exhaustion, recentTrend, theilSen } from "../../src/computed/trend.ts";

const MINUTE = 60_000;

function series(values: readonly number[]): { time: number; bytes: number }[] {
  return values.map((bytes, i) => ({ time: i * MINUTE, bytes }));
}

describe("theilSen()", () => {
  it("finds the slope of an exact line, with an interval of no width", () => {
    const trend = theilSen(series([0, 60, 120, 180, 240].map((x) => x * 100)));
    expect(trend).toMatchObject({ bytesPerSecond: 100, low: 100, high: 100, spanSeconds: 240, changeBytes: 24_000 });
  });

  // Sen, P. K. (1968), "Estimates of the regression coefficient based on Kendall's tau", section 6: the estimate is 4 and the 93 % interval
  // [3.71, 4.2] or so; with another confidence only the median is compared.
  it("gives the estimate of Sen's own example", () => {
    const t = [1, 2, 3, 4, 10, 12, 18];
    const x = [9, 15, 19, 20, 45, 55, 78];
    const trend = theilSen(t.map((time, i) => ({ time: time * 1000, bytes: x[i] as number })));
    expect(trend?.bytesPerSecond).toBe(4);
    expect(trend?.low).toBeLessThan(4);
    expect(trend?.high).toBeGreaterThan(4);
  });

  it("is the median of all slopes, with equal ones among them, whatever their order", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 40 }), (values) => {
      const slopes = values.flatMap((a, i) => values.slice(i + 1).map((b, j) => ((b - a) * 1000) / ((j + 1) * MINUTE)))
        .sort((a, b) => a - b);
      const middle = slopes.length / 2;
      const median = ((slopes[Math.ceil(middle) - 1] as number) + (slopes[Math.floor(middle)] as number)) / 2;
      const trend = theilSen(series(values));
      expect(trend?.bytesPerSecond).toBe(median);
      expect(slopes).toContain(trend?.low);
      expect(trend?.low).toBeLessThanOrEqual(median);
      expect(trend?.high).toBeGreaterThanOrEqual(median);
    }));
  });

  it("is not moved by one outlier", () => {
    const trend = theilSen(series([0, 60, 1e9, 180, 240, 300, 360, 420, 480, 540].map((x) => x * 10)));
    expect(trend?.bytesPerSecond).toBeCloseTo(10, 5);
  });

  it("has an interval around zero for noise, even where the last point is above the first", () => {
    const trend = theilSen(series([5, 9, 2, 8, 1, 9, 3, 7, 2, 9, 4, 6]));
    expect(trend?.low).toBeLessThanOrEqual(0);
    expect(trend?.high).toBeGreaterThanOrEqual(0);
  });

  it("says nothing of two points", () => {
    expect(theilSen(series([1, 2]))).toBeUndefined();
  });

  it("says nothing of points of one time", () => {
    expect(theilSen([1, 2, 3].map((bytes) => ({ time: 0, bytes })))).toBeUndefined();
  });

  it("thins out a long series without a change of the slope", () => {
    const trend = theilSen(series(Array.from({ length: 5000 }, (_, i) => i * 60)));
    expect(trend).toMatchObject({ bytesPerSecond: 1, points: 5000 });
  });
});

describe("recentTrend()", () => {
  const noise = (i: number): number => (i * 7919) % 13;

  it("is the whole line of a series that goes on as it began", () => {
    const trend = recentTrend(series(Array.from({ length: 300 }, (_, i) => 600 * i + noise(i))));
    expect(trend).toMatchObject({ points: 300, spanSeconds: 299 * 60 });
    expect(trend?.bytesPerSecond).toBeCloseTo(10, 1);
  });

  it("is the rate since a rest ended, however long that was", () => {
    const trend = recentTrend(series(Array.from({ length: 1000 }, (_, i) => Math.max(0, i - 960) * 600 + noise(i))));
    expect(trend?.bytesPerSecond).toBeCloseTo(10, 0);
    expect(trend?.spanSeconds).toBeLessThan(60 * 60);
  });

  it("is flat when the growth has ended", () => {
    const trend = recentTrend(series(Array.from({ length: 1000 }, (_, i) => Math.min(i, 940) * 600 + noise(i))));
    expect(trend?.high).toBeLessThan(0.1);
  });

  it("is no growth when the same heights were there before, again and again", () => {
    const trend = recentTrend(series(Array.from({ length: 400 }, (_, i) => (i % 37) * 600 + noise(i))));
    expect(trend?.low).toBeLessThanOrEqual(0);
  });

  it("is the whole of a short series, as theilSen() has it", () => {
    const short = series([0, 0, 0, 0, 0, 0, 60, 120, 180, 240]);
    expect(recentTrend(short)).toEqual(theilSen(short));
  });
});

describe("exhaustion()", () => {
  const rising = { bytesPerSecond: 10, low: 5, high: 20, points: 5, spanSeconds: 60, changeBytes: 600 };

  it("is an interval from the fast end to the slow end", () => {
    expect(exhaustion(rising, 1000, 0)).toEqual({
      atLow: "1970-01-01T00:00:50.000Z",
      atHigh: "1970-01-01T00:03:20.000Z",
    });
  });

  it("leaves the far end open when it is over ten years away", () => {
    expect(exhaustion({ ...rising, low: 1e-9 }, 1000, 0)).toEqual({ atLow: "1970-01-01T00:00:50.000Z", atHigh: null });
  });

  it("is null when the interval reaches zero", () => {
    expect(exhaustion({ ...rising, low: 0 }, 1000, 0)).toBeNull();
  });
});
