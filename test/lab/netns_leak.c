/* Network namespaces that nothing runs in: netns_hog makes `count` of them and keeps each by an open descriptor. What one takes is spread over two
 * dozen slab caches. */
#include "lab.h"

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 1500);
	args_done();
	prctl(PR_SET_NAME, "netns_hog");
	many_descriptors(count);
	int home = open("/proc/self/ns/net", O_RDONLY);
	long long before = meminfo("SUnreclaim");
	for (long i = 0; i < count; i++)
		if (unshare(CLONE_NEWNET) || open("/proc/self/ns/net", O_RDONLY) < 0)
			die("namespace %ld", i);
	if (home < 0 || setns(home, CLONE_NEWNET))
		die("setns");
	held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld network namespaces", count);
	wait_release();
}
