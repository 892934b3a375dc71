# Drop-all filter, for a UDP socket that only sends: the kernel throws away what comes before it is queued. Right after
# socket(): it does not empty a queue that is full (udp-drain does).
import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26  # x86, ARM and most others


def udp_filter(sock):
    # BPF_RET | BPF_K: keep 0 bytes
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(drop))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
