/* Routes: `routes` of them to single addresses (then `rate` more a second, up to twice as many), in a network namespace of its own, as a routing daemon
 * does that takes in too many. SUnreclaim: each has an object in two caches, and a part in the nodes of a tree. */
#include "rtnetlink.h"
#include <arpa/inet.h>

struct entry {
	struct nlmsghdr header;
	struct rtmsg route;
	struct nlattr destination;
	uint32_t address;
	struct nlattr link;
	int32_t device;
};

static void add(int fd, int device, long from, long to)
{
	static struct entry batch[400];

	while (from < to) {
		int size = 0;
		for (; size < 400 && from < to; size++, from++)
			batch[size] = (struct entry){
				.header = { sizeof *batch, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE },
				.route = { .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
					   .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST },
				.destination = { NLA_HDRLEN + 4, RTA_DST },
				.address = htonl(0x0a000000 + from), /* 10.x */
				.link = { NLA_HDRLEN + 4, RTA_OIF },
				.device = device,
			};
		rtnetlink_send(fd, batch, size * sizeof *batch, "RTM_NEWROUTE");
	}
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long routes = arg("routes", 1500000), rate = arg("rate", 10000);
	args_done();
	prctl(PR_SET_NAME, "route_hog");
	own_netns();
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), device = if_nametoindex("lo");
	if (fd < 0 || !device)
		die("lo");
	long long before = meminfo("SUnreclaim");
	add(fd, device, 0, routes);
	for (long n = routes;;) {
		held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld routes in an own network namespace, %ld more a second", n, rate);
		if (released_within(rate ? 1000 : -1))
			return 0;
		if (rate && n < 2 * routes) {
			add(fd, device, n, n + rate);
			n += rate;
		}
	}
}
