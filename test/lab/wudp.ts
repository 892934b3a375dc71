/**
 * `npm run bench:wudp`: what became of the replies of the original story, by what the sender's sockets are. A hundred sockets send requests and
 * are answered with 1,400 bytes each; nobody reads. First processes in C (friend_push), then one in Node that is too busy to read. In a network
 * namespace of its own, so that every socket of it is one of ours.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { table } from "table";
import { formatBytes } from "../../src/core/format.ts";
import { withFault } from "./lab.ts";

const run = promisify(execFile);
const SENDERS = 100;
const PACKETS_PER_SECOND = 50;
const SECONDS = 4;
/** Of the sender in Node: 256 replies of 1,400 bytes are charged 0.6 MB of the 2 MB that a plain socket may keep. */
const BURST = 256;

interface Row {
  readonly sender: string;
  readonly queuedBytes: number;
  readonly takenBytes: number;
  readonly cpuSecondsPer100k: number;
}

const availableBytes = (): number =>
  Number(/^MemAvailable: +(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;

/** All that waits in this namespace's UDP sockets, without the answering server's. */
function queuedBytes(serverPort?: number): number {
  const rows = readFileSync("/proc/net/udp", "utf8").trim().split("\n").slice(1).map((line) =>
    line.trim().split(/\s+/)
  );
  const others = rows.filter(([, local]) => parseInt(local?.split(":")[1] ?? "", 16) !== serverPort);
  return others.reduce((sum, fields) => sum + parseInt(fields[4]?.split(":")[1] ?? "", 16), 0);
}

/** Of the fault's senders, by the scheduler's own clock: a sender needs less than a tick. */
function cpuSecondsOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  const senders = children.filter((child) => readFileSync(`/proc/${child}/comm`, "utf8") === "friend_push\n");
  return senders.reduce(
    (sum, child) => sum + Number(readFileSync(`/proc/${child}/schedstat`, "utf8").split(" ")[0]),
    0,
  ) / 1e9;
}

/** Every request is answered, and both are sent in this namespace. */
function requestsSent(): number {
  const [, values] = readFileSync("/proc/net/snmp", "utf8").split("\n").filter((line) => line.startsWith("Udp:"));
  return Number(values?.split(" ")[4]) / 2;
}

async function sendersInC(mode: string): Promise<Row> {
  const before = availableBytes();
  const args = { mode, clients: SENDERS, rate: PACKETS_PER_SECOND };
  return await withFault("friend_push", args, async ({ pid }) => {
    const start = { cpu: cpuSecondsOf(pid), sent: requestsSent() };
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    const sent = requestsSent() - start.sent;
    return {
      sender: `C, ${mode}`,
      queuedBytes: queuedBytes(),
      takenBytes: before - availableBytes(),
      cpuSecondsPer100k: (cpuSecondsOf(pid) - start.cpu) / sent * 1e5,
    };
  });
}

async function sendersInNode(kind: "plain" | "write-only"): Promise<Row> {
  return await withFault("udp_echo", {}, async ({ heldBytes: port }) => {
    const program = fileURLToPath(new URL("wudp_sender.js", import.meta.url));
    const child = spawn("node", [program, kind, String(port), String(SENDERS), String(BURST)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const gone = once(child, "close");
    const before = availableBytes();
    const row: { queuedBytes?: number; takenBytes?: number; cost?: { sent: number; cpuSeconds: number } } = {};
    for await (const line of createInterface(child.stdout)) {
      if (line === "busy") {
        row.queuedBytes = queuedBytes(port);
        row.takenBytes = before - availableBytes();
        child.stdin.write("on\n");
      } else row.cost = JSON.parse(line);
    }
    const [code] = await gone;
    const { queuedBytes: queued, takenBytes, cost } = row;
    if (code !== 0 || queued === undefined || takenBytes === undefined || cost === undefined) {
      throw new Error(`wudp_sender.js ended with ${code} before it had sent everything`);
    }
    const cpuSecondsPer100k = cost.cpuSeconds / cost.sent * 1e5;
    return { sender: `Node, ${kind}, busy`, queuedBytes: queued, takenBytes, cpuSecondsPer100k };
  });
}

await run("ip", ["link", "set", "lo", "up"]);
const rows: Row[] = [];
for (const mode of ["plain", "wudp", "filter", "read"]) rows.push(await sendersInC(mode));
for (const kind of ["plain", "write-only"] as const) rows.push(await sendersInNode(kind));
console.log(table([
  [`${SENDERS} sockets`, "in receive queues", "taken of MemAvailable", "CPU for 100,000 requests"],
  ...rows.map((row) => [
    row.sender,
    formatBytes(row.queuedBytes),
    formatBytes(row.takenBytes),
    `${row.cpuSecondsPer100k.toFixed(2)} s`,
  ]),
]));
process.exit();
