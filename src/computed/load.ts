import type { Load } from "../core/comparison.ts";
import { defineComputed, lately, type Source } from "../core/source.ts";
import { sum } from "../core/sums.ts";
import { netSnmp } from "../parsers/net_snmp.ts";

/** What goes out is what a program asks for, whether or not it reads the answers. */
const COUNTERS = ["Udp.OutDatagrams", "Udp.InDatagrams", "Udp.InErrors", "Tcp.OutSegs", "Tcp.InSegs"] as const;

/** Packets a second of all network namespaces, over the last snapshots; no rates where there is one snapshot. */
export const load: Source<Load> = defineComputed({
  name: "load",
  needs: { snmp: lately(netSnmp) },
  uses: {},
  compute({ snmp }): Load {
    const [first, last] = [snmp[0], snmp.at(-1)];
    if (first === undefined || last === undefined || last.time <= first.time) return { seconds: 0, rates: [] };
    const seconds = (last.time - first.time) / 1000;
    const rates = COUNTERS.flatMap((counter) => {
      // A namespace that came or went meanwhile has no rate.
      const differences = last.value.flatMap(({ path, value }) => {
        const name = path.replace(/^history\/[^/]+\//, "");
        const earlier = first.value.find((file) => file.path.replace(/^history\/[^/]+\//, "") === name);
        const [from, to] = [earlier?.value.get(counter)?.value, value.get(counter)?.value];
        return from === undefined || to === undefined || to < from ? [] : [to - from];
      });
      return differences.length === 0 ? [] : [{ counter, perSecond: sum(differences) / seconds }];
    });
    return { seconds, rates };
  },
});
