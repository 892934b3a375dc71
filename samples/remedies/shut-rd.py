# No remedy, though it looks like one: the kernel goes on queueing, and what is queued stays.
import errno
import socket


def shut_rd(sock):
    try:
        sock.shutdown(socket.SHUT_RD)
    except OSError as error:
        if error.errno != errno.ENOTCONN:  # said of an unconnected UDP socket, which is marked all the same
            raise
