/* Reserves `mb` MB of 2 MiB huge pages (vm.nr_hugepages) that nobody uses. They are Hugetlb, not free, in no process.
 * used=1 is the near miss: a process has them mapped and touched. The old number is put back. */
#include "lab.h"

#define FILE_NUMBER "/proc/sys/vm/nr_hugepages"
static char old[32], *memory;
static long long bytes;

static void cleanup(void)
{
	if (memory)
		munmap(memory, bytes);
	file_value(FILE_NUMBER, old, NULL, 0);
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 400), used = arg("used", 0);
	args_done();
	char wanted[32];
	snprintf(wanted, sizeof wanted, "%ld", mb / 2);
	long long before = meminfo("Hugetlb");
	if (file_value(FILE_NUMBER, wanted, old, sizeof old))
		die(FILE_NUMBER);
	lab_cleanup = cleanup;
	bytes = meminfo("Hugetlb") - before;
	if (used) {
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		if (memory == MAP_FAILED)
			die("mmap MAP_HUGETLB");
		memset(memory, 0x5a, bytes);
	}
	held(bytes, "bytes of huge pages reserved, %s", used ? "in use" : "unused");
	wait_release();
}
