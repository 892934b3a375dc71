/* Page tables: `processes` processes read one byte in each 2 MiB of a huge empty mapping. Each reading maps the
 * shared zero page and costs one page table of 4 KiB, so that `mb` MB of page tables are needed for almost no RSS
 * (PageTables, VmPTE). */
#include "lab.h"

int main(int argc, char **argv)
{
	lab_start(argv);
	long mb = arg("mb", 300), processes = arg("processes", 4);
	args_done();
	prctl(PR_SET_NAME, "lab_parent");
	long tables = mb * MB / 4096 / processes;
	volatile long *ready = shared(sizeof *ready);
	long long before = meminfo("PageTables");
	for (long i = 0; i < processes; i++)
		if (!lab_fork("page_tables")) {
			volatile char *area = mmap(NULL, tables * 2 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
			if (area == MAP_FAILED)
				die("mmap");
			madvise((void *)area, tables * 2 * MB, MADV_NOHUGEPAGE); /* the huge zero page would need no table */
			for (long table = 0; table < tables; table++)
				(void)area[table * 2 * MB];
			__sync_fetch_and_add(ready, 1);
			for (;;)
				pause();
		}
	while (*ready < processes)
		sleep_ms(20);
	held(processes * tables * 4096, "bytes of page tables in %ld processes; PageTables grew by %lld", processes,
	     meminfo("PageTables") - before);
	wait_release();
}
