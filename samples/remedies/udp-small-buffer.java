// The smallest receive buffer: a write-only UDP socket (WUDP). Right after open(): it does not empty a queue that is full, and an
// empty queue always admits one packet, however large. A DatagramSocket: setReceiveBufferSize(1).
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.channels.DatagramChannel;

class UdpSmallBuffer {
    static void udpSmallBuffer(DatagramChannel channel) throws IOException {
        // The kernel makes it its least, 2,304 bytes.
        channel.setOption(StandardSocketOptions.SO_RCVBUF, 0);
    }
}
