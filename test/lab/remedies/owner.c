/* The program that a remedy is tried in: `owner KIND COUNT PORT` opens sockets that it does not read, and prints its ports. Each line
 * of standard input is a command, answered when it is done: `remedy` applies the remedy to each socket (REMEDY_FILE, REMEDY_CALL of
 * `fd`), `load` writes what the kernel takes.
 *   KIND udp       COUNT sockets
 *   KIND tcp-recv  accepts COUNT connections
 *   KIND tcp-send  COUNT connections to PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include REMEDY_FILE

static struct sockaddr_in address = { .sin_family = AF_INET };
static socklen_t length = sizeof address;

static void check(int result, const char *what)
{
	if (result < 0)
		perror(what), exit(1);
}

static int opened(int type, int option)
{
	int fd = socket(AF_INET, type, 0), bytes = 4 << 20;
	check(setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes), "socket buffer");
	return fd;
}

static void print_port(int fd)
{
	check(getsockname(fd, (struct sockaddr *)&address, &length), "getsockname");
	printf("%d ", ntohs(address.sin_port));
}

static int bound(int type)
{
	int fd = opened(type, SO_RCVBUF);
	address.sin_port = 0;
	check(bind(fd, (struct sockaddr *)&address, length), "bind");
	print_port(fd);
	return fd;
}

int main(int argc, char **argv)
{
	static char line[32], data[65536];
	int count = atoi(argv[2]), fds[count], listener = -1;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(argv[1], "tcp-recv"))
		check(listen(listener = bound(SOCK_STREAM), count), "listen");
	for (int i = 0; i < count && listener < 0; i++)
		if (!strcmp(argv[1], "udp")) {
			fds[i] = bound(SOCK_DGRAM);
		} else {
			address.sin_port = htons(atoi(argv[3]));
			fds[i] = opened(SOCK_STREAM, SO_SNDBUF);
			check(connect(fds[i], (struct sockaddr *)&address, length), "connect");
			print_port(fds[i]);
		}
	puts("");
	for (int i = 0; i < count && listener >= 0; i++)
		check(fds[i] = accept(listener, NULL, NULL), "accept");
	while (fgets(line, sizeof line, stdin)) {
		for (int i = 0; i < count; i++) {
			int fd = fds[i];
			if (!strcmp(line, "remedy\n"))
				check(REMEDY_CALL, "the remedy");
			while (!strcmp(line, "load\n") && send(fd, data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
				;
		}
		printf("%s", line);
	}
	return 0;
}
