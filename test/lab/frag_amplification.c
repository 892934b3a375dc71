/* Page-fragment amplification: a TAP device opened with O_NONBLOCK makes the kernel carve the memory of each small
 * packet out of a 32 KiB (order-3) page fragment. One packet in `keep` goes to a UDP socket that nobody reads, the
 * others are dropped at once; the one that stays pins the whole fragment. The socket is charged 768 bytes a packet;
 * the pages are in no field of /proc/meminfo, but in /proc/kpageflags: compound pages of 8 with no SLAB, LRU, ANON or
 * HUGE flag. netns=own: everything in a network namespace of its own; netns=host: in the host's. */
#include "lab.h"
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

#define FRAGMENT 32768L
#define HEADERS (14 + 20 + 8)
#define DEVICE "nhtap0"
/* TEST-NET-2 */
#define HERE "198.51.100.1"
#define THERE "198.51.100.2"

static uint16_t checksum(const uint16_t *words, int bytes)
{
	uint32_t sum = 0;
	for (; bytes > 1; bytes -= 2)
		sum += *words++;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* What tun_build_skb() takes: headroom of 64 and the packet, rounded up to cache lines, and skb_shared_info. */
static long carved(long bytes) { return (64 + bytes + 63) / 64 * 64 + 320; }

static int make_tap(unsigned char mac[6])
{
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK), control = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = { .ifr_name = DEVICE, .ifr_flags = IFF_TAP | IFF_NO_PI };
	if (tap < 0 || ioctl(tap, TUNSETIFF, &request))
		die("TAP device " DEVICE);
	if (ioctl(control, SIOCGIFHWADDR, &request))
		die("SIOCGIFHWADDR");
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	struct sockaddr_in address = { .sin_family = AF_INET };
	inet_pton(AF_INET, HERE, &address.sin_addr);
	memcpy(&request.ifr_addr, &address, sizeof address);
	if (ioctl(control, SIOCSIFADDR, &request))
		die("SIOCSIFADDR");
	inet_pton(AF_INET, "255.255.255.0", &address.sin_addr);
	memcpy(&request.ifr_addr, &address, sizeof address);
	if (ioctl(control, SIOCSIFNETMASK, &request))
		die("SIOCSIFNETMASK");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(control, SIOCSIFFLAGS, &request))
		die("SIOCSIFFLAGS");
	close(control);
	return tap;
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long keep = arg("keep", 64), payload = arg("payload", 64), total = arg("total", 500);
	const char *netns = arg_text("netns", "own");
	args_done();
	if (payload > 1400 || keep < 1)
		die("payload=%ld keep=%ld", payload, keep);
	if (!strcmp(netns, "own"))
		own_netns();
	unsigned char mac[6];
	int tap = make_tap(mac);

	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(9009) };
	inet_pton(AF_INET, HERE, &here.sin_addr);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 200 * MB;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) || bind(fd, (struct sockaddr *)&here, sizeof here))
		die("socket on " HERE);

	unsigned char frame[2048] = { 0 };
	long length = HEADERS + payload;
	memcpy(frame, mac, 6);
	frame[12] = 8; /* IPv4 */
	struct iphdr ip = { .version = 4, .ihl = 5, .tot_len = htons(28 + payload), .ttl = 64, .protocol = IPPROTO_UDP };
	inet_pton(AF_INET, THERE, &ip.saddr);
	inet_pton(AF_INET, HERE, &ip.daddr);
	ip.check = checksum((uint16_t *)&ip, sizeof ip);
	memcpy(frame + 14, &ip, sizeof ip);
	struct udphdr udp = { .source = htons(9008), .dest = htons(9009), .len = htons(8 + payload) };
	memcpy(frame + 34, &udp, sizeof udp);
	/* The same of a protocol that nobody handles (0x88b5, for local experiments): freed at once. */
	unsigned char junk[2048];
	memcpy(junk, frame, sizeof junk);
	junk[12] = 0x88;
	junk[13] = 0xb5;

	long pinned = keep * carved(length);
	if (pinned > FRAGMENT)
		pinned = FRAGMENT;
	long kept = 0, wanted = total * MB / pinned;
	for (; kept < wanted && socket_memory(fd, MEM_D) == 0; kept++) {
		if (write(tap, frame, length) != length)
			die("write to the TAP device");
		for (long i = 1; i < keep; i++)
			if (write(tap, junk, length) != length)
				die("write to the TAP device");
	}
	held(kept * pinned, "bytes of page fragments pinned by %ld packets, %u bytes charged, %ld bytes of payload, netns %s", kept,
	     socket_memory(fd, MEM_R), kept * payload, netns);
	wait_release();
}
