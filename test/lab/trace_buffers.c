/* Ring buffers of ftrace: `mb` MB, divided among the CPUs. The kernel takes them page by page, and no account of /proc/meminfo has them.
 * hidden=1: tracefs is not mounted while they are held, so that nothing tells of them: a stand-in for a driver that keeps pages. */
#include "lab.h"
#include <sys/mount.h>

#define TRACING "/sys/kernel/tracing"
static int was_mounted;
static char usual_kb[16];

static int is_mounted(void) { return access(TRACING "/buffer_size_kb", F_OK) == 0; }

static void cleanup(void)
{
	if (!is_mounted())
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	file_value(TRACING "/buffer_size_kb", usual_kb, NULL, 0);
	if (!was_mounted)
		umount(TRACING);
}

int main(int argc, char **argv)
{
	char text[64], each_kb[16];
	lab_start(argv);
	long mb = arg("mb", 400), hidden = arg("hidden", 0), cpus = sysconf(_SC_NPROCESSORS_CONF);
	args_done();
	was_mounted = is_mounted();
	if (!was_mounted && mount("tracefs", TRACING, "tracefs", 0, NULL))
		cannot_hold("tracefs");
	snprintf(each_kb, sizeof each_kb, "%ld", mb * 1024 / cpus);
	/* 7 (expanded: 1408): what it is as soon as it is used. */
	if (file_value(TRACING "/buffer_size_kb", each_kb, text, sizeof text))
		die("buffer_size_kb");
	char *expanded = strstr(text, "expanded: ");
	snprintf(usual_kb, sizeof usual_kb, "%ld", atol(expanded ? expanded + strlen("expanded: ") : text));
	lab_cleanup = cleanup;
	if (hidden && umount(TRACING))
		die("umount of tracefs");
	held(mb * 1024 / cpus * cpus * 1024, "bytes in the ring buffers of ftrace");
	wait_release();
}
