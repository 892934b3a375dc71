/* Neighbour table: `entries` permanent neighbours of a TAP device in a network namespace of its own (garbage collection and
 * gc_thresh3 spare permanent ones). SUnreclaim, in an anonymous kmalloc cache; /proc/net/stat/arp_cache counts them for all namespaces. */
#include "lab.h"
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#define DEVICE "nhneigh0"

int main(int argc, char **argv)
{
	lab_start(argv);
	long entries = arg("entries", 500000);
	args_done();
	own_netns();
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK), control = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq device = { .ifr_name = DEVICE, .ifr_flags = IFF_TAP | IFF_NO_PI };
	if (tap < 0 || ioctl(tap, TUNSETIFF, &device))
		die("TAP device");
	device.ifr_flags = IFF_UP;
	if (ioctl(control, SIOCSIFFLAGS, &device) || ioctl(control, SIOCGIFINDEX, &device))
		die(DEVICE);

	static struct { struct nlmsghdr header; struct ndmsg neighbour; struct nlattr destination; uint32_t address; struct nlattr link; uint8_t mac[8]; } batch[400];
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	long long before = meminfo("Slab");
	for (long n = 0; n < entries;) {
		int size = 0;
		for (; size < 400 && n < entries; size++, n++) {
			batch[size].header = (struct nlmsghdr){ sizeof *batch, RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE, 0, 0 };
			batch[size].neighbour = (struct ndmsg){ .ndm_family = AF_INET, .ndm_ifindex = device.ifr_ifindex, .ndm_state = NUD_PERMANENT };
			batch[size].destination = (struct nlattr){ NLA_HDRLEN + 4, NDA_DST };
			batch[size].address = htonl(0x0a000001 + n);
			batch[size].link = (struct nlattr){ NLA_HDRLEN + 6, NDA_LLADDR };
			memcpy(batch[size].mac, "\2nail", 6);
		}
		if (sendto(fd, batch, size * sizeof *batch, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
			die("RTM_NEWNEIGH");
	}
	char error[256];
	if (recv(fd, error, sizeof error, MSG_DONTWAIT) > 0)
		errno = -((struct nlmsgerr *)NLMSG_DATA(error))->error, die("RTM_NEWNEIGH");
	held(meminfo("Slab") - before, "bytes of Slab for %ld permanent neighbours in an own network namespace", entries);
	wait_release();
}
