/* The smallest receive buffer: a write-only UDP socket (WUDP). Right after socket(): it does not empty a queue that is full, and an
 * empty queue always admits one packet, however large. */
#include <sys/socket.h>

int udp_small_buffer(int fd)
{
	int none = 0; /* the kernel makes it its least, 2,304 bytes */
	return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &none, sizeof none);
}
