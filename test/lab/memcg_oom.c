/* A memory cgroup's own OOM: a process named memcg_hog in a cgroup with a limit of `limit` MB wants `want` MB and is
 * killed; the kernel log says so, the cgroup (kept while held) counts it, the host is not short of memory. want <
 * limit is the near miss: no kill. */
#include "lab.h"

static char cgroup[128];
static pid_t hog;

static void cleanup(void)
{
	if (hog > 0)
		kill(hog, SIGKILL), waitpid(hog, NULL, 0);
	for (int i = 0; i < 50 && rmdir(cgroup); i++)
		sleep_ms(20);
}

static int set(const char *file, long value)
{
	char path[256], text[32];
	snprintf(path, sizeof path, "%s/%s", cgroup, file);
	snprintf(text, sizeof text, "%ld", value);
	return file_value(path, text, NULL, 0);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long limit = arg("limit", 200), want = arg("want", 400);
	args_done();
	int v1 = !access("/sys/fs/cgroup/memory/tasks", F_OK);
	snprintf(cgroup, sizeof cgroup, "/sys/fs/cgroup/%snailhouse-oom-%d", v1 ? "memory/" : "", getpid());
	lab_cleanup = cleanup;
	if (mkdir(cgroup, 0755) || set(v1 ? "memory.limit_in_bytes" : "memory.max", limit * MB))
		die("%s", cgroup);
	volatile long *ready = shared(sizeof *ready);
	hog = lab_fork("memcg_hog");
	if (!hog) {
		if (set("cgroup.procs", 0))
			die("cgroup.procs");
		touched(want * MB);
		*ready = 1;
		for (;;)
			pause();
	}
	int status = 0;
	while (!*ready && !waitpid(hog, &status, WNOHANG))
		sleep_ms(20);
	if (*ready != (want < limit) || (!*ready && WTERMSIG(status) != SIGKILL))
		die("%s", *ready ? "nobody was killed" : "memcg_hog ended otherwise");
	held(*ready ? want * MB : 0, "bytes; memcg_hog %s at a limit of %ld MB", *ready ? "lives" : "was killed", limit);
	wait_release();
}
