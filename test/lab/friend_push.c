/* The true story: `clients` processes named friend_push, each with one UDP socket, send requests over loopback to
 * push_server, which answers each with `reply` bytes, and never read the answers. What stays queued is charged to
 * each socket (skmem r):
 *   mode=plain   SO_RCVBUF `rcvbuf`: fills up to twice that; each answer after that is a drop
 *   mode=wudp    SO_RCVBUF 0 before the first send: the buffer floor of 2,304 bytes
 *   mode=late    as plain, then SO_RCVBUF 0 when the queue is full: it does not purge
 *   mode=filter  SO_ATTACH_FILTER "return 0": nothing is queued
 *   mode=read    the healthy variant: answers are read
 * netns=own puts all of it into a network namespace of its own. udp_mem=PAGES lowers the minimum of net.ipv4.udp_mem
 * meanwhile, which is what really stops UDP: the sockets end up below their own limit. The sockets are filled up to
 * `total` MB together (0: to the brim); while held, each client sends `rate` requests a second. */
#include "lab.h"
#include <linux/filter.h>
#include <netinet/in.h>

struct client { volatile uint32_t charged, drops, sent, ready; };

#define UDP_MEM "/proc/sys/net/ipv4/udp_mem"
static char old_udp_mem[64];

static void cleanup(void) { file_value(UDP_MEM, old_udp_mem, NULL, 0); }

static void lower_udp_mem(long pages)
{
	char value[64];
	snprintf(value, sizeof value, "%ld %ld %ld", pages, pages * 4 / 3, pages * 2);
	if (file_value(UDP_MEM, value, old_udp_mem, sizeof old_udp_mem))
		die(UDP_MEM);
	lab_cleanup = cleanup;
}

static void server(int fd, long reply)
{
	static char answer[65536];
	struct sockaddr_in peer;
	setpriority(PRIO_PROCESS, 0, -19); /* a hundred clients compete with it for the CPU */
	for (;;) {
		char request[64];
		socklen_t length = sizeof peer;
		if (recvfrom(fd, request, sizeof request, 0, (struct sockaddr *)&peer, &length) > 0)
			sendto(fd, answer, reply, 0, (struct sockaddr *)&peer, length);
	}
}

static void set_rcvbuf(int fd, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes))
		die("SO_RCVBUF");
}

static void request(int fd, struct sockaddr_in *to, struct client *me)
{
	if (sendto(fd, "push", 4, 0, (struct sockaddr *)to, sizeof *to) == 4)
		me->sent++;
	me->charged = socket_memory(fd, MEM_R);
	me->drops = socket_memory(fd, MEM_D);
}

static void client(struct sockaddr_in to, const char *mode, long rcvbuf, long enough, long rate, struct client *me)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), reads = !strcmp(mode, "read");
	if (!strcmp(mode, "filter")) {
		struct sock_filter drop = { BPF_RET | BPF_K, 0, 0, 0 };
		struct sock_fprog program = { 1, &drop };
		if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
			die("SO_ATTACH_FILTER");
	} else if (strcmp(mode, "wudp")) {
		set_rcvbuf(fd, rcvbuf);
	} else {
		set_rcvbuf(fd, 0);
	}
	char answer[65536];
	/* Short bursts: the server must get the CPU, and its own queue must not overflow. */
	for (int burst = 0; !me->drops && me->charged < enough && me->sent < 1000000; burst++) {
		request(fd, &to, me);
		while (reads && recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
			;
		if (burst % 16 == 15)
			sleep_ms(10);
		if (reads && me->sent >= 200)
			break;
	}
	if (!strcmp(mode, "late"))
		set_rcvbuf(fd, 0);
	me->ready = 1;
	for (;;) {
		sleep_ms(1000 / (rate ? rate : 1));
		if (rate)
			request(fd, &to, me);
		while (reads && recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
			;
	}
}

int main(int argc, char **argv)
{
	lab_start(argv);
	const char *mode = arg_text("mode", "plain");
	long clients = arg("clients", 100), rcvbuf = arg("rcvbuf", 2 * MB), reply = arg("reply", 1400);
	long total = arg("total", 0), rate = arg("rate", 10), udp_mem = arg("udp_mem", 0);
	const char *netns = arg_text("netns", "host");
	args_done();
	if (udp_mem)
		lower_udp_mem(udp_mem);
	if (!strcmp(netns, "own"))
		own_netns();
	if (!strstr("plain wudp late filter read", mode) || clients < 1 || reply > 65000)
		die("mode=%s clients=%ld reply=%ld", mode, clients, reply);
	prctl(PR_SET_NAME, "lab_parent");
	struct client *table = shared(clients * sizeof *table);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof to;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	set_rcvbuf(fd, 4 * MB);
	if (bind(fd, (struct sockaddr *)&to, length) || getsockname(fd, (struct sockaddr *)&to, &length))
		die("bind");
	if (!lab_fork("push_server"))
		server(fd, reply);
	close(fd);
	for (long i = 0; i < clients; i++)
		if (!lab_fork("friend_push"))
			client(to, mode, rcvbuf, total ? total * MB / clients : LONG_MAX, rate, &table[i]);

	do {
		long ready = 0;
		long long bytes = 0;
		for (long i = 0; i < clients; i++)
			ready += table[i].ready, bytes += table[i].charged;
		if (ready == clients)
			held(bytes, "bytes charged to %ld sockets (skmem r), mode %s, replies of %ld bytes", clients, mode, reply);
	} while (!released_within(50));
	lab_end(0);
}
