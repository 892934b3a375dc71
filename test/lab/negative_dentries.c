/* Negative dentries: looks up `count` names that do not exist in a directory of our own on a disk (tmpfs keeps none).
 * Each costs a dentry and, for a name this long, a kmalloc of 256 bytes: both SReclaimable, given back under
 * pressure. /proc/sys/fs/dentry-state counts them (fifth number). Removing the directory frees them. held: growth of
 * SReclaimable. */
#include "lab.h"

static char directory[128];

static void cleanup(void) { rmdir(directory); }

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 700000);
	args_done();
	lab_cleanup = cleanup;
	own_folder(directory, sizeof directory, "negative");
	int fd = open(directory, O_RDONLY | O_DIRECTORY);
	long long before = meminfo("SReclaimable");
	char name[201];
	struct stat status;
	for (long i = 0; i < count; i++) {
		snprintf(name, sizeof name, "missing-%0192ld", i);
		if (!fstatat(fd, name, &status, 0))
			die("%s exists", name);
	}
	held(meminfo("SReclaimable") - before, "bytes of reclaimable Slab for %ld lookups of missing names", count);
	wait_release();
}
