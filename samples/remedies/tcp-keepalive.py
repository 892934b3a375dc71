# Finds connections whose peer is gone while nothing is to be sent. No remedy for data that wait: a peer that is there but does
# not read answers the probes (see tcp-user-timeout).
import socket


def tcp_keepalive(sock, seconds):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
