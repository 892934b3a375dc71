/* Ring buffers of perf events: `events` rings of `mb` MB (a power of two), mapped. The kernel takes them page by page, and no account of
 * /proc/meminfo has them, nor any RSS: only the process's VmPin. */
#include "lab.h"
#include <linux/perf_event.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
	lab_start(argv);
	long events = arg("events", 6), mb = arg("mb", 64);
	args_done();
	struct perf_event_attr dummy = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof dummy, .config = PERF_COUNT_SW_DUMMY, .disabled = 1,
	};
	for (long i = 0; i < events; i++) {
		int fd = syscall(SYS_perf_event_open, &dummy, 0, -1, -1, 0);
		if (fd < 0)
			cannot_hold("perf_event_open");
		if (mmap(NULL, mb * MB + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
			die("mmap of a ring");
	}
	held(events * mb * MB, "bytes in the rings of %ld perf events", events);
	wait_release();
}
