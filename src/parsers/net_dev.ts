// proc/net/dev: the network devices of a network namespace, a line each.
// net/core/net-procfs.c, dev_seq_show()
//
//   Inter-|   Receive                                                |  Transmit
//    face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
//       lo:   14116     166    0    0    0     0          0         0    14116     166    0    0    0     0       0          0
//   vethf2b3c1a:  1226  17    0    0    0     0          0         0     1226      17    0    0    0     0       0          0
import { ParseError } from "../core/errors.ts";
import type { ParseContext, Parsed, Source } from "../core/source.ts";
import { defineNetnsArtifacts } from "./_groups.ts";
import { forEachLine, quote } from "./_lines.ts";

/** A network device. */
export interface NetDevice {
  readonly name: string;
  readonly line: number;
}

const HEAD_LINES = 2;
/** What comes behind a name: it may itself have a colon. Up to 2.6.x the first number follows at once. */
const DEVICE = /^ *(\S+): *\d+ /;

/**
 * Parses /proc/net/dev.
 *
 * @throws {ParseError} if its first line is not that of the table.
 *
 * @example
 * ```ts
 * import { parseNetDev } from "nailhouse/parsers";
 * import { deepStrictEqual } from "node:assert";
 *
 * const context = { facts: {}, warn() {} };
 * const text = "Inter-|   Receive\n face |bytes    packets\n    lo:   14116     166\n";
 * deepStrictEqual(parseNetDev(text, context), [{ name: "lo", line: 3 }]);
 * ```
 */
export function parseNetDev(text: string, context: ParseContext): readonly NetDevice[] {
  if (!text.startsWith("Inter-|")) throw new ParseError("Cannot parse net/dev: no table of devices", { text });
  const devices: NetDevice[] = [];
  forEachLine(text, (line, number) => {
    if (number <= HEAD_LINES || line === "") return;
    const name = DEVICE.exec(line)?.[1];
    if (name === undefined) context.warn(number, `not a network device: ${quote(line)}`);
    else devices.push({ name, line: number });
  });
  return devices;
}

/** One entry a network namespace, as {@linkcode parseNetDev} reads it. */
export const netDev: Source<readonly Parsed<readonly NetDevice[]>[]> = defineNetnsArtifacts({
  name: "net/dev",
  files: ["dev"],
  howToCapture: "cat /proc/net/dev",
  parse: parseNetDev,
});
