/** The rings of network cards: each descriptor has memory that the next packet is written to, which is in no account of the kernel. */
import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Source } from "../core/source.ts";
import { ethtool, type EthtoolSetting } from "../parsers/ethtool.ts";

/** The receive rings of one card. */
export interface ReceiveRings extends SourceLine {
  readonly interface: string;
  readonly rings: number;
  readonly descriptors: number;
  /** At most: a page for each descriptor. Some drivers use half of one. */
  readonly bytes: number;
}

/** The largest first. Empty where the page size is not known, or no card tells of its rings. */
export const receiveRings: Source<readonly ReceiveRings[]> = defineComputed({
  name: "receive rings",
  needs: { ethtool },
  uses: {},
  compute({ ethtool: files }, { pageSizeBytes }) {
    if (pageSizeBytes === undefined) return [];
    const all = files.flatMap(({ path, value }) => value.map((setting) => ({ ...setting, path })));
    const byName = (name: EthtoolSetting["name"]): Map<string, (typeof all)[number]> =>
      new Map(all.filter((each) => each.name === name).map((each) => [each.interface, each]));
    const [received, combined] = [byName("rx channels"), byName("combined channels")];
    return [...byName("rx ring").values()].map(({ interface: card, value: descriptors, path, line }) => {
      // A card that cannot tell has one.
      const rings = Math.max(1, (received.get(card)?.value ?? 0) + (combined.get(card)?.value ?? 0));
      return { interface: card, rings, descriptors, bytes: rings * descriptors * pageSizeBytes, path, line };
    }).sort((a, b) => b.bytes - a.bytes || (a.interface < b.interface ? -1 : 1));
  },
});
