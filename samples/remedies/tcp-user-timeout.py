# The kernel ends a connection whose peer takes nothing for that long, be it silent or its window closed, and frees what was to
# be sent. send() then fails with ETIMEDOUT: close it. Helps when the data are waiting already, too.
import socket


def tcp_user_timeout(sock, milliseconds):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
