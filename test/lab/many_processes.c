/* Many small processes of one program: `count` processes named leaky_child with `kb` KB of anonymous memory each;
 * `rate` more a second while held, up to `max`. No single one is large. Anonymous memory, page tables and kernel
 * stacks grow together. */
#include "lab.h"

static void spawn(long kb)
{
	if (lab_fork("leaky_child"))
		return;
	touched(kb * 1024);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 400), kb = arg("kb", 1000), rate = arg("rate", 5), max = arg("max", 700);
	args_done();
	prctl(PR_SET_NAME, "lab_parent");
	for (long i = 0; i < count; i++)
		spawn(kb);
	sleep_ms(1000);
	do {
		held(count * kb * 1024, "bytes of anonymous memory in %ld processes, %ld more a second", count, rate);
		if (rate && count < max)
			spawn(kb), count++;
	} while (!released_within(rate ? 1000 / rate : -1));
	return 0;
}
