/* Answers each datagram on a port of 127.0.0.1 with `reply` bytes, until its standard input is closed. Holds nothing; what it says it
 * holds is the port. */
#include "lab.h"
#include <netinet/in.h>

int main(int argc, char **argv)
{
	lab_start(argv);
	long reply = arg("reply", 1400);
	args_done();
	static char answer[65536];
	struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof local;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 8 * MB;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) || bind(fd, (struct sockaddr *)&local, length) ||
	    getsockname(fd, (struct sockaddr *)&local, &length))
		die("udp_echo");
	setpriority(PRIO_PROCESS, 0, -19); /* a hundred senders compete with it for the CPU */
	held(ntohs(local.sin_port), "is the port");
	struct pollfd ready[] = { { .fd = fd, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
	while (poll(ready, 2, -1) > 0 && !ready[1].revents) {
		char request[64];
		struct sockaddr_in peer;
		socklen_t peer_length = sizeof peer;
		while (recvfrom(fd, request, sizeof request, MSG_DONTWAIT, (struct sockaddr *)&peer, &peer_length) >= 0)
			sendto(fd, answer, reply, 0, (struct sockaddr *)&peer, peer_length);
	}
	lab_end(0);
}
