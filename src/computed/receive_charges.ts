import type { SourceLine } from "../core/ledger.ts";
import { defineComputed, type Parsed, type Source } from "../core/source.ts";
import { netlink } from "../parsers/netlink.ts";
import { packet } from "../parsers/packet.ts";
import { ping, raw } from "../parsers/raw.ts";
import { ss, ssNamespaces, type SsSocket } from "../parsers/ss.ts";
import { tcp } from "../parsers/tcp.ts";
import { FIRST_NAMESPACE_FILE, SS_FILE, ssKey } from "./socket_owners.ts";
import { udpBacklog } from "./udp_backlog.ts";

/** What one socket, of any family, is charged for packets that it received and nobody read. */
export interface ReceiveCharge extends SourceLine {
  readonly family: string;
  readonly inode: number;
  readonly bytes: number;
  readonly name: string;
}

/** Whether a family's data are copied into whole pages, or come in them: what is charged for them is no slab. */
export function isStream(family: string): boolean {
  return family === "tcp" || family === "mptcp";
}

/** Adds every socket once: several files tell of the same one, and the larger figure is the later or the fuller one. */
class Charges {
  readonly #byInode = new Map<number, ReceiveCharge>();
  readonly #without: ReceiveCharge[] = [];

  add(charge: Omit<ReceiveCharge, "bytes"> & { bytes: number | undefined }): void {
    const { bytes } = charge;
    if (bytes === undefined || bytes <= 0) return;
    if (charge.inode === 0) this.#without.push({ ...charge, bytes });
    else if (bytes > (this.#byInode.get(charge.inode)?.bytes ?? 0)) {
      this.#byInode.set(charge.inode, { ...charge, bytes });
    }
  }

  sorted(): ReceiveCharge[] {
    return [...this.#byInode.values(), ...this.#without].sort((a, b) => b.bytes - a.bytes || a.inode - b.inode);
  }
}

function ssRows(
  initial: Parsed<readonly SsSocket[]> | undefined,
  others: readonly Parsed<readonly SsSocket[]>[] | undefined,
): { path: string; socket: SsSocket; key: number }[] {
  const rows = ({ path, value }: Parsed<readonly SsSocket[]>, file: number) =>
    value.map((socket) => ({ path, socket, key: ssKey(socket, file) }));
  return [
    ...(initial === undefined ? [] : rows(initial, SS_FILE)),
    ...(others ?? []).flatMap((each, i) => rows(each, FIRST_NAMESPACE_FILE + i)),
  ];
}

/** Receive queues of all families in all network namespaces, the largest first. */
export const receiveCharges: Source<readonly ReceiveCharge[]> = defineComputed({
  name: "receive queues of all families",
  needs: { udpBacklog },
  uses: { tcp, raw, ping, netlink, packet, ss, ssNamespaces },
  compute(
    {
      udpBacklog: backlog,
      tcp: tcpFiles,
      raw: rawFiles,
      ping: pingFiles,
      netlink: netlinkFiles,
      packet: packetFiles,
      ss: initial,
      ssNamespaces: others,
    },
  ) {
    const charges = new Charges();
    for (const { path, line, inode, chargedBytes: bytes, local: name } of backlog.queues) {
      charges.add({ family: "udp", path, line, inode, bytes, name });
    }
    for (const [family, files] of [["tcp", tcpFiles], ["raw", rawFiles], ["ping", pingFiles]] as const) {
      for (const { path, value } of files ?? []) {
        for (const { line, inode, rxQueueBytes: bytes, localAddress, localPort } of value) {
          charges.add({ family, path, line, inode, bytes, name: `${localAddress}:${localPort}` });
        }
      }
    }
    for (const { path, value } of netlinkFiles ?? []) {
      for (const { line, inode, rmemBytes: bytes, portId } of value) {
        charges.add({ family: "netlink", path, line, inode: inode ?? 0, bytes, name: `port ${portId}` });
      }
    }
    for (const { path, value } of packetFiles ?? []) {
      for (const { line, inode, rmemBytes: bytes } of value) {
        charges.add({ family: "packet", path, line, inode, bytes, name: "packet" });
      }
    }
    for (const { path, socket, key } of ssRows(initial, others)) {
      const line = socket.skmemLine ?? socket.line;
      charges.add({
        family: socket.netid ?? "unknown",
        path,
        line,
        // Without -e what the backlog of UDP calls it, which may have it from this list.
        inode: key,
        // Without -m the data alone, as /proc/net/tcp has them.
        bytes: socket.skmem?.rmemAllocBytes ??
          (tcpFiles === undefined && isStream(socket.netid ?? "") ? socket.recvQBytes : undefined),
        name: socket.local,
      });
    }
    return charges.sorted();
  },
});
