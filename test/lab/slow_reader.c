/* Near miss for the receive backlog: `sockets` UDP sockets are read late, but are read. Each queue swings between
 * empty and `peak` KB charged with a period of `period` ms, one after the other, so that about half of sockets x peak
 * is queued at any time. */
#include "lab.h"
#include <netinet/in.h>

int main(int argc, char **argv)
{
	lab_start(argv);
	long sockets = arg("sockets", 50), peak = arg("peak", 4096), period = arg("period", 1000);
	args_done();
	int *fds = calloc(sockets, sizeof *fds), sender = socket(AF_INET, SOCK_DGRAM, 0), room = 4 * MB;
	struct sockaddr_in *to = calloc(sockets, sizeof *to);
	static char data[65536];
	for (long i = 0; i < sockets; i++) {
		socklen_t length = sizeof *to;
		to[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof room) || bind(fds[i], (struct sockaddr *)&to[i], length) ||
		    getsockname(fds[i], (struct sockaddr *)&to[i], &length))
			die("socket %ld", i);
	}
	/* Ten steps a period: a tenth of the peak is sent to each socket; the sockets whose turn it is are drained. */
	for (long step = 0;; step++) {
		long long queued = 0;
		for (long i = 0; i < sockets; i++) {
			if ((step + i) % 10 == 0)
				while (recv(fds[i], data, sizeof data, MSG_DONTWAIT) > 0)
					;
			for (uint32_t before = socket_memory(fds[i], MEM_R); socket_memory(fds[i], MEM_R) - before < peak * 1024 / 10;)
				if (sendto(sender, data, 1400, 0, (struct sockaddr *)&to[i], sizeof to[i]) < 0)
					die("sendto");
			queued += socket_memory(fds[i], MEM_R);
		}
		if (step == 10)
			held(queued, "bytes charged to %ld sockets at the moment: read late, but read", sockets);
		if (released_within(period / 10))
			return 0;
	}
}
