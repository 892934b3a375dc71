import { describe, expect, it } from "vitest";
import { belowSnapshot, HistoryThinner, snapshotOf } from "../../src/bundle/_history.ts";

const MINUTE = 60_000;
const name = (n: number): string => new Date(n * MINUTE).toISOString();

/** What stays of so many snapshots, a minute from each other, with one file each. */
function kept(snapshots: number, bytes: number): { names: string[]; most: number; warning: string | undefined } {
  const files = new Map<string, number>();
  let most = 0;
  const thinner = new HistoryThinner((isKept) => {
    for (const each of files.keys()) if (!isKept(each)) files.delete(each);
    return files.size * bytes;
  });
  for (let n = 0; n < snapshots; n++) {
    if (!thinner.admits(name(n))) continue;
    files.set(name(n), bytes);
    thinner.add(name(n), bytes);
    most = Math.max(most, files.size);
  }
  const warning = thinner.end();
  return { names: [...files.keys()], most, warning };
}

describe("a history", () => {
  it("of a thousand snapshots is kept as it is", () => {
    expect(kept(1000, 7000)).toMatchObject({ names: { length: 1000 }, warning: undefined });
  });

  it("of more is thinned out, the newest kept, and of the older ones some of every time", () => {
    const { names, most, warning } = kept(20_000, 7000);
    expect(most).toBeLessThanOrEqual(1251);
    expect(names.slice(-500)).toEqual(Array.from({ length: 500 }, (_, i) => name(19_500 + i)));
    const older = names.slice(0, -500).map((each) => Date.parse(each) / MINUTE);
    const gaps = older.slice(1).map((at, i) => at - (older[i] as number));
    expect(older.length).toBeGreaterThan(250);
    expect(older[0]).toBe(0);
    // 20,000 minutes, 250 to 500 of them.
    expect(Math.max(...gaps)).toBeLessThanOrEqual(80);
    expect(warning).toBe(`history: ${names.length} of 20000 snapshots are used, the newest ones among them`);
  });

  it("of large snapshots takes no more memory", () => {
    const { names, most } = kept(5000, 200_000);
    expect(most * 200_000).toBeLessThan(35 * 2 ** 20);
    expect(names.length * 200_000).toBeLessThanOrEqual(24 * 2 ** 20);
    expect(names.at(-1)).toBe(name(4999));
  });

  it("whose folders are called by no time is thinned out, too", () => {
    const thinner = new HistoryThinner(() => 0);
    for (let n = 0; n < 10_000; n++) thinner.add(`x${n}`, 100);
    expect(thinner.end()).toContain("of 10000 snapshots");
  });
});

it.each([
  ["proc/meminfo", undefined, "proc/meminfo"],
  ["history/2026-01-01T00:00:00Z/proc/meminfo", "2026-01-01T00:00:00Z", "proc/meminfo"],
  ["history/file", undefined, "history/file"],
  ["history//proc/meminfo", undefined, "history//proc/meminfo"],
  ["history_imported/a/b", undefined, "history_imported/a/b"],
])("%s is in the snapshot %s", (path, snapshot, below) => {
  expect(snapshotOf(path)).toBe(snapshot);
  expect(belowSnapshot(path, snapshot)).toBe(below);
});
