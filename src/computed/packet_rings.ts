import type { SourceLine } from "../core/ledger.ts";
import type { Captured, Missing, Reader, Source } from "../core/source.ts";
import { packet } from "../parsers/packet.ts";
import { ss, ssNamespaces, type SsSocket } from "../parsers/ss.ts";
import { wasAskedFor } from "./socket_queues.ts";

/** An AF_PACKET socket with rings. */
export interface PacketRing extends SourceLine {
  readonly inode: number;
  /** Of the receive and the transmit ring together. */
  readonly bytes: number;
  /** What /proc/net/packet says of the socket. */
  readonly table: SourceLine | undefined;
}

/** Rings of all network namespaces that were captured, the largest first. */
export interface PacketRings {
  readonly rings: readonly PacketRing[];
  /** AF_PACKET sockets in all; undefined without /proc/net/packet. */
  readonly sockets: number | undefined;
}

const RINGS: Missing = { path: "sos_commands/networking/ss_-peaonmi", howToCapture: "ss -peaonmi" };

/** `ss -tuna` lists no packet sockets, nor does `ss -x`, and without -e tells no ring: nor an inode. */
function tellsRings(sockets: readonly SsSocket[], reader: Reader): boolean {
  return wasAskedFor(sockets, ["p_", "nl"], reader) &&
    !sockets.some(({ netid, inode }) => netid?.startsWith("p_") && inode === undefined);
}

/** Only ss tells a ring's size. Without it the bundle can still tell that there is no packet socket at all. */
export const packetRings: Source<PacketRings> = {
  name: "packet rings",
  patterns: [...ss.patterns, ...ssNamespaces.patterns, ...packet.patterns],
  read(reader): Captured<PacketRings> {
    const initial = reader.read(ss);
    const others = reader.read(ssNamespaces);
    const tables = reader.read(packet);
    const rows = tables.status !== "ok"
      ? []
      : tables.value.flatMap(({ path, value }) => value.map(({ inode, line }) => ({ path, line, inode })));
    const known = initial.status === "ok" && tellsRings(initial.value.value, reader);
    if (!known && tables.status === "ok" && rows.length === 0) {
      return { status: "ok", value: { rings: [], sockets: 0 } };
    }
    if (initial.status !== "ok") return initial;
    if (!known) return { status: "missing", missing: [RINGS] };
    const byInode = new Map(rows.map((row) => [row.inode, row]));
    const files = [initial.value, ...(others.status === "ok" ? others.value : [])];
    const rings = files.flatMap(({ path, value }) =>
      value.flatMap(({ ringBytes: bytes, inode = 0, line, skmemLine }): PacketRing[] =>
        // The ring stands on the line that skmem follows on.
        bytes === undefined ? [] : [{ path, line: skmemLine ?? line, inode, bytes, table: byInode.get(inode) }]
      )
    ).sort((a, b) => b.bytes - a.bytes || a.inode - b.inode);
    return { status: "ok", value: { rings, sockets: tables.status === "ok" ? rows.length : undefined } };
  },
};
