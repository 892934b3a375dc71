/* Many small processes of one program: `count` processes named leaky_child with `kb` KB of anonymous memory each;
 * `rate` more a second while held, up to `max`; each has `sockets` UDP sockets. No single one is large. Anonymous memory, page tables and kernel
 * stacks grow together. */
#include "lab.h"
#include <netinet/in.h>

static void spawn(long kb, long sockets)
{
	struct sockaddr_in any = { .sin_family = AF_INET };

	if (lab_fork("leaky_child"))
		return;
	/* Most addresses have a port of their own only if they are several: there are 28,000 to choose from. */
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (getpid() % 64) * 256);
	for (long i = 0; i < sockets; i++)
		if (bind(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&any, sizeof any))
			die("bind");
	touched(kb * 1024);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 400), kb = arg("kb", 1000), rate = arg("rate", 5), max = arg("max", 700), sockets = arg("sockets", 0);
	args_done();
	prctl(PR_SET_NAME, "lab_parent");
	for (long i = 0; i < count; i++)
		spawn(kb, sockets);
	sleep_ms(1000);
	do {
		held(count * kb * 1024, "bytes of anonymous memory in %ld processes, %ld more a second", count, rate);
		if (rate && count < max)
			spawn(kb, sockets), count++;
	} while (!released_within(rate ? 1000 / rate : -1));
	return 0;
}
