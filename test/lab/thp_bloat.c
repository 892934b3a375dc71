/* Huge pages make a small working set large: `mb` MB of memory advised MADV_HUGEPAGE, of each 2 MiB only `touch`
 * pages of 4 KiB are written. The program needs mb * touch / 512, the kernel gives mb: AnonHugePages, AnonPages and
 * RSS show all of it. touch=512 is the near miss: every page is used. */
#include "lab.h"

#define HUGE (2 * MB)

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 500), touch = arg("touch", 1);
	args_done();
	char *area = mmap(NULL, mb * MB + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		die("mmap");
	area = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	if (madvise(area, mb * MB, MADV_HUGEPAGE))
		cannot_hold("no transparent huge pages (MADV_HUGEPAGE is refused)");
	long long before = meminfo("AnonHugePages");
	for (char *huge = area; huge < area + mb * MB; huge += HUGE)
		for (long page = 0; page < touch; page++)
			huge[page * 4096] = 1;
	long long bytes = meminfo("AnonHugePages") - before;
	held(bytes, "bytes of huge pages, %ld KiB of them touched", mb / 2 * touch * 4);
	wait_release();
}
