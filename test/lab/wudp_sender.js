/**
 * `node wudp_sender.js plain|write-only PORT SOCKETS BURST`: the friend_push of test/lab in Node. Its sockets send BURST requests each, then the
 * process is busy and reads nothing; it prints "busy", and goes on at a line on its standard input. Then it sends for three seconds more, and
 * prints the requests it sent in them and the CPU time, as JSON.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readSync } from "node:fs";
import { createWriteOnlySocket } from "../../dist/wudp.js";

const [kind, ...numbers] = process.argv.slice(2);
const [port, count, burst] = numbers.map(Number);
const RECEIVE_BUFFER_BYTES = 2 * 2 ** 20;
const SECONDS = 3;

function create() {
  if (kind === "write-only") return createWriteOnlySocket("udp4");
  const socket = createSocket({ type: "udp4", recvBufferSize: RECEIVE_BUFFER_BYTES });
  return socket.on("message", () => {});
}

const sockets = Array.from({ length: count }, create);
for (const socket of sockets) {
  // send() of a connected socket hands the packet to the kernel at once, and not after a look-up.
  socket.connect(port, "127.0.0.1");
  await once(socket, "connect");
}
const request = new TextEncoder().encode("push");
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The answers of a whole burst come while nobody is back in the event loop to read them.
const waiter = new Int32Array(new SharedArrayBuffer(4));
for (let i = 0; i < burst; i++) {
  for (const socket of sockets) socket.send(request);
  Atomics.wait(waiter, 0, 0, 5);
}
console.log("busy");
readSync(0, new Uint8Array(16));

const before = process.cpuUsage();
let sent = 0;
for (const end = performance.now() + SECONDS * 1000; performance.now() < end; await sleep(10)) {
  for (const socket of sockets) socket.send(request);
  sent += sockets.length;
}
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ sent, cpuSeconds: (user + system) / 1e6 }));
sockets.forEach((socket) => socket.close());
