/* Ends a connection at once and drops what was to be sent: an ordinary close() leaves it to the kernel, which goes on trying. */
#include <sys/socket.h>
#include <unistd.h>

int tcp_reset(int fd)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once))
		return -1;
	return close(fd);
}
