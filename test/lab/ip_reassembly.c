/* IP reassembly: first fragments of `size` bytes whose rest never comes, in a network namespace of its own with
 * ipfrag_high_thresh raised to `total` MB and ipfrag_time to ten minutes. Charged to that namespace (its sockstat
 * FRAG memory, bytes), in SUnreclaim; the host's own namespace says 0. */
#include "lab.h"
#include <netinet/ip.h>

static void set(const char *name, long value)
{
	char path[128], text[32];
	snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
	snprintf(text, sizeof text, "%ld", value);
	if (file_value(path, text, NULL, 0))
		die("%s", path);
}

static long frag_memory(void)
{
	char line[256];
	long memory = -1;
	FILE *file = fopen("/proc/thread-self/net/sockstat", "r");
	while (file && fgets(line, sizeof line, file))
		sscanf(line, "FRAG: inuse %*d memory %ld", &memory);
	if (file)
		fclose(file);
	return memory;
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long total = arg("total", 300), size = arg("size", 1400);
	args_done();
	own_netns();
	set("ipfrag_high_thresh", total * MB);
	set("ipfrag_low_thresh", total * MB);
	set("ipfrag_time", LAB_MAX_SECONDS);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	unsigned char packet[2048] = { 0 };
	size &= ~7; /* all but the last fragment are multiples of 8 */
	struct iphdr *ip = (struct iphdr *)packet;
	*ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = 253 /* experiments */,
			      .frag_off = htons(0x2000), .daddr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	/* An id of 16 bits a source; sources are 127.0.0.2 and so on. Stops at the threshold, which evicts nothing. */
	for (long n = 0, last = -1; n < 4000000; n++) {
		ip->id = htons(1 + n % 60000);
		ip->saddr = htonl(INADDR_LOOPBACK + 1 + n / 60000);
		if (sendto(fd, packet, sizeof *ip + size, 0, (struct sockaddr *)&to, sizeof to) < 0)
			die("sendto");
		if (n % 1000 == 999) {
			long now = frag_memory();
			if (now == last || now > total * MB - 4 * MB)
				break;
			last = now;
		}
	}
	held(frag_memory(), "bytes of FRAG memory in an own network namespace, fragments of %ld bytes", size);
	wait_release();
}
