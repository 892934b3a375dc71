// Ends a connection at once and drops what was to be sent: an ordinary close() leaves it to the kernel, which goes on trying.
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;

class TcpReset {
    static void tcpReset(SocketChannel channel) throws IOException {
        channel.configureBlocking(true); // of one that does not block, the option is not taken
        channel.setOption(StandardSocketOptions.SO_LINGER, 0);
        channel.close();
    }
}
