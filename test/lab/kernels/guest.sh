#!/bin/sh
# The guest's init, process 1 of a kernel that has nothing but busybox, ss and the fault programs. `$fault` (from the kernel's command line) says
# what to hold. What it captures has the paths of our own collectors; it leaves as a tar file on the raw drive /dev/vda.
# The console is only for the kernel, and for lines that begin with NAILHOUSE.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for module in /modules/*.ko; do insmod "$module" 2> /dev/null; done
ip link set lo up
hostname guest

HISTORY_SECONDS=1
root=/out/nailhouse-guest

set_value() { echo "$2" > "/proc/sys/$1"; }

# hold NAME ARGUMENTS: starts a fault program and waits until it says what it holds. It ends when its standard input is closed: never.
hold() {
  sleep 1000 | "$@" > "/held-$1" &
  while ! grep -q ^held "/held-$1"; do usleep 100000; done
  echo "NAILHOUSE $1 $(cat "/held-$1")"
}

# copy FOLDER FILE...: those that are there.
copy() {
  folder=$1
  shift
  mkdir -p "$folder"
  cp --parents "$@" "$folder" 2> /dev/null
}

# What changes: of each snapshot.
changing() {
  copy "$1" /proc/meminfo /proc/zoneinfo /proc/vmstat /proc/buddyinfo /proc/pressure/* /proc/slabinfo /proc/net/sockstat* /proc/net/udp* \
    /proc/net/tcp /proc/net/tcp6 /proc/net/raw /proc/net/netlink /proc/net/packet /proc/net/protocols /proc/net/snmp* /proc/net/netstat \
    /proc/sys/fs/file-nr /proc/[0-9]*/status
  mkdir -p "$1/sos_commands/networking"
  ss -xanm > "$1/sos_commands/networking/ss_-xanm"
}

# What is captured once.
whole() {
  copy "$1" /proc/pagetypeinfo /proc/vmallocinfo /proc/swaps /proc/sysvipc/shm /proc/allocinfo /proc/cgroups /proc/version /proc/cmdline \
    /proc/uptime /proc/loadavg /proc/stat /proc/cpuinfo /proc/modules /proc/mounts /proc/softirqs /proc/net/unix /proc/net/dev \
    /proc/net/ptype /proc/net/softnet_stat /proc/net/stat/* /sys/kernel/mm/hugepages/*/*_hugepages \
    /sys/kernel/mm/transparent_hugepage/* /sys/kernel/mm/transparent_hugepage/khugepaged/* /sys/kernel/mm/lru_gen/enabled \
    /sys/devices/system/node/node*/meminfo /sys/devices/system/node/node*/vmstat /sys/devices/system/cpu/possible \
    /sys/devices/system/cpu/online /sys/fs/cgroup/cgroup.* /sys/fs/cgroup/memory.* /proc/[0-9]*/stat /proc/[0-9]*/comm \
    /proc/[0-9]*/oom_score /proc/[0-9]*/oom_score_adj /proc/[0-9]*/cmdline /proc/[0-9]*/cgroup /proc/[0-9]*/smaps_rollup
  copy "$1" $(find /proc/sys/vm /proc/sys/net/core /proc/sys/fs -type f -perm -400) /proc/sys/net/ipv4/*_mem /proc/sys/kernel/panic
  cd "$1/sos_commands" && mkdir -p kernel memory process host filesys
  dmesg > kernel/dmesg
  uname -a > kernel/uname_-a
  sysctl -a > kernel/sysctl_-a 2> /dev/null
  uptime > host/uptime
  free > memory/free
  df > filesys/df_-al_-x_autofs
  ls -l /sys/kernel/slab > memory/ls_-l_.sys.kernel.slab
  ss -peaonmi > networking/ss_-peaonmi
  ss -s > networking/ss_-s
  stat -c '%s %n' /proc/[0-9]*/fd > process/descriptor_counts
  ls -l /proc/[0-9]*/fd/* 2> /dev/null | grep socket: > process/socket_owners
  cd /
}

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# Three snapshots, and out with them.
capture() {
  first=$(now)
  changing $root
  whole $root
  times="\"$first\""
  for _ in 1 2; do
    sleep $HISTORY_SECONDS
    time=$(now)
    changing "$root/history/$time"
    times="$times, \"$time\""
  done
  cat > $root/nailhouse.json << END
{
  "schemaVersion": 1,
  "tool": { "name": "nailhouse", "version": "0.1.0" },
  "host": {
    "hostname": "guest", "kernelRelease": "$(uname -r)", "machine": "$(uname -m)", "pageSizeBytes": 4096, "userHz": 100, "cpus": 1
  },
  "capturedAt": "$first",
  "privileged": true,
  "snapshots": 3,
  "intervalSeconds": $HISTORY_SECONDS,
  "collectors": ["guest.sh"]
}
END
  echo "{ \"schemaVersion\": 1, \"finishedAt\": \"$(now)\", \"snapshots\": [$times], \"stopped\": null, \"collectors\": [] }" \
    > $root/nailhouse-status.json
  (cd /out && tar cf /dev/vda nailhouse-guest)
  sync
  echo "NAILHOUSE captured"
}

# udp_wall PAGES: how much all UDP sockets may be charged together, and each of them far more than is usual.
udp_wall() {
  set_value net/ipv4/udp_mem "$1 $1 $1"
  set_value net/core/rmem_max 16777216
}

# An innocent, large process.
database() { hold database start=150 rate=0 max=150; }

sleep 2
case $fault in
  idle) sleep 3 ;;
  udp)
    udp_wall 100000
    hold friend_push clients=50 rcvbuf=2097152 total=200
    ;;
  # The kernel's own udp_mem stops it.
  udp-limit)
    set_value net/core/rmem_max 16777216
    hold friend_push clients=50 rcvbuf=2097152
    ;;
  # A leak until the kernel kills it; looked at afterwards.
  oom)
    database
    sleep 1000 | leaker start=300 rate=20 max=2000 > /dev/null &
    while ! dmesg | grep -q 'Killed process'; do sleep 1; done
    sleep 1
    ;;
  # UDP queues eat the memory, and the largest process is killed for it.
  oom-udp)
    database
    udp_wall 1000000
    sleep 1000 | friend_push clients=50 rcvbuf=5872000 > /held-friend_push &
    while ! dmesg | grep -q 'Killed process'; do sleep 1; done
    sleep 3
    ;;
  # Captured while it grows; then the kernel panics, and the console is the only witness.
  panic)
    set_value vm/panic_on_oom 1
    database
    hold leaker start=300 rate=10 max=2000
    ;;
  # More than there is, written round and round, on a disk.
  swap)
    mkswap /dev/vdb > /dev/null
    swapon /dev/vdb
    hold swap_hog want=800
    ;;
  # The host takes memory back when it reads this line.
  balloon)
    before=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)
    echo "NAILHOUSE inflate"
    while [ "$(awk '/MemTotal/ { print $2 }' /proc/meminfo)" -gt $((before - 250000)) ]; do sleep 1; done
    sleep 1
    ;;
  *) echo "NAILHOUSE no fault $fault" ;;
esac
capture
# The leak goes on.
[ "$fault" != panic ] || sleep 1000
poweroff -f
