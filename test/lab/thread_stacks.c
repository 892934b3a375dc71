/* Kernel stacks: one process with `threads` threads that only wait. Each costs a kernel stack of 16 KiB (KernelStack,
 * also in VmallocUsed), about 5 KB of task_struct and more (Slab), and 4 KiB of user stack here. */
#include "lab.h"
#include <linux/futex.h>
#include <sys/syscall.h>

#define USER_STACK 4096

static int waiting;

static int wait_for_ever(void *unused)
{
	for (;;)
		syscall(SYS_futex, &waiting, FUTEX_WAIT, 0, NULL, NULL, 0);
	return 0;
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long threads = arg("threads", 15000);
	args_done();
	char *stacks = mmap(NULL, threads * USER_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stacks == MAP_FAILED)
		die("mmap");
	long long before = meminfo("KernelStack");
	for (long i = 0; i < threads; i++)
		if (clone(wait_for_ever, stacks + (i + 1) * USER_STACK,
			  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL) < 0)
			die("thread %ld", i);
	held(meminfo("KernelStack") - before, "bytes of kernel stacks of %ld threads", threads);
	wait_release();
}
