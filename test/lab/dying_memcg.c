/* Removed memory cgroups: `count` times, a cgroup is made, a process in it writes one page of a file on tmpfs, and the cgroup is removed.
 * The page keeps it alive: about 25 KB each over Slab, Percpu and VmallocUsed. /proc/cgroups num_cgroups stays far above the number of
 * directories. Deleting the file lets them go. Cgroup v1 or v2, wherever the memory controller is. held: growth of Slab + Percpu. */
#include "lab.h"

static char base[256], file[64];

static void cleanup(void)
{
	unlink(file);
	rmdir(base);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 4000);
	args_done();
	const char *root = access("/sys/fs/cgroup/memory/tasks", F_OK) ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
	snprintf(base, sizeof base, "%s/nailhouse-%d", root, getpid());
	snprintf(file, sizeof file, "/dev/shm/nailhouse-memcg-%d", getpid());
	lab_cleanup = cleanup;
	if (mkdir(base, 0755))
		die("%s", base);
	int fd = open(file, O_RDWR | O_CREAT | O_EXCL, 0600);
	char path[300], procs[320], back[320], page[4096] = { 1 };
	snprintf(back, sizeof back, "%s/cgroup.procs", root);
	long long before = meminfo("Slab") + meminfo("Percpu");
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%ld", base, i);
		snprintf(procs, sizeof procs, "%s/cgroup.procs", path);
		if (mkdir(path, 0755) || file_value(procs, "0", NULL, 0) || pwrite(fd, page, sizeof page, i * 4096) < 0 ||
		    file_value(back, "0", NULL, 0) || rmdir(path))
			die("%s", path);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(stderr, "%ld s\n", now.tv_sec-start.tv_sec);
	held(meminfo("Slab") + meminfo("Percpu") - before, "bytes of Slab and Percpu for %ld removed memory cgroups", count);
	wait_release();
}
