#!/bin/sh
# The init of a guest that has nothing but busybox, ss, collect.sh and the fault programs. `$fault`, from the kernel's command line, says what
# to hold. Bundles go onto the raw drive /dev/vda; the console is for the kernel, and for lines that begin with NAILHOUSE.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
for module in /modules/*.ko; do insmod "$module"; done
ip link set lo up
hostname guest

# hold PROGRAM ARGUMENTS: starts a fault and waits until it says what it holds. Its standard input stays open: it holds to the end.
hold() {
  sleep 1000 | "$@" seconds=600 > "/held-$1" &
  until grep -q ^held "/held-$1"; do sleep 0.2; done
}

# What the program says by now that it holds.
tell() { echo "NAILHOUSE $(tail -n 1 "/held-$1")"; }

# The drive has no end of file: the size is told apart.
out() {
  tee /dev/vda | wc -c > /size
  sync
  echo "NAILHOUSE captured $(cat /size)"
}

# udp_wall PAGES: how much all UDP sockets may be charged together, and each of them far more than is usual.
udp_wall() {
  echo "$1 $1 $1" > /proc/sys/net/ipv4/udp_mem
  echo 16777216 > /proc/sys/net/core/rmem_max
}

# Large and innocent. Not named as the program: it would call itself.
innocent() { hold database start=150 rate=0 max=150; }

until_killed() { until dmesg | grep -q "$1"; do sleep 0.5; done; }

mkdir /disk
# shellcheck disable=SC2154 # from the kernel's command line
if [ "$fault" = panic ] && mount -t ext4 /dev/vdb /disk 2> /dev/null; then
  cat /disk/ring/ring-* | out
  poweroff -f
fi

case $fault in
  idle) ;;
  udp)
    udp_wall 100000
    hold friend_push clients=25 rcvbuf=2097152 total=100 rate=2
    tell friend_push
    ;;
  # The kernel's own udp_mem stops it.
  udp-limit)
    echo 16777216 > /proc/sys/net/core/rmem_max
    hold friend_push clients=50 rcvbuf=2097152
    tell friend_push
    ;;
  # The reader listens, and accepts nothing.
  accept)
    hold tcp_backlog side=accept pairs=20 total=120
    tell tcp_backlog
    ;;
  # Before 6.2 nothing tells how many descriptors a process has. What the system itself has in memory is no other memfd.
  memfd)
    dd if=/dev/zero of=/system bs=1M count=60 2> /dev/null
    hold shmem kind=memfd mb=120
    tell shmem
    ;;
  # In no account of the kernel, but they tell their own size.
  buffers)
    hold perf_rings events=2 mb=32
    hold trace_buffers mb=96
    tell perf_rings
    ;;
  # A leak until the kernel kills it; looked at afterwards.
  oom)
    innocent
    hold leaker start=300 rate=40 max=2000
    until_killed 'Out of memory: Killed process'
    tell leaker
    ;;
  # UDP queues eat the memory, and the largest process is killed for it.
  oom-udp)
    innocent
    udp_wall 1000000
    hold friend_push clients=50 rcvbuf=8388608 total=520
    until_killed 'Out of memory: Killed process'
    tell friend_push
    ;;
  memcg-oom)
    hold memcg_oom
    until_killed 'Memory cgroup out of memory'
    ;;
  # It will be killed at the limit of the group above its own, while the host has memory left.
  memcg-leak)
    mkdir -p /sys/fs/cgroup/box/inner
    echo +memory > /sys/fs/cgroup/box/cgroup.subtree_control
    echo 500M > /sys/fs/cgroup/box/memory.max
    echo never > /sys/kernel/mm/transparent_hugepage/enabled
    hold sh -c 'echo 0 > /sys/fs/cgroup/box/inner/cgroup.procs && exec leaker "$@"' sh start=260 rate=4 max=2000
    # Who has just started may be starting up.
    sleep 10
    ;;
  # Recorded on a disk while it grows, until the kernel panics and boots anew. The console is the only witness of that.
  panic)
    mke2fs /dev/vdb > /dev/null
    mount -t ext4 /dev/vdb /disk
    echo 1 > /proc/sys/vm/panic_on_oom
    sh /collect.sh --quiet --record /disk/ring --every 1 &
    innocent
    hold leaker start=100 rate=20 max=2000
    sleep 1000
    ;;
  # More than there is, written round and round, on a disk.
  swap)
    mkswap /dev/vdb > /dev/null
    swapon /dev/vdb
    hold swap_hog want=800
    ;;
  # The host takes memory back when it reads this line.
  balloon)
    total() { awk '/MemTotal/ { print $2 }' /proc/meminfo; }
    before=$(total)
    echo "NAILHOUSE inflate"
    until [ "$(total)" -lt $((before - 250000)) ]; do sleep 1; done
    sleep 1
    echo "NAILHOUSE held $(((before - $(total)) * 1024)) taken by the hypervisor"
    ;;
  *) echo "NAILHOUSE has no fault $fault" ;;
esac
sh /collect.sh --quiet --snapshots 3 --interval 2 | out
poweroff -f
