/* zram: a device of our own filled with `mb` MB that do not compress. The kernel's pages for it are in vmstat
 * nr_zspages only; mm_stat tells. Reset and removed at the end. */
#include "lab.h"

static char number[16];

static void cleanup(void)
{
	char path[64];
	snprintf(path, sizeof path, "/sys/block/zram%d/reset", atoi(number));
	file_value(path, "1", NULL, 0);
	file_value("/sys/class/zram-control/hot_remove", number, NULL, 0);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 300);
	args_done();
	int control = open("/sys/class/zram-control/hot_add", O_RDONLY);
	if (control < 0 || read(control, number, sizeof number - 1) <= 0)
		cannot_hold("no zram");
	lab_cleanup = cleanup;
	char path[64], size[32];
	snprintf(path, sizeof path, "/sys/block/zram%d/disksize", atoi(number));
	snprintf(size, sizeof size, "%ld", mb * MB);
	if (file_value(path, size, NULL, 0))
		die("%s", path);
	snprintf(path, sizeof path, "/dev/zram%d", atoi(number));
	int fd = -1, random = open("/dev/urandom", O_RDONLY);
	for (int i = 0; fd < 0 && i < 50; i++, sleep_ms(20))
		fd = open(path, O_WRONLY | O_DIRECT);
	char *block = touched(MB);
	for (long i = 0; i < mb; i++)
		if (read(random, block, MB) != MB || write(fd, block, MB) != MB)
			die("write %s", path);
	close(fd);
	held(mb * MB, "bytes in %s that do not compress", path);
	wait_release();
}
