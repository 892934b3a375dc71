/* The kernel ends a connection whose peer takes nothing for that long, be it silent or its window closed, and frees what was to
 * be sent. send() then fails with ETIMEDOUT: close it. Helps when the data are waiting already, too. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int tcp_user_timeout(int fd, unsigned milliseconds)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
			&milliseconds, sizeof milliseconds);
}
