// Finds connections whose peer is gone while nothing is to be sent. No remedy for data that wait: a peer that is there but does
// not read answers the probes (see tcp-user-timeout).
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;
import jdk.net.ExtendedSocketOptions;

class TcpKeepalive {
    static void tcpKeepalive(SocketChannel channel, int seconds) throws IOException {
        channel.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, seconds);
        channel.setOption(ExtendedSocketOptions.TCP_KEEPINTERVAL, seconds);
        channel.setOption(ExtendedSocketOptions.TCP_KEEPCOUNT, 3);
        channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
    }
}
