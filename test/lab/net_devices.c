/* Network devices that nobody removes: `count` TAP devices that stay without a program (IFF_PERSIST), in a network namespace of its own, with which they go.
 * What one takes is spread over two dozen slab caches. */
#include "lab.h"
#include <linux/if_tun.h>

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 5000);
	args_done();
	prctl(PR_SET_NAME, "device_hog");
	own_netns();
	long long before = meminfo("SUnreclaim");
	for (long i = 0; i < count; i++) {
		struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
		int fd = open("/dev/net/tun", O_RDWR);
		snprintf(request.ifr_name, sizeof request.ifr_name, "leaked%ld", i);
		if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETPERSIST, 1))
			die("device %ld", i);
		close(fd);
	}
	held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld network devices", count);
	wait_release();
}
