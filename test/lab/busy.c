/* A healthy busy host: nothing is held for long. Processes that allocate and free anonymous memory up and down (4 x
 * 20..120 MB), UDP and TCP traffic over loopback that is read, files created and deleted, short-lived processes.
 * Sleeps most of the time. */
#include "lab.h"
#include <netinet/in.h>

static void memory_worker(int number)
{
	for (long step = number * 7;; step++) {
		long size = (20 + step * 13 % 100) * MB;
		char *block = touched(size);
		sleep_ms(150 + number * 20);
		munmap(block, size);
	}
}

static int bound(int type, struct sockaddr_in *address)
{
	socklen_t length = sizeof *address;
	int fd = socket(AF_INET, type, 0);
	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (struct sockaddr *)address, length) || getsockname(fd, (struct sockaddr *)address, &length))
		die("bind");
	return fd;
}

static void traffic(int type)
{
	static char data[32768];
	struct sockaddr_in to;
	int listener = bound(type, &to);
	if (type == SOCK_STREAM)
		listen(listener, 8);
	if (!lab_fork("busy_client")) {
		int fd = socket(AF_INET, type, 0);
		if (connect(fd, (struct sockaddr *)&to, sizeof to))
			die("connect");
		for (;; sleep_ms(10))
			send(fd, data, type == SOCK_STREAM ? sizeof data : 1200, 0);
	}
	int fd = type == SOCK_STREAM ? accept(listener, NULL, NULL) : listener;
	while (recv(fd, data, sizeof data, 0) > 0)
		;
}

static void files(void)
{
	static char data[MB];
	for (int number = 0;; number++) {
		char path[64];
		snprintf(path, sizeof path, "/var/tmp/nailhouse-busy-%d-%d", getpid(), number);
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		for (int i = 0; i < 4; i++)
			if (write(fd, data, sizeof data) < 0)
				break;
		unlink(path);
		close(fd);
		sleep_ms(100);
	}
}

static void short_lives(void)
{
	for (;; sleep_ms(100)) {
		if (!lab_fork("busy_short")) {
			touched(2 * MB);
			_exit(0);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

int main(int argc, char **argv)
{
	lab_start(argv);
	args_done();
	for (int i = 0; i < 4; i++)
		if (!lab_fork("busy_memory"))
			memory_worker(i);
	if (!lab_fork("busy_tcp"))
		traffic(SOCK_STREAM);
	if (!lab_fork("busy_udp"))
		traffic(SOCK_DGRAM);
	if (!lab_fork("busy_files"))
		files();
	if (!lab_fork("busy_spawner"))
		short_lives();
	sleep_ms(1000);
	held(0, "nothing: memory up and down in 4 processes, traffic that is read, files, short-lived processes");
	wait_release();
}
