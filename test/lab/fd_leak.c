/* A descriptor leak: `processes` processes named fd_leak with `count` descriptors each that are never closed, and
 * `rate` more a second, up to a quarter more (several processes, because one may not have more than RLIMIT_NOFILE).
 * What they hold are kernel objects, one for each descriptor:
 *   kind=eventfd  SUnreclaim, and SReclaimable for the dentries: it looks half reclaimable
 *   kind=epoll    an epoll instance that watches one pipe
 *   kind=socket   a TCP socket that was never connected
 * keep=N closes all but one in N again: the few that live pin nearly all slab pages (slab fragmentation); of these held is
 * the growth of SUnreclaim alone, for what the dentries leave free in a cache that all use is soon used again. Else held:
 * growth of SUnreclaim meanwhile, as only the kernel knows the sizes, and a dentry each, a socket's inode too (growth of SReclaimable would
 * count what others do: whoever walks /proc/PID/fd makes an inode and a dentry there for each descriptor). */
#include "lab.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define DENTRY 192
#define SOCKET_INODE 832

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
	long count = arg("count", 15000), processes = arg("processes", 25), rate = arg("rate", 50), keep = arg("keep", 1);
	const char *kind = arg_text("kind", "eventfd");
	args_done();
	prctl(PR_SET_NAME, "lab_parent");
	many_descriptors(count + count / 4);
	volatile long *ready = shared(sizeof *ready);
	long long before = meminfo("SUnreclaim");
	for (long i = 0; i < processes; i++)
		if (!lab_fork("fd_leak")) {
			int *fds = calloc(count, sizeof *fds);
			for (long n = 0; n < count; n++)
				if ((fds[n] = make(kind)) < 0)
					die("%s %ld", kind, n);
			for (long n = 0; n < count; n++)
				if (n % keep)
					close(fds[n]);
			__sync_fetch_and_add(ready, 1);
			for (long more = rate ? count / 4 : 0; more > 0; more--) {
				sleep_ms(1000 / rate);
				make(kind);
			}
			for (;;)
				pause();
		}
	while (*ready < processes)
		sleep_ms(20);
	if (keep > 1)
		sleep_ms(1000); /* files are freed after an RCU grace period */
	long reclaimable = keep > 1 ? 0 : DENTRY + (strcmp(kind, "socket") ? 0 : SOCKET_INODE);
	held(meminfo("SUnreclaim") - before + processes * count * reclaimable,
	     "bytes of Slab for %ld descriptors of %ld processes, kind %s", processes * ((count + keep - 1) / keep), processes, kind);
	wait_release();
}
