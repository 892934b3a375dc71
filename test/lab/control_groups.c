/* `count` memory cgroups that nobody uses and nobody removes, a thousand in a folder, as a runtime leaves them that forgets its containers. Of each the
 * kernel keeps 20 KB of SUnreclaim and some per-CPU data, spread over many caches. Cgroup v1 or v2, wherever the memory controller is.
 * held: growth of SUnreclaim. */
#include "lab.h"

static char base[256];
static long made;

static char *group(long number, int folder)
{
	static char path[320];
	int length = snprintf(path, sizeof path, "%s/%ld", base, number / 1000);
	if (!folder)
		snprintf(path + length, sizeof path - length, "/container-%ld", number);
	return path;
}

static void cleanup(void)
{
	for (long i = made - 1; i >= 0; i--) {
		rmdir(group(i, 0));
		if (i % 1000 == 0)
			rmdir(group(i, 1));
	}
	rmdir(base);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 12000);
	args_done();
	prctl(PR_SET_NAME, "control_groups");
	snprintf(base, sizeof base, "%s/nailhouse-%d",
		 access("/sys/fs/cgroup/memory/tasks", F_OK) ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", getpid());
	lab_cleanup = cleanup;
	if (mkdir(base, 0755))
		die("%s", base);
	long long before = meminfo("SUnreclaim");
	for (; made < count; made++)
		if ((made % 1000 == 0 && mkdir(group(made, 1), 0755)) || mkdir(group(made, 0), 0755))
			die("%s", base);
	held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld control groups", count);
	wait_release();
}
