// Closes a socket that nobody wants any more: what nobody read goes at once. What TCP has not sent yet stays (see tcp-reset).
use std::os::fd::OwnedFd;

pub fn socket_close(socket: impl Into<OwnedFd>) {
    drop(socket.into());
}
