// Throws away what waits in a socket of node:dgram. Node reads only while its event loop turns, so a program that is busy for long
// must let it turn: after each round of work, because new replies fill the queue again.
import { setImmediate } from "node:timers/promises";

export async function udpDrain(socket) {
  let received;
  const note = () => received = true;
  socket.on("message", note);
  do {
    received = false;
    await setImmediate();
  } while (received);
  socket.off("message", note);
}
