import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { afterEach, describe, expect, it } from "vitest";
import { createWriteOnlySocket, WriteOnlyError } from "../../src/host/node_wudp.ts";

const open: Socket[] = [];
afterEach(() => open.splice(0).forEach((socket) => socket.close()));

async function bound<T extends Socket>(socket: T): Promise<T> {
  open.push(socket);
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** The bytes queued on a socket and the packets it dropped, as the kernel says. */
function queueOf(socket: Socket): { queued: number; drops: number } {
  const port = socket.address().port.toString(16).toUpperCase().padStart(4, "0");
  const line = readFileSync("/proc/net/udp", "utf8").split("\n").find((each) =>
    each.includes(`:${port} 00000000:0000`)
  );
  const fields = (line as string).trim().split(/\s+/);
  return { queued: parseInt((fields[4] as string).split(":")[1] as string, 16), drops: Number(fields.at(-1)) };
}

/** Sends packets and then keeps this process, which is also the reader, so busy that it cannot read. */
async function floodWhileBusy(to: Socket, packets: number): Promise<void> {
  const sender = await bound(createSocket("udp4"));
  const { port } = to.address();
  // send() of node:dgram hands the packet to the kernel at once when the address is not looked up.
  for (let i = 0; i < packets; i++) sender.send(new Uint8Array(1000), port, "127.0.0.1");
  await new Promise((done) => sender.send(new Uint8Array(1000), port, "127.0.0.1", done));
}

describe.skipIf(process.platform !== "linux")("createWriteOnlySocket() (Linux)", () => {
  it("has the smallest buffer of the kernel, and keeps at most a packet or two", async () => {
    const socket = await bound(createWriteOnlySocket("udp4"));
    expect(socket.receiveBufferBytes).toBe(2304);
    await floodWhileBusy(socket, 500);
    const { queued, drops } = queueOf(socket);
    expect(queued).toBeLessThanOrEqual(2 * 2304);
    expect(drops).toBeGreaterThan(400);
    expect(drops + socket.discarded.packets + queued / 1000).toBeGreaterThan(499);
  });

  it("keeps what an ordinary socket would", async () => {
    const socket = await bound(createSocket("udp4"));
    const before = queueOf(socket).drops;
    await floodWhileBusy(socket, 50);
    expect(queueOf(socket).drops).toBe(before);
  });

  it("sends, connected or not, without being bound by hand", async () => {
    const server = await bound(createSocket("udp4"));
    const got: string[] = [];
    server.on("message", (message, { port }) => {
      got.push(message.toString());
      server.send("reply", port, "127.0.0.1");
    });
    const { port } = server.address();
    const plain = createWriteOnlySocket("udp4");
    const connected = createWriteOnlySocket("udp4");
    open.push(plain, connected);
    expect(plain.receiveBufferBytes).toBeUndefined();
    await new Promise((sent) => plain.send("plain", port, "127.0.0.1", sent));
    expect(plain.receiveBufferBytes).toBe(2304);
    connected.connect(port, "127.0.0.1");
    await once(connected, "connect");
    await new Promise((sent) => connected.send("connected", sent));
    await expect.poll(() => got.toSorted()).toEqual(["connected", "plain"]);
    await expect.poll(() => plain.discarded).toEqual({ packets: 1, bytes: 5 });
  });

  it.each(["on", "once", "addListener", "prependListener", "prependOnceListener"] as const)(
    "refuses to be read by %s()",
    (method) => {
      const socket = createWriteOnlySocket("udp4");
      open.push(socket);
      expect(() => socket[method]("message", () => {})).toThrow(WriteOnlyError);
      expect(() => socket[method]("error", () => {})).not.toThrow();
      expect(socket.listenerCount("message")).toBe(1);
    },
  );

  it("refuses to be read by an iterator of events", async () => {
    const socket = createWriteOnlySocket("udp4");
    open.push(socket);
    await expect(once(socket, "message")).rejects.toThrow("is write-only");
  });
});
