/* Drop-all filter, for a UDP socket that only sends: the kernel throws away what comes before it is queued. Right after
 * socket(): it does not empty a queue that is full (udp-drain does). */
#include <linux/filter.h>
#include <sys/socket.h>

int udp_filter(int fd)
{
	struct sock_filter drop = { BPF_RET | BPF_K, 0, 0, 0 };
	struct sock_fprog program = { 1, &drop };
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER,
			&program, sizeof program);
}
