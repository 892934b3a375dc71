# Reads what waits in a TCP socket. Whenever select says that there is something: new data fill it again.
import socket


def tcp_read(sock):
    try:
        while sock.recv(65536, socket.MSG_DONTWAIT):
            pass
    except BlockingIOError:
        pass  # the queue is empty
