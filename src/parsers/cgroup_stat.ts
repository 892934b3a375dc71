// sys/fs/cgroup/cgroup.stat: cgroup v2's groups below the root, and removed ones that still hold something. Newer kernels add lines for each
// controller (6.13).
// https://docs.kernel.org/admin-guide/cgroup-v2.html
//
//   nr_descendants 63
//   nr_dying_descendants 12000
//   nr_dying_subsys_memory 12000
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { parseNamedNumbers } from "./_named_numbers.ts";
import type { NumberAtLine } from "./_values.ts";

/** The numbers by name. */
export type CgroupStat = ReadonlyMap<string, NumberAtLine>;

/**
 * Parses cgroup.stat.
 *
 * @throws {ParseError} if no line is a name and a number.
 *
 * @example
 * ```ts
 * import { parseCgroupStat } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseCgroupStat("nr_dying_descendants 12000\n", { facts: {}, warn() {} }).get("nr_dying_descendants")?.value, 12_000);
 * ```
 */
export function parseCgroupStat(text: string, context: ParseContext): CgroupStat {
  return parseNamedNumbers(text, context, "cgroup.stat", "nr_descendants 1");
}

/** Of the root group, where cgroup v2 is mounted alone, or beside v1 (hybrid). */
export const cgroupStat: Source<Parsed<CgroupStat>> = defineArtifact({
  name: "cgroup.stat",
  paths: ["sys/fs/cgroup/cgroup.stat", "sys/fs/cgroup/unified/cgroup.stat"],
  howToCapture: "cat /sys/fs/cgroup/cgroup.stat",
  parse: parseCgroupStat,
});
