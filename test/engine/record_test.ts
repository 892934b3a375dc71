import { describe, expect, it } from "vitest";
import { collectors } from "../../collectors/mod.ts";
import type { Collector } from "../../src/core/collector.ts";
import type { Host } from "../../src/core/host.ts";
import { memorySink } from "../../src/engine/collect.ts";
import { record, recordedCollectors, type RecordedSample } from "../../src/engine/record.ts";
import { memoryHost, type MemoryMachine } from "../../src/host/memory.ts";

const utf8 = new TextDecoder();

interface Recorded {
  readonly files: Record<string, string>;
  readonly samples: readonly RecordedSample[];
}

/** Records this many samples; `between` changes the machine before each next one. */
async function recording(
  host: Host,
  chosen: readonly Collector[],
  count: number,
  between: (sample: number) => void = () => {},
): Promise<Recorded> {
  const sink = memorySink();
  const end = new AbortController();
  const samples: RecordedSample[] = [];
  await record(host, recordedCollectors(chosen), sink, { everySeconds: 60, signal: end.signal }, (sample) => {
    samples.push(sample);
    if (samples.length === count) end.abort();
    between(samples.length);
  });
  return { files: Object.fromEntries([...sink.files].map(([path, bytes]) => [path, utf8.decode(bytes)])), samples };
}

function collector(captures: Collector["captures"]): Collector[] {
  return [{ id: "only", title: "only", why: "test", priority: 1, captures }];
}

function udpTable(queues: ReadonlyMap<number, number>, sockets: number): string {
  const rows = Array.from({ length: sockets }, (_, i) => {
    const queued = (queues.get(i) ?? 0).toString(16).toUpperCase().padStart(8, "0");
    return `${String(i).padStart(5)}: 00000000:${
      i.toString(16).padStart(4, "0")
    } 00000000:0000 07 00000000:${queued} 00:00000000 00000000     0        0 ${i + 1000} 2 0000000000000000 0`.padEnd(
      127,
    );
  });
  return [
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
    ...rows,
    "",
  ]
    .join("\n");
}

const inodes = (table: string | undefined) =>
  (table ?? "").split("\n").slice(1, -1).map((row) => Number(row.trim().split(/\s+/)[9]));

describe("record()", () => {
  it("takes only what is declared for it, in every sample, below the sample's time", async () => {
    const machine = { files: { "/proc/meminfo": "m", "/proc/version": "v" } };
    const { files, samples } = await recording(
      memoryHost(machine),
      collector([{ kind: "file", path: "/proc/meminfo", changing: true, recorded: true }, {
        kind: "file",
        path: "/proc/version",
      }]),
      2,
    );
    expect(files).toEqual({
      "history/2026-11-23T06:01:02.000Z/proc/meminfo": "m",
      "history/2026-11-23T06:02:02.000Z/proc/meminfo": "m",
    });
    expect(samples.map(({ files, bytes }) => ({ files, bytes }))).toEqual([{ files: 1, bytes: 1 }, {
      files: 1,
      bytes: 1,
    }]);
  });

  it("records the processes that are the largest at the time", async () => {
    const status = (kib: number) => `VmRSS:\t${kib} kB\n`;
    const files: Record<string, string> = { "/proc/1/status": status(1), "/proc/2/status": status(2) };
    const recorded = await recording(
      memoryHost({ files }),
      collector([{ kind: "process", files: ["status"], recorded: { largest: 1 } }]),
      2,
      () => void (files["/proc/1/status"] = status(9)),
    );
    expect(Object.keys(recorded.files)).toEqual([
      "history/2026-11-23T06:01:02.000Z/proc/2/status",
      "history/2026-11-23T06:02:02.000Z/proc/1/status",
    ]);
  });

  it("cuts a large table of sockets to the fullest, and follows one that was emptied for a sample", async () => {
    const queues = new Map([[7, 4096], [4000, 100]]);
    const files: Record<string, string> = { "/proc/1/net/udp": udpTable(queues, 5000) };
    const recorded = await recording(
      memoryHost({ files }),
      collector([{ kind: "netns", files: ["udp"], commands: [], recorded: true, maxNamespaces: 1 }]),
      3,
      () => void (files["/proc/1/net/udp"] = udpTable(new Map([[4000, 200]]), 5000)),
    );
    const tables = ["01", "02", "03"].map((minute) =>
      recorded.files[`history/2026-11-23T06:${minute}:02.000Z/proc/net/udp`]
    );
    expect(tables.map(inodes)).toEqual([[1007, 5000], [5000, 1007], [5000]]);
    expect(tables[1]).toContain(":00000000 00:00000000 00000000     0        0 1007 ");
  });

  it("keeps a small table as it is", async () => {
    const table = udpTable(new Map(), 3);
    const captures = collector([{ kind: "netns", files: ["udp"], commands: [], recorded: true, maxNamespaces: 1 }]);
    const { files } = await recording(memoryHost({ files: { "/proc/1/net/udp": table } }), captures, 1);
    expect(files["history/2026-11-23T06:01:02.000Z/proc/net/udp"]).toBe(table);
  });

  it("says what it may not read once, not every minute", async () => {
    const machine: MemoryMachine = { files: { "/proc/slabinfo": { status: "denied" } }, facts: { euid: 1000 } };
    const { samples } = await recording(
      memoryHost(machine),
      collector([{ kind: "file", path: "/proc/slabinfo", recorded: true }]),
      3,
    );
    expect(samples.map(({ problems }) => problems)).toEqual([
      ["proc/slabinfo: permission denied: not root"],
      [],
      [],
    ]);
  });

  it("makes nothing up for after the machine stood still", async () => {
    const still = memoryHost({ files: { "/proc/meminfo": "m" } });
    const { samples } = await recording(
      still,
      collector([{ kind: "file", path: "/proc/meminfo", recorded: true }]),
      4,
      (sample) => void (sample === 1 && still.sleep(600_000)),
    );
    const start = samples[0]?.time as number;
    expect(samples.map(({ time }) => (time - start) / 1000)).toEqual([0, 600, 660, 720]);
  });
});

describe("recordedCollectors()", () => {
  it("records what the ledger, processes, slabs and sockets need, and starts one program at most", () => {
    const captures = recordedCollectors(collectors).flatMap((each) => each.captures);
    const paths = captures.flatMap((each) => "path" in each ? [each.path] : []);
    expect(paths).toEqual(
      expect.arrayContaining(["/proc/meminfo", "/proc/zoneinfo", "/proc/vmstat", "/proc/slabinfo"]),
    );
    expect(paths).toContain("/proc/sys/kernel/random/boot_id");
    expect(captures.some((each) => each.kind === "netns" && each.files.includes("udp"))).toBe(true);
    expect(captures.filter((each) => each.kind === "command")).toHaveLength(1);
  });
});
