/* io_uring: `rings` rings of `entries` entries each. Kernel pages that no account shows: the submission entries (64
 * bytes each); and twice as many completion entries (16 bytes each) with an index (4 bytes). Each of the two is one
 * block, rounded up to a power of two of pages. In the residual; owners by the io_uring descriptors and their fdinfo.
 * buffers=MB registers that much memory as fixed buffers and then unmaps it: pages pinned, owned by no process, still
 * on the LRU lists: Inactive(anon) grows without AnonPages. */
#include "lab.h"
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static long block(long bytes)
{
	long size = 4096;
	while (size < bytes)
		size *= 2;
	return size;
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long rings = arg("rings", 100), entries = arg("entries", 32768), buffers = arg("buffers", 0);
	args_done();
	many_descriptors(rings);
	long long bytes = 0;
	for (long i = 0; i < rings; i++) {
		struct io_uring_params params = { 0 };
		int fd = syscall(SYS_io_uring_setup, entries, &params);
		if (fd < 0)
			cannot_hold(errno == EPERM || errno == ENOSYS ? "io_uring is switched off" : strerror(errno));
		bytes += block(params.sq_entries * 64) + block(params.cq_entries * 16 + params.sq_entries * 4 + 64);
		if (buffers) {
			struct iovec area = { touched(buffers * MB / rings), buffers * MB / rings };
			if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &area, 1))
				die("IORING_REGISTER_BUFFERS");
			munmap(area.iov_base, area.iov_len);
			bytes += area.iov_len;
		}
	}
	held(bytes, "bytes of %ld rings%s", rings, buffers ? " and registered buffers whose mapping is gone" : "");
	wait_release();
}
