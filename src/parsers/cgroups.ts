// proc/cgroups: the controllers, and how many groups each has. Groups that were removed and still hold something are among them. Where a
// controller is on cgroup v2 (hierarchy 0), newer kernels (6.13) leave the numbers of its hierarchy in.
// kernel/cgroup/cgroup-v1.c, proc_cgroupstats_show()
//
//   #subsys_name	hierarchy	num_cgroups	enabled
//   memory	4	12049	1
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One controller. */
export interface CgroupController {
  /** 0 is cgroup v2's. */
  readonly hierarchy: number;
  /** Groups of that hierarchy, removed ones that are still held included. */
  readonly groups: number;
  readonly enabled: boolean;
  readonly line: number;
}

/**
 * Parses /proc/cgroups.
 *
 * @throws {ParseError} if no line is a controller's.
 *
 * @example
 * ```ts
 * import { parseCgroups } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t12049\t1\n";
 * strictEqual(parseCgroups(text, { facts: {}, warn() {} }).get("memory")?.groups, 12_049);
 * ```
 */
export function parseCgroups(text: string, context: ParseContext): ReadonlyMap<string, CgroupController> {
  const controllers = new Map<string, CgroupController>();
  forEachLine(text, (line, number) => {
    if (line === "" || line.startsWith("#")) return;
    const [name, ...digits] = columns(line);
    const [hierarchy, groups, enabled] = digits.map(parseCount);
    if (name === undefined || hierarchy === undefined || groups === undefined || enabled === undefined) {
      context.warn(number, `not a controller: ${quote(line)}`);
    } else controllers.set(name, { hierarchy, groups, enabled: enabled !== 0, line: number });
  });
  if (controllers.size === 0) throw new ParseError("Cannot parse cgroups: no line is a controller's", { text });
  return controllers;
}

/** A snapshot's file, as {@linkcode parseCgroups} reads it. */
export const cgroups: Source<Parsed<ReadonlyMap<string, CgroupController>>> = defineArtifact({
  name: "cgroups",
  paths: ["proc/cgroups"],
  howToCapture: "cat /proc/cgroups",
  parse: parseCgroups,
});
