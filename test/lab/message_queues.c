/* SysV message queues that nobody receives from: `queues` of them, each full (kernel.msgmnb, 16 KiB) with messages of `size` bytes. They would stay
 * when the program has ended: it removes them. */
#include "lab.h"
#include <sys/ipc.h>
#include <sys/msg.h>

#define MAX_QUEUES 32000
static int queues[MAX_QUEUES];
static long made;

static void cleanup(void)
{
	for (long i = 0; i < made; i++)
		msgctl(queues[i], IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
	static struct { long type; char text[8192]; } message = { .type = 1 };
	lab_start(argv);
	long count = arg("queues", 16000), size = arg("size", 4000), messages = 0;
	args_done();
	if (count > MAX_QUEUES || size > (long)sizeof message.text)
		die("at most %d queues, %zu bytes", MAX_QUEUES, sizeof message.text);
	lab_cleanup = cleanup;
	long long before = meminfo("SUnreclaim");
	for (; made < count; made++) {
		queues[made] = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
		if (queues[made] < 0)
			die("msgget");
		while (msgsnd(queues[made], &message, size, IPC_NOWAIT) == 0)
			messages++;
	}
	held(meminfo("SUnreclaim") - before, "bytes: growth of SUnreclaim by %ld messages in %ld queues", messages, made);
	wait_release();
}
