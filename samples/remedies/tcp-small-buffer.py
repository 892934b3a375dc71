# The smallest receive buffer, where TCP data are not wanted. Right after accept(), or before listen(): it does not empty a queue
# that is full.
import socket


def tcp_small_buffer(sock):
    # The kernel makes it its least, 2,304 bytes.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
