import { type Captured, defineComputed, type Parsed, type Source } from "../core/source.ts";
import type { SourceLine } from "../core/ledger.ts";
import { netnsOf } from "../parsers/_groups.ts";
import type { InetSocket } from "../parsers/_inet_sockets.ts";
import { netstat, netstatDatagrams, netstatLacksInodes, netstatNamespaces, netstatTcp } from "../parsers/netstat.ts";
import { processStatus } from "../parsers/process_status.ts";
import { socketOwners as socketOwnersFile } from "../parsers/socket_owners.ts";
import { ss, ssNamespaces, type SsOwner, type SsSocket } from "../parsers/ss.ts";
import { tcp } from "../parsers/tcp.ts";
import { udp } from "../parsers/udp.ts";

/** A process that has a socket open. */
export interface SocketOwner extends SourceLine {
  readonly pid: number;
  /** Undefined when no file of the bundle names the process. */
  readonly comm: string | undefined;
  /** Other processes that have it open, too, as children inherit it: it is there until the last of them closes it. Undefined where none is known. */
  readonly sharers?: readonly number[];
}

/** Who has a socket open, by the socket's inode, which is unique on a host whatever its network namespace. */
export type SocketOwners = ReadonlyMap<number, SocketOwner>;

/** Files that list sockets without inodes, as `ss` and netstat do without `-e`: the initial namespace's `ss`, netstat, and `ss` of other namespaces. */
export const SS_FILE = 0;
export const NETSTAT_FILE = 1;
export const FIRST_NAMESPACE_FILE = 2;
const MOST_LINES = 2 ** 32;

/** What stands for a socket that a file without inodes lists: no inode is below zero, and no two files have the same. */
export function ssKey({ inode, line }: SsSocket, file: number): number {
  return inode ?? -(file * MOST_LINES + line);
}

/** Netstat's list, where it has no inodes: {@linkcode netstat} tells the owners of the others, sooner. */
const netstatByLine: Source<Parsed<readonly SsSocket[]>> = {
  name: "owners in netstat by line",
  patterns: netstat.patterns,
  read(reader): Captured<Parsed<readonly SsSocket[]>> {
    const lacksInodes = reader.read(netstatLacksInodes);
    if (lacksInodes.status !== "ok" || !lacksInodes.value.value) return { status: "missing", missing: [] };
    const datagrams = reader.read(netstatDatagrams);
    const tcp = reader.read(netstatTcp);
    if (datagrams.status !== "ok" || tcp.status !== "ok") return datagrams;
    return { status: "ok", value: { path: tcp.value.path, value: [...datagrams.value.value, ...tcp.value.value] } };
  },
};

/** systemd keeps the sockets by which it starts services: whom it passed them on to is the one who should read. */
const SERVICE_MANAGER = 1;

function firstOf(users: readonly SsOwner[]): SsOwner | undefined {
  if (users.length < 2) return users[0];
  return users.filter(({ pid }) => pid !== SERVICE_MANAGER).toSorted((a, b) => a.pid - b.pid)[0] ?? users[0];
}

/** Of several processes that share a socket the first that was started is the owner: the others inherited it. */
function withSharers(owner: SocketOwner, users: readonly SsOwner[]): SocketOwner {
  // Nearly all sockets have one user, and there may be a million.
  if (users.every(({ pid }) => pid === owner.pid)) return owner;
  const others = new Set(users.map(({ pid }) => pid).filter((pid) => pid !== owner.pid && pid !== SERVICE_MANAGER));
  return others.size === 0 ? owner : { ...owner, sharers: [...others].sort((a, b) => a - b) };
}

const MAPPED = "::ffff:";

/** An IPv6 socket may talk to an IPv4 one: then the addresses of both are written in the form of IPv6. */
export function unmapped(host: string): string {
  return host.startsWith(MAPPED) && !host.includes(":", MAPPED.length) ? host.slice(MAPPED.length) : host;
}

/** An address as the kernel's tables and all versions of ss have it: any is `*`, `0.0.0.0`, `::` or `[::]`, and `%eth0` what a socket is bound to. */
function comparableEnd(host: string, port: number | string): string {
  const plain = unmapped(host.replace(/%.*$/, "").replace(/^\[|\]$/g, ""));
  return `${plain === "0.0.0.0" || plain === "::" ? "*" : plain}:${port === 0 ? "*" : port}`;
}

function listedEnd(text: string): string {
  const colon = text.lastIndexOf(":");
  return comparableEnd(text.slice(0, colon), text.slice(colon + 1));
}

type Tables = readonly Parsed<readonly InetSocket[]>[] | undefined;

/**
 * The inodes of sockets that ss lists without (`-e` was not given, as in a supportconfig), from the kernel's tables of the same host: by their addresses, where
 * all that have the same are of one process.
 */
function* inodesByAddress(
  listed: readonly SsSocket[],
  tables: ReadonlyMap<string, Tables>,
): Generator<readonly [inode: number, socket: SsSocket]> {
  const sockets = new Map<string, SsSocket | undefined>();
  for (const socket of listed) {
    const { netid = "", inode, owners: [owner], local, peer } = socket;
    if (inode !== undefined || owner === undefined || !tables.has(netid)) continue;
    const key = `${netid} ${listedEnd(local)} ${listedEnd(peer)}`;
    const isOthers = sockets.has(key) && sockets.get(key)?.owners[0]?.pid !== owner.pid;
    sockets.set(key, isOthers ? undefined : socket);
  }
  if (sockets.size === 0) return;
  for (const [netid, parsed] of tables) {
    for (const { path, value } of parsed ?? []) {
      if (netnsOf(path) !== undefined) continue;
      for (const { inode, localAddress, localPort, remoteAddress, remotePort } of value) {
        const ends = `${comparableEnd(localAddress, localPort)} ${comparableEnd(remoteAddress, remotePort)}`;
        const socket = sockets.get(`${netid} ${ends}`);
        if (socket !== undefined) yield [inode, socket];
      }
    }
  }
}

/** From the collector's own look-up, from what `ss -p` names, and from netstat, which sosreport has when it lacks the others. */
export const socketOwners: Source<SocketOwners> = defineComputed({
  name: "socket owners",
  needs: {},
  uses: { socketOwnersFile, ss, ssNamespaces, netstat, netstatNamespaces, netstatByLine, processStatus, tcp, udp },
  compute(
    {
      socketOwnersFile: file,
      ss: initial,
      ssNamespaces: others,
      netstat: listed,
      netstatNamespaces: listedOthers,
      netstatByLine: byLine,
      processStatus: processes,
      tcp: ofTcp,
      udp: ofUdp,
    },
  ) {
    const comms = new Map(processes?.map(({ pid, value }) => [pid, value.name]));
    const owners = new Map<number, SocketOwner>();
    const add = (inode: number | undefined, owner: SocketOwner): void => {
      if (inode === undefined || inode === 0) return;
      const known = owners.get(inode);
      if (known === undefined || known.pid === SERVICE_MANAGER) owners.set(inode, owner);
    };
    if (file !== undefined) {
      for (const { inode, pid, line } of file.value.owners) {
        add(inode, { pid, comm: comms.get(pid), path: file.path, line });
      }
    }
    const addUsers = (key: number, { owners: users, ownersLine, line }: SsSocket, path: string): void => {
      const { pid, comm } = firstOf(users) ?? {};
      if (pid === undefined) return;
      add(key, { pid, comm: comms.get(pid) ?? comm, path, line: ownersLine ?? line });
      // 0 is no socket's number.
      const owner = owners.get(key);
      if (owner !== undefined) owners.set(key, withSharers(owner, users));
    };
    const addListed = ({ path, value }: Parsed<readonly SsSocket[]>, index: number): void => {
      for (const socket of value) addUsers(ssKey(socket, index), socket, path);
    };
    if (initial !== undefined) {
      addListed(initial, SS_FILE);
      const tables = new Map([["tcp", ofTcp], ["udp", ofUdp]]);
      for (const [inode, socket] of inodesByAddress(initial.value, tables)) {
        if (!owners.has(inode)) addUsers(inode, socket, initial.path);
      }
    }
    others?.forEach((each, i) => addListed(each, FIRST_NAMESPACE_FILE + i));
    if (byLine !== undefined) addListed(byLine, NETSTAT_FILE);
    for (const { path, value } of [...(listed === undefined ? [] : [listed]), ...(listedOthers ?? [])]) {
      for (const { inode, pid, program, line } of value) {
        add(inode, { pid, comm: comms.get(pid) ?? program, path, line });
      }
    }
    return owners;
  },
});
