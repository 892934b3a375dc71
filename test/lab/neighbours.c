/* Neighbour table: `entries` permanent neighbours (then `rate` more a second, up to twice as many) of a TAP device in
 * a network namespace of its own (garbage collection and gc_thresh3 spare permanent ones). SUnreclaim, in an
 * anonymous kmalloc cache; /proc/net/stat/arp_cache counts them for all namespaces. */
#include "rtnetlink.h"
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <netinet/in.h>

#define DEVICE "nhneigh0"

struct entry {
	struct nlmsghdr header;
	struct ndmsg neighbour;
	struct nlattr destination;
	uint32_t address;
	struct nlattr link;
	uint8_t mac[8];
};

static void add(int fd, int device, long from, long to)
{
	static struct entry batch[400];
	while (from < to) {
		int size = 0;
		for (; size < 400 && from < to; size++, from++)
			batch[size] = (struct entry){
				.header = { sizeof *batch, RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE },
				.neighbour = { .ndm_family = AF_INET, .ndm_ifindex = device, .ndm_state = NUD_PERMANENT },
				.destination = { NLA_HDRLEN + 4, NDA_DST },
				.address = htonl(0x0a000001 + from), /* 10.x */
				.link = { NLA_HDRLEN + 6, NDA_LLADDR },
				.mac = { 2, 'n', 'a', 'i', 'l' },
			};
		rtnetlink_send(fd, batch, size * sizeof *batch, "RTM_NEWNEIGH");
	}
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long entries = arg("entries", 500000), rate = arg("rate", 5000);
	args_done();
	own_netns();
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK), control = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq device = { .ifr_name = DEVICE, .ifr_flags = IFF_TAP | IFF_NO_PI };
	if (tap < 0 || ioctl(tap, TUNSETIFF, &device))
		die("TAP device");
	device.ifr_flags = IFF_UP;
	if (ioctl(control, SIOCSIFFLAGS, &device) || ioctl(control, SIOCGIFINDEX, &device))
		die(DEVICE);
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	long long before = meminfo("SUnreclaim");
	add(fd, device.ifr_ifindex, 0, entries);
	held(meminfo("SUnreclaim") - before,
	     "bytes of SUnreclaim for %ld permanent neighbours in an own network namespace, %ld more a second", entries, rate);
	for (long n = entries; !released_within(rate ? 100 : -1);)
		if (n < 2 * entries) {
			add(fd, device.ifr_ifindex, n, n + rate / 10);
			n += rate / 10;
		}
	return 0;
}
