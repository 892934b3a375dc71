# Ends a connection at once and drops what was to be sent: an ordinary close() leaves it to the kernel, which goes on trying.
import socket
import struct


def tcp_reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
