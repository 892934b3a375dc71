# The smallest receive buffer: a write-only UDP socket (WUDP). Right after socket(): it does not empty a queue that is full, and an
# empty queue always admits one packet, however large.
import socket


def udp_small_buffer(sock):
    # The kernel makes it its least, 2,304 bytes.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
