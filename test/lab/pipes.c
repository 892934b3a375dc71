/* Pipe buffers: `pipes` pipes of `kb` KB each, filled and never read. No counter of the kernel tells: in the
 * residual. */
#include "lab.h"

int main(int argc, char **argv)
{
	lab_start(argv);
	long pipes = arg("pipes", 300), kb = arg("kb", 1024);
	args_done();
	many_descriptors(pipes * 2);
	static char data[65536];
	long long bytes = 0;
	for (long i = 0; i < pipes; i++) {
		int ends[2];
		if (pipe2(ends, O_NONBLOCK) || fcntl(ends[1], F_SETPIPE_SZ, kb * 1024) < 0)
			die("pipe");
		for (ssize_t n; (n = write(ends[1], data, sizeof data)) > 0;)
			bytes += n;
	}
	held(bytes, "bytes in %ld unread pipes", pipes);
	wait_release();
}
