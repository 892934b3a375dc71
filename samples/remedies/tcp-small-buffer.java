// The smallest receive buffer, where TCP data are not wanted. Right after accept(), or before listen(): it does not empty a queue
// that is full.
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.channels.NetworkChannel;

class TcpSmallBuffer {
    static void tcpSmallBuffer(NetworkChannel channel) throws IOException {
        // The kernel makes it its least, 2,304 bytes.
        channel.setOption(StandardSocketOptions.SO_RCVBUF, 0);
    }
}
