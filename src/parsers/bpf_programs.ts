// sos_commands/ebpf/bpftool_-j_prog_list: loaded BPF programs, as `bpftool -j prog list` prints them.
//
//   [{"id":3,"type":"cgroup_skb","name":"egress","map_ids":[28,29]}]
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";

/** The ids of the maps that loaded programs use. */
export type BpfProgramMaps = ReadonlySet<number>;

/**
 * Parses the list.
 *
 * @throws {ParseError} if it is no JSON array.
 *
 * @example
 * ```ts
 * import { parseBpfPrograms } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseBpfPrograms('[{"id":3,"map_ids":[28,29]}]').has(28), true);
 * ```
 */
export function parseBpfPrograms(text: string): BpfProgramMaps {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    throw new ParseError(`Cannot parse the BPF programs: ${(error as Error).message}`, { text });
  }
  if (!Array.isArray(values)) throw new ParseError("Cannot parse the BPF programs: not an array", { text });
  const maps = values.flatMap((each: { map_ids?: unknown } | null) => Array.isArray(each?.map_ids) ? each.map_ids : []);
  return new Set(maps.filter((id) => Number.isSafeInteger(id) && id >= 0));
}

/** A snapshot's file, as {@linkcode parseBpfPrograms} reads it. */
export const bpfPrograms: Source<Parsed<BpfProgramMaps>> = defineArtifact({
  name: "BPF programs",
  paths: ["sos_commands/ebpf/bpftool_-j_prog_list"],
  howToCapture: "bpftool -j prog list",
  parse: parseBpfPrograms,
});
