/* inotify: `instances` descriptors with a mark on each of `files` files. The descriptors are few, the marks are many
 * (SUnreclaim; caches of the same size are merged, so slabinfo may show them under another name; fdinfo lists them).
 * The files are on tmpfs and are removed at the end; limits are raised meanwhile. held: growth of SUnreclaim, the files'
 * own inodes left out. */
#include "lab.h"
#include <sys/inotify.h>

#define WATCHES "/proc/sys/fs/inotify/max_user_watches"
#define INSTANCES "/proc/sys/fs/inotify/max_user_instances"
static char old_watches[32], old_instances[32], directory[64];
static long files;

static char *file_name(long file)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%ld", directory, file);
	return path;
}

static void cleanup(void)
{
	if (*old_watches)
		file_value(WATCHES, old_watches, NULL, 0);
	if (*old_instances)
		file_value(INSTANCES, old_instances, NULL, 0);
	for (long i = 0; i < files; i++)
		unlink(file_name(i));
	rmdir(directory);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long instances = arg("instances", 100);
	files = arg("files", 20000);
	args_done();
	prctl(PR_SET_NAME, "inotify_marks");
	snprintf(directory, sizeof directory, "/dev/shm/nailhouse-inotify-%d", getpid());
	lab_cleanup = cleanup;
	char watches[32], number[32];
	snprintf(watches, sizeof watches, "%ld", instances * files + 200000);
	snprintf(number, sizeof number, "%ld", instances + 200);
	if (file_value(WATCHES, watches, old_watches, sizeof old_watches) ||
	    file_value(INSTANCES, number, old_instances, sizeof old_instances))
		die("inotify limits");
	if (mkdir(directory, 0700))
		die("%s", directory);
	for (long i = 0; i < files; i++)
		close(open(file_name(i), O_CREAT | O_WRONLY, 0600));
	long long before = meminfo("SUnreclaim");
	for (long i = 0; i < instances; i++) {
		int fd = inotify_init1(IN_NONBLOCK);
		for (long file = 0; file < files; file++)
			if (inotify_add_watch(fd, file_name(file), IN_ATTRIB) < 0)
				die("inotify_add_watch %ld", file);
	}
	held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld inotify marks of %ld descriptors", instances * files, instances);
	wait_release();
}
