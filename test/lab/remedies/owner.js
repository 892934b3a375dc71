/**
 * The program that a remedy is tried in, as owner.c: owner.js FILE FUNCTION ARGUMENTS KIND COUNT PORT. With UDP it is too busy to let Node
 * read: it waits for its commands without turning the event loop.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readSync } from "node:fs";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [file, name, argumentsJson, kind, count, port] = process.argv.slice(2);
const { [name]: remedy } = await import(pathToFileURL(file).href);
const BUFFER_BYTES = 4 << 20;
const LOAD_BYTES = 16 << 20;

async function bound() {
  const socket = createSocket({ type: "udp4", recvBufferSize: BUFFER_BYTES });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

async function connected() {
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => {}); // the remedy may end it
  await once(socket, "connect");
  return socket;
}

async function accepted() {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  console.log(server.address().port);
  const sockets = [];
  while (sockets.length < Number(count)) sockets.push((await once(server, "connection"))[0]);
  for (const socket of sockets) socket.on("error", () => {});
  return sockets;
}

/** The next byte of standard input; Deno's end of it does not block. */
function readByte() {
  const byte = new Uint8Array(1);
  for (;;) {
    try {
      return readSync(0, byte) === 0 ? undefined : String.fromCharCode(byte[0]);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function* linesWhileBusy() {
  let line = "";
  for (let byte = readByte(); byte !== undefined; byte = readByte()) {
    if (byte !== "\n") line += byte;
    else {
      yield line;
      line = "";
    }
  }
}

let sockets;
if (kind === "tcp-recv") sockets = await accepted();
else {
  sockets = [];
  for (let i = 0; i < Number(count); i++) sockets.push(await (kind === "udp" ? bound() : connected()));
  console.log(sockets.map((socket) => (kind === "udp" ? socket.address().port : socket.localPort)).join(" "));
}
for await (const line of kind === "udp" ? linesWhileBusy() : createInterface(process.stdin)) {
  for (const socket of sockets) {
    if (line === "remedy") await remedy(socket, ...JSON.parse(argumentsJson));
    else if (line === "load" && !socket.destroyed) socket.write(Buffer.alloc(LOAD_BYTES));
  }
  console.log(line);
}
process.exit();
