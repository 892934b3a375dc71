// ethtool -g and -l: how many packets a network card has room to receive in each of its rings, and how many rings it has.
// https://man7.org/linux/man-pages/man8/ethtool.8.html
//
//   Ring parameters for eth0:
//   Pre-set maximums:
//   RX:             4096
//   Current hardware settings:
//   RX:             1024
//   Channel parameters for eth0:
//   Current hardware settings:
//   Combined:       16
import { defineArtifacts, type Parsed, type Source } from "../core/source.ts";
import { forEachLine } from "./_lines.ts";
import { parseCount } from "./_numbers.ts";

/** A current setting of one interface. */
export interface EthtoolSetting {
  readonly interface: string;
  /** `rx ring`: descriptors of each ring; `rx channels`, `combined channels`: rings. */
  readonly name: "rx ring" | "rx channels" | "combined channels";
  readonly value: number;
  readonly line: number;
}

const HEADER = /^(Ring|Channel) parameters for (\S{1,64}):$/;
const SETTING = /^(RX|Combined):\s+(\d{1,9})$/;

/**
 * Parses the output of `ethtool -g` or `ethtool -l` for one interface or several. What a card cannot tell (`n/a`) is left out.
 *
 * @example
 * ```ts
 * import { parseEthtool } from "nailhouse/parsers";
 * import { strictEqual } from "node:assert";
 *
 * const [ring] = parseEthtool("Ring parameters for eth0:\nCurrent hardware settings:\nRX:\t\t1024\n");
 * strictEqual(ring?.value, 1024);
 * ```
 */
export function parseEthtool(text: string): readonly EthtoolSetting[] {
  const settings: EthtoolSetting[] = [];
  let of: { readonly kind: string; readonly interface: string } | undefined;
  let isCurrent = false;
  forEachLine(text, (line, number) => {
    const [, kind, name] = HEADER.exec(line) ?? [];
    if (kind !== undefined && name !== undefined) {
      of = { kind, interface: name };
      isCurrent = false;
    } else if (line === "Current hardware settings:") isCurrent = true;
    const [, key, digits] = SETTING.exec(line) ?? [];
    const value = parseCount(digits);
    if (of === undefined || !isCurrent || value === undefined) return;
    const what = of.kind === "Channel" ? (key === "RX" ? "rx channels" : "combined channels") : "rx ring";
    settings.push({ interface: of.interface, name: what, value, line: number });
  });
  return settings;
}

/** Settings of all cards that were captured. */
export const ethtool: Source<readonly Parsed<readonly EthtoolSetting[]>[]> = defineArtifacts({
  name: "ethtool",
  paths: [
    "sos_commands/networking/ethtool_rings",
    "sos_commands/networking/ethtool_-g_*",
    "sos_commands/networking/ethtool_-l_*",
  ],
  howToCapture: "ethtool -g eth0; ethtool -l eth0",
  parse: parseEthtool,
});
