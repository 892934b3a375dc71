/* A host full of page cache: writes a file of `mb` MB in `dir` (a disk, not tmpfs) and reads it again. Shows up in
 * Cached and is given back under pressure: healthy. The file is written back first, so the cache is clean, and is
 * removed at the end. */
#include "lab.h"

static char path[4096];

static void cleanup(void) { unlink(path); }

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 800);
	snprintf(path, sizeof path, "%s/nailhouse-page-cache-%d", arg_text("dir", "/var/tmp"), getpid());
	args_done();
	lab_cleanup = cleanup;
	char *block = malloc(MB);
	memset(block, 0x5a, MB);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		die("%s", path);
	for (long i = 0; i < mb; i++)
		if (write(fd, block, MB) != MB)
			die("write");
	if (fsync(fd))
		die("fsync");
	for (long i = 0; i < mb; i++)
		if (pread(fd, block, MB, i * MB) != MB)
			die("read");
	close(fd);
	held(mb * MB, "bytes of %s in the page cache", path);
	wait_release();
}
