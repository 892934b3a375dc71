// Ends a connection of node:net at once and drops what was to be sent: an ordinary end() or destroy() leaves it to the kernel, which
// goes on trying.
export function tcpReset(socket) {
  socket.resetAndDestroy();
}
