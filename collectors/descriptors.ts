import { type Collector, defineCollector } from "../src/core/collector.ts";
import { shellWord } from "../src/core/shell.ts";

/**
 * Descriptors of each process. st_size of /proc/PID/fd is their number from Linux 6.2 on, and 0 before: it walks none of them.
 * `echo` is the shell's own, so that a hundred thousand processes are no argument list.
 */
const COUNTS = `for fd in /proc/[0-9]*/fd; do echo "$fd"; done | xargs -r stat -c '%s %n'`;

/**
 * What kind they are: all of up to 200 descriptors, and else 200 evenly spread ones, of each of the 48 processes with the most. Looking one up costs
 * the kernel 0.9 KB, so this costs 9 MB on any host. Before 6.2 the table's size stands in for the number. Of some kinds the
 * kernel tells what they hold: marks of inotify and fanotify (counted, of the latter those that let the kernel forget the inode (FAN_MARK_EVICTABLE, 0x200) are none; there may be a million, of which a process's next descriptors are not looked at any more), rings and buffers of io_uring, and completions for which its ring had no room
 * (counted, too).
 * As few programs as can be: starting them was a third of what collecting took.
 */
const SAMPLES = `exec 2>/dev/null
each() { for file in /proc/[0-9]*/"$1"; do echo "$file"; done; }
top=$(each fd | xargs stat -c '%s %n' | awk '$1 > 0' | sort -rn | head -n 48)
[ -n "$top" ] || top=$(each status | xargs grep -H -E '^(FDSize|VmRSS):' | sed 's,/status:,/fd ,' | awk '
  $2 == "FDSize:" { size = $3 }
  $2 == "VmRSS:" { print size, $1 }' | sort -rn | head -n 48)
for each in $(echo "$top" | awk '
  $1 <= 200 { print $2 "/*"; next }
  { for (i = 0; i <= $1; i += int($1 / 200) + 1) print $2 "/" i }'); do echo "$each"; done | xargs ls -ln | awk '
  { print }
  /anon_inode:(inotify|\\[(fanotify|io_uring)\\])$/ {
    file = $0; sub(/ -> .*/, "", file); sub(/.* /, "", file); sub(/fd/, "fdinfo", file)
    process = file; sub(/fdinfo.*/, "", process)
    if (looked[process $NF]++ >= 200 || watches[process] > 1000000) next
    inotify = fanotify = overflow = 0
    while ((getline line < file) > 0)
      if (index(line, "  user_data=") == 1) overflow++
      else if (line ~ /^inotify /) inotify++
      else if (line ~ /^fanotify ino:/ && line !~ /mflags:[0-9a-f]*[2367abef][0-9a-f][0-9a-f] /) fanotify++
      else if (line ~ /^ *(SqMask|CqMask|UserBufs):/ || line ~ /^ +[0-9]+: 0x[0-9a-f]+\\/[0-9]+$/) print file ": " line
    close(file)
    watches[process] += inotify + fanotify
    if (/inotify$/) print file ": inotify " inotify
    if (fanotify) print file ": fanotify " fanotify
    if (overflow) print file ": overflow " overflow
  }'`;

/**
 * How full pipes are, and queues of file events that a program asked for (inotify, fanotify), which no file tells: a copy of the descriptor
 * (pidfd_getfd, Linux 5.6) is asked with FIONREAD, which reads nothing and changes nothing. Of a named pipe (FIFO) the link is its path: statx, which asks no
 * file server (AT_STATX_DONT_SYNC, Linux 4.11), tells it from a file; its number is not the same on all machines (e_machine of ELF, which tells them: POSIX and
 * warnings take as long to load as all the rest). At most 16,384 descriptors are looked at, those of the
 * processes with the most first.
 */
const IN_PERL = `use strict;
my ($left, %seen) = (16384);
open my $elf, "<", "/proc/self/exe" or die; read $elf, my $header, 20; my $machine = unpack "x18 S", $header;
my $fionread = {2 => 1, 8 => 1, 18 => 1, 20 => 1, 21 => 1, 43 => 1}->{$machine} ? 0x4004667f : 0x541b;
my $statx = {62 => 332, 183 => 291, 243 => 291, 258 => 291, 21 => 383, 22 => 379}->{$machine};
sub fifo { my ($path) = @_; my $answer = "\\0" x 256; return unless $statx && syscall($statx, -100, $path, 0x4000, 0x101, $answer) == 0;
  my ($mode, $inode, $major, $minor) = unpack "x28 S x2 Q x96 L L", $answer;
  return ($mode & 0170000) == 0010000 ? ($inode, "$major:$minor $inode") : () }
sub size { my ($pid) = @_; my $size = (stat "/proc/$pid/fd")[7]; return $size if $size;
  open my $status, "<", "/proc/$pid/status" or return 0; while (<$status>) { return $1 if /^FDSize:\\s+(\\d+)/ } 0 }
opendir my $proc, "/proc" or die; my %size = map { $_ => size($_) } grep { /^\\d+$/ } readdir $proc;
print "# bytes capacity inode descriptor\\n";
for my $pid (sort { $size{$b} <=> $size{$a} || $a <=> $b } keys %size) {
  last if $left <= 0; opendir my $dir, "/proc/$pid/fd" or next; my $process;
  while (defined(my $fd = readdir $dir)) {
    next unless $fd =~ /^\\d+$/; last if --$left < 0;
    my $path = "/proc/$pid/fd/$fd"; my $link = readlink($path) // "";
    my ($inode, $events) = $link =~ /^(?:pipe:\\[(\\d+)\\]|anon_inode:\\[?(inotify|fanotify)\\]?)$/;
    my $pipe = $inode;
    ($inode, $pipe) = fifo($path) if $link =~ m,^/(?!dev/),;
    next unless defined $inode || defined $events;
    next if defined $pipe && $seen{$pipe}++;
    $process //= syscall(434, $pid + 0, 0); last if $process < 0;
    my $copy = syscall(438, $process, $fd + 0, 0); next if $copy < 0;
    my $bytes = pack "i", 0;
    if (open my $file, "<&=", $copy) {
      my $capacity = defined $events ? "-" : fcntl($file, 1032, 0);
      next unless ioctl($file, $fionread, $bytes) && $capacity;
      my $unread = unpack "i", $bytes;
      print "$unread $capacity ", $events // $inode, " /proc/$pid/fd/$fd\\n" if $unread > 0 || defined $inode;
    }
  }
  if (defined $process && $process >= 0) { open my $closed, "<&=", $process }
}
print "# descriptors_left $left\\n";`;

/** The same for hosts that have python alone, as Red Hat's with the least installed, whose package manager is written in it. */
const IN_PYTHON = `import ctypes, fcntl, os, re, struct, termios
call = ctypes.CDLL(None).syscall
statx = {"x86_64": 332, "aarch64": 291, "riscv64": 291, "ppc64le": 383, "s390x": 379}.get(os.uname()[4])
def fifo(path):
    answer = ctypes.create_string_buffer(256)
    if statx is None or call(statx, -100, path.encode(), 0x4000, 0x101, answer) != 0: return None, None
    mode, inode, major, minor = struct.unpack("=28xH2xQ96xII", answer.raw[:144])
    return (inode, (major, minor, inode)) if mode & 0o170000 == 0o10000 else (None, None)
def size(pid):
    try:
        count = os.stat("/proc/%s/fd" % pid).st_size
        if count: return count
        with open("/proc/%s/status" % pid, errors="replace") as status: return int(re.search("FDSize:\\\\s+(\\\\d+)", status.read()).group(1))
    except (OSError, AttributeError): return 0
left, seen = 16384, set()
sizes = {pid: size(pid) for pid in os.listdir("/proc") if pid.isdigit()}
print("# bytes capacity inode descriptor")
for pid in sorted(sizes, key=lambda pid: (-sizes[pid], int(pid))):
    try: fds = os.listdir("/proc/%s/fd" % pid) if left > 0 else []
    except OSError: continue
    process = None
    for fd in fds:
        left -= 1
        if left < 0: break
        path = "/proc/%s/fd/%s" % (pid, fd)
        try: link = os.readlink(path)
        except OSError: continue
        found = re.match("(?:pipe:\\\\[(\\\\d+)\\\\]|anon_inode:\\\\[?(inotify|fanotify)\\\\]?)$", link)
        inode, events = found.groups() if found else (None, None)
        pipe = inode
        if re.match("/(?!dev/)", link): inode, pipe = fifo(path)
        if inode is None and events is None or pipe is not None and pipe in seen: continue
        seen.add(pipe)
        if process is None: process = call(434, int(pid), 0)
        if process < 0: break
        copy = call(438, process, int(fd), 0)
        if copy < 0: continue
        try:
            capacity = "-" if events else fcntl.fcntl(copy, 1032)
            unread, = struct.unpack("i", fcntl.ioctl(copy, termios.FIONREAD, bytes(4)))
            if unread > 0 or inode is not None: print(unread, capacity, events or inode, path)
        except OSError: pass
        os.close(copy)
    if process is not None and process >= 0: os.close(process)
print("# descriptors_left", left)`;

const CONTENTS = `command -v perl > /dev/null && exec perl -e ${shellWord(IN_PERL)}
for python in python3 /usr/libexec/platform-python; do
  command -v "$python" > /dev/null && exec "$python" -c ${shellWord(IN_PYTHON)}
done
exit 127`;

/**
 * Rings of Linux AIO are page cache of no file, and in no process's RSS until it touches them: only maps shows whose they are. A process that was forked has its
 * parent's mapped, too. Nothing is looked at below 1,024 events: as many contexts of one event have 64 MiB on 256 processors, and less on fewer.
 */
const AIO_RINGS = `exec 2>/dev/null
echo '# process contexts bytes'
awk '{ exit $1 < 1024 }' /proc/sys/fs/aio-nr || exit 0
for maps in /proc/[0-9]*/maps; do echo "$maps"; done | sort -t / -k 3n | xargs grep -H -F '/[aio]' | awk '
  function hex(text, i, value) {
    for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return value
  }
  seen[$5]++ { next }
  { split($1, part, /[:-]/); contexts[part[1]]++; bytes[part[1]] += hex(part[3]) - hex(part[2]) }
  END { for (process in bytes) printf "%s %d %.0f\\n", process, contexts[process], bytes[process] }'`;

/** Kernel objects that descriptors hold. */
export const descriptors: Collector = defineCollector({
  id: "descriptors",
  title: "Open descriptors",
  why:
    "A leaked descriptor holds kernel memory that no process is charged for. How many each process has, of which kind, and how full its pipes and event queues are.",
  priority: 45,
  captures: [
    { kind: "file", path: "/proc/sys/fs/file-nr", changing: true, recorded: true },
    { kind: "command", argv: ["sh", "-c", COUNTS], as: "sos_commands/process/descriptor_counts", changing: true },
    { kind: "command", argv: ["sh", "-c", SAMPLES], as: "sos_commands/process/descriptor_samples" },
    { kind: "command", argv: ["sh", "-c", CONTENTS], as: "sos_commands/process/descriptor_contents" },
    { kind: "command", argv: ["sh", "-c", AIO_RINGS], as: "sos_commands/process/aio_rings" },
  ],
});
