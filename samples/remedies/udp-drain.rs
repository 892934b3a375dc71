// Throws away what waits in a UDP socket. After each send, or now and then: new replies fill it again.
use std::io::{self, ErrorKind};
use std::net::UdpSocket;

pub fn udp_drain(socket: &UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let drained = loop {
        // The rest of a datagram goes with its first byte.
        match socket.recv(&mut [0]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    socket.set_nonblocking(false)?;
    drained
}
