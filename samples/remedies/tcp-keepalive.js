// Finds connections whose peer is gone while nothing is to be sent (node:net). No remedy for data that wait: a peer that is there but
// does not read answers the probes (see tcp-user-timeout).
export function tcpKeepalive(socket, seconds) {
  socket.setKeepAlive(true, seconds * 1000);
}
