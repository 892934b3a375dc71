/**
 * Looks at a machine: collects a bundle of it, into memory, a file or a stream.
 *
 * @example
 * ```ts
 * import { analyze, collectors, openBundle } from "nailhouse";
 * import { collect, memoryHost, memorySink } from "nailhouse/host";
 * import { equal } from "node:assert";
 *
 * // await nodeHost() is this machine.
 * const host = memoryHost({ files: { "/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" } });
 * const sink = memorySink();
 * await collect(host, collectors, sink, { snapshots: 1 });
 * equal(analyze(await openBundle(sink.files)).host.totalBytes, 1_024_000);
 * ```
 *
 * @module
 */
export type * from "../core/host.ts";
export {
  bundleName,
  collect,
  collectDefaults,
  type CollectEvent,
  type CollectOptions,
  type MemorySink,
  memorySink,
  type RecordedHistory,
  UnknownCollectorError,
  type Unpack,
} from "../engine/collect.ts";
export { type MemoryContent, memoryHost, type MemoryMachine } from "./memory.ts";
export { type NodeHost, nodeHost } from "./node.ts";
export { type GzipOutput, gzipOutput } from "./node_output.ts";
