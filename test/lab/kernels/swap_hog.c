/* One process that writes `want` MB round and round: with less RAM than that and with swap, pages go out and come back all the time. After
 * every 4 MB it rests for `rest` ms, or an emulated CPU would do nothing else. */
#include "../lab.h"

int main(int argc, char **argv)
{
	lab_start(argv);
	long want = arg("want", 800), rest = arg("rest", 20);
	args_done();
	char *memory = touched(want * MB);
	held(want * MB, "bytes written round and round");
	for (long at = 0; !(at % (4 * MB) == 0 && released_within(rest)); at = (at + 4096) % (want * MB))
		memory[at]++;
	return 0;
}
