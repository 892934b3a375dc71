import { describe, expect, it } from "vitest";
import { ringEntries } from "../../src/engine/ring.ts";
import { member, ringFile, unpack } from "./_ring_files.ts";

const NOW = Date.parse("2026-11-23T06:01:02Z");
const MINUTE = 60_000;

const head = (text: string): Uint8Array => member(0, { "/nailhouse.json": text });
const sample = (time: number): Uint8Array => member(time, { "proc/meminfo": "m", "proc/vmstat": "v" });

async function read(...newestFirst: Uint8Array[]) {
  const warnings: string[] = [];
  const paths: string[] = [];
  const texts = new Map<string, string>();
  const files = newestFirst.map((bytes) => () => unpack(bytes, () => {}));
  for await (const entry of ringEntries(files, (message) => void warnings.push(message))) {
    paths.push(entry.path);
    texts.set(entry.path, new TextDecoder().decode((await entry.read(2 ** 20)).bytes));
  }
  return { warnings, paths, texts };
}

describe("ringEntries()", () => {
  it("makes one bundle of all files: the newest manifest, the samples, and a status", async () => {
    const { warnings, paths, texts } = await read(
      ringFile(head("new"), sample(NOW - 2 * MINUTE), sample(NOW)),
      ringFile(head("old"), sample(NOW - 60 * MINUTE)),
    );
    expect(warnings).toEqual([]);
    expect(paths).toEqual([
      "nailhouse.json",
      "history/2026-11-23T05:59:02.000Z/proc/meminfo",
      "history/2026-11-23T05:59:02.000Z/proc/vmstat",
      "history/2026-11-23T06:01:02.000Z/proc/meminfo",
      "history/2026-11-23T06:01:02.000Z/proc/vmstat",
      "history/2026-11-23T05:01:02.000Z/proc/meminfo",
      "history/2026-11-23T05:01:02.000Z/proc/vmstat",
      "nailhouse-status.json",
    ]);
    expect(texts.get("nailhouse.json")).toBe("new");
    expect(JSON.parse(texts.get("nailhouse-status.json") as string)).toMatchObject({
      finishedAt: "2026-11-23T06:01:02.000Z",
      snapshots: ["2026-11-23T05:01:02.000Z", "2026-11-23T05:59:02.000Z", "2026-11-23T06:01:02.000Z"],
    });
  });

  // The host may have died years ago.
  it("keeps every minute of the two hours before its last sample, and fewer of those before that", async () => {
    const times = Array.from({ length: 300 }, (_, i) => NOW - (299 - i) * MINUTE);
    const { warnings, paths } = await read(ringFile(head(""), ...times.map(sample)));
    const kept = new Set(paths.map((path) => Date.parse(path.split("/")[1] ?? "")));
    expect(times.slice(-120).every((time) => kept.has(time))).toBe(true);
    // One in five minutes of the other three hours.
    const samples = kept.size - 1;
    expect(samples - 120).toBeGreaterThanOrEqual(180 / 5);
    expect(samples - 120).toBeLessThanOrEqual(180 / 5 + 1);
    expect(warnings).toEqual([`${samples} samples are used, the older they are the fewer`]);
  });

  it("goes back to the file before, when the newest has no whole sample", async () => {
    const { paths, texts } = await read(head("new"), ringFile(head("old"), sample(NOW)));
    expect(paths).toHaveLength(4);
    expect(texts.get("nailhouse.json")).toBe("old");
  });

  it("takes a sample once that two recorders wrote in the same second", async () => {
    const { paths } = await read(ringFile(head(""), sample(NOW)), ringFile(head(""), sample(NOW)));
    expect(paths).toHaveLength(4);
  });

  it("is nothing without a sample", async () => {
    expect((await read(head(""))).paths).toEqual([]);
    expect((await read()).paths).toEqual([]);
  });
});
