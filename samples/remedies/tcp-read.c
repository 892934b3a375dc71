/* Reads what waits in a TCP socket. Whenever poll() says that there is something: new data fill it again. */
#include <errno.h>
#include <sys/socket.h>

int tcp_read(int fd)
{
	static char data[65536];
	ssize_t length;
	do
		length = recv(fd, data, sizeof data, MSG_DONTWAIT);
	while (length > 0 || (length < 0 && errno == EINTR));
	/* 0: the peer has closed, so close it, too. */
	return length == 0 || errno == EAGAIN ? 0 : -1;
}
