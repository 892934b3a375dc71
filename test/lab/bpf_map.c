/* A BPF map that nobody has open: pinned in a bpffs of our own, its creator has closed it. kind=array: `mb` MB of
 * VmallocUsed. kind=percpu: `mb` MB of Percpu (value x CPUs), and, as memory cgroups charge such memory, a
 * pcpuobj_ext of 8 bytes for each 4 bytes of one CPU's share in VmallocUsed: on two CPUs as much again. Unpinned and
 * unmounted at the end. */
#include "lab.h"
#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/syscall.h>

static char directory[64], pin[128];

static void cleanup(void)
{
	unlink(pin);
	umount(directory);
	rmdir(directory);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 300);
	const char *kind = arg_text("kind", "array");
	args_done();
	long cpus = sysconf(_SC_NPROCESSORS_CONF), value = 4096;
	int percpu = !strcmp(kind, "percpu");
	union bpf_attr map = {
		.map_type = percpu ? BPF_MAP_TYPE_PERCPU_ARRAY : BPF_MAP_TYPE_ARRAY,
		.key_size = 4, .value_size = value, .max_entries = mb * MB / value / (percpu ? cpus : 1), .map_name = "nailhouse",
	};
	snprintf(directory, sizeof directory, "/tmp/nailhouse-bpf-%d", getpid());
	snprintf(pin, sizeof pin, "%s/map", directory);
	lab_cleanup = cleanup;
	if (mkdir(directory, 0700) || mount("bpf", directory, "bpf", 0, NULL))
		die("bpffs on %s", directory);
	int fd = syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map);
	if (fd < 0)
		die("BPF_MAP_CREATE");
	union bpf_attr object = { .pathname = (uintptr_t)pin, .bpf_fd = fd };
	if (syscall(SYS_bpf, BPF_OBJ_PIN, &object, sizeof object))
		die("BPF_OBJ_PIN");
	close(fd);
	held(mb * MB + (percpu ? mb * MB / cpus * 2 : 0), "bytes of a pinned %s map with %ld MB of values", kind, mb);
	wait_release();
}
