/* TCP data that nobody reads, over `pairs` loopback connections between tcp_writer and tcp_reader, who never reads:
 *   side=recv        the reader has large buffers: the data wait in its receive queues (skmem r)
 *   side=send        the reader's window is tiny: the data wait in the writer's send queues (skmem w), timer probing
 *   side=close-wait  the writer closes after its data have all arrived: the reader's sockets stay in CLOSE_WAIT with
 *                    them
 *   side=accept      the reader listens and never accepts: the data wait in receive queues that no process has open
 * About `total` MB together. read=1 is the near miss: the reader reads. slow=KB is another one: the queues are full, but the
 * reader takes that much of each of them fifty times a second, and the writer goes on. tcp_mem=PAGES lowers net.ipv4.tcp_mem
 * meanwhile, so that TCP as a whole is under memory pressure. mptcp=1 is all of it with MPTCP. */
#include "lab.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define TCP_MEM "/proc/sys/net/ipv4/tcp_mem"
static char old_tcp_mem[64];
static int protocol;

static void cleanup(void) { file_value(TCP_MEM, old_tcp_mem, NULL, 0); }

static void lower_tcp_mem(long pages)
{
	char value[64];
	snprintf(value, sizeof value, "%ld %ld %ld", pages * 3 / 4, pages, pages * 3 / 2);
	if (file_value(TCP_MEM, value, old_tcp_mem, sizeof old_tcp_mem))
		die(TCP_MEM);
	lab_cleanup = cleanup;
}

struct state { volatile long charged, accepted; volatile int ready; };

static void buffer(int fd, int option, long bytes)
{
	int value = bytes;
	if (setsockopt(fd, SOL_SOCKET, option, &value, sizeof value))
		die("socket buffer");
}

static void reader(int listener, long pairs, int accepts, int reads, long slow, struct state *state)
{
	static char data[MB];
	int *fds = calloc(pairs, sizeof *fds);
	while (!accepts)
		pause();
	for (long i = 0; i < pairs; i++) {
		fds[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		state->accepted = i + 1;
	}
	for (;; sleep_ms(20)) {
		long charged = 0;
		for (long i = 0; i < pairs; i++) {
			while (reads && recv(fds[i], data, sizeof data, 0) > 0)
				;
			if (slow && state->ready)
				recv(fds[i], data, slow * 1024 < MB ? slow * 1024 : MB, 0);
			charged += socket_memory(fds[i], MEM_R);
		}
		state->charged = charged;
	}
}

static void writer(struct sockaddr_in to, long pairs, long each, const char *side, int reads, int slow,
		   struct state *state, struct state *peer)
{
	static char data[65536];
	int *fds = calloc(pairs, sizeof *fds), sending = !strcmp(side, "send"), closing = !strcmp(side, "close-wait"), one = 1;
	int accepting = strcmp(side, "accept");
	long *sent = calloc(pairs, sizeof *sent);
	for (long i = 0; i < pairs; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, protocol);
		buffer(fds[i], SO_SNDBUFFORCE, sending ? each / 2 : 64 * 1024);
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (connect(fds[i], (struct sockaddr *)&to, sizeof to))
			die("connect");
	}
	while (accepting && peer->accepted < pairs)
		sleep_ms(10);
	/* Rounds, until five of them in a row brought nothing anywhere: the window opens with a delay. */
	for (int idle = 0; idle < 5 && !reads; sleep_ms(20)) {
		long written = 0;
		for (long i = 0; i < pairs; i++)
			for (ssize_t n; (!closing || sent[i] < each) && (n = send(fds[i], data, sizeof data, MSG_DONTWAIT)) > 0; sent[i] += n)
				written += n;
		idle = written ? 0 : idle + 1;
	}
	for (;; sleep_ms(100)) {
		long charged = 0;
		for (long i = 0; i < pairs; i++) {
			if (closing && !state->ready)
				close(fds[i]);
			else if (!closing)
				charged += socket_memory(fds[i], MEM_W);
			/* What the receiver is charged nobody can ask: it has been sent so much, and that is acknowledged. */
			int queued = 0;
			if (!accepting && !ioctl(fds[i], TIOCOUTQ, &queued))
				charged += sent[i] - queued;
			if (reads)
				send(fds[i], data, sizeof data, MSG_DONTWAIT);
			while (slow && send(fds[i], data, sizeof data, MSG_DONTWAIT) > 0)
				;
		}
		state->charged = charged;
		state->ready = peer->ready = 1;
	}
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long pairs = arg("pairs", 50), total = arg("total", 300), reads = arg("read", 0), slow = arg("slow", 0), tcp_mem = arg("tcp_mem", 0);
	const char *side = arg_text("side", "recv");
	protocol = arg("mptcp", 0) ? IPPROTO_MPTCP : 0;
	args_done();
	prctl(PR_SET_NAME, "lab_parent");
	many_descriptors(pairs * 2);
	if (tcp_mem)
		lower_tcp_mem(tcp_mem);
	long each = total * MB / pairs;
	struct state *state = shared(2 * sizeof *state);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof to;
	int listener = socket(AF_INET, SOCK_STREAM, protocol);
	if (listener < 0)
		cannot_hold("MPTCP is not built in, or switched off");
	/* Inherited by what it accepts; before listen(), because the window scale is agreed on at connection. */
	/* With less MPTCP closes no window, but drops what comes. */
	long least = protocol ? 64 * 1024 : 2048;
	buffer(listener, SO_RCVBUFFORCE, !strcmp(side, "send") ? least : !strcmp(side, "close-wait") ? each : each / 2);
	if (bind(listener, (struct sockaddr *)&to, length) || getsockname(listener, (struct sockaddr *)&to, &length) ||
	    listen(listener, pairs))
		die("listen");
	if (!lab_fork("tcp_reader"))
		reader(listener, pairs, strcmp(side, "accept"), reads, slow, &state[0]);
	if (!lab_fork("tcp_writer"))
		close(listener), writer(to, pairs, each, side, reads, slow, &state[1], &state[0]);
	close(listener);
	while (!state[1].ready)
		sleep_ms(20);
	sleep_ms(500);
	held(state[0].charged + state[1].charged,
	     "bytes charged: %ld to receivers (skmem r), %ld to senders (skmem w) of %ld connections, side %s",
	     state[0].charged, state[1].charged, pairs, side);
	wait_release();
}
