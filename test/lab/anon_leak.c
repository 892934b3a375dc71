/* A process whose anonymous memory grows: `start` MB at once, then `rate` MB a second up to `max` MB. rate=0 is the
 * near miss, a large but steady process. lock=1 locks the memory (Unevictable, Mlocked). Shows up in AnonPages and in
 * this process's RssAnon. */
#include "lab.h"

int main(int argc, char **argv)
{
	lab_start(argv);
	long start = arg("start", 200), rate = arg("rate", 10), max = arg("max", 800), lock = arg("lock", 0);
	args_done();
	char *memory = mmap(NULL, max * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	if (lock && mlock2(memory, max * MB, MLOCK_ONFAULT))
		die("mlock2");
	memset(memory, 0x5a, start * MB);

	/* A tenth of a second's worth each tenth of a second. */
	for (long used = start * MB;;) {
		held(used, "bytes of anonymous memory touched, growing by %ld MB/s up to %ld MB", rate, max);
		if (released_within(rate ? 100 : -1))
			return 0;
		long more = rate * MB / 10;
		if (used + more > max * MB)
			more = max * MB - used;
		memset(memory + used, 0x5a, more);
		used += more;
	}
}
