// Closes a socket that nobody wants any more: what nobody read goes at once. What TCP has not sent yet stays (see tcp-reset).
import java.io.IOException;
import java.nio.channels.NetworkChannel;

class SocketClose {
    static void socketClose(NetworkChannel channel) throws IOException {
        channel.close();
    }
}
