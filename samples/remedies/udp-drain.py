# Throws away what waits in a UDP socket, without copying it. After each send, or now and then: new replies fill it again.
import socket


def udp_drain(sock):
    nothing = bytearray(1)
    try:
        while True:
            sock.recv_into(nothing, 1, socket.MSG_DONTWAIT | socket.MSG_TRUNC)
    except BlockingIOError:
        pass  # the queue is empty
