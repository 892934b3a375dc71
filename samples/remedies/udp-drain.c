/* Throws away what waits in a UDP socket, without copying it. After each send(), or now and then: new replies fill it again. */
#include <errno.h>
#include <sys/socket.h>

int udp_drain(int fd)
{
	ssize_t length;
	do
		length = recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC);
	while (length >= 0 || errno == EINTR);
	return errno == EAGAIN ? 0 : -1;
}
