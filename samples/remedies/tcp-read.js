// Reads what comes on a socket of node:net, from now on: a socket without a "data" listener, or paused, is not read.
export function tcpRead(socket) {
  socket.on("data", () => {});
  socket.resume();
}
