/**
 * Tries a remedy of samples/remedies on a real queue: a program in its language (owner.c, owner.py, ...) opens sockets that it does not
 * read, this one sends, and the kernel says what is queued, before the remedy and after it.
 */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RemedyTrial } from "../../../src/core/remedy.ts";

/** Where the queue is: at a UDP socket, at a TCP receiver, at a TCP sender. */
export type QueueKind = "udp" | "tcp-recv" | "tcp-send";

export interface RemedyUse {
  readonly remedy: string;
  /** Arguments besides the socket. */
  readonly args: readonly number[];
  /** Also tried from the start, before anything is queued; not what works on a queue only. */
  readonly fromStart: boolean;
}

export interface Experiment {
  readonly cause: string;
  readonly kind: QueueKind;
  /** How long a remedy is given to take effect. */
  readonly waitMs: number;
  readonly uses: readonly RemedyUse[];
}

const use = (remedy: string, fromStart: boolean, ...args: number[]): RemedyUse => ({ remedy, args, fromStart });

/** A TCP timeout of a second takes effect with the next probe after it. */
export const experiments: readonly Experiment[] = [
  {
    cause: "socket-backlog-udp",
    kind: "udp",
    waitMs: 300,
    uses: [
      use("udp-filter", true),
      use("udp-small-buffer", true),
      use("udp-drain", false),
      use("socket-close", false),
      use("shut-rd", true),
    ],
  },
  {
    cause: "socket-backlog-tcp-recv",
    kind: "tcp-recv",
    waitMs: 500,
    uses: [use("tcp-read", false), use("socket-close", false), use("tcp-small-buffer", true), use("shut-rd", true)],
  },
  {
    cause: "socket-backlog-tcp-send",
    kind: "tcp-send",
    waitMs: 8000,
    uses: [
      use("tcp-user-timeout", true, 1000),
      use("tcp-reset", false),
      use("socket-close", false),
      use("tcp-keepalive", true, 1),
    ],
  },
];

const run = promisify(execFile);
const owners = fileURLToPath(new URL(".", import.meta.url));
export const programsFolder: string = fileURLToPath(new URL("../../../samples/remedies/", import.meta.url));
const DATAGRAM_BYTES = 1400;
/** A queue of 8 MiB takes 3,640 of them. */
const DATAGRAMS = 4500;
const AT_ONCE = 100;
const CHUNK = new Uint8Array(65_536);
/** A reader that reads all of it would be sent data for ever. */
const MOST_CHUNKS = 500;
const STUCK_MS = 300;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What a program does with each command is over when it has answered. */
class Owner {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterableIterator<string>;

  readonly #folder: string | undefined;

  /** @param folder Is removed at the end. */
  constructor(command: string, args: readonly string[], folder?: string) {
    this.#folder = folder;
    this.#child = spawn(command, args);
    this.#child.stderr.on("data", (chunk) => this.#errors += chunk);
    this.#child.stdin.on("error", () => {}); // it may be gone; then it does not answer
    this.#lines = (createInterface(this.#child.stdout) as Interface)[Symbol.asyncIterator]();
  }

  #errors = "";

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#child.spawnargs.join(" ")} ended: ${this.#errors}`);
    return value;
  }

  async do(command: "remedy" | "load"): Promise<void> {
    this.#child.stdin.write(`${command}\n`);
    await this.line();
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null) {
      const gone = once(this.#child, "close");
      this.#child.kill("SIGKILL");
      await gone;
    }
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true });
  }
}

/** What a program in Rust is given to keep, which gets the socket for good. */
const CLOSING = ["socket-close", "tcp-reset"];

async function startRust(path: string, { kind }: Experiment, { remedy, args }: RemedyUse, rest: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "nailhouse-remedy-"));
  const socket = CLOSING.includes(remedy) ? "socket.take().unwrap()" : "socket.as_ref().unwrap()";
  const call = `program::${remedy.replaceAll("-", "_")}(${[socket, ...args].join(", ")})`;
  const source = join(folder, "main.rs");
  await writeFile(
    source,
    [
      `#[path = "${path}"]`,
      "mod program;",
      `include!("${owners}owner.rs");`,
      `type Socket = std::net::${kind === "udp" ? "UdpSocket" : "TcpStream"};`,
      "fn remedy(socket: &mut Option<Socket>) {",
      remedy === "socket-close" ? `${call};` : `${call}.unwrap();`,
      "}",
    ].join("\n"),
  );
  await run("rustc", ["--edition", "2021", "-D", "warnings", "--out-dir", folder, source]);
  return new Owner(join(folder, "main"), rest, folder);
}

async function startJava(path: string, { remedy, args }: RemedyUse, rest: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "nailhouse-remedy-"));
  await run("javac", ["-Xlint:all", "-Werror", "-d", folder, path, `${owners}owner.java`]);
  const method = camelCase(remedy);
  const className = `${method.slice(0, 1).toUpperCase()}${method.slice(1)}`;
  // Small, and its sockets in /proc/net/udp and tcp, not in those of IPv6.
  const options = ["-Xmx64m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", "-cp", folder];
  return new Owner("java", [...options, "Owner", className, method, JSON.stringify(args), ...rest], folder);
}

const camelCase = (name: string): string => name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());

async function start(file: string, experiment: Experiment, use: RemedyUse, count: number, port: number) {
  const { kind } = experiment;
  const { remedy, args } = use;
  const rest = [kind, String(count), String(port)];
  const path = `${programsFolder}${file}`;
  const [language] = file.split(".").slice(-1);
  if (language === "rs") return await startRust(path, experiment, use, rest);
  if (language === "java") return await startJava(path, use, rest);
  if (language === "c") {
    const name = remedy.replaceAll("-", "_");
    const binary = `/tmp/nailhouse-remedy-${process.pid}-${kind}-${name}`;
    const call = `${name}(${["fd", ...args].join(", ")})`;
    const defines = [`-DREMEDY_FILE="${path}"`, `-DREMEDY_CALL=${call}`];
    await run("gcc", ["-O2", "-Wall", "-Werror", "-o", binary, ...defines, `${owners}owner.c`]);
    return new Owner("sh", ["-c", 'exec 3<"$0"; rm "$0"; exec /proc/self/fd/3 "$@"', binary, ...rest]);
  }
  const json = JSON.stringify(args);
  if (language === "py") {
    return new Owner("python3", [`${owners}owner.py`, path, remedy.replaceAll("-", "_"), json, ...rest]);
  }
  return new Owner("node", [`${owners}owner.js`, path, camelCase(remedy), json, ...rest]);
}

async function sendDatagrams(ports: readonly number[]): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("error", () => {}); // "connection refused", once the remedy has closed the receiver
  const datagram = new Uint8Array(DATAGRAM_BYTES);
  for (const port of ports) {
    for (let sent = 0; sent < DATAGRAMS; sent += AT_ONCE) {
      await Promise.all(
        Array.from(
          { length: AT_ONCE },
          () => new Promise<void>((done) => socket.send(datagram, port, "127.0.0.1", () => done())),
        ),
      );
    }
  }
  socket.close();
}

/** Writes until the connection takes no more. */
async function pump(socket: Socket): Promise<void> {
  for (let chunk = 0; chunk < MOST_CHUNKS && !socket.destroyed; chunk++) {
    if (socket.writableNeedDrain) {
      const drained = await Promise.race([once(socket, "drain").then(() => true, () => false), sleep(STUCK_MS)]);
      if (drained !== true) return;
    }
    socket.write(CHUNK);
  }
}

/** The other end of what the owner does not read, or sends. */
class Peer {
  readonly #sockets: Socket[] = [];
  #server: Server | undefined;

  async listen(): Promise<number> {
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#add(socket));
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  async connect(port: number, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const socket = connect(port, "127.0.0.1");
      this.#add(socket);
      await once(socket, "connect");
      socket.pause();
    }
  }

  #add(socket: Socket): void {
    socket.on("error", () => {}); // the remedy may reset it
    this.#sockets.push(socket);
  }

  async pump(): Promise<void> {
    await Promise.all(this.#sockets.map(pump));
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
  }
}

/** In the queues of these local ports, as /proc/net/udp (charged memory) and /proc/net/tcp (payload) count it. */
async function queuedBytes(kind: QueueKind, ports: ReadonlySet<number>): Promise<number> {
  const text = await readFile(`/proc/net/${kind === "udp" ? "udp" : "tcp"}`, "utf8");
  let bytes = 0;
  for (const [, local, , state, queues] of text.trim().split("\n").slice(1).map((line) => line.trim().split(/\s+/))) {
    const isListening = kind !== "udp" && state === "0A";
    if (isListening || !ports.has(parseInt(local?.split(":")[1] ?? "", 16))) continue;
    bytes += parseInt(queues?.split(":")[kind === "tcp-send" ? 0 : 1] ?? "", 16);
  }
  return bytes;
}

/** An owner with its peer, its load, and a look at its queues. */
async function withOwner<T>(
  file: string,
  experiment: Experiment,
  use: RemedyUse,
  count: number,
  work: (owner: Owner, load: () => Promise<void>, held: (atMost: number) => Promise<number>) => Promise<T>,
): Promise<T> {
  const { kind, waitMs } = experiment;
  const peer = new Peer();
  const owner = await start(file, experiment, use, count, kind === "tcp-send" ? await peer.listen() : 0);
  try {
    const ports = (await owner.line()).trim().split(" ").map(Number);
    if (kind === "tcp-recv") await peer.connect(ports[0] as number, count);
    const load = async () => {
      if (kind === "udp") await sendDatagrams(ports);
      else if (kind === "tcp-recv") await peer.pump();
      else await owner.do("load");
      await sleep(STUCK_MS);
    };
    // Timers need their time, and others act at once.
    const held = async (atMost: number) => {
      const end = Date.now() + waitMs;
      for (;;) {
        const bytes = await queuedBytes(kind, new Set(ports));
        if (bytes <= atMost || Date.now() >= end) return bytes;
        await sleep(100);
      }
    };
    return await work(owner, load, held);
  } finally {
    peer.end();
    await owner.end();
  }
}

/** Tries one program on one kind of queue, with `count` sockets. */
export async function tryRemedy(
  file: string,
  experiment: Experiment,
  use: RemedyUse,
  count: number,
): Promise<Omit<RemedyTrial, "cause" | "kernel" | "date">> {
  const late = await withOwner(file, experiment, use, count, async (owner, load, held) => {
    await load();
    const beforeBytes = await held(Infinity);
    await owner.do("remedy");
    const afterBytes = await held(beforeBytes / 100);
    await load();
    return { beforeBytes, afterBytes, refilledBytes: await held(beforeBytes / 100) };
  });
  if (!use.fromStart) return late;
  const fromStartBytes = await withOwner(file, experiment, use, count, async (owner, load, held) => {
    await owner.do("remedy");
    await load();
    return await held(late.beforeBytes / 100);
  });
  return { ...late, fromStartBytes };
}
