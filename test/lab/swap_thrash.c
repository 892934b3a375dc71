/* Swap thrash: swap on a zram device of our own, and a process named swap_hog in a memory cgroup with a limit of
 * `limit` MB that writes `want` MB round and round: pages go out and come back all the time (vmstat pswpin, pswpout,
 * workingset_refault_anon), the host itself has memory. want < limit is the near miss. */
#include "lab.h"
#include <sys/swap.h>

static char cgroup[128], number[16], device[32];
static pid_t hog;

static void cleanup(void)
{
	char path[64];
	if (hog > 0)
		kill(hog, SIGKILL), waitpid(hog, NULL, 0);
	swapoff(device);
	for (int i = 0; i < 50 && rmdir(cgroup); i++)
		sleep_ms(20);
	snprintf(path, sizeof path, "/sys/block/zram%d/reset", atoi(number));
	file_value(path, "1", NULL, 0);
	file_value("/sys/class/zram-control/hot_remove", number, NULL, 0);
}

static void set(const char *directory, const char *file, long value)
{
	char path[256], text[32];
	snprintf(path, sizeof path, "%s/%s", directory, file);
	snprintf(text, sizeof text, "%ld", value);
	if (file_value(path, text, NULL, 0))
		die("%s", path);
}

static void make_swap(long mb)
{
	char sys[64];
	int control = open("/sys/class/zram-control/hot_add", O_RDONLY);
	if (control < 0 || read(control, number, sizeof number - 1) <= 0)
		cannot_hold("no zram");
	snprintf(sys, sizeof sys, "/sys/block/zram%d", atoi(number));
	snprintf(device, sizeof device, "/dev/zram%d", atoi(number));
	set(sys, "disksize", mb * MB);
	/* A swap header: version 1 and the last page at 1024, the magic at the end of the first page. */
	char *page = touched(4096);
	memset(page, 0, 4096);
	((uint32_t *)page)[256] = 1;
	((uint32_t *)page)[257] = mb * 256 - 1;
	memcpy(page + 4086, "SWAPSPACE2", 10);
	int fd = -1;
	for (int i = 0; fd < 0 && i < 50; i++, sleep_ms(20))
		fd = open(device, O_WRONLY | O_DIRECT);
	if (write(fd, page, 4096) != 4096 || close(fd) || swapon(device, 0))
		die("swap on %s", device);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long limit = arg("limit", 200), want = arg("want", 400);
	args_done();
	int v1 = !access("/sys/fs/cgroup/memory/tasks", F_OK);
	lab_cleanup = cleanup;
	make_swap(2 * want);
	snprintf(cgroup, sizeof cgroup, "/sys/fs/cgroup/%snailhouse-swap-%d", v1 ? "memory/" : "", getpid());
	if (mkdir(cgroup, 0755))
		die("%s", cgroup);
	set(cgroup, v1 ? "memory.limit_in_bytes" : "memory.max", limit * MB);
	volatile long *rounds = shared(sizeof *rounds);
	hog = lab_fork("swap_hog");
	if (!hog) {
		set(cgroup, "cgroup.procs", 0);
		char *memory = touched(want * MB);
		for (long page = 0;; page++) {
			memory[page * 4096 % (want * MB)]++;
			if (page % 65536 == 0)
				*rounds = 1 + page * 4096 / (want * MB), sleep_ms(1);
		}
	}
	while (*rounds < 2)
		sleep_ms(20);
	held(want * MB, "bytes written round and round within a limit of %ld MB", limit);
	wait_release();
}
