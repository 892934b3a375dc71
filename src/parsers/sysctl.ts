// sysctl -a: the kernel's settings. Values of several words are separated by tabs.
//
//   net.ipv4.udp_mem = 575802	767738	1151604
//   vm.panic_on_oom = 0
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type ParseContext, type Parsed, type Source } from "../core/source.ts";
import { columns, forEachLine, quote } from "./_lines.ts";
import { parseInteger } from "./_numbers.ts";
import type { TextAtLine } from "./_values.ts";

/** The settings by name, as text. Units differ from one to the next: `net.ipv4.udp_mem` is in pages. */
export type Sysctl = ReadonlyMap<string, TextAtLine>;

/**
 * Parses the output of `sysctl -a`.
 *
 * @throws {ParseError} if no line has the form `name = value`.
 *
 * @example
 * ```ts
 * import { parseSysctl, sysctlNumbers } from "nailhouse/parsers";
 * import { deepStrictEqual } from "node:assert";
 *
 * const sysctl = parseSysctl("net.ipv4.udp_mem = 1\t2\t3\n", { facts: {}, warn() {} });
 * deepStrictEqual(sysctlNumbers(sysctl, "net.ipv4.udp_mem"), [1, 2, 3]);
 * ```
 */
export function parseSysctl(text: string, context: ParseContext): Sysctl {
  const settings = new Map<string, TextAtLine>();
  forEachLine(text, (line, number) => {
    const equals = line.indexOf(" =");
    // sysctl's own messages about settings that cannot be read.
    if (line === "" || line.startsWith("sysctl: ")) return;
    const name = line.slice(0, equals);
    if (equals < 1) context.warn(number, `not a setting: ${quote(line)}`);
    // A value of several lines is printed as several settings of one name.
    else if (!settings.has(name)) settings.set(name, { text: line.slice(equals + 2).trim(), line: number });
  });
  if (settings.size === 0) throw new ParseError('Cannot parse sysctl: no line like "vm.swappiness = 60"', { text });
  return settings;
}

/**
 * A setting's numbers; undefined when the kernel does not have it or one of its words is no number.
 *
 * @example
 * ```ts
 * import { parseSysctl, sysctlNumbers } from "nailhouse/parsers";
 * import { deepEqual } from "node:assert";
 *
 * const sysctl = parseSysctl("net.ipv4.udp_mem = 1 2 3\n", { facts: {}, warn() {} });
 * deepEqual(sysctlNumbers(sysctl, "net.ipv4.udp_mem"), [1, 2, 3]);
 * ```
 */
export function sysctlNumbers(sysctl: Sysctl, name: string): readonly number[] | undefined {
  const setting = sysctl.get(name);
  if (setting === undefined) return undefined;
  const numbers = columns(setting.text).map(parseInteger);
  return numbers.length > 0 && numbers.every((number) => number !== undefined) ? numbers : undefined;
}

/** A snapshot's file, as {@linkcode parseSysctl} reads it. */
export const sysctl: Source<Parsed<Sysctl>> = defineArtifact({
  name: "sysctl",
  paths: ["sos_commands/kernel/sysctl_-a"],
  howToCapture: "sysctl -a",
  parse: parseSysctl,
});
