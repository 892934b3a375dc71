// Ends a connection at once and drops what was to be sent: an ordinary close leaves it to the kernel, which goes on trying.
use std::ffi::{c_int, c_void};
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::ptr::addr_of;

const SOL_SOCKET: c_int = 1; // x86, ARM and most others
const SO_LINGER: c_int = 13;

extern "C" {
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, length: u32)
        -> c_int;
}

pub fn tcp_reset(socket: TcpStream) -> io::Result<()> {
    let at_once: [c_int; 2] = [1, 0];
    let value = addr_of!(at_once).cast();
    // SAFETY: the kernel reads the numbers before it returns.
    match unsafe { setsockopt(socket.as_raw_fd(), SOL_SOCKET, SO_LINGER, value, 8) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
