/** A host with so many sockets: nine of ten UDP, one TCP; one of a hundred holds data that nobody reads; a hundred owners. */
import type { Made } from "./_archive.ts";
import { firstSnapshot, inPieces, readSample, scatter, textOf } from "./_sample.ts";

/** The tables' own order of bytes: an address is printed as the number that it is on a little-endian host. */
const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, "0");
const PAGE = 4096;
const RCVBUF = 4 * 2 ** 20;
/** As much as the sample's own sockets hold, in as many as there are. */
const QUEUED_BYTES = 400 * 2 ** 20;
/** What one packet of the sample is charged. */
const PACKET_BYTES = 2304;

interface Socket {
  readonly tcp: boolean;
  readonly queuedBytes: number;
  readonly drops: number;
  readonly inode: number;
  readonly pid: number;
  readonly fd: number;
  /** The last two bytes of 10.0.x.y. */
  readonly host: number;
  readonly port: number;
  /** Of the peer, for TCP. */
  readonly peerPort: number;
}

/** The `index`th of `count` sockets. */
function socketAt(index: number, count: number, pids: readonly number[]): Socket {
  const perOwner = Math.ceil(count / pids.length);
  const tcp = index % 10 === 9;
  const queued = tcp ? index % 1000 === 9 : index % 100 === 0;
  const share = Math.min(RCVBUF, QUEUED_BYTES / Math.ceil(count / 100));
  return {
    tcp,
    queuedBytes: queued ? Math.max(1, Math.floor(share / PACKET_BYTES)) * PACKET_BYTES : 0,
    drops: queued ? scatter(index, 1000) : 0,
    inode: 20_000_000 + index * 3 + scatter(index, 3),
    pid: pids[Math.floor(index / perOwner)] as number,
    fd: 3 + (index % perOwner),
    host: Math.floor(index / 60_000),
    port: 1024 + (index % 60_000),
    peerPort: 1024 + scatter(index, 60_000),
  };
}

const address = (host: number): string => `10.0.${host >> 8}.${host & 255}`;
const tableAddress = (host: number): string => `${hex(host & 255, 2)}${hex(host >> 8, 2)}000A`;
const pointer = (seed: number): string => hex(scatter(seed, 2 ** 32 - 1), 16).toLowerCase();

function ssLines({ tcp, queuedBytes, drops, inode, pid, fd, host, port, peerPort }: Socket): string {
  const local = `${address(host)}:${port}`.padStart(24);
  const peer = (tcp ? `10.1.0.1:${peerPort}` : "0.0.0.0:*").padStart(20);
  const head = `${tcp ? "tcp   ESTAB    " : "udp   UNCONN   "} ${String(queuedBytes).padEnd(7)} 0  ${local} ${peer}`;
  const owner = `users:(("friend_push",pid=${pid},fd=${fd})) ino:${inode} sk:${hex(inode & 0xfffff, 1).toLowerCase()}`;
  const skmem = `skmem:(r${queuedBytes},rb${RCVBUF},t0,tb212992,f${queuedBytes % PAGE},w0,o0,bl0,d${drops})`;
  const details = tcp
    ? ` ts sack bbr wscale:10,6 rto:204 rtt:0.${
      scatter(inode, 999)
    }/0.001 ato:40 mss:32768 pmtu:65535 rcvmss:65483 advmss:65483 cwnd:10 bytes_received:${
      scatter(port, 9_999_999)
    } segs_out:106 segs_in:188 data_segs_in:185 send 1310720000000bps lastsnd:${
      scatter(inode, 99_999)
    } lastrcv:20 lastack:20 pacing_rate 3745843200000bps delivered:1 app_limited rcv_rtt:1 rcv_space:654830 rcv_ssthresh:5213239 minrtt:0.002 snd_wnd:65536`
    : "";
  return `${head}        ${owner} cgroup:/ <->\n\t ${skmem}${details} \n`;
}

function tableLine(index: number, socket: Socket): string {
  const { tcp, queuedBytes, drops, inode, host, port, peerPort } = socket;
  const peer = tcp ? `0100010A:${hex(peerPort, 4)} 01` : "00000000:0000 07";
  const head = `${String(index).padStart(tcp ? 4 : 5)}: ${tableAddress(host)}:${hex(port, 4)} ${peer}`;
  const middle = `00000000:${hex(queuedBytes, 8)} 00:00000000 00000000     0        0 ${inode}`;
  const rest = tcp ? `1 ${pointer(inode)} 20 4 0 10 -1` : `2 ${pointer(inode)} ${drops}`;
  return `${`${head} ${middle} ${rest}`.padEnd(tcp ? 149 : 127)}\n`;
}

function* table(header: string, count: number, pids: readonly number[], tcp: boolean): Generator<string> {
  yield header;
  yield* inPieces(count, (index) => {
    const socket = socketAt(index, count, pids);
    return socket.tcp === tcp ? tableLine(index, socket) : "";
  });
}

const firstLine = (text: string): string => text.slice(0, text.indexOf("\n") + 1);

/** The entries of a bundle with `count` sockets, scaled from samples/friend-push.tgz. */
export async function* sockets(count: number): AsyncGenerator<Made> {
  const sample = await readSample("friend-push.tgz");
  const entries = firstSnapshot(sample);
  const put = (path: string, content: Extract<Made, { content: unknown }>["content"]) =>
    entries.set(path, { path, content });
  const pids = [...sample.keys()].flatMap((path) => /^proc\/(\d+)\/comm$/.exec(path)?.[1] ?? [])
    .filter((pid) => textOf(sample, `proc/${pid}/comm`) === "friend_push\n").map(Number).slice(0, 100);
  const at = (index: number): Socket => socketAt(index, count, pids);

  const ss = textOf(sample, "sos_commands/networking/ss_-peaonmi");
  const others = ss.slice(0, ss.indexOf("\nudp ") + 1);
  put("sos_commands/networking/ss_-peaonmi", function* () {
    yield others;
    yield* inPieces(count, (index) => ssLines(at(index)));
  });
  const [udp, tcp] = [textOf(sample, "proc/net/udp"), textOf(sample, "proc/net/tcp")];
  put("proc/net/udp", () => table(firstLine(udp), count, pids, false));
  put("proc/net/tcp", () => table(firstLine(tcp), count, pids, true));
  put("sos_commands/process/socket_owners", () =>
    inPieces(count, (index) => {
      const { queuedBytes, pid, fd, inode } = at(index);
      return queuedBytes === 0 ? "" : `/proc/${pid}/fd/${fd} -> socket:[${inode}]\n`;
    }));

  const pages = { udp: 0, tcp: 0 };
  for (let index = 0; index < count; index++) {
    const { tcp: isTcp, queuedBytes } = at(index);
    pages[isTcp ? "tcp" : "udp"] += Math.ceil(queuedBytes / PAGE);
  }
  const tcps = Math.floor(count / 10);
  const sockstat = textOf(sample, "proc/net/sockstat")
    .replace(/^sockets: used \d+/m, `sockets: used ${count + 27}`)
    .replace(/^TCP: .*$/m, `TCP: inuse ${tcps} orphan 0 tw 0 alloc ${tcps} mem ${pages.tcp}`)
    .replace(/^UDP: .*$/m, `UDP: inuse ${count - tcps} mem ${pages.udp}`);
  put("proc/net/sockstat", sockstat);
  yield* entries.values();
}
