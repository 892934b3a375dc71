import { describe, expect, it } from "vitest";
import { bytesAxis, timeAxis } from "../../src/render/_axis.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe("bytesAxis()", () => {
  it.each([
    ["begins at zero", [39 * MIB, 439 * MIB], ["0", "200 MiB", "400 MiB", "600 MiB"]],
    ["goes to zero", [0, 22.4 * GIB], ["0", "10 GiB", "20 GiB", "30 GiB"]],
    ["tells close values apart", [22.33 * GIB, 22.43 * GIB], [
      "22.30 GiB",
      "22.35 GiB",
      "22.40 GiB",
      "22.45 GiB",
    ]],
    ["draws less than the least range as flat", [GIB, GIB + 4096], [
      "0.98 GiB",
      "0.99 GiB",
      "1.00 GiB",
      "1.01 GiB",
      "1.02 GiB",
    ]],
    ["holds what is below zero", [-10 * MIB, 20 * MIB], ["-20 MiB", "-10 MiB", "0", "10 MiB", "20 MiB", "30 MiB"]],
  ])("%s", (_, values, labels) => {
    const axis = bytesAxis(values, 4, 32 * MIB);
    expect(axis.ticks.map(({ label }) => label)).toEqual(labels);
    expect(axis.from).toBeLessThanOrEqual(Math.min(...values));
    expect(axis.to).toBeGreaterThanOrEqual(Math.max(...values));
  });
});

describe("timeAxis()", () => {
  const labels = (from: string, to: string): string[] =>
    timeAxis(Date.parse(from), Date.parse(to), 4).ticks.map(({ label }) => label);

  it.each([
    ["seconds", "2026-01-01T00:00:01.500Z", "2026-01-01T00:00:05Z", ["00:00:02", "00:00:03", "00:00:04", "00:00:05"]],
    ["minutes", "2026-01-01T00:00:30Z", "2026-01-01T00:08:00Z", ["00:02", "00:04", "00:06", "00:08"]],
    ["hours, with the date at midnight", "2026-01-01T19:00:00Z", "2026-01-02T05:00:00Z", ["21:00", "01-02", "03:00"]],
    ["days", "2026-01-01T12:00:00Z", "2026-01-04T12:00:00Z", ["01-02", "01-03", "01-04"]],
    ["one moment", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z", ["12:00:00"]],
  ])("marks %s", (_, from, to, expected) => expect(labels(from, to)).toEqual(expected));
});
