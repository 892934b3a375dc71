/* Files on a ramfs that nobody has open: Cached and Unevictable grow, but neither Shmem nor Mlocked. It is mounted in a
 * folder of our own, and unmounted at the end, which gives the memory back. */
#include "lab.h"
#include <sys/mount.h>

static char directory[64];

static void cleanup(void)
{
	umount2(directory, MNT_DETACH);
	rmdir(directory);
}

#define FILE_MB 8

static void add_file(long number)
{
	static char block[FILE_MB * MB];
	char path[128];
	memset(block, 0x5a, sizeof block);
	snprintf(path, sizeof path, "%s/cache-%02ld", directory, number);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, block, sizeof block) != sizeof block)
		die("write %s", path);
	close(fd);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 400);
	args_done();
	snprintf(directory, sizeof directory, "/tmp/nailhouse-ramfs-%d", getpid());
	lab_cleanup = cleanup;
	if (mkdir(directory, 0700) || mount("ramfs", directory, "ramfs", 0, "mode=700"))
		die("ramfs on %s", directory);
	for (long i = 0; i < mb / FILE_MB; i++)
		add_file(i);
	held(mb / FILE_MB * FILE_MB * MB, "bytes of files on a ramfs");
	wait_release();
}
