/* Reserves `mb` MB of 2 MiB huge pages (vm.nr_hugepages) that nobody uses. They are Hugetlb, not free, in no process.
 * used=1 is the near miss: a process has them mapped and touched. file=1: they are those of a file on a hugetlbfs made for it, as a killed program
 * leaves it behind; with used=1, too, the program still has it mapped. The old number is put back. */
#include "lab.h"
#include <sys/mount.h>

#define FILE_NUMBER "/proc/sys/vm/nr_hugepages"
static char old[32], directory[64], path[80], *memory;
static long long bytes;

static void cleanup(void)
{
	if (memory)
		munmap(memory, bytes);
	if (*directory) {
		unlink(path);
		umount2(directory, MNT_DETACH);
		rmdir(directory);
	}
	file_value(FILE_NUMBER, old, NULL, 0);
}

static int file_of_huge_pages(void)
{
	own_folder(directory, sizeof directory, "huge");
	snprintf(path, sizeof path, "%s/left", directory);
	int fd;
	if (mount("none", directory, "hugetlbfs", 0, NULL) ||
	    (fd = open(path, O_CREAT | O_RDWR, 0600)) < 0 || ftruncate(fd, bytes))
		die("%s", directory);
	return fd;
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 400), used = arg("used", 0), file = arg("file", 0);
	args_done();
	char wanted[32];
	snprintf(wanted, sizeof wanted, "%ld", mb / 2);
	long long before = meminfo("Hugetlb");
	if (file_value(FILE_NUMBER, wanted, old, sizeof old))
		die(FILE_NUMBER);
	lab_cleanup = cleanup;
	bytes = meminfo("Hugetlb") - before;
	if (used || file) {
		int fd = file ? file_of_huge_pages() : -1;
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, fd, 0);
		if (memory == MAP_FAILED)
			die("mmap of huge pages");
		memset(memory, 0x5a, bytes);
		close(fd);
	}
	if (file && !used) {
		munmap(memory, bytes);
		memory = NULL;
	}
	held(bytes, "bytes of huge pages reserved, %s", used ? "in use" : file ? "left in a file" : "unused");
	wait_release();
}
