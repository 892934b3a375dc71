import { gzipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { tarHeader } from "../../src/bundle/tar_write.ts";
import type { Host } from "../../src/core/host.ts";
import { collect, type CollectOptions, memorySink, type RecordedHistory } from "../../src/engine/collect.ts";
import { type MemoryContent, memoryHost } from "../../src/host/memory.ts";
import { member, ringFile, unpack } from "./_ring_files.ts";

const NOW = Date.parse("2026-11-23T06:01:02Z");
const MINUTE = 60_000;

/** The name that the recorder gives a file that it begins then. */
function ringName(time: number): string {
  return `/ring/ring-${new Date(time).toISOString().replace(/\.\d+|[-:]/g, "")}.tar.gz`;
}

async function pack(
  files: Readonly<Record<string, MemoryContent>>,
  history: Omit<RecordedHistory, "host">,
  options: CollectOptions = {},
): Promise<{ packed: string[]; problems: { path: string; reason: string }[] }> {
  const host: Host = memoryHost({ files });
  const sink = memorySink();
  const status = await collect(host, [], sink, {
    snapshots: 1,
    ...options,
    recorded: { history: [{ ...history, host }], unpack },
  });
  return {
    packed: [...sink.files.keys()].slice(1, -1),
    problems: status.collectors.flatMap(({ problems }) => [...problems]),
  };
}

const ring = { kind: "ring", path: "/ring" } as const;

describe("collect() of recorded history", () => {
  it("packs the samples of all files under their times, the newest file first", async () => {
    const times = [NOW - 90 * MINUTE, NOW - 30 * MINUTE, NOW - 29 * MINUTE];
    const sample = (time: number) => member(time, { "proc/meminfo": "m", "proc/vmstat": "v" });
    const { packed, problems } = await pack({
      [ringName(times[0] as number)]: ringFile(sample(times[0] as number)),
      [ringName(times[1] as number)]: ringFile(sample(times[1] as number), sample(times[2] as number)),
      "/ring/notes": "not a ring file",
    }, ring);
    expect(packed).toEqual([
      "history/2026-11-23T05:31:02.000Z/proc/meminfo",
      "history/2026-11-23T05:31:02.000Z/proc/vmstat",
      "history/2026-11-23T05:32:02.000Z/proc/meminfo",
      "history/2026-11-23T05:32:02.000Z/proc/vmstat",
      "history/2026-11-23T04:31:02.000Z/proc/meminfo",
      "history/2026-11-23T04:31:02.000Z/proc/vmstat",
    ]);
    expect(problems).toEqual([]);
  });

  it("packs fewer of the older samples, beyond a day one a file, and says how many", async () => {
    const hour = (start: number) =>
      ringFile(...Array.from({ length: 60 }, (_, i) => member(start + i * MINUTE, { "proc/meminfo": "m" })));
    const [old, recent] = [NOW - 48 * 60 * MINUTE, NOW - 61 * MINUTE];
    const { packed, problems } = await pack({ [ringName(old)]: hour(old), [ringName(recent)]: hour(recent) }, ring);
    expect(packed.filter((path) => path.startsWith("history/2026-11-23")).length).toBe(60);
    expect(packed.filter((path) => path.startsWith("history/2026-11-21")).length).toBe(1);
    expect(problems).toEqual([{
      path: "/ring",
      reason: "61 samples were packed, the older they are the fewer",
    }]);
  });

  it("keeps to the limit of the whole, the newest first", async () => {
    const minutes = [50, 40, 30, 20, 10].map((minute) => NOW - minute * MINUTE);
    const files = Object.fromEntries(
      minutes.map((time) => [ringName(time), member(time, { "proc/slabinfo": new Uint8Array(200_000) })]),
    );
    const { packed, problems } = await pack(files, ring, { maxBytes: 2 ** 20 });
    expect(packed).toEqual([
      "history/2026-11-23T05:51:02.000Z/proc/slabinfo",
      "history/2026-11-23T05:41:02.000Z/proc/slabinfo",
    ]);
    expect(problems).toEqual([{
      path: "/ring",
      reason: "2 samples were packed, the older they are the fewer, and none of 3 older files",
    }]);
  });

  it("packs all but what a crash cut off", async () => {
    const random = Uint8Array.from({ length: 30_000 }, (_, i) => (i * 7919 + (i >> 3) * 104729) & 0xff);
    const whole = member(NOW - 2 * MINUTE, { "proc/meminfo": "m" });
    const cut = member(NOW - MINUTE, { "proc/meminfo": "m", "proc/slabinfo": random });
    const { packed } = await pack(
      { [ringName(NOW)]: ringFile(whole, cut).subarray(0, whole.length + cut.length / 2) },
      ring,
    );
    expect(packed).toEqual([
      "history/2026-11-23T05:59:02.000Z/proc/meminfo",
      "history/2026-11-23T06:00:02.000Z/proc/meminfo",
    ]);
  });

  it("says what is damaged, and packs the other files", async () => {
    const good = NOW - 30 * MINUTE;
    const { packed, problems } = await pack({
      [ringName(NOW)]: new TextEncoder().encode("no gzip at all"),
      [ringName(good)]: member(good, { "proc/meminfo": "m" }),
    }, ring);
    expect(packed).toEqual(["history/2026-11-23T05:31:02.000Z/proc/meminfo"]);
    expect(problems).toMatchObject([{
      path: ringName(NOW),
      reason: expect.stringContaining("the compressed data is damaged") as unknown,
    }]);
  });

  it("never fails for want of the history", async () => {
    expect(await pack({}, ring)).toEqual({
      packed: [],
      problems: [{ path: "/ring", reason: "there is no such folder" }],
    });
    expect(await pack({}, { ...ring, optional: true })).toEqual({ packed: [], problems: [] });
    expect((await pack({ "/ring/x": "x" }, ring)).problems).toMatchObject([{
      path: "/ring",
      reason: expect.stringContaining("nothing is recorded there") as unknown,
    }]);
    expect((await pack({ [ringName(NOW)]: { status: "denied" } }, ring)).problems).toMatchObject([{
      reason: "permission denied",
    }]);
    expect((await pack({}, { kind: "file", path: "/tmp/p.json" })).problems).toEqual([{
      path: "/tmp/p.json",
      reason: "there is no such file",
    }]);
  });

  it("packs a file of another recorder as it is", async () => {
    const { packed, problems } = await pack({ "/tmp/prom range.json": "{}" }, {
      kind: "file",
      path: "/tmp/prom range.json",
    });
    expect(packed).toEqual(["history_imported/prom_range.json"]);
    expect(problems).toEqual([]);
  });

  it("passes over names that are none of a sample", async () => {
    const hostile = gzipSync(Uint8Array.from([
      ...tarHeader("ring/history/../../etc/passwd", 0, 0),
      ...tarHeader("ring/history/2026-99-99T00:00:00Z/proc/meminfo", 0, 0),
      ...tarHeader("ring/etc/passwd", 0, 0),
    ]));
    expect((await pack({ [ringName(NOW)]: hostile }, ring)).packed).toEqual([]);
  });
});
