/* Closes a socket that nobody wants any more: what nobody read goes at once. What TCP has not sent yet stays (see tcp-reset). */
#include <unistd.h>

int socket_close(int fd)
{
	return close(fd);
}
