/* File events that nobody reads: a program asks to be told of what happens in a directory and never reads what it is told.
 *   kind=inotify   `instances` descriptors, each with all of the `events` (fs.inotify.max_queued_events at the most)
 *   kind=fanotify  one descriptor, whose queue has no limit (FAN_UNLIMITED_QUEUE), as scanners of files have
 * Each event is an object with the file's name (SUnreclaim, kmalloc-cg-*). The files are removed as soon as they are made;
 * limits are raised meanwhile. held: growth of SUnreclaim. */
#include "lab.h"
#include <sys/fanotify.h>
#include <sys/inotify.h>

/* From Linux 5.9 on; not in all headers. */
#ifndef FAN_REPORT_DFID_NAME
#define FAN_REPORT_DFID_NAME 0x00000c00
#endif
#define INSTANCES "/proc/sys/fs/inotify/max_user_instances"
static char old_instances[32], directory[64];

static void cleanup(void)
{
	if (*old_instances)
		file_value(INSTANCES, old_instances, NULL, 0);
	rmdir(directory);
}

static void watch_inotify(long instances)
{
	char number[32];
	snprintf(number, sizeof number, "%ld", instances + 200);
	if (file_value(INSTANCES, number, old_instances, sizeof old_instances))
		die(INSTANCES);
	many_descriptors(instances);
	for (long i = 0; i < instances; i++) {
		int fd = inotify_init1(IN_NONBLOCK);
		if (fd < 0 || inotify_add_watch(fd, directory, IN_CREATE | IN_DELETE) < 0)
			die("inotify");
	}
}

static void watch_fanotify(void)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_UNLIMITED_QUEUE | FAN_REPORT_DFID_NAME | FAN_NONBLOCK, O_RDONLY);
	if (fd < 0 || fanotify_mark(fd, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, directory))
		cannot_hold("fanotify does not tell of names here");
}

int main(int argc, char **argv)
{
	lab_start(argv);
	const char *kind = arg_text("kind", "inotify");
	int inotify = !strcmp(kind, "inotify");
	long instances = arg("instances", inotify ? 60 : 1), events = arg("events", inotify ? 16000 : 500000);
	args_done();
	prctl(PR_SET_NAME, "file_events");
	/* Not on tmpfs, of which fanotify cannot tell names before Linux 6.6. */
	own_folder(directory, sizeof directory, "events");
	lab_cleanup = cleanup;
	long long before = meminfo("SUnreclaim");
	if (inotify)
		watch_inotify(instances);
	else
		watch_fanotify();
	/* Events of the same file are one as long as nobody read them: of fanotify its removal would be. */
	for (long i = 0; i < (inotify ? events / 2 : events); i++) {
		char path[300];
		snprintf(path, sizeof path, "%s/%0200ld", directory, i);
		close(open(path, O_CREAT | O_WRONLY, 0600));
		if (unlink(path))
			die("%s", path);
	}
	held(meminfo("SUnreclaim") - before, "bytes of SUnreclaim for %ld events of %s in each of %ld queues", events, kind, instances);
	wait_release();
}
