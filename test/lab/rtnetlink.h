/* For fault programs that make what a network namespace keeps: many requests at once, with no answer but an error. */
#ifndef NAILHOUSE_RTNETLINK_H
#define NAILHOUSE_RTNETLINK_H
#include "lab.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static void rtnetlink_send(int fd, const void *requests, size_t size, const char *what)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	char error[256];

	if (sendto(fd, requests, size, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
		die("%s", what);
	if (recv(fd, error, sizeof error, MSG_DONTWAIT) > 0) {
		errno = -((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)error))->error;
		die("%s", what);
	}
}

#endif
