"""Small loads that a remedy's command is tried on: loads.py NAME [COMMAND]. Prints what came of it as JSON. Settings of the whole host are put back."""
import contextlib
import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time

MB = 2**20
NOBODY = 60077  # nobody else's, so that nobody else's limits are touched
LIBC = ctypes.CDLL(None, use_errno=True)


def shell(command):
    return subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout


def read(path):
    with open(path) as file:
        return file.read().strip()


def write(path, value):
    with open(path, "w") as file:
        file.write(str(value))


@contextlib.contextmanager
def kept(*paths):
    """Puts settings back."""
    old = [read(path) for path in paths]
    try:
        yield
    finally:
        for path, value in zip(paths, old):
            write(path, value)


def chosen(path):
    """The word in brackets of a file of /sys that lists all words."""
    return read(path).split("[")[1].split("]")[0]


def meminfo(field):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/meminfo") if line.startswith(field + ":"))


def as_nobody(work):
    """What `work` returns in a child of another user."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresuid(NOBODY, NOBODY, NOBODY)
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


def errno_of(work):
    try:
        work()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "no error"


def charged(sock, which):
    """sk_get_meminfo(): 0 receive, 2 send, 5 queued to be sent."""
    return struct.unpack("9I", sock.getsockopt(socket.SOL_SOCKET, 55, 36))[which]


def fill(sock):
    """Writes until nothing is taken for a while."""
    sock.setblocking(False)
    last = time.monotonic()
    while time.monotonic() - last < 0.3:
        try:
            sock.send(bytes(65536))
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)


def unsent():
    """Three connections whose window is next to nothing: what is charged to the senders."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        total = 0
        for _ in range(3):
            sender = stack.enter_context(socket.create_connection(listener.getsockname()))
            stack.enter_context(listener.accept()[0])
            fill(sender)
            total += charged(sender, 5)
        return total


def grown_buffer():
    """The largest receive buffer of three connections: the kernel lets it grow while somebody reads, here until it has not for 32 MB."""
    largest = 0
    for _ in range(3):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            child = os.fork()
            if child == 0:
                with contextlib.suppress(OSError), socket.create_connection(listener.getsockname()) as sender:
                    while True:
                        sender.sendall(bytes(65536))
                os._exit(0)
            with listener.accept()[0] as receiver:
                size, left = 0, 32 * MB
                while left > 0:
                    left -= len(receiver.recv(MB))
                    if charged(receiver, 1) > size:
                        size, left = charged(receiver, 1), 32 * MB
                largest = max(largest, size)
            os.waitpid(child, 0)
    return largest


def tcp_rmem(command):
    shell("ip link set lo up")
    most = int(command.strip("'").split()[-1])
    # On a busy machine a buffer grows slowly.
    without = max(grown_buffer() for _ in range(3))
    shell(command)
    limited = grown_buffer()
    if limited <= most < without:
        return {"observed": "receive buffers grew to no more than that, and beyond it without the setting"}
    return {"observed": f"buffers grew to {limited} bytes, and to {without} without it"}


def tcp_wmem(command):
    shell("ip link set lo up")
    without = unsent()
    shell(command)
    return {"beforeBytes": without, "fromStartBytes": unsent()}


def unix_queues():
    total = 0
    for _ in range(3):
        sender, reader = socket.socketpair()
        with sender, reader:
            fill(sender)
            total += charged(sender, 2)
    return total


def unix_wmem(command):
    names = ["/proc/sys/net/core/wmem_max", "/proc/sys/net/core/wmem_default"]
    with kept(*names):
        for name in names:
            write(name, 4 * MB)
        without = unix_queues()
        shell(command)
        return {"beforeBytes": without, "fromStartBytes": unix_queues()}


def netlink_rmem(command):
    most = int(shell(command).split()[2])

    def ask():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * MB)
            got = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            return [got, errno_of(lambda: sock.setsockopt(socket.SOL_SOCKET, 33, 64 * MB))]

    got, error = as_nobody(ask)
    times = round(got / most, 2)
    return {"observed": f"without CAP_NET_ADMIN, SO_RCVBUFFORCE failed with {error} and SO_RCVBUF got {times:g} times rmem_max"}


def packet_socket(_command):
    def ask():
        return errno_of(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close())

    return {"observed": f"without CAP_NET_RAW, a packet socket could not be opened ({as_nobody(ask)})"}


def queued(sock):
    """What a socket is charged for what it has not read: the first number of SO_MEMINFO."""
    return struct.unpack("I", sock.getsockopt(socket.SOL_SOCKET, 55, 36)[:4])[0]


def of_senders(family, kind, listening, sending, send):
    """What two sockets hold after 1000 packets, one that listens and one that was opened to send alone."""
    shell("ip link set lo up")
    with socket.socket(family, kind, listening) as both, socket.socket(family, kind, sending) as sender:
        for _ in range(1000):
            send(sender)
        return {"observed": f"after 1000 packets it held {queued(sender)} B, a socket of the packets' protocol {queued(both) / 1024:.0f} KiB"}


def raw_sender(_command):
    # Protocol 253 is for experiments (RFC 3692).
    packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 253, 0, socket.inet_aton("127.0.0.1"), socket.inet_aton("127.0.0.1")) + bytes(500)
    return of_senders(socket.AF_INET, socket.SOCK_RAW, 253, socket.IPPROTO_RAW, lambda sock: sock.sendto(packet, ("127.0.0.1", 0)))


def packet_sender(_command):
    # 0x88b5 is for experiments (IEEE 802).
    to = ("lo", 0x88B5, 0, 0, bytes(6))
    return of_senders(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x88B5), 0, lambda sock: sock.sendto(bytes(500), to))


def pipe_pages(command):
    import fcntl

    def ask(total=0, refused=None):
        """Pipes until the kernel refuses one: 400 a process, for one may not have descriptors enough."""
        for _ in range(400):
            try:
                _, end = os.pipe()
            except OSError as error:
                return [refused, total, errno.errorcode[error.errno]]
            total += fcntl.fcntl(end, 1032)
            if refused is None:
                try:
                    total += fcntl.fcntl(end, 1031, MB) - 65536
                except OSError as error:
                    refused = f"{errno.errorcode[error.errno]} from {total / MB:.0f} MiB on"
        reader, writer = os.pipe()
        total += 2 * 4096
        if os.fork() == 0:
            os.closerange(3, writer)
            os.write(writer, json.dumps(ask(total, refused)).encode())
            os._exit(0)
        os.close(writer)
        os.wait()
        return json.loads(os.read(reader, 4096))

    with kept("/proc/sys/fs/pipe-user-pages-hard"):
        shell(command)
        refused, total, error = as_nobody(ask)
    return {"observed": f"an unprivileged user's pipe() failed with {error} at {total / MB:.0f} MiB of pipes; F_SETPIPE_SZ fails with {refused} anyway"}


def inotify_watches(command):
    path = "/proc/sys/fs/inotify/max_user_watches"
    with kept(path), tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        os.chmod(folder, 0o755)
        names = [f"{folder}/{i}".encode() for i in range(1024)]
        for name in names:
            open(name, "w").close()
        shell(command)
        limit = int(read(path))

        def ask():
            count = 0
            for _ in range(limit // len(names) + 1):
                fd = LIBC.inotify_init()
                if fd < 0:
                    return [count, "inotify_init " + errno.errorcode[ctypes.get_errno()]]
                for name in names:
                    if LIBC.inotify_add_watch(fd, name, 2) < 0:
                        return [count, errno.errorcode[ctypes.get_errno()]]
                    count += 1
            return [count, "no error"]

        count, error = as_nobody(ask)
    return {"observed": f"inotify_add_watch failed with {error} after {count:,} watches"}


def rmid_forced(command):
    """In an IPC namespace of its own. The segment's creator is gone, nobody is attached."""
    size = 64 * MB
    child = os.fork()
    if child == 0:
        segment = LIBC.shmget(0, ctypes.c_size_t(size), 0o1600)
        LIBC.shmat.restype = ctypes.c_void_p
        ctypes.memset(LIBC.shmat(segment, None, 0), 90, size)
        os._exit(0)
    os.waitpid(child, 0)
    before = meminfo("Shmem")
    shell(command)
    return {"beforeBytes": size, "afterBytes": max(0, size - (before - meminfo("Shmem")))}


THP = "/sys/kernel/mm/transparent_hugepage/"


def rollup(field):
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field + ":"))


def sparse(asks=False):
    """One page of each two megabytes, in a child that may ask for huge ones: what it takes."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        before = rollup("Anonymous")
        area = mmap.mmap(-1, 66 * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if asks:
            area.madvise(mmap.MADV_HUGEPAGE)
        for offset in range(0, len(area), 2 * MB):
            area[offset] = 1
        os.write(writer, str(rollup("Anonymous") - before).encode())
        os._exit(0)
    os.wait()
    return int(os.read(reader, 64))


def huge_pages(command, enabled="always", asks=False):
    old = chosen(THP + "enabled")
    try:
        write(THP + "enabled", enabled)
        without = sparse(asks)
        shell(command)
        return {"beforeBytes": without, "fromStartBytes": sparse(asks)}
    finally:
        write(THP + "enabled", old)


def asked_huge_pages(command):
    return huge_pages(command, "madvise", True)


def collapsed(seconds):
    """What khugepaged makes of memory of which one page in 512 is used: asked for, but in small pages at first."""
    with mmap.mmap(-1, 66 * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        area.madvise(mmap.MADV_NOHUGEPAGE)
        for offset in range(0, len(area), 2 * MB):
            area[offset] = 1
        area.madvise(mmap.MADV_HUGEPAGE)
        end = time.monotonic() + seconds
        huge = 0
        while time.monotonic() < end and huge < 60 * MB:
            time.sleep(0.1)
            huge = rollup("AnonHugePages")
        return huge


def khugepaged(command):
    folder = THP + "khugepaged/"
    with kept(folder + "scan_sleep_millisecs", folder + "pages_to_scan", folder + "max_ptes_none"):
        write(folder + "max_ptes_none", 511)
        write(folder + "pages_to_scan", 65536)
        write(folder + "scan_sleep_millisecs", 20)
        without = collapsed(5)
        shell(command)
        return {"beforeBytes": without, "fromStartBytes": collapsed(1.5)}


def huge_on_demand(command):
    """PAGES is what 64 MiB are."""
    size, path = 64 * MB, "/proc/sys/vm/nr_overcommit_hugepages"
    with kept(path):
        shell(command.replace("PAGES", str(size // (2 * MB))))
        before = meminfo("Hugetlb")
        area = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
        for offset in range(0, size, 2 * MB):
            area[offset] = 1
        held = meminfo("Hugetlb") - before
        area.close()
        return {"beforeBytes": held, "afterBytes": meminfo("Hugetlb") - before}


def min_free(command):
    path = "/proc/sys/vm/min_free_kbytes"
    with kept(path):
        write(path, 1048576)
        before = meminfo("MemAvailable")
        shell(command)
        gained = meminfo("MemAvailable") - before
        lowered = 1048576 * 1024 - int(read(path)) * 1024
    return {"observed": "MemAvailable rose by at least as much" if gained > 0.8 * lowered else f"MemAvailable rose by {gained}"}


def memlock(_command):
    """Registers 16 MiB with a ring of its own under a limit of 1 MiB."""
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (MB, MB))

    def ask():
        area = mmap.mmap(-1, 16 * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        parameters = (ctypes.c_char * 120)()
        ring = LIBC.syscall(425, 8, parameters)
        if ring < 0:
            return "io_uring_setup " + errno.errorcode[ctypes.get_errno()]
        address = ctypes.addressof(ctypes.c_char.from_buffer(area))
        buffer = (ctypes.c_size_t * 2)(address, len(area))
        if LIBC.syscall(427, ring, 0, buffer, 1) < 0:
            return errno.errorcode[ctypes.get_errno()]
        return "no error"

    return {"observed": f"under a limit of 1 MiB, registering 16 MiB without CAP_IPC_LOCK failed with {as_nobody(ask)}"}


def zram_limit(command):
    """The command is for zram0 and 512 MiB."""
    number = read("/sys/class/zram-control/hot_add")
    folder = f"/sys/block/zram{number}/"
    try:
        write(folder + "disksize", 64 * MB)
        shell(command.replace("512M", "16M").replace("/zram0/", f"/zram{number}/"))
        written = 0
        fd = os.open(f"/dev/zram{number}", os.O_WRONLY | os.O_DIRECT)
        block = mmap.mmap(-1, MB)
        try:
            error = "no error"
            for _ in range(64):
                block[:] = os.urandom(MB)
                os.write(fd, block)
                written += MB
        except OSError as raised:
            error = errno.errorcode[raised.errno]
        finally:
            os.close(fd)
        return {"observed": f"with a limit of 16 MiB, writing what does not compress failed with {error} after {written // MB} MiB"}
    finally:
        write(folder + "reset", 1)
        write("/sys/class/zram-control/hot_remove", number)


def send_fragments(source):
    """The first fragments, of 1,400 bytes, of 15,000 datagrams."""
    addresses = socket.inet_aton(source) + socket.inet_aton("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for number in range(1, 15001):
            header = struct.pack("!BBHHHBBH", 0x45, 0, 1420, number, 0x2000, 64, 253, 0)
            sock.sendto(header + addresses + bytes(1400), ("127.0.0.1", 0))
    return int(read("/proc/net/sockstat").split("FRAG: inuse ")[1].split()[2])


def fragments(command):
    """In a network namespace of its own."""
    shell("ip link set lo up")
    for name in ("high", "low"):
        write(f"/proc/sys/net/ipv4/ipfrag_{name}_thresh", 64 * MB)
    before = send_fragments("127.0.0.1")
    shell(command)
    return {"beforeBytes": before, "afterBytes": send_fragments("127.0.0.2")}


def fragments_by_default(_command):
    """In a network namespace of its own, which has the defaults."""
    shell("ip link set lo up")
    least = send_fragments("127.0.0.1")
    for name in ("high", "low"):
        write(f"/proc/sys/net/ipv4/ipfrag_{name}_thresh", 64 * MB)
    return {"beforeBytes": send_fragments("127.0.0.2"), "fromStartBytes": least}


def bpf_hash(_command):
    """65,536 entries of a kilobyte, of which none is used."""
    with bpffs() as folder:
        sizes = []
        for number, flags in enumerate((0, 1)):
            before = bpf_bytes()
            shell(f"bpftool map create {folder}/{number} type hash key 4 value 1024 entries 65536 name nailhouse flags {flags}")
            sizes.append(max(0, bpf_bytes() - before))
        return {"beforeBytes": sizes[0], "fromStartBytes": sizes[1]}


def bpf_bytes():
    return meminfo("VmallocUsed") + meminfo("Percpu")


@contextlib.contextmanager
def bpffs():
    with tempfile.TemporaryDirectory() as folder:
        shell(f"mount -t bpf bpf {folder}")
        try:
            yield folder
        finally:
            shell(f"umount {folder}")


def bpf_in_cgroup(_command):
    v1 = os.path.exists("/sys/fs/cgroup/memory/tasks")
    folder = f"/sys/fs/cgroup/{'memory/' if v1 else ''}nailhouse-bpf-{os.getpid()}"
    os.mkdir(folder)
    try:
        write(f"{folder}/{'memory.limit_in_bytes' if v1 else 'memory.max'}", 16 * MB)
        with bpffs() as pins:
            create = f"exec bpftool map create {pins}/map type array key 4 value 4096 entries 8192 name nailhouse"
            done = subprocess.run(["sh", "-c", f"echo 0 > {folder}/cgroup.procs && {create}"], capture_output=True, text=True)
        error = "ENOMEM" if "Cannot allocate memory" in done.stdout + done.stderr else f"{done.returncode} {done.stdout}{done.stderr}"
        return {"observed": f"in a control group limited to 16 MiB, making a map of 32 MiB failed with {error}"}
    finally:
        os.rmdir(folder)


def more_fragments(_command):
    """In the namespace that this runs in: beside what others sent."""
    return {"heldBytes": send_fragments("127.1.0.1")}


@contextlib.contextmanager
def cgroup(controller, name_v1, name_v2, limit):
    """A control group with a limit, of v1 or v2, wherever the controller is."""
    v1 = f"/sys/fs/cgroup/{controller}"
    folder = f"{v1 if os.path.exists(v1 + '/tasks') else '/sys/fs/cgroup'}/nailhouse-{os.getpid()}"
    os.mkdir(folder)
    try:
        write(f"{folder}/{name_v1 if folder.startswith(v1) else name_v2}", limit)
        yield folder
    finally:
        for _ in range(50):
            try:
                os.rmdir(folder)
                break
            except OSError:
                time.sleep(0.02)


def in_cgroup(folder, work):
    """What `work` returns in a child that is in the group; what it started ends with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        write(f"{folder}/cgroup.procs", 0)
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, 9)
    return json.loads(os.read(reader, 4096))


def processes(_command):
    def start():
        for number in range(1, 1000):
            try:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            except OSError as error:
                return [number, errno.errorcode[error.errno]]

    with cgroup("pids", "pids.max", "pids.max", 20) as folder:
        tasks, error = in_cgroup(folder, start)
    return {"observed": f"systemd does not run there, but pids.max, which TasksMax sets, made fork() fail with {error} at {tasks} tasks"}


def threads(_command):
    import threading

    def start():
        for number in range(1, 1000):
            try:
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            except RuntimeError as error:
                return [number, str(error)]

    with cgroup("pids", "pids.max", "pids.max", 20) as folder:
        tasks, error = in_cgroup(folder, start)
    return {"observed": f'systemd does not run there, but with pids.max, which TasksMax sets, the program "{error}" at {tasks} tasks'}


@contextlib.contextmanager
def waiting_at_limit():
    """A process that wants 64 MiB in a group of 40. Of cgroup v1: there it can be let wait and not be killed, so that the kernel log stays as it is."""
    with cgroup("memory", "memory.limit_in_bytes", "memory.max", 40 * MB) as folder:
        write(f"{folder}/memory.oom_control", 1)
        child = os.fork()
        if child == 0:
            write(f"{folder}/cgroup.procs", 0)
            mmap.mmap(-1, 64 * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).write(bytes(64 * MB))
            os._exit(0)
        try:
            deadline = time.monotonic() + 5
            while "under_oom 1" not in read(f"{folder}/memory.oom_control"):
                if time.monotonic() > deadline:
                    raise TimeoutError("it never was at its limit")
                time.sleep(0.05)
            yield folder, child
        finally:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(child, 9)
                os.waitpid(child, 0)


def memory_limit(_command):
    with waiting_at_limit() as (folder, _):
        used = int(read(f"{folder}/memory.usage_in_bytes"))
    return {"observed": f"systemd does not run there, but with a control group's limit of 40 MiB, which MemoryMax sets, a program that wanted 64 MiB got {used / MB:.0f} MiB"}


def raise_limit(command):
    with waiting_at_limit() as (folder, child):
        shell(command.replace("FOLDER", folder))
        status = os.waitpid(child, 0)[1]
    return {"observed": "a process that waited at its limit went on at once" if status == 0 else f"it ended with {status}"}


def failcnt(command):
    """Of cgroup v1: page cache beyond the limit is reclaimed, and counted."""
    with cgroup("memory", "memory.limit_in_bytes", "memory.max", 8 * MB) as folder, tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        def fill_cache():
            with open(file.name, "wb") as out:
                out.write(bytes(32 * MB))
            return 0

        before = int(shell(command.replace("FOLDER", folder)))
        in_cgroup(folder, fill_cache)
        after = int(shell(command.replace("FOLDER", folder)))
    return {"observed": "it counted while page cache was reclaimed at the limit" if before == 0 < after else f"{before}, then {after}"}


def swapoff(command):
    """Swap on a zram device of its own, with pages of a control group in it."""
    number = read("/sys/class/zram-control/hot_add")
    device, folder = f"/dev/zram{number}", f"/sys/block/zram{number}/"
    try:
        write(folder + "disksize", 64 * MB)
        shell(f"mkswap {device}; swapon {device}")
        with cgroup("memory", "memory.limit_in_bytes", "memory.max", 24 * MB) as group:
            child = os.fork()
            if child == 0:
                write(f"{group}/cgroup.procs", 0)
                area = mmap.mmap(-1, 64 * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
                for _ in range(64):
                    area.write(os.urandom(MB))
                time.sleep(60)
                os._exit(0)
            deadline = time.monotonic() + 10
            while zspages() < 36 * MB and time.monotonic() < deadline:
                time.sleep(0.1)
            write(f"{group}/{'memory.limit_in_bytes' if '/memory/' in group else 'memory.max'}", 128 * MB)
            before = zspages()
            shell(command.replace("/dev/zram0", device))
            after = zspages()
            os.kill(child, 9)
            os.waitpid(child, 0)
        return {"beforeBytes": before, "afterBytes": after}
    finally:
        subprocess.run(["swapoff", device], capture_output=True)
        write(folder + "reset", 1)
        write("/sys/class/zram-control/hot_remove", number)


def zspages():
    return next(int(line.split()[1]) * 4096 for line in open("/proc/vmstat") if line.startswith("nr_zspages "))


def pinned():
    """On the LRU lists, and neither anonymous nor shared memory: pages that only a pin keeps."""
    lists = sum(meminfo(name) for name in ("Active(anon)", "Inactive(anon)", "Unevictable"))
    return lists - meminfo("AnonPages") - meminfo("Shmem")


def unregister(_command):
    """Buffers that are registered, unmapped and then unregistered."""
    size = 64 * MB
    LIBC.mmap.restype = ctypes.c_void_p
    area = LIBC.mmap(None, ctypes.c_size_t(size), 3, 0x22, -1, ctypes.c_long(0))
    ring = LIBC.syscall(425, 8, (ctypes.c_char * 120)())
    ctypes.memset(area, 90, size)
    if LIBC.syscall(427, ring, 0, (ctypes.c_size_t * 2)(area, size), 1) < 0:
        return {"observed": "registering failed with " + errno.errorcode[ctypes.get_errno()]}
    LIBC.munmap(ctypes.c_void_p(area), ctypes.c_size_t(size))
    before = pinned()
    LIBC.syscall(427, ring, 1, None, 0)
    deadline = time.monotonic() + 2
    while before - pinned() < 0.95 * size and time.monotonic() < deadline:
        time.sleep(0.05)
    return {"beforeBytes": size, "afterBytes": max(0, size - (before - pinned()))}


def marked_segment(_command):
    """Attached and marked at once; its only process is killed then."""
    size = 64 * MB
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        segment = LIBC.shmget(0, ctypes.c_size_t(size), 0o1600)
        LIBC.shmat.restype = ctypes.c_void_p
        area = LIBC.shmat(segment, None, 0)
        LIBC.shmctl(segment, 0, None)
        ctypes.memset(area, 90, size)
        os.write(writer, b"1")
        time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    before = meminfo("Shmem")
    os.kill(child, 9)
    os.waitpid(child, 0)
    return {"beforeBytes": size, "afterBytes": max(0, size - (before - meminfo("Shmem")))}


def closed_memfd(_command):
    size = 64 * MB
    fd = os.memfd_create("nailhouse")
    os.write(fd, bytes(size))
    before = meminfo("Shmem")
    os.close(fd)
    return {"beforeBytes": size, "afterBytes": max(0, size - (before - meminfo("Shmem")))}


def closed_pipe(_command):
    reader, writer = os.pipe()
    os.write(writer, bytes(65536))
    os.close(reader)
    return {"observed": f"once the reading end was closed, the writer got {errno_of(lambda: os.write(writer, b'1'))}"}


@contextlib.contextmanager
def holder(hold):
    """A process that holds what `hold` makes, and ends when it is told to; within a minute it ends by itself."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _made = hold()
        os.write(writer, b"1")
        time.sleep(60)
        os._exit(0)
    os.close(writer)
    try:
        if os.read(reader, 1) != b"1":
            raise RuntimeError("the holder ended")
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, 9)
        os.waitpid(child, 0)


def given_back(size, held, act):
    """What is left of it: the kernel gives some of it back a little later."""
    before = held()
    act()
    deadline = time.monotonic() + 3
    while before - held() < 0.95 * size and time.monotonic() < deadline:
        time.sleep(0.05)
    return {"beforeBytes": size, "afterBytes": max(0, size - (before - held()))}


# Each event takes 64 bytes.
EVENTS = 8192
IO_SETUP, IO_DESTROY = (206, 207) if os.uname().machine == "x86_64" else (0, 1)


def aio_contexts(count):
    contexts = []
    for _ in range(count):
        context = ctypes.c_ulong(0)
        if LIBC.syscall(IO_SETUP, EVENTS, ctypes.byref(context)) < 0:
            raise OSError(ctypes.get_errno(), "io_setup")
        contexts.append(context.value)
    return contexts


@contextlib.contextmanager
def room_for_contexts(count):
    """Its fs.aio-max-nr; yields how many bytes their rings take. The kernel asks for more events than it was asked for, twice as many as a rule."""
    with kept("/proc/sys/fs/aio-max-nr"):
        write("/proc/sys/fs/aio-max-nr", int(read("/proc/sys/fs/aio-nr")) + 4 * count * EVENTS)
        yield 64 * count * EVENTS


def aio_rings():
    return meminfo("Cached") - meminfo("Shmem")


def aio_ended(command):
    """The command is for PID."""
    with room_for_contexts(200) as size, holder(lambda: aio_contexts(200)) as child:
        return given_back(size, aio_rings, lambda: shell(command.replace("PID", str(child))))


def aio_destroyed(_command):
    with room_for_contexts(200) as size:
        contexts = aio_contexts(200)
        return given_back(size, aio_rings, lambda: [LIBC.syscall(IO_DESTROY, ctypes.c_ulong(each)) for each in contexts])


def aio_limit(command):
    """The command is for LIMIT events in all, which are in use."""
    with room_for_contexts(4), holder(lambda: aio_contexts(4)) as child:
        shell(command.replace("LIMIT", read("/proc/sys/fs/aio-nr")))
        error = errno_of(lambda: aio_contexts(1))
        left = read(f"/proc/{child}/maps").count("/[aio]")
    return {"observed": f"with fs.aio-max-nr at fs.aio-nr io_setup() failed with {error}; {left} of 4 contexts that were there stayed"}


UMEM_BYTES = 128 * MB


def orphaned_umem():
    """Memory of an AF_XDP socket that no process has mapped any more."""
    sock = socket.socket(44, socket.SOCK_RAW)
    LIBC.mmap.restype = ctypes.c_void_p
    area = LIBC.mmap(None, ctypes.c_size_t(UMEM_BYTES), 3, 0x8022, -1, ctypes.c_long(0))
    sock.setsockopt(283, 4, struct.pack("QQIIII", area, UMEM_BYTES, 4096, 0, 0, 0))
    LIBC.munmap(ctypes.c_void_p(area), ctypes.c_size_t(UMEM_BYTES))
    return sock


def xdp_ended(command):
    """The command finds who has the sockets."""
    with holder(orphaned_umem) as child:
        found = {int(line.split()[1]) for line in shell(command).splitlines()}
        if child not in found:
            raise RuntimeError(f"{found} are not {child}")
        return given_back(UMEM_BYTES, pinned, lambda: os.kill(child, 15))


IN_FLIGHT = 4


def in_flight():
    """Memfds in messages: what one socket sent to the other, and nobody has received."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for _ in range(IN_FLIGHT):
        fd = os.memfd_create("nailhouse")
        os.write(fd, bytes(32 * MB))
        socket.send_fds(sender, [b"1"], [fd])
        os.close(fd)
    return sender, receiver


def receiver_ended(command):
    """The command is for PID."""
    with holder(in_flight) as child:
        return given_back(IN_FLIGHT * 32 * MB, lambda: meminfo("Shmem"), lambda: shell(command.replace("PID", str(child))))


def received(_command):
    _sender, receiver = in_flight()

    def receive():
        for _ in range(IN_FLIGHT):
            for fd in socket.recv_fds(receiver, 1, 1)[1]:
                os.close(fd)

    return given_back(IN_FLIGHT * 32 * MB, lambda: meminfo("Shmem"), receive)


def names(_command):
    """Names that do not exist, on a disk, each of some 450 bytes, looked up in a control group that has no room for them."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, cgroup("memory", "memory.limit_in_bytes", "memory.max", 40 * MB) as group:

        def look_up():
            for number in range(150000):
                os.path.exists(f"{folder}/{number:0100}")
                # They are freed a little later, and the kernel kills when too many are on the way.
                if number % 2000 == 0:
                    time.sleep(0.005)

        in_cgroup(group, look_up)
        # Of v1; of v2 the second number of memory.events.
        failcnt = f"{group}/memory.failcnt"
        times = int(read(failcnt) if os.path.exists(failcnt) else read(f"{group}/memory.events").split("max ")[1].split()[0])
    given = "gave back what was beyond" if times > 0 else "was not at the limit"
    return {"observed": f"while 150,000 names of 64 MiB were looked up in a control group limited to 40 MiB, the kernel {given}"}


LOADS = {name: work for name, work in list(globals().items()) if callable(work) and getattr(work, "__module__", "") == "__main__"}
name, command = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
print(json.dumps(LOADS[name](command)))
