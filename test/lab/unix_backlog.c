/* Unix sockets that nobody reads: unix_writer fills `pairs` socket pairs whose other ends unix_reader holds and never
 * reads, until its send buffers (`sndbuf` bytes, doubled) are full. The sender is charged (skmem t); no sockstat line
 * and no field of /proc/net/unix tells. type=stream: in the residual; type=dgram: in SUnreclaim. type=accept: unix_reader
 * listens, and does not even accept the connections. read=1 is the near miss. */
#include "lab.h"
#include <sys/un.h>

int main(int argc, char **argv)
{
	lab_start(argv);
	long pairs = arg("pairs", 75), sndbuf = arg("sndbuf", 2 * MB), size = arg("size", 0), reads = arg("read", 0);
	const char *type = arg_text("type", "stream");
	args_done();
	int stream = strcmp(type, "dgram"), accepts = strcmp(type, "accept"), room = sndbuf;
	if (!size)
		size = stream ? 65536 : 2000;
	prctl(PR_SET_NAME, "lab_parent");
	static char data[65536];
	int (*ends)[2] = calloc(pairs, sizeof *ends);
	many_descriptors(pairs * 2);
	/* A name of the kernel's choice, in no file system. */
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t length = sizeof name;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&name, sizeof name.sun_family) ||
	    getsockname(listener, (struct sockaddr *)&name, &length) || listen(listener, pairs))
		die("listen");
	for (long i = 0; i < pairs; i++)
		if (!accepts) {
			ends[i][0] = socket(AF_UNIX, SOCK_STREAM, 0), ends[i][1] = -1;
			if (setsockopt(ends[i][0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) ||
			    connect(ends[i][0], (struct sockaddr *)&name, length))
				die("connect");
		} else if (socketpair(AF_UNIX, stream ? SOCK_STREAM : SOCK_DGRAM, 0, ends[i]) ||
		    setsockopt(ends[i][0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room))
			die("socketpair");
	volatile long *charged = shared(2 * sizeof *charged);
	if (!lab_fork("unix_reader")) {
		for (long i = 0; i < pairs; i++)
			close(ends[i][0]);
		for (;; sleep_ms(20))
			for (long i = 0; reads && i < pairs; i++)
				while (recv(ends[i][1], data, sizeof data, MSG_DONTWAIT) > 0)
					;
	}
	if (!lab_fork("unix_writer")) {
		close(listener);
		for (long i = 0; i < pairs; i++)
			close(ends[i][1]);
		for (;; sleep_ms(100)) {
			long sum = 0;
			for (long i = 0; i < pairs; i++) {
				for (int burst = 0; send(ends[i][0], data, size, MSG_DONTWAIT) > 0 && (!reads || burst < 3); burst++)
					;
				sum += socket_memory(ends[i][0], MEM_T);
			}
			charged[0] = sum;
			charged[1] = 1;
		}
	}
	for (long i = 0; i < pairs; i++)
		close(ends[i][0]), close(ends[i][1]);
	close(listener);
	while (!charged[1])
		sleep_ms(20);
	held(charged[0], "bytes charged to %ld senders (skmem t), %s, unread at their peers", pairs, type);
	wait_release();
}
