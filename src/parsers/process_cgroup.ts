// proc/PID/cgroup: the process's control groups, one line a hierarchy. Hierarchy 0 is cgroup v2.
// https://man7.org/linux/man-pages/man7/cgroups.7.html
//
//   4:memory:/system.slice/friend_push.service
//   0::/system.slice/friend_push.service
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Source } from "../core/source.ts";
import { defineProcessArtifacts, type ProcessFile } from "./_groups.ts";
import { forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** One control group that the process is in. */
export interface ProcessCgroup {
  readonly hierarchy: number;
  /** Empty for cgroup v2; `name=systemd` and the like as they are. */
  readonly controllers: readonly string[];
  readonly path: string;
  readonly line: number;
}

/**
 * Parses /proc/PID/cgroup.
 *
 * @throws {ParseError} if there is text, but no line has the form `0::/path`.
 *
 * @example
 * ```ts
 * import { parseProcessCgroup, systemdUnit } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const cgroups = parseProcessCgroup("0::/system.slice/cron.service\n", { facts: {}, warn() {} });
 * strictEqual(systemdUnit(cgroups), "cron.service");
 * ```
 */
export function parseProcessCgroup(text: string, context: ParseContext): readonly ProcessCgroup[] {
  const cgroups: ProcessCgroup[] = [];
  forEachLine(text, (line, number) => {
    if (line === "") return;
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    const hierarchy = parseCount(line.slice(0, Math.max(first, 0)));
    const path = line.slice(second + 1);
    if (hierarchy === undefined || second === -1 || !path.startsWith("/")) {
      context.warn(number, `not a control group: ${quote(line)}`);
      return;
    }
    const controllers = second === first + 1 ? [] : line.slice(first + 1, second).split(",");
    cgroups.push({ hierarchy, controllers, path, line: number });
  });
  if (cgroups.length === 0 && text !== "") {
    throw new ParseError('Cannot parse cgroup: no line like "0::/system.slice"', { text });
  }
  return cgroups;
}

/**
 * The innermost systemd service or scope, as systemd spells it (`foo\x2dbar.service`); undefined when there is none.
 *
 * @example
 * ```ts
 * import { systemdUnit } from "nailhouse/parsers";
 * import { equal } from "node:assert";
 *
 * equal(systemdUnit([{ hierarchy: 0, controllers: [], path: "/system.slice/nginx.service", line: 1 }]), "nginx.service");
 * ```
 */
export function systemdUnit(cgroups: readonly ProcessCgroup[]): string | undefined {
  for (const { path } of [...cgroups].sort((a, b) => rank(a) - rank(b))) {
    const unit = path.split("/").findLast((segment) => segment.endsWith(".service") || segment.endsWith(".scope"));
    if (unit !== undefined) return unit;
  }
  return undefined;
}

/** systemd's own hierarchy first (v2, or name=systemd on v1), then those that it also sorts processes into. */
function rank({ hierarchy, controllers }: ProcessCgroup): number {
  return hierarchy === 0 ? 0 : controllers.includes("name=systemd") ? 1 : 2;
}

/** One entry a process that was captured. */
export const processCgroup: Source<readonly ProcessFile<readonly ProcessCgroup[]>[]> = defineProcessArtifacts({
  name: "process cgroup",
  files: ["cgroup"],
  howToCapture: "grep . /proc/[0-9]*/cgroup",
  parse: parseProcessCgroup,
});
