/* `files` empty files, a thousand in a folder, on a tmpfs made for it: no memory of theirs is counted as shared memory, df shows 0, but each has an
 * inode (SUnreclaim, shmem_inode_cache) and a dentry (SReclaimable), which cannot be given back. The program has none of them open.
 * held: growth of SUnreclaim. */
#include "lab.h"
#include <sys/mount.h>

static char directory[64];

static void cleanup(void)
{
	umount2(directory, MNT_DETACH);
	rmdir(directory);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long files = arg("files", 350000);
	args_done();
	prctl(PR_SET_NAME, "tmpfs_files");
	own_folder(directory, sizeof directory, "spool");
	lab_cleanup = cleanup;
	if (mount("spool", directory, "tmpfs", 0, "size=64m,nr_inodes=1m"))
		die("mount");
	long long before = meminfo("SUnreclaim");
	for (long i = 0; i < files; i++) {
		char path[128];
		int length = snprintf(path, sizeof path, "%s/%ld", directory, i / 1000);
		if (i % 1000 == 0 && mkdir(path, 0700))
			die("%s", path);
		snprintf(path + length, sizeof path - length, "/%ld", i);
		int fd = open(path, O_CREAT | O_WRONLY, 0600);
		if (fd < 0)
			die("%s", path);
		close(fd);
	}
	held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld empty files", files);
	wait_release();
}
