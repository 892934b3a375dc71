/* A descriptor leak: `processes` processes named fd_leak with `count` descriptors each that are never closed (several, because a
 * process may not have more than RLIMIT_NOFILE). What they hold are kernel objects, one for each descriptor:
 *   kind=eventfd  SUnreclaim, and SReclaimable for the dentries: it looks half reclaimable
 *   kind=epoll    an epoll instance that watches one pipe
 *   kind=socket   a TCP socket that was never connected
 * held: growth of Slab meanwhile, as only the kernel knows the sizes. */
#include "lab.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int make(const char *kind)
{
	static int ends[2];
	if (!strcmp(kind, "eventfd"))
		return eventfd(0, 0);
	if (!strcmp(kind, "socket"))
		return socket(AF_INET, SOCK_STREAM, 0);
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0);
	if (!ends[0] && pipe(ends))
		return -1;
	return fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, ends[0], &event) ? -1 : fd;
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 19000), processes = arg("processes", 20);
	const char *kind = arg_text("kind", "eventfd");
	args_done();
	prctl(PR_SET_NAME, "lab_parent");
	many_descriptors(count);
	volatile long *ready = shared(sizeof *ready);
	long long before = meminfo("Slab");
	for (long i = 0; i < processes; i++)
		if (!lab_fork("fd_leak")) {
			for (long n = 0; n < count; n++)
				if (make(kind) < 0)
					die("%s %ld", kind, n);
			__sync_fetch_and_add(ready, 1);
			for (;;)
				pause();
		}
	while (*ready < processes)
		sleep_ms(20);
	held(meminfo("Slab") - before, "bytes of Slab for %ld descriptors of %ld processes, kind %s", processes * count, processes, kind);
	wait_release();
}
