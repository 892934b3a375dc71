/* No remedy, though it looks like one: the kernel goes on queueing, and what is queued stays. */
#include <errno.h>
#include <sys/socket.h>

int shut_rd(int fd)
{
	/* An unconnected UDP socket says ENOTCONN, and is marked all the same. */
	return shutdown(fd, SHUT_RD) && errno != ENOTCONN ? -1 : 0;
}
