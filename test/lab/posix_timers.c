/* POSIX timers that are created and never deleted: `processes` processes with `count` timers each, then `rate` more a
 * second, up to a sixteenth more; no descriptor tells of them, but /proc/PID/timers does (SUnreclaim; caches of the
 * same size are merged, so slabinfo may show them under another name). Timers count against RLIMIT_SIGPENDING of the
 * user, so each process is another user (60001, ...). held: growth of SUnreclaim. */
#include "lab.h"
#include <sys/syscall.h>

static void create(long count)
{
	for (long n = 0; n < count; n++) {
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
		int id; /* the system call: the C library would keep a structure of its own for each */
		if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id))
			die("timer_create %ld", n);
	}
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 90000), processes = arg("processes", 6), rate = arg("rate", 100);
	args_done();
	prctl(PR_SET_NAME, "lab_parent");
	volatile long *ready = shared(sizeof *ready);
	long long before = meminfo("SUnreclaim");
	for (long i = 0; i < processes; i++)
		if (!lab_fork("posix_timers")) {
			if (setuid(60001 + i) || prctl(PR_SET_PDEATHSIG, SIGKILL)) /* a new user forgets it */
				die("setuid");
			create(count);
			__sync_fetch_and_add(ready, 1);
			for (long more = rate ? count / 16 : 0; more > 0; more--) {
				sleep_ms(1000 / rate);
				create(1);
			}
			for (;;)
				pause();
		}
	while (*ready < processes)
		sleep_ms(20);
	held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld POSIX timers of %ld processes", count * processes, processes);
	wait_release();
}
