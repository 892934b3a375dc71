/* Removed memory cgroups: `count` times (then `rate` times a second, up to twice as often), a cgroup is made, a
 * process in it writes one page of a file on tmpfs, and the cgroup is removed. The page keeps it alive: about 25 KB
 * each over Slab, Percpu, VmallocUsed and Shmem. /proc/cgroups num_cgroups stays far above the number of directories.
 * Deleting the file lets them go. Cgroup v1 or v2, wherever the memory controller is. held: the growth of all four. */
#include "lab.h"

static char base[256], file[64];

static void cleanup(void)
{
	unlink(file);
	rmdir(base);
}

static long long total(void) { return meminfo("Slab") + meminfo("Percpu") + meminfo("VmallocUsed") + meminfo("Shmem"); }

static void one(const char *root, int fd, long number)
{
	char path[300], inside[320], outside[320], page[4096] = { 1 };
	snprintf(path, sizeof path, "%s/%ld", base, number);
	snprintf(inside, sizeof inside, "%s/cgroup.procs", path);
	snprintf(outside, sizeof outside, "%s/cgroup.procs", root);
	if (mkdir(path, 0755) || file_value(inside, "0", NULL, 0) || pwrite(fd, page, sizeof page, number * 4096) < 0 ||
	    file_value(outside, "0", NULL, 0) || rmdir(path))
		die("%s", path);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 12000), rate = arg("rate", 50), number = 0;
	args_done();
	const char *root = access("/sys/fs/cgroup/memory/tasks", F_OK) ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
	snprintf(base, sizeof base, "%s/nailhouse-%d", root, getpid());
	snprintf(file, sizeof file, "/dev/shm/nailhouse-memcg-%d", getpid());
	lab_cleanup = cleanup;
	if (mkdir(base, 0755))
		die("%s", base);
	int fd = open(file, O_RDWR | O_CREAT | O_EXCL, 0600);
	long long before = total();
	while (number < count)
		one(root, fd, number++);
	held(total() - before,
	     "bytes of Slab, Percpu, VmallocUsed and Shmem for %ld removed memory cgroups, %ld more a second", count, rate);
	while (!released_within(rate ? 1000 / rate : -1))
		if (number < 2 * count)
			one(root, fd, number++);
	lab_end(0);
}
