/* Shared memory that no process maps: Shmem (and Cached) grow, no process's RSS does.
 *   kind=memfd    a memfd, held by its descriptor alone
 *   kind=deleted  a file on tmpfs that was deleted while open: df counts it, du does not
 *   kind=tmpfs    a plain file on tmpfs, which nobody has open
 *   kind=private  a plain file on a tmpfs of a mount namespace of our own, as a container's, which nobody has open
 *   kind=sysv     a SysV segment that nobody is attached to, and whose creator is gone
 * ipc_namespace=1: that segment is in an IPC namespace of our own, as a container's.
 * mapped=1 is the near miss: the same memory, mapped and in use. */
#include "lab.h"
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/shm.h>

static char path[64];
static int segment = -1;

static void cleanup(void)
{
	if (*path)
		unlink(path);
	if (segment >= 0)
		shmctl(segment, IPC_RMID, NULL);
}

static void fill_segment(long mb)
{
	pid_t creator = fork();
	if (creator == 0) {
		char *memory = shmat(segment, NULL, 0);
		if (memory == (void *)-1)
			_exit(1);
		memset(memory, 0x5a, mb * MB);
		_exit(0);
	}
	int status;
	if (creator < 0 || waitpid(creator, &status, 0) < 0 || status)
		die("SysV segment");
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 400), mapped = arg("mapped", 0), ipc_namespace = arg("ipc_namespace", 0);
	const char *kind = arg_text("kind", "memfd");
	args_done();
	lab_cleanup = cleanup;
	int fd = -1;
	if (!strcmp(kind, "sysv")) {
		if (ipc_namespace && unshare(CLONE_NEWIPC))
			die("unshare(CLONE_NEWIPC)");
		segment = shmget(IPC_PRIVATE, mb * MB, IPC_CREAT | 0600);
		if (segment < 0)
			die("shmget");
		fill_segment(mb);
		if (mapped && shmat(segment, NULL, 0) == (void *)-1)
			die("shmat");
	} else if (!strcmp(kind, "memfd")) {
		fd = memfd_create("nailhouse", MFD_CLOEXEC);
	} else {
		/* It goes with the namespace. */
		if (!strcmp(kind, "private") &&
		    (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		     mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=700")))
			die("private tmpfs");
		snprintf(path, sizeof path, "/dev/shm/nailhouse-%d", getpid());
		fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	}
	if (segment < 0) {
		char *block = malloc(MB);
		memset(block, 0x5a, MB);
		for (long i = 0; i < mb; i++)
			if (write(fd, block, MB) != MB)
				die("write %s", kind);
	}
	if (mapped && segment < 0) {
		char *memory = mmap(NULL, mb * MB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
		if (memory == MAP_FAILED)
			die("mmap");
	}
	if (!strcmp(kind, "deleted"))
		unlink(path);
	if (!strcmp(kind, "tmpfs") || !strcmp(kind, "private"))
		close(fd);
	held(mb * MB, "bytes of shared memory, kind %s, %s", kind, mapped ? "mapped" : "not mapped");
	wait_release();
}
