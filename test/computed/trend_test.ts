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

describe("recentTrend() of histories whose truth is known", () => {
  const MB = 1e6;
  const DAY = 86_400;

  /** What `bytesAt` gives over `points` times of a span, in shares of which it is told, with noise of so much up and down. */
  function history(points: number, noiseBytes: number, bytesAt: (share: number) => number, spanSeconds = points * 60) {
    return Array.from({ length: points }, (_, i) => ({
      time: Math.round((i * spanSeconds * 1000) / (points - 1)),
      bytes: 2000 * MB + bytesAt(i / (points - 1)) + noiseBytes * ((((i * 7919) % 101) / 50) - 1),
    }));
  }
  /** A day's load of so much: it rises until the evening, and falls in the night. */
  const load = (days: number, bytes: number): number => bytes * Math.min((days % 1) / 0.6, (1 - (days % 1)) / 0.4);

  describe.each([3, 6, 12, 17, 60, 288, 2000])("of %i points", (points) => {
    it("goes on where a leak does", () => {
      const trend = recentTrend(history(points, 2 * MB, (share) => 500 * MB * share, 1000));
      expect(trend?.low).toBeGreaterThan(0.45 * MB);
      expect(trend?.high).toBeLessThan(0.55 * MB);
    });

    it.each([0.2, 0.5, 0.85])("has no growth after one allocation, at %d of the time", (when) => {
      const trend = recentTrend(history(points, 2 * MB, (share) => share > when ? 500 * MB : 0, 1000));
      // Of noise there may be some, which is nothing beside the step.
      expect(trend?.low).toBeLessThan(0.01 * MB);
    });
  });

  it.each([60, 288, 2000])("has no growth that goes on while a cache or a heap fills: %i points", (points) => {
    for (const timeConstant of [1 / 5, 1 / 3]) {
      const fill = history(points, 2 * MB, (share) => 1000 * MB * (1 - Math.exp(-share / timeConstant)), 1000);
      // At the end of many looks that of its last part may be seen, which is hardly any.
      expect(recentTrend(fill)?.low).toBeLessThan(0.05 * MB);
    }
  });

  it("has no growth once a limit is reached", () => {
    for (const points of [60, 288]) {
      const trend = recentTrend(history(points, 0, (share) => 1000 * MB * Math.min(0.6, share)));
      expect(trend?.low).toBeLessThanOrEqual(0);
    }
  });

  it("has the rate of the leak, and not of the start-up before it", () => {
    for (const points of [12, 24, 40, 60, 100, 288]) {
      const trend = recentTrend(history(points, 2 * MB, (x) => 1000 * MB * Math.min(1, x / 0.2) + 500 * MB * x, 1000));
      expect(trend?.bytesPerSecond).toBeCloseTo(0.5 * MB, -5);
      expect(trend?.low).toBeGreaterThan(0);
    }
    // The part that is looked at has some of its end in it.
    for (const points of [60, 100, 288]) {
      const trend = recentTrend(history(points, 2 * MB, (x) => 2000 * MB * Math.min(1, x / 0.6) + 500 * MB * x, 1000));
      expect(trend?.bytesPerSecond).toBeLessThan(0.6 * MB);
      expect(trend?.low).toBeGreaterThan(0.45 * MB);
    }
  });

  it("goes on where a leak's load eases", () => {
    // As long after a rest as without one.
    for (const begun of [0, 0.3, 0.5]) {
      for (const points of [60, 100, 288]) {
        const leak = (x: number) => 500 * MB * (Math.max(0, x - begun) - 0.3 * Math.max(0, x - 0.85));
        expect(recentTrend(history(points, 2 * MB, leak, 1000))?.low).toBeGreaterThan(0.3 * MB);
      }
    }
  });

  it("has no growth where a heap is swept again and again, or the load comes and goes, whenever it is looked at", () => {
    for (const end of [0, 0.1, 0.3, 0.5, 0.6, 0.7, 0.9]) {
      const days = 6 + end;
      const daily = history(900, 20 * MB, (share) => load(share * days, 2000 * MB), days * DAY);
      expect(recentTrend(daily)?.low).toBeLessThanOrEqual(0);
    }
    const heap = history(288, 2 * MB, (share) => 1000 * MB * ((share * 2.8) % 1));
    expect(recentTrend(heap)?.low).toBeLessThanOrEqual(0);
  });

  it("has the rate of the leak below the load of the day, in the morning as in the evening", () => {
    for (const end of [0.1, 0.3, 0.5, 0.7, 0.9]) {
      const days = 6 + end;
      const daily = history(
        900,
        20 * MB,
        (share) => load(share * days, 1000 * MB) + 1000 * MB * share * days,
        days * DAY,
      );
      const trend = recentTrend(daily);
      expect(trend?.low).toBeGreaterThan((700 * MB) / DAY);
      expect(trend?.high).toBeLessThan((1400 * MB) / DAY);
    }
  });

  it("has the average rate of what leaks once a night", () => {
    const trend = recentTrend(history(900, 2 * MB, (share) => 100 * MB * Math.floor(share * 7.5), 7.5 * DAY));
    expect(trend?.bytesPerSecond).toBeGreaterThan((90 * MB) / DAY);
    expect(trend?.bytesPerSecond).toBeLessThan((110 * MB) / DAY);
  });

  it("is not blinded by many looks at the end of a few", () => {
    const rare = history(7, 2 * MB, (share) => 500 * MB * share, 6 * 3600);
    const end = rare.at(-1) as { time: number; bytes: number };
    const often = Array.from({ length: 60 }, (_, i) => ({
      time: end.time + (i + 1) * 1000,
      bytes: end.bytes + ((i * 7919) % 13 - 6) * MB,
    }));
    const trend = theilSen([...rare, ...often]);
    expect(trend?.low).toBeGreaterThan((450 * MB) / (6 * 3600));
    expect(trend?.high).toBeLessThan((550 * MB) / (6 * 3600));
  });

  it("bears points of one time, one bad point and gaps, and says nothing of two times", () => {
    const leak = history(60, 2 * MB, (share) => 500 * MB * share, 1000);
    const twice = leak.flatMap((point, i) => (i % 10 === 0 ? [point, point] : [point]));
    const bad = leak.map((point, i) => (i === 30 ? { ...point, bytes: 0 } : point));
    const gaps = leak.filter((_, i) => i < 10 || i % 7 === 0);
    for (const series of [twice, bad, gaps]) expect(recentTrend(series)?.bytesPerSecond).toBeCloseTo(0.5 * MB, -4.5);
    const often = [0, 0, 10, 10].map((seconds) => ({ time: seconds * 1000, bytes: seconds * MB }));
    expect(recentTrend(often)).toBeUndefined();
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
