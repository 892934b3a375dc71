// Drop-all filter, for a UDP socket that only sends: the kernel throws away what comes before it is queued. Right after
// bind(): it does not empty a queue that is full (udp-drain does).
use std::ffi::{c_int, c_void};
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr::addr_of;

const SOL_SOCKET: c_int = 1; // x86, ARM and most others
const SO_ATTACH_FILTER: c_int = 26;

#[repr(C)]
struct Instruction(u16, u8, u8, u32);

#[repr(C)]
struct Program(u16, *const Instruction);

extern "C" {
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, length: u32)
        -> c_int;
}

pub fn udp_filter(socket: &UdpSocket) -> io::Result<()> {
    let drop = Instruction(6, 0, 0, 0); // BPF_RET | BPF_K: keep 0 bytes
    let program = Program(1, &drop);
    let value = addr_of!(program).cast();
    let length = std::mem::size_of::<Program>() as u32;
    let fd = socket.as_raw_fd();
    // SAFETY: the kernel copies the program before it returns.
    match unsafe { setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, value, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
