/* AF_PACKET receive rings: `sockets` sockets with a ring of `mb` MB each, bound to no device, so nothing is captured.
 * In the residual; /proc/net/packet says Rmem 0, sockstat nothing; ss -0e tells the ring's size. mapped=1: the owner
 * maps them, as capture programs do (Mapped and its RSS grow, too). */
#include "lab.h"
#include <linux/if_packet.h>

#define BLOCK (64 * 1024)

int main(int argc, char **argv)
{
	lab_start(argv);
	long sockets = arg("sockets", 5), mb = arg("mb", 64), mapped = arg("mapped", 0);
	args_done();
	for (long i = 0; i < sockets; i++) {
		int fd = socket(AF_PACKET, SOCK_RAW, 0), version = TPACKET_V2;
		struct tpacket_req ring = { .tp_block_size = BLOCK, .tp_block_nr = mb * MB / BLOCK, .tp_frame_size = 2048,
					    .tp_frame_nr = mb * MB / 2048 };
		if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) ||
		    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring))
			die("PACKET_RX_RING");
		if (mapped && mmap(NULL, mb * MB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
			die("mmap");
	}
	held(sockets * mb * MB, "bytes of %ld receive rings, %s", sockets, mapped ? "mapped" : "not mapped");
	wait_release();
}
