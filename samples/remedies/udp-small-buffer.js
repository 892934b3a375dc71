// The smallest receive buffer: a write-only socket (WUDP) of node:dgram. When it is bound; nailhouse/wudp does so by itself. It does
// not empty a queue that is full, and an empty queue always admits one packet, however large. Deno 2.9 cannot set it.
export function udpSmallBuffer(socket) {
  // 0 would mean "leave it"; the kernel makes it its least, 2,304 bytes.
  socket.setRecvBufferSize(1);
}
