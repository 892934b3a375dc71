/* The smallest receive buffer, where TCP data are not wanted. Right after accept(), or before listen(): it does not empty a queue
 * that is full. */
#include <sys/socket.h>

int tcp_small_buffer(int fd)
{
	int none = 0; /* the kernel makes it its least, 2,304 bytes */
	return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &none, sizeof none);
}
