// Node cannot set TCP_USER_TIMEOUT. Its own timer does the same for a socket of node:net: it fires when nothing was sent or received
// for that long, and the reset frees what was to be sent.
export function tcpUserTimeout(socket, milliseconds) {
  socket.setTimeout(milliseconds, () => socket.resetAndDestroy());
}
