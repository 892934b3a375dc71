import type { Manifest } from "../../src/core/manifest.ts";
import { readEntries } from "../../src/bundle/open.ts";
import type { Analyzer } from "../../src/core/analyzer.ts";
import type { Entry } from "../../src/core/bundle.ts";
import type { Finding, Report } from "../../src/core/report.ts";
import { analyze, presetSources } from "../../src/engine/analyze.ts";
import { preset } from "../../src/preset.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** A manifest as the collector writes it, of a host with 4 KiB pages. */
export const manifest: Manifest = {
  schemaVersion: 1,
  tool: { name: "nailhouse", version: "0.1.0" },
  host: { hostname: "test", kernelRelease: "6.18.0", machine: "x86_64", pageSizeBytes: 4096, userHz: 100, cpus: 2 },
  capturedAt: "2026-01-01T00:00:00.000Z",
  privileged: true,
  snapshots: 1,
  intervalSeconds: 5,
  collectors: [],
};

function entry(path: string, text: string): Entry {
  const bytes = new TextEncoder().encode(text);
  return {
    path,
    kind: "file",
    read: (max) => Promise.resolve({ bytes: bytes.subarray(0, max), truncated: bytes.length > max }),
  };
}

/** Analyzes a bundle of these files (path below the bundle's root, text), with all shipped analyzers or those given. */
export async function analyzeFiles(
  files: { readonly [path: string]: string },
  analyzers: readonly Analyzer[] = preset.analyzers,
): Promise<Report> {
  const entries = Object.entries({ "nailhouse.json": JSON.stringify(manifest), ...files }).map(([path, text]) =>
    entry(path, text)
  );
  const used = { ...preset, analyzers };
  return analyze(await readEntries(entries, { sources: presetSources(used) }), used);
}

/** The finding of a cause; undefined when there is none. */
export function findingOf(report: Report, cause: string): Finding | undefined {
  return report.findings.find((finding) => finding.cause === cause);
}

/**
 * A meminfo that adds up: `fields` in bytes over those of an idle host of `totalBytes`, the rest is free. `hidden` bytes are in no field at all.
 */
export function meminfoText(
  fields: { readonly [field: string]: number } = {},
  totalBytes: number = 8 * GIB,
  hidden = 0,
): string {
  const idle: { [field: string]: number } = {
    Buffers: 4 << 20,
    Cached: 64 << 20,
    SwapCached: 0,
    AnonPages: 32 << 20,
    Shmem: 2 << 20,
    SReclaimable: 10 << 20,
    SUnreclaim: 20 << 20,
    KernelStack: 1 << 20,
    PageTables: 2 << 20,
    SecPageTables: 0,
    VmallocUsed: 12 << 20,
    Percpu: 1 << 20,
    Hugetlb: 0,
  };
  const values = { ...idle, ...fields };
  const inside = new Set(["Shmem", "KernelStack"]);
  const used = Object.keys(idle).reduce((sum, name) => sum + (inside.has(name) ? 0 : values[name] as number), hidden);
  const free = totalBytes - used;
  const all = {
    MemTotal: totalBytes,
    MemFree: free,
    MemAvailable: free + (values["Cached"] as number) - (values["Shmem"] as number),
    ...values,
  };
  return Object.entries(all).map(([name, bytes]) =>
    `${`${name}:`.padEnd(16)}${String(Math.round(bytes / 1024)).padStart(8)} kB\n`
  ).join("");
}

/** The same with `pinned` bytes more on the LRU lists than page cache and processes have. */
export function pinnedText(
  pinned: number,
  fields: { readonly [field: string]: number } = {},
  totalBytes?: number,
  hidden = 0,
): string {
  return `${meminfoText(fields, totalBytes, pinned + hidden)}Active:           40960 kB\nInactive:         ${
    (60 * MIB + pinned) / 1024
  } kB\nUnevictable:          0 kB\n`;
}

/** A socket table of /proc/net/udp with these receive queues; inodes count up from 1001, ports from 40001. */
export function udpText(queues: readonly { readonly bytes: number; readonly drops?: number }[]): string {
  const hex = (value: number, width: number): string => value.toString(16).toUpperCase().padStart(width, "0");
  const rows = queues.map(({ bytes, drops }, i) =>
    `${String(i).padStart(5)}: 0100007F:${hex(40001 + i, 4)} 00000000:0000 07 00000000:${
      hex(bytes, 8)
    } 00:00000000 00000000     0        0 ${1001 + i} 2 0000000000000000 ${drops ?? 0}`
  );
  return `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n${
    rows.map((row) => `${row}\n`).join("")
  }`;
}

/** Prometheus' answer with one of node_exporter's series of the day before the bundle, a value every hour. */
export function prometheusText(name: string, bytes: readonly number[]): string {
  const start = Date.UTC(2025, 11, 31) / 1000;
  const values = bytes.map((value, hour) => [start + hour * 3600, String(value)]);
  const metric = { __name__: `node_memory_${name}_bytes`, instance: "test:9100" };
  return JSON.stringify({ status: "success", data: { resultType: "matrix", result: [{ metric, values }] } });
}
