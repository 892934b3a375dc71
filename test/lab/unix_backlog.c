/* Unix sockets that nobody reads: unix_writer fills `pairs` socket pairs whose other ends unix_reader holds and never
 * reads, until its send buffers (`sndbuf` bytes, doubled) are full. The sender is charged (skmem t); no sockstat line
 * and no field of /proc/net/unix tells. type=stream: in the residual; type=dgram: in SUnreclaim. read=1 is the near
 * miss. */
#include "lab.h"

int main(int argc, char **argv)
{
	lab_start(argv);
	long pairs = arg("pairs", 75), sndbuf = arg("sndbuf", 2 * MB), size = arg("size", 0), reads = arg("read", 0);
	const char *type = arg_text("type", "stream");
	args_done();
	int stream = !strcmp(type, "stream"), room = sndbuf;
	if (!size)
		size = stream ? 65536 : 2000;
	prctl(PR_SET_NAME, "lab_parent");
	static char data[65536];
	int (*ends)[2] = calloc(pairs, sizeof *ends);
	many_descriptors(pairs * 2);
	for (long i = 0; i < pairs; i++)
		if (socketpair(AF_UNIX, stream ? SOCK_STREAM : SOCK_DGRAM, 0, ends[i]) ||
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
	while (!charged[1])
		sleep_ms(20);
	held(charged[0], "bytes charged to %ld senders (skmem t), %s, unread at their peers", pairs, type);
	wait_release();
}
