// The kernel ends a connection whose peer takes nothing for that long, be it silent or its window closed, and frees what was to
// be sent. A write then fails with ErrorKind::TimedOut: close it. Helps when the data are waiting already, too.
use std::ffi::{c_int, c_uint, c_void};
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::ptr::addr_of;

const IPPROTO_TCP: c_int = 6;
const TCP_USER_TIMEOUT: c_int = 18;

extern "C" {
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, length: u32)
        -> c_int;
}

pub fn tcp_user_timeout(socket: &TcpStream, milliseconds: c_uint) -> io::Result<()> {
    let value = addr_of!(milliseconds).cast();
    // SAFETY: the kernel reads the number before it returns.
    match unsafe { setsockopt(socket.as_raw_fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, value, 4) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
