/* Raw or packet sockets that nobody reads: raw_hog has `sockets` of them of `type` raw (a protocol of IPv4 each) or packet (a kind of
 * Ethernet frame each), with a receive buffer of `rcvbuf` bytes (forced, doubled), filled over loopback with packets of `size` bytes, until the
 * first is dropped. With copies=1 all of them listen to the same packets: each is charged for all, but they have the data in common.
 * In /proc/net/raw or /proc/net/packet, in SUnreclaim, in no sockstat line. */
#include "lab.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>

/* For experiments: IP protocols 253 and downwards, and Ethernet's 0x88b5 and upwards (RFC 3692, IEEE 802). */
enum { LAST_PROTOCOL = 253, FIRST_ETHERTYPE = 0x88b5 };

static int is_packet;

static int open_socket(long number)
{
	return is_packet ? socket(AF_PACKET, SOCK_DGRAM, htons(FIRST_ETHERTYPE + number)) : socket(AF_INET, SOCK_RAW, LAST_PROTOCOL - number);
}

/* Sends what the socket of that number gets. */
static int send_to(int sender, long number, const char *data, size_t size)
{
	if (is_packet) {
		struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(FIRST_ETHERTYPE + number), .sll_ifindex = if_nametoindex("lo"), .sll_halen = 6 };
		return sendto(sender, data, size, 0, (struct sockaddr *)&to, sizeof to);
	}
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return sendto(sender, data, size, 0, (struct sockaddr *)&to, sizeof to);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	is_packet = !strcmp(arg_text("type", "raw"), "packet");
	long sockets = arg("sockets", 20), rcvbuf = arg("rcvbuf", 8 * MB), size = arg("size", 1400), copies = arg("copies", 0);
	args_done();
	prctl(PR_SET_NAME, "raw_hog");
	static char data[65536];
	int fds[sockets], room = rcvbuf;
	for (long i = 0; i < sockets; i++)
		if ((fds[i] = open_socket(copies ? 0 : i)) < 0 || setsockopt(fds[i], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room))
			die("socket of type %s", is_packet ? "packet" : "raw");
	for (long i = 0; i < (copies ? 1 : sockets); i++) {
		/* Gets nothing itself: it has no protocol to listen to. */
		int sender = is_packet ? socket(AF_PACKET, SOCK_DGRAM, 0) : socket(AF_INET, SOCK_RAW, LAST_PROTOCOL - i);
		int nothing = 1;
		if (sender < 0 || setsockopt(sender, SOL_SOCKET, SO_RCVBUF, &nothing, sizeof nothing))
			die("sender");
		while (socket_memory(fds[i], MEM_D) == 0)
			if (send_to(sender, i, data, size) < 0)
				die("send");
		close(sender);
	}
	long long charged = 0;
	for (long i = 0; i < sockets; i++)
		charged += socket_memory(fds[i], MEM_R);
	held(charged, "bytes charged to %ld unread sockets (skmem r)", sockets);
	wait_release();
}
