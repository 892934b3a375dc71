/** Lists of sockets that tell nothing of those that are not in them. */
import type { Captured, Missing, Source } from "../core/source.ts";
import { netstatIsPicked } from "../parsers/netstat.ts";
import { ss, ssIsPicked } from "../parsers/ss.ts";
import { isThinned } from "./socket_queues.ts";
import { tcp } from "../parsers/tcp.ts";
import { udp } from "../parsers/udp.ts";

/** What the bundle lacks then. */
export const ALL_SOCKETS: Missing = {
  path: "all sockets (rows that were picked out of a list)",
  howToCapture: "ss -peaonmi",
};

/** Whether grep picked out all that is known of a family's sockets. */
function pickedOf(name: string, table: Source<unknown>): Source<boolean> {
  return {
    name: `whether ${name} sockets were picked out`,
    patterns: [table, ssIsPicked, netstatIsPicked].flatMap(({ patterns }) => patterns),
    read(reader): Captured<boolean> {
      if (reader.read(table).status !== "missing") return { status: "ok", value: false };
      const lists = [reader.read(ssIsPicked), reader.read(netstatIsPicked)].filter(({ status }) => status === "ok");
      const isPicked = lists.every((list) => list.status === "ok" && list.value.value);
      return { status: "ok", value: lists.length > 0 && isPicked };
    },
  };
}

export const pickedTcp: Source<boolean> = pickedOf("TCP", tcp);
const pickedUdpRows: Source<boolean> = pickedOf("UDP", udp);

/** Also where ss alone was asked without `-a`: then it leaves out sockets that are not connected, and these are most of UDP. */
export const pickedUdp: Source<boolean> = {
  name: pickedUdpRows.name,
  patterns: [...pickedUdpRows.patterns, ...ss.patterns],
  read(reader): Captured<boolean> {
    const picked = reader.read(pickedUdpRows);
    const list = reader.read(ss);
    if (list.status !== "ok" || reader.read(udp).status !== "missing") return picked;
    const { value: sockets } = list.value;
    const known = sockets.filter(({ netid }) => netid === "udp");
    const areConnected = !isThinned(sockets) && known.every(({ state }) => state !== "UNCONN");
    return areConnected && reader.read(netstatIsPicked).status === "missing" ? { status: "ok", value: true } : picked;
  },
};
