/* Netlink sockets that nobody reads: netlink_hog has `sockets` of them with a receive buffer of `rcvbuf` bytes
 * (forced, doubled), filled with messages of `size` bytes from another netlink socket. Charged to the receiver (Rmem
 * in /proc/net/netlink), in SUnreclaim, in no sockstat line. */
#include "lab.h"
#include <linux/netlink.h>

int main(int argc, char **argv)
{
	lab_start(argv);
	long sockets = arg("sockets", 20), rcvbuf = arg("rcvbuf", 8 * MB), size = arg("size", 1400);
	args_done();
	prctl(PR_SET_NAME, "netlink_hog");
	static char data[65536];
	*(struct nlmsghdr *)data = (struct nlmsghdr){ .nlmsg_len = size, .nlmsg_type = NLMSG_MIN_TYPE };
	int sender = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK), room = rcvbuf;
	long long charged = 0;
	for (long i = 0; i < sockets; i++) {
		struct sockaddr_nl address = { .nl_family = AF_NETLINK };
		socklen_t length = sizeof address;
		int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
		if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || getsockname(fd, (struct sockaddr *)&address, &length) ||
		    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room))
			die("netlink socket");
		while (sendto(sender, data, size, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address) > 0)
			;
		charged += socket_memory(fd, MEM_R);
	}
	held(charged, "bytes charged to %ld unread netlink sockets (skmem r)", sockets);
	wait_release();
}
