/* Shared by the fault programs. Protocol: `NAME key=value...` builds its fault up, prints one line `held BYTES note` (and
 * again whenever it has become more), holds until its standard input is closed or `seconds` are over, puts back what it
 * changed and exits. Exit 1: a call failed (stderr says which); exit 2: this kernel cannot hold this fault. */
#ifndef NAILHOUSE_LAB_H
#define NAILHOUSE_LAB_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MB (1024L * 1024)
#define LAB_MAX_SECONDS 600

static char **lab_args;
static unsigned long lab_used;       /* bit n: argument n was asked for */
static long lab_seconds = 120;
static pid_t lab_owner;              /* only this process cleans up */
static void (*lab_cleanup)(void);    /* puts back what would outlive the process */

static void lab_end(int code)
{
	if (getpid() == lab_owner && lab_cleanup) {
		void (*cleanup)(void) = lab_cleanup;
		lab_cleanup = NULL;
		cleanup();
	}
	_exit(code);
}

static void lab_signal(int number) { lab_end(128 + number); }

__attribute__((format(printf, 1, 2), unused)) static void die(const char *format, ...)
{
	int error = errno;
	va_list list;
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, ": %s\n", strerror(error));
	lab_end(1);
}

__attribute__((unused)) static void cannot_hold(const char *reason)
{
	fprintf(stderr, "this kernel cannot hold it: %s\n", reason);
	lab_end(2);
}

/* A fault program must end by itself, whatever becomes of the harness. */
static void lab_start(char **argv)
{
	lab_args = argv + 1;
	lab_owner = getpid();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, lab_signal);
	signal(SIGTERM, lab_signal);
	signal(SIGINT, lab_signal);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

__attribute__((unused)) static const char *arg_text(const char *key, const char *otherwise)
{
	size_t length = strlen(key);
	for (int i = 0; lab_args[i]; i++)
		if (!strncmp(lab_args[i], key, length) && lab_args[i][length] == '=') {
			lab_used |= 1ul << i;
			return lab_args[i] + length + 1;
		}
	return otherwise;
}

static long arg(const char *key, long otherwise)
{
	const char *text = arg_text(key, NULL);
	if (!text)
		return otherwise;
	char *end;
	long value = strtol(text, &end, 10);
	if (end == text || *end || value < 0) {
		fprintf(stderr, "%s=%s is not a whole number\n", key, text);
		lab_end(1);
	}
	return value;
}

/* To be called after the last arg(): an argument that nobody asked for is a mistake. Starts the clock. */
static void args_done(void)
{
	lab_seconds = arg("seconds", lab_seconds);
	if (lab_seconds < 1 || lab_seconds > LAB_MAX_SECONDS)
		lab_seconds = LAB_MAX_SECONDS;
	for (int i = 0; lab_args[i]; i++)
		if (!(lab_used & 1ul << i)) {
			fprintf(stderr, "unknown argument %s\n", lab_args[i]);
			lab_end(1);
		}
	alarm(lab_seconds);
}

/* A child with its own name that dies with its parent, or by its own clock. Returns 0 in the child. */
__attribute__((unused)) static pid_t lab_fork(const char *name)
{
	pid_t parent = getpid(), child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		prctl(PR_SET_NAME, name);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		alarm(lab_seconds);
	}
	return child;
}

__attribute__((format(printf, 2, 3), unused)) static void held(long long bytes, const char *format, ...)
{
	va_list list;
	printf("held %lld ", bytes);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
}

/* True when the standard input was closed within the time (-1: for ever). */
static int released_within(int milliseconds)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char byte;
	return poll(&input, 1, milliseconds) > 0 && read(0, &byte, 1) <= 0;
}

__attribute__((unused)) static void wait_release(void)
{
	while (!released_within(-1))
		;
	lab_end(0);
}

/* Private anonymous memory, each page written. */
__attribute__((unused)) static char *touched(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap %zu", bytes);
	return memset(memory, 0x5a, bytes);
}

/* Zeroed memory that this process and its children share: counters. */
__attribute__((unused)) static void *shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

__attribute__((unused)) static void sleep_ms(long milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	nanosleep(&time, NULL);
}

/* What a socket is charged for: sk_get_meminfo(), the same figures as ss prints in skmem(). */
enum { MEM_R, MEM_RB, MEM_T, MEM_TB, MEM_F, MEM_W, MEM_O, MEM_BL, MEM_D, MEM_COUNT };
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
__attribute__((unused)) static uint32_t socket_memory(int fd, int which)
{
	uint32_t values[MEM_COUNT] = { 0 };
	socklen_t length = sizeof values;
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length))
		die("SO_MEMINFO");
	return values[which];
}

/* Writes a sysctl or another one-value file; the old value is put into `old` (when wanted) to be written back. */
__attribute__((unused)) static int file_value(const char *path, const char *value, char *old, size_t size)
{
	if (old) {
		int fd = open(path, O_RDONLY);
		ssize_t length = fd < 0 ? -1 : read(fd, old, size - 1);
		if (fd >= 0)
			close(fd);
		if (length < 0)
			return -1;
		old[length] = 0;
	}
	int fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	ssize_t written = write(fd, value, strlen(value));
	int error = errno;
	close(fd);
	errno = error;
	return written < 0 ? -1 : 0;
}

/* A field of /proc/meminfo, in bytes. For objects whose size only the kernel knows: what it grew by is what is held. */
__attribute__((unused)) static long long meminfo(const char *field)
{
	char line[128];
	long long kilobytes = -1;
	size_t length = strlen(field);
	FILE *file = fopen("/proc/meminfo", "r");
	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, field, length) && line[length] == ':')
			kilobytes = atoll(line + length + 1);
	if (file)
		fclose(file);
	if (kilobytes < 0)
		die("/proc/meminfo has no %s", field);
	return kilobytes * 1024;
}

/* A network namespace of its own with its loopback up; it goes with the process. */
__attribute__((unused)) static void own_netns(void)
{
	if (unshare(CLONE_NEWNET))
		die("unshare(CLONE_NEWNET)");
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &lo))
		die("lo up");
	close(fd);
}

/* A folder of its own on a disk, whose path it writes to `path`; lab_cleanup removes it. */
__attribute__((unused)) static void own_folder(char *path, size_t size, const char *name)
{
	snprintf(path, size, "/var/tmp/nailhouse-%s-%d", name, getpid());
	if (mkdir(path, 0700))
		die("%s", path);
}

/* Room for that many descriptors. Beyond the hard limit only with CAP_SYS_RESOURCE, which not every root has. */
__attribute__((unused)) static void many_descriptors(long count)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = count + 64;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE %ld", count);
}
#endif
