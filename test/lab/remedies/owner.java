/* The program that a remedy is tried in, as owner.c: Owner CLASS METHOD ARGUMENTS KIND COUNT PORT. */
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.NetworkChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

class Owner {
    static final int BUFFER_BYTES = 4 << 20;

    static NetworkChannel bound(NetworkChannel channel) throws IOException {
        channel.setOption(StandardSocketOptions.SO_RCVBUF, BUFFER_BYTES);
        return channel.bind(new InetSocketAddress("127.0.0.1", 0));
    }

    static SocketChannel connected(int port) throws IOException {
        SocketChannel channel = SocketChannel.open();
        channel.setOption(StandardSocketOptions.SO_SNDBUF, BUFFER_BYTES);
        channel.connect(new InetSocketAddress("127.0.0.1", port));
        return channel;
    }

    static int port(NetworkChannel channel) throws IOException {
        return ((InetSocketAddress) channel.getLocalAddress()).getPort();
    }

    static void load(NetworkChannel channel) {
        try {
            SocketChannel connection = (SocketChannel) channel;
            connection.configureBlocking(false);
            while (connection.write(ByteBuffer.allocate(65536)) > 0) {}
        } catch (IOException closed) {
            // full, or closed by the remedy
        }
    }

    public static void main(String[] args) throws Exception {
        Method remedy = Arrays.stream(Class.forName(args[0]).getDeclaredMethods())
            .filter(method -> method.getName().equals(args[1])).findFirst().orElseThrow();
        String given = args[2].replaceAll("[\\[\\]]", "");
        String kind = args[3];
        int count = Integer.parseInt(args[4]);
        List<NetworkChannel> channels = new ArrayList<>();
        if (kind.equals("tcp-recv")) {
            ServerSocketChannel listener = (ServerSocketChannel) bound(ServerSocketChannel.open());
            System.out.println(port(listener));
            while (channels.size() < count) channels.add(listener.accept());
        } else {
            StringBuilder ports = new StringBuilder();
            while (channels.size() < count) {
                boolean isUdp = kind.equals("udp");
                channels.add(isUdp ? bound(DatagramChannel.open()) : connected(Integer.parseInt(args[5])));
                ports.append(port(channels.get(channels.size() - 1))).append(' ');
            }
            System.out.println(ports);
        }
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            for (NetworkChannel channel : channels) {
                if (line.equals("load")) load(channel);
                else if (given.isEmpty()) remedy.invoke(null, channel);
                else remedy.invoke(null, channel, Integer.parseInt(given));
            }
            System.out.println(line);
        }
    }
}
