// Reads what waits in a TCP socket. Whenever epoll says that there is something: new data fill it again.
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;

pub fn tcp_read(mut socket: &TcpStream) -> io::Result<()> {
    let mut data = vec![0; 65536];
    socket.set_nonblocking(true)?;
    let read = loop {
        match socket.read(&mut data) {
            Ok(0) => break Ok(()), // the peer has closed
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    socket.set_nonblocking(false)?;
    read
}
