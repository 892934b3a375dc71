// The program that a remedy is tried in, as owner.c: owner KIND COUNT PORT. It is compiled with the remedy before it, and `Socket` and
// `remedy` after it.
use std::io::Write as _;
use std::net::{TcpListener, ToSocketAddrs};

mod kernel {
    use std::ffi::{c_int, c_void};
    extern "C" {
        pub fn setsockopt(
            fd: c_int,
            level: c_int,
            name: c_int,
            value: *const c_void,
            length: u32,
        ) -> c_int;
    }
    pub const RCVBUF: c_int = 8;
    pub const SNDBUF: c_int = 7;
}

fn set_buffer(fd: i32, option: i32) {
    let bytes: i32 = 4 << 20;
    // SAFETY: the kernel reads the number before it returns.
    let result = unsafe { kernel::setsockopt(fd, 1, option, std::ptr::addr_of!(bytes).cast(), 4) };
    assert_eq!(result, 0, "socket buffer");
}

/// The kind of socket that a remedy is for.
trait Kind: Sized {
    fn open(kind: &str, count: usize, port: u16) -> Vec<Option<Self>>;
    fn load(&self);
}

impl Kind for std::net::UdpSocket {
    fn open(_: &str, count: usize, _: u16) -> Vec<Option<Self>> {
        let sockets: Vec<_> = (0..count)
            .map(|_| {
                let socket = Self::bind("127.0.0.1:0").unwrap();
                set_buffer(std::os::fd::AsRawFd::as_raw_fd(&socket), kernel::RCVBUF);
                socket
            })
            .collect();
        let ports: Vec<_> = sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap().port().to_string())
            .collect();
        println!("{}", ports.join(" "));
        sockets.into_iter().map(Some).collect()
    }
    fn load(&self) {}
}

impl Kind for std::net::TcpStream {
    fn open(kind: &str, count: usize, port: u16) -> Vec<Option<Self>> {
        if kind == "tcp-recv" {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            set_buffer(std::os::fd::AsRawFd::as_raw_fd(&listener), kernel::RCVBUF);
            println!("{}", listener.local_addr().unwrap().port());
            return (0..count)
                .map(|_| Some(listener.accept().unwrap().0))
                .collect();
        }
        let sockets: Vec<_> = (0..count)
            .map(|_| {
                let socket = Self::connect(
                    ("127.0.0.1", port)
                        .to_socket_addrs()
                        .unwrap()
                        .next()
                        .unwrap(),
                )
                .unwrap();
                set_buffer(std::os::fd::AsRawFd::as_raw_fd(&socket), kernel::SNDBUF);
                socket
            })
            .collect();
        let ports: Vec<_> = sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap().port().to_string())
            .collect();
        println!("{}", ports.join(" "));
        sockets.into_iter().map(Some).collect()
    }
    fn load(&self) {
        let mut socket = self;
        socket.set_nonblocking(true).unwrap();
        while matches!(socket.write(&[0; 65536]), Ok(bytes) if bytes > 0) {}
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut sockets =
        <Socket as Kind>::open(&args[1], args[2].parse().unwrap(), args[3].parse().unwrap());
    for line in std::io::stdin().lines().map(Result::unwrap) {
        for socket in &mut sockets {
            if line == "remedy" {
                remedy(socket);
            } else if let Some(socket) = socket {
                socket.load();
            }
        }
        println!("{line}");
    }
}
