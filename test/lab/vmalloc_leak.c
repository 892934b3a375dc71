/* Kernel memory that only VmallocUsed shows: receive rings of AF_XDP sockets (vmalloc_user), `sockets` of them with
 * `entries` entries of 16 bytes, and `rate` more sockets a second, up to twice as many. /proc/vmallocinfo names the
 * caller, xskq_create; no socket file tells the size. */
#include "lab.h"
#include <linux/if_xdp.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif

static void add(int entries)
{
	int fd = socket(AF_XDP, SOCK_RAW, 0);
	if (fd < 0)
		cannot_hold("no AF_XDP sockets");
	if (setsockopt(fd, 283 /* SOL_XDP */, XDP_RX_RING, &entries, sizeof entries))
		die("XDP_RX_RING");
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long sockets = arg("sockets", 150), entries = arg("entries", 131072), rate = arg("rate", 1);
	args_done();
	for (long i = 0; i < sockets; i++)
		add(entries);
	held(sockets * entries * 16, "bytes of receive rings of %ld AF_XDP sockets, %ld more a second", sockets, rate);
	for (long more = sockets; !released_within(rate && more ? 1000 / rate : -1); more--)
		add(entries);
	return 0;
}
