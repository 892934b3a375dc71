"""The program that a remedy is tried in, as owner.c: owner.py FILE FUNCTION ARGUMENTS KIND COUNT PORT."""
import importlib.util
import json
import socket
import sys

file, function, arguments, kind, count, port = sys.argv[1:]
spec = importlib.util.spec_from_file_location("remedy", file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
remedy, arguments, count = getattr(module, function), json.loads(arguments), int(count)
BUFFER_BYTES = 4 << 20


def opened(type, option):
    sock = socket.socket(socket.AF_INET, type)
    sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    return sock


def bound(type):
    sock = opened(type, socket.SO_RCVBUF)
    sock.bind(("127.0.0.1", 0))
    return sock


def connected():
    sock = opened(socket.SOCK_STREAM, socket.SO_SNDBUF)
    sock.connect(("127.0.0.1", int(port)))
    return sock


def load(sock):
    try:
        while sock.send(bytes(65536), socket.MSG_DONTWAIT):
            pass
    except OSError:
        pass  # full, or closed by the remedy


if kind == "tcp-recv":
    listener = bound(socket.SOCK_STREAM)
    listener.listen(count)
    print(listener.getsockname()[1], flush=True)
    sockets = [listener.accept()[0] for _ in range(count)]
else:
    sockets = [bound(socket.SOCK_DGRAM) if kind == "udp" else connected() for _ in range(count)]
    print(*(sock.getsockname()[1] for sock in sockets), flush=True)
for line in sys.stdin:
    for sock in sockets:
        if line == "remedy\n":
            remedy(sock, *arguments)
        elif line == "load\n":
            load(sock)
    print(line, end="", flush=True)
