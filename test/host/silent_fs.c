/*
 * A file system in which every name is a regular file that opens but never answers a read: what a lost NFS server or a broken disk
 * looks like. With a second argument what is open answers nothing at all. Mounts itself on the given folder, prints "mounted", and goes away when standard input is closed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int fuse, mute, opened;

static void answer(uint64_t unique, int error, const void *data, size_t size) {
  char buffer[4096];
  struct fuse_out_header head = { .len = sizeof head + size, .error = -error, .unique = unique };
  memcpy(buffer, &head, sizeof head);
  memcpy(buffer + sizeof head, data, size);
  if (write(fuse, buffer, head.len) < 0 && errno != ENOENT) perror("answer");
}

static struct fuse_attr attributes(uint64_t node) {
  struct fuse_attr attr = { .ino = node, .nlink = 1, .mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644 };
  return attr;
}

static void serve(const struct fuse_in_header *in) {
  struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
  struct fuse_entry_out entry = { .nodeid = 2, .attr = attributes(2) };
  struct fuse_attr_out attr = { .attr = attributes(in->nodeid) };
  struct fuse_open_out open = { .fh = 1, .open_flags = FOPEN_DIRECT_IO };
  switch (in->opcode) {
  case FUSE_INIT: answer(in->unique, 0, &init, sizeof init); break;
  case FUSE_LOOKUP: answer(in->unique, 0, &entry, sizeof entry); break;
  case FUSE_GETATTR:
    if (!mute || !opened || in->nodeid == FUSE_ROOT_ID) answer(in->unique, 0, &attr, sizeof attr);
    break;
  case FUSE_OPEN: opened = 1; /* fall through */
  case FUSE_OPENDIR: answer(in->unique, 0, &open, sizeof open); break;
  case FUSE_READ:
  case FUSE_READDIR:
  case FUSE_INTERRUPT:
  case FUSE_FORGET:
  case FUSE_BATCH_FORGET: break;
  case FUSE_FLUSH:
  case FUSE_RELEASE:
  case FUSE_RELEASEDIR: answer(in->unique, 0, "", 0); break;
  default: answer(in->unique, ENOSYS, "", 0);
  }
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 3) return 2;
  mute = argc == 3;
  fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  char options[100];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
  if (fuse < 0 || mount("silent", argv[1], "fuse.silent", MS_NOSUID | MS_NODEV, options) < 0) {
    perror("mount");
    return 1;
  }
  puts("mounted");
  fflush(stdout);
  struct pollfd polled[2] = { { .fd = 0, .events = POLLIN }, { .fd = fuse, .events = POLLIN } };
  static char request[1 << 16];
  while (poll(polled, 2, -1) > 0 && polled[0].revents == 0) {
    if (read(fuse, request, sizeof request) > 0) serve((struct fuse_in_header *)request);
  }
  umount2(argv[1], MNT_FORCE | MNT_DETACH);
  return 0;
}
