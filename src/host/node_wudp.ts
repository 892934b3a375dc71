/**
 * Write-only UDP (WUDP), for a program that sends and never reads: what comes back is thrown away, by the kernel where it can be told to, and
 * never waits in a receive queue. In place of `createSocket` of `node:dgram`:
 *
 * @example
 * ```ts
 * import { createWriteOnlySocket } from "nailhouse/wudp";
 *
 * const socket = createWriteOnlySocket("udp4");
 * socket.on("error", (error) => console.error(error));
 * await new Promise((sent) => socket.send("hello", 9, "127.0.0.1", sent));
 * socket.close();
 * ```
 *
 * @module
 */
import { createSocket, type Socket, type SocketType } from "node:dgram";

/** The kernel raises what is asked for to its least (2,304 bytes on Linux). 0 would mean "leave it as it is" to Node. */
const SMALLEST_BUFFER_BYTES = 1;
/** No socket of Linux has less (SOCK_MIN_RCVBUF is more on every architecture): a runtime that says so did not ask the kernel. */
const LEAST_OF_ANY_KERNEL_BYTES = 2048;

/** Somebody tried to read from a socket that keeps nothing. */
export class WriteOnlyError extends Error {
  override readonly name = "WriteOnlyError";
}

/** What came although nobody reads it, and was thrown away by this process. What the kernel dropped is not in it. */
export interface Discarded {
  readonly packets: number;
  readonly bytes: number;
}

/** A socket of `node:dgram`, of which nothing can be read. */
export interface WriteOnlySocket extends Socket {
  readonly discarded: Discarded;
  /**
   * The receive buffer that the kernel has given it: 2,304 bytes on Linux. Known when it is bound, which the first `send` does; undefined
   * until then, and on a runtime that cannot set it (Deno 2.9), which reads and throws away all that comes.
   */
  readonly receiveBufferBytes: number | undefined;
}

/**
 * Makes a UDP socket with the smallest receive buffer, that throws away what it receives. `send`, `bind`, `connect`, `close` and all events but
 * `message` are those of `node:dgram`. An empty queue always admits one packet, however large: that one may wait until the process is idle.
 *
 * @example
 * ```ts
 * import { createWriteOnlySocket, WriteOnlyError } from "nailhouse/wudp";
 * import { throws } from "node:assert";
 *
 * const socket = createWriteOnlySocket("udp4");
 * throws(() => socket.on("message", () => {}), WriteOnlyError);
 * socket.close();
 * ```
 *
 * @param type `udp4` or `udp6`.
 * @throws {WriteOnlyError} Not here, but from `on("message")` and its like: replies that are wanted need an ordinary socket.
 */
export function createWriteOnlySocket(type: SocketType): WriteOnlySocket {
  const socket = createSocket({ type, recvBufferSize: SMALLEST_BUFFER_BYTES });
  const discarded = { packets: 0, bytes: 0 };
  let receiveBufferBytes: number | undefined;
  socket.on("message", (message) => {
    discarded.packets++;
    discarded.bytes += message.length;
  });
  socket.on("listening", () => {
    const bytes = socket.getRecvBufferSize();
    if (bytes >= LEAST_OF_ANY_KERNEL_BYTES) receiveBufferBytes = bytes;
  });
  // Emitted before a listener is added, whichever way: what is thrown here goes to the one who adds it.
  socket.on("newListener", (event) => {
    if (event !== "message") return;
    throw new WriteOnlyError(
      "This UDP socket is write-only: replies are thrown away. To read them, use createSocket of node:dgram, and read them all",
    );
  });
  return Object.defineProperties(socket, {
    discarded: { value: discarded, enumerable: true },
    receiveBufferBytes: { get: () => receiveBufferBytes, enumerable: true },
  }) as WriteOnlySocket;
}
