/* A TAP device whose program does not read: tap_hog sends `packets` UDP packets of `size` bytes through it, in a network namespace of its own; they
 * stay in the device's queue, which has room for as many (txqueuelen). The sender's socket is charged for none of them: whatever gets
 * into the queue is nobody's. In SUnreclaim, in no socket. */
#include "lab.h"
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>

static void request(int fd, unsigned long number, void *what, const char *name)
{
	if (ioctl(fd, number, what) < 0)
		die("%s", name);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long packets = arg("packets", 150000), size = arg("size", 1400);
	args_done();
	prctl(PR_SET_NAME, "tap_hog");
	own_netns();
	struct ifreq tap = { .ifr_name = "lab-tap", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int device = open("/dev/net/tun", O_RDWR);
	if (device < 0)
		die("/dev/net/tun");
	request(device, TUNSETIFF, &tap, "TUNSETIFF");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in *address = (struct sockaddr_in *)&tap.ifr_addr;
	tap.ifr_qlen = packets;
	request(fd, SIOCSIFTXQLEN, &tap, "SIOCSIFTXQLEN");
	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090901) };
	request(fd, SIOCSIFADDR, &tap, "SIOCSIFADDR");
	tap.ifr_flags = IFF_UP | IFF_RUNNING;
	request(fd, SIOCSIFFLAGS, &tap, "SIOCSIFFLAGS");
	/* Nobody answers there: without this all would wait for its address. */
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090902), .sin_port = htons(9) };
	struct arpreq neighbour = { .arp_flags = ATF_COM | ATF_PERM, .arp_ha = { .sa_family = ARPHRD_ETHER, .sa_data = { 2, 0, 0, 0, 0, 2 } }, .arp_dev = "lab-tap" };
	memcpy(&neighbour.arp_pa, &to, sizeof to);
	request(fd, SIOCSARP, &neighbour, "SIOCSARP");
	static char data[65536];
	long long before = meminfo("SUnreclaim");
	for (long i = 0; i < packets; i++)
		if (sendto(fd, data, size, 0, (struct sockaddr *)&to, sizeof to) < 0)
			die("send");
	close(fd);
	held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld packets in the queue of a TAP device", packets);
	wait_release();
}
