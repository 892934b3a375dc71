/* Inode cache: creates `count` empty files in directories of our own on a disk and leaves their inodes and dentries
 * in the cache: SReclaimable (ext4_inode_cache, dentry), given back under pressure. Removed at the end. held: growth
 * of SReclaimable. */
#include "lab.h"

#define PER_DIRECTORY 2000
static char root[64];
static long made;

static char *file_name(long file, int directory_only)
{
	static char path[128];
	int length = snprintf(path, sizeof path, "%s/%ld", root, file / PER_DIRECTORY);
	if (!directory_only)
		snprintf(path + length, sizeof path - length, "/%ld", file);
	return path;
}

static void cleanup(void)
{
	for (long i = made - 1; i >= 0; i--) {
		unlink(file_name(i, 0));
		if (i % PER_DIRECTORY == 0)
			rmdir(file_name(i, 1));
	}
	rmdir(root);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long count = arg("count", 200000);
	args_done();
	lab_cleanup = cleanup;
	own_folder(root, sizeof root, "inodes");
	long long before = meminfo("SReclaimable");
	for (long i = 0; i < count; made = ++i) {
		if (i % PER_DIRECTORY == 0)
			mkdir(file_name(i, 1), 0700);
		int fd = open(file_name(i, 0), O_CREAT | O_WRONLY, 0600);
		if (fd < 0)
			die("file %ld", i);
		close(fd);
	}
	held(meminfo("SReclaimable") - before, "bytes of reclaimable Slab for %ld files", count);
	wait_release();
}
