# Closes a socket that nobody wants any more: what nobody read goes at once. What TCP has not sent yet stays (see tcp-reset).
def socket_close(sock):
    sock.close()
