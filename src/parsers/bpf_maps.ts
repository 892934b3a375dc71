// sos_commands/ebpf/bpftool_-j_map_list: all BPF maps, as `bpftool -j map list` prints them; a type that is newer than the
// program comes as its number.
// include/uapi/linux/bpf.h, enum bpf_map_type
//
//   [{"id":28,"type":"array","name":"nailhouse","flags":0,"bytes_key":4,"bytes_value":4096,"max_entries":1024,"bytes_memlock":4194616,"frozen":0}]
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";

/** One map. */
export interface BpfMap {
  readonly id: number;
  /** bpftool's name: `array`, `percpu_hash`; a number where it has none. */
  readonly type: string;
  readonly name: string;
  readonly maxEntries: number | undefined;
  /** BPF_F_NO_PREALLOC: entries are allocated one by one; undefined where bpftool does not tell its flags. */
  readonly oneByOne: boolean | undefined;
  readonly keyBytes: number | undefined;
  readonly valueBytes: number | undefined;
  /** What the kernel says that it holds, bookkeeping included. */
  readonly bytes: number;
  /** Processes that have it open, where bpftool tells. */
  readonly pids: readonly number[];
  readonly line: number;
}

/** By number, up to what the lab's kernel has. */
const TYPES =
  ("unspec hash array prog_array perf_event_array percpu_hash percpu_array stack_trace cgroup_array lru_hash lru_percpu_hash lpm_trie array_of_maps " +
    "hash_of_maps devmap sockmap cpumap xskmap sockhash cgroup_storage reuseport_sockarray percpu_cgroup_storage queue stack sk_storage " +
    "devmap_hash struct_ops ringbuf inode_storage task_storage bloom_filter user_ringbuf cgrp_storage arena").split(
      " ",
    );

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function parseMap(value: unknown, line: number): BpfMap | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, type, name, flags, max_entries: maxEntries, bytes_memlock: bytes, pids, ...entry } = value as {
    [field: string]: unknown;
  };
  const flagBits = count(flags);
  const number = count(id);
  const held = count(bytes);
  if (number === undefined || held === undefined) return undefined;
  return {
    id: number,
    type: typeof type === "number" ? TYPES[type] ?? String(type) : typeof type === "string" ? type : "unknown",
    name: typeof name === "string" ? name : "",
    maxEntries: count(maxEntries),
    oneByOne: flagBits === undefined ? undefined : flagBits % 2 === 1,
    keyBytes: count(entry.bytes_key),
    valueBytes: count(entry.bytes_value),
    bytes: held,
    pids: Array.isArray(pids) ? pids.flatMap((each: { pid?: unknown } | null) => count(each?.pid) ?? []) : [],
    line,
  };
}

/**
 * Parses the list, which is one line or one a map.
 *
 * @throws {ParseError} if it is no JSON array, or nothing in it is a map.
 *
 * @example
 * ```ts
 * import { parseBpfMaps } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = '[{"id":28,"type":"array","name":"table","max_entries":1024,"bytes_memlock":4194616}]';
 * strictEqual(parseBpfMaps(text, { facts: {}, warn() {} })[0]?.bytes, 4_194_616);
 * ```
 */
export function parseBpfMaps(text: string, context: ParseContext): readonly BpfMap[] {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    throw new ParseError(`Cannot parse the BPF maps: ${(error as Error).message}`, { text });
  }
  if (!Array.isArray(values)) throw new ParseError("Cannot parse the BPF maps: not an array", { text });
  const lines = text.split("\n").filter((line) => line.includes("{")).length;
  const maps = values.flatMap((value, i) => {
    const line = lines === values.length ? i + 1 : 1;
    const map = parseMap(value, line);
    if (map === undefined) context.warn(line, `not a BPF map, or without bytes_memlock: number ${i + 1}`);
    return map === undefined ? [] : [map];
  });
  // To whom it is denied, bpftool prints [{"error":"can't get next map: Operation not permitted"}].
  if (maps.length === 0 && values.length > 0) throw new ParseError("Cannot parse the BPF maps: none is one", { text });
  return maps;
}

/** A snapshot's file, as {@linkcode parseBpfMaps} reads it. */
export const bpfMaps: Source<Parsed<readonly BpfMap[]>> = defineArtifact({
  name: "BPF maps",
  paths: ["sos_commands/ebpf/bpftool_-j_map_list"],
  howToCapture: "bpftool -j map list",
  parse: parseBpfMaps,
});
