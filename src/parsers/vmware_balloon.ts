// sys/kernel/debug/vmmemctl: the balloon of VMware's driver, which before Linux 5.4 is counted nowhere else; and what VMware's tools say of it.
// drivers/misc/vmw_balloon.c vmballoon_debug_show()
//
//   target:                    0 pages              (up to 5.3)
//   current:             4597760 pages
//   current               :          4597760        (from 5.4 on)
//
//   17960 MB                                        (vmware-toolbox-cmd stat balloon)
//   guest.mem.ballooned = 18391040                  (in KiB: vmware-toolbox-cmd stat raw text resources, which sos captures)
import { ParseError } from "../core/errors.ts";
import { defineArtifact, type Parsed, type Source } from "../core/source.ts";
import { multiply, parseCount } from "./_numbers.ts";
import type { BytesAtLine } from "./_values.ts";

const CURRENT = /^current *: +(\d{1,16})(?: pages)?$/;
const TOOLS = /^(\d{1,12}) MB$/;
const RAW = /^guest\.mem\.ballooned = (\d{1,16})$/;
/** The driver is there on x86 alone, and counts in pages of that size also where it takes larger ones. */
const PAGE_BYTES = 4096;

/**
 * Parses any of them: what the balloon has.
 *
 * @throws {ParseError} if no line tells it.
 *
 * @example
 * ```ts
 * import { parseVmwareBalloon } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * strictEqual(parseVmwareBalloon("target:    0 pages\ncurrent:   2 pages\n").bytes, 8192);
 * strictEqual(parseVmwareBalloon("17960 MB\n").bytes, 17_960 * 2 ** 20);
 * ```
 */
export function parseVmwareBalloon(text: string): BytesAtLine {
  for (const [i, line] of text.split("\n", 100).entries()) {
    const bytes = multiply(parseCount(CURRENT.exec(line.trimEnd())?.[1]), PAGE_BYTES) ??
      multiply(parseCount(TOOLS.exec(line.trimEnd())?.[1]), 2 ** 20) ??
      multiply(parseCount(RAW.exec(line.trimEnd())?.[1]), 2 ** 10);
    if (bytes !== undefined) return { bytes, line: i + 1 };
  }
  throw new ParseError('Cannot parse the balloon of VMware: no line like "current: 512 pages"', { text });
}

/** A snapshot's file, as {@linkcode parseVmwareBalloon} reads it. */
export const vmwareBalloon: Source<Parsed<BytesAtLine>> = defineArtifact({
  name: "vmware_balloon",
  paths: [
    "sys/kernel/debug/vmmemctl",
    // Of the driver that came with VMware's tools.
    "proc/vmmemctl",
    "sos_commands/vmware/vmware-toolbox-cmd_stat_balloon",
    "sos_commands/vmware/vmware-toolbox-cmd_stat_raw_text_resources",
  ],
  howToCapture: "vmware-toolbox-cmd stat balloon",
  parse: parseVmwareBalloon,
});
