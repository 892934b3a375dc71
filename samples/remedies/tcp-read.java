// Reads what waits in a TCP socket. Whenever the selector says that there is something: new data fill it again.
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

class TcpRead {
    static void tcpRead(SocketChannel channel) throws IOException {
        boolean blocks = channel.isBlocking();
        ByteBuffer data = ByteBuffer.allocateDirect(65536);
        channel.configureBlocking(false);
        try {
            while (channel.read(data.clear()) > 0) {}
        } finally {
            channel.configureBlocking(blocks);
        }
    }
}
