/* Finds connections whose peer is gone while nothing is to be sent. No remedy for data that wait: a peer that is there but does
 * not read answers the probes (see tcp-user-timeout). */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int tcp_keepalive(int fd, int seconds)
{
	int on = 1, probes = 3;
	return setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds) ||
			setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds) ||
			setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) ||
			setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) ? -1 : 0;
}
