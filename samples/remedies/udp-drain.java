// Throws away what waits in a UDP socket. After each send, or now and then: new replies fill it again.
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;

class UdpDrain {
    static void udpDrain(DatagramChannel channel) throws IOException {
        boolean blocks = channel.isBlocking();
        ByteBuffer first = ByteBuffer.allocate(1); // the rest of a datagram goes with it
        channel.configureBlocking(false);
        try {
            while (channel.receive(first.clear()) != null) {}
        } finally {
            channel.configureBlocking(blocks);
        }
    }
}
