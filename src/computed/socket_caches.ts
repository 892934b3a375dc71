/** Slab caches whose objects are sockets that are in use: a busy server has a hundred thousand, and nothing leaks. */
import { defineComputed, type Parsed, type Source } from "../core/source.ts";
import { sumOf } from "../core/sums.ts";
import { type Sockstat, sockstat } from "../parsers/sockstat.ts";
import { unix } from "../parsers/unix.ts";
import { slabCaches } from "./slab_caches.ts";
import { MOSTLY } from "./slab_tenants.ts";

/** The kernel's counts of a protocol's sockets, of all network namespaces together. */
function counted(files: readonly Parsed<Sockstat>[], protocols: readonly string[]): number {
  const values = files.flatMap(({ value }) => protocols.flatMap((protocol) => value.get(protocol)?.counts ?? []));
  // `alloc`, which TCP alone has, is that of the whole host (tcp_sockets_allocated), and with those of IPv6.
  const ofHost = values.reduce((most, counts) => Math.max(most, counts.get("alloc") ?? 0), 0);
  return ofHost || sumOf(values, (counts) => counts.get("inuse") ?? 0);
}

/**
 * The names of those caches. Whether a program keeps sockets open that it does not need is fd-leak's to judge; sockets that the kernel has lost are in no
 * count, and their cache is none of these.
 */
export const socketCaches: Source<ReadonlySet<string>> = defineComputed({
  name: "slab caches of sockets in use",
  needs: { slabCaches },
  uses: { sockstat, unix },
  compute({ slabCaches: { caches }, sockstat: files = [], unix: tables = [] }): ReadonlySet<string> {
    const families: readonly (readonly [ReadonlySet<string>, number])[] = [
      [new Set(["TCP", "TCPv6", "MPTCP", "MPTCPv6"]), counted(files, ["TCP"])],
      [new Set(["UDP", "UDPv6"]), counted(files, ["UDP", "UDP6"])],
      [new Set(["RAW", "RAWv6"]), counted(files, ["RAW", "RAW6"])],
      [new Set(["UNIX", "UNIX-STREAM"]), sumOf(tables, ({ value }) => value.length)],
    ];
    return new Set(families.flatMap(([names, count]) => {
      const members = caches.filter(({ name }) => names.has(name));
      const objects = sumOf(members, (each) => each.activeObjects);
      // Others are waiting to be freed, or were made between the two looks.
      return count > 0 && count >= MOSTLY * objects ? members.map(({ name }) => name) : [];
    }));
  },
});
