// The smallest receive buffer: a write-only UDP socket (WUDP). Right after bind(): it does not empty a queue that is full, and an
// empty queue always admits one packet, however large.
use std::ffi::{c_int, c_void};
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr::addr_of;

const SOL_SOCKET: c_int = 1; // x86, ARM and most others
const SO_RCVBUF: c_int = 8;

extern "C" {
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, length: u32)
        -> c_int;
}

pub fn udp_small_buffer(socket: &UdpSocket) -> io::Result<()> {
    let none: c_int = 0; // the kernel makes it its least, 2,304 bytes
    let value = addr_of!(none).cast();
    // SAFETY: the kernel reads the number before it returns.
    match unsafe { setsockopt(socket.as_raw_fd(), SOL_SOCKET, SO_RCVBUF, value, 4) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
