// Closes a socket that nobody wants any more (node:dgram, node:net): what nobody read goes at once. What TCP has not sent yet
// stays (see tcp-reset).
export function socketClose(socket) {
  if (socket.destroy === undefined) socket.close();
  else socket.destroy();
}
