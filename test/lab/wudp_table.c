/* What stays queued on a UDP socket that nobody reads, by what was done to it: 20,000 datagrams are sent to each,
 * then one line is printed: `METHOD PAYLOAD kept BYTES drops COUNT sends yes|no`, with the charge and the drops of
 * SO_MEMINFO and whether the socket can still send itself. The tcp lines: what a stream of 1 MB leaves queued at a
 * reader that never reads. Holds nothing. */
#include "lab.h"
#include <linux/filter.h>
#include <netinet/in.h>

#define DATAGRAMS 20000

static struct sockaddr_in local;
static char data[65536];

static int bound(int type)
{
	socklen_t length = sizeof local;
	int fd = socket(AF_INET, type, 0);
	local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (struct sockaddr *)&local, length) || getsockname(fd, (struct sockaddr *)&local, &length))
		die("bind");
	return fd;
}

static void buffer(int fd, int option, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes))
		die("socket buffer");
}

static void reject_all(int fd)
{
	struct sock_filter drop = { BPF_RET | BPF_K, 0, 0, 0 };
	struct sock_fprog program = { 1, &drop };
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
		die("SO_ATTACH_FILTER");
}

static void udp(const char *method, int payload)
{
	int peer = bound(SOCK_DGRAM);
	struct sockaddr_in peer_address = local;
	int fd = bound(SOCK_DGRAM), sender = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = local;

	if (!strcmp(method, "rcvbuf-8M"))
		buffer(fd, SO_RCVBUF, 8 * MB);
	else if (!strcmp(method, "rcvbufforce-8M"))
		buffer(fd, SO_RCVBUFFORCE, 8 * MB);
	else if (!strcmp(method, "wudp"))
		buffer(fd, SO_RCVBUF, 0);
	else if (!strcmp(method, "filter"))
		reject_all(fd);
	else if (!strcmp(method, "shut-rd"))
		shutdown(fd, SHUT_RD); /* ENOTCONN when not connected, yet it marks the socket */
	else if (!strncmp(method, "connect", 7))
		connect(fd, (struct sockaddr *)&peer_address, sizeof peer_address);
	if (!strcmp(method, "connected-shut-rd"))
		connect(fd, (struct sockaddr *)&peer_address, sizeof peer_address), shutdown(fd, SHUT_RD);

	int from = !strcmp(method, "connect-replies") || !strcmp(method, "connected-shut-rd") ? peer : sender;
	for (int i = 0; i < DATAGRAMS; i++)
		sendto(from, data, payload, 0, (struct sockaddr *)&to, sizeof to);
	if (!strcmp(method, "wudp-late") || !strcmp(method, "filter-late")) {
		method[0] == 'w' ? buffer(fd, SO_RCVBUF, 0) : reject_all(fd);
		for (int i = 0; i < DATAGRAMS; i++)
			sendto(from, data, payload, 0, (struct sockaddr *)&to, sizeof to);
	}
	int sends = sendto(fd, "x", 1, 0, (struct sockaddr *)&peer_address, sizeof peer_address) == 1;
	printf("%s %d kept %u drops %u sends %s\n", method, payload, socket_memory(fd, MEM_R),
	       socket_memory(fd, MEM_D), sends ? "yes" : "no");
	close(peer), close(fd), close(sender);
}

static void tcp(const char *method)
{
	int listener = bound(SOCK_STREAM), sender = socket(AF_INET, SOCK_STREAM, 0);
	listen(listener, 1);
	if (connect(sender, (struct sockaddr *)&local, sizeof local))
		die("connect");
	int fd = accept(listener, NULL, NULL);
	if (!strcmp(method, "tcp-shut-rd"))
		shutdown(fd, SHUT_RD);
	else if (!strcmp(method, "tcp-rcvbuf-0"))
		buffer(fd, SO_RCVBUF, 0);
	for (int i = 0; i < 16; i++)
		send(sender, data, sizeof data, MSG_DONTWAIT), sleep_ms(5);
	int sends = send(fd, "x", 1, MSG_DONTWAIT) == 1;
	printf("%s 65536 kept %u drops 0 sends %s\n", method, socket_memory(fd, MEM_R), sends ? "yes" : "no");
	close(fd), close(sender), close(listener);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	args_done();
	static const char *const methods[] = {
		"nothing", "rcvbuf-8M", "rcvbufforce-8M", "wudp", "wudp-late", "filter", "filter-late",
		"shut-rd", "connected-shut-rd", "connect", "connect-replies",
	};
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		udp(methods[i], 100);
	udp("wudp", 8000);
	udp("wudp", 60000);
	tcp("tcp-nothing");
	tcp("tcp-shut-rd");
	tcp("tcp-rcvbuf-0");
	return 0;
}
