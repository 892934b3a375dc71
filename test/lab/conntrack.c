/* Connection tracking: `entries` entries (then `rate` more a second, up to a quarter more) in a network namespace of
 * its own, made by ctnetlink (as conntrackd does), with a timeout of ten minutes. SUnreclaim (nf_conntrack and its
 * extensions); the count is per namespace: the host's own says 0. Where nf_conntrack_max is lower it is raised
 * meanwhile. */
#include "lab.h"
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#define MAXIMUM "/proc/sys/net/netfilter/nf_conntrack_max"
static char old[32];
static int host_maximum = -1;

static void cleanup(void)
{
	if (host_maximum >= 0 && pwrite(host_maximum, old, strlen(old), 0) < 0)
		perror(MAXIMUM);
}

static char buffer[65536], *end;

static struct nlattr *put(int type, const void *data, int bytes)
{
	struct nlattr *attribute = (struct nlattr *)end;
	*attribute = (struct nlattr){ .nla_len = NLA_HDRLEN + bytes, .nla_type = type };
	memcpy(end + NLA_HDRLEN, data, bytes);
	end += NLA_HDRLEN + NLA_ALIGN(bytes);
	return attribute;
}

static struct nlattr *open_nest(int type) { return put(type | NLA_F_NESTED, "", 0); }
static void close_nest(struct nlattr *nest) { nest->nla_len = end - (char *)nest; }

static void tuple(int type, uint32_t from, uint32_t to, uint16_t from_port, uint16_t to_port)
{
	uint8_t udp = IPPROTO_UDP;
	struct nlattr *outer = open_nest(type), *inner = open_nest(CTA_TUPLE_IP);
	put(CTA_IP_V4_SRC, &from, 4), put(CTA_IP_V4_DST, &to, 4);
	close_nest(inner);
	inner = open_nest(CTA_TUPLE_PROTO);
	put(CTA_PROTO_NUM, &udp, 1), put(CTA_PROTO_SRC_PORT, &from_port, 2), put(CTA_PROTO_DST_PORT, &to_port, 2);
	close_nest(inner);
	close_nest(outer);
}

static void entry(long n)
{
	struct nlmsghdr *message = (struct nlmsghdr *)end;
	*message = (struct nlmsghdr){ .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
				       .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE };
	end += NLMSG_HDRLEN;
	*(struct nfgenmsg *)end = (struct nfgenmsg){ .nfgen_family = AF_INET };
	end += NLMSG_ALIGN(sizeof(struct nfgenmsg));
	uint32_t here = htonl(0x0a000001 + n / 50000), there = htonl(0xc6336401); /* 10.x, TEST-NET-2 */
	uint16_t port = htons(1024 + n % 50000), echo = htons(7);
	uint32_t status = htonl(8 /* IPS_CONFIRMED */), timeout = htonl(LAB_MAX_SECONDS);
	tuple(CTA_TUPLE_ORIG, here, there, port, echo);
	tuple(CTA_TUPLE_REPLY, there, here, echo, port);
	put(CTA_STATUS, &status, 4), put(CTA_TIMEOUT, &timeout, 4);
	message->nlmsg_len = end - (char *)message;
}

static void add(int fd, long from, long to)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	while (from < to) {
		end = buffer;
		for (int batch = 0; batch < 200 && from < to; batch++)
			entry(from++);
		if (sendto(fd, buffer, end - buffer, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
			die("ctnetlink");
	}
}

int main(int argc, char **argv)
{
	lab_start(argv);
	long entries = arg("entries", 800000), rate = arg("rate", 2000), most = entries + entries / 4;
	args_done();
	char wanted[32];
	snprintf(wanted, sizeof wanted, "%ld", most + 1000);
	host_maximum = open(MAXIMUM, O_RDWR); /* opened here: it is this namespace's, whatever namespace we are in later */
	if (host_maximum < 0 || read(host_maximum, old, sizeof old - 1) < 0)
		die(MAXIMUM);
	lab_cleanup = cleanup;
	if (atol(old) < most + 1000 && pwrite(host_maximum, wanted, strlen(wanted), 0) < 0)
		die(MAXIMUM);
	own_netns();
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (fd < 0)
		die("NETLINK_NETFILTER");
	long long before = meminfo("SUnreclaim");
	add(fd, 0, entries);
	char count[32] = "";
	int file = open("/proc/sys/net/netfilter/nf_conntrack_count", O_RDONLY);
	if (file < 0 || read(file, count, sizeof count - 1) < 0)
		die("nf_conntrack_count");
	if (atol(count) < entries)
		die("%ld of %ld entries", atol(count), entries);
	held(meminfo("SUnreclaim") - before,
	     "bytes of SUnreclaim for %ld connection tracking entries in an own network namespace, %ld more a second",
	     atol(count), rate);
	for (long n = entries; !released_within(rate ? 100 : -1);)
		if (n < most) {
			add(fd, n, n + rate / 10);
			n += rate / 10;
		}
	lab_end(0);
}
