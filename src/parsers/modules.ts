// proc/modules, and lsmod, which is made of it: the kernel modules that are loaded.
// kernel/module/procfs.c m_show()
//
//   hv_balloon 24576 0 [permanent], Live 0xffffffffc0599000
//
//   Module                  Size  Used by
//   hv_balloon             24576  0
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { forEachLine, quote } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** A loaded module. */
export interface KernelModule {
  readonly name: string;
  /** Its own code and data. */
  readonly bytes: number;
  readonly line: number;
}

const ROW = /^(\S+) (\d{1,15}) .*\b(?:Live|Loading|Unloading) |^(\S+) +(\d{1,15}) {2}-?\d{1,6}(?: |$)/;
const LSMOD_HEADER = /^Module +Size +Used by/;

/**
 * Parses /proc/modules, or lsmod's table.
 *
 * @throws {ParseError} if no line is a module.
 *
 * @example
 * ```ts
 * import { parseModules } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [first] = parseModules("hv_balloon 24576 0 - Live 0x0000000000000000\n", { facts: {}, warn() {} });
 * strictEqual(first?.name, "hv_balloon");
 * ```
 */
export function parseModules(text: string, context: ParseContext): readonly KernelModule[] {
  const modules: KernelModule[] = [];
  forEachLine(text, (line, number) => {
    if (line === "" || LSMOD_HEADER.test(line)) return;
    const row = ROW.exec(line);
    const name = row?.[1] ?? row?.[3];
    const size = row?.[2] ?? row?.[4];
    const bytes = parseCount(size);
    if (name !== undefined && bytes !== undefined) modules.push({ name, bytes, line: number });
    else context.warn(number, `not a module: ${quote(line)}`);
  });
  if (modules.length === 0) throw new ParseError("Cannot parse modules: no line is a module", { text });
  return modules;
}

/** A snapshot's file, as {@linkcode parseModules} reads it. */
export const modules: Source<Parsed<readonly KernelModule[]>> = defineArtifact({
  name: "modules",
  paths: ["proc/modules", "sos_commands/kernel/lsmod"],
  howToCapture: "cat /proc/modules",
  parse: parseModules,
});
